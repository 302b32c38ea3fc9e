/* SPDX-License-Identifier: MIT */
/*
 * reader.c - the durable records of an open log, read from its file, to the tail and on with it.
 *
 * A window of the file is read at a time. What lies behind the durable end may be
 * changing while it is read, so of a window counts only what was durable when the
 * read began.
 */
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "store/wal/log.h"

struct sl_wal_reader {
	struct sl_wal *wal;
	struct sl_wal_reader *next;
	struct sl_wal_reader_opts opts;
	struct wal_cursor cursor;
	uint64_t start; /* LSN of the window */
	uint64_t end;	/* what counts of it */
	uint64_t asked_end;
	bool news;
	int32_t error;
	size_t window_bytes;
	unsigned char *window;
	struct sl_file_req req;
};

void wal_tell_readers(struct sl_wal *wal)
{
	struct sl_wal_reader *reader, *next;

	for (reader = wal->readers; reader; reader = next) {
		bool more = reader->cursor.pos < wal->durable || wal->error;

		next = reader->next;
		if (reader->news && more && !sl_file_req_busy(&reader->req)) {
			reader->news = false;
			if (reader->opts.ready)
				reader->opts.ready(reader, reader->opts.ctx);
		}
	}
}

static bool is_gone(const struct sl_wal_reader *reader)
{
	return wal_seq(&reader->wal->shape, reader->cursor.pos) < reader->wal->first_seq;
}

static void read_done(struct sl_file *file, struct sl_file_req *req)
{
	struct sl_wal_reader *reader = req->user;
	struct sl_wal *wal = reader->wal;

	(void)file;
	if (req->res < 0)
		reader->error = (int32_t)req->res;
	else if (req->done_len < req->len)
		reader->error = -EBADMSG;
	/* The segment may have been taken over meanwhile. */
	if (wal_file_off(wal, reader->start) == req->off)
		reader->end = reader->asked_end;
	if (reader->opts.ready && reader->news) {
		reader->news = false;
		reader->opts.ready(reader, reader->opts.ctx);
	}
}

/* Reads the window at the cursor: -EAGAIN while it is on its way. */
static int load(struct sl_wal_reader *reader)
{
	struct sl_wal *wal = reader->wal;
	uint64_t start = sl_round_down(reader->cursor.pos, wal->shape.block_bytes);
	uint64_t end = wal_segment_end(&wal->shape, reader->cursor.pos);
	int rc;

	if (sl_file_req_busy(&reader->req))
		return -EAGAIN;
	reader->req.off = wal_file_off(wal, start);
	if (!reader->req.off)
		return -ENOENT;
	if (end > wal->durable)
		end = wal->durable;
	if (end - start > reader->window_bytes)
		end = start + reader->window_bytes;
	reader->start = start;
	reader->end = start;
	reader->asked_end = end;
	reader->req.buf = reader->window;
	reader->req.len = sl_round_up(end - start, wal->shape.block_bytes);
	reader->req.done = read_done;
	reader->req.user = reader;
	rc = sl_file_read(wal->file, &reader->req);
	return rc < 0 ? rc : -EAGAIN;
}

static void give(struct sl_wal_reader *reader, const void *at,
		 const struct wal_record_header *header, struct sl_wal_record *ret)
{
	*ret = (struct sl_wal_record){
		.lsn = header->lsn,
		.next_lsn = reader->cursor.pos,
		.durable_lsn = header->durable,
		.epoch = header->epoch,
		.kind = header->kind,
		.len = header->len,
		.data = (const char *)at + sizeof(*header),
		.off = wal_file_off(reader->wal, header->lsn),
	};
}

/* One step: 1 with a data record, 0 to go on, -EAGAIN to wait, or an error. */
static int step(struct sl_wal_reader *reader, struct sl_wal_record *ret_record)
{
	struct sl_wal *wal = reader->wal;
	struct wal_record_header header;
	uint64_t pos = reader->cursor.pos;
	const unsigned char *at;
	int rc;

	if (reader->error)
		return reader->error;
	if (is_gone(reader))
		return -ENOENT;
	if (pos >= wal->durable)
		return wal->error ? wal->error : -EAGAIN;
	if (sl_file_req_busy(&reader->req) || pos < reader->start || pos >= reader->end)
		return load(reader);
	at = reader->window + (pos - reader->start);
	rc = wal_cursor_step(&reader->cursor, &wal->shape, at, reader->end - pos, &header);
	if (rc == -EMSGSIZE && reader->start != sl_round_down(pos, wal->shape.block_bytes))
		return load(reader);
	/* Writes end where the durable end once was: no record of theirs reaches over it. */
	if (rc == -EMSGSIZE)
		rc = wal_cursor_broken(&reader->cursor, &wal->shape);
	if (rc == -ENODATA) {
		reader->error = -EBADMSG;
		return reader->error;
	}
	if (rc != WAL_CURSOR_RECORD || header.kind != SL_WAL_DATA)
		return 0;
	give(reader, at, &header, ret_record);
	return 1;
}

/* Whether anything is on its way that could become a record for the reader. */
static bool is_hopeless(const struct sl_wal_reader *reader)
{
	const struct sl_wal *wal = reader->wal;

	return reader->cursor.pos >= wal->durable && !wal->writing && !wal_is_asked_for(wal) &&
	       !sl_file_req_busy(&reader->req);
}

int sl_wal_reader_next(struct sl_wal_reader *reader, int64_t deadline_ns,
		       struct sl_wal_record *ret_record)
{
	struct sl_ring *ring = reader->wal->ring;
	int rc;

	for (;;) {
		do
			rc = step(reader, ret_record);
		while (rc == 0);
		if (rc != -EAGAIN)
			return rc < 0 ? rc : 0;
		reader->news = true;
		if (deadline_ns == SL_RING_POLL || (deadline_ns == 0 && is_hopeless(reader)))
			return -EAGAIN;
		rc = sl_ring_run(ring, deadline_ns);
		if (rc < 0)
			return rc;
		if (deadline_ns && sl_ring_clock(ring) >= deadline_ns)
			deadline_ns = SL_RING_POLL;
	}
}

static int check_start(const struct sl_wal *wal, uint64_t lsn)
{
	if (lsn < wal->first)
		return -ENOENT;
	if (lsn > wal->durable || lsn % WAL_ALIGN ||
	    lsn % wal->shape.segment_bytes < wal->shape.block_bytes)
		return -EINVAL;
	return 0;
}

int sl_wal_reader_open(struct sl_wal *wal, const struct sl_wal_reader_opts *opts,
		       struct sl_wal_reader **ret_reader)
{
	const struct sl_allocator *allocator = sl_ring_allocator(wal->ring);
	struct sl_wal_reader *reader;
	uint64_t lsn = opts && opts->lsn ? opts->lsn : wal->first;
	size_t bytes = (size_t)wal->shape.buffer_bytes + wal->shape.block_bytes;
	int rc = check_start(wal, lsn);

	if (opts && !sl_opts_known(opts, opts->size, sizeof(*opts)))
		return -EINVAL;
	if (rc < 0)
		return rc;
	reader = allocator->alloc(allocator->ctx, sizeof(*reader), 64);
	if (!reader)
		return -ENOMEM;
	*reader = (struct sl_wal_reader){ .wal = wal, .window_bytes = bytes };
	if (opts)
		reader->opts = *opts;
	reader->cursor.pos = lsn;
	reader->news = true;
	reader->window = allocator->alloc(allocator->ctx, bytes, WAL_BLOCK_MIN);
	if (!reader->window) {
		allocator->free(allocator->ctx, reader, sizeof(*reader));
		return -ENOMEM;
	}
	memset(reader->window, 0, bytes);
	reader->next = wal->readers;
	wal->readers = reader;
	*ret_reader = reader;
	return 0;
}

static void unlink_reader(struct sl_wal_reader *reader)
{
	struct sl_wal_reader **link = &reader->wal->readers;

	while (*link != reader)
		link = &(*link)->next;
	*link = reader->next;
}

void sl_wal_reader_close(struct sl_wal_reader *reader)
{
	const struct sl_allocator *allocator;

	if (!reader)
		return;
	allocator = sl_ring_allocator(reader->wal->ring);
	reader->opts.ready = NULL;
	while (sl_file_req_busy(&reader->req)) {
		/* In a forked child the request is the parent's. */
		if (sl_ring_run(reader->wal->ring, 0) < 0)
			break;
	}
	unlink_reader(reader);
	allocator->free(allocator->ctx, reader->window, reader->window_bytes);
	allocator->free(allocator->ctx, reader, sizeof(*reader));
}
