/* send_uring.c: a cached file to a TCP socket by io_uring: a read and a linked send, copied or not.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "backend/uring/queue.h"

#include "sender.h"

/* @fixed: the buffers are registered. */
struct ring {
	struct uring_queue q;
	bool zero_copy;
	bool fixed;
};

static struct ring *ring_of(const struct contender *c)
{
	return ((struct sender *)c->state)->executor;
}

static int make_ring(struct contender *c)
{
	static const struct uring_queue_opts opts = { .sq_entries = 2 * SENDER_BUFFERS,
						      .cq_entries = 8 * SENDER_BUFFERS,
						      .flags_wanted = URING_QUEUE_WANT };
	struct sender *s = c->state;
	struct uring_queue *q = &ring_of(c)->q;
	struct iovec iov = { s->area, s->area_bytes };
	int err = uring_queue_open(q, &opts, NULL);

	if (err)
		return err;
	s->held = s->next_buffer = 0;
	if (!ring_of(c)->fixed)
		return 0;
	err = uring_queue_buffers_sparse(q, 1);
	if (!err)
		err = uring_queue_buffers_update(q, 0, &iov, NULL, 1);
	if (err < 0)
		uring_queue_close(q);
	return err < 0 ? err : 0;
}

static int ring_begin(struct contender *c)
{
	unsigned tries = 0;
	int err;

	do {
		err = make_ring(c);
	} while (contender_try_again(err, &tries));
	return err ? contender_lacks_uring(c, err) : 0;
}

static void ring_end(struct contender *c)
{
	uring_queue_close(&ring_of(c)->q);
}

static int ring_open(struct contender *c, bool zero_copy, bool fixed)
{
	static const struct sender_opts opts = { .copies = 2, .buffered = true };
	int err = sender_open(c, &opts);
	struct ring *r;

	if (err)
		return err;
	r = calloc(1, sizeof(*r));
	if (!r)
		return contender_lacks_errno(c, "its ring", -ENOMEM);
	r->zero_copy = zero_copy;
	r->fixed = fixed;
	((struct sender *)c->state)->executor = r;
	err = ring_begin(c);
	if (!err)
		ring_end(c);
	return err;
}

static int open_send(struct contender *c)
{
	return ring_open(c, false, false);
}

static int open_send_fixed(struct contender *c)
{
	return ring_open(c, false, true);
}

static int open_send_zc(struct contender *c)
{
	return ring_open(c, true, false);
}

static int open_send_zc_fixed(struct contender *c)
{
	return ring_open(c, true, true);
}

/* Collects one completion, entering the kernel when none is ready. */
static int take(struct contender *c, struct sender *s, struct sl_uring_cqe *ret)
{
	static const struct uring_queue_wait one = { .nr = 1 };
	struct uring_queue *q = &ring_of(c)->q;
	const struct sl_uring_cqe *cqe = uring_queue_peek(q);

	while (!cqe) {
		int n = uring_queue_submit(q, &one);

		c->calls++;
		if (n < 0 && n != -EINTR)
			return n;
		cqe = uring_queue_peek(q);
	}
	*ret = *cqe;
	uring_queue_seen(q, 1);
	if (ret->flags & SL_URING_CQE_F_NOTIF) {
		s->held--;
		s->sends++;
		s->copied += (uint32_t)ret->res & SL_URING_NOTIF_USAGE_ZC_COPIED ? 1 : 0;
	}
	return 0;
}

static int ring_release(struct contender *c, struct sender *s, unsigned keep)
{
	struct sl_uring_cqe cqe;
	int err = 0;

	while (!err && s->held > keep)
		err = take(c, s, &cqe);
	return err;
}

static struct sl_uring_sqe read_request(const struct contender *c, void *buf, uint64_t off,
					size_t len)
{
	return (struct sl_uring_sqe){
		.opcode = ring_of(c)->fixed ? SL_URING_OP_READ_FIXED : SL_URING_OP_READ,
		.flags = SL_URING_SQE_IO_LINK,
		.fd = c->fd,
		.off = off,
		.addr = (uintptr_t)buf,
		.len = (uint32_t)len,
	};
}

/* Only zero-copy sends know registered buffers: a copying one takes them by their address. */
static struct sl_uring_sqe send_request(const struct contender *c, void *buf, size_t len)
{
	const bool zero_copy = ring_of(c)->zero_copy;
	const uint16_t fixed = ring_of(c)->fixed ? SL_URING_RECVSEND_FIXED_BUF : 0;

	return (struct sl_uring_sqe){
		.opcode = zero_copy ? SL_URING_OP_SEND_ZC : SL_URING_OP_SEND,
		.ioprio = zero_copy ? SL_URING_SEND_ZC_REPORT_USAGE | fixed : 0,
		.fd = sink_fd(c->sink),
		.addr = (uintptr_t)buf,
		.len = (uint32_t)len,
		.op_flags = MSG_WAITALL | MSG_NOSIGNAL,
	};
}

/* A read and a linked send: one system call moves a chunk that is cached. */
static int by_ring(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	unsigned char *buf = sender_buffer(s);
	struct sl_uring_sqe in = read_request(c, buf, off, len), out = send_request(c, buf, len);
	struct uring_queue *q = &ring_of(c)->q;
	int missing = 2;
	int err = ring_release(c, s, SENDER_BUFFERS - 1);

	if (err)
		return err;
	uring_queue_push(q, &in);
	uring_queue_push(q, &out);
	while (missing) {
		struct sl_uring_cqe cqe;

		err = take(c, s, &cqe);
		if (err)
			return err;
		if (cqe.flags & SL_URING_CQE_F_NOTIF)
			continue;
		if (cqe.res != (int32_t)len)
			return cqe.res < 0 ? cqe.res : -ENODATA;
		s->held += cqe.flags & SL_URING_CQE_F_MORE ? 1 : 0;
		missing--;
	}
	contender_check(c, buf, off);
	return 0;
}

static int run_ring(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_ring);
}

static int run_ring_zc(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err = sender_run(c, nr, by_ring);

	if (err == -EINVAL)
		return contender_lacks(c, "this kernel lacks SEND_ZC with usage reports (6.2)");
	if (!err)
		err = ring_release(c, s, 0);
	if (!err)
		sender_account(c);
	return err;
}

const struct mechanism mechanism_uring_send = {
	.name = "io_uring send",
	.about = "io_uring: a read and a linked send, one system call",
	.why = "one system call moves a chunk, and the thread is free meanwhile",
	.unless = "the bytes need not be looked at: sendfile saves a copy",
	.simplicity = 7,
	.kind = WORKLOAD_SEND,
	.open = open_send,
	.begin = ring_begin,
	.run = run_ring,
	.end = ring_end,
	.shut = sender_shut,
};

const struct mechanism mechanism_uring_send_fixed = {
	.name = "io_uring send-fixed",
	.about = "io_uring: a read into a registered buffer and a linked send",
	.why = "the kernel looks up the pages of the buffer once, not for each read",
	.unless = "memory that may be locked is scarce, or the bytes need not be looked at",
	.simplicity = 8,
	.kind = WORKLOAD_SEND,
	.open = open_send_fixed,
	.begin = ring_begin,
	.run = run_ring,
	.end = ring_end,
	.shut = sender_shut,
};

const struct mechanism mechanism_uring_send_zc = {
	.name = "io_uring send_zc",
	.about = "io_uring: a read and a linked zero-copy send",
	.why = "the network card takes the bytes from your buffer",
	.unless = "the route is loopback or the sends are small",
	.simplicity = 8,
	.kind = WORKLOAD_SEND,
	.open = open_send_zc,
	.begin = ring_begin,
	.run = run_ring_zc,
	.end = ring_end,
	.shut = sender_shut,
};

const struct mechanism mechanism_uring_send_zc_fixed = {
	.name = "io_uring send_zc-fixed",
	.about = "io_uring: a read and a linked zero-copy send, from registered buffers",
	.why = "the network card takes the bytes from your buffer, whose pages are known",
	.unless = "the route is loopback or the sends are small",
	.simplicity = 9,
	.kind = WORKLOAD_SEND,
	.open = open_send_zc_fixed,
	.begin = ring_begin,
	.run = run_ring_zc,
	.end = ring_end,
	.shut = sender_shut,
};
