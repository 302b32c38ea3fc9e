/* durable.c: who makes a durable write. The power cuts themselves are in tests/vm/powercut.c. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* On these a durable asynchronous write was tried, and survives. */
static bool is_tried(void)
{
	struct statfs fs;

	assert_int_equal(statfs(fs_dir(), &fs), 0);
	return fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
	       fs.f_type == TMPFS_MAGIC;
}

static uint64_t worked(struct sl_ring *ring)
{
	struct sl_ring_stats stats;

	assert_int_equal(sl_ring_stats(ring, -1, &stats), 0);
	return stats.worked;
}

/* The ring's own path elsewhere is cheaper by a thread switch: that it is taken is tested too. */
static void assert_made_by(struct sl_ring *ring, uint64_t before)
{
	bool native = sl_ring_caps(ring)->route[SL_OP_WRITE] == SL_ROUTE_NATIVE;

	assert_int_equal(worked(ring), before + (native && is_tried() ? 0 : 1));
}

void a_durable_write_is_asynchronous_only_where_that_was_tried(void **state)
{
	struct sl_file_req req = { .len = 4096, .flags = SL_FILE_DSYNC };
	struct sl_ring *ring = fs_ring();
	void *base;
	uint64_t before;

	(void)state;
	req.buf = fs_buffer(4096, 0, &base);
	for (unsigned io = SL_FILE_BUFFERED; io <= SL_FILE_DIRECT; io++) {
		struct sl_file *file = fs_open(ring, "durable", O_RDWR | O_CREAT, io);

		assert_int_equal(fs_write(file, req.buf, 4096, 0), 4096);
		before = worked(ring);
		assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &req), 4096);
		assert_made_by(ring, before);
		sl_file_close(file);
	}
	free(base);
	sl_ring_close(ring);
}

void a_file_opened_with_dsync_is_written_so(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file;
	void *base;
	unsigned char *buf = fs_buffer(4096, 0, &base);
	uint64_t before;

	(void)state;
	file = fs_open(ring, "durable", O_RDWR | O_CREAT | O_DSYNC, SL_FILE_BUFFERED);
	before = worked(ring);
	assert_int_equal(fs_write(file, buf, 4096, 0), 4096);
	assert_made_by(ring, before);
	sl_file_close(file);
	free(base);
	sl_ring_close(ring);
}

void a_durable_op_is_made_as_a_durable_request_is(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file = fs_open(ring, "durable", O_RDWR | O_CREAT, SL_FILE_BUFFERED);
	struct sl_op op = { 0 };
	uint64_t before = worked(ring);
	char buf[8] = "";

	(void)state;
	sl_op_write(&op, sl_file_fd(file), "durable", 7, 0)->flags |= SL_OP_DSYNC;
	assert_int_equal(sl_ring_do(ring, &op), 7);
	assert_made_by(ring, before);
	assert_int_equal(fs_read(file, buf, 7, 0), 7);
	assert_string_equal(buf, "durable");
	sl_file_close(file);
	sl_ring_close(ring);
}
