/* SPDX-License-Identifier: MIT */
/*
 * connect.c - one address after the other, until one answers or time is up.
 *
 *	IDLE -> SOCKET -> [OPTION] -> [BIND] -> CONNECT -> IDLE (res >= 0)
 *	           ^                               |
 *	           +---- CLOSE <---- failed -------+    ... and IDLE after the last
 *
 * Invariant: unless IDLE one op is in flight; stop cancels it, and its callback
 * decides. A socket that came to nothing is closed before the end is told.
 */
#include <netinet/tcp.h>
#include <sluice/ring.h>

#include "net/address.h"

#define ADDRS_MAX 64

enum {
	IDLE = 0,
	MAKING,
	SETTING,
	BINDING,
	CONNECTING,
	CLOSING,
};

static void end(struct sl_sock_connect *req, int64_t res)
{
	req->state = IDLE;
	req->res = res == -ESHUTDOWN ? -ECANCELED : res;
	req->done(req);
}

static int submit(struct sl_sock_connect *req, unsigned state)
{
	req->state = (uint8_t)state;
	req->op.flags |= SL_OP_PARK;
	return sl_ring_submit(req->ring, &req->op);
}

static const struct sl_sock_addr *target(const struct sl_sock_connect *req)
{
	return &req->addrs[req->tried - 1];
}

/* The socket of the next address. */
static int make(struct sl_sock_connect *req)
{
	req->tried++;
	sl_op_socket(&req->op, net_family(target(req)), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		     0);
	return submit(req, MAKING);
}

static int reach(struct sl_sock_connect *req)
{
	const struct sl_sock_addr *addr = target(req);

	sl_op_connect(&req->op, req->fd, &addr->any, addr->len)->deadline_ns = req->deadline_ns;
	if (req->try_ns) {
		int64_t try_ns = sl_ring_now(req->ring) + req->try_ns;

		if (!req->deadline_ns || try_ns < req->deadline_ns)
			req->op.deadline_ns = try_ns;
	}
	return submit(req, CONNECTING);
}

static int come_from(struct sl_sock_connect *req)
{
	if (!req->source || net_family(req->source) != net_family(target(req)))
		return reach(req);
	sl_op_bind(&req->op, req->fd, &req->source->any, req->source->len);
	return submit(req, BINDING);
}

static int set(struct sl_sock_connect *req)
{
	if (!net_is_inet(target(req)) || req->flags & SL_SOCK_CONNECT_NAGLE)
		return come_from(req);
	req->one = 1;
	sl_op_setsockopt(&req->op, req->fd, IPPROTO_TCP, TCP_NODELAY, &req->one, sizeof(req->one));
	return submit(req, SETTING);
}

/* The last address, no time left, or nobody wants it any more. */
static bool is_over(const struct sl_sock_connect *req)
{
	return req->stopping || req->tried == req->nr || req->res == -ECANCELED ||
	       (req->deadline_ns && sl_ring_now(req->ring) >= req->deadline_ns);
}

static void next_or_end(struct sl_sock_connect *req)
{
	int err;

	if (is_over(req)) {
		end(req, req->stopping ? -ECANCELED : req->res);
		return;
	}
	err = make(req);
	if (err)
		end(req, err);
}

/* req->res says why; the socket goes first. */
static void give_up(struct sl_sock_connect *req)
{
	int err;

	if (req->fd < 0) {
		next_or_end(req);
		return;
	}
	sl_op_close(&req->op, req->fd);
	err = submit(req, CLOSING);
	if (err) /* draining: the descriptor stays, as nothing can be done for it */
		end(req, err);
}

static void on_op(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_connect *req = sl_op_of(op, struct sl_sock_connect, op);
	int err = 0;

	(void)ring;
	if (req->state == MAKING && op->res >= 0)
		req->fd = (int32_t)op->res;
	if (req->state == CLOSING) {
		req->fd = -1;
		next_or_end(req);
		return;
	}
	if (op->res < 0 || req->stopping) {
		req->res = req->stopping ? -ECANCELED : op->res;
		give_up(req);
		return;
	}
	if (req->state == MAKING)
		err = set(req);
	else if (req->state == SETTING)
		err = come_from(req);
	else if (req->state == BINDING)
		err = reach(req);
	else
		end(req, req->fd);
	if (err) {
		req->res = err;
		give_up(req);
	}
}

int sl_sock_connect(struct sl_ring *ring, struct sl_sock_connect *req)
{
	int err;

	if (req->state != IDLE || !req->done || !req->nr || req->nr > ADDRS_MAX || !req->addrs ||
	    req->flags & ~(uint32_t)SL_SOCK_CONNECT_NAGLE)
		return -EINVAL;
	req->ring = ring;
	req->tried = 0;
	req->stopping = 0;
	req->fd = -1;
	req->res = -EINPROGRESS;
	req->op.done = on_op;
	err = make(req);
	if (err)
		req->state = IDLE;
	return err;
}

void sl_sock_connect_stop(struct sl_sock_connect *req)
{
	if (req->state == IDLE)
		return;
	req->stopping = 1;
	if (req->state != CLOSING)
		sl_ring_cancel(req->ring, &req->op);
}
