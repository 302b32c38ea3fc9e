/* SPDX-License-Identifier: MIT */
/*
 * scan.c - from the first record of a log to its end, and whether that is where it may end.
 *
 * The end is the first address where no record of the epoch follows, and no new
 * epoch either that says the one before ended there. It is a torn tail if nothing
 * behind it says otherwise; these do:
 *
 *  - a header of a segment that is only made ready once the segment of the end
 *    is durable in full;
 *  - a record further on, at the start of a block (every write begins there),
 *    that was appended when addresses behind the end were durable already;
 *  - a record behind the end in a segment whose header does not read: the header
 *    was durable before it.
 *
 * Then acknowledged records are missing, and the log is damaged.
 */
#include "store/wal/scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static int verdict(struct wal_scan *scan, unsigned what, uint64_t off, const char *why)
{
	scan->report->verdict = what;
	scan->report->bad_off = off;
	snprintf(scan->report->why, sizeof(scan->report->why), "%s", why);
	switch (what) {
	case SL_WAL_DAMAGED:
		return -EBADMSG;
	case SL_WAL_FOREIGN:
		return -EILSEQ;
	case SL_WAL_FUTURE:
		return -EOPNOTSUPP;
	default:
		return 0;
	}
}

static int damaged(struct wal_scan *scan, uint64_t off, const char *why)
{
	return verdict(scan, SL_WAL_DAMAGED, off, why);
}

/* A medium error must not be taken for what we say of a format. */
static int read_error(int err)
{
	bool ours = err == -ENODATA || err == -EILSEQ || err == -EBADMSG || err == -EOPNOTSUPP;

	return ours ? -EIO : err;
}

/* len bytes at off into the window; what the file lacks reads as zeros. */
static int load(struct wal_scan *scan, uint64_t off, uint64_t len)
{
	int64_t got;

	if (len > scan->window_bytes)
		len = scan->window_bytes;
	scan->window_len = 0;
	got = scan->source->read(scan->source->ctx, scan->window, len, off);
	if (got < 0)
		return read_error((int)got);
	memset(scan->window + got, 0, len - (uint64_t)got);
	scan->window_off = off;
	scan->window_len = len;
	return 0;
}

/* ---- headers ------------------------------------------------------------------------ */

static int read_file_header(struct wal_scan *scan)
{
	struct sl_wal_report *report = scan->report;
	int rc;

	if (scan->source->size == 0)
		return verdict(scan, SL_WAL_FOREIGN, 0, "the file is empty");
	rc = load(scan, 0, WAL_BLOCK_MIN);
	if (rc < 0)
		return rc;
	rc = wal_file_header_get(scan->window, &scan->shape, &report->version);
	if (rc == -EILSEQ)
		return verdict(scan, SL_WAL_FOREIGN, 0, "it does not begin as a log does");
	if (rc == -EOPNOTSUPP)
		return verdict(scan, SL_WAL_FUTURE, 0,
			       "its format is of a later version than this program knows");
	if (rc == -EBADMSG)
		return damaged(scan, 0, "the checksum of the file header does not match");
	report->block_bytes = scan->shape.block_bytes;
	report->buffer_bytes = scan->shape.buffer_bytes;
	report->segment_bytes = scan->shape.segment_bytes;
	report->log_id = scan->shape.log_id;
	return 0;
}

static int read_segment_header(struct wal_scan *scan, uint32_t slot)
{
	uint64_t off = wal_slot_off(&scan->shape, slot);
	struct wal_slot *entry = &scan->slots[slot];
	struct wal_segment_header header;
	int rc = load(scan, off, WAL_BLOCK_MIN);

	if (rc < 0 || !wal_segment_header_get(scan->window, &scan->shape, slot, &header))
		return rc;
	entry->seq = header.seq;
	entry->first_seq = header.first_seq;
	entry->slots = header.slots;
	/* The records of an epoch may all be truncated: its number must stay taken. */
	if (header.epoch > scan->report->epoch)
		scan->report->epoch = header.epoch;
	if (header.slots > scan->nr_slots)
		return damaged(scan, scan->source->size, "the file was cut: segments are missing");
	if (header.seq > scan->newest_seq) {
		scan->newest_seq = header.seq;
		scan->first_seq = header.first_seq;
	}
	return 0;
}

static const struct wal_slot *slot_of(const struct wal_scan *scan, uint64_t seq)
{
	for (uint32_t i = 0; i < scan->nr_slots; i++) {
		if (scan->slots[i].seq == seq)
			return &scan->slots[i];
	}
	return NULL;
}

/* Where in the file an address of a segment that is there lies. */
static uint64_t off_of(const struct wal_scan *scan, uint64_t lsn)
{
	const struct wal_slot *slot = slot_of(scan, wal_seq(&scan->shape, lsn));

	SL_ASSERT(slot);
	return wal_slot_off(&scan->shape, (uint64_t)(slot - scan->slots)) +
	       lsn % scan->shape.segment_bytes;
}

/* From the oldest segment that is needed to the newest, each is there once. */
static int check_segments(struct wal_scan *scan)
{
	uint64_t live = scan->newest_seq - scan->first_seq + 1;
	uint64_t found = 0;

	if (!scan->newest_seq)
		return damaged(scan, wal_slot_off(&scan->shape, 0),
			       "no segment has a header that can be read");
	for (uint32_t i = 0; i < scan->nr_slots; i++) {
		const struct wal_slot *slot = &scan->slots[i];

		if (!slot->seq || slot->seq < scan->first_seq)
			continue;
		if (slot_of(scan, slot->seq) != slot)
			return damaged(scan, wal_slot_off(&scan->shape, i),
				       "two segments have the same number");
		found++;
	}
	if (found != live)
		return damaged(scan, 0, "a segment that is still needed has lost its header");
	scan->report->segments_live = (uint32_t)live;
	scan->report->first_lsn = wal_seq_start(&scan->shape, scan->first_seq);
	return 0;
}

static int take_window(struct wal_scan *scan, size_t bytes)
{
	const struct sl_allocator *allocator = scan->allocator;

	if (scan->window)
		allocator->free(allocator->ctx, scan->window, scan->window_bytes);
	scan->window = allocator->alloc(allocator->ctx, bytes, WAL_BLOCK_MIN);
	scan->window_bytes = bytes;
	scan->window_len = 0;
	return scan->window ? 0 : -ENOMEM;
}

static int take_slots(struct wal_scan *scan)
{
	const struct sl_allocator *allocator = scan->allocator;
	uint64_t block = scan->shape.block_bytes;
	uint64_t nr = (scan->source->size - (scan->source->size < block ? 0 : block)) /
		      scan->shape.segment_bytes;

	if (scan->source->size < block || nr == 0)
		return damaged(scan, scan->source->size, "the file was cut: no segment is left");
	if (nr > WAL_SEGMENTS_MAX)
		return damaged(scan, 0, "the file has more segments than a log can have");
	scan->nr_slots = (uint32_t)nr;
	scan->report->segments = (uint32_t)nr;
	scan->slots = allocator->alloc(allocator->ctx, nr * sizeof(*scan->slots), 64);
	if (!scan->slots)
		return -ENOMEM;
	memset(scan->slots, 0, nr * sizeof(*scan->slots));
	return 0;
}

int wal_scan_init(struct wal_scan *scan, const struct wal_source *source,
		  const struct sl_allocator *allocator, struct sl_wal_report *report)
{
	int rc;

	*scan = (struct wal_scan){ .allocator = allocator, .source = source, .report = report };
	*report = (struct sl_wal_report){ 0 };
	rc = take_window(scan, WAL_BLOCK_MIN);
	if (rc == 0)
		rc = read_file_header(scan);
	if (rc == 0)
		rc = take_slots(scan);
	for (uint32_t i = 0; rc == 0 && i < scan->nr_slots; i++)
		rc = read_segment_header(scan, i);
	if (rc == 0)
		rc = check_segments(scan);
	if (rc == 0)
		rc = take_window(scan, (size_t)scan->shape.buffer_bytes + scan->shape.block_bytes);
	return rc;
}

void wal_scan_fini(struct wal_scan *scan)
{
	const struct sl_allocator *allocator = scan->allocator;

	if (scan->window)
		allocator->free(allocator->ctx, scan->window, scan->window_bytes);
	if (scan->slots)
		allocator->free(allocator->ctx, scan->slots, scan->nr_slots * sizeof(*scan->slots));
	scan->window = NULL;
	scan->slots = NULL;
}

/* ---- records ------------------------------------------------------------------------ */

/* The bytes at lsn, up to the end of the window; all that can belong to a record
 * there if it was read anew. */
static int look(struct wal_scan *scan, uint64_t lsn, bool anew, const void **ret_at,
		uint64_t *ret_avail)
{
	uint64_t off = off_of(scan, lsn);
	int rc;

	if (anew || off < scan->window_off || off >= scan->window_off + scan->window_len) {
		uint64_t start = sl_round_down(lsn, scan->shape.block_bytes);

		rc = load(scan, off - (lsn - start), wal_segment_end(&scan->shape, lsn) - start);
		if (rc < 0)
			return rc;
	}
	*ret_at = scan->window + (off - scan->window_off);
	*ret_avail = scan->window_len - (off - scan->window_off);
	return 0;
}

static int tell(struct wal_scan *scan, const void *at, const struct wal_record_header *header,
		sl_wal_record_fn *fn, void *ctx)
{
	struct sl_wal_record record = {
		.lsn = header->lsn,
		.next_lsn = scan->cursor.pos,
		.durable_lsn = header->durable,
		.epoch = header->epoch,
		.kind = header->kind,
		.len = header->len,
		.data = (const char *)at + sizeof(*header),
		.off = off_of(scan, header->lsn),
	};

	if (header->kind == SL_WAL_DATA) {
		scan->report->records++;
		scan->report->data_bytes += header->len;
	}
	if (header->slots > scan->nr_slots)
		return damaged(scan, scan->source->size, "the file was cut: segments are missing");
	return fn ? fn(ctx, &record) : 0;
}

static int walk(struct wal_scan *scan, sl_wal_record_fn *fn, void *ctx)
{
	struct wal_record_header header;
	const void *at;
	uint64_t avail;
	bool anew = false;
	int rc;

	for (;;) {
		if (wal_seq(&scan->shape, scan->cursor.pos) > scan->newest_seq) {
			wal_cursor_end(&scan->cursor);
			return 0;
		}
		rc = look(scan, scan->cursor.pos, anew, &at, &avail);
		if (rc < 0)
			return rc;
		rc = wal_cursor_step(&scan->cursor, &scan->shape, at, avail, &header);
		if (rc == -ENODATA)
			return 0;
		SL_ASSERT(rc != -EMSGSIZE || !anew);
		anew = rc == -EMSGSIZE;
		if (rc == WAL_CURSOR_RECORD)
			rc = tell(scan, at, &header, fn, ctx);
		if (rc && rc != -EMSGSIZE && rc != WAL_CURSOR_JUMPED)
			return rc;
	}
}

/* ---- behind the end ----------------------------------------------------------------- */

/* Something that reads as a record, found where the log should have ended. */
static int judge_record(struct wal_scan *scan, uint64_t off, const struct wal_record_header *header)
{
	if (header->durable > scan->cursor.pos)
		return damaged(scan, off,
			       "a record behind the end says that more was durable before it");
	if (header->epoch == scan->cursor.epoch)
		scan->torn = true;
	return 0;
}

/* Every block from lsn to the end of its segment. */
static int search_segment(struct wal_scan *scan, uint64_t lsn)
{
	uint64_t end = wal_segment_end(&scan->shape, lsn);

	for (; lsn < end; lsn += scan->shape.block_bytes) {
		struct wal_record_header header;
		const void *at;
		uint64_t avail;
		int rc = look(scan, lsn, false, &at, &avail);

		if (rc == 0)
			rc = wal_record_get(at, avail, lsn, &scan->shape, &header);
		if (rc == -EMSGSIZE) {
			rc = look(scan, lsn, true, &at, &avail);
			if (rc == 0)
				rc = wal_record_get(at, avail, lsn, &scan->shape, &header);
		}
		if (rc == -ENODATA)
			continue;
		if (rc == 0)
			rc = judge_record(scan, off_of(scan, lsn), &header);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Whether a record of this log behind its end is where there is no header: 0;
 * -ENODATA: none; -EMSGSIZE: more bytes must be seen. */
static int orphan_at(const struct wal_scan *scan, uint64_t off, uint64_t inside)
{
	const unsigned char *at = scan->window + (off - scan->window_off);
	uint64_t avail = scan->window_len - (off - scan->window_off);
	struct wal_record_header header;

	memcpy(&header, at, sizeof(header));
	if (header.lsn < scan->cursor.pos || header.lsn % scan->shape.segment_bytes != inside)
		return -ENODATA;
	return wal_record_get(at, avail, header.lsn, &scan->shape, &header);
}

static int search_orphans(struct wal_scan *scan, uint32_t slot)
{
	uint64_t base = wal_slot_off(&scan->shape, slot);
	uint64_t block = scan->shape.block_bytes;

	for (uint64_t inside = block; inside < scan->shape.segment_bytes; inside += block) {
		uint64_t off = base + inside;
		uint64_t left = scan->shape.segment_bytes - inside;
		int found = -EMSGSIZE;
		int rc = 0;

		if (off >= scan->window_off && off < scan->window_off + scan->window_len)
			found = orphan_at(scan, off, inside);
		if (found == -EMSGSIZE) {
			rc = load(scan, off, left);
			found = rc < 0 ? rc : orphan_at(scan, off, inside);
		}
		if (rc < 0)
			return rc;
		if (found == 0)
			return damaged(scan, base, "a segment with newer records lost its header");
	}
	return 0;
}

/* Whether what lies at the end was to be a record of this epoch. */
static int look_at_end(struct wal_scan *scan)
{
	struct wal_record_header header;
	const void *at;
	uint64_t avail;
	int rc = look(scan, scan->cursor.pos, false, &at, &avail);

	if (rc < 0)
		return rc;
	memcpy(&header, at, sizeof(header));
	if (header.lsn == scan->cursor.pos && header.epoch >= scan->cursor.epoch)
		scan->torn = true;
	return 0;
}

static int search_behind(struct wal_scan *scan)
{
	uint64_t end = scan->cursor.pos;
	uint64_t seq = wal_seq(&scan->shape, end);
	uint64_t block = wal_normal(&scan->shape, sl_round_up(end, scan->shape.block_bytes));
	int rc = 0;

	if (seq + 1 < scan->newest_seq)
		return damaged(scan, off_of(scan, end),
			       "the log breaks off before its newest segments");
	if (seq <= scan->newest_seq)
		rc = look_at_end(scan);
	if (rc == 0 && wal_seq(&scan->shape, block) == seq && seq <= scan->newest_seq)
		rc = search_segment(scan, block);
	if (rc == 0 && seq < scan->newest_seq)
		rc = search_segment(scan, wal_seq_start(&scan->shape, seq + 1));
	for (uint32_t i = 0; rc == 0 && i < scan->nr_slots; i++) {
		if (!scan->slots[i].seq)
			rc = search_orphans(scan, i);
	}
	return rc;
}

int wal_scan_run(struct wal_scan *scan, sl_wal_record_fn *fn, void *ctx)
{
	uint64_t inside;
	int rc;

	scan->cursor = (struct wal_cursor){ .pos = scan->report->first_lsn };
	rc = walk(scan, fn, ctx);
	if (rc)
		return rc;
	scan->report->end_lsn = scan->cursor.pos;
	if (scan->cursor.epoch > scan->report->epoch)
		scan->report->epoch = scan->cursor.epoch;
	rc = search_behind(scan);
	if (rc < 0)
		return rc;
	inside = scan->cursor.pos & (scan->shape.block_bytes - 1);
	if (!inside && !scan->torn)
		return 0;
	return verdict(scan, SL_WAL_TORN, 0,
		       "a write at the end never ended; nobody was told that it had");
}
