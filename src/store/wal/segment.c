/* SPDX-License-Identifier: MIT */
/*
 * segment.c - segments made ready ahead of need, used again, and told to the archiver.
 *
 *	idle --> [grow: zeros behind the end --> sync] --> header, durably --> ready
 *	  ^      only if no segment is free                                     |
 *	  +---------------------------------------------------------------------+
 *
 * A segment is free when it lies before the oldest one needed. The header that
 * takes it over says in the same block which one that is, so a power cut leaves
 * the old segment or a log that does not need it.
 */
#include <errno.h>

#include "base/assert.h"
#include "store/wal/log.h"

uint64_t wal_file_off(const struct sl_wal *wal, uint64_t lsn)
{
	uint64_t seq = wal_seq(&wal->shape, lsn);

	for (uint32_t i = 0; i < wal->nr_slots; i++) {
		if (wal->slots[i].seq == seq)
			return wal_slot_off(&wal->shape, i) + lsn % wal->shape.segment_bytes;
	}
	return 0;
}

static bool is_free(const struct sl_wal *wal, uint32_t slot)
{
	return wal->slots[slot].seq < wal->first_seq;
}

uint32_t wal_segments_free(const struct sl_wal *wal)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < wal->nr_slots; i++)
		nr += is_free(wal, i);
	return nr;
}

static bool is_no_space(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

static void prepare_done(struct sl_file *file, struct sl_file_req *req);

/* Submits the step; a ring without room makes it wait for the next occasion. */
static void go(struct sl_wal *wal, enum wal_prepare step,
	       int (*submit)(struct sl_file *file, struct sl_file_req *req))
{
	int rc;

	wal->prepare.done = prepare_done;
	wal->prepare.user = wal;
	rc = submit(wal->file, &wal->prepare);
	wal->preparing = rc < 0 ? WAL_PREPARE_IDLE : step;
	if (rc < 0 && rc != -EAGAIN)
		wal->prepare_err = rc;
}

/* How many segments of the file are in use once this one is. */
static uint32_t used_with(const struct sl_wal *wal, uint32_t slot)
{
	return slot < wal->slots_used ? wal->slots_used : slot + 1;
}

static void write_header(struct sl_wal *wal)
{
	struct wal_segment_header header = {
		.seq = wal->newest_seq + 1,
		.first_seq = wal->first_seq,
		.epoch = wal->epoch,
		.slot = wal->prepare_slot,
		.slots = used_with(wal, wal->prepare_slot),
	};

	wal->slots[wal->prepare_slot] = (struct wal_slot){ .seq = 0 };
	wal_segment_header_put(wal->header, &wal->shape, &header);
	wal->prepare.buf = wal->header;
	wal->prepare.len = wal->shape.block_bytes;
	wal->prepare.off = wal_slot_off(&wal->shape, wal->prepare_slot);
	wal->prepare.flags = SL_FILE_DSYNC;
	go(wal, WAL_PREPARE_HEADER, sl_file_write);
}

static void sync_growth(struct sl_wal *wal)
{
	wal->prepare.buf = NULL;
	wal->prepare.len = 0;
	wal->prepare.off = 0;
	wal->prepare.flags = 0;
	go(wal, WAL_PREPARE_SYNC, sl_file_sync);
}

static void grow(struct sl_wal *wal)
{
	wal->prepare_slot = wal->nr_slots;
	wal->prepare.buf = NULL;
	wal->prepare.len = wal->shape.segment_bytes;
	wal->prepare.off = wal_slot_off(&wal->shape, wal->nr_slots);
	wal->prepare.flags = SL_FILE_ZEROED;
	go(wal, WAL_PREPARE_GROW, sl_file_allocate);
}

static void grown(struct sl_wal *wal)
{
	wal->slots[wal->nr_slots] = (struct wal_slot){ .seq = 0 };
	wal->nr_slots++;
	write_header(wal);
}

static void ready(struct sl_wal *wal)
{
	wal->newest_seq++;
	wal->slots_used = used_with(wal, wal->prepare_slot);
	wal->slots[wal->prepare_slot].seq = wal->newest_seq;
	wal->preparing = WAL_PREPARE_IDLE;
	wal->room_news = true;
}

static void prepare_failed(struct sl_wal *wal, int err)
{
	bool growing = wal->preparing == WAL_PREPARE_GROW;

	wal->preparing = WAL_PREPARE_IDLE;
	wal->room_news = true;
	if (growing && is_no_space(err))
		wal->prepare_err = err;
	else
		wal_fail(wal, err);
}

static void prepare_done(struct sl_file *file, struct sl_file_req *req)
{
	struct sl_wal *wal = req->user;

	(void)file;
	if (req->res < 0)
		prepare_failed(wal, (int)req->res);
	else if (wal->preparing == WAL_PREPARE_GROW)
		sync_growth(wal);
	else if (wal->preparing == WAL_PREPARE_SYNC)
		grown(wal);
	else
		ready(wal);
	wal_settle(wal);
}

void wal_prepare(struct sl_wal *wal)
{
	if (wal->error || wal->preparing != WAL_PREPARE_IDLE ||
	    wal->newest_seq > wal_seq(&wal->shape, wal->durable))
		return;
	for (uint32_t i = 0; i < wal->nr_slots; i++) {
		if (is_free(wal, i)) {
			wal->prepare_err = 0;
			wal->prepare_slot = i;
			write_header(wal);
			return;
		}
	}
	/* A disk that was full is asked again when somebody needs room. */
	if (wal->prepare_err)
		return;
	if (wal->nr_slots < wal->slots_max)
		grow(wal);
	else
		wal->prepare_err = -ENOSPC;
}

int wal_no_segment(struct sl_wal *wal)
{
	int err = wal->prepare_err;

	/* The next one may have to wait until this one is durable. */
	wal->wanted = wal->tail;
	wal->prepare_err = 0;
	wal_prepare(wal);
	if (err && !wal->prepare_err && wal->preparing == WAL_PREPARE_GROW)
		return err;
	return wal->prepare_err ? wal->prepare_err : -EAGAIN;
}

/* ---- the far end -------------------------------------------------------------------- */

static void release_segments(struct sl_wal *wal)
{
	uint64_t lsn = wal->truncated;

	if (wal->opts.archive && wal->archived < lsn)
		lsn = wal->archived;
	if (wal_seq(&wal->shape, lsn) <= wal->first_seq)
		return;
	wal->first_seq = wal_seq(&wal->shape, lsn);
	wal->first = wal_seq_start(&wal->shape, wal->first_seq);
	wal_prepare(wal);
}

static int raise_mark(struct sl_wal *wal, uint64_t lsn, uint64_t *mark)
{
	if (wal->error)
		return wal->error;
	if (lsn > wal->durable)
		return -EINVAL;
	if (lsn > *mark)
		*mark = lsn;
	release_segments(wal);
	return 0;
}

int sl_wal_truncate(struct sl_wal *wal, uint64_t lsn)
{
	return raise_mark(wal, lsn, &wal->truncated);
}

int sl_wal_archived(struct sl_wal *wal, uint64_t lsn)
{
	return wal->opts.archive ? raise_mark(wal, lsn, &wal->archived) : -EINVAL;
}

void wal_tell_archiver(struct sl_wal *wal)
{
	uint64_t seq = wal_seq(&wal->shape, wal->durable);

	if (!wal->opts.archive)
		return;
	while (wal->told_seq < seq) {
		uint64_t start = wal_seq_start(&wal->shape, wal->told_seq);
		struct sl_wal_segment segment = {
			.seq = wal->told_seq,
			.first_lsn = start,
			.end_lsn = wal_seq_start(&wal->shape, wal->told_seq + 1),
			.off = wal_file_off(wal, start) - wal->shape.block_bytes,
			.len = wal->shape.segment_bytes,
		};

		wal->told_seq++;
		wal->opts.archive(wal->opts.ctx, wal, &segment);
	}
}
