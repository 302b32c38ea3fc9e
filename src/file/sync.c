/*
 * sync.c - syncs, one at a time, and the poison that a failed one leaves.
 *
 * The kernel reports a lost page once, to whichever sync asks first. Two syncs
 * in flight could thus answer "failed" and "fine" for the same lost page, and
 * the good news might arrive first. They take a lane of their own in the range
 * lock, so the second one starts after the first is known to be good.
 */
#include <errno.h>

#include "file/file.h"

/* Errors that say the request never reached the device. */
static bool says_nothing_of_data(int err)
{
	return err == -ECANCELED || err == -EINVAL || err == -EFAULT || err == -EOPNOTSUPP ||
	       err == -ESHUTDOWN;
}

int sl_file_poison_with(struct sl_file *file, int err)
{
	if (!file->poison && !says_nothing_of_data(err))
		file->poison = err;
	return file->poison ? file->poison : err;
}

static int sync_range(struct sl_file_req *req)
{
	req->range.start = SL_FILE_BEYOND;
	req->range.end = SL_FILE_BEYOND + 1;
	req->range.exclusive = 1;
	return 0;
}

static int sync_go(struct sl_file_req *req)
{
	if (req->file->poison)
		return req->file->poison;
	if (req->flags & SL_FILE_SYNC_ALL)
		sl_op_fsync(&req->op, req->file->fd);
	else
		sl_op_fdatasync(&req->op, req->file->fd);
	return sl_request_submit(req);
}

static int sync_landed(struct sl_file_req *req)
{
	if (req->op.res < 0)
		return sl_file_poison_with(req->file, (int)req->op.res);
	return req->file->poison;
}

const struct request_kind sl_request_sync = {
	.range = sync_range,
	.go = sync_go,
	.landed = sync_landed,
};

int sl_file_poison(const struct sl_file *file)
{
	return file->poison;
}
