/* SPDX-License-Identifier: MIT */
/*
 * deadline.c - deadlines and timers: a binary heap of ops by deadline_ns.
 *
 * The heap's array holds every op that the ring can hold, so adding never
 * fails. op->heap_idx is the position plus one; 0 means not in the heap. The
 * earliest deadline bounds the backend's wait; no timer ever enters the kernel.
 */
#include "engine/engine.h"

static void heap_put(struct sl_ring *ring, uint32_t at, struct sl_op *op)
{
	ring->heap[at] = op;
	op->heap_idx = at + 1;
}

static void heap_up(struct sl_ring *ring, uint32_t at, struct sl_op *op)
{
	while (at) {
		uint32_t parent = (at - 1) / 2;

		if (ring->heap[parent]->deadline_ns <= op->deadline_ns)
			break;
		heap_put(ring, at, ring->heap[parent]);
		at = parent;
	}
	heap_put(ring, at, op);
}

static void heap_down(struct sl_ring *ring, uint32_t at, struct sl_op *op)
{
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= ring->heap_nr)
			break;
		if (child + 1 < ring->heap_nr &&
		    ring->heap[child + 1]->deadline_ns < ring->heap[child]->deadline_ns)
			child++;
		if (op->deadline_ns <= ring->heap[child]->deadline_ns)
			break;
		heap_put(ring, at, ring->heap[child]);
		at = child;
	}
	heap_put(ring, at, op);
}

void deadline_add(struct sl_ring *ring, struct sl_op *op)
{
	SL_ASSERT(!op->heap_idx);
	SL_ASSERT_CMP(ring->heap_nr, <, ring->opts.depth + ring->opts.park_max);
	heap_up(ring, ring->heap_nr++, op);
}

void deadline_remove(struct sl_ring *ring, struct sl_op *op)
{
	uint32_t at;
	struct sl_op *last;

	if (!op->heap_idx)
		return;
	at = op->heap_idx - 1;
	SL_ASSERT(ring->heap[at] == op);
	op->heap_idx = 0;
	last = ring->heap[--ring->heap_nr];
	if (last == op)
		return;
	if (at && ring->heap[(at - 1) / 2]->deadline_ns > last->deadline_ns)
		heap_up(ring, at, last);
	else
		heap_down(ring, at, last);
}

int64_t deadline_next_ns(const struct sl_ring *ring)
{
	return ring->heap_nr ? ring->heap[0]->deadline_ns : INT64_MAX;
}

/* An op in the heap has reached its time: a timer has succeeded, others have not. */
void deadline_expire(struct sl_ring *ring)
{
	while (ring->heap_nr && ring->heap[0]->deadline_ns <= ring->now_ns) {
		struct sl_op *op = ring->heap[0];

		deadline_remove(ring, op);
		if (op->state == OP_TIMING)
			ring_end(ring, op, 0);
		else
			ring_cancel_op(ring, op, -ETIMEDOUT);
	}
}
