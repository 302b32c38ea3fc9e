/* SPDX-License-Identifier: MIT */
/* finish.h - the end of an op, from dispatch: every op passes here, so it is inline. */
#ifndef SLUICE_ENGINE_FINISH_H
#define SLUICE_ENGINE_FINISH_H

#include "engine/slot.h"
#include "engine/stats.h"

/* What finish_op() leaves to finish.c: what is behind an op in a chain, and where one without
 * a callback waits for sl_ring_next(). */
void ring_follow_chain(struct sl_ring *ring, struct sl_op *op);
void ring_keep_finished(struct sl_ring *ring, struct sl_op *op);

/* Result, chain, statistics, room, callback. */
static inline void finish_op(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	op->res = res;
	op->more = 0;
	op->state = OP_IDLE;
	ring->delivered++;
	if (SL_UNLIKELY(op->heap_idx))
		deadline_remove(ring, op);
	stats_ended(ring, op_stats(ring, op), op);
	if (SL_UNLIKELY(op->chain))
		ring_follow_chain(ring, op);
	if (!op->done) {
		ring_keep_finished(ring, op);
		return;
	}
	class_leave(ring, op);
	if (SL_UNLIKELY(ring->parked))
		ring_admit(ring);
	op_call(ring, op);
}

static inline void finish_slot(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	struct sl_op *op = slot->op;

	slot_release(ring, slot);
	finish_op(ring, op, res);
}

#endif
