/* SPDX-License-Identifier: MIT */
/* stats.c - counters per scheduling class, and a power-of-two latency histogram. */
#include <string.h>

#include "engine/engine.h"

struct sl_ring_stats *op_stats(struct sl_ring *ring, const struct sl_op *op)
{
	return &ring->classes[op->sched_class].stats;
}

static void count_bytes(struct sl_ring_stats *stats, const struct sl_op *op)
{
	uint8_t traits = sl_op_table[op->code].traits;

	if (traits & SL_OP_READS)
		stats->read_bytes += op->done_len;
	else if (traits & SL_OP_WRITES)
		stats->write_bytes += op->done_len;
}

static void count_latency(struct sl_ring *ring, struct sl_ring_stats *stats, const struct sl_op *op)
{
	int64_t end_ns = ring->now_ns;
	unsigned bucket;

	if (ring->opts.flags & SL_RING_CLOCK_PER_OP)
		end_ns = ring->backend->now(ring->state);
	bucket = end_ns > op->submit_ns ? sl_log2((uint64_t)(end_ns - op->submit_ns)) : 0;
	if (bucket >= SL_RING_LATENCY_BUCKETS)
		bucket = SL_RING_LATENCY_BUCKETS - 1;
	stats->latency[bucket]++;
}

void stats_ended(struct sl_ring *ring, const struct sl_op *op)
{
	struct sl_ring_stats *stats = op_stats(ring, op);

	stats->completed++;
	stats->events++;
	if (SL_UNLIKELY(op->res < 0)) {
		if (op->res == -ECANCELED)
			stats->cancelled++;
		else if (op->res == -ETIMEDOUT)
			stats->timed_out++;
		else
			stats->failed++;
	}
	if (op->done_len)
		count_bytes(stats, op);
	count_latency(ring, stats, op);
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
	ret_stats->inflight = class->inflight;
	for (const struct sl_op *op = class->parked.head; op; op = op->next)
		ret_stats->parked_now++;
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
	for (unsigned i = 0; i < SL_RING_CLASSES; i++)
		add_stats(ret_stats, &ring->classes[i].stats);
	ring->backend->stats(ring->state, &backend_stats);
	ret_stats->enters = backend_stats.enters;
	ret_stats->overflows = backend_stats.overflows;
	ret_stats->stalls = ring->stalls;
	ret_stats->inflight = ring->inflight;
	ret_stats->parked_now = ring->parked;
	return 0;
}
