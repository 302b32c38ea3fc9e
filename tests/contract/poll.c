/* poll.c - POLL: readiness as poll(2) tells it, once and level-triggered. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static void poll_answers_with_the_events_that_hold(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int pair[2];

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_poll(&op, pair[0], POLLOUT), POLLOUT);
	assert_int_equal(op.aux, POLLOUT);
	world_put(pair[1], "x", 1);
	expect_res(ring, sl_op_poll(&op, pair[0], POLLIN), POLLIN);
	expect_res(ring, sl_op_poll(&op, pair[0], POLLIN | POLLOUT), POLLIN | POLLOUT);
	sl_ring_close(ring);
}

static void poll_waits_until_an_event_holds(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, sl_op_poll(&op, pair[0], POLLIN));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	world_put(pair[1], "x", 1);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, POLLIN);
	sl_ring_close(ring);
}

static void poll_reports_a_hang_up_that_was_not_asked_for(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	close(fds[1]);
	assert_true(sl_ring_do(ring, sl_op_poll(&op, fds[0], 0)) & POLLHUP);
	sl_ring_close(ring);
}

static void poll_of_a_regular_file_is_ready_at_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	expect_res(ring, sl_op_poll(&op, world_file(), POLLIN), POLLIN);
	sl_ring_close(ring);
}

static int drain_fd;

static void count_to_three(struct sl_ring *ring, struct sl_op *op)
{
	char byte;

	note(ring, op);
	if (op->more == 0)
		return;
	assert_int_equal(op->res, POLLIN);
	if (trace.nr == 3)
		assert_int_equal(world_take(drain_fd, &byte, 1), 1);
}

static void a_multi_poll_completes_at_every_turn_while_the_event_holds(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = count_to_three };
	int pair[2];

	(void)state;
	world_pair(pair);
	drain_fd = pair[0];
	sl_op_poll(&op, pair[0], POLLIN);
	op.flags |= SL_OP_MULTI;
	submit(ring, &op);
	world_put(pair[1], "x", 1);
	ring_until(ring, &trace.nr, 3);
	/* the byte is gone: what was already on its way may still come, then silence */
	while (sl_ring_run(ring, sl_ring_clock(ring) + 10 * MS) > 0)
		continue;
	assert_int_equal(trace.ended, 0);
	assert_true(trace.nr <= 4);
	world_put(pair[1], "y", 1);
	ring_until(ring, &trace.nr, trace.nr + 1);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_true(op.res == -ECANCELED || op.res == POLLIN);
	sl_ring_close(ring);
}

static void two_polls_of_one_descriptor_both_complete(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op in = { .done = note }, again = { .done = note }, out = { .done = note };
	int pair[2];

	(void)state;
	world_pair(pair);
	world_clog(pair[0]);
	submit(ring, sl_op_poll(&in, pair[0], POLLIN));
	submit(ring, sl_op_poll(&again, pair[0], POLLIN));
	submit(ring, sl_op_poll(&out, pair[0], POLLOUT));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	world_put(pair[1], "x", 1);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(in.res, POLLIN);
	assert_int_equal(again.res, POLLIN);
	assert_int_equal(sl_ring_inflight(ring), 1);
	assert_int_equal(sl_ring_cancel(ring, &out), 0);
	ring_settle(ring);
	assert_int_equal(out.res, -ECANCELED);
	sl_ring_close(ring);
}

static void select_refuses_a_descriptor_beyond_its_sets(void **state)
{
	struct sl_ring *ring;
	struct log_lines lines = { 0 };
	struct sl_op op = { 0 };
	char byte;
	int pair[2], high;

	(void)state;
	ring = ring_open_with(&(struct sl_ring_opts){ .log = log_keep, .log_ctx = &lines });
	world_pair(pair);
	high = fcntl(pair[0], F_DUPFD_CLOEXEC, 1024);
	if (high < 0)
		SKIP("RLIMIT_NOFILE allows no descriptor of 1024 or more");
	assert_true(sl_ring_do(ring, sl_op_poll(&op, high, POLLIN)) < 0);
	assert_true(sl_ring_do(ring, sl_op_recv(&op, high, &byte, 1, 0)) < 0);
	assert_true(log_has(&lines, "1024"));
	world_put(pair[1], "x", 1);
	expect_res(ring, sl_op_recv(&op, pair[0], &byte, 1, 0), 1);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(poll_answers_with_the_events_that_hold, CORE, 0),
	T(poll_waits_until_an_event_holds, CORE, 0),
	T(poll_reports_a_hang_up_that_was_not_asked_for, CORE, ON_KERNEL),
	T(poll_of_a_regular_file_is_ready_at_once, CORE | BLOCK, 0),
	T(a_multi_poll_completes_at_every_turn_while_the_event_holds, CORE, 0),
	T(two_polls_of_one_descriptor_both_complete, CORE, 0),
	T(select_refuses_a_descriptor_beyond_its_sets, CORE | NET, AS_SELECT),
};

const struct contract_group poll_tests = GROUP(tests);
