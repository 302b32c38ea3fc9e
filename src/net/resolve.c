/* SPDX-License-Identifier: MIT */
/*
 * resolve.c - names looked up by worker threads, the answer in time or -ETIMEDOUT.
 *
 * A thread inside getaddrinfo(3) cannot be interrupted. So what it works on is a
 * job of its own, in memory of its own; the request keeps a timer. Whichever
 * comes first ends the request, and a job without a request is freed at its end.
 *
 *	request: IDLE --> [LINE] --> ASKING --> IDLE      (its op: a timer)
 *	job:               made --> running --> freed     (its op: work)
 *
 * Invariants:
 *  L1. Unless IDLE the op of a request is in flight; its callback alone ends it.
 *      An answer is put into the request, and the timer cancelled.
 *  L2. At most running_max jobs run, so that threads stay free for files.
 */
#include <netdb.h>
#include <stdlib.h>

#include "base/bits.h"
#include "net/address.h"
#include "net/memory.h"

enum {
	IDLE = 0,
	LINE,
	ASKING,
	ANSWERED,
	STOPPING,
};

struct sl_sock_resolver {
	struct sl_ring *ring;
	sl_sock_lookup_fn *lookup;
	void *lookup_ctx;
	uint32_t running_max;
	uint32_t running;
	struct sl_sock_lookup *line;
	struct sl_sock_lookup **line_tail;
};

struct job {
	struct sl_op op;
	struct sl_sock_resolver *resolver;
	struct sl_sock_lookup *req; /* NULL: it did not wait */
	sl_sock_lookup_fn *lookup;
	void *lookup_ctx;
	struct net_name name;
	struct sl_sock_addr addrs[SL_SOCK_LOOKUP_ADDRS];
};

/* ---- getaddrinfo(3) ----------------------------------------------------------------- */

static int error_of(int code)
{
	switch (code) {
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return errno ? -errno : -EIO;
	case EAI_FAIL:
		return -EIO;
	default: /* no such name, no such service, no address of a family in use here */
		return -ENOENT;
	}
}

static int ask_system(void *ctx, const char *host, const char *port, struct sl_sock_addr *ret_addrs)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list, *at;
	int code = getaddrinfo(host, port, &hints, &list), nr = 0;

	(void)ctx;
	if (code)
		return error_of(code);
	for (at = list; at && nr < SL_SOCK_LOOKUP_ADDRS; at = at->ai_next) {
		if (at->ai_addrlen > sizeof(ret_addrs->storage))
			continue;
		memcpy(&ret_addrs[nr].storage, at->ai_addr, at->ai_addrlen);
		ret_addrs[nr++].len = at->ai_addrlen;
	}
	freeaddrinfo(list);
	return nr ? nr : -ENOENT;
}

/* A world of its own has no names but those it is given. */
static int ask_nobody(void *ctx, const char *host, const char *port, struct sl_sock_addr *ret_addrs)
{
	(void)ctx;
	(void)host;
	(void)port;
	(void)ret_addrs;
	return -ENOENT;
}

/* ---- requests ----------------------------------------------------------------------- */

static void end(struct sl_sock_lookup *req, int64_t res)
{
	req->state = IDLE;
	req->res = res;
	req->done(req);
}

/* Its timer brings it to its end. */
static void answer(struct sl_sock_lookup *req, int64_t res)
{
	req->state = ANSWERED;
	req->res = res;
	req->job = NULL;
	sl_ring_cancel(req->resolver->ring, &req->op);
}

static void leave_line(struct sl_sock_resolver *resolver, struct sl_sock_lookup *req)
{
	struct sl_sock_lookup **at = &resolver->line;

	while (*at && *at != req)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = req->next;
	if (resolver->line_tail == &req->next)
		resolver->line_tail = at;
}

static void on_time(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_sock_lookup *req = sl_op_of(op, struct sl_sock_lookup, op);
	struct job *job = req->job;

	(void)ring;
	if (req->state == ANSWERED) {
		end(req, req->res);
		return;
	}
	if (job)
		job->req = NULL;
	req->job = NULL;
	leave_line(req->resolver, req);
	end(req, op->res < 0 ? -ECANCELED : -ETIMEDOUT);
}

/* ---- jobs --------------------------------------------------------------------------- */

static int64_t work(void *ctx)
{
	struct job *job = ctx;

	return job->lookup(job->lookup_ctx, job->name.host, job->name.port, job->addrs);
}

static void start_next(struct sl_sock_resolver *resolver);

static void on_work(struct sl_ring *ring, struct sl_op *op)
{
	struct job *job = sl_op_of(op, struct job, op);
	struct sl_sock_resolver *resolver = job->resolver;
	struct sl_sock_lookup *req = job->req;
	int64_t res = op->res;

	resolver->running--;
	if (req) {
		if (res > SL_SOCK_LOOKUP_ADDRS)
			res = SL_SOCK_LOOKUP_ADDRS;
		memcpy(req->addrs, job->addrs, sizeof(req->addrs));
		answer(req, res ? res : -ENOENT);
	}
	net_free(ring, job, sizeof(*job));
	start_next(resolver);
}

static int start(struct sl_sock_resolver *resolver, struct sl_sock_lookup *req)
{
	struct job *job = net_alloc(resolver->ring, sizeof(*job));
	int err = job ? net_name_split(req->text, &job->name) : -ENOMEM;

	if (err)
		goto err;
	job->resolver = resolver;
	job->req = req;
	job->lookup = resolver->lookup;
	job->lookup_ctx = resolver->lookup_ctx;
	sl_op_work(&job->op, work, job)->flags = SL_OP_PARK;
	job->op.done = on_work;
	err = sl_ring_submit(resolver->ring, &job->op);
	if (err)
		goto err;
	resolver->running++;
	req->job = job;
	req->state = ASKING;
	return 0;

err:
	net_free(resolver->ring, job, sizeof(*job));
	return err;
}

static void start_next(struct sl_sock_resolver *resolver)
{
	while (resolver->line && resolver->running < resolver->running_max) {
		struct sl_sock_lookup *req = resolver->line;
		int err;

		leave_line(resolver, req);
		err = start(resolver, req);
		if (err)
			answer(req, err == -ESHUTDOWN ? -ECANCELED : err);
	}
}

static void line_up(struct sl_sock_resolver *resolver, struct sl_sock_lookup *req)
{
	req->state = LINE;
	req->next = NULL;
	*resolver->line_tail = req;
	resolver->line_tail = &req->next;
}

/* ---- the calls ---------------------------------------------------------------------- */

static uint32_t default_running(const struct sl_ring *ring)
{
	uint32_t workers = sl_ring_caps(ring)->workers;

	return workers > 1 ? workers - 1 : 1;
}

int sl_sock_resolver_create(struct sl_ring *ring, const struct sl_sock_resolver_opts *opts,
			    struct sl_sock_resolver **ret_resolver)
{
	bool own_world = sl_ring_caps(ring)->caps & SL_CAP_OWN_WORLD;
	struct sl_sock_resolver_opts resolved = { 0 };
	struct sl_sock_resolver *resolver;

	if (opts && !sl_opts_known(opts, opts->size, sizeof(resolved)))
		return -EINVAL;
	if (opts)
		resolved = *opts;
	resolver = net_alloc(ring, sizeof(*resolver));
	if (!resolver)
		return -ENOMEM;
	resolver->ring = ring;
	resolver->running_max = resolved.running_max ? resolved.running_max : default_running(ring);
	resolver->lookup = resolved.lookup ? resolved.lookup : own_world ? ask_nobody : ask_system;
	resolver->lookup_ctx = resolved.lookup_ctx;
	resolver->line_tail = &resolver->line;
	*ret_resolver = resolver;
	return 0;
}

void sl_sock_resolver_destroy(struct sl_sock_resolver *resolver)
{
	if (!resolver)
		return;
	while (resolver->running && sl_ring_run(resolver->ring, 0) >= 0)
		continue;
	net_free(resolver->ring, resolver, sizeof(*resolver));
}

int sl_sock_resolve(struct sl_sock_resolver *resolver, struct sl_sock_lookup *req)
{
	struct net_name name;
	int err;

	if (req->state != IDLE || !req->done || !req->text)
		return -EINVAL;
	req->resolver = resolver;
	req->job = NULL;
	req->next = NULL;
	sl_op_timer(&req->op, req->deadline_ns ? req->deadline_ns : INT64_MAX, 0)->flags =
		SL_OP_PARK;
	req->op.done = on_time;
	err = sl_ring_submit(resolver->ring, &req->op);
	if (err)
		return err;
	err = sl_sock_addr_parse(req->text, &req->addrs[0]);
	if (err == -ENOENT && net_name_split(req->text, &name))
		err = -EINVAL;
	if (err == -ENOENT)
		line_up(resolver, req);
	else
		answer(req, err ? err : 1);
	start_next(resolver);
	return 0;
}

void sl_sock_resolve_stop(struct sl_sock_lookup *req)
{
	if (req->state == LINE || req->state == ASKING)
		sl_ring_cancel(req->resolver->ring, &req->op);
}
