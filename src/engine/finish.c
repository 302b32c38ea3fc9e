/* SPDX-License-Identifier: MIT */
/*
 * finish.c - the end of an op: result, chain, room, statistics, callback.
 *
 * Nothing completes inside submit or cancel: what ends outside of dispatch
 * waits in ring->ended. Dispatch takes what was there when it began, so ops
 * submitted by callbacks cannot keep it for ever.
 */
#include "engine/finish.h"

/* Runs a callback with the stall clock around it. */
void op_call_timed(struct sl_ring *ring, struct sl_op *op)
{
	int64_t begin_ns, took_ns;
	unsigned code = op->code;

	begin_ns = ring->backend->now(ring->state);
	op->done(ring, op);
	took_ns = ring->backend->now(ring->state) - begin_ns;
	if (took_ns < 0 || (uint64_t)took_ns <= ring->opts.stall_ns)
		return;
	ring->stalls++;
	sl_report(ring, SL_LOG_WARN,
		  "a callback of %s ran for %lld us and held up the ring; move the work to "
		  "SL_OP_WORK",
		  sl_op_name(code), (long long)took_ns / 1000);
}

static bool succeeded(const struct sl_op *op)
{
	const struct sl_op_info *info = &sl_op_table[op->code];
	uint64_t want = op->len;

	if (op->res < 0)
		return false;
	if (!(info->flags & SL_OP_VEC) || op->flags & (SL_OP_POOLED | SL_OP_PARTIAL))
		return true;
	if (op->flags & SL_OP_VEC) {
		const struct iovec *iov = op->buf;

		want = 0;
		for (uint64_t i = 0; i < op->len; i++)
			want += iov[i].iov_len;
	}
	return op->done_len == want;
}

/* The successor of a finished op: started, or cancelled with all behind it. */
void ring_follow_chain(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_op *next = op->chain;

	op->chain = NULL;
	next->prev = NULL;
	ring->waiting--;
	if (succeeded(op) && !ring->draining)
		ring_pend(ring, next);
	else
		ring_end(ring, next, -ECANCELED);
}

/* It counts as in flight until sl_ring_next() returns it. */
void ring_keep_finished(struct sl_ring *ring, struct sl_op *op)
{
	op->state = OP_FINISHED;
	op_list_add(&ring->finished, op);
	ring->finished_nr++;
	class_of(ring, op)->finished++;
}

void ring_end(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	op->res = res;
	if (op->heap_idx)
		deadline_remove(ring, op); /* its place is for those that count anew */
	op->state = OP_ENDED;
	op_list_add(&ring->ended, op);
}

void ring_end_slot(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	struct sl_op *op = slot->op;

	sl_slot_return_buffer(ring, slot);
	slot_release(ring, slot);
	ring_end(ring, op, res);
}

/* One of several completions; the op stays with the library. */
void ring_deliver_more(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	struct sl_op *op = slot->op;

	if (!op->done)
		return;
	ring->delivered++;
	op->res = res;
	op->more = 1;
	op_stats(ring, op)->events++;
	op_call(ring, op);
}

/* A periodic timer: armed again before its callback, which may cancel it. */
static void tick(struct sl_ring *ring, struct sl_op *op)
{
	uint64_t late = (uint64_t)(ring->now_ns - op->deadline_ns);
	uint64_t missed = ring->now_ns > op->deadline_ns ? late / op->len : 0;
	uint64_t ahead_ns;

	if (__builtin_mul_overflow(missed + 1, op->len, &ahead_ns) ||
	    __builtin_add_overflow(op->deadline_ns, ahead_ns, &op->deadline_ns))
		op->deadline_ns = INT64_MAX; /* never again */
	op->aux = missed > UINT32_MAX ? UINT32_MAX : (uint32_t)missed;
	op->res = 0;
	op->more = 1;
	op->state = OP_TIMING;
	deadline_add(ring, op);
	op_stats(ring, op)->events++;
	ring->delivered++;
	op_call(ring, op);
}

static void dispatch_ended(struct sl_ring *ring)
{
	struct sl_op *op;

	/* What ends meanwhile goes to the other list, for the next round; a cancel
	 * of an op in this one only rewrites its result. */
	ring->ending = ring->ended;
	ring->ended = (struct op_list){ NULL, NULL };
	while ((op = op_list_pop(&ring->ending))) {
		if (op->code == SL_OP_TIMER && op->flags & SL_OP_MULTI && !op->res)
			tick(ring, op);
		else
			finish_op(ring, op, op->res);
	}
}

unsigned ring_dispatch(struct sl_ring *ring)
{
	unsigned before = ring->delivered;

	ring->dispatching = true;
	if (ring->ended.head)
		dispatch_ended(ring);
	ring_step_events(ring);
	if (SL_UNLIKELY(posts_waiting(ring)))
		posts_dispatch(ring, ring->draining ? -ECANCELED : 0);
	ring->dispatching = false;
	return ring->delivered - before;
}
