/* own_append.c: durable appends by libsluice's ring: one write with SL_OP_DSYNC. */
#include <errno.h>
#include <fcntl.h>

#include "appender.h"
#include "own_ring.h"

static int begin_on(struct contender *c, const char *backend)
{
	struct appender *s = c->state;
	struct sl_ring *ring;
	int err = appender_begin(c);

	if (err)
		return err;
	err = own_ring_open(backend, 1, &ring);
	if (err)
		return own_ring_lacks(c, backend, err);
	s->executor = ring;
	return 0;
}

static void own_end(struct contender *c)
{
	struct appender *s = c->state;

	sl_ring_close(s->executor);
	s->executor = NULL;
	appender_end(c);
}

static int by_ring(struct contender *c, const void *buf, uint64_t off)
{
	struct appender *s = c->state;
	struct sl_op op = { 0 };
	int64_t n;

	sl_op_write(&op, c->fd, buf, c->work->block_bytes, off);
	op.flags |= SL_OP_DSYNC;
	n = sl_ring_do(s->executor, &op);
	return n < 0 ? (int)n : n == (int64_t)c->work->block_bytes ? 0 : -ENOSPC;
}

static int own_run(struct contender *c, uint64_t nr)
{
	struct appender *s = c->state;
	int err = appender_run(c, nr, by_ring);

	c->calls += own_ring_calls(s->executor);
	return err;
}

static int open_on(struct contender *c, const char *backend)
{
	int err = appender_open(c, 0, false);

	return err ? err : own_ring_try(c, backend);
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

const struct mechanism mechanism_own_append_uring = {
	.name = "sluice:uring",
	.about = "libsluice's ring on io_uring: a write with SL_OP_DSYNC",
	.why = "the thread is free while the device works, with deadlines and a fallback",
	.unless = "nothing else is to be done meanwhile",
	.simplicity = 6,
	.kind = WORKLOAD_APPEND,
	.open = open_uring,
	.begin = begin_uring,
	.run = own_run,
	.end = own_end,
	.shut = appender_shut,
};

const struct mechanism mechanism_own_append_epoll = {
	.name = "sluice:epoll",
	.about = "libsluice's ring without io_uring: a worker thread writes",
	.why = "the thread is free while the device works, also where io_uring is forbidden",
	.unless = "nothing else is to be done meanwhile",
	.simplicity = 7,
	.kind = WORKLOAD_APPEND,
	.open = open_epoll,
	.begin = begin_epoll,
	.run = own_run,
	.end = own_end,
	.shut = appender_shut,
};
