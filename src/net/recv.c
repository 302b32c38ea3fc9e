/* SPDX-License-Identifier: MIT */
/*
 * recv.c - bytes of a connection into pooled buffers, no more of them out than agreed.
 *
 *	IDLE --recv--> HEARING --pause, or held == held_max--> (cancel) --> HELD
 *	                  ^                                                  |
 *	                  +---- resume, or a buffer came back (cancel) ------+
 *
 * Invariants:
 *  R1. Unless IDLE one op is in flight: the receive, or in HELD a timer that
 *      never comes. Every end is told from its callback.
 *  R2. Calls from outside only note what is wanted and cancel that op.
 *  R3. io_uring hands out all that a socket holds before it hears of a cancel. A
 *      connection that was seen to get more than agreed so receives one buffer at a
 *      time from then on (greedy).
 *  R4. The deadline of the op is not moved by every byte: when it passes, the time
 *      of the last one says whether it was silent so long.
 */
#include <sluice/ring.h>

#include "net/address.h"

#define HELD_MAX 4

enum {
	IDLE = 0,
	HEARING,
	HELD,
};

static void on_op(struct sl_ring *ring, struct sl_op *op);

static void end(struct sl_sock_receiver *receiver, int64_t res)
{
	receiver->state = IDLE;
	if (res == -ESHUTDOWN)
		res = -ECANCELED; /* the ring drains */
	receiver->received(receiver, NULL, res);
}

static bool may_hear(const struct sl_sock_receiver *receiver)
{
	return !receiver->paused && receiver->held < receiver->held_max;
}

static int hear(struct sl_sock_receiver *receiver)
{
	struct sl_op *op = &receiver->op;

	sl_op_recv_pooled(op, receiver->fd, receiver->pool);
	op->flags |= SL_OP_PARK | (receiver->greedy ? 0 : SL_OP_MULTI);
	if (receiver->timeout_ns)
		op->deadline_ns = receiver->heard_ns + receiver->timeout_ns;
	receiver->state = HEARING;
	receiver->asked = 0;
	return sl_ring_submit(receiver->ring, op);
}

static int hold(struct sl_sock_receiver *receiver)
{
	sl_op_timer(&receiver->op, INT64_MAX, 0)->flags = SL_OP_PARK;
	receiver->state = HELD;
	receiver->asked = 0;
	return sl_ring_submit(receiver->ring, &receiver->op);
}

/* Cancels what is in flight, so that its callback does what is wanted now. */
static void ask(struct sl_sock_receiver *receiver)
{
	if (receiver->asked)
		return;
	receiver->asked = 1;
	sl_ring_cancel(receiver->ring, &receiver->op);
}

static void go_on(struct sl_sock_receiver *receiver)
{
	int err;

	if (receiver->stopping) {
		end(receiver, -ECANCELED);
		return;
	}
	err = may_hear(receiver) ? hear(receiver) : hold(receiver);
	if (err)
		end(receiver, err);
}

static void deliver(struct sl_sock_receiver *receiver, struct sl_op *op)
{
	bool more = op->more;

	receiver->held++;
	receiver->heard_ns = sl_ring_now(receiver->ring);
	if (receiver->held > receiver->held_max)
		receiver->greedy = 1;
	receiver->received(receiver, op->buf, op->res);
	if (!more)
		go_on(receiver);
	else if (!may_hear(receiver))
		ask(receiver);
}

static void on_op(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_receiver *receiver = sl_op_of(op, struct sl_sock_receiver, op);

	if (receiver->state == HEARING && op->res > 0) {
		deliver(receiver, op);
		return;
	}
	if (op->res == -ECANCELED && receiver->asked) {
		if (receiver->state == HELD)
			receiver->heard_ns = sl_ring_now(ring);
		go_on(receiver);
	} else if (op->res == -ETIMEDOUT && receiver->state == HEARING &&
		   receiver->heard_ns + receiver->timeout_ns > sl_ring_now(ring)) {
		go_on(receiver);
	} else {
		end(receiver, op->res);
	}
}

int sl_sock_recv(struct sl_ring *ring, struct sl_sock_receiver *receiver)
{
	int err;

	if (receiver->state != IDLE || !receiver->pool || !receiver->received)
		return -EINVAL;
	if (!receiver->held_max)
		receiver->held_max = HELD_MAX;
	receiver->ring = ring;
	receiver->paused = receiver->stopping = receiver->greedy = 0;
	receiver->op.done = on_op;
	receiver->heard_ns = sl_ring_now(ring);
	err = may_hear(receiver) ? hear(receiver) : hold(receiver);
	if (err)
		receiver->state = IDLE;
	return err;
}

static void reconsider(struct sl_sock_receiver *receiver)
{
	if (receiver->state == HELD ? may_hear(receiver) :
				      receiver->state == HEARING && !may_hear(receiver))
		ask(receiver);
}

void sl_sock_recv_put(struct sl_sock_receiver *receiver, void *data)
{
	sl_buf_put(receiver->pool, data);
	receiver->held--;
	reconsider(receiver);
}

void sl_sock_recv_pause(struct sl_sock_receiver *receiver)
{
	receiver->paused = 1;
	reconsider(receiver);
}

void sl_sock_recv_resume(struct sl_sock_receiver *receiver)
{
	receiver->paused = 0;
	reconsider(receiver);
}

void sl_sock_recv_stop(struct sl_sock_receiver *receiver)
{
	if (receiver->state == IDLE)
		return;
	receiver->stopping = 1;
	ask(receiver);
}
