/*
 * send.c: a cached file to a TCP socket, one chunk after the other.
 *
 * A block ends when the receiver has everything; the receiver's own CPU is left out. Loopback
 * is not a network card: it copies what zero-copy sends hand it, and says so, and so do we.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/uring/queue.h"

#include "mechanisms.h"
#include "sink.h"

/* Zero-copy sends hold their buffer until the kernel lets go of it: so many are rotated. */
#define ZC_BUFFERS 4

struct sender {
	struct uring_queue q;
	unsigned char *area; /* ZC_BUFFERS chunks */
	size_t area_bytes;
	unsigned char *map;
	int pipe[2];
	bool ring, zero_copy;

	unsigned held; /* zero-copy sends whose buffer the kernel still holds */
	unsigned next_buffer;
	uint64_t sends, copied;
};

/* Moves one chunk at an offset to the socket; 0 or -errno. */
typedef int send_fn(struct contender *c, struct sender *s, uint64_t off);

static inline __attribute__((always_inline)) int each(struct contender *c, uint64_t nr,
						      send_fn *send_chunk)
{
	struct sender *s = c->state;

	for (uint64_t i = 0; i < nr; i++) {
		struct stream_op op = stream_at(c->env->stream, i);
		int err;

		contender_start(c, 0);
		err = send_chunk(c, s, op.off);
		contender_finish(c, 0);
		if (err)
			return err;
	}
	return sink_expect(c->env->sink, nr * c->work->block_bytes);
}

static int send_all(struct contender *c, const unsigned char *p, size_t len, int flags)
{
	while (len) {
		ssize_t n = send(sink_fd(c->env->sink), p, len, flags | MSG_NOSIGNAL);

		c->calls++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_chunk(struct contender *c, unsigned char *buf, uint64_t off)
{
	ssize_t n = pread(c->fd, buf, c->work->block_bytes, (off_t)off);

	c->calls++;
	if (n != (ssize_t)c->work->block_bytes)
		return n < 0 ? -errno : -ENODATA;
	contender_check(c, buf, off);
	return 0;
}

/* -- opening ------------------------------------------------------------------------------- */

static void send_shut(struct contender *c)
{
	struct sender *s = c->state;

	if (!s)
		return;
	if (s->map)
		munmap(s->map, (size_t)c->env->file->size);
	if (s->area)
		munmap(s->area, s->area_bytes);
	if (s->pipe[0] >= 0) {
		close(s->pipe[0]);
		close(s->pipe[1]);
	}
	free(s);
	c->state = NULL;
}

static int send_open(struct contender *c, double copies)
{
	struct sender *s = c->state = calloc(1, sizeof(*s));

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->pipe[0] = s->pipe[1] = -1;
	s->q.fd = -1;
	c->copies = copies;
	c->fd = datafile_reopen(c->env->file, O_RDONLY);
	if (c->fd < 0)
		return contender_lacks_errno(c, "open", c->fd);
	s->area_bytes = (size_t)ZC_BUFFERS * c->work->block_bytes;
	s->area = mmap(NULL, s->area_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (s->area == MAP_FAILED) {
		s->area = NULL;
		return contender_lacks_errno(c, "its buffers", -errno);
	}
	return 0;
}

/* -- read and write, mmap and write -------------------------------------------------------- */

static int open_read_write(struct contender *c)
{
	return send_open(c, 2);
}

static int by_read_write(struct contender *c, struct sender *s, uint64_t off)
{
	int err = read_chunk(c, s->area, off);

	return err ? err : send_all(c, s->area, c->work->block_bytes, 0);
}

static int run_read_write(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_read_write);
}

static int open_mmap(struct contender *c)
{
	int err = send_open(c, 1);
	struct sender *s = c->state;

	if (err)
		return err;
	s->map = mmap(NULL, (size_t)c->env->file->size, PROT_READ, MAP_SHARED, c->fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return contender_lacks_errno(c, "mmap(2) of this file", -errno);
	}
	return 0;
}

static int by_mmap_write(struct contender *c, struct sender *s, uint64_t off)
{
	return send_all(c, s->map + off, c->work->block_bytes, 0);
}

static int run_mmap_write(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_mmap_write);
}

/* -- sendfile and splice ------------------------------------------------------------------- */

static int open_sendfile(struct contender *c)
{
	return send_open(c, 0);
}

static int by_sendfile(struct contender *c, struct sender *s, uint64_t off)
{
	size_t left = c->work->block_bytes;
	off_t at = (off_t)off;

	(void)s;
	while (left) {
		ssize_t n = sendfile(sink_fd(c->env->sink), c->fd, &at, left);

		c->calls++;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		left -= (size_t)n;
	}
	return 0;
}

static int run_sendfile(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_sendfile);
}

static int open_splice(struct contender *c)
{
	int err = send_open(c, 0);
	struct sender *s = c->state;

	if (err)
		return err;
	if (pipe2(s->pipe, O_CLOEXEC) < 0)
		return contender_lacks_errno(c, "pipe(2)", -errno);
	/* A pipe too small for a chunk only means more calls. */
	fcntl(s->pipe[1], F_SETPIPE_SZ, (int)c->work->block_bytes);
	return 0;
}

static int drain_pipe(struct contender *c, struct sender *s, size_t len, unsigned flags)
{
	while (len) {
		ssize_t n = splice(s->pipe[0], NULL, sink_fd(c->env->sink), NULL, len, flags);

		c->calls++;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		len -= (size_t)n;
	}
	return 0;
}

static int by_splice(struct contender *c, struct sender *s, uint64_t off)
{
	size_t left = c->work->block_bytes;
	loff_t at = (loff_t)off;

	while (left) {
		ssize_t n = splice(c->fd, &at, s->pipe[1], NULL, left, SPLICE_F_MOVE);
		int err;

		c->calls++;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		left -= (size_t)n;
		err = drain_pipe(c, s, (size_t)n, left ? SPLICE_F_MORE : 0);
		if (err)
			return err;
	}
	return 0;
}

static int run_splice(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_splice);
}

/* -- MSG_ZEROCOPY -------------------------------------------------------------------------- */

static int open_msg_zerocopy(struct contender *c)
{
	int one = 1, err = send_open(c, 1);

	if (err)
		return err;
	if (setsockopt(sink_fd(c->env->sink), SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0)
		return contender_lacks_errno(c, "SO_ZEROCOPY", -errno);
	return 0;
}

/* One message of the error queue can release a range of sends. */
static int take_notification(struct contender *c, struct sender *s)
{
	union {
		char bytes[256];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_control = control.bytes, .msg_controllen = sizeof(control) };
	const struct sock_extended_err *e;
	struct cmsghdr *cm;
	uint32_t nr;

	c->calls++;
	if (recvmsg(sink_fd(c->env->sink), &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -errno;
	cm = CMSG_FIRSTHDR(&msg);
	if (!cm)
		return -EBADMSG;
	e = (const struct sock_extended_err *)CMSG_DATA(cm);
	if (e->ee_origin != SO_EE_ORIGIN_ZEROCOPY)
		return -EBADMSG;
	nr = e->ee_data - e->ee_info + 1;
	s->held -= nr < s->held ? nr : s->held;
	s->sends += nr;
	s->copied += e->ee_code & SO_EE_CODE_ZEROCOPY_COPIED ? nr : 0;
	return 0;
}

static int release_messages(struct contender *c, struct sender *s, unsigned keep)
{
	while (s->held > keep) {
		struct pollfd p = { .fd = sink_fd(c->env->sink) };
		int err = take_notification(c, s);

		if (err && err != -EAGAIN)
			return err;
		if (err) {
			c->calls++;
			poll(&p, 1, 1000);
		}
	}
	return 0;
}

static int by_msg_zerocopy(struct contender *c, struct sender *s, uint64_t off)
{
	unsigned char *buf = s->area + (size_t)s->next_buffer * c->work->block_bytes;
	size_t left = c->work->block_bytes;
	int err = release_messages(c, s, ZC_BUFFERS - 1);

	if (!err)
		err = read_chunk(c, buf, off);
	while (!err && left) {
		ssize_t n = send(sink_fd(c->env->sink), buf + (c->work->block_bytes - left), left,
				 MSG_ZEROCOPY | MSG_NOSIGNAL);

		c->calls++;
		if (n < 0)
			return -errno;
		left -= (size_t)n;
		s->held++;
	}
	s->next_buffer = (s->next_buffer + 1) % ZC_BUFFERS;
	return err;
}

/* What the kernel reports decides what the copies column says. */
static void account_copies(struct contender *c, const struct sender *s)
{
	double share = s->sends ? (double)s->copied / (double)s->sends : 0;

	c->copies = 1 + share;
	snprintf(c->settings, sizeof(c->settings),
		 "%.0f %% of the zero-copy sends were copied all the same%s", share * 100,
		 share > 0.5 ? " (loopback always copies; a network card may not)" : "");
}

static int run_msg_zerocopy(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err = each(c, nr, by_msg_zerocopy);

	if (!err)
		err = release_messages(c, s, 0);
	account_copies(c, s);
	return err;
}

/* -- io_uring ------------------------------------------------------------------------------ */

static int ring_begin(struct contender *c)
{
	static const struct uring_queue_opts opts = { .sq_entries = 2 * ZC_BUFFERS,
						      .cq_entries = 8 * ZC_BUFFERS,
						      .flags_wanted = URING_QUEUE_WANT };
	struct sender *s = c->state;
	struct iovec iov = { s->area, s->area_bytes };
	int err = uring_queue_open(&s->q, &opts, NULL);

	if (err)
		return err;
	s->held = s->next_buffer = 0;
	err = uring_queue_buffers_sparse(&s->q, 1);
	if (!err)
		err = uring_queue_buffers_update(&s->q, 0, &iov, NULL, 1);
	if (err < 0)
		uring_queue_close(&s->q);
	return err < 0 ? err : 0;
}

static void ring_end(struct contender *c)
{
	struct sender *s = c->state;

	uring_queue_close(&s->q);
}

static int ring_open(struct contender *c)
{
	struct sender *s;
	int err = send_open(c, 2);

	if (err)
		return err;
	err = ring_begin(c);
	if (err)
		return contender_lacks_uring(c, err);
	s = c->state;
	s->ring = true;
	ring_end(c);
	return 0;
}

enum {
	TAG_READ = 1,
	TAG_SEND = 2
};

/* Collects one completion, entering the kernel when none is ready. */
static int take(struct contender *c, struct sender *s, struct sl_uring_cqe *ret)
{
	static const struct uring_queue_wait one = { .nr = 1 };
	const struct sl_uring_cqe *cqe = uring_queue_peek(&s->q);

	while (!cqe) {
		int n = uring_queue_submit(&s->q, &one);

		c->calls++;
		if (n < 0 && n != -EINTR)
			return n;
		cqe = uring_queue_peek(&s->q);
	}
	*ret = *cqe;
	uring_queue_seen(&s->q, 1);
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

/* A read and a linked send: one system call moves a chunk that is cached. */
static int by_ring(struct contender *c, struct sender *s, uint64_t off)
{
	uint32_t len = c->work->block_bytes, missing = 2;
	unsigned char *buf = s->area + (size_t)s->next_buffer * len;
	struct sl_uring_sqe in = { .opcode = SL_URING_OP_READ_FIXED,
				   .flags = SL_URING_SQE_IO_LINK,
				   .fd = c->fd,
				   .off = off,
				   .addr = (uintptr_t)buf,
				   .len = len,
				   .user_data = TAG_READ };
	struct sl_uring_sqe out = { .opcode = s->zero_copy ? SL_URING_OP_SEND_ZC : SL_URING_OP_SEND,
				    .ioprio = s->zero_copy ? SL_URING_SEND_ZC_REPORT_USAGE |
								     SL_URING_RECVSEND_FIXED_BUF :
							     0,
				    .fd = sink_fd(c->env->sink),
				    .addr = (uintptr_t)buf,
				    .len = len,
				    .op_flags = MSG_WAITALL | MSG_NOSIGNAL,
				    .user_data = TAG_SEND };
	int err = ring_release(c, s, ZC_BUFFERS - 1);

	if (err)
		return err;
	uring_queue_push(&s->q, &in);
	uring_queue_push(&s->q, &out);
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
	s->next_buffer = (s->next_buffer + 1) % ZC_BUFFERS;
	return 0;
}

static int run_ring(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_ring);
}

static int open_ring_zc(struct contender *c)
{
	int err = ring_open(c);

	if (!err)
		((struct sender *)c->state)->zero_copy = true;
	return err;
}

static int run_ring_zc(struct contender *c, uint64_t nr)
{
	struct sender *s = c->state;
	int err = each(c, nr, by_ring);

	if (err == -EINVAL)
		return contender_lacks(c, "this kernel lacks SEND_ZC with usage reports (6.2)");
	if (!err)
		err = ring_release(c, s, 0);
	account_copies(c, s);
	return err;
}

/* -- the table ----------------------------------------------------------------------------- */

const struct mechanism mechanism_read_write = {
	.name = "read+write",
	.about = "pread(2) into a buffer, send(2) from it",
	.why = "the bytes pass through your hands, and it works for every file and socket",
	.unless = "the bytes need not be looked at: sendfile saves a copy",
	.simplicity = 2,
	.kind = WORKLOAD_SEND,
	.open = open_read_write,
	.run = run_read_write,
	.shut = send_shut,
};

const struct mechanism mechanism_mmap_write = {
	.name = "mmap+write",
	.about = "send(2) straight from a mapping of the file",
	.why = "it saves the copy into a buffer",
	.unless = "the file may shrink meanwhile (SIGBUS)",
	.simplicity = 4,
	.kind = WORKLOAD_SEND,
	.open = open_mmap,
	.run = run_mmap_write,
	.shut = send_shut,
};

const struct mechanism mechanism_sendfile = {
	.name = "sendfile",
	.about = "sendfile(2)",
	.why = "the bytes never enter the program: pages of the cache go to the socket",
	.unless = "the file is not cached (it waits for the disk), or the bytes must be changed",
	.simplicity = 1,
	.kind = WORKLOAD_SEND,
	.open = open_sendfile,
	.run = run_sendfile,
	.shut = send_shut,
};

const struct mechanism mechanism_splice = {
	.name = "splice",
	.about = "splice(2) through a pipe",
	.why = "the bytes never enter the program, and other sources than files work too",
	.unless = "the source is a file: sendfile does the same in one call",
	.simplicity = 3,
	.kind = WORKLOAD_SEND,
	.open = open_splice,
	.run = run_splice,
	.shut = send_shut,
};

const struct mechanism mechanism_msg_zerocopy = {
	.name = "MSG_ZEROCOPY",
	.about = "pread(2), then send(2) with MSG_ZEROCOPY and its notifications",
	.why = "the network card takes the bytes from your buffer",
	.unless = "the route is loopback or the sends are small",
	.simplicity = 6,
	.kind = WORKLOAD_SEND,
	.open = open_msg_zerocopy,
	.run = run_msg_zerocopy,
	.shut = send_shut,
};

const struct mechanism mechanism_uring_send = {
	.name = "io_uring send",
	.about = "io_uring: a read and a linked send, one system call",
	.why = "one system call moves a chunk, and the thread is free meanwhile",
	.unless = "the bytes need not be looked at: sendfile saves a copy",
	.simplicity = 7,
	.kind = WORKLOAD_SEND,
	.open = ring_open,
	.begin = ring_begin,
	.run = run_ring,
	.end = ring_end,
	.shut = send_shut,
};

const struct mechanism mechanism_uring_send_zc = {
	.name = "io_uring send_zc",
	.about = "io_uring: a read and a linked zero-copy send from registered buffers",
	.why = "the network card takes the bytes from your buffer",
	.unless = "the route is loopback or the sends are small",
	.simplicity = 8,
	.kind = WORKLOAD_SEND,
	.open = open_ring_zc,
	.begin = ring_begin,
	.run = run_ring_zc,
	.end = ring_end,
	.shut = send_shut,
};
