/* process.c - PIPE, SPLICE, TEE. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <unistd.h>

static struct sl_splice_ends from(int fd)
{
	return (struct sl_splice_ends){ fd, 0, SL_OFF_CURRENT, SL_OFF_CURRENT };
}

static void a_pipe_is_made_with_its_flags(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char byte;
	int fds[2] = { -1, -1 };

	(void)state;
	expect_res(ring, sl_op_pipe(&op, fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	expect_res(ring, sl_op_pipe(&op, fds, 1 << 30), -EINVAL);
	sl_ring_close(ring);
}

static void splice_moves_a_file_to_a_socket_through_a_pipe(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	struct sl_splice_ends ends;
	char data[3000], back[3000];
	int file = world_file(), pair[2], fds[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pattern(data, sizeof(data), 4);
	expect_res(ring, sl_op_write(&op, file, data, sizeof(data), 0), sizeof(data));
	ends = from(file);
	ends.source_off = 1000;
	expect_res(ring, sl_op_splice(&op, fds[1], &ends, 65536), 2000);
	assert_int_equal(op.done_len, 2000);
	ends = from(fds[0]);
	expect_res(ring, sl_op_splice(&op, pair[0], &ends, 2000), 2000);
	assert_int_equal(read(pair[1], back, sizeof(back)), 2000);
	assert_memory_equal(back, data + 1000, 2000);
	ends = from(file);
	ends.source_off = 3000;
	expect_res(ring, sl_op_splice(&op, fds[1], &ends, 10), 0);
	sl_ring_close(ring);
}

static void splice_into_a_file_goes_to_its_offset(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	struct sl_splice_ends ends;
	char back[16];
	int file = world_file(), fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "spliced", 7), 7);
	ends = from(fds[0]);
	ends.target_off = 5;
	expect_res(ring, sl_op_splice(&op, file, &ends, 7), 7);
	expect_res(ring, sl_op_read(&op, file, back, 16, 0), 12);
	assert_memory_equal(back + 5, "spliced", 7);
	sl_ring_close(ring);
}

static void splice_waits_for_its_source(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int source[2], target[2];
	struct sl_splice_ends ends;

	(void)state;
	assert_int_equal(pipe2(source, O_CLOEXEC), 0);
	assert_int_equal(pipe2(target, O_CLOEXEC), 0);
	ends = from(source[0]);
	submit(ring, sl_op_splice(&op, target[1], &ends, 100));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 20 * MS), 0);
	assert_int_equal(write(source[1], "late", 4), 4);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 4);
	sl_ring_close(ring);
}

static void a_splice_that_waits_is_cancelled_or_times_out(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int source[2], target[2];
	struct sl_splice_ends ends;
	char byte;

	(void)state;
	assert_int_equal(pipe2(source, O_CLOEXEC), 0);
	assert_int_equal(pipe2(target, O_CLOEXEC | O_NONBLOCK), 0);
	ends = from(source[0]);
	submit(ring, sl_op_splice(&op, target[1], &ends, 100));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	sl_op_splice(&op, target[1], &ends, 100)->deadline_ns = sl_ring_clock(ring) + 5 * MS;
	submit(ring, &op);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(op.res, -ETIMEDOUT);
	/* and nothing lingers that would steal what comes later */
	assert_int_equal(write(source[1], "k", 1), 1);
	sl_ring_run(ring, sl_ring_clock(ring) + 20 * MS);
	assert_int_equal(read(source[0], &byte, 1), 1);
	sl_ring_close(ring);
}

static void cancel_fd_finds_a_splice_by_either_end(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int source[2], target[2];
	struct sl_splice_ends ends;

	(void)state;
	assert_int_equal(pipe2(source, O_CLOEXEC), 0);
	assert_int_equal(pipe2(target, O_CLOEXEC), 0);
	ends = from(source[0]);
	for (unsigned i = 0; i < 4; i++) {
		trace_reset();
		submit(ring, sl_op_splice(&op, target[1], &ends, 100));
		if (i / 2)
			sl_ring_run(ring, sl_ring_clock(ring) + 2 * MS);
		assert_int_equal(sl_ring_cancel_fd(ring, i % 2 ? source[0] : target[1]), 1);
		ring_until(ring, &trace.ended, 1);
		assert_int_equal(op.res, -ECANCELED);
	}
	sl_ring_close(ring);
}

static void close_ends_a_splice_that_waits_on_either_end(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_splice_ends ends;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sl_op op = { .done = note }, close_op = { .done = note };
		int source[2], target[2];

		trace_reset();
		assert_int_equal(pipe2(source, O_CLOEXEC), 0);
		assert_int_equal(pipe2(target, O_CLOEXEC), 0);
		ends = from(source[0]);
		submit(ring, sl_op_splice(&op, target[1], &ends, 100));
		sl_ring_run(ring, sl_ring_clock(ring) + 2 * MS);
		submit(ring, sl_op_close(&close_op, i ? source[0] : target[1]));
		ring_until(ring, &trace.ended, 2);
		assert_int_equal(op.res, -ECANCELED);
		assert_int_equal(trace_place(&close_op), 1);
		assert_int_equal(close_op.res, 0);
	}
	sl_ring_close(ring);
}

static void tee_leaves_the_bytes_in_its_source(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int source[2], target[2];
	struct sl_splice_ends ends;
	char back[8];

	(void)state;
	assert_int_equal(pipe2(source, O_CLOEXEC), 0);
	assert_int_equal(pipe2(target, O_CLOEXEC), 0);
	assert_int_equal(write(source[1], "twice", 5), 5);
	ends = from(source[0]);
	expect_res(ring, sl_op_tee(&op, target[1], &ends, 100), 5);
	assert_int_equal(read(target[0], back, 8), 5);
	assert_int_equal(read(source[0], back, 8), 5);
	assert_memory_equal(back, "twice", 5);
	sl_ring_close(ring);
}

static void splice_without_a_pipe_or_a_descriptor_is_an_error(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	struct sl_splice_ends ends;
	int file = world_file(), other = world_file(), fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	ends = from(file);
	expect_res(ring, sl_op_splice(&op, other, &ends, 10), -EINVAL);
	ends = from(world_bad_fd());
	expect_res(ring, sl_op_splice(&op, fds[1], &ends, 10), -EBADF);
	ends = from(fds[0]);
	expect_res(ring, sl_op_splice(&op, world_bad_fd(), &ends, 10), -EBADF);
	ends = from(file);
	expect_res(ring, sl_op_tee(&op, fds[1], &ends, 10), -EINVAL);
	sl_ring_close(ring);
}

static void many_splices_that_wait_do_not_hold_up_a_stat(void **state)
{
	enum {
		NR_OPS = 20
	};
	struct sl_ring *ring = ring_open(NR_OPS + 4);
	static struct sl_op ops[NR_OPS];
	struct sl_op op = { 0 };
	int source[2], target[2];
	struct sl_splice_ends ends;
	char byte;

	(void)state;
	assert_int_equal(pipe2(source, O_CLOEXEC), 0);
	assert_int_equal(pipe2(target, O_CLOEXEC), 0);
	ends = from(source[0]);
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		submit(ring, sl_op_splice(&ops[i], target[1], &ends, 1));
	}
	sl_ring_run(ring, SL_RING_POLL);
	expect_res(ring, sl_op_write(&op, world_file(), "not stuck", 9, 0), 9);
	expect_res(ring, sl_op_fdatasync(&op, world_file()), 0);
	assert_int_equal(trace.nr, 0);
	assert_int_equal(write(source[1], "x", 1), 1);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(read(target[0], &byte, 1), 1);
	sl_ring_close(ring);
	assert_int_equal(trace.ended, NR_OPS);
}

static void a_splice_told_not_to_wait_answers_at_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int pair[2], fds[2];
	struct sl_splice_ends ends;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ends = from(pair[0]);
	sl_op_splice(&op, fds[1], &ends, 100)->flags |= SL_OP_NOWAIT;
	expect_res(ring, &op, -EAGAIN);
	assert_int_equal(write(pair[1], "abc", 3), 3);
	expect_res(ring, &op, 3);
	ends = from(fds[0]);
	sl_op_splice(&op, pair[0], &ends, 100)->flags |= SL_OP_NOWAIT;
	expect_res(ring, &op, 3);
	expect_res(ring, &op, -EAGAIN);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_splice_told_not_to_wait_answers_at_once, PROCESS, 0),
	T(a_pipe_is_made_with_its_flags, PROCESS, ON_KERNEL),
	T(splice_moves_a_file_to_a_socket_through_a_pipe, PROCESS | BLOCK, ON_KERNEL),
	T(splice_into_a_file_goes_to_its_offset, PROCESS | BLOCK, ON_KERNEL),
	T(splice_waits_for_its_source, PROCESS, ON_KERNEL),
	T(a_splice_that_waits_is_cancelled_or_times_out, PROCESS, ON_KERNEL),
	T(cancel_fd_finds_a_splice_by_either_end, PROCESS, ON_KERNEL),
	T(close_ends_a_splice_that_waits_on_either_end, PROCESS | NAME, ON_KERNEL),
	T(tee_leaves_the_bytes_in_its_source, PROCESS, ON_KERNEL),
	T(splice_without_a_pipe_or_a_descriptor_is_an_error, PROCESS, ON_KERNEL),
	T(many_splices_that_wait_do_not_hold_up_a_stat, PROCESS | BLOCK, ON_KERNEL),
};

const struct contract_group process_tests = GROUP(tests);
