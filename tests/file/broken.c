/* broken.c: closing what has requests in flight on a ring that broke. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* What is given up stays reachable here: it is no leak of the test's. */
static struct rig {
	struct fault fault;
	struct sl_file *file;
	struct sl_file_reader *reader;
	struct sl_file_writer *writer;
	struct sl_file_req req;
	void *base;
} rigs[3];

static struct sl_ring *rig_up(struct rig *rig)
{
	struct sl_ring *ring;

	fs_fill(fs_path("victim"), 65536);
	ring = fault_ring(&rig->fault);
	rig->file = fs_open(ring, "victim", O_RDWR, SL_FILE_BUFFERED);
	return ring;
}

/* Reads, and fails if sanitizers say that the memory is gone. */
static void assert_still_there(const void *memory, size_t bytes)
{
	const volatile unsigned char *at = memory;

	for (size_t i = 0; i < bytes; i++)
		(void)at[i];
}

void a_file_on_a_broken_ring_is_given_up_at_close(void **state)
{
	struct rig *rig = &rigs[0];
	struct sl_ring *ring = rig_up(rig);
	int fd = sl_file_fd(rig->file);

	(void)state;
	rig->req = (struct sl_file_req){ .buf = fs_buffer(4096, 0, &rig->base), .len = 4096 };
	rig->fault.hold = true;
	assert_int_equal(sl_file_read(rig->file, &rig->req), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	rig->fault.broken = true;
	sl_file_close(rig->file);
	assert_int_equal(sl_ring_error(ring), -EIO);
	assert_true(sl_file_req_busy(&rig->req));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_still_there(rig->req.buf, 4096);
	sl_ring_close(ring);
}

void a_stream_on_a_broken_ring_is_given_up_at_close(void **state)
{
	struct rig *rig = &rigs[1];
	struct sl_ring *ring = rig_up(rig);
	int64_t bytes;
	void *room;

	(void)state;
	rig->fault.hold = true;
	assert_int_equal(sl_file_reader_open(rig->file, NULL, &rig->reader), 0);
	assert_int_equal(sl_file_writer_open(rig->file, NULL, &rig->writer), 0);
	bytes = sl_file_writer_reserve(rig->writer, SL_RING_POLL, &room);
	assert_true(bytes > 0);
	assert_int_equal(sl_file_writer_commit(rig->writer, (size_t)bytes), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	rig->fault.broken = true;
	assert_int_equal(sl_file_writer_finish(rig->writer, true), -EIO);
	sl_file_writer_close(rig->writer);
	sl_file_reader_close(rig->reader);
	sl_file_close(rig->file);
	assert_int_equal(sl_ring_error(ring), -EIO);
	sl_ring_close(ring);
}

/* One that was started, and one that never was: the engine must not look at them any more. */
void an_op_that_a_broken_ring_has_is_given_back(void **state)
{
	struct rig *rig = &rigs[2];
	struct sl_ring *ring = rig_up(rig);
	struct sl_op ops[2] = { 0 };
	unsigned char *bytes = fs_buffer(4096, 0, &rig->base);

	(void)state;
	rig->fault.hold = true;
	rig->fault.broken = true;
	for (unsigned i = 0; i < 2; i++) {
		sl_op_read(&ops[i], sl_file_fd(rig->file), bytes, 4096, 0);
		ops[i].deadline_ns = sl_ring_clock(ring) + INT64_C(3600000000000);
		assert_int_equal(sl_ring_do(ring, &ops[i]), -EIO);
		assert_int_equal(ops[i].res, -EIO);
		assert_false(sl_op_busy(&ops[i]));
	}
	memset(ops, 0xff, sizeof(ops));
	sl_file_close(rig->file);
	sl_ring_close(ring);
	assert_still_there(bytes, 4096);
}
