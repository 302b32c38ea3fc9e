/* SPDX-License-Identifier: MIT */
/* stats.h - counting an op at its end: every op passes here, so it is inline. */
#ifndef SLUICE_ENGINE_STATS_H
#define SLUICE_ENGINE_STATS_H

#include "engine/engine.h"

static inline struct sl_ring_stats *op_stats(struct sl_ring *ring, const struct sl_op *op)
{
	return &ring->classes[op->sched_class].stats;
}

unsigned stats_bucket(int64_t took_ns);

static inline void class_leave(struct sl_ring *ring, struct sl_class *class)
{
	ring->inflight--;
	class->inflight--;
}

static inline void stats_bytes(struct sl_ring_stats *stats, const struct sl_op *op)
{
	uint8_t traits = sl_op_table[op->code].traits;

	if (traits & SL_OP_READS)
		stats->read_bytes += op->done_len;
	else if (traits & SL_OP_WRITES)
		stats->write_bytes += op->done_len;
}

static inline void stats_latency(struct sl_ring *ring, struct sl_ring_stats *stats,
				 const struct sl_op *op)
{
	int64_t end_ns = ring->now_ns;
	uint64_t took_ns;

	if (SL_UNLIKELY(ring->opts.flags & SL_RING_CLOCK_PER_OP))
		end_ns = ring->backend->now(ring->state);
	took_ns = (uint64_t)(end_ns - op->submit_ns) | 1;
	/* Ops that end together have taken alike: to look is cheaper than to compute. */
	if (SL_UNLIKELY(took_ns >> ring->latency_bucket != 1))
		ring->latency_bucket = stats_bucket((int64_t)took_ns);
	stats->latency[ring->latency_bucket]++;
}

/* The end of an op. That it was submitted, and completed, follows from the
 * histogram and what is in flight: see class_stats(). */
static inline void stats_ended(struct sl_ring *ring, struct sl_ring_stats *stats,
			       const struct sl_op *op)
{
	if (SL_UNLIKELY(op->res < 0)) {
		if (op->res == -ECANCELED)
			stats->cancelled++;
		else if (op->res == -ETIMEDOUT)
			stats->timed_out++;
		else
			stats->failed++;
	}
	if (op->done_len)
		stats_bytes(stats, op);
	stats_latency(ring, stats, op);
}

#endif
