/* SPDX-License-Identifier: MIT */
/* stats.h - counting an op at its end: every op passes here, so it is inline. */
#ifndef SLUICE_ENGINE_STATS_H
#define SLUICE_ENGINE_STATS_H

#include "engine/engine.h"

static inline struct sl_ring_stats *op_stats(struct sl_ring *ring, const struct sl_op *op)
{
	return &ring->classes[op->sched_class].stats;
}

/* Of an op that has not taken as long as the one before, or whose clock is its own. */
void stats_latency_anew(struct sl_ring *ring, const struct sl_op *op);

static inline void class_leave(struct sl_ring *ring, const struct sl_op *op)
{
	ring->inflight--;
	ring->class_inflight[op->sched_class]--;
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
	uint64_t took_ns = (uint64_t)(ring->now_ns - op->submit_ns) | 1;

	/* Ops that end together have taken alike: to look is cheaper than to compute. */
	if (SL_UNLIKELY(took_ns >> ring->latency_bucket != 1))
		stats_latency_anew(ring, op);
	else
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
