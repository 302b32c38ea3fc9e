/* damage.c: bytes that are torn, stale, zeroed, misplaced or foreign are no record, and told. */
#include "tests.h"

#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include "store/wal/format.h"

/* A write each: the last one is not the last of its segment. */
#define COUNT 19
#define LAST  (COUNT - 1)

static const struct wal_shape *shape(void)
{
	static struct wal_shape shape = {
		.block_bytes = 4096,
		.buffer_bytes = SMALL_BUFFER,
		.segment_bytes = SMALL_SEGMENT,
		.log_id = 42,
	};

	wal_shape_seed(&shape);
	return &shape;
}

/* A record of 500 bytes at lsn. */
static void put(unsigned char *at, uint64_t lsn, uint32_t epoch)
{
	struct wal_record_header header = {
		.len = 500,
		.lsn = lsn,
		.epoch = epoch,
		.kind = SL_WAL_DATA,
		.durable = lsn,
	};

	memset(at + sizeof(header), 0x5a, 500);
	wal_record_seal(at, shape(), &header);
}

void no_other_bytes_read_as_a_record(void **state)
{
	const uint64_t lsn = SMALL_SEGMENT + 4096;
	struct wal_record_header header;
	unsigned char good[1024], bad[1024];
	struct wal_shape other = *shape();
	uint64_t extent = wal_extent(500);

	(void)state;
	put(good, lsn, 1);
	assert_int_equal(wal_record_get(good, extent, lsn, shape(), &header), 0);
	/* zeroed */
	memset(bad, 0, sizeof(bad));
	assert_int_equal(wal_record_get(bad, extent, lsn, shape(), &header), -ENODATA);
	/* misplaced, and an earlier use of the segment */
	assert_int_equal(wal_record_get(good, extent, lsn + 4096, shape(), &header), -ENODATA);
	assert_int_equal(wal_record_get(good, extent, lsn + SMALL_SEGMENT, shape(), &header),
			 -ENODATA);
	/* another log's */
	other.log_id = 43;
	wal_shape_seed(&other);
	assert_int_equal(wal_record_get(good, extent, lsn, &other, &header), -ENODATA);
	/* torn anywhere, by zeros or by old bytes */
	for (uint64_t cut = 0; cut < extent; cut++) {
		memset(bad, 0, sizeof(bad));
		memcpy(bad, good, cut);
		if (memcmp(bad, good, extent) != 0)
			assert_true(wal_record_get(bad, extent, lsn, shape(), &header) < 0);
		memset(bad, 0xa5, sizeof(bad));
		memcpy(bad + cut, good + cut, extent - cut);
		if (cut)
			assert_true(wal_record_get(bad, extent, lsn, shape(), &header) < 0);
	}
	/* any single bit */
	for (uint64_t bit = 0; bit < extent * 8; bit++) {
		memcpy(bad, good, extent);
		bad[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_true(wal_record_get(bad, extent, lsn, shape(), &header) < 0);
	}
	/* only a part of it to be seen */
	assert_int_equal(wal_record_get(good, extent - 1, lsn, shape(), &header), -EMSGSIZE);
	assert_int_equal(wal_record_get(good, 31, lsn, shape(), &header), -EMSGSIZE);
}

void a_record_of_another_epoch_ends_the_walk(void **state)
{
	struct wal_cursor cursor = { .pos = SMALL_SEGMENT + 4096 };
	struct wal_record_header header;
	unsigned char bytes[1024];

	(void)state;
	put(bytes, cursor.pos, 2);
	assert_int_equal(wal_cursor_step(&cursor, shape(), bytes, 1024, &header),
			 WAL_CURSOR_RECORD);
	put(bytes, cursor.pos, 1);
	assert_int_equal(wal_cursor_step(&cursor, shape(), bytes, 1024, &header),
			 WAL_CURSOR_JUMPED);
	put(bytes, cursor.pos, 3);
	assert_int_equal(wal_cursor_step(&cursor, shape(), bytes, 1024, &header), -ENODATA);
	assert_int_equal(cursor.pos, SMALL_SEGMENT + 4096 + wal_extent(500));
}

/* ---- whole logs ---------------------------------------------------------------------- */

/* A log of COUNT records, one write each; where each begins. */
static void make_log(const char *path, uint64_t *ret_lsns)
{
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, path, NULL);

	for (uint64_t nr = 0; nr < COUNT; nr++) {
		ret_lsns[nr] = wal_test_append(ring, wal, nr, 1000);
		assert_int_equal(sl_wal_flush(wal), 0);
	}
	sl_wal_close(wal);
	sl_ring_close(ring);
}

/* Segments of a log that was only appended to lie in order. */
static uint64_t off_of(uint64_t lsn)
{
	return 4096 + (lsn / SMALL_SEGMENT - 1) * SMALL_SEGMENT + lsn % SMALL_SEGMENT;
}

static void flip(const char *path, uint64_t off)
{
	unsigned char byte;

	wal_test_peek(path, &byte, 1, off);
	byte ^= 0x10;
	wal_test_poke(path, &byte, 1, off);
}

/* What looking at it and opening it say. */
static void expect(const char *path, int rc, unsigned verdict)
{
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal_report report;
	struct sl_wal *wal = NULL;

	assert_int_equal(sl_wal_check(ring, AT_FDCWD, path, NULL, NULL, &report), rc);
	assert_int_equal(report.verdict, verdict);
	assert_true((verdict == SL_WAL_CLEAN) == (report.why[0] == '\0'));
	assert_int_equal(sl_wal_open(ring, AT_FDCWD, path, NULL, &wal), rc);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

static uint64_t records_of(const char *path, uint32_t max)
{
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, path, NULL);
	uint64_t nr = wal_test_read(wal, 0, 0, max);

	sl_wal_close(wal);
	sl_ring_close(ring);
	return nr;
}

void a_torn_last_write_is_cut_off(void **state)
{
	const char *path = wal_test_path();
	uint64_t lsns[COUNT];

	(void)state;
	make_log(path, lsns);
	flip(path, off_of(lsns[LAST]) + 40);
	expect(path, 0, SL_WAL_TORN);
	assert_int_equal(records_of(path, 1000), LAST);
}

void a_tail_that_was_cut_off_never_comes_back(void **state)
{
	static const unsigned char block[4096];
	const char *path = wal_test_path();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal;
	uint64_t lsns[COUNT], first, second;

	(void)state;
	make_log(path, lsns);
	wal = wal_test_open(ring, path, NULL);
	/* One write of two blocks, of which the power cut leaves the second one. */
	assert_int_equal(sl_wal_append(wal, block, 4096 - 32, &first), 0);
	assert_int_equal(sl_wal_append(wal, block, 100, &second), 0);
	assert_int_equal(second, first + 4096);
	assert_int_equal(sl_wal_flush(wal), 0);
	sl_wal_close(wal);
	wal_test_poke(path, block, sizeof(block), off_of(first));
	for (unsigned opening = 0; opening < 3; opening++)
		assert_int_equal(records_of(path, 1000), COUNT);
	sl_ring_close(ring);
}

static void expect_records(struct sl_wal *wal, const uint32_t *lens, size_t nr)
{
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;

	assert_int_equal(sl_wal_reader_open(wal, NULL, &reader), 0);
	for (size_t i = 0; i < nr; i++) {
		assert_int_equal(sl_wal_reader_next(reader, 0, &record), 0);
		assert_int_equal(record.len, lens[i]);
	}
	assert_int_equal(sl_wal_reader_next(reader, 0, &record), -EAGAIN);
	sl_wal_reader_close(reader);
}

/* The header of the torn record is there, and the epoch that ended it lies inside. */
void a_reader_passes_a_torn_record_that_reached_over_the_end(void **state)
{
	static const unsigned char zeros[36000];
	static unsigned char bytes[40000];
	static const uint32_t lens[] = { 100, 200 };
	struct sl_wal_opts opts = {
		.flags = SL_WAL_CREATE,
		.block_bytes = 4096,
		.buffer_bytes = 65536,
		.segment_bytes = 1 << 20,
	};
	const char *path = wal_test_path();
	struct sl_ring *ring = wal_test_ring();
	struct sl_wal *wal = wal_test_open(ring, path, &opts);
	uint64_t first, lsn, off;

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(sl_wal_append(wal, bytes, lens[0], &first), 0);
	assert_int_equal(sl_wal_append(wal, bytes, sizeof(bytes), &lsn), 0);
	assert_int_equal(sl_wal_flush(wal), 0);
	sl_wal_close(wal);
	assert_int_equal(lsn / 4096, first / 4096);
	off = 4096 + first - opts.segment_bytes;
	wal_test_poke(path, zeros, sizeof(zeros), off / 4096 * 4096 + 4096);
	wal = wal_test_open(ring, path, &opts);
	expect_records(wal, lens, 1);
	assert_int_equal(sl_wal_append(wal, bytes, lens[1], &lsn), 0);
	assert_int_equal(sl_wal_flush(wal), 0);
	expect_records(wal, lens, 2);
	sl_wal_close(wal);
	sl_ring_close(ring);
}

void damage_before_the_last_write_is_told_and_nothing_is_touched(void **state)
{
	const char *path = wal_test_path();
	const char *copy = wal_test_path();
	unsigned char before[SMALL_SEGMENT], after[SMALL_SEGMENT];
	uint64_t lsns[COUNT];

	(void)state;
	make_log(path, lsns);
	for (unsigned i = 0; i < LAST; i++) {
		wal_test_copy(path, copy);
		flip(copy, off_of(lsns[i]) + 33);
		wal_test_peek(copy, before, sizeof(before), 4096);
		expect(copy, -EBADMSG, SL_WAL_DAMAGED);
		wal_test_peek(copy, after, sizeof(after), 4096);
		assert_memory_equal(before, after, sizeof(before));
	}
}

void a_lost_header_is_told(void **state)
{
	static const unsigned char zeros[4096];
	const char *path = wal_test_path();
	const char *copy = wal_test_path();
	uint64_t lsns[COUNT];

	(void)state;
	make_log(path, lsns);
	/* of the file, of the oldest segment, of the one with the tail */
	wal_test_copy(path, copy);
	flip(copy, 20);
	expect(copy, -EBADMSG, SL_WAL_DAMAGED);
	wal_test_copy(path, copy);
	wal_test_poke(copy, zeros, sizeof(zeros), 4096);
	expect(copy, -EBADMSG, SL_WAL_DAMAGED);
	wal_test_copy(path, copy);
	wal_test_poke(copy, zeros, sizeof(zeros),
		      off_of(lsns[LAST] / SMALL_SEGMENT * SMALL_SEGMENT));
	expect(copy, -EBADMSG, SL_WAL_DAMAGED);
}

void what_is_no_log_is_refused_with_the_reason(void **state)
{
	const char *path = wal_test_path();
	const char *copy = wal_test_path();
	uint32_t version = 2;
	uint64_t lsns[COUNT];
	FILE *file;

	(void)state;
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	expect(path, -EILSEQ, SL_WAL_FOREIGN);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("this is somebody's letter\n", file);
	assert_int_equal(fclose(file), 0);
	expect(path, -EILSEQ, SL_WAL_FOREIGN);
	assert_int_equal(unlink(path), 0);
	make_log(path, lsns);
	wal_test_copy(path, copy);
	wal_test_poke(copy, &version, sizeof(version), 8);
	expect(copy, -EOPNOTSUPP, SL_WAL_FUTURE);
	wal_test_copy(path, copy);
	assert_int_equal(truncate(copy, 5000), 0);
	expect(copy, -EBADMSG, SL_WAL_DAMAGED);
	wal_test_copy(path, copy);
	assert_int_equal(truncate(copy, 4096 + SMALL_SEGMENT), 0);
	expect(copy, -EBADMSG, SL_WAL_DAMAGED);
}

static int stop_at(void *ctx, const struct sl_wal_record *record)
{
	unsigned *left = ctx;

	assert_in_range(record->kind, SL_WAL_DATA, SL_WAL_EPOCH);
	return --*left ? 0 : -ECANCELED;
}

void a_walk_tells_every_record_until_it_is_told_to_stop(void **state)
{
	struct sl_ring *ring = wal_test_ring();
	const char *path = wal_test_path();
	struct sl_wal_report report;
	uint64_t lsns[COUNT];
	unsigned left = 5;

	(void)state;
	make_log(path, lsns);
	assert_int_equal(sl_wal_check(ring, AT_FDCWD, path, stop_at, &left, &report), -ECANCELED);
	assert_int_equal(left, 0);
	assert_int_equal(sl_wal_check(ring, AT_FDCWD, path, NULL, NULL, &report), 0);
	assert_int_equal(report.records, COUNT);
	assert_int_equal(report.verdict, SL_WAL_CLEAN);
	assert_int_equal(report.epoch, 1);
	assert_int_equal(report.log_id, 42);
	sl_ring_close(ring);
}
