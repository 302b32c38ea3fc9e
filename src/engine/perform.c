/* SPDX-License-Identifier: MIT */
/*
 * perform.c - an operation as one blocking system call, for workers and for
 * calls that do not block.
 *
 * Runs on any thread: reads the slot and the op's request, writes only memory
 * that the request names.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "sys/fd.h"
#include "sys/name.h"
#include "sys/rw.h"
#include "sys/sock.h"

static int64_t file_offset(const struct sl_slot *slot)
{
	return slot->off == SL_OFF_CURRENT ? -1 : (int64_t)slot->off;
}

static int64_t perform_rw(const struct sl_slot *slot)
{
	struct iovec one = { slot->buf, slot->len };
	bool vector = slot->flags & SL_OP_VEC;
	const struct iovec *iov = vector ? slot->buf : &one;
	int nr = vector ? (int)slot->len : 1;
	int flags = 0;

	if (slot->flags & SL_OP_DSYNC)
		flags |= SL_RWF_DSYNC;
	if (slot->flags & SL_OP_DONTCACHE)
		flags |= SL_RWF_DONTCACHE;
	if (slot->code == SL_OP_READ)
		return sl_sys_preadv2(slot->fd, iov, nr, file_offset(slot), flags);
	return sl_sys_pwritev2(slot->fd, iov, nr, file_offset(slot), flags);
}

/* O_NONBLOCK keeps a FIFO from waiting for its other end; a lease that is being
 * broken (fcntl(2), F_SETLEASE) is worth waiting for. */
static int64_t perform_open(const struct sl_op *op)
{
	const struct sl_open_how *want = op->arg;
	struct sl_sys_open_how how = { want->flags, want->mode, want->resolve };
	bool plain = want->flags & (O_NONBLOCK | O_PATH);
	int64_t fd;

	if (!plain)
		how.flags |= O_NONBLOCK;
	fd = sl_sys_openat2(op->fd, op->buf, &how);
	if (fd == -EWOULDBLOCK && !plain) {
		how.flags = want->flags;
		return sl_sys_openat2(op->fd, op->buf, &how);
	}
	if (fd >= 0 && !plain)
		sl_sys_set_status((int)fd, (int)want->flags);
	return fd;
}

static int64_t perform_name(const struct sl_op *op)
{
	const struct sl_name_pair *pair = op->buf;

	switch (op->code) {
	case SL_OP_LINK:
		return sl_sys_linkat(op->fd, pair->source, pair->target_dirfd, pair->target,
				     pair->flags);
	case SL_OP_RENAME:
		return sl_sys_renameat2(op->fd, pair->source, pair->target_dirfd, pair->target,
					pair->flags);
	case SL_OP_SYMLINK:
		return sl_sys_symlinkat(op->arg, op->fd, op->buf);
	case SL_OP_UNLINK:
		return sl_sys_unlinkat(op->fd, op->buf, (int)op->off);
	default:
		return sl_sys_mkdirat(op->fd, op->buf, (unsigned)op->off);
	}
}

static int64_t perform_sync_dir(int fd)
{
	int err = sl_sys_fsync(fd);

	return err == -EINVAL || err == -ENOSYS ? -EOPNOTSUPP : err;
}

static int64_t perform_sockopt(const struct sl_op *op)
{
	int level = (int)(op->off >> 32);
	int name = (int)(uint32_t)op->off;
	socklen_t len = (socklen_t)op->len;
	int err;

	if (op->code == SL_OP_SETSOCKOPT)
		return sl_sys_setsockopt(op->fd, level, name, op->buf, len);
	err = sl_sys_getsockopt(op->fd, level, name, op->buf, &len);
	return err ? err : (int64_t)len;
}

static int64_t perform_splice(const struct sl_op *op)
{
	const struct sl_splice_ends *ends = op->buf;
	int64_t source_off = (int64_t)ends->source_off;
	int64_t target_off = (int64_t)ends->target_off;

	if (op->code == SL_OP_TEE)
		return sl_sys_tee(ends->source_fd, op->fd, op->len, ends->flags);
	return sl_sys_splice(ends->source_fd,
			     ends->source_off == SL_OFF_CURRENT ? NULL : &source_off, op->fd,
			     ends->target_off == SL_OFF_CURRENT ? NULL : &target_off, op->len,
			     ends->flags);
}

/* A table: one case per operation. */
int64_t slot_perform(struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	switch (slot->code) {
	case SL_OP_WORK:
		return ((sl_work_fn *)(uintptr_t)op->arg)(op->buf);
	case SL_OP_READ:
	case SL_OP_WRITE:
		return perform_rw(slot);
	case SL_OP_FSYNC:
		return sl_sys_fsync(op->fd);
	case SL_OP_FDATASYNC:
		return sl_sys_fdatasync(op->fd);
	case SL_OP_ALLOCATE:
		return sl_sys_allocate(op->fd, (int)(uintptr_t)op->arg, op->off, op->len);
	case SL_OP_TRUNCATE:
		return sl_sys_truncate(op->fd, op->len);
	case SL_OP_OPEN:
		return perform_open(op);
	case SL_OP_CLOSE:
		return sl_sys_close(op->fd);
	case SL_OP_STAT:
		return sl_sys_statx_raw(op->fd, op->buf, (int)op->off, (unsigned)op->len, op->arg);
	case SL_OP_LINK:
	case SL_OP_RENAME:
	case SL_OP_SYMLINK:
	case SL_OP_UNLINK:
	case SL_OP_MKDIR:
		return perform_name(op);
	case SL_OP_READDIR:
		return sl_sys_getdents(op->fd, op->buf, op->len);
	case SL_OP_GETXATTR:
		return sl_sys_getxattr(op->fd, op->arg, op->buf, op->len);
	case SL_OP_SETXATTR:
		return sl_sys_setxattr(op->fd, op->arg, op->buf, op->len, (int)op->off);
	case SL_OP_LOCK:
		return sl_sys_lock(op->fd, (int)(uintptr_t)op->arg, op->off, op->len);
	case SL_OP_SYNC_DIR:
		return perform_sync_dir(op->fd);
	case SL_OP_SOCKET:
		return sl_sys_socket(op->fd, (int)op->len, (int)op->off);
	case SL_OP_BIND:
		return sl_sys_bind(op->fd, op->buf, (socklen_t)op->len);
	case SL_OP_LISTEN:
		return sl_sys_listen(op->fd, (int)op->len);
	case SL_OP_CONNECT:
		return sl_sys_connect(op->fd, op->buf, (socklen_t)op->len);
	case SL_OP_SHUTDOWN:
		return sl_sys_shutdown(op->fd, (int)op->len);
	case SL_OP_GETSOCKOPT:
	case SL_OP_SETSOCKOPT:
		return perform_sockopt(op);
	case SL_OP_PIPE:
		return sl_sys_pipe2(op->buf, (int)op->off);
	case SL_OP_SPLICE:
	case SL_OP_TEE:
		return perform_splice(op);
	default:
		return -EOPNOTSUPP;
	}
}
