/* oracle_liburing.c - the same request through liburing, with plain flags. */
#include "tests/contract/oracle.h"

#include <errno.h>
#include <liburing.h>

static struct io_uring ring;
static bool opened;

const char *oracle_missing(void)
{
	int rc = opened ? 0 : io_uring_queue_init(8, &ring, 0);

	opened = rc == 0;
	return opened ? NULL : "liburing cannot open a ring here";
}

void oracle_end(void)
{
	if (opened)
		io_uring_queue_exit(&ring);
	opened = false;
}

static void prepare_name(struct io_uring_sqe *sqe, const struct sl_op *op)
{
	const struct sl_name_pair *pair = op->buf;

	switch (op->code) {
	case SL_OP_OPEN:
		io_uring_prep_openat2(sqe, op->fd, op->buf, op->arg);
		break;
	case SL_OP_CLOSE:
		io_uring_prep_close(sqe, op->fd);
		break;
	case SL_OP_STAT:
		io_uring_prep_statx(sqe, op->fd, op->buf, (int)op->off, (unsigned)op->len, op->arg);
		break;
	case SL_OP_LINK:
		io_uring_prep_linkat(sqe, op->fd, pair->source, pair->target_dirfd, pair->target,
				     (int)pair->flags);
		break;
	case SL_OP_SYMLINK:
		io_uring_prep_symlinkat(sqe, op->arg, op->fd, op->buf);
		break;
	case SL_OP_RENAME:
		io_uring_prep_renameat(sqe, op->fd, pair->source, pair->target_dirfd, pair->target,
				       pair->flags);
		break;
	case SL_OP_UNLINK:
		io_uring_prep_unlinkat(sqe, op->fd, op->buf, (int)op->off);
		break;
	default:
		io_uring_prep_mkdirat(sqe, op->fd, op->buf, (mode_t)op->off);
	}
}

static void prepare_rest(struct io_uring_sqe *sqe, const struct sl_op *op)
{
	switch (op->code) {
	case SL_OP_NOP:
		io_uring_prep_nop(sqe);
		break;
	case SL_OP_FSYNC:
		io_uring_prep_fsync(sqe, op->fd, 0);
		break;
	case SL_OP_FDATASYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	case SL_OP_ALLOCATE:
		io_uring_prep_fallocate(sqe, op->fd, (int)(uintptr_t)op->arg, op->off, op->len);
		break;
	case SL_OP_RECV:
		io_uring_prep_recv(sqe, op->fd, op->buf, op->len, (int)op->off);
		break;
	case SL_OP_SEND:
		io_uring_prep_send(sqe, op->fd, op->buf, op->len, (int)op->off | MSG_NOSIGNAL);
		break;
	case SL_OP_SHUTDOWN:
		io_uring_prep_shutdown(sqe, op->fd, (int)op->len);
		break;
	case SL_OP_SOCKET:
		io_uring_prep_socket(sqe, op->fd, (int)op->len, (int)op->off, 0);
		break;
	default:
		prepare_name(sqe, op);
	}
}

static void prepare(struct io_uring_sqe *sqe, const struct sl_op *op)
{
	bool vectors = op->flags & SL_OP_VEC;

	if (op->code == SL_OP_READ && vectors)
		io_uring_prep_readv(sqe, op->fd, op->buf, (unsigned)op->len, op->off);
	else if (op->code == SL_OP_READ)
		io_uring_prep_read(sqe, op->fd, op->buf, (unsigned)op->len, op->off);
	else if (op->code == SL_OP_WRITE && vectors)
		io_uring_prep_writev(sqe, op->fd, op->buf, (unsigned)op->len, op->off);
	else if (op->code == SL_OP_WRITE)
		io_uring_prep_write(sqe, op->fd, op->buf, (unsigned)op->len, op->off);
	else
		prepare_rest(sqe, op);
}

int64_t oracle_do(const struct sl_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int rc;

	if (!sqe)
		return -EAGAIN;
	prepare(sqe, op);
	rc = io_uring_submit(&ring);
	if (rc < 0)
		return rc;
	do {
		rc = io_uring_wait_cqe(&ring, &cqe);
	} while (rc == -EINTR);
	if (rc < 0)
		return rc;
	rc = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return rc;
}
