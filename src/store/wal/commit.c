/* SPDX-License-Identifier: MIT */
/*
 * commit.c - group commit: one durable write at a time, and who is told when it ends.
 *
 *	commit --> [held back] --> write in flight --> durable --> callbacks
 *	   |            ^                |  commits meanwhile join        |
 *	   +------------+                |  the next buffer               |
 *	                                 +<-------------------------------+
 *
 * What the callbacks of one write commit goes out together in the next: nothing
 * is started until all of them have run. The device is the delay, and a timer is
 * used only if commit_delay_ns asks for it and others are expected to come.
 */
#include <errno.h>

#include "base/assert.h"
#include "store/wal/log.h"

void wal_waits_init(struct wal_waits *waits)
{
	waits->head = NULL;
	waits->tail = &waits->head;
	waits->nr = 0;
}

static void waits_push(struct wal_waits *waits, struct sl_wal_wait *wait)
{
	wait->next = NULL;
	wait->busy = 1;
	*waits->tail = wait;
	waits->tail = &wait->next;
	waits->nr++;
}

static struct sl_wal_wait *waits_pop(struct wal_waits *waits)
{
	struct sl_wal_wait *wait = waits->head;

	if (!wait)
		return NULL;
	waits->head = wait->next;
	if (!waits->head)
		waits->tail = &waits->head;
	waits->nr--;
	return wait;
}

/* All who wait there are to be told. */
static void finish_all(struct sl_wal *wal, struct wal_waits *waits, int res)
{
	struct sl_wal_wait *wait;

	while ((wait = waits_pop(waits))) {
		wait->res = res;
		waits_push(&wal->done, wait);
	}
}

int wal_fail(struct sl_wal *wal, int err)
{
	if (wal->error)
		return wal->error;
	wal->error = err;
	for (uint32_t i = 0; i < wal->count; i++)
		finish_all(wal, &wal->buffers[(wal->head + i) % wal->opts.buffers].waits, err);
	finish_all(wal, &wal->roomers, err);
	return err;
}

/* ---- the write ---------------------------------------------------------------------- */

static void delay_done(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_wal *wal = op->user;

	(void)ring;
	if (op->res == 0)
		wal->delay_over = true;
	wal_settle(wal);
}

/* Whether to wait for others: fewer have come than lately came together. */
static bool hold_back(struct sl_wal *wal, const struct wal_buffer *buffer)
{
	if (!wal->opts.commit_delay_ns || wal->delay_over || buffer->sealed ||
	    buffer->waits.nr >= wal->group)
		return false;
	if (sl_op_busy(&wal->delay))
		return true;
	sl_op_timer(&wal->delay, sl_ring_now(wal->ring) + (int64_t)wal->opts.commit_delay_ns, 0);
	wal->delay.done = delay_done;
	wal->delay.user = wal;
	if (sl_ring_submit(wal->ring, &wal->delay) < 0)
		return false;
	wal->stats.delays++;
	return true;
}

static void learn_group(struct sl_wal *wal, uint32_t came)
{
	wal->group = came > wal->group ? came : (3 * wal->group + came) / 4;
	wal->delay_over = false;
	if (sl_op_busy(&wal->delay))
		sl_ring_cancel(wal->ring, &wal->delay);
}

static void write_done(struct sl_file *file, struct sl_file_req *req)
{
	struct sl_wal *wal = req->user;
	struct wal_buffer *buffer = wal_oldest(wal);

	(void)file;
	wal->writing = false;
	if (req->res < 0) {
		wal_fail(wal, (int)req->res);
	} else if (!wal->error) {
		if (buffer->waits.nr) {
			wal->stats.commits += buffer->waits.nr;
			finish_all(wal, &buffer->waits, 0);
		}
		wal->stats.writes++;
		wal->stats.write_bytes += buffer->used;
		wal->head = (wal->head + 1) % wal->opts.buffers;
		wal->count--;
		/* The rest of a segment that was left has nothing to wait for. */
		wal->durable = wal->count ? wal_oldest(wal)->start : wal->tail;
		wal->room_news = true;
	}
	wal_settle(wal);
}

int wal_write(struct sl_wal *wal)
{
	struct wal_buffer *buffer = wal_oldest(wal);
	int rc;

	if (!buffer || wal->writing || wal->settling || wal->error)
		return 0;
	if (!wal_is_asked_for(wal) || (!buffer->sealed && hold_back(wal, buffer)))
		return 0;
	wal_buffer_seal(wal, buffer);
	wal->write.buf = buffer->mem;
	wal->write.len = buffer->used;
	wal->write.off = wal_file_off(wal, buffer->start);
	wal->write.flags = SL_FILE_DSYNC;
	wal->write.done = write_done;
	wal->write.user = wal;
	SL_ASSERT(wal->write.off &&
		  !((buffer->start | buffer->used) & (wal->shape.block_bytes - 1)));
	rc = sl_file_write(wal->file, &wal->write);
	if (rc < 0)
		return rc;
	wal->writing = true;
	if (buffer->waits.nr)
		learn_group(wal, buffer->waits.nr);
	return 0;
}

/* ---- telling ------------------------------------------------------------------------ */

static void tell(struct sl_wal *wal)
{
	struct sl_wal_wait *wait;

	if (wal->room_news)
		finish_all(wal, &wal->roomers, 0);
	wal->room_news = false;
	while ((wait = waits_pop(&wal->done))) {
		wait->busy = 0;
		wait->done(wal, wait);
	}
	if (!wal->error)
		wal_tell_archiver(wal);
	wal_tell_readers(wal);
}

void wal_settle(struct sl_wal *wal)
{
	int rc = 0;

	SL_ASSERT(!wal->settling);
	do {
		wal->settling = true;
		tell(wal);
		wal->settling = false;
		wal_prepare(wal);
		rc = wal_write(wal);
		/* No room in the ring: they may ask again, nothing has failed. */
		if (rc < 0)
			finish_all(wal, &wal_oldest(wal)->waits, rc);
	} while (wal->done.head);
}

/* ---- asking ------------------------------------------------------------------------- */

/* The buffer that holds an address which is not durable yet. */
static struct wal_buffer *buffer_of(struct sl_wal *wal, uint64_t lsn)
{
	for (uint32_t i = wal->count; i-- > 0;) {
		uint32_t idx = (wal->head + i) % wal->opts.buffers;

		if (wal->buffers[idx].start <= lsn)
			return &wal->buffers[idx];
	}
	return NULL;
}

int sl_wal_commit(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	struct wal_buffer *buffer;
	struct sl_wal_wait **end;
	int rc;

	if (wal->error)
		return wal->error;
	if (wait->busy || !wait->done || !wait->lsn || wait->lsn >= wal->tail)
		return -EINVAL;
	if (wait->lsn < wal->durable)
		return 1;
	buffer = buffer_of(wal, wait->lsn);
	if (!buffer)
		return -EINVAL;
	end = buffer->waits.tail;
	waits_push(&buffer->waits, wait);
	if (wait->lsn >= wal->wanted)
		wal->wanted = wait->lsn + 1;
	rc = wal_write(wal);
	if (rc < 0) {
		*end = NULL;
		buffer->waits.tail = end;
		buffer->waits.nr--;
		wait->busy = 0;
	}
	return rc;
}

int sl_wal_room(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	int rc;

	if (wal->error)
		return wal->error;
	if (wait->busy || !wait->done)
		return -EINVAL;
	if (!wal->writing)
		wal_write(wal);
	wal_prepare(wal);
	if (wal->writing || wal->preparing != WAL_PREPARE_IDLE) {
		waits_push(&wal->roomers, wait);
		return 0;
	}
	rc = wal_seq(&wal->shape, wal->tail) >= wal->newest_seq ? wal->prepare_err : 0;
	return rc < 0 ? rc : 1;
}

/* A wait whose memory is about to go, on a ring that no longer moves. */
static void forget(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	struct wal_waits all = wal->done;
	struct sl_wal_wait *other;

	if (!wait->busy)
		return;
	if (all.tail == &wal->done.head)
		all.tail = &all.head;
	wal_waits_init(&wal->done);
	while ((other = waits_pop(&all))) {
		if (other != wait)
			waits_push(&wal->done, other);
	}
}

struct flush {
	struct sl_wal_wait wait;
	bool over;
};

static void flush_done(struct sl_wal *wal, struct sl_wal_wait *wait)
{
	struct flush *flush = wait->user;

	(void)wal;
	flush->over = true;
}

int sl_wal_flush(struct sl_wal *wal)
{
	struct flush flush = { .wait = { .done = flush_done, .user = &flush } };
	int rc = sl_ring_run(wal->ring, SL_RING_POLL);

	if (rc < 0)
		return rc;
	if (wal->error)
		return wal->error;
	if (!wal->count)
		return 0;
	flush.wait.lsn = wal_newest(wal)->start;
	rc = sl_wal_commit(wal, &flush.wait);
	if (rc < 0)
		return rc;
	while (rc == 0 && !flush.over) {
		rc = sl_ring_run(wal->ring, 0);
		rc = rc < 0 ? rc : 0;
	}
	if (rc < 0) {
		wal_fail(wal, rc);
		forget(wal, &flush.wait);
	}
	return rc < 0 ? rc : flush.wait.res;
}
