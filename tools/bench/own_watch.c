/* own_watch.c: one ready descriptor among many idle ones, by libsluice's ring. */
#include <poll.h>
#include <stdlib.h>

#include "own_ring.h"
#include "watcher.h"

struct own {
	struct sl_ring *ring;
	struct contender *contender;
	struct sl_op *op; /* one per descriptor */
	int error;
	unsigned seen;
};

/* Drained in the callback: the poll is level-triggered and would complete again. */
static void reported(struct sl_ring *ring, struct sl_op *op)
{
	struct own *s = op->user;

	(void)ring;
	if (op->res < 0 || !op->more)
		s->error = op->res < 0 ? (int)op->res : -EBADMSG;
	else
		s->error = watcher_drain(s->contender, op->fd);
	s->seen++;
}

static void own_end(struct contender *c)
{
	struct own *s = c->state;

	sl_ring_close(s->ring);
	s->ring = NULL;
}

static int begin_on(struct contender *c, const char *backend)
{
	const struct crowd *crowd = c->env->crowd;
	struct own *s = c->state;
	const struct sl_ring_opts opts = {
		.flags = SL_RING_NO_FALLBACK,
		.depth = crowd->nr,
		.backend = backend,
	};
	unsigned tries = 0;
	int err;

	do {
		err = sl_ring_open(&opts, &s->ring);
	} while (contender_try_again(err, &tries));
	if (err)
		return own_ring_lacks(c, backend, err);
	for (unsigned i = 0; !err && i < crowd->nr; i++) {
		s->op[i] = (struct sl_op){ .done = reported, .user = s };
		sl_op_poll(&s->op[i], crowd->fd[i], POLLIN);
		s->op[i].flags = SL_OP_MULTI;
		err = sl_ring_submit(s->ring, &s->op[i]);
	}
	if (!err)
		err = sl_ring_flush(s->ring);
	s->error = 0;
	if (err)
		own_end(c);
	return err;
}

static void own_shut(struct contender *c)
{
	struct own *s = c->state;

	if (!s)
		return;
	free(s->op);
	free(s);
	c->state = NULL;
}

static int open_on(struct contender *c, const char *backend)
{
	struct own *s = c->state = calloc(1, sizeof(*s));

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->contender = c;
	s->op = calloc(c->env->crowd->nr, sizeof(*s->op));
	if (!s->op)
		return contender_lacks_errno(c, "its ops", -ENOMEM);
	return own_ring_try(c, backend);
}

static int by_ring(struct contender *c, unsigned idx)
{
	struct own *s = c->state;
	unsigned before = s->seen;

	(void)idx;
	while (s->seen == before) {
		int n = sl_ring_run(s->ring, 0);

		if (n < 0)
			return n;
	}
	return s->error;
}

static int own_run(struct contender *c, uint64_t nr)
{
	struct own *s = c->state;
	uint64_t before = own_ring_calls(s->ring);
	int err = watcher_run(c, nr, by_ring);

	c->calls += own_ring_calls(s->ring) - before;
	return err;
}

static int open_uring(struct contender *c)
{
	return open_on(c, "uring");
}

static int open_epoll(struct contender *c)
{
	return open_on(c, "epoll");
}

static int begin_uring(struct contender *c)
{
	return begin_on(c, "uring");
}

static int begin_epoll(struct contender *c)
{
	return begin_on(c, "epoll");
}

const struct mechanism mechanism_own_watch_uring = {
	.name = "sluice:uring",
	.about = "libsluice's ring on io_uring: a poll with SL_OP_MULTI per descriptor",
	.why = "one queue serves files and sockets, with deadlines and a fallback",
	.unless = "you need nothing but readiness: then epoll is less to link",
	.simplicity = 5,
	.kind = WORKLOAD_WATCH,
	.open = open_uring,
	.begin = begin_uring,
	.run = own_run,
	.end = own_end,
	.shut = own_shut,
};

const struct mechanism mechanism_own_watch_epoll = {
	.name = "sluice:epoll",
	.about = "libsluice's ring on epoll: a poll with SL_OP_MULTI per descriptor",
	.why = "the same program runs where io_uring is forbidden",
	.unless = "you need nothing but readiness: then epoll itself is less to link",
	.simplicity = 5,
	.kind = WORKLOAD_WATCH,
	.open = open_epoll,
	.begin = begin_epoll,
	.run = own_run,
	.end = own_end,
	.shut = own_shut,
};
