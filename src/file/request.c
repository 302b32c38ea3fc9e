/*
 * request.c - the life of a request: admission, its range, its ops, its end.
 *
 *	idle --admit--> [waits for range] --> [waits for bounce] --> op in flight
 *	                                             ^                   |
 *	                                             +---- next piece ---+
 *	                                                                 |
 *	idle <--callback-- finished <---------------- end ---------------+
 *
 * Invariants:
 *  Q1. A request holds its range from before its first op until after its last.
 *  Q2. Callbacks of the user run from settle() only, which runs from the
 *      callback of an op only: never inside a submit, never nested.
 *  Q3. What a request gives back when it ends (range, bounce buffer) wakes
 *      others through the runnable list, so that no chain of ends recurses.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "file/file.h"

/* How often a short answer before the end of the file is asked again, and how
 * often the size is looked at before it is called an error. */
#define SHORT_TRIES 8
#define SIZE_LOOKS  64

static const struct request_kind *const kinds[] = {
	[SL_FILE_READ] = &sl_request_read,	   [SL_FILE_WRITE] = &sl_request_write,
	[SL_FILE_SYNC] = &sl_request_sync,	   [SL_FILE_TRUNCATE] = &sl_request_truncate,
	[SL_FILE_ALLOCATE] = &sl_request_allocate,
};

static const uint32_t known_flags[] = {
	[SL_FILE_READ] = 0,
	[SL_FILE_WRITE] = SL_FILE_DSYNC,
	[SL_FILE_SYNC] = SL_FILE_SYNC_ALL,
	[SL_FILE_TRUNCATE] = 0,
	[SL_FILE_ALLOCATE] = SL_FILE_ZEROED | SL_FILE_KEEP_SIZE,
};

static void list_push(struct request_list *list, struct sl_file_req *req)
{
	req->next = NULL;
	*list->tail = req;
	list->tail = &req->next;
}

static struct sl_file_req *list_pop(struct request_list *list)
{
	struct sl_file_req *req = list->head;

	if (req) {
		list->head = req->next;
		if (!list->head)
			list->tail = &list->head;
	}
	return req;
}

static bool has_range(const struct sl_file_req *req)
{
	return req->range.start < req->range.end;
}

/* Ranges that have become free: the request asks once more what it needs, as
 * the size may have changed while it waited. */
static void wake_ranges(struct sl_file *file)
{
	struct sl_file_range *range, *next;

	for (range = file->lock.waiting; range; range = next) {
		struct sl_file_req *req = sl_op_of(range, struct sl_file_req, range);

		next = range->next;
		if (!sl_range_lock_free(&file->lock, range, true))
			continue;
		if (kinds[req->code]->range(req) == 0 &&
		    !sl_range_lock_free(&file->lock, range, true))
			continue;
		sl_range_lock_drop(&file->lock, range);
		sl_range_lock_take(&file->lock, range);
		file->waiting--;
		list_push(&file->runnable, req);
	}
}

/* Gives back what the request holds. */
static void release(struct sl_file_req *req)
{
	struct sl_file *file = req->file;
	struct sl_file_req *heir = sl_bounce_put(&file->bounce, req);

	if (heir) {
		file->waiting--;
		list_push(&file->runnable, heir);
	}
	if (req->range.link) {
		sl_range_lock_drop(&file->lock, &req->range);
		if (file->lock.waiting)
			wake_ranges(file);
	}
}

static void set_result(struct sl_file_req *req, int64_t res)
{
	bool moves = req->code == SL_FILE_READ || req->code == SL_FILE_WRITE;

	req->done_len = moves || req->code == SL_FILE_ALLOCATE ? req->pos - req->off : 0;
	req->res = res < 0 || !moves ? res : (int64_t)req->done_len;
}

static void end(struct sl_file_req *req, int64_t res)
{
	set_result(req, res);
	release(req);
	list_push(&req->file->finished, req);
}

/* Moves on those who got what they waited for, then tells those who ended. */
static void settle(struct sl_file *file)
{
	struct sl_file_req *req;

	while ((req = list_pop(&file->runnable))) {
		int rc = kinds[req->code]->go(req);

		if (rc <= 0)
			end(req, rc);
	}
	while ((req = list_pop(&file->finished))) {
		req->busy = 0;
		file->requests--;
		if (req->done)
			req->done(file, req);
	}
}

static void op_done(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_file_req *req = sl_op_of(op, struct sl_file_req, op);
	struct sl_file *file = req->file;
	int rc = kinds[req->code]->landed(req);

	(void)ring;
	if (rc <= 0)
		end(req, rc);
	settle(file);
}

int sl_request_submit(struct sl_file_req *req)
{
	int rc;

	req->op.done = op_done;
	req->op.sched_class = req->sched_class;
	req->op.flags |= SL_OP_PARK;
	rc = sl_ring_submit(req->file->ring, &req->op);
	return rc < 0 ? rc : SL_REQUEST_GOES_ON;
}

bool sl_request_bounce(struct sl_file_req *req)
{
	if (sl_bounce_get(&req->file->bounce, req))
		return true;
	req->file->waiting++;
	return false;
}

uint64_t sl_request_advance(struct sl_file_req *req, uint64_t bytes)
{
	uint64_t reached = req->piece_off + (bytes < req->piece_len ? bytes : req->piece_len);
	uint64_t before = req->pos;

	if (reached > req->end)
		reached = req->end;
	if (reached > req->pos)
		req->pos = reached;
	return req->pos - before;
}

int sl_request_size(struct sl_file_req *req)
{
	struct sl_desc desc;
	int rc = sl_ring_describe(req->file->ring, req->file->fd, &desc);

	if (rc == 0)
		req->size = desc.size;
	return rc;
}

/* A device moves whole sectors: a count that is none was cut off by the end of
 * the file, where that was at the time. Holds where the sector is known. */
static bool cut_by_end(const struct sl_file_req *req, uint64_t got_end)
{
	uint32_t sector = req->file->found.read_align;

	return sector && (got_end & (sector - 1));
}

/* Whether somebody is resizing the file right now. */
static bool size_moves(struct sl_file_req *req)
{
	uint64_t before = req->size;

	for (unsigned i = 0; i < SIZE_LOOKS && !req->resized; i++) {
		if (sl_request_size(req) < 0)
			return false;
		req->resized = req->size != before;
	}
	return req->resized;
}

int sl_short_read(struct sl_file_req *req, uint64_t got_end)
{
	uint64_t before = req->size;
	int rc = sl_request_size(req);

	if (rc < 0)
		return rc;
	if (req->size <= got_end)
		return 0;
	if (req->tries && req->size != before)
		req->resized = 1;
	if (++req->tries <= SHORT_TRIES)
		return SL_REQUEST_GOES_ON;
	return cut_by_end(req, got_end) || size_moves(req) ? 0 : -EIO;
}

/* ---- admission --------------------------------------------------------------------- */

static int check_range(const struct sl_file_req *req)
{
	uint64_t sum;

	if (__builtin_add_overflow(req->off, req->len, &sum) || sum > INT64_MAX)
		return -EINVAL;
	return 0;
}

static int check(const struct sl_file *file, const struct sl_file_req *req, unsigned code)
{
	bool reads = code == SL_FILE_READ;

	if (req->busy || (req->flags & ~known_flags[code]) || check_range(req) < 0)
		return -EINVAL;
	if (reads ? !file->readable : !file->writable)
		return -EBADF;
	if (!reads && file->poison)
		return file->poison;
	return file->requests >= file->requests_max ? -EAGAIN : 0;
}

static void begin(struct sl_file *file, struct sl_file_req *req, unsigned code)
{
	req->res = 0;
	req->done_len = 0;
	req->aux = 0;
	req->code = (uint8_t)code;
	req->step = 0;
	req->tries = 0;
	req->resized = 0;
	req->file = file;
	req->next = NULL;
	req->bounce = NULL;
	req->pos = req->off;
	req->end = req->off + req->len;
	req->size = 0;
	req->padded_end = 0;
	req->piece_off = 0;
	req->piece_len = 0;
	req->piece_max = UINT64_MAX;
	req->grain = code == SL_FILE_READ ? file->read_align : file->write_align;
	req->range = (struct sl_file_range){ 0 };
}

/* Takes the range and starts, or waits in line. */
static int start(struct sl_file *file, struct sl_file_req *req)
{
	int rc = kinds[req->code]->range(req);

	if (rc < 0)
		return rc;
	if (has_range(req)) {
		if (!sl_range_lock_free(&file->lock, &req->range, false)) {
			sl_range_lock_wait(&file->lock, &req->range);
			file->waiting++;
			return SL_REQUEST_GOES_ON;
		}
		sl_range_lock_take(&file->lock, &req->range);
	}
	return kinds[req->code]->go(req);
}

/* Something to do that needs no op: a NOP brings the end to its callback. */
static int end_later(struct sl_file_req *req)
{
	sl_op_nop(&req->op);
	req->piece_len = 0;
	return sl_request_submit(req);
}

static int admit(struct sl_file *file, struct sl_file_req *req, unsigned code)
{
	int rc = check(file, req, code);

	if (rc < 0)
		return rc;
	begin(file, req, code);
	req->busy = 1;
	rc = start(file, req);
	if (rc == 0)
		rc = end_later(req);
	if (rc < 0) {
		release(req);
		req->busy = 0;
		return rc;
	}
	file->requests++;
	return 0;
}

int sl_file_read(struct sl_file *file, struct sl_file_req *req)
{
	return admit(file, req, SL_FILE_READ);
}

int sl_file_write(struct sl_file *file, struct sl_file_req *req)
{
	return admit(file, req, SL_FILE_WRITE);
}

int sl_file_sync(struct sl_file *file, struct sl_file_req *req)
{
	return admit(file, req, SL_FILE_SYNC);
}

int sl_file_truncate(struct sl_file *file, struct sl_file_req *req)
{
	if (file->found.kind == SL_DESC_BLOCK)
		return -EOPNOTSUPP;
	return admit(file, req, SL_FILE_TRUNCATE);
}

int sl_file_allocate(struct sl_file *file, struct sl_file_req *req)
{
	const uint32_t both = SL_FILE_ZEROED | SL_FILE_KEEP_SIZE;

	if (req->len == 0 || (req->flags & both) == both)
		return -EINVAL;
	if (file->found.kind == SL_DESC_BLOCK)
		return -EOPNOTSUPP;
	return admit(file, req, SL_FILE_ALLOCATE);
}

static int submit_code(struct sl_file *file, unsigned code, struct sl_file_req *req)
{
	switch (code) {
	case SL_FILE_READ:
		return sl_file_read(file, req);
	case SL_FILE_WRITE:
		return sl_file_write(file, req);
	case SL_FILE_SYNC:
		return sl_file_sync(file, req);
	case SL_FILE_TRUNCATE:
		return sl_file_truncate(file, req);
	case SL_FILE_ALLOCATE:
		return sl_file_allocate(file, req);
	default:
		return -EINVAL;
	}
}

bool sl_requests_end(struct sl_ring *ring, const uint32_t *nr)
{
	while (*nr) {
		int rc = sl_ring_run(ring, 0);

		if (rc == -ESTALE)
			return true;
		if (rc < 0 && sl_ring_error(ring))
			return false;
		SL_ASSERT_CMP(rc, >=, 0);
	}
	return true;
}

/* A buffered read that nobody is told of holds nothing that others wait for: its one op
 * needs no callback, and sl_ring_do() is quick with what is cached. */
static int do_whole(struct sl_file *file, struct sl_file_req *req)
{
	int rc = check(file, req, SL_FILE_READ);
	bool refused;
	int64_t res;

	if (rc < 0)
		return rc;
	begin(file, req, SL_FILE_READ);
	sl_read_whole(req);
	req->op.done = NULL;
	req->op.sched_class = req->sched_class;
	req->op.flags |= SL_OP_PARK;
	req->busy = 1;
	file->requests++;
	res = sl_ring_do(file->ring, &req->op);
	/* From a ring that broke the op comes back with the error: so does the request. */
	refused = res < 0 && !req->op.res;
	rc = refused ? (int)res : sl_request_read.landed(req);
	if (rc == SL_REQUEST_GOES_ON)
		return 0;
	if (!refused)
		set_result(req, rc);
	req->busy = 0;
	file->requests--;
	return refused ? rc : 0;
}

static int submit_to_do(struct sl_file *file, unsigned code, struct sl_file_req *req)
{
	if (code == SL_FILE_READ && !sl_file_is_direct(file) && !req->done && req->len)
		return do_whole(file, req);
	return submit_code(file, code, req);
}

int64_t sl_file_do(struct sl_file *file, unsigned code, struct sl_file_req *req)
{
	/* Refused from a callback and from a wrong thread before anything starts. */
	int rc = sl_ring_check(file->ring);

	if (rc == 0)
		rc = submit_to_do(file, code, req);
	if (rc == -EAGAIN) {
		/* What has ended meanwhile makes room. */
		rc = sl_ring_run(file->ring, SL_RING_POLL);
		if (rc >= 0)
			rc = submit_code(file, code, req);
	}
	if (rc < 0)
		return rc;
	while (req->busy) {
		rc = sl_ring_run(file->ring, 0);
		if (rc < 0)
			return rc;
	}
	return req->res;
}
