/* turn.c - one turn of a ring: deadlines of run, wakes, batches, its clock, room, describe. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void run_returns_zero_when_its_deadline_passes(void **state)
{
	struct sl_ring *ring = ring_open(8);
	int64_t deadline = sl_ring_clock(ring) + 5 * MS;

	(void)state;
	while (sl_ring_run(ring, deadline) == 0 && sl_ring_now(ring) < deadline)
		continue;
	assert_true(sl_ring_now(ring) >= deadline);
	sl_ring_close(ring);
}

static void a_deadline_in_the_past_does_not_sleep(void **state)
{
	struct sl_ring *ring = ring_open(8);

	(void)state;
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) - 1), 0);
	sl_ring_close(ring);
}

static void run_counts_the_completions_it_dispatched(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[6] = { 0 };
	int64_t now = sl_ring_clock(ring);
	unsigned nr = 0;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		ops[i].done = i % 2 ? note : NULL;
		submit(ring, sl_op_timer(&ops[i], now + 1, 0));
	}
	while (nr < 6) {
		int n = sl_ring_run(ring, 0);

		assert_true(n > 0);
		nr += (unsigned)n;
	}
	assert_int_equal(nr, 6);
	assert_int_equal(trace.nr, 3);
	sl_ring_close(ring);
}

static void a_wake_before_the_run_makes_it_return(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	sl_ring_wake(ring);
	assert_int_equal(sl_ring_run(ring, 0), 0);
	assert_int_equal(trace.nr, 0);
	sl_ring_close(ring);
}

static void a_wake_makes_next_return_null(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	sl_ring_wake(ring);
	assert_null(sl_ring_next(ring, 0));
	sl_ring_close(ring);
}

static void *wake_later(void *ring)
{
	pause_ms(20);
	sl_ring_wake(ring);
	return NULL;
}

static void a_wake_from_another_thread_ends_the_sleep(void **state)
{
	struct sl_ring *ring = ring_open(8);
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wake_later, ring), 0);
	assert_int_equal(sl_ring_run(ring, 0), 0);
	pthread_join(thread, NULL);
	sl_ring_close(ring);
}

static void wakes_do_not_pile_up(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	unsigned turns = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		sl_ring_wake(ring);
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + 20 * MS, 0));
	while (trace.nr == 0) {
		assert_true(sl_ring_run(ring, 0) >= 0);
		turns++;
	}
	assert_true(turns < 1000);
	sl_ring_close(ring);
}

static void the_time_of_the_turn_stands_still_between_turns(void **state)
{
	struct sl_ring *ring = ring_open(8);
	int64_t now;

	(void)state;
	sl_ring_run(ring, SL_RING_POLL);
	now = sl_ring_now(ring);
	pause_ms(2);
	assert_int_equal(sl_ring_now(ring), now);
	assert_true(sl_ring_clock(ring) >= now + (on_memory() ? 0 : 2 * MS));
	assert_true(sl_ring_now(ring) >= now);
	sl_ring_close(ring);
}

static void the_clock_is_clock_monotonic_on_a_kernel_backend(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct timespec before, after;
	int64_t now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &before);
	now = sl_ring_clock(ring);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(now >= before.tv_sec * SECOND + before.tv_nsec);
	assert_true(now <= after.tv_sec * SECOND + after.tv_nsec);
	sl_ring_close(ring);
}

static void room_and_inflight_count_what_is_accepted(void **state)
{
	struct sl_ring *ring = ring_open(4);
	struct sl_op ops[3] = { 0 };

	(void)state;
	assert_int_equal(sl_ring_room(ring), 4);
	for (unsigned i = 0; i < 3; i++)
		submit(ring, sl_op_nop(&ops[i]));
	assert_int_equal(sl_ring_room(ring), 1);
	assert_int_equal(sl_ring_inflight(ring), 3);
	assert_non_null(sl_ring_next(ring, 0));
	assert_int_equal(sl_ring_inflight(ring), 2);
	ring_settle(ring);
	assert_int_equal(sl_ring_room(ring), 4);
	sl_ring_close(ring);
}

static void *put_later(void *ctx)
{
	pause_ms(30);
	world_put(*(int *)ctx, "b", 1);
	return NULL;
}

static void a_batched_wait_collects_as_many_as_asked(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){
		.depth = 8, .wait_batch = 2, .wait_ns = (uint64_t)(20 * SECOND) });
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	int first[2], second[2];
	char bytes[2];
	pthread_t thread;

	(void)state;
	world_pair(first);
	world_pair(second);
	submit(ring, sl_op_read(&ops[0], first[0], &bytes[0], 1, SL_OFF_CURRENT));
	submit(ring, sl_op_read(&ops[1], second[0], &bytes[1], 1, SL_OFF_CURRENT));
	world_put(first[1], "a", 1);
	assert_int_equal(pthread_create(&thread, NULL, put_later, &second[1]), 0);
	assert_int_equal(sl_ring_run(ring, 0), 2);
	pthread_join(thread, NULL);
	assert_int_equal(trace.nr, 2);
	sl_ring_close(ring);
}

static void a_batched_wait_ends_after_its_time_with_fewer(void **state)
{
	struct sl_ring *ring = ring_open_with(
		&(struct sl_ring_opts){ .depth = 8, .wait_batch = 8, .wait_ns = (uint64_t)MS });
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	int pair[2];
	char bytes[2];

	(void)state;
	world_pair(pair);
	submit(ring, sl_op_read(&ops[0], pair[0], &bytes[0], 1, SL_OFF_CURRENT));
	submit(ring, sl_op_read(&ops[1], pair[1], &bytes[1], 1, SL_OFF_CURRENT));
	world_put(pair[1], "a", 1);
	assert_int_equal(sl_ring_run(ring, 0), 1);
	assert_int_equal(trace_place(&ops[0]), 0);
	sl_ring_close(ring);
}

static void a_timer_ends_a_batched_wait(void **state)
{
	struct sl_ring *ring = ring_open_with(
		&(struct sl_ring_opts){ .depth = 8, .wait_batch = 8, .wait_ns = (uint64_t)MS });
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + 2 * MS, 0));
	ring_until(ring, &trace.ended, 1);
	sl_ring_close(ring);
}

static void spinning_before_the_sleep_changes_no_result(void **state)
{
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .depth = 8, .spin_ns = (uint64_t)MS });
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + 3 * MS, 0));
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 0);
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 2 * MS), 0);
	sl_ring_close(ring);
}

static void describe_tells_files_from_streams(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_desc desc;
	int file = world_file(), pair[2];
	struct sl_op op = { 0 };

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_write(&op, file, "12345", 5, 0), 5);
	assert_int_equal(sl_ring_describe(ring, file, &desc), 0);
	assert_int_equal(desc.kind, SL_DESC_REGULAR);
	assert_int_equal(desc.size, 5);
	assert_non_null(desc.align_source);
	assert_int_equal(sl_ring_describe(ring, pair[0], &desc), 0);
	assert_int_equal(desc.kind, SL_DESC_SOCKET);
	assert_int_equal(sl_ring_describe(ring, world_bad_fd(), &desc), -EBADF);
	sl_ring_close(ring);
}

static void describe_knows_how_a_descriptor_was_opened(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_desc desc;
	struct stat st;
	int fds[2], file = test_file("described", O_WRONLY | O_APPEND);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), dir = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(sl_ring_describe(ring, fds[0], &desc), 0);
	assert_int_equal(desc.kind, SL_DESC_PIPE);
	assert_int_equal(desc.flags, SL_DESC_NONBLOCK);
	assert_int_equal(sl_ring_describe(ring, file, &desc), 0);
	assert_int_equal(desc.flags, SL_DESC_APPEND);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(desc.ino, st.st_ino);
	assert_int_equal(desc.dev, st.st_dev);
	assert_int_equal(sl_ring_describe(ring, null, &desc), 0);
	assert_int_equal(desc.kind, SL_DESC_CHARACTER);
	assert_int_equal(sl_ring_describe(ring, dir, &desc), 0);
	assert_int_equal(desc.kind, SL_DESC_DIRECTORY);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(run_returns_zero_when_its_deadline_passes, CORE, 0),
	T(a_deadline_in_the_past_does_not_sleep, CORE, 0),
	T(run_counts_the_completions_it_dispatched, CORE, 0),
	T(a_wake_before_the_run_makes_it_return, CORE, 0),
	T(a_wake_makes_next_return_null, CORE, 0),
	T(a_wake_from_another_thread_ends_the_sleep, CORE, 0),
	T(wakes_do_not_pile_up, CORE, 0),
	T(the_time_of_the_turn_stands_still_between_turns, CORE, 0),
	T(the_clock_is_clock_monotonic_on_a_kernel_backend, CORE, ON_KERNEL),
	T(room_and_inflight_count_what_is_accepted, CORE, 0),
	T(a_batched_wait_collects_as_many_as_asked, CORE | BLOCK, ON_KERNEL),
	T(a_batched_wait_ends_after_its_time_with_fewer, CORE | BLOCK, 0),
	T(a_timer_ends_a_batched_wait, CORE, 0),
	T(spinning_before_the_sleep_changes_no_result, CORE, 0),
	T(describe_tells_files_from_streams, CORE | BLOCK, 0),
	T(describe_knows_how_a_descriptor_was_opened, CORE, ON_KERNEL),
};

const struct contract_group turn_tests = GROUP(tests);
