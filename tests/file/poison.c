/* poison.c: syncs and transfers that fail, made to fail beneath the engine. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

struct rig {
	struct fault *fault;
	struct sl_ring *ring;
	struct sl_file *file;
	unsigned char *buf;
	void *base;
};

static void rig_up(struct rig *rig, unsigned io)
{
	rig->fault = calloc(1, sizeof(*rig->fault));
	assert_non_null(rig->fault);
	rig->buf = fs_buffer(65536, 0, &rig->base);
	fs_fill(fs_path("victim"), 65536);
	rig->ring = fault_ring(rig->fault);
	rig->file = fs_open(rig->ring, "victim", O_RDWR, io);
	rig->fault->nr = 0;
}

static void rig_down(struct rig *rig)
{
	rig->fault->judge = NULL;
	sl_file_close(rig->file);
	sl_ring_close(rig->ring);
	free(rig->base);
	free(rig->fault);
}

/* The first sync fails; the kernel would say that all is well ever after. */
static int64_t fail_first_sync(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	unsigned *failed = fault->user;

	(void)nr;
	if (slot->code != SL_OP_FDATASYNC && slot->code != SL_OP_FSYNC)
		return FAULT_PASS;
	return (*failed)++ ? FAULT_PASS : -EIO;
}

static void assert_refuses_all_writing(struct sl_file *file, int err)
{
	struct sl_file_req req = { .len = 4096 };

	assert_int_equal(sl_file_write(file, &req), err);
	assert_false(sl_file_req_busy(&req));
	assert_int_equal(fs_write(file, "x", 1, 0), err);
	assert_int_equal(fs_sync(file), err);
	assert_int_equal(fs_truncate(file, 0), err);
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &req), err);
	/* There would be nothing to write: refused all the same. */
	req.flags = SL_FILE_ZEROED;
	assert_int_equal(sl_file_do(file, SL_FILE_ALLOCATE, &req), err);
	assert_int_equal(sl_file_poison(file), err);
}

static void failed_sync(unsigned io)
{
	struct rig rig;
	unsigned failed = 0;
	unsigned ops;

	rig_up(&rig, io);
	rig.fault->user = &failed;
	rig.fault->judge = fail_first_sync;
	assert_int_equal(fs_write(rig.file, rig.buf, 4096, 0), 4096);
	assert_int_equal(sl_file_poison(rig.file), 0);
	assert_int_equal(fs_sync(rig.file), -EIO);
	ops = rig.fault->nr;
	assert_refuses_all_writing(rig.file, -EIO);
	assert_int_equal(rig.fault->nr, ops);
	assert_int_equal(fs_read(rig.file, rig.buf, 100, 0), 100);
	sl_file_close(rig.file);
	rig.file = fs_open(rig.ring, "victim", O_RDWR, io);
	assert_int_equal(sl_file_poison(rig.file), 0);
	assert_int_equal(fs_sync(rig.file), 0);
	rig_down(&rig);
}

void a_failed_sync_ends_all_writing(void **state)
{
	(void)state;
	failed_sync(SL_FILE_BUFFERED);
	failed_sync(SL_FILE_DIRECT);
}

static int64_t fail_writes(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	(void)fault;
	(void)nr;
	return slot->code == SL_OP_WRITE ? -EIO : FAULT_PASS;
}

static void failed_durable_write(unsigned io)
{
	struct sl_file_req req = { .len = 4096, .flags = SL_FILE_DSYNC };
	struct rig rig;

	rig_up(&rig, io);
	req.buf = rig.buf;
	assert_int_equal(sl_file_do(rig.file, SL_FILE_WRITE, &req), 4096);
	assert_true(rig.fault->log[0].flags & SL_OP_DSYNC);
	rig.fault->judge = fail_writes;
	assert_int_equal(sl_file_do(rig.file, SL_FILE_WRITE, &req), -EIO);
	rig.fault->judge = NULL;
	assert_refuses_all_writing(rig.file, -EIO);
	rig_down(&rig);
}

void a_failed_durable_write_ends_all_writing(void **state)
{
	(void)state;
	failed_durable_write(SL_FILE_BUFFERED);
	failed_durable_write(SL_FILE_DIRECT);
}

void a_failed_plain_write_poisons_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->judge = fail_writes;
	assert_int_equal(fs_write(rig.file, rig.buf, 4096, 0), -EIO);
	assert_int_equal(sl_file_poison(rig.file), 0);
	rig.fault->judge = NULL;
	assert_int_equal(fs_write(rig.file, rig.buf, 4096, 0), 4096);
	assert_int_equal(fs_sync(rig.file), 0);
	rig_down(&rig);
}

void a_sync_behind_a_failed_one_never_reports_success(void **state)
{
	struct sl_file_req syncs[3] = { 0 };
	struct sl_file_req write = { .len = 4096, .flags = SL_FILE_DSYNC };
	struct rig rig;
	unsigned failed = 0;

	(void)state;
	rig_up(&rig, SL_FILE_BUFFERED);
	rig.fault->user = &failed;
	rig.fault->judge = fail_first_sync;
	write.buf = rig.buf;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sl_file_sync(rig.file, &syncs[i]), 0);
	assert_int_equal(sl_file_write(rig.file, &write), 0);
	while (sl_file_req_busy(&write))
		assert_true(sl_ring_run(rig.ring, 0) >= 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(syncs[i].res, -EIO);
	assert_int_equal(write.res, -EIO);
	assert_int_equal(rig.fault->nr, 1);
	rig_down(&rig);
}

void a_sync_beside_a_failed_durable_write_fails_too(void **state)
{
	struct sl_file_req write = { .len = 4096, .flags = SL_FILE_DSYNC };
	struct sl_file_req sync = { 0 };
	struct rig rig;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->judge = fail_writes;
	write.buf = rig.buf;
	assert_int_equal(sl_file_write(rig.file, &write), 0);
	assert_int_equal(sl_file_sync(rig.file, &sync), 0);
	while (sl_file_req_busy(&write) || sl_file_req_busy(&sync))
		assert_true(sl_ring_run(rig.ring, 0) >= 0);
	assert_int_equal(rig.fault->nr, 2);
	assert_int_equal(write.res, -EIO);
	assert_int_equal(sync.res, -EIO);
	rig_down(&rig);
}

void a_cancelled_sync_poisons_nothing(void **state)
{
	struct sl_file_req req = { 0 };
	struct rig rig;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->hold = true;
	assert_int_equal(sl_file_sync(rig.file, &req), 0);
	assert_int_equal(sl_ring_flush(rig.ring), 0);
	assert_int_equal(sl_ring_cancel_fd(rig.ring, sl_file_fd(rig.file)), 1);
	while (sl_file_req_busy(&req))
		assert_true(sl_ring_run(rig.ring, 0) >= 0);
	rig.fault->hold = false;
	assert_int_equal(req.res, -ECANCELED);
	assert_int_equal(sl_file_poison(rig.file), 0);
	assert_int_equal(fs_sync(rig.file), 0);
	rig_down(&rig);
}

/* ---- tails ------------------------------------------------------------------------------ */

/* What lies behind the first block of a write cannot be written. */
static int64_t fail_second_write(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	(void)fault;
	(void)nr;
	return slot->code == SL_OP_WRITE && slot->off == 69632 ? -EIO : FAULT_PASS;
}

void a_padded_tail_is_cut_even_when_a_later_piece_fails(void **state)
{
	struct sl_file_req req = { .len = 8192, .off = 66000 };
	struct rig rig;
	uint64_t size = 0;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	assert_int_equal(fs_write(rig.file, "tail", 4, 65536), 4);
	assert_int_equal(sl_file_size(rig.file, &size), 0);
	assert_int_equal(size, 65540);
	rig.fault->judge = fail_second_write;
	req.buf = rig.buf + 1;
	assert_int_equal(sl_file_do(rig.file, SL_FILE_WRITE, &req), -EIO);
	assert_int_equal(req.done_len, 69632 - 66000);
	assert_int_equal(sl_file_size(rig.file, &size), 0);
	assert_int_equal(size, 69632);
	rig_down(&rig);
}

/* The head of the first write cannot be written; the second one is far behind. */
static int64_t fail_at_65536(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	(void)fault;
	(void)nr;
	return slot->code == SL_OP_WRITE && slot->off == 65536 ? -EIO : FAULT_PASS;
}

void a_failed_edge_never_cuts_what_others_appended(void **state)
{
	struct sl_file_req first = { .len = 8092, .off = 65636 };
	struct sl_file_req second = { .len = 4096, .off = 131072 };
	struct rig rig;
	uint64_t size = 0;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->judge = fail_at_65536;
	first.buf = rig.buf;
	second.buf = rig.buf;
	assert_int_equal(sl_file_write(rig.file, &first), 0);
	assert_int_equal(sl_file_write(rig.file, &second), 0);
	while (sl_file_req_busy(&first) || sl_file_req_busy(&second))
		assert_true(sl_ring_run(rig.ring, 0) >= 0);
	assert_int_equal(first.res, -EIO);
	assert_int_equal(second.res, 4096);
	assert_int_equal(sl_file_size(rig.file, &size), 0);
	assert_int_equal(size, 135168);
	rig_down(&rig);
}

void a_file_is_not_grown_while_a_write_behind_its_end_is_in_flight(void **state)
{
	struct sl_file_req write = { .len = 4096, .off = 131072 };
	struct sl_file_req grow = { .off = 200000 };
	struct sl_file_info info;
	struct rig rig;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->hold = true;
	write.buf = rig.buf;
	assert_int_equal(sl_file_write(rig.file, &write), 0);
	assert_int_equal(sl_file_truncate(rig.file, &grow), 0);
	sl_file_info(rig.file, &info);
	assert_int_equal(info.requests, 2);
	assert_int_equal(info.waiting, 1);
	rig.fault->hold = false;
	while (sl_file_req_busy(&grow))
		assert_true(sl_ring_run(rig.ring, 0) >= 0);
	assert_int_equal(rig.fault->log[0].code, SL_OP_WRITE);
	assert_int_equal(rig.fault->log[1].code, SL_OP_TRUNCATE);
	assert_int_equal(write.res, 4096);
	assert_int_equal(grow.res, 0);
	rig_down(&rig);
}

void a_durable_tail_is_synced_after_it_was_cut(void **state)
{
	struct sl_file_req req = { .len = 100, .off = 65536, .flags = SL_FILE_DSYNC };
	struct rig rig;
	unsigned nr;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	req.buf = rig.buf;
	assert_int_equal(sl_file_do(rig.file, SL_FILE_WRITE, &req), 100);
	nr = rig.fault->nr;
	assert_true(nr >= 3);
	assert_int_equal(rig.fault->log[nr - 3].code, SL_OP_WRITE);
	assert_int_equal(rig.fault->log[nr - 2].code, SL_OP_TRUNCATE);
	assert_int_equal(rig.fault->log[nr - 1].code, SL_OP_FDATASYNC);
	rig_down(&rig);
}

/* ---- reads ------------------------------------------------------------------------------ */

#define BAD_SECTOR UINT64_C(9728) /* the fourth 512 of the third block */

static int64_t bad_sector(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	(void)fault;
	(void)nr;
	if (slot->code != SL_OP_READ || slot->off > BAD_SECTOR ||
	    slot->off + slot->len <= BAD_SECTOR)
		return FAULT_PASS;
	return -ENODATA;
}

static void find_bad_sector(uint64_t off, uint64_t skew)
{
	struct sl_file_req req = { .len = 40000, .off = off };
	struct sl_file_info info;
	struct rig rig;
	uint64_t good;

	rig_up(&rig, SL_FILE_DIRECT);
	sl_file_info(rig.file, &info);
	good = BAD_SECTOR & ~(uint64_t)((info.found_read ? info.found_read : info.read_align) - 1);
	rig.fault->judge = bad_sector;
	req.buf = rig.buf + skew;
	assert_int_equal(sl_file_do(rig.file, SL_FILE_READ, &req), -ENODATA);
	assert_int_equal(req.done_len, good - off);
	for (uint64_t i = 0; i < req.done_len; i++)
		assert_int_equal(rig.buf[skew + i], fs_pattern(off + i));
	assert_true(rig.fault->nr < 40);
	rig_down(&rig);
}

void a_bad_sector_is_found_alone(void **state)
{
	(void)state;
	find_bad_sector(0, 0);
	find_bad_sector(8000, 0);
	find_bad_sector(3, 3);
	find_bad_sector(4096, 1);
}

struct shortness {
	unsigned times;
	int64_t bytes;
	unsigned seen;
};

static int64_t answer_short(struct fault *fault, struct sl_slot *slot, unsigned nr)
{
	struct shortness *shortness = fault->user;

	(void)nr;
	if (slot->code != SL_OP_READ || shortness->seen++ >= shortness->times)
		return FAULT_PASS;
	fault_perform(slot);
	return shortness->bytes;
}

void a_short_answer_is_asked_again_from_its_aligned_origin(void **state)
{
	struct shortness shortness = { .times = 3, .bytes = 512 };
	struct rig rig;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->user = &shortness;
	rig.fault->judge = answer_short;
	assert_int_equal(fs_read(rig.file, rig.buf, 8192, 4096), 8192);
	assert_int_equal(rig.fault->nr, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(rig.fault->log[i].off, 4096);
		assert_int_equal(rig.fault->log[i].len, 8192);
	}
	for (unsigned i = 0; i < 8192; i++)
		assert_int_equal(rig.buf[i], fs_pattern(4096 + i));
	rig_down(&rig);
}

void a_file_that_stays_short_is_an_error(void **state)
{
	struct shortness shortness = { .times = 100, .bytes = 4096 };
	struct sl_file_req req = { .len = 8192 };
	struct rig rig;

	(void)state;
	rig_up(&rig, SL_FILE_DIRECT);
	rig.fault->user = &shortness;
	rig.fault->judge = answer_short;
	req.buf = rig.buf;
	assert_int_equal(sl_file_do(rig.file, SL_FILE_READ, &req), -EIO);
	assert_int_equal(req.done_len, 4096);
	assert_true(shortness.seen <= 9);
	rig_down(&rig);
}
