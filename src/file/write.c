/*
 * write.c - writes: aligned parts in place, edges by read-modify-write, a tail padded and trimmed.
 *
 *	       +--> IN_PLACE ----+
 *	go ----+--> COPY --------+--> go ... pos == end --> [TRIM --> TRIM_SYNC] --> end
 *	       +--> EDGE_READ    |
 *	       |        v        |
 *	       +--> EDGE_WRITE --+       an error goes to TRIM as well
 *
 * Invariants:
 *  W1. Every op on a direct file has offset, length and memory aligned, and a
 *      whole block is what is modified.
 *  W2. A block is padded beyond the end of the file only while the range is held
 *      from that block to the end of the file, so no other request of this
 *      object sees the padding or writes behind it before it is trimmed.
 *  W3. Bytes of an edge that were not read and are not the caller's are zeros.
 */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "file/file.h"

#define IN_PLACE_MAX (UINT64_C(1) << 30)
#define ZERO_BYTES   4096

enum write_step {
	WHOLE, /* buffered: one op does it all */
	ZEROS, /* buffered: a run of zeros */
	IN_PLACE,
	COPY,
	EDGE_READ,
	EDGE_WRITE,
	TRIM,
	TRIM_SYNC,
};

static const unsigned char zeros[ZERO_BYTES];

#define ZERO_IOV                                     \
	{                                            \
		(void *)(uintptr_t)zeros, ZERO_BYTES \
	}
#define ZERO_IOV_4  ZERO_IOV, ZERO_IOV, ZERO_IOV, ZERO_IOV
#define ZERO_IOV_16 ZERO_IOV_4, ZERO_IOV_4, ZERO_IOV_4, ZERO_IOV_4

static const struct iovec zero_iov[16] = { ZERO_IOV_16 };

/* The caller's bytes at pos; NULL where zeros are to be written. */
static const unsigned char *source(const struct sl_file_req *req)
{
	if (req->code == SL_FILE_ALLOCATE)
		return NULL;
	return (const unsigned char *)req->buf + (req->pos - req->off);
}

static bool is_durable(const struct sl_file_req *req)
{
	return req->code == SL_FILE_WRITE && (req->file->dsync || (req->flags & SL_FILE_DSYNC));
}

/* Whether the block of pos, one end of the request, will be padded. */
static bool is_padded(const struct sl_file_req *req, uint64_t pos)
{
	uint64_t inside = pos & (req->grain - 1);

	return inside && pos - inside + req->grain > req->size;
}

/* Whole blocks, and all behind them too if one must be padded (W2). */
static int direct_range(struct sl_file_req *req)
{
	int rc = 0;

	if ((req->off | req->end) & (req->grain - 1))
		rc = sl_request_size(req);
	req->range.start = sl_round_down(req->off, req->grain);
	req->range.end = sl_round_up(req->end, req->grain);
	if (is_padded(req, req->off) || is_padded(req, req->end))
		req->range.end = SL_FILE_BEYOND;
	return rc;
}

/* Durable buffered writes go one by one, like syncs: the kernel reports a lost
 * page to one of them only. */
static int write_range(struct sl_file_req *req)
{
	req->range.exclusive = 1;
	if (req->len == 0)
		return 0;
	if (sl_file_is_direct(req->file))
		return direct_range(req);
	if (is_durable(req)) {
		req->range.start = SL_FILE_BEYOND;
		req->range.end = SL_FILE_BEYOND + 1;
	}
	return 0;
}

static int submit_write(struct sl_file_req *req, const void *memory)
{
	sl_op_write(&req->op, req->file->fd, memory, req->piece_len, req->piece_off);
	if (is_durable(req))
		req->op.flags |= SL_OP_DSYNC;
	if (req->file->io == SL_FILE_DONTCACHE)
		req->op.flags |= SL_OP_DONTCACHE;
	return sl_request_submit(req);
}

/* ---- buffered ----------------------------------------------------------------------- */

static int whole_go(struct sl_file_req *req)
{
	req->step = WHOLE;
	req->piece_off = req->off;
	req->piece_len = req->len;
	return submit_write(req, req->buf);
}

static int zeros_go(struct sl_file_req *req)
{
	uint64_t left = req->end - req->pos;
	unsigned nr = 16;

	req->step = ZEROS;
	req->piece_off = req->pos;
	if (left < sizeof(zeros)) {
		req->piece_len = left;
		return submit_write(req, zeros);
	}
	if (left / sizeof(zeros) < nr)
		nr = (unsigned)(left / sizeof(zeros));
	req->piece_len = nr * sizeof(zeros);
	sl_op_writev(&req->op, req->file->fd, zero_iov, nr, req->pos);
	return sl_request_submit(req);
}

/* ---- direct ------------------------------------------------------------------------- */

static bool fits_in_place(const struct sl_file_req *req)
{
	const unsigned char *from = source(req);

	return from && !((uintptr_t)from & (req->file->mem_align - 1));
}

static int in_place_go(struct sl_file_req *req)
{
	uint64_t len = req->end - req->pos;

	req->step = IN_PLACE;
	req->piece_off = req->pos;
	req->piece_len = sl_round_down(len < IN_PLACE_MAX ? len : IN_PLACE_MAX, req->grain);
	return submit_write(req, source(req));
}

static void fill(unsigned char *to, const unsigned char *from, uint64_t len)
{
	if (from)
		memcpy(to, from, len);
	else
		memset(to, 0, len);
}

static int copy_go(struct sl_file_req *req)
{
	uint64_t len = req->end - req->pos;

	if (len > req->file->bounce.bytes)
		len = req->file->bounce.bytes;
	req->file->bounced++;
	req->step = COPY;
	req->piece_off = req->pos;
	req->piece_len = sl_round_down(len, req->grain);
	fill(req->bounce, source(req), req->piece_len);
	return submit_write(req, req->bounce);
}

/* How much of the edge's block is in the file. */
static uint64_t edge_valid(const struct sl_file_req *req)
{
	if (req->size <= req->piece_off)
		return 0;
	return req->size - req->piece_off < req->grain ? req->size - req->piece_off : req->grain;
}

static int edge_write(struct sl_file_req *req)
{
	uint64_t head = req->pos - req->piece_off;
	uint64_t len = req->piece_len - head;

	if (len > req->end - req->pos)
		len = req->end - req->pos;
	fill(req->bounce + head, source(req), len);
	if (req->piece_off + req->piece_len > req->size)
		req->padded_end = req->piece_off + req->piece_len;
	req->step = EDGE_WRITE;
	return submit_write(req, req->bounce);
}

static int edge_read(struct sl_file_req *req)
{
	req->step = EDGE_READ;
	sl_op_read(&req->op, req->file->fd, req->bounce, req->piece_len, req->piece_off);
	req->op.flags |= SL_OP_PARTIAL;
	return sl_request_submit(req);
}

static int edge_go(struct sl_file_req *req)
{
	uint64_t valid, head;

	req->file->bounced++;
	req->piece_off = sl_round_down(req->pos, req->grain);
	req->piece_len = req->grain;
	head = req->pos - req->piece_off;
	valid = edge_valid(req);
	if (valid == 0 || (head == 0 && req->end - req->pos >= valid)) {
		memset(req->bounce, 0, req->piece_len);
		return edge_write(req);
	}
	if (!req->file->edges_readable)
		return -EOPNOTSUPP;
	req->file->edges++;
	return edge_read(req);
}

static int edge_read_landed(struct sl_file_req *req)
{
	int64_t res = req->op.res;
	int rc;

	if (res < 0)
		return (int)res;
	if ((uint64_t)res != edge_valid(req)) {
		/* Another program has resized the file: what is there now counts. */
		rc = sl_short_read(req, req->piece_off + (uint64_t)res);
		if (rc < 0)
			return rc;
		if (rc == SL_REQUEST_GOES_ON && (uint64_t)res < edge_valid(req))
			return edge_read(req);
	}
	memset(req->bounce + res, 0, req->piece_len - (uint64_t)res);
	return edge_write(req);
}

static int direct_go(struct sl_file_req *req)
{
	bool whole = !(req->pos & (req->grain - 1)) && req->end - req->pos >= req->grain;

	if (whole && fits_in_place(req))
		return in_place_go(req);
	if (!sl_request_bounce(req))
		return SL_REQUEST_GOES_ON;
	return whole ? copy_go(req) : edge_go(req);
}

/* ---- the end ------------------------------------------------------------------------ */

/* Cuts off padding, if there is any. req->res has been the verdict since. */
static int trim(struct sl_file_req *req)
{
	uint64_t true_end = req->size > req->pos ? req->size : req->pos;

	if (req->padded_end <= true_end || req->file->found.kind == SL_DESC_BLOCK)
		return (int)req->res;
	req->step = TRIM;
	sl_op_truncate(&req->op, req->file->fd, true_end);
	return sl_request_submit(req);
}

static int trim_landed(struct sl_file_req *req)
{
	int err = (int)(req->op.res < 0 ? req->op.res : 0);

	if (req->step == TRIM && !err && is_durable(req)) {
		req->step = TRIM_SYNC;
		sl_op_fdatasync(&req->op, req->file->fd);
		return sl_request_submit(req);
	}
	if (req->step == TRIM_SYNC && err)
		err = sl_file_poison_with(req->file, err);
	return req->res < 0 ? (int)req->res : err;
}

static int failed(struct sl_file_req *req, int err)
{
	struct sl_file *file = req->file;

	if (err == -EOPNOTSUPP && file->io == SL_FILE_DONTCACHE && !file->require) {
		file->io = SL_FILE_BUFFERED;
		return sl_write_go(req);
	}
	if (is_durable(req))
		err = sl_file_poison_with(file, err);
	req->res = err;
	return trim(req);
}

int sl_write_go(struct sl_file_req *req)
{
	int rc;

	if (req->file->poison)
		req->res = req->file->poison;
	if (req->pos == req->end || req->res < 0)
		return trim(req);
	if (sl_file_is_direct(req->file))
		rc = direct_go(req);
	else
		rc = req->code == SL_FILE_ALLOCATE ? zeros_go(req) : whole_go(req);
	if (rc >= 0 || req->padded_end == 0)
		return rc;
	req->res = rc;
	return trim(req);
}

static int piece_landed(struct sl_file_req *req)
{
	sl_request_advance(req, req->op.done_len);
	if (req->op.res < 0)
		return failed(req, (int)req->op.res);
	if (req->op.done_len < req->piece_len)
		return failed(req, -EIO);
	req->tries = 0;
	return sl_write_go(req);
}

int sl_write_landed(struct sl_file_req *req)
{
	if (req->piece_len == 0)
		return 0;
	if (req->step == TRIM || req->step == TRIM_SYNC)
		return trim_landed(req);
	if (req->step == EDGE_READ) {
		int rc = edge_read_landed(req);

		return rc < 0 ? failed(req, rc) : rc;
	}
	return piece_landed(req);
}

const struct request_kind sl_request_write = {
	.range = write_range,
	.go = sl_write_go,
	.landed = sl_write_landed,
};
