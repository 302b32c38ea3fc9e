/* SPDX-License-Identifier: MIT */
/*
 * open.c - opening a log for appending: sync, read, judge, begin a new epoch; and closing it.
 *
 *	lock -> sync file and directory -> scan -> cut off what growing left unfinished
 *	     -> make the segment of the end ready -> epoch record at the end, durably
 *
 * Nothing of the new epoch follows before its epoch record is durable, and the
 * next recovery finds that one and counts on. So no two openings share an epoch,
 * however many crashes lie between, and what an earlier one left behind its end
 * can never be taken for a record again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/assert.h"
#include "store/wal/log.h"

#define BUFFERS	      4
#define SEGMENTS_MAX  64
#define BLOCK_BYTES   4096
#define BUFFER_BYTES  262144
#define SEGMENT_BYTES ((uint64_t)16 << 20)
#define DELAY_MAX_NS  UINT64_C(1000000000)
#define KNOWN_FLAGS   ((uint32_t)(SL_WAL_CREATE | SL_WAL_BUFFERED))

static int check_opts(const struct sl_wal_opts *opts)
{
	struct wal_shape shape = {
		.block_bytes = opts->block_bytes,
		.buffer_bytes = opts->buffer_bytes,
		.segment_bytes = opts->segment_bytes,
	};

	if ((opts->flags & ~KNOWN_FLAGS) || (opts->permissions & ~07777u) || opts->buffers < 2 ||
	    opts->buffers > 64 || opts->segments_max < 2 || opts->segments_max > WAL_SEGMENTS_MAX ||
	    opts->commit_delay_ns > DELAY_MAX_NS)
		return -EINVAL;
	return wal_shape_ok(&shape) ? 0 : -EINVAL;
}

static int resolve(const struct sl_wal_opts *opts, struct sl_wal_opts *ret)
{
	*ret = (struct sl_wal_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if (!ret->buffers)
		ret->buffers = BUFFERS;
	if (!ret->segments_max)
		ret->segments_max = SEGMENTS_MAX;
	if (!ret->block_bytes)
		ret->block_bytes = BLOCK_BYTES;
	if (!ret->buffer_bytes)
		ret->buffer_bytes = ret->block_bytes > BUFFER_BYTES ? ret->block_bytes :
								      BUFFER_BYTES;
	if (!ret->segment_bytes)
		ret->segment_bytes = SEGMENT_BYTES;
	return check_opts(ret);
}

static int open_file(struct sl_wal *wal, int dirfd, const char *path)
{
	struct sl_file_opts opts = {
		.io = wal->opts.flags & SL_WAL_BUFFERED ? SL_FILE_BUFFERED : SL_FILE_DIRECT,
		.open_flags = O_RDWR,
		.bounce_bytes = 262144,
		.bounce_count = 2,
	};
	int rc = sl_file_open(wal->ring, dirfd, path, &opts, &wal->file);

	if (rc != -ENOENT || !(wal->opts.flags & SL_WAL_CREATE))
		return rc;
	rc = wal_create(wal->ring, dirfd, path, &wal->opts);
	if (rc < 0 && rc != -EEXIST)
		return rc;
	return sl_file_open(wal->ring, dirfd, path, &opts, &wal->file);
}

/* What recovery sees must be what is on the device, or it would build on sand. */
static int sync_all(struct sl_wal *wal, int dirfd, const char *path)
{
	struct sl_file_req req = { .flags = SL_FILE_SYNC_ALL };
	int64_t res = sl_file_do(wal->file, SL_FILE_SYNC, &req);

	return res < 0 ? (int)res : wal_sync_dir(wal->ring, dirfd, path);
}

static void *take(struct sl_wal *wal, size_t bytes)
{
	const struct sl_allocator *allocator = sl_ring_allocator(wal->ring);
	void *ptr = allocator->alloc(allocator->ctx, bytes, 64);

	if (ptr)
		memset(ptr, 0, bytes);
	return ptr;
}

static void give_back(struct sl_wal *wal, void *ptr, size_t bytes)
{
	const struct sl_allocator *allocator = sl_ring_allocator(wal->ring);

	if (ptr)
		allocator->free(allocator->ctx, ptr, bytes);
}

static size_t slots_bytes(const struct sl_wal *wal)
{
	return wal->slots_max * sizeof(*wal->slots);
}

/* What the scan has found becomes the log. */
static int adopt(struct sl_wal *wal, const struct wal_scan *scan)
{
	wal->shape = scan->shape;
	wal->slots_max = wal->opts.segments_max;
	if (wal->slots_max < scan->nr_slots)
		wal->slots_max = scan->nr_slots;
	wal->slots = take(wal, slots_bytes(wal));
	if (!wal->slots)
		return -ENOMEM;
	memcpy(wal->slots, scan->slots, scan->nr_slots * sizeof(*wal->slots));
	/* Growing may have been cut short before the header: it is done anew. */
	for (wal->nr_slots = scan->nr_slots; !wal->slots[wal->nr_slots - 1].seq;)
		wal->nr_slots--;
	wal->slots_used = wal->nr_slots;
	wal->newest_seq = scan->newest_seq;
	wal->first_seq = scan->first_seq;
	wal->first = wal_seq_start(&wal->shape, wal->first_seq);
	wal->truncated = wal->first;
	wal->archived = wal->first;
	wal->epoch = scan->report->epoch + 1;
	wal->epoch_lsn = UINT64_MAX;
	wal->recovered = scan->cursor.pos;
	wal->durable = scan->cursor.pos;
	wal->tail = wal_normal(&wal->shape, sl_round_up(scan->cursor.pos, wal->shape.block_bytes));
	wal->told_seq = wal_seq(&wal->shape, wal->tail);
	return wal->epoch ? 0 : -EOVERFLOW;
}

static int recover(struct sl_wal *wal)
{
	struct wal_source source = { .read = wal_file_read, .ctx = wal->file };
	struct sl_wal_report report;
	struct wal_scan scan;
	int rc = sl_file_size(wal->file, &source.size);

	if (rc < 0)
		return rc;
	rc = wal_scan_init(&scan, &source, sl_ring_allocator(wal->ring), &report);
	if (rc == 0)
		rc = wal_scan_run(&scan, NULL, NULL);
	if (rc == 0)
		rc = adopt(wal, &scan);
	wal_scan_fini(&scan);
	return rc;
}

static int cut_unfinished(struct sl_wal *wal)
{
	struct sl_file_req req = { .off = wal_slot_off(&wal->shape, wal->nr_slots) };
	uint64_t size = 0;
	int rc = sl_file_size(wal->file, &size);

	if (rc < 0 || size <= req.off)
		return rc;
	return (int)sl_file_do(wal->file, SL_FILE_TRUNCATE, &req);
}

static int take_buffers(struct sl_wal *wal)
{
	struct sl_buf_pool_opts opts = {
		.count = wal->opts.buffers + 1,
		.buf_bytes = wal->shape.buffer_bytes,
	};
	int rc = sl_buf_pool_create(wal->ring, &opts, &wal->pool);

	if (rc < 0)
		return rc;
	wal->buffers = take(wal, wal->opts.buffers * sizeof(*wal->buffers));
	if (!wal->buffers)
		return -ENOMEM;
	for (uint32_t i = 0; i < wal->opts.buffers; i++)
		wal->buffers[i].mem = sl_buf_get(wal->pool);
	wal->header = sl_buf_get(wal->pool);
	return 0;
}

/* Runs until nothing is being made ready; what it came to is in prepare_err. */
static int run_prepare(struct sl_wal *wal)
{
	wal_prepare(wal);
	while (wal->preparing != WAL_PREPARE_IDLE) {
		int rc = sl_ring_run(wal->ring, 0);

		if (rc < 0)
			return rc;
	}
	return wal->error;
}

static bool is_moving(const struct sl_wal *wal)
{
	return wal->writing || wal->preparing != WAL_PREPARE_IDLE || sl_ring_inflight(wal->ring);
}

/* A new epoch, durable before anything else is appended. A log that is full opens
 * all the same, or it could never be truncated: the epoch begins with the first
 * append then. */
static int begin_epoch(struct sl_wal *wal)
{
	int rc;

	while ((rc = wal_begin_epoch(wal)) == -EAGAIN && is_moving(wal)) {
		rc = sl_ring_run(wal->ring, 0);
		if (rc < 0)
			return rc;
	}
	if (rc == -ENOSPC || rc == -EDQUOT || rc == -EFBIG)
		return 0;
	return rc == 0 ? run_prepare(wal) : rc;
}

static void init(struct sl_wal *wal, struct sl_ring *ring, const struct sl_wal_opts *opts)
{
	*wal = (struct sl_wal){ .ring = ring, .opts = *opts };
	wal_waits_init(&wal->done);
	wal_waits_init(&wal->roomers);
}

static int begin(struct sl_wal *wal, int dirfd, const char *path)
{
	int rc = open_file(wal, dirfd, path);

	if (rc == 0)
		rc = wal_lock(wal->ring, wal->file);
	if (rc == 0)
		rc = sync_all(wal, dirfd, path);
	if (rc == 0)
		rc = recover(wal);
	if (rc == 0)
		rc = take_buffers(wal);
	if (rc == 0)
		rc = cut_unfinished(wal);
	return rc == 0 ? begin_epoch(wal) : rc;
}

int sl_wal_open(struct sl_ring *ring, int dirfd, const char *path, const struct sl_wal_opts *opts,
		struct sl_wal **ret_wal)
{
	const struct sl_allocator *allocator = sl_ring_allocator(ring);
	struct sl_wal_opts resolved;
	struct sl_wal *wal;
	int rc = resolve(opts, &resolved);

	if (rc < 0)
		return rc;
	wal = allocator->alloc(allocator->ctx, sizeof(*wal), 64);
	if (!wal)
		return -ENOMEM;
	init(wal, ring, &resolved);
	rc = begin(wal, dirfd, path);
	if (rc < 0) {
		sl_wal_close(wal);
		return rc;
	}
	*ret_wal = wal;
	return 0;
}

/* ---- closing ------------------------------------------------------------------------ */

static bool is_busy(const struct sl_wal *wal)
{
	return wal->writing || wal->preparing != WAL_PREPARE_IDLE || wal->done.head ||
	       sl_op_busy(&wal->delay) || wal_is_asked_for(wal);
}

static void run_to_end(struct sl_wal *wal)
{
	wal->opts.commit_delay_ns = 0;
	if (sl_op_busy(&wal->delay))
		sl_ring_cancel(wal->ring, &wal->delay);
	while (is_busy(wal)) {
		/* A ring without room, or in a forked child: nothing moves any more. */
		if (wal_write(wal) < 0 || sl_ring_run(wal->ring, 0) < 0)
			return;
	}
	wal_fail(wal, -ECANCELED);
	wal_settle(wal);
}

void sl_wal_close(struct sl_wal *wal)
{
	const struct sl_allocator *allocator;

	if (!wal)
		return;
	SL_ASSERT(!wal->readers);
	run_to_end(wal);
	allocator = sl_ring_allocator(wal->ring);
	sl_file_close(wal->file);
	sl_buf_pool_destroy(wal->pool);
	give_back(wal, wal->buffers, wal->opts.buffers * sizeof(*wal->buffers));
	give_back(wal, wal->slots, slots_bytes(wal));
	allocator->free(allocator->ctx, wal, sizeof(*wal));
}

void sl_wal_info(const struct sl_wal *wal, struct sl_wal_info *ret_info)
{
	*ret_info = wal->stats;
	ret_info->first_lsn = wal->first;
	ret_info->durable_lsn = wal->durable;
	ret_info->tail_lsn = wal->tail;
	ret_info->recovered_lsn = wal->recovered;
	ret_info->log_id = wal->shape.log_id;
	ret_info->epoch = wal->epoch;
	ret_info->error = wal->error;
	ret_info->block_bytes = wal->shape.block_bytes;
	ret_info->buffer_bytes = wal->shape.buffer_bytes;
	ret_info->segment_bytes = wal->shape.segment_bytes;
	ret_info->record_max = wal_record_max(&wal->shape);
	ret_info->segments = wal->nr_slots;
	ret_info->segments_free = wal_segments_free(wal);
	ret_info->buffers_free = wal->opts.buffers - wal->count;
}
