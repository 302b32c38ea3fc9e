/* block.c - READ, WRITE, FSYNC, FDATASYNC on files and streams. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static void what_is_written_is_read_back(void **state)
{
	struct sl_ring *ring = ring_open(8);
	static char out[300000], in[300000];
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	pattern(out, sizeof(out), 7);
	expect_res(ring, sl_op_write(&op, file, out, sizeof(out), 0), sizeof(out));
	assert_int_equal(op.done_len, sizeof(out));
	expect_res(ring, sl_op_read(&op, file, in, sizeof(in), 0), sizeof(in));
	assert_int_equal(op.done_len, sizeof(in));
	assert_memory_equal(in, out, sizeof(out));
	expect_res(ring, sl_op_fsync(&op, file), 0);
	expect_res(ring, sl_op_fdatasync(&op, file), 0);
	sl_ring_close(ring);
}

static void a_short_read_means_end_of_file(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[64];
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_read(&op, file, buf, 64, 0), 0);
	expect_res(ring, sl_op_write(&op, file, "0123456789", 10, 0), 10);
	memset(buf, '-', sizeof(buf));
	expect_res(ring, sl_op_read(&op, file, buf, 64, 4), 6);
	assert_int_equal(op.done_len, 6);
	assert_memory_equal(buf, "456789-", 7);
	expect_res(ring, sl_op_read(&op, file, buf, 64, 10), 0);
	expect_res(ring, sl_op_read(&op, file, buf, 64, 5000), 0);
	sl_ring_close(ring);
}

/* One after the other, as sl_ring_do() may answer what is cached before it is submitted. */
static void reads_by_do_end_where_the_file_does(void **state)
{
	static const struct {
		uint64_t off;
		int64_t res;
	} reads[] = { { 0, 16 }, { 8, 12 }, { 4, 16 }, { 20, 0 }, { 19, 1 } };
	struct sl_ring *ring = ring_open(8);
	struct sl_ring_stats before, after;
	char text[] = "0123456789abcdefghij", buf[16];
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, text, 20, 0), 20);
	before = ring_stats(ring);
	for (unsigned i = 0; i < 20 * NR(reads); i++) {
		unsigned at = i % NR(reads);

		sl_op_read(&op, file, buf, 16, reads[at].off);
		assert_int_equal(sl_ring_do(ring, &op), reads[at].res);
		assert_int_equal(op.res, reads[at].res);
		assert_int_equal(op.done_len, reads[at].res);
		assert_memory_equal(buf, text + reads[at].off, (size_t)reads[at].res);
		assert_false(sl_op_busy(&op));
	}
	after = ring_stats(ring);
	assert_int_equal(after.submitted - before.submitted, 20 * NR(reads));
	assert_int_equal(after.completed - before.completed, 20 * NR(reads));
	assert_int_equal(after.read_bytes - before.read_bytes, 20 * (16 + 12 + 16 + 1));
	assert_int_equal(after.inflight, 0);
	sl_ring_close(ring);
}

static int64_t nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void reads_by_do_hold_up_no_other_op(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[4] = {
		{ .done = note }, { .done = note }, { .done = note }, { .done = note }
	};
	struct sl_op op = { 0 };
	char buf[8] = "", byte;
	int file = world_file(), fds[2];

	(void)state;
	world_pair(fds);
	expect_res(ring, sl_op_write(&op, file, buf, 8, 0), 8);
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned again = 0; again < 5; again++)
			expect_res(ring, sl_op_read(&op, file, buf, 8, 0), 8);
		if (i == 0) {
			submit(ring, sl_op_read(&ops[i], fds[0], &byte, 1, SL_OFF_CURRENT));
			assert_int_equal(sl_ring_flush(ring), 0);
			world_put(fds[1], "x", 1);
		} else if (i == 1) {
			submit(ring, sl_op_work(&ops[i], nothing, NULL));
		} else if (i == 2) {
			submit(ring, sl_op_timer(&ops[i], sl_ring_clock(ring) + 1, 0));
		} else {
			assert_int_equal(sl_ring_post(ring, &ops[i]), 0);
		}
		while (trace.ended == i)
			expect_res(ring, sl_op_read(&op, file, buf, 8, 0), 8);
	}
	sl_ring_close(ring);
}

static void a_hole_reads_as_zeros(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[200], zeros[100] = { 0 };
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "end", 3, 100), 3);
	expect_res(ring, sl_op_read(&op, file, buf, 200, 0), 103);
	assert_memory_equal(buf, zeros, 100);
	assert_memory_equal(buf + 100, "end", 3);
	sl_ring_close(ring);
}

static void no_bytes_are_moved_when_none_are_asked_for(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char byte;
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "x", 0, 0), 0);
	expect_res(ring, sl_op_read(&op, file, &byte, 0, 0), 0);
	assert_int_equal(op.done_len, 0);
	sl_ring_close(ring);
}

static void vectors_are_gathered_and_scattered(void **state)
{
	struct sl_ring *ring = ring_open(8);
	static char out[1024][3], in[1024][3];
	struct iovec iov[1024];
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	pattern(out, sizeof(out), 3);
	for (unsigned i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ out[i], i % 5 ? 3 : 0 };
	expect_res(ring, sl_op_writev(&op, file, iov, 1024, 10), 3 * 819);
	for (unsigned i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ in[i], i % 5 ? 3 : 0 };
	expect_res(ring, sl_op_readv(&op, file, iov, 1024, 10), 3 * 819);
	for (unsigned i = 0; i < 1024; i++)
		if (i % 5)
			assert_memory_equal(in[i], out[i], 3);
	sl_ring_close(ring);
}

static void the_callers_vectors_are_not_changed_by_a_short_transfer(void **state)
{
	struct sl_ring *ring;
	static char out[6][777], in[6][777];
	struct iovec iov[6], before[6];
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	memory_wants("short");
	ring = ring_open(8);
	pattern(out, sizeof(out), 3);
	for (unsigned i = 0; i < 6; i++)
		iov[i] = (struct iovec){ out[i], 777 };
	expect_res(ring, sl_op_writev(&op, file, iov, 6, 0), sizeof(out));
	for (unsigned i = 0; i < 6; i++)
		before[i] = iov[i] = (struct iovec){ in[i], 777 };
	expect_res(ring, sl_op_readv(&op, file, iov, 6, 0), sizeof(in));
	assert_memory_equal(in, out, sizeof(out));
	assert_memory_equal(iov, before, sizeof(iov));
	if (on_memory())
		assert_true(ring_stats(ring).short_io >= 2);
	sl_ring_close(ring);
}

static void too_many_vectors_are_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	static struct iovec iov[1025];
	struct sl_op op = { 0 };

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_readv(&op, world_file(), iov, 1025, 0)), -EINVAL);
	sl_ring_close(ring);
}

static void partial_stops_after_the_first_transfer(void **state)
{
	struct sl_ring *ring;
	static char buf[50000];
	struct sl_op op = { 0 };
	int file = world_file();
	int64_t n;

	(void)state;
	memory_wants("short");
	ring = ring_open(8);
	expect_res(ring, sl_op_write(&op, file, buf, sizeof(buf), 0), sizeof(buf));
	sl_op_read(&op, file, buf, sizeof(buf), 0)->flags |= SL_OP_PARTIAL;
	n = sl_ring_do(ring, &op);
	assert_true(n > 0);
	assert_int_equal(op.done_len, n);
	if (on_memory())
		assert_true(n < (int64_t)sizeof(buf));
	sl_ring_close(ring);
}

static void the_current_offset_moves_with_the_bytes(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[8] = "";
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "abc", 3, SL_OFF_CURRENT), 3);
	expect_res(ring, sl_op_write(&op, file, "def", 3, SL_OFF_CURRENT), 3);
	expect_res(ring, sl_op_read(&op, file, buf, 8, 0), 6);
	assert_memory_equal(buf, "abcdef", 6);
	expect_res(ring, sl_op_read(&op, file, buf, 8, SL_OFF_CURRENT), 0);
	sl_ring_close(ring);
}

static void on_a_stream_one_op_is_one_transfer(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[64];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_put(pair[1], "abc", 3);
	expect_res(ring, sl_op_read(&op, pair[0], buf, 64, SL_OFF_CURRENT), 3);
	expect_res(ring, sl_op_write(&op, pair[0], "xy", 2, SL_OFF_CURRENT), 2);
	assert_int_equal(world_take(pair[1], buf, 64), 2);
	world_close(pair[1]);
	expect_res(ring, sl_op_read(&op, pair[0], buf, 64, SL_OFF_CURRENT), 0);
	sl_ring_close(ring);
}

static void a_stream_has_no_offset_to_heed(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[4];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_put(pair[1], "abc", 3);
	expect_res(ring, sl_op_read(&op, pair[0], buf, 1, 0), 1);
	expect_res(ring, sl_op_read(&op, pair[0], buf, 3, 4096), 2);
	expect_res(ring, sl_op_write(&op, pair[0], buf, 3, 5), 3);
	assert_int_equal(world_take(pair[1], buf, 4), 3);
	sl_ring_close(ring);
}

static void a_stream_read_waits_for_data_and_a_write_for_room(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op in = { .done = note }, out = { .done = note };
	static char rest[1 << 20];
	char buf[4];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_clog(pair[0]);
	submit(ring, sl_op_read(&in, pair[0], buf, 4, SL_OFF_CURRENT));
	submit(ring, sl_op_write(&out, pair[0], "wxyz", 4, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 10 * MS), 0);
	world_put(pair[1], "data", 4);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(in.res, 4);
	assert_memory_equal(buf, "data", 4);
	while (world_take(pair[1], rest, sizeof(rest)) > 0)
		continue;
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(out.res, 4);
	sl_ring_close(ring);
}

static void a_descriptor_of_the_wrong_mode_is_an_error(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[4] = "";
	int in = test_file("read-only", O_RDONLY), out = test_file("write-only", O_WRONLY);
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	expect_res(ring, sl_op_write(&op, in, buf, 4, 0), -EBADF);
	expect_res(ring, sl_op_read(&op, out, buf, 4, 0), -EBADF);
	expect_res(ring, sl_op_write(&op, fds[0], buf, 4, SL_OFF_CURRENT), -EBADF);
	expect_res(ring, sl_op_read(&op, fds[1], buf, 4, SL_OFF_CURRENT), -EBADF);
	sl_ring_close(ring);
}

static void a_directory_cannot_be_read(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[4];
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	expect_res(ring, sl_op_read(&op, dir, buf, 4, 0), -EISDIR);
	expect_res(ring, sl_op_read(&op, dir, buf, 4, SL_OFF_CURRENT), -EISDIR);
	sl_ring_close(ring);
}

static void memory_that_is_not_there_is_an_error(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "0123456789", 10, 0), 10);
	expect_res(ring, sl_op_read(&op, file, (void *)8, 10, 0), -EFAULT);
	expect_res(ring, sl_op_write(&op, file, (void *)8, 10, 0), -EFAULT);
	sl_ring_close(ring);
}

static void a_pipe_is_a_stream(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note }, check = { 0 };
	char buf[64];
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	submit(ring, sl_op_read(&op, fds[0], buf, 64, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	expect_res(ring, sl_op_write(&check, fds[1], "pipe", 4, SL_OFF_CURRENT), 4);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 4);
	close(fds[1]);
	expect_res(ring, sl_op_read(&op, fds[0], buf, 64, SL_OFF_CURRENT), 0);
	sl_ring_close(ring);
}

static void append_goes_to_the_end_whatever_the_offset(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[16] = "";
	int file = test_file("appended", O_RDWR | O_APPEND);

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "abc", 3, SL_OFF_CURRENT), 3);
	expect_res(ring, sl_op_write(&op, file, "def", 3, 0), 3);
	expect_res(ring, sl_op_read(&op, file, buf, 16, 0), 6);
	assert_string_equal(buf, "abcdef");
	sl_ring_close(ring);
}

static void a_durable_write_is_a_write(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[8] = "";
	int file = world_file();

	(void)state;
	sl_op_write(&op, file, "durable", 7, 0)->flags |= SL_OP_DSYNC;
	expect_res(ring, &op, 7);
	expect_res(ring, sl_op_read(&op, file, buf, 7, 0), 7);
	assert_string_equal(buf, "durable");
	sl_ring_close(ring);
}

static void dontcache_works_or_says_it_cannot(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[8] = "";
	int file = world_file();
	int64_t n;

	(void)state;
	sl_op_write(&op, file, "passing", 7, 0)->flags |= SL_OP_DONTCACHE;
	n = sl_ring_do(ring, &op);
	if (n == -EOPNOTSUPP)
		SKIP("this file system or kernel has no RWF_DONTCACHE");
	assert_int_equal(n, 7);
	sl_op_read(&op, file, buf, 7, 0)->flags |= SL_OP_DONTCACHE;
	expect_res(ring, &op, 7);
	assert_string_equal(buf, "passing");
	sl_ring_close(ring);
}

static void many_transfers_at_once_land_where_they_belong(void **state)
{
	enum {
		NR_OPS = 128,
		BYTES = 4096
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static char data[NR_OPS][BYTES], back[NR_OPS][BYTES];
	static struct sl_op ops[NR_OPS];
	uint64_t seed = support_seed();
	int file = world_file();

	(void)state;
	for (unsigned i = 0; i < NR_OPS; i++) {
		pattern(data[i], BYTES, i * 1000003 + seed);
		ops[i].done = note;
		submit(ring, sl_op_write(&ops[i], file, data[i], BYTES, (uint64_t)i * BYTES));
	}
	ring_until(ring, &trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++)
		submit(ring, sl_op_read(&ops[i], file, back[i], BYTES, (uint64_t)i * BYTES));
	ring_until(ring, &trace.ended, 2 * NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++)
		assert_int_equal(ops[i].res, BYTES);
	assert_memory_equal(back, data, sizeof(data));
	sl_ring_close(ring);
}

static void an_error_after_some_bytes_tells_how_many(void **state)
{
	struct sl_ring *ring;
	static char buf[4096];
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	memory_wants("short");
	ring = ring_open(8);
	/* the double's files hold 1 MiB */
	assert_int_equal(sl_ring_do(ring, sl_op_write(&op, file, buf, 4096, (1 << 20) - 1000)),
			 -ENOSPC);
	assert_int_equal(op.done_len, 1000);
	assert_int_equal(ring_stats(ring).write_bytes, 1000);
	sl_ring_close(ring);
}

static void a_file_that_grows_under_a_read_gives_what_was_there(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op read = { .done = note }, write = { .done = note };
	char buf[8192], more[4096] = { 0 };
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&write, file, more, 4096, 0), 4096);
	trace_reset();
	submit(ring, sl_op_read(&read, file, buf, 8192, 0));
	submit(ring, sl_op_write(&write, file, more, 4096, 4096));
	ring_until(ring, &trace.ended, 2);
	assert_true(read.res >= 4096 && read.res <= 8192);
	assert_int_equal(write.res, 4096);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(what_is_written_is_read_back, BLOCK, 0),
	T(a_short_read_means_end_of_file, BLOCK, 0),
	T(reads_by_do_end_where_the_file_does, CORE | BLOCK, 0),
	T(reads_by_do_hold_up_no_other_op, CORE | BLOCK, 0),
	T(a_hole_reads_as_zeros, BLOCK, 0),
	T(no_bytes_are_moved_when_none_are_asked_for, BLOCK, 0),
	T(vectors_are_gathered_and_scattered, BLOCK, 0),
	T(the_callers_vectors_are_not_changed_by_a_short_transfer, BLOCK, 0),
	T(too_many_vectors_are_refused, BLOCK, 0),
	T(partial_stops_after_the_first_transfer, BLOCK, 0),
	T(the_current_offset_moves_with_the_bytes, BLOCK, 0),
	T(on_a_stream_one_op_is_one_transfer, BLOCK, 0),
	T(a_stream_has_no_offset_to_heed, BLOCK, 0),
	T(a_stream_read_waits_for_data_and_a_write_for_room, BLOCK, 0),
	T(a_descriptor_of_the_wrong_mode_is_an_error, BLOCK, ON_KERNEL),
	T(a_directory_cannot_be_read, BLOCK, ON_KERNEL),
	T(memory_that_is_not_there_is_an_error, BLOCK, ON_KERNEL),
	T(a_pipe_is_a_stream, BLOCK, ON_KERNEL),
	T(append_goes_to_the_end_whatever_the_offset, BLOCK, ON_KERNEL),
	T(a_durable_write_is_a_write, BLOCK, 0),
	T(dontcache_works_or_says_it_cannot, BLOCK, ON_KERNEL),
	T(many_transfers_at_once_land_where_they_belong, BLOCK, 0),
	T(an_error_after_some_bytes_tells_how_many, BLOCK, ON_MEMORY),
	T(a_file_that_grows_under_a_read_gives_what_was_there, BLOCK, 0),
};

const struct contract_group block_tests = GROUP(tests);
