/* SPDX-License-Identifier: MIT */
/* stats.c - counters per scheduling class, and a power-of-two latency histogram. */
#include <string.h>

#include "engine/stats.h"

/* Of the histogram; a clock may go back, in a simulation of one. */
static unsigned bucket_of(int64_t took_ns)
{
	unsigned bucket = took_ns > 0 ? sl_log2((uint64_t)took_ns) : 0;

	return bucket < SL_RING_LATENCY_BUCKETS ? bucket : SL_RING_LATENCY_BUCKETS - 1;
}

void stats_latency_anew(struct sl_ring *ring, const struct sl_op *op)
{
	bool clock_per_op = ring->opts.flags & SL_RING_CLOCK_PER_OP;
	int64_t end_ns = clock_per_op ? ring->backend->now(ring->state) : ring->now_ns;
	unsigned bucket = bucket_of(end_ns - op->submit_ns);

	op_stats(ring, op)->latency[bucket]++;
	if (!clock_per_op)
		ring->latency_bucket = bucket;
}

static void add_stats(struct sl_ring_stats *sum, const struct sl_ring_stats *part)
{
	sum->submitted += part->submitted;
	sum->completed += part->completed;
	sum->events += part->events;
	sum->failed += part->failed;
	sum->cancelled += part->cancelled;
	sum->timed_out += part->timed_out;
	sum->parked += part->parked;
	sum->refused += part->refused;
	sum->rearmed += part->rearmed;
	sum->short_io += part->short_io;
	sum->inlined += part->inlined;
	sum->worked += part->worked;
	sum->zc_copied += part->zc_copied;
	sum->read_bytes += part->read_bytes;
	sum->write_bytes += part->write_bytes;
	for (unsigned i = 0; i < SL_RING_LATENCY_BUCKETS; i++)
		sum->latency[i] += part->latency[i];
}

static void class_stats(const struct sl_ring *ring, unsigned idx, struct sl_ring_stats *ret_stats)
{
	const struct sl_class *class = &ring->classes[idx];

	*ret_stats = class->stats;
	ret_stats->inflight = ring->class_inflight[idx];
	for (const struct sl_op *op = class->parked.head; op; op = op->next) {
		for (const struct sl_op *at = op; at; at = at->chain)
			ret_stats->parked_now++;
	}
	/* Counted once on the way of an op, told in three ways. */
	for (unsigned i = 0; i < SL_RING_LATENCY_BUCKETS; i++)
		ret_stats->completed += class->stats.latency[i];
	ret_stats->events += ret_stats->completed;
	ret_stats->submitted = ret_stats->completed + ret_stats->inflight - class->finished +
			       ret_stats->parked_now;
}

int sl_ring_stats(const struct sl_ring *ring, int sched_class, struct sl_ring_stats *ret_stats)
{
	struct sl_backend_stats backend_stats;

	if (sched_class < -1 || sched_class >= SL_RING_CLASSES)
		return -EINVAL;
	if (sched_class >= 0) {
		class_stats(ring, (unsigned)sched_class, ret_stats);
		return 0;
	}
	memset(ret_stats, 0, sizeof(*ret_stats));
	for (unsigned i = 0; i < SL_RING_CLASSES; i++) {
		struct sl_ring_stats part;

		class_stats(ring, i, &part);
		add_stats(ret_stats, &part);
	}
	ring->backend->stats(ring->state, &backend_stats);
	ret_stats->enters = backend_stats.enters;
	ret_stats->overflows = backend_stats.overflows;
	ret_stats->stalls = ring->stalls;
	ret_stats->inflight = ring->inflight;
	ret_stats->parked_now = ring->parked;
	return 0;
}
