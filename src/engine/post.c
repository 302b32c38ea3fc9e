/* SPDX-License-Identifier: MIT */
/*
 * post.c - ops that arrive from other threads.
 *
 * A stack that any thread pushes with one compare-and-swap and the owner takes
 * whole. A post first claims a place in posts_nr (the bound, and what a closing
 * ring waits for), then looks at closing, then pushes. close() sets closing and
 * then looks at posts_nr: one of the two sees the other (both sequentially
 * consistent), so no post is lost between them.
 */
#include "engine/engine.h"

static bool claim_place(struct sl_ring *ring)
{
	uint32_t max = ring->opts.depth + ring->opts.park_max;

	if (__atomic_fetch_add(&ring->posts_nr, 1, __ATOMIC_SEQ_CST) < max)
		return true;
	__atomic_fetch_sub(&ring->posts_nr, 1, __ATOMIC_SEQ_CST);
	return false;
}

int sl_ring_post(struct sl_ring *ring, struct sl_op *op)
{
	if (!*ring->owner)
		return -ESTALE;
	if (!op->done || op->state != OP_IDLE)
		return -EINVAL;
	if (!claim_place(ring))
		return -EAGAIN;
	if (__atomic_load_n(&ring->closing, __ATOMIC_SEQ_CST)) {
		__atomic_fetch_sub(&ring->posts_nr, 1, __ATOMIC_SEQ_CST);
		return -ESHUTDOWN;
	}
	op->state = OP_POSTED;
	op->ring = ring;
	op->next = __atomic_load_n(&ring->posts, __ATOMIC_RELAXED);
	/* Pairs with the exchange in take_posts(): the op's fields go with it. */
	while (!__atomic_compare_exchange_n(&ring->posts, &op->next, op, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	ring_notify(ring);
	return 0;
}

/* All posts so far, oldest first. */
static struct sl_op *take_posts(struct sl_ring *ring)
{
	struct sl_op *newest = __atomic_exchange_n(&ring->posts, NULL, __ATOMIC_SEQ_CST);
	struct sl_op *oldest = NULL;

	while (newest) {
		struct sl_op *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

void posts_dispatch(struct sl_ring *ring, int64_t res)
{
	struct sl_op *op = take_posts(ring);

	while (op) {
		struct sl_op *next = op->next;

		op->res = res;
		op->done_len = 0;
		op->more = 0;
		op->next = NULL;
		op->state = OP_IDLE;
		__atomic_fetch_sub(&ring->posts_nr, 1, __ATOMIC_SEQ_CST);
		ring->delivered++;
		op_call(ring, op);
		op = next;
	}
}
