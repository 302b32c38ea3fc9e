/* SPDX-License-Identifier: MIT */
/*
 * accept.c - connections from a listener, until told otherwise.
 *
 *	IDLE --accept--> TAKING --out of descriptors--> WAITING --time, resume--> TAKING
 *	                   |  ^
 *	             pause v  | resume
 *	                  HELD (a timer that never comes)
 *
 * Invariants:
 *  A1. Unless IDLE one op is in flight: the accept, or the timer. So every end is
 *      told from a callback of the ring, a stop and a drain too.
 *  A2. pause, resume and stop only note what is wanted and cancel what is in
 *      flight; its callback decides.
 */
#include <sluice/ring.h>

#include "net/address.h"

#define WAIT_MIN_NS INT64_C(10000000)
#define WAIT_MAX_NS INT64_C(1000000000)

enum {
	IDLE = 0,
	TAKING,
	WAITING,
	HELD,
};

static void on_connection(struct sl_ring *ring, struct sl_op *op);
static void on_time(struct sl_ring *ring, struct sl_op *op);

static void end(struct sl_sock_acceptor *acceptor, int err)
{
	acceptor->state = IDLE;
	if (err == -ESHUTDOWN)
		err = -ECANCELED; /* the ring drains */
	if (acceptor->ended)
		acceptor->ended(acceptor, err);
}

static int take(struct sl_sock_acceptor *acceptor)
{
	struct sl_op *op = &acceptor->op;

	sl_op_accept(op, acceptor->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	op->flags = SL_OP_MULTI | SL_OP_PARK;
	op->done = on_connection;
	acceptor->state = TAKING;
	return sl_ring_submit(acceptor->ring, op);
}

static int sleep_until(struct sl_sock_acceptor *acceptor, int64_t when_ns, unsigned state)
{
	sl_op_timer(&acceptor->timer, when_ns, 0)->flags = SL_OP_PARK;
	acceptor->timer.done = on_time;
	acceptor->state = (uint8_t)state;
	return sl_ring_submit(acceptor->ring, &acceptor->timer);
}

/* What is wanted now, with nothing in flight. */
static void go_on(struct sl_sock_acceptor *acceptor)
{
	int err;

	if (acceptor->stopping) {
		end(acceptor, -ECANCELED);
		return;
	}
	err = acceptor->paused ? sleep_until(acceptor, INT64_MAX, HELD) : take(acceptor);
	if (err)
		end(acceptor, err);
}

static bool is_starved(int64_t res)
{
	return res == -EMFILE || res == -ENFILE || res == -ENOBUFS || res == -ENOMEM;
}

/* accept(2): errors of a connection that came to nothing, or of the network just now. */
static bool is_passing(int64_t res)
{
	switch (res) {
	case -ECONNABORTED:
	case -ENETDOWN:
	case -EPROTO:
	case -ENOPROTOOPT:
	case -EHOSTDOWN:
	case -ENONET:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EPERM:
		return true;
	default:
		return false;
	}
}

static void wait(struct sl_sock_acceptor *acceptor)
{
	int err;

	acceptor->starved_nr++;
	acceptor->wait_ns = acceptor->wait_ns ? acceptor->wait_ns * 2 : WAIT_MIN_NS;
	if (acceptor->wait_ns > WAIT_MAX_NS)
		acceptor->wait_ns = WAIT_MAX_NS;
	err = sleep_until(acceptor, sl_ring_now(acceptor->ring) + acceptor->wait_ns, WAITING);
	if (err)
		end(acceptor, err);
}

static void on_connection(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_acceptor *acceptor = sl_op_of(op, struct sl_sock_acceptor, op);

	(void)ring;
	if (op->res >= 0) {
		bool more = op->more;

		acceptor->accepted_nr++;
		acceptor->wait_ns = 0;
		acceptor->accepted(acceptor, (int)op->res);
		if (!more)
			go_on(acceptor);
		return;
	}
	if (op->res == -ECANCELED && !acceptor->stopping && !acceptor->paused && !acceptor->resumed)
		end(acceptor, -ECANCELED);
	else if (op->res == -ECANCELED || is_passing(op->res)) {
		acceptor->resumed = 0;
		go_on(acceptor);
	} else if (is_starved(op->res) && !acceptor->stopping && !acceptor->paused)
		wait(acceptor);
	else if (is_starved(op->res))
		go_on(acceptor);
	else
		end(acceptor, (int)op->res);
}

static void on_time(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_acceptor *acceptor = sl_op_of(op, struct sl_sock_acceptor, timer);

	(void)ring;
	if (op->res == -ECANCELED && !acceptor->stopping && !acceptor->resumed) {
		end(acceptor, -ECANCELED); /* a drain */
		return;
	}
	acceptor->resumed = 0;
	go_on(acceptor);
}

int sl_sock_accept(struct sl_ring *ring, struct sl_sock_acceptor *acceptor)
{
	int err;

	if (acceptor->state != IDLE || !acceptor->accepted)
		return -EINVAL;
	acceptor->ring = ring;
	acceptor->paused = acceptor->stopping = acceptor->resumed = 0;
	acceptor->wait_ns = 0;
	err = take(acceptor);
	if (err)
		acceptor->state = IDLE;
	return err;
}

void sl_sock_accept_pause(struct sl_sock_acceptor *acceptor)
{
	if (acceptor->state == IDLE || acceptor->paused)
		return;
	acceptor->paused = 1;
	if (acceptor->state == TAKING)
		sl_ring_cancel(acceptor->ring, &acceptor->op);
}

void sl_sock_accept_resume(struct sl_sock_acceptor *acceptor)
{
	if (acceptor->state == IDLE)
		return;
	/* Paused a moment ago, the accept is still on its way to its cancel. */
	acceptor->resumed = acceptor->state != TAKING || acceptor->paused;
	acceptor->paused = 0;
	if (acceptor->state != TAKING)
		sl_ring_cancel(acceptor->ring, &acceptor->timer);
}

void sl_sock_accept_stop(struct sl_sock_acceptor *acceptor)
{
	if (acceptor->state == IDLE)
		return;
	acceptor->stopping = 1;
	sl_ring_cancel(acceptor->ring,
		       acceptor->state == TAKING ? &acceptor->op : &acceptor->timer);
}
