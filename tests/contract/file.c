/* file.c - ALLOCATE and TRUNCATE. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_size(struct sl_ring *ring, int file, uint64_t size)
{
	struct sl_desc desc;

	assert_int_equal(sl_ring_describe(ring, file, &desc), 0);
	assert_int_equal(desc.size, size);
}

static void truncate_cuts_and_extends_with_zeros(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[16], want[8] = "abc";
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "abcdef", 6, 0), 6);
	expect_res(ring, sl_op_truncate(&op, file, 3), 0);
	expect_size(ring, file, 3);
	expect_res(ring, sl_op_truncate(&op, file, 8), 0);
	expect_res(ring, sl_op_read(&op, file, buf, 16, 0), 8);
	assert_memory_equal(buf, want, 8);
	sl_ring_close(ring);
}

static void allocate_extends_the_file(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char byte = 'x';
	int file = world_file();
	int64_t rc;

	(void)state;
	rc = sl_ring_do(ring, sl_op_allocate(&op, file, 0, 0, 65536));
	if (rc == -EOPNOTSUPP)
		SKIP("the file system of the tests has no fallocate");
	assert_int_equal(rc, 0);
	expect_size(ring, file, 65536);
	expect_res(ring, sl_op_read(&op, file, &byte, 1, 65535), 1);
	assert_int_equal(byte, 0);
	expect_res(ring, sl_op_allocate(&op, file, 0, 1000, 10), 0);
	expect_size(ring, file, 65536);
	sl_ring_close(ring);
}

static void allocate_may_keep_the_size(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int file = world_file();
	int64_t rc;

	(void)state;
	rc = sl_ring_do(ring, sl_op_allocate(&op, file, FALLOC_FL_KEEP_SIZE, 0, 65536));
	if (rc == -EOPNOTSUPP)
		SKIP("the file system of the tests has no fallocate");
	assert_int_equal(rc, 0);
	expect_size(ring, file, 0);
	sl_ring_close(ring);
}

static void allocate_of_nothing_is_an_error(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	expect_res(ring, sl_op_allocate(&op, world_file(), 0, 0, 0), -EINVAL);
	sl_ring_close(ring);
}

static void streams_have_no_size_to_change(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int pair[2];

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_truncate(&op, pair[0], 0), -EINVAL);
	assert_true(sl_ring_do(ring, sl_op_allocate(&op, pair[0], 0, 0, 1)) < 0);
	expect_res(ring, sl_op_truncate(&op, world_bad_fd(), 0), -EBADF);
	expect_res(ring, sl_op_allocate(&op, world_bad_fd(), 0, 0, 1), -EBADF);
	expect_res(ring, sl_op_fsync(&op, pair[0]), -EINVAL);
	sl_ring_close(ring);
}

static void truncation_under_a_reader_ends_the_read_early(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { 0 }, *chain[2] = { &ops[0], &ops[1] };
	static char buf[8192];
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&ops[0], file, buf, sizeof(buf), 0), sizeof(buf));
	sl_op_truncate(&ops[0], file, 100)->flags |= SL_OP_LINKED;
	sl_op_read(&ops[1], file, buf, sizeof(buf), 0);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	ring_settle(ring);
	assert_int_equal(ops[0].res, 0);
	assert_int_equal(ops[1].res, 100);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(truncate_cuts_and_extends_with_zeros, BLOCK | FILES, 0),
	T(allocate_extends_the_file, BLOCK | FILES, 0),
	T(allocate_may_keep_the_size, FILES, ON_KERNEL),
	T(allocate_of_nothing_is_an_error, FILES, 0),
	T(streams_have_no_size_to_change, BLOCK | FILES, 0),
	T(truncation_under_a_reader_ends_the_read_early, BLOCK | FILES, 0),
};

const struct contract_group file_tests = GROUP(tests);
