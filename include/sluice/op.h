/* SPDX-License-Identifier: MIT */
/* op.h - one operation: what to do, with which bytes, until when, and what came of it. */
#ifndef SLUICE_OP_H
#define SLUICE_OP_H

#include <sluice/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

SL_BEGIN_DECLS

struct sl_op;
struct sl_ring;
struct sl_buf_pool;
struct statx;

/**
 * typedef sl_op_fn - told that an op has completed
 * @ring: the ring that ran it
 * @op: the op; its result fields are valid during the call
 *
 * Runs inside sl_ring_run() on the thread that owns the ring, at top level and
 * never inside a submit. With op->more == 0 the op is idle again and may be
 * submitted anew from the callback.
 */
typedef void sl_op_fn(struct sl_ring *ring, struct sl_op *op);

/**
 * typedef sl_work_fn - a blocking piece of work for a worker thread
 * @ctx: the op's buf
 *
 * Return: >= 0 or -errno; it becomes the op's res.
 */
typedef int64_t sl_work_fn(void *ctx);

/*
 * What to do. The fields that an operation uses are listed with its helper
 * below; the others must be 0. Groups (see caps.h) are named in brackets.
 */
enum sl_op_code {
	SL_OP_NOP = 0,	  /* [core] completes with 0 */
	SL_OP_TIMER,	  /* [core] completes with 0 at deadline_ns */
	SL_OP_POLL,	  /* [core] wait for readiness: poll(2) events */
	SL_OP_WORK,	  /* [core] run a function on a worker thread */
	SL_OP_POST,	  /* [core] hand an op to another ring */
	SL_OP_READ,	  /* [block] pread(2), read(2) */
	SL_OP_WRITE,	  /* [block] pwrite(2), write(2) */
	SL_OP_FSYNC,	  /* [block] fsync(2) */
	SL_OP_FDATASYNC,  /* [block] fdatasync(2) */
	SL_OP_ALLOCATE,	  /* [file] fallocate(2) */
	SL_OP_TRUNCATE,	  /* [file] ftruncate(2) */
	SL_OP_OPEN,	  /* [name] openat2(2) */
	SL_OP_CLOSE,	  /* [name] cancel what uses the descriptor, then close(2) */
	SL_OP_STAT,	  /* [name] statx(2) */
	SL_OP_LINK,	  /* [name] linkat(2) */
	SL_OP_SYMLINK,	  /* [name] symlinkat(2) */
	SL_OP_RENAME,	  /* [name] renameat2(2) */
	SL_OP_UNLINK,	  /* [name] unlinkat(2) */
	SL_OP_MKDIR,	  /* [name] mkdirat(2) */
	SL_OP_READDIR,	  /* [name] getdents64(2) */
	SL_OP_GETXATTR,	  /* [name] fgetxattr(2) */
	SL_OP_SETXATTR,	  /* [name] fsetxattr(2) */
	SL_OP_LOCK,	  /* [name] open-file-description lock, fcntl(2) */
	SL_OP_SYNC_DIR,	  /* [name] make the names in a directory durable */
	SL_OP_SOCKET,	  /* [net] socket(2) */
	SL_OP_BIND,	  /* [net] bind(2) */
	SL_OP_LISTEN,	  /* [net] listen(2) */
	SL_OP_ACCEPT,	  /* [net] accept4(2) */
	SL_OP_CONNECT,	  /* [net] connect(2) */
	SL_OP_RECV,	  /* [net] recv(2) */
	SL_OP_SEND,	  /* [net] send(2) */
	SL_OP_RECVMSG,	  /* [net] recvmsg(2) */
	SL_OP_SENDMSG,	  /* [net] sendmsg(2) */
	SL_OP_SHUTDOWN,	  /* [net] shutdown(2) */
	SL_OP_GETSOCKOPT, /* [net] getsockopt(2) */
	SL_OP_SETSOCKOPT, /* [net] setsockopt(2) */
	SL_OP_PIPE,	  /* [process] pipe2(2) */
	SL_OP_SPLICE,	  /* [process] splice(2) */
	SL_OP_TEE,	  /* [process] tee(2) */
	SL_OP_SENDFILE,	  /* [net] sendfile(2), of what is in the page cache */
	SL_OP_CODES	  /* how many there are; not an operation */
};

/* How to do it. A flag that an operation does not know is -EINVAL. */
enum sl_op_flag {
	/* ACCEPT, RECV, POLL, TIMER: go on completing with more == 1. Needs a callback. */
	SL_OP_MULTI = 1 << 0,
	/* READ, RECV: take a buffer from the pool in arg when data is there. */
	SL_OP_POOLED = 1 << 1,
	/* SEND, SENDMSG: may skip the copy. more == 1 when sent, more == 0 when
	 * reusable; without a callback only the latter is told. */
	SL_OP_ZC = 1 << 2,
	/* READ, WRITE, SEND, RECV: buf is struct iovec[len]. */
	SL_OP_VEC = 1 << 3,
	/* WRITE: durable before it completes (RWF_DSYNC). Made by a worker thread where
	 * the file system is not known to keep that for an asynchronous write. A file
	 * opened with O_DSYNC has no such care taken: set the flag as well. */
	SL_OP_DSYNC = 1 << 4,
	/* If there is no room, wait in FIFO order instead of -EAGAIN. */
	SL_OP_PARK = 1 << 5,
	/* In sl_ring_submitv(): the next op starts only if this one fully succeeds. */
	SL_OP_LINKED = 1 << 6,
	/* READ, WRITE: stop after the first transfer instead of running to the end. */
	SL_OP_PARTIAL = 1 << 7,
	/* READ, WRITE on a buffered file: do not leave the data in the page cache
	 * (RWF_DONTCACHE); -EOPNOTSUPP where the file system cannot. */
	SL_OP_DONTCACHE = 1 << 8,
	/* SPLICE, TEE, SENDFILE: the ends (of SENDFILE: fd) are streams in O_NONBLOCK
	 * mode for certain, so nobody looks at them first; -EAGAIN is an answer. */
	SL_OP_NOWAIT = 1 << 9,
};

/* off: the descriptor's own position; the only one a stream has. */
#define SL_OFF_CURRENT (~(uint64_t)0)

/**
 * struct sl_op - an operation, in the caller's memory
 * @code: enum sl_op_code
 * @sched_class: scheduling class 0..SL_RING_CLASSES-1, see sl_ring_class()
 * @flags: enum sl_op_flag
 * @fd: descriptor, directory descriptor or backend handle
 * @buf: data, path, socket address, iovec array or work argument
 * @len: bytes at @buf, or as the helper says
 * @off: byte offset, or as the helper says
 * @arg: second path, pool, address length, work function, as the helper says
 * @deadline_ns: absolute, on the ring's clock (CLOCK_MONOTONIC on a kernel
 *	backend); 0 means none. When it passes the op ends with -ETIMEDOUT.
 * @done: called at each completion; NULL: collect the op with sl_ring_next()
 * @user: the caller's own
 * @res: >= 0 the answer, < 0 -errno
 * @done_len: bytes transferred; valid with errors, timeouts and cancels too;
 *	of a MULTI op those of this completion
 * @aux: POLL: the events seen; SEND with SL_OP_ZC: 1 if the kernel copied;
 *	SENDFILE: SL_SENDFILE_COLD or 0
 * @buf_id: SL_OP_POOLED: which buffer of the pool @buf points into
 * @more: 1: this is not the last completion of this op
 *
 * The request fields are the caller's to fill while the op is idle. Zero an op
 * once before its first use: a zeroed struct is an idle NOP. Everything after
 * @more is private. While the op is in flight res reads -EINPROGRESS until its
 * first completion.
 */
struct sl_op {
	uint8_t code;
	uint8_t sched_class;
	uint16_t flags;
	int32_t fd;
	void *buf;
	uint64_t len;
	uint64_t off;
	void *arg;
	int64_t deadline_ns;
	sl_op_fn *done;
	void *user;

	int64_t res;
	uint64_t done_len;
	uint32_t aux;
	uint16_t buf_id;
	uint8_t more;

	/* private: */
	uint8_t state;
	struct sl_ring *ring;
	struct sl_op *next;
	struct sl_op *prev;
	struct sl_op *chain;
	int64_t submit_ns;
	uint32_t slot;
	uint32_t heap_idx;
	uint64_t reserved;
};

/* The struct that embeds an op, from the op. */
#define sl_op_of(op, type, member) ((type *)(void *)((char *)(op)-offsetof(type, member)))

/* Whether the op belongs to the library: submitted, parked, posted, or finished
 * and not yet returned by sl_ring_next(). */
static inline int sl_op_busy(const struct sl_op *op)
{
	return op->state != 0;
}

/*
 * Helpers: each fills the request of an idle op, keeps done, user and
 * sched_class for re-use, clears the rest, and returns the op. They submit
 * nothing. What they point at must stay valid until the last completion.
 */
static inline struct sl_op *sl_op_prep(struct sl_op *op, enum sl_op_code code, int fd,
				       const void *buf, uint64_t len, uint64_t off)
{
	op->code = (uint8_t)code;
	op->flags = 0;
	op->fd = fd;
	op->buf = (void *)(uintptr_t)buf;
	op->len = len;
	op->off = off;
	op->arg = NULL;
	op->deadline_ns = 0;
	op->res = 0;
	op->done_len = 0;
	op->aux = 0;
	op->buf_id = 0;
	op->more = 0;
	return op;
}

/* Completes with 0. */
static inline struct sl_op *sl_op_nop(struct sl_op *op)
{
	return sl_op_prep(op, SL_OP_NOP, -1, NULL, 0, 0);
}

/* Completes with 0 at when_ns (absolute). With SL_OP_MULTI again every
 * period_ns (> 0) after it; aux counts the periods that passed unseen. */
static inline struct sl_op *sl_op_timer(struct sl_op *op, int64_t when_ns, uint64_t period_ns)
{
	sl_op_prep(op, SL_OP_TIMER, -1, NULL, period_ns, 0);
	op->deadline_ns = when_ns;
	return op;
}

/* Waits until one of the poll(2) events holds (POLLERR and POLLHUP always
 * count); res = aux = the events seen. Level-triggered: SL_OP_MULTI completes
 * again on every turn while the condition holds. */
static inline struct sl_op *sl_op_poll(struct sl_op *op, int fd, uint32_t events)
{
	return sl_op_prep(op, SL_OP_POLL, fd, NULL, events, 0);
}

/* Runs fn(ctx) on a worker thread; res is what it returned. It cannot be
 * interrupted: cancel and deadline take it off the queue or wait for its end. */
static inline struct sl_op *sl_op_work(struct sl_op *op, sl_work_fn *fn, void *ctx)
{
	sl_op_prep(op, SL_OP_WORK, -1, ctx, 0, 0);
	op->arg = (void *)(uintptr_t)fn;
	return op;
}

/* Hands message, an idle op with a callback, to another ring as
 * sl_ring_post() does; res is that call's answer. For use in chains. */
static inline struct sl_op *sl_op_post(struct sl_op *op, struct sl_ring *target,
				       struct sl_op *message)
{
	sl_op_prep(op, SL_OP_POST, -1, message, 0, 0);
	op->arg = target;
	return op;
}

/* res = done_len = bytes read; less than len means end of file (or one
 * transfer, on a stream, where an explicit offset means nothing). */
static inline struct sl_op *sl_op_read(struct sl_op *op, int fd, void *buf, size_t len,
				       uint64_t off)
{
	return sl_op_prep(op, SL_OP_READ, fd, buf, len, off);
}

/* res = done_len = bytes written: len on a file, one transfer on a stream. */
static inline struct sl_op *sl_op_write(struct sl_op *op, int fd, const void *buf, size_t len,
					uint64_t off)
{
	return sl_op_prep(op, SL_OP_WRITE, fd, buf, len, off);
}

/* Scatter and gather: SL_OP_VEC is set, nr <= IOV_MAX (1024). */
static inline struct sl_op *sl_op_readv(struct sl_op *op, int fd, const struct iovec *iov,
					unsigned nr, uint64_t off)
{
	sl_op_prep(op, SL_OP_READ, fd, iov, nr, off);
	op->flags = SL_OP_VEC;
	return op;
}

static inline struct sl_op *sl_op_writev(struct sl_op *op, int fd, const struct iovec *iov,
					 unsigned nr, uint64_t off)
{
	sl_op_prep(op, SL_OP_WRITE, fd, iov, nr, off);
	op->flags = SL_OP_VEC;
	return op;
}

/* Covers the writes that completed before this op was submitted, no others. */
static inline struct sl_op *sl_op_fsync(struct sl_op *op, int fd)
{
	return sl_op_prep(op, SL_OP_FSYNC, fd, NULL, 0, 0);
}

static inline struct sl_op *sl_op_fdatasync(struct sl_op *op, int fd)
{
	return sl_op_prep(op, SL_OP_FDATASYNC, fd, NULL, 0, 0);
}

/* mode as in fallocate(2). Blocks that it adds are unwritten, see file.h. */
static inline struct sl_op *sl_op_allocate(struct sl_op *op, int fd, int mode, uint64_t off,
					   uint64_t len)
{
	sl_op_prep(op, SL_OP_ALLOCATE, fd, NULL, len, off);
	op->arg = (void *)(uintptr_t)(unsigned)mode;
	return op;
}

static inline struct sl_op *sl_op_truncate(struct sl_op *op, int fd, uint64_t size)
{
	return sl_op_prep(op, SL_OP_TRUNCATE, fd, NULL, size, 0);
}

/* What sl_op_open() asks for beyond a path: struct open_how of openat2(2). */
struct sl_open_how {
	uint64_t flags;	  /* O_RDONLY, O_CREAT, O_CLOEXEC ... */
	uint64_t mode;	  /* permissions of a created file, else 0 */
	uint64_t resolve; /* RESOLVE_BENEATH ... */
};

/* res = the new descriptor. Never waits for the other end of a FIFO: opens it
 * as with O_NONBLOCK (a reader at once; a writer without a reader is -ENXIO)
 * and returns it in the mode that was asked for. */
static inline struct sl_op *sl_op_open(struct sl_op *op, int dirfd, const char *path,
				       const struct sl_open_how *how)
{
	sl_op_prep(op, SL_OP_OPEN, dirfd, path, 0, 0);
	op->arg = (void *)(uintptr_t)how;
	return op;
}

/* Cancels every op of this ring on fd, waits for their end, then closes it.
 * The descriptor is gone even if res is an error, but for -ECANCELED and
 * -ETIMEDOUT: then the close had not begun, and it is still open. */
static inline struct sl_op *sl_op_close(struct sl_op *op, int fd)
{
	return sl_op_prep(op, SL_OP_CLOSE, fd, NULL, 0, 0);
}

/* statx(2) of path ("" with AT_EMPTY_PATH: of dirfd itself). */
static inline struct sl_op *sl_op_stat(struct sl_op *op, int dirfd, const char *path, int flags,
				       unsigned mask, struct statx *ret)
{
	sl_op_prep(op, SL_OP_STAT, dirfd, path, mask, (unsigned)flags);
	op->arg = ret;
	return op;
}

/* Both paths, the second one's directory descriptor, and the flags of the call. */
struct sl_name_pair {
	const char *source;
	const char *target;
	int target_dirfd;
	unsigned flags;
};

static inline struct sl_op *sl_op_link(struct sl_op *op, int dirfd, const struct sl_name_pair *pair)
{
	return sl_op_prep(op, SL_OP_LINK, dirfd, pair, 0, 0);
}

static inline struct sl_op *sl_op_rename(struct sl_op *op, int dirfd,
					 const struct sl_name_pair *pair)
{
	return sl_op_prep(op, SL_OP_RENAME, dirfd, pair, 0, 0);
}

/* Makes path in dirfd a symbolic link to target. */
static inline struct sl_op *sl_op_symlink(struct sl_op *op, const char *target, int dirfd,
					  const char *path)
{
	sl_op_prep(op, SL_OP_SYMLINK, dirfd, path, 0, 0);
	op->arg = (void *)(uintptr_t)target;
	return op;
}

static inline struct sl_op *sl_op_unlink(struct sl_op *op, int dirfd, const char *path, int flags)
{
	return sl_op_prep(op, SL_OP_UNLINK, dirfd, path, 0, (unsigned)flags);
}

static inline struct sl_op *sl_op_mkdir(struct sl_op *op, int dirfd, const char *path,
					unsigned mode)
{
	return sl_op_prep(op, SL_OP_MKDIR, dirfd, path, 0, mode);
}

/* Fills buf with struct linux_dirent64 records from the directory's position;
 * res = bytes, 0 at the end. */
static inline struct sl_op *sl_op_readdir(struct sl_op *op, int dirfd, void *buf, size_t len)
{
	return sl_op_prep(op, SL_OP_READDIR, dirfd, buf, len, 0);
}

static inline struct sl_op *sl_op_getxattr(struct sl_op *op, int fd, const char *name, void *buf,
					   size_t len)
{
	sl_op_prep(op, SL_OP_GETXATTR, fd, buf, len, 0);
	op->arg = (void *)(uintptr_t)name;
	return op;
}

/* flags: 0, XATTR_CREATE or XATTR_REPLACE. */
static inline struct sl_op *sl_op_setxattr(struct sl_op *op, int fd, const char *name,
					   const void *buf, size_t len, int flags)
{
	sl_op_prep(op, SL_OP_SETXATTR, fd, buf, len, (unsigned)flags);
	op->arg = (void *)(uintptr_t)name;
	return op;
}

/* kind: F_RDLCK, F_WRLCK or F_UNLCK over len bytes from off (len 0: to the
 * end). Waits until it is granted: give it a deadline, or cancel it. */
static inline struct sl_op *sl_op_lock(struct sl_op *op, int fd, int kind, uint64_t off,
				       uint64_t len)
{
	sl_op_prep(op, SL_OP_LOCK, fd, NULL, len, off);
	op->arg = (void *)(uintptr_t)(unsigned)kind;
	return op;
}

/* fsync(2) of a directory; -EOPNOTSUPP where names are not durable at all. */
static inline struct sl_op *sl_op_sync_dir(struct sl_op *op, int dirfd)
{
	return sl_op_prep(op, SL_OP_SYNC_DIR, dirfd, NULL, 0, 0);
}

/* type may carry SOCK_CLOEXEC and SOCK_NONBLOCK; res = the descriptor. */
static inline struct sl_op *sl_op_socket(struct sl_op *op, int domain, int type, int protocol)
{
	sl_op_prep(op, SL_OP_SOCKET, domain, NULL, (unsigned)type, (unsigned)protocol);
	return op;
}

static inline struct sl_op *sl_op_bind(struct sl_op *op, int fd, const struct sockaddr *addr,
				       socklen_t len)
{
	return sl_op_prep(op, SL_OP_BIND, fd, addr, len, 0);
}

static inline struct sl_op *sl_op_listen(struct sl_op *op, int fd, int backlog)
{
	return sl_op_prep(op, SL_OP_LISTEN, fd, NULL, (unsigned)backlog, 0);
}

/* res = the connection. addr and addr_len may be NULL, and must be with
 * SL_OP_MULTI; flags: SOCK_CLOEXEC, SOCK_NONBLOCK. */
static inline struct sl_op *sl_op_accept(struct sl_op *op, int fd, struct sockaddr *addr,
					 socklen_t *addr_len, int flags)
{
	sl_op_prep(op, SL_OP_ACCEPT, fd, addr, 0, (unsigned)flags);
	op->arg = addr_len;
	return op;
}

static inline struct sl_op *sl_op_connect(struct sl_op *op, int fd, const struct sockaddr *addr,
					  socklen_t len)
{
	return sl_op_prep(op, SL_OP_CONNECT, fd, addr, len, 0);
}

/* flags: MSG_* of recv(2), but not MSG_WAITALL (one op is one transfer); 0 bytes
 * means the peer has finished. With MSG_DONTWAIT -EAGAIN is an answer. */
static inline struct sl_op *sl_op_recv(struct sl_op *op, int fd, void *buf, size_t len, int flags)
{
	return sl_op_prep(op, SL_OP_RECV, fd, buf, len, (unsigned)flags);
}

/* Receives into a buffer of the pool, picked when data is there; with res > 0
 * the buffer (buf, buf_id) is the caller's until sl_buf_put(), with end of file
 * or an error there is none. Add SL_OP_MULTI to go on; starved, it goes on when
 * a buffer is put back. May be submitted again as it is. */
static inline struct sl_op *sl_op_recv_pooled(struct sl_op *op, int fd, struct sl_buf_pool *pool)
{
	sl_op_prep(op, SL_OP_RECV, fd, NULL, 0, 0);
	op->flags = SL_OP_POOLED;
	op->arg = pool;
	return op;
}

/* The same for read(2) on a pipe or terminal; one completion. */
static inline struct sl_op *sl_op_read_pooled(struct sl_op *op, int fd, struct sl_buf_pool *pool)
{
	sl_op_prep(op, SL_OP_READ, fd, NULL, 0, SL_OFF_CURRENT);
	op->flags = SL_OP_POOLED;
	op->arg = pool;
	return op;
}

/* flags: MSG_* of send(2); MSG_NOSIGNAL is always added. */
static inline struct sl_op *sl_op_send(struct sl_op *op, int fd, const void *buf, size_t len,
				       int flags)
{
	return sl_op_prep(op, SL_OP_SEND, fd, buf, len, (unsigned)flags);
}

static inline struct sl_op *sl_op_recvmsg(struct sl_op *op, int fd, struct msghdr *msg, int flags)
{
	return sl_op_prep(op, SL_OP_RECVMSG, fd, msg, 0, (unsigned)flags);
}

static inline struct sl_op *sl_op_sendmsg(struct sl_op *op, int fd, const struct msghdr *msg,
					  int flags)
{
	return sl_op_prep(op, SL_OP_SENDMSG, fd, msg, 0, (unsigned)flags);
}

/* how: SHUT_RD, SHUT_WR or SHUT_RDWR. */
static inline struct sl_op *sl_op_shutdown(struct sl_op *op, int fd, int how)
{
	return sl_op_prep(op, SL_OP_SHUTDOWN, fd, NULL, (unsigned)how, 0);
}

/* res = bytes of the value. */
static inline struct sl_op *sl_op_getsockopt(struct sl_op *op, int fd, int level, int name,
					     void *buf, socklen_t len)
{
	return sl_op_prep(op, SL_OP_GETSOCKOPT, fd, buf, len,
			  ((uint64_t)(unsigned)level << 32) | (unsigned)name);
}

static inline struct sl_op *sl_op_setsockopt(struct sl_op *op, int fd, int level, int name,
					     const void *buf, socklen_t len)
{
	return sl_op_prep(op, SL_OP_SETSOCKOPT, fd, buf, len,
			  ((uint64_t)(unsigned)level << 32) | (unsigned)name);
}

/* Writes the read end and the write end to ret_fds[2]; flags as in pipe2(2). */
static inline struct sl_op *sl_op_pipe(struct sl_op *op, int *ret_fds, int flags)
{
	return sl_op_prep(op, SL_OP_PIPE, -1, ret_fds, 0, (unsigned)flags);
}

/* Where the bytes of a splice or tee come from; a NULL offset is a stream's. */
struct sl_splice_ends {
	int source_fd;
	unsigned flags;	     /* SPLICE_F_MOVE, SPLICE_F_MORE */
	uint64_t source_off; /* or SL_OFF_CURRENT */
	uint64_t target_off; /* or SL_OFF_CURRENT */
};

/* Moves up to len bytes to target_fd without copying them to user space; one
 * end must be a pipe; one transfer. */
static inline struct sl_op *sl_op_splice(struct sl_op *op, int target_fd,
					 const struct sl_splice_ends *ends, size_t len)
{
	return sl_op_prep(op, SL_OP_SPLICE, target_fd, ends, len, 0);
}

/* Duplicates up to len bytes from pipe to pipe; the source keeps them. */
static inline struct sl_op *sl_op_tee(struct sl_op *op, int target_fd,
				      const struct sl_splice_ends *ends, size_t len)
{
	return sl_op_prep(op, SL_OP_TEE, target_fd, ends, len, 0);
}

/* aux of a SENDFILE: nothing was sent, since the next bytes of the file are not
 * in the page cache. */
#define SL_SENDFILE_COLD 1

/* Moves up to len bytes at off of a regular file to a socket, within the kernel
 * and without waiting for a disk; one transfer. res = bytes sent; 0 with aux ==
 * SL_SENDFILE_COLD: read and send them instead; 0 without: the file ends at off.
 * What is cached is asked for each 256 KiB, of which all must be there; asking
 * brings nothing into the cache, but for files that the process neither owns nor
 * may write, and before Linux 6.5: a page there. Where the file system cannot
 * tell (overlay, FUSE) everything is cold, on tmpfs nothing.
 * file_fd must stay open until the end. */
static inline struct sl_op *sl_op_sendfile(struct sl_op *op, int fd, int file_fd, uint64_t off,
					   size_t len)
{
	sl_op_prep(op, SL_OP_SENDFILE, fd, NULL, len, off);
	op->arg = (void *)(intptr_t)file_fd;
	return op;
}

/**
 * sl_op_name - the name of an operation
 * @code: an enum sl_op_code
 *
 * Context: any thread, async-signal-safe.
 * Return: a constant string such as "read", or "?" for an unknown code.
 */
SL_EXPORT const char *sl_op_name(unsigned code);

SL_END_DECLS

#endif
