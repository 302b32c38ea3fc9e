/* own_send.c: a cached file to a TCP socket by libsluice's ring: a read and a linked send. */
#include <errno.h>
#include <sys/socket.h>

#include "own_ring.h"
#include "sender.h"

static int begin_on(struct contender *c, const char *backend)
{
	struct sender *s = c->state;
	struct sl_ring *ring;
	int err = own_ring_open(backend, 2, &ring);

	if (err)
		return own_ring_lacks(c, backend, err);
	s->executor = ring;
	return 0;
}

static void own_end(struct contender *c)
{
	struct sender *s = c->state;

	sl_ring_close(s->executor);
	s->executor = NULL;
}

static int finished(const struct contender *c, const struct sl_op *op)
{
	if (op->res < 0)
		return (int)op->res;
	return op->done_len == c->work->block_bytes ? 0 : -ENODATA;
}

/* A send on a stream is one transfer, so what is left of the chunk is sent again. */
static int send_rest(struct contender *c, struct sender *s, unsigned char *buf, uint64_t done)
{
	while (done < c->work->block_bytes) {
		struct sl_op op = { 0 };
		int64_t n;

		sl_op_send(&op, sink_fd(c->env->sink), buf + done, c->work->block_bytes - done, 0);
		n = sl_ring_do(s->executor, &op);
		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		done += (uint64_t)n;
	}
	return 0;
}

static int by_ring(struct contender *c, struct sender *s, uint64_t off)
{
	unsigned char *buf = sender_buffer(c, s);
	struct sl_op in = { 0 }, out = { 0 };
	struct sl_op *const chain[] = { &in, &out };
	int err;

	sl_op_read(&in, c->fd, buf, c->work->block_bytes, off);
	sl_op_send(&out, sink_fd(c->env->sink), buf, c->work->block_bytes, 0);
	in.flags |= SL_OP_LINKED;
	err = sl_ring_submitv(s->executor, chain, 2);
	if (err)
		return err;
	for (int missing = 2; missing; missing--) {
		if (!sl_ring_next(s->executor, 0))
			return -EIO;
	}
	err = finished(c, &in);
	if (err || out.res < 0)
		return err ? err : (int)out.res;
	contender_check(c, buf, off);
	return send_rest(c, s, buf, out.done_len);
}

static int own_run(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err = sender_run(c, nr, by_ring);

	c->calls += own_ring_calls(s->executor);
	return err;
}

static int open_on(struct contender *c, const char *backend)
{
	int err = sender_open(c, 2);

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

const struct mechanism mechanism_own_send_uring = {
	.name = "sluice:uring",
	.about = "libsluice's ring on io_uring: a read and a linked send",
	.why = "the thread is free while the receiver is slow, with deadlines and a fallback",
	.unless = "the bytes need not be looked at: sendfile saves a copy",
	.simplicity = 5,
	.kind = WORKLOAD_SEND,
	.open = open_uring,
	.begin = begin_uring,
	.run = own_run,
	.end = own_end,
	.shut = sender_shut,
};

const struct mechanism mechanism_own_send_epoll = {
	.name = "sluice:epoll",
	.about = "libsluice's ring on epoll: a read and a linked send",
	.why = "the thread is free while the receiver is slow, also where io_uring is forbidden",
	.unless = "the bytes need not be looked at: sendfile saves a copy",
	.simplicity = 5,
	.kind = WORKLOAD_SEND,
	.open = open_epoll,
	.begin = begin_epoll,
	.run = own_run,
	.end = own_end,
	.shut = sender_shut,
};
