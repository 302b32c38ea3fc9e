/* own_send.c: a file to a TCP socket by libsluice's ring: a read and a linked send, or a sendfile.
 */
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

static int finished(const struct sl_op *op, size_t len)
{
	if (op->res < 0)
		return (int)op->res;
	return op->done_len == len ? 0 : -ENODATA;
}

/* A send on a stream is one transfer, so what is left of the chunk is sent again. */
static int send_rest(struct contender *c, struct sender *s, unsigned char *buf, size_t len)
{
	while (len) {
		struct sl_op op = { 0 };
		int64_t n;

		sl_op_send(&op, sink_fd(c->sink), buf, len, 0);
		n = sl_ring_do(s->executor, &op);
		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What follows a sendfile that was cut short begins anywhere; tags are in whole sectors. */
static void check_sector(struct contender *c, const unsigned char *buf, uint64_t off, size_t len)
{
	size_t skip = (size_t)(-off % DATAFILE_SECTOR);

	if (skip + DATAFILE_SECTOR <= len)
		contender_check(c, buf + skip, off + skip);
}

static int by_ring(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	unsigned char *buf = sender_buffer(s);
	struct sl_op in = { 0 }, out = { 0 };
	struct sl_op *const chain[] = { &in, &out };
	int err;

	sl_op_read(&in, c->fd, buf, len, off);
	sl_op_send(&out, sink_fd(c->sink), buf, len, 0);
	in.flags |= SL_OP_LINKED;
	err = sl_ring_submitv(s->executor, chain, 2);
	if (err)
		return err;
	for (int missing = 2; missing; missing--) {
		if (!sl_ring_next(s->executor, 0))
			return -EIO;
	}
	err = finished(&in, len);
	if (err || out.res < 0)
		return err ? err : (int)out.res;
	check_sector(c, buf, off, len);
	return send_rest(c, s, buf + out.done_len, len - out.done_len);
}

/* What is cached goes by itself; what is not is read and sent, as the manual has it. */
static int by_sendfile(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	while (len) {
		struct sl_op op = { 0 };
		size_t moved;
		int64_t n;

		sl_op_sendfile(&op, sink_fd(c->sink), c->fd, off, len);
		n = sl_ring_do(s->executor, &op);
		if (n < 0 || (n == 0 && op.aux != SL_SENDFILE_COLD))
			return n < 0 ? (int)n : -ENODATA;
		moved = (size_t)n;
		if (n == 0) {
			int err;

			moved = len < SENDER_CHUNK ? len : SENDER_CHUNK;
			err = by_ring(c, s, off, moved);
			if (err)
				return err;
			s->copied += moved;
		}
		s->sends += moved;
		off += moved;
		len -= moved;
	}
	return 0;
}

static int own_run(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err = sender_run(c, nr, by_ring);

	c->calls += own_ring_calls(s->executor);
	return err;
}

/* Of each byte: none, or two where the file was not cached. */
static int own_run_sendfile(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err;

	s->sends = s->copied = 0;
	err = sender_run(c, nr, by_sendfile);
	/* What a sendfile takes beyond itself (is it cached? SIGPIPE) the ring does not count. */
	c->calls_unknown = true;
	if (s->copied) {
		c->copies = 2 * (double)s->copied / (double)s->sends;
		c->evidence = COPIES_COUNTED;
	}
	return err;
}

static int open_on(struct contender *c, const char *backend)
{
	static const struct sender_opts opts = { .copies = 2, .buffered = true };
	int err = sender_open(c, &opts);

	return err ? err : own_ring_try(c, backend);
}

/* A whole file is one operation: its buffers are for what is not cached. */
static int open_sendfile_on(struct contender *c, const char *backend)
{
	static const struct sender_opts opts = { .buffered = true,
						 .whole = true,
						 .nonblocking = true };
	int err = sender_open(c, &opts);

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

static int open_sendfile_uring(struct contender *c)
{
	return open_sendfile_on(c, "uring");
}

static int open_sendfile_epoll(struct contender *c)
{
	return open_sendfile_on(c, "epoll");
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

const struct mechanism mechanism_own_sendfile_uring = {
	.name = "sluice-sendfile:uring",
	.about = "libsluice's ring on io_uring: a sendfile that never waits for the disk",
	.why = "the bytes never enter the program, and neither a slow receiver nor a cold file "
	       "holds up the thread",
	.unless = "the thread has nothing else to do: sendfile(2) by itself is simpler",
	.simplicity = 4,
	.kind = WORKLOAD_SEND,
	.open = open_sendfile_uring,
	.begin = begin_uring,
	.run = own_run_sendfile,
	.end = own_end,
	.shut = sender_shut,
};

const struct mechanism mechanism_own_sendfile_epoll = {
	.name = "sluice-sendfile:epoll",
	.about = "libsluice's ring on epoll: a sendfile that never waits for the disk",
	.why = "the bytes never enter the program, and neither a slow receiver nor a cold file "
	       "holds up the thread",
	.unless = "the thread has nothing else to do: sendfile(2) by itself is simpler",
	.simplicity = 4,
	.kind = WORKLOAD_SEND,
	.open = open_sendfile_epoll,
	.begin = begin_epoll,
	.run = own_run_sendfile,
	.end = own_end,
	.shut = sender_shut,
};
