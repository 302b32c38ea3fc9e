/* resize.c - truncate and allocate: the size of a file, and blocks before they are needed. */
#include <errno.h>
#include <fcntl.h>

#include "base/bits.h"
#include "file/file.h"

/* From the block of off, or of the end of the file if that comes first, on: a
 * file must not be grown while a write behind its end is in flight. xfs takes
 * the old size before it waits for such a write and then zeroes from there on,
 * over what was just written (seen on Linux 6.18). */
static int tail_range(struct sl_file_req *req)
{
	uint64_t start = req->off;
	int rc;

	if (!sl_file_is_direct(req->file))
		return 0;
	rc = sl_request_size(req);
	if (rc == 0 && req->size < start)
		start = req->size;
	req->range.start = sl_round_down(start, req->grain);
	req->range.end = SL_FILE_BEYOND;
	req->range.exclusive = 1;
	return rc;
}

static int truncate_go(struct sl_file_req *req)
{
	if (req->file->poison)
		return req->file->poison;
	sl_op_truncate(&req->op, req->file->fd, req->off);
	return sl_request_submit(req);
}

static int truncate_landed(struct sl_file_req *req)
{
	return req->op.res < 0 ? (int)req->op.res : 0;
}

const struct request_kind sl_request_truncate = {
	.range = tail_range,
	.go = truncate_go,
	.landed = truncate_landed,
};

/* The step of an allocation that writes zeros is the write machine's own; the
 * file system's is told from it by aux. */

static int zero_go(struct sl_file_req *req)
{
	int rc;

	if (!req->aux) {
		rc = sl_request_size(req);
		if (rc < 0)
			return rc;
		if (req->pos < req->size)
			req->pos = req->size < req->end ? req->size : req->end;
		if (req->pos == req->end)
			return 0;
		req->aux = SL_FILE_BLOCKS_WRITTEN;
	}
	return sl_write_go(req);
}

static int reserve_go(struct sl_file_req *req)
{
	int mode = req->flags & SL_FILE_KEEP_SIZE ? FALLOC_FL_KEEP_SIZE : 0;

	if (req->file->poison)
		return req->file->poison;
	sl_op_allocate(&req->op, req->file->fd, mode, req->off, req->len);
	req->piece_len = req->len;
	return sl_request_submit(req);
}

static int allocate_go(struct sl_file_req *req)
{
	if ((req->flags & SL_FILE_ZEROED) || req->aux == SL_FILE_BLOCKS_WRITTEN)
		return zero_go(req);
	return reserve_go(req);
}

static int allocate_landed(struct sl_file_req *req)
{
	if (req->piece_len == 0)
		return 0;
	if (req->aux == SL_FILE_BLOCKS_WRITTEN)
		return sl_write_landed(req);
	if (req->op.res == -EOPNOTSUPP && !(req->flags & SL_FILE_KEEP_SIZE))
		return zero_go(req);
	if (req->op.res < 0)
		return (int)req->op.res;
	req->aux = SL_FILE_BLOCKS_UNWRITTEN;
	req->pos = req->end;
	return 0;
}

const struct request_kind sl_request_allocate = {
	.range = tail_range,
	.go = allocate_go,
	.landed = allocate_landed,
};
