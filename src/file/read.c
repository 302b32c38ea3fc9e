/*
 * read.c - reads: aligned parts in place, the rest through a bounce buffer, then what went wrong.
 *
 * A direct read is cut into pieces along the block of the file. A piece is
 * either in place (offset, length and memory aligned) or bounced (whole blocks
 * around what is wanted, copied out). A short answer is checked against the size
 * and asked again from the aligned origin; a medium error halves the pieces
 * until the bad sector stands alone.
 */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "file/file.h"

/* The kernel moves less than 2 GiB at once, and not a whole block at its bound. */
#define IN_PLACE_MAX (UINT64_C(1) << 30)

enum read_step {
	WHOLE,	  /* buffered: one op does it all */
	IN_PLACE, /* into the caller's memory */
	BOUNCED,
};

static unsigned char *target(const struct sl_file_req *req)
{
	return (unsigned char *)req->buf + (req->pos - req->off);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
	return value < limit ? value : limit;
}

static int read_range(struct sl_file_req *req)
{
	if (!sl_file_is_direct(req->file) || req->len == 0)
		return 0;
	req->range.start = sl_round_down(req->off, req->grain);
	req->range.end = sl_round_up(req->end, req->grain);
	req->range.exclusive = 0;
	return 0;
}

static int submit_piece(struct sl_file_req *req)
{
	void *memory = req->step == BOUNCED ? (void *)req->bounce : target(req);

	sl_op_read(&req->op, req->file->fd, memory, req->piece_len, req->piece_off);
	req->op.flags |= SL_OP_PARTIAL;
	return sl_request_submit(req);
}

static bool fits_in_place(const struct sl_file_req *req)
{
	uint64_t mask = req->file->mem_align - 1;

	return !(req->pos & (req->grain - 1)) && !((uintptr_t)target(req) & mask) &&
	       req->end - req->pos >= req->grain;
}

/* Whole blocks from the one that holds pos. Where the memory is aligned from
 * the next block on, just this one: the rest goes in place. */
static uint64_t bounce_span(const struct sl_file_req *req)
{
	uint64_t head = req->pos & (req->grain - 1);
	uint64_t mask = req->file->mem_align - 1;

	if (!(((uintptr_t)target(req) - head) & mask))
		return req->grain;
	return sl_round_up(req->end, req->grain) - (req->pos - head);
}

static int direct_go(struct sl_file_req *req)
{
	uint64_t len;

	if (fits_in_place(req)) {
		req->step = IN_PLACE;
		req->piece_off = req->pos;
		len = at_most(req->end - req->pos, IN_PLACE_MAX);
	} else {
		if (!sl_request_bounce(req))
			return SL_REQUEST_GOES_ON;
		req->file->bounced++;
		req->step = BOUNCED;
		req->piece_off = sl_round_down(req->pos, req->grain);
		len = at_most(bounce_span(req), req->file->bounce.bytes);
	}
	req->piece_len = sl_round_down(at_most(len, req->piece_max), req->grain);
	return submit_piece(req);
}

void sl_read_whole(struct sl_file_req *req)
{
	req->step = WHOLE;
	req->piece_off = req->off;
	req->piece_len = req->len;
	sl_op_read(&req->op, req->file->fd, req->buf, req->len, req->off);
	if (req->file->io == SL_FILE_DONTCACHE)
		req->op.flags |= SL_OP_DONTCACHE;
}

static int read_go(struct sl_file_req *req)
{
	if (req->pos == req->end)
		return 0;
	if (sl_file_is_direct(req->file))
		return direct_go(req);
	sl_read_whole(req);
	return sl_request_submit(req);
}

/* The first bytes of the piece are there: on to the caller. */
static void take(struct sl_file_req *req, uint64_t bytes)
{
	unsigned char *to = target(req);
	uint64_t skip = req->pos - req->piece_off;
	uint64_t len = sl_request_advance(req, bytes);

	if (req->step == BOUNCED)
		memcpy(to, req->bounce + skip, len);
}

static int whole_landed(struct sl_file_req *req)
{
	struct sl_file *file = req->file;

	sl_request_advance(req, req->op.done_len);
	if (req->op.res == -EOPNOTSUPP && file->io == SL_FILE_DONTCACHE && !file->require) {
		file->io = SL_FILE_BUFFERED;
		return read_go(req);
	}
	return req->op.res < 0 ? (int)req->op.res : 0;
}

static bool is_medium_error(int64_t res)
{
	return res == -EIO || res == -ENODATA || res == -EILSEQ;
}

/* Halves the pieces, down to what the device can read by itself. */
static int salvage(struct sl_file_req *req, int err)
{
	uint32_t sector = req->file->found.read_align;

	if (!sector || sector > req->grain)
		sector = req->grain;
	if (!is_medium_error(err) || req->piece_len <= sector)
		return err;
	req->piece_max = sl_round_down(req->piece_len / 2, sector);
	if (req->piece_max < sector)
		req->piece_max = sector;
	if (req->piece_max < req->grain)
		req->grain = sector;
	return direct_go(req);
}

static int short_landed(struct sl_file_req *req, uint64_t bytes)
{
	int rc = sl_short_read(req, req->piece_off + bytes);

	if (rc == SL_REQUEST_GOES_ON)
		return submit_piece(req);
	take(req, bytes);
	return rc;
}

static int read_landed(struct sl_file_req *req)
{
	int64_t res = req->op.res;

	if (req->piece_len == 0)
		return 0;
	if (req->step == WHOLE)
		return whole_landed(req);
	if (res < 0) {
		take(req, req->op.done_len);
		return salvage(req, (int)res);
	}
	if ((uint64_t)res < req->piece_len)
		return short_landed(req, (uint64_t)res);
	req->tries = 0;
	take(req, req->piece_len);
	return read_go(req);
}

const struct request_kind sl_request_read = {
	.range = read_range,
	.go = read_go,
	.landed = read_landed,
};
