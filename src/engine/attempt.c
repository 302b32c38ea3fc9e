/* SPDX-License-Identifier: MIT */
/*
 * attempt.c - stream operations tried once without blocking, for readiness
 * backends: the system call first, and only on -EAGAIN a wait for readiness.
 *
 * The descriptor may be in blocking mode. Calls with a way to say "do not
 * block" per call use it (MSG_DONTWAIT, RWF_NOWAIT, SPLICE_F_NONBLOCK); for
 * accept, connect and the socket end of a splice the descriptor is made
 * non-blocking around the call. What turns out to be a regular file answers
 * -EPERM: a worker's business.
 */
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include "engine/cached.h"
#include "engine/engine.h"
#include "sys/fd.h"
#include "sys/poll.h"
#include "sys/rw.h"
#include "sys/sigpipe.h"
#include "sys/sock.h"
#include "sys/statx.h"

/* What a transfer is waiting for, in slot->result. */
enum {
	WAIT_TARGET = 0,
	WAIT_SOURCE = 1
};

/* 1: a file or block device, 0: a stream, -EBADF. */
static int is_file(int fd)
{
	struct sl_sys_statx st;
	int err = sl_sys_fstatx(fd, SL_STATX_BASIC, &st);

	return err ? err : S_ISREG(st.mode) || S_ISBLK(st.mode);
}

static bool is_ready(int fd, short events)
{
	struct pollfd one = { .fd = fd, .events = events };

	return sl_sys_poll(&one, 1, 0) > 0;
}

/* The descriptor's flags before, with O_NONBLOCK set meanwhile; or -errno. */
static int nonblock_begin(int fd)
{
	int status = sl_sys_get_status(fd);

	if (status >= 0 && !(status & O_NONBLOCK))
		sl_sys_set_status(fd, status | O_NONBLOCK);
	return status;
}

static void nonblock_end(int fd, int status)
{
	if (status >= 0 && !(status & O_NONBLOCK))
		sl_sys_set_status(fd, status);
}

static bool is_ignored(const struct sl_slot *slot)
{
	return slot->op->ring->opts.flags & SL_RING_SIGPIPE_IGNORED;
}

static void guard_begin(const struct sl_slot *slot, struct sl_sigpipe_guard *guard)
{
	if (!is_ignored(slot))
		sl_sigpipe_begin(guard);
}

/* Bytes that a call asked for and got in full raised no signal. */
static void guard_end(const struct sl_slot *slot, const struct sl_sigpipe_guard *guard, int64_t res,
		      uint64_t asked)
{
	if (is_ignored(slot))
		return;
	if (res >= 0 && (uint64_t)res == asked)
		sl_sigpipe_restore(guard);
	else
		sl_sigpipe_end(guard);
}

static int64_t attempt_read(struct sl_slot *slot)
{
	struct iovec one = { slot->buf, slot->len };
	bool vector = slot->flags & SL_OP_VEC;
	const struct iovec *iov = vector ? slot->buf : &one;
	int nr = vector ? (int)slot->len : 1;
	int64_t res = sl_sys_preadv2(slot->fd, iov, nr, -1, SL_RWF_NOWAIT);

	if (res != -EOPNOTSUPP)
		return res;
	if (is_file(slot->fd) > 0)
		return -EPERM;
	if (!is_ready(slot->fd, POLLIN))
		return -EAGAIN;
	return sl_sys_preadv2(slot->fd, iov, nr, -1, 0);
}

/* A pipe or terminal that knows no NOWAIT: poll(2) promises room for PIPE_BUF. */
static int64_t write_when_ready(const struct sl_slot *slot, const struct iovec *iov)
{
	struct iovec one = *iov;

	if (!is_ready(slot->fd, POLLOUT))
		return -EAGAIN;
	if (one.iov_len > PIPE_BUF)
		one.iov_len = PIPE_BUF;
	return sl_sys_pwritev2(slot->fd, &one, 1, -1, 0);
}

static int64_t attempt_write(struct sl_slot *slot)
{
	struct iovec one = { slot->buf, slot->len };
	bool vector = slot->flags & SL_OP_VEC;
	struct iovec *iov = vector ? slot->buf : &one;
	size_t nr = vector ? slot->len : 1;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = nr };
	struct sl_sigpipe_guard guard;
	int64_t res = sl_sys_sendmsg(slot->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (res != -ENOTSOCK)
		return res;
	if (is_file(slot->fd) > 0)
		return -EPERM;
	guard_begin(slot, &guard);
	res = sl_sys_pwritev2(slot->fd, iov, (int)nr, -1, SL_RWF_NOWAIT);
	if (res == -EOPNOTSUPP)
		res = write_when_ready(slot, iov);
	guard_end(slot, &guard, res, UINT64_MAX);
	return res;
}

static int64_t attempt_message(struct sl_slot *slot)
{
	bool vector = slot->flags & SL_OP_VEC;
	struct msghdr msg = { .msg_iov = slot->buf, .msg_iovlen = slot->len };
	int flags = (int)slot->off | MSG_DONTWAIT;

	switch (slot->code) {
	case SL_OP_RECV:
		if (vector)
			return sl_sys_recvmsg(slot->fd, &msg, flags);
		return sl_sys_recv(slot->fd, slot->buf, slot->len, flags);
	case SL_OP_SEND:
		if (vector)
			return sl_sys_sendmsg(slot->fd, &msg, flags | MSG_NOSIGNAL);
		return sl_sys_send(slot->fd, slot->buf, slot->len, flags | MSG_NOSIGNAL);
	case SL_OP_RECVMSG:
		return sl_sys_recvmsg(slot->fd, slot->buf, flags);
	default:
		return sl_sys_sendmsg(slot->fd, slot->buf, flags | MSG_NOSIGNAL);
	}
}

static int64_t attempt_accept(const struct sl_slot *slot)
{
	int status = nonblock_begin(slot->fd);
	int64_t res;

	if (status < 0)
		return status;
	res = sl_sys_accept4(slot->fd, slot->op->buf, slot->op->arg, (int)slot->op->off);
	nonblock_end(slot->fd, status);
	return res;
}

/* connect(2): asked again after readiness it says EISCONN, or the error. */
static int64_t attempt_connect(struct sl_slot *slot)
{
	int status = nonblock_begin(slot->fd);
	int64_t res;

	if (status < 0)
		return status;
	res = sl_sys_connect(slot->fd, slot->op->buf, (socklen_t)slot->op->len);
	nonblock_end(slot->fd, status);
	if (res == -EISCONN && slot->restarts)
		return 0;
	if (res == -EAGAIN)
		return -EPERM; /* a full unix backlog gives no readiness: a worker waits */
	if (res != -EINPROGRESS && res != -EALREADY)
		return res;
	slot->restarts = 1;
	return -EAGAIN;
}

/* The caller vouches for both ends: nobody looks at them. */
static int64_t splice_at_once(const struct sl_slot *slot, const struct sl_splice_ends *ends)
{
	unsigned flags = ends->flags | SPLICE_F_NONBLOCK;
	struct sl_sigpipe_guard guard;
	int64_t res;

	if (slot->code == SL_OP_TEE)
		return sl_sys_tee(ends->source_fd, slot->op->fd, slot->op->len, flags);
	guard_begin(slot, &guard);
	res = sl_sys_splice(ends->source_fd, NULL, slot->op->fd, NULL, slot->op->len, flags);
	guard_end(slot, &guard, res, slot->op->len);
	return res;
}

static int64_t splice_now(const struct sl_slot *slot, const struct sl_splice_ends *ends)
{
	int source_status, target_status;
	int64_t res;

	if (slot->code == SL_OP_TEE)
		return sl_sys_tee(ends->source_fd, slot->op->fd, slot->op->len,
				  ends->flags | SPLICE_F_NONBLOCK);
	source_status = nonblock_begin(ends->source_fd);
	target_status = nonblock_begin(slot->op->fd);
	res = sl_sys_splice(ends->source_fd, NULL, slot->op->fd, NULL, slot->op->len,
			    ends->flags | SPLICE_F_NONBLOCK);
	nonblock_end(slot->op->fd, target_status);
	nonblock_end(ends->source_fd, source_status);
	return res;
}

static int64_t attempt_splice(struct sl_slot *slot)
{
	const struct sl_splice_ends *ends = slot->op->buf;
	struct sl_sigpipe_guard guard;
	int source, target;
	int64_t res;

	if (slot->flags & SL_OP_NOWAIT)
		return splice_at_once(slot, ends);
	source = is_file(ends->source_fd);
	target = is_file(slot->op->fd);
	if (source < 0 || target < 0)
		return source < 0 ? source : target;
	if (ends->source_off != SL_OFF_CURRENT || ends->target_off != SL_OFF_CURRENT || source ||
	    target)
		return -EPERM;
	slot->result = WAIT_SOURCE;
	if (!is_ready(ends->source_fd, POLLIN))
		return -EAGAIN;
	slot->result = WAIT_TARGET;
	if (!is_ready(slot->op->fd, POLLOUT))
		return -EAGAIN;
	guard_begin(slot, &guard);
	res = splice_now(slot, ends);
	guard_end(slot, &guard, res, UINT64_MAX);
	return res;
}

static int64_t attempt_sendfile(const struct sl_slot *slot)
{
	int file = (int)(intptr_t)slot->op->arg, status = O_NONBLOCK;
	int64_t len = cached_prefix(file, slot->off, slot->len), res;
	struct sl_sigpipe_guard guard;

	if (len <= 0)
		return len;
	if (!(slot->flags & SL_OP_NOWAIT))
		status = nonblock_begin(slot->op->fd);
	if (status < 0)
		return status;
	guard_begin(slot, &guard);
	res = sl_sys_sendfile(slot->op->fd, file, slot->off, (size_t)len);
	guard_end(slot, &guard, res, (uint64_t)len);
	nonblock_end(slot->op->fd, status);
	return res;
}

int64_t sl_attempt(struct sl_slot *slot)
{
	switch (slot->code) {
	case SL_OP_READ:
		return attempt_read(slot);
	case SL_OP_WRITE:
		return attempt_write(slot);
	case SL_OP_RECV:
	case SL_OP_SEND:
	case SL_OP_RECVMSG:
	case SL_OP_SENDMSG:
		return attempt_message(slot);
	case SL_OP_ACCEPT:
		return attempt_accept(slot);
	case SL_OP_CONNECT:
		return attempt_connect(slot);
	case SL_OP_SPLICE:
	case SL_OP_TEE:
		return attempt_splice(slot);
	case SL_OP_SENDFILE:
		return attempt_sendfile(slot);
	default:
		return -EOPNOTSUPP;
	}
}

short sl_attempt_events(const struct sl_slot *slot)
{
	switch (slot->op->code) {
	case SL_OP_RECV:
	case SL_OP_RECVMSG:
		return slot->off & MSG_DONTWAIT ? 0 : POLLIN;
	case SL_OP_SEND:
	case SL_OP_SENDMSG:
		return slot->off & MSG_DONTWAIT ? 0 : POLLOUT;
	case SL_OP_READ:
	case SL_OP_ACCEPT:
		return POLLIN;
	case SL_OP_WRITE:
	case SL_OP_CONNECT:
		return POLLOUT;
	case SL_OP_SPLICE:
	case SL_OP_TEE:
	case SL_OP_SENDFILE:
		if (slot->op->flags & SL_OP_NOWAIT)
			return 0;
		return slot->result == WAIT_SOURCE ? POLLIN : POLLOUT;
	case SL_OP_POLL:
		return (short)slot->op->len;
	default:
		return 0;
	}
}

int sl_attempt_fd(const struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if ((op->code == SL_OP_SPLICE || op->code == SL_OP_TEE) && slot->result == WAIT_SOURCE)
		return ((const struct sl_splice_ends *)op->buf)->source_fd;
	return op->fd;
}
