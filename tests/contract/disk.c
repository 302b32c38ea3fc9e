/* disk.c - a disk that is full: the error and the bytes that went before it. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DISK_BYTES = 256 * 1024
};

/* A small tmpfs that only this test's process sees and that ends with it. */
static int file_on_small_disk(void)
{
	const char *dir = test_dir();
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no private mounts here: %s", strerror(errno));
	if (mount("sluice-test", dir, "tmpfs", 0, "size=256k") < 0)
		SKIP("cannot mount a tmpfs: %s", strerror(errno));
	fd = open(support_path(dir, "full"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void a_full_disk_is_an_error_with_the_bytes_that_fitted(void **state)
{
	int file = file_on_small_disk();
	struct sl_ring *ring = ring_open(8);
	static char data[2 * DISK_BYTES], back[DISK_BYTES];
	struct sl_op op = { 0 };
	struct stat st;

	(void)state;
	pattern(data, sizeof(data), 5);
	expect_res(ring, sl_op_write(&op, file, data, sizeof(data), 0), -ENOSPC);
	assert_int_equal(fstat(file, &st), 0);
	assert_true(op.done_len > 0);
	assert_int_equal(op.done_len, st.st_size);
	assert_int_equal(ring_stats(ring).write_bytes, op.done_len);
	expect_res(ring, sl_op_read(&op, file, back, DISK_BYTES, 0), st.st_size);
	assert_memory_equal(back, data, (size_t)st.st_size);
	expect_res(ring, sl_op_write(&op, file, data, 4096, (uint64_t)st.st_size), -ENOSPC);
	assert_int_equal(op.done_len, 0);
	sl_ring_close(ring);
}

static void a_full_disk_breaks_a_chain_and_room_mends_it(void **state)
{
	int file = file_on_small_disk();
	struct sl_ring *ring = ring_open(8);
	static char data[2 * DISK_BYTES];
	struct sl_op ops[2] = { 0 }, *chain[2] = { &ops[0], &ops[1] };

	(void)state;
	sl_op_write(&ops[0], file, data, sizeof(data), 0)->flags |= SL_OP_LINKED;
	sl_op_fdatasync(&ops[1], file);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	ring_settle(ring);
	assert_int_equal(ops[0].res, -ENOSPC);
	assert_int_equal(ops[1].res, -ECANCELED);
	expect_res(ring, sl_op_truncate(&ops[0], file, 0), 0);
	expect_res(ring, sl_op_write(&ops[0], file, data, 4096, 0), 4096);
	expect_res(ring, sl_op_allocate(&ops[0], file, 0, 0, 2 * DISK_BYTES), -ENOSPC);
	sl_ring_close(ring);
}

static void a_full_device_is_an_error(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);

	(void)state;
	if (full < 0)
		SKIP("no /dev/full here");
	expect_res(ring, sl_op_write(&op, full, "x", 1, SL_OFF_CURRENT), -ENOSPC);
	assert_int_equal(op.done_len, 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_full_disk_is_an_error_with_the_bytes_that_fitted, BLOCK, ON_KERNEL),
	T(a_full_disk_breaks_a_chain_and_room_mends_it, BLOCK | FILES, ON_KERNEL),
	T(a_full_device_is_an_error, BLOCK, ON_KERNEL),
};

const struct contract_group disk_tests = GROUP(tests);
