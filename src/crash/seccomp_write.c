/* SPDX-License-Identifier: MIT */
/* seccomp_write.c - writes: to files of the copy, done and told; to standard output and the magic
 * path, lines. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "crash/seccomp.h"

#define OFF_CURRENT (-1)
#define IOV_BATCH   64

/* One transfer that was asked for. */
struct transfer {
	struct call *call;
	int fd;	    /* a copy of the caller's */
	int status; /* F_GETFL */
	int flags;  /* RWF_... */
	off_t off;  /* or OFF_CURRENT */
	struct inode *inode;
	struct stat st;
	uint32_t fault; /* it is shorter, or fails, on purpose: crash_fault_mark(); or 0 */
	int res;	/* the error that is told, or 0 */
};

/* ---- lines ----------------------- */

static void tell_line(struct call *call, const struct watch_line *line)
{
	struct crash_op op = { .code = CRASH_ACK, .data_len = line->len };

	if (!line->len)
		return;
	call->watch->session->report->nr_acks++;
	call_tell(call, &op, line->text);
}

static void take_lines(struct call *call, struct watch_line *line, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			tell_line(call, line);
			line->len = 0;
		} else if (line->len < sizeof(line->text)) {
			line->text[line->len++] = text[i];
		}
	}
}

/* The line that a write to it goes to, or NULL. */
static struct watch_line *line_of(struct watch *watch, const struct stat *st)
{
	if (st->st_dev != watch->out_dev)
		return NULL;
	if (st->st_ino == watch->out_ino)
		return &watch->out;
	return st->st_ino == watch->ack_ino ? &watch->ack : NULL;
}

/* ---- files ----------------------- */

/* In a buffer that lies as the caller's does, so that a direct write is as aligned as his. */
static char *fetch(const struct call *call, uint64_t from, size_t len, int *ret_err)
{
	char *buf = call->watch->buf + from % WATCH_ALIGN;

	*ret_err = call_memory(call, from, buf, len);
	return buf;
}

static uint64_t offset_of(const struct transfer *transfer, size_t done)
{
	struct stat st;

	if (transfer->off != OFF_CURRENT &&
	    !(transfer->status & O_APPEND || transfer->flags & RWF_APPEND))
		return (uint64_t)transfer->off;
	if (transfer->off == OFF_CURRENT)
		return (uint64_t)lseek(transfer->fd, 0, SEEK_CUR) - done;
	return fstat(transfer->fd, &st) < 0 ? 0 : (uint64_t)st.st_size - done;
}

static void tell_write(const struct transfer *transfer, uint64_t off, const char *data, size_t len)
{
	struct crash_op op = {
		.code = CRASH_WRITE,
		.flags = transfer->fault ? CRASH_FAULT : 0,
		.flags2 = transfer->fault,
		.inode = transfer->inode->number,
		.off = off,
		.len = len,
		.data_len = (uint32_t)len,
		.res = transfer->res ? transfer->res : (int32_t)len,
	};

	if (transfer->inode->ignored)
		return;
	if (transfer->status & O_DSYNC || transfer->flags & (RWF_DSYNC | RWF_SYNC))
		op.flags |= CRASH_DSYNC;
	if (transfer->status & O_DIRECT)
		op.flags |= CRASH_DIRECT;
	call_tell(transfer->call, &op, data);
}

static int64_t write_piece(struct transfer *transfer, char *data, size_t len)
{
	struct iovec iov = { data, len };
	int64_t n;

	n = sl_sys_answer(pwritev2(transfer->fd, &iov, 1, transfer->off, transfer->flags));
	if (n > 0)
		tell_write(transfer, offset_of(transfer, (size_t)n), data, (size_t)n);
	else if (n == -ENOSPC)
		transfer->call->watch->session->report->limits |= CRASH_LIMIT_BYTES;
	return n;
}

static uint64_t end_of(const struct transfer *transfer, uint64_t len)
{
	if (transfer->status & O_APPEND || transfer->flags & RWF_APPEND)
		return (uint64_t)transfer->st.st_size + len;
	return offset_of(transfer, 0) + len;
}

/* A range of the caller's memory, piece by piece; bytes done, or the error of the first. */
static int64_t write_range(struct transfer *transfer, uint64_t from, uint64_t len)
{
	uint64_t done = 0;

	if (!call_reserve(transfer->call, (uint64_t)transfer->st.st_size, end_of(transfer, len)))
		return -ENOSPC;
	while (done < len) {
		size_t want = len - done < WATCH_BYTES ? (size_t)(len - done) : WATCH_BYTES;
		int err;
		char *data = fetch(transfer->call, from + done, want, &err);
		int64_t n = err ? err : write_piece(transfer, data, want);

		if (n <= 0)
			return done ? (int64_t)done : n;
		done += (uint64_t)n;
		if (transfer->off != OFF_CURRENT)
			transfer->off += n;
		if ((uint64_t)n < want)
			break;
	}
	return (int64_t)done;
}

static void print(struct call *call, struct watch_line *line, const char *text, size_t len)
{
	take_lines(call, line, text, len);
	if (line == &call->watch->out && !call->watch->session->opts->stdout_quiet)
		session_print(text, len);
}

static int64_t print_range(struct call *call, struct watch_line *line, uint64_t from, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		size_t want = len - done < WATCH_BYTES ? (size_t)(len - done) : WATCH_BYTES;
		int err;
		const char *text = fetch(call, from + done, want, &err);

		if (err)
			return done ? (int64_t)done : err;
		print(call, line, text, want);
		done += want;
	}
	return (int64_t)done;
}

/* ---- vectors ----------------------- */

/* Into one range of ours, if it is a small one: the kernel writes a vector as one. Larger ones go
 * piece by piece. */
static int64_t gather(const struct call *call, const struct iovec *iov, size_t nr, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < nr; i++) {
		int err;

		if (iov[i].iov_len > WATCH_BYTES - len)
			return -E2BIG;
		err = call_memory(call, (uint64_t)(uintptr_t)iov[i].iov_base,
				  call->watch->buf + len, iov[i].iov_len);
		if (err)
			return err;
		len += iov[i].iov_len;
	}
	*ret_len = len;
	return 0;
}

static int64_t write_each(struct transfer *transfer, const struct iovec *iov, size_t nr)
{
	int64_t done = 0;

	for (size_t i = 0; i < nr; i++) {
		int64_t n =
			write_range(transfer, (uint64_t)(uintptr_t)iov[i].iov_base, iov[i].iov_len);

		if (n < 0)
			return done ? done : n;
		done += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	return done;
}

static int64_t write_vector(struct transfer *transfer, const struct iovec *iov, size_t nr)
{
	size_t len = 0;
	int64_t err = gather(transfer->call, iov, nr, &len);

	if (nr == 1 || err == -E2BIG || transfer->status & O_DIRECT)
		return write_each(transfer, iov, nr);
	if (err || !len)
		return err;
	if (!call_reserve(transfer->call, (uint64_t)transfer->st.st_size, end_of(transfer, len)))
		return -ENOSPC;
	return write_piece(transfer, transfer->call->watch->buf, len);
}

static int64_t print_vector(struct call *call, struct watch_line *line, const struct iovec *iov,
			    size_t nr)
{
	int64_t done = 0;

	for (size_t i = 0; i < nr; i++) {
		int64_t n = print_range(call, line, (uint64_t)(uintptr_t)iov[i].iov_base,
					iov[i].iov_len);

		if (n < 0)
			return done ? done : n;
		done += n;
	}
	return done;
}

/* ---- faults ----------------------- */

static struct crash_fault_verdict judge(const struct transfer *transfer, uint64_t len)
{
	const struct crash_record_opts *opts = transfer->call->watch->session->opts;
	struct crash_fault_verdict verdict = { .kind = CRASH_FAULT_NONE };
	struct crash_fault_at at = {
		.call = CRASH_FAULT_WRITE,
		.off = offset_of(transfer, 0),
		.len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX,
		.flags = transfer->status & O_DIRECT ? CRASH_DIRECT : 0,
		.size = (uint64_t)transfer->st.st_size,
	};
	char path[TREE_PATH_MAX];

	if (!opts->nr_faults || transfer->inode->ignored)
		return verdict;
	call_path(transfer->call, transfer->fd, path);
	at.path = path;
	crash_fault_decide(opts->faults, opts->nr_faults, &at, &verdict);
	return verdict;
}

/* A write that fails: what it leaves on the disk is in fault.h, and the trace says what was asked
 * for. Of a durable one through the cache the cache has it. */
static int64_t fail_write(struct transfer *transfer, const struct iovec *iov,
			  const struct crash_fault_verdict *verdict)
{
	bool direct = transfer->status & O_DIRECT;
	bool durable = transfer->status & O_DSYNC || transfer->flags & (RWF_DSYNC | RWF_SYNC);
	size_t len = iov->iov_len < WATCH_BYTES ? iov->iov_len : WATCH_BYTES;
	uint64_t off = end_of(transfer, 0);
	int err;
	char *data = fetch(transfer->call, (uint64_t)(uintptr_t)iov->iov_base, len, &err);

	if (err)
		return err;
	if (durable && !direct && pwrite(transfer->fd, data, len, (off_t)off) < 0)
		return -errno;
	transfer->fault = crash_fault_mark(CRASH_FAULT_WRITE, verdict->kind);
	transfer->res = verdict->res;
	tell_write(transfer, off, data, len);
	return verdict->res;
}

/* ---- calls ----------------------- */

static int64_t write_to(struct transfer *transfer, const struct iovec *iov, size_t nr)
{
	struct call *call = transfer->call;
	struct watch_line *line;
	struct iovec first = nr ? iov[0] : (struct iovec){ NULL, 0 };
	struct crash_fault_verdict verdict;
	uint64_t len = 0;

	if (fstat(transfer->fd, &transfer->st) < 0)
		return -errno;
	line = line_of(call->watch, &transfer->st);
	if (line)
		return print_vector(call, line, iov, nr);
	transfer->inode = call_inode(call, &transfer->st);
	if (!transfer->inode || !S_ISREG(transfer->st.st_mode))
		return CALL_CONTINUE;
	if (call_is_late(call))
		return -EIO;
	transfer->status = fcntl(transfer->fd, F_GETFL);
	for (size_t i = 0; i < nr; i++)
		len += iov[i].iov_len;
	verdict = judge(transfer, len);
	if (verdict.res)
		return fail_write(transfer, &first, &verdict);
	if (verdict.kind != CRASH_FAULT_SHORT)
		return write_vector(transfer, iov, nr);
	transfer->fault = crash_fault_mark(CRASH_FAULT_WRITE, verdict.kind);
	first.iov_len = verdict.len < first.iov_len ? verdict.len : first.iov_len;
	return write_vector(transfer, &first, 1);
}

static int64_t with_fd(struct call *call, struct transfer *transfer, const struct iovec *iov,
		       size_t nr)
{
	int64_t res;

	transfer->call = call;
	transfer->fd = call_fd(call, (int)call->args[0]);
	if (transfer->fd < 0) /* one that is not there may be there when the call goes on */
		return transfer->fd == -EBADF ? -EBADF : CALL_CONTINUE;
	res = write_to(transfer, iov, nr);
	close(transfer->fd);
	return res;
}

static int64_t write_one(struct call *call, off_t off)
{
	struct iovec iov = { (void *)(uintptr_t)call->args[1], call->args[2] };
	struct transfer transfer = { .off = off };

	return with_fd(call, &transfer, &iov, 1);
}

int64_t call_write(struct call *call)
{
	return write_one(call, OFF_CURRENT);
}

int64_t call_pwrite(struct call *call)
{
	off_t off = (off_t)call->args[3];

	return off < 0 ? -EINVAL : write_one(call, off);
}

static int64_t write_many(struct call *call, off_t off, int flags)
{
	struct transfer transfer = { .off = off, .flags = flags };
	struct iovec iov[IOV_MAX];
	uint64_t nr = call->args[2];
	int err;

	if (nr > IOV_MAX)
		return -EINVAL;
	err = call_memory(call, call->args[1], iov, nr * sizeof(*iov));
	return err ? err : with_fd(call, &transfer, iov, nr);
}

int64_t call_writev(struct call *call)
{
	return write_many(call, OFF_CURRENT, 0);
}

/* The low half of the position is all of it where registers are 64 bits wide. */
int64_t call_pwritev(struct call *call)
{
	off_t off = (off_t)call->args[3];

	return off < 0 ? -EINVAL : write_many(call, off, 0);
}

int64_t call_pwritev2(struct call *call)
{
	return write_many(call, (off_t)call->args[3], (int)call->args[5]);
}

/* ---- from file to file ----------------------- */

/* A copy that the kernel would make: one of its descriptors, and where its position is. */
struct copy_end {
	int fd;
	uint64_t off_at; /* in the caller's memory, or 0: the descriptor's own position */
	off_t off;	 /* or OFF_CURRENT */
};

static int take_end(struct call *call, int fd, uint64_t off_at, struct copy_end *ret_end)
{
	int err = 0;

	*ret_end = (struct copy_end){ .off_at = off_at, .off = OFF_CURRENT };
	if (off_at)
		err = call_memory(call, off_at, &ret_end->off, sizeof(ret_end->off));
	ret_end->fd = err ? err : call_fd(call, fd);
	return ret_end->fd < 0 ? ret_end->fd : 0;
}

/* Where it went on to, for the caller. */
static void put_end(const struct call *call, const struct copy_end *end, int64_t moved)
{
	off_t off = end->off + moved;

	if (end->off_at && moved > 0)
		sl_sys_write_memory(call->tid, end->off_at, &off, sizeof(off));
}

static int64_t read_source(const struct call *call, const struct copy_end *source, size_t want)
{
	char *buf = call->watch->buf;

	return sl_sys_answer(source->off_at ? pread(source->fd, buf, want, source->off) :
					      read(source->fd, buf, want));
}

/* At most a piece: who copies goes on until there is nothing more. */
static int64_t copy_piece(struct transfer *transfer, const struct copy_end *source, size_t want)
{
	struct call *call = transfer->call;
	struct watch_line *line = line_of(call->watch, &transfer->st);
	int64_t n = read_source(call, source, want), res;

	if (n <= 0)
		return n;
	if (line) {
		print(call, line, call->watch->buf, (size_t)n);
		return n;
	}
	if (!call_reserve(call, (uint64_t)transfer->st.st_size, end_of(transfer, (uint64_t)n)))
		res = -ENOSPC;
	else
		res = write_piece(transfer, call->watch->buf, (size_t)n);
	if (!source->off_at && res < n) /* what was read and not written is still to be read */
		lseek(source->fd, (res < 0 ? 0 : res) - n, SEEK_CUR);
	return res;
}

static int64_t copy_between(struct call *call, const struct copy_end *source,
			    const struct copy_end *target, uint64_t len)
{
	struct transfer transfer = { .call = call, .fd = target->fd, .off = target->off };
	struct stat st;

	if (fstat(target->fd, &transfer.st) < 0 || fstat(source->fd, &st) < 0)
		return -errno;
	transfer.inode = call_inode(call, &transfer.st);
	if (!line_of(call->watch, &transfer.st) &&
	    (!transfer.inode || !S_ISREG(transfer.st.st_mode)))
		return CALL_CONTINUE;
	if (!S_ISREG(st.st_mode))
		return -EINVAL; /* it might wait; sendfile(2) says the same of pipes */
	if (call_is_late(call))
		return -EIO;
	transfer.status = fcntl(target->fd, F_GETFL);
	if ((transfer.status & O_ACCMODE) == O_RDONLY)
		return -EBADF;
	return copy_piece(&transfer, source, WATCH_BYTES < len ? WATCH_BYTES : (size_t)len);
}

static int64_t copy_with(struct call *call, const uint64_t source[2], const uint64_t target[2],
			 uint64_t len)
{
	struct copy_end from = { .fd = -1 }, to = { .fd = -1 };
	int64_t res = CALL_CONTINUE; /* the kernel says what is wrong with them */

	if (!take_end(call, (int)target[0], target[1], &to) &&
	    !take_end(call, (int)source[0], source[1], &from)) {
		res = copy_between(call, &from, &to, len);
		if (res > 0) {
			put_end(call, &from, res);
			put_end(call, &to, res);
		}
	}
	if (from.fd >= 0)
		close(from.fd);
	if (to.fd >= 0)
		close(to.fd);
	return res;
}

int64_t call_sendfile(struct call *call)
{
	const uint64_t source[2] = { call->args[1], call->args[2] };
	const uint64_t target[2] = { call->args[0], 0 };

	return copy_with(call, source, target, call->args[3]);
}

int64_t call_copy_range(struct call *call)
{
	return copy_with(call, call->args, call->args + 2, call->args[4]);
}
