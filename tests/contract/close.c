/* close.c - CLOSE: it ends what is pending on the descriptor first; numbers that come back. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static void close_ends_what_is_pending_before_itself(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op reads[2] = { 0 }, poll = { .done = note }, close_op = { .done = note };
	char bytes[2];
	int pair[2];

	(void)state;
	world_pair(pair);
	for (unsigned i = 0; i < 2; i++) {
		reads[i].done = note;
		submit(ring, sl_op_read(&reads[i], pair[0], &bytes[i], 1, SL_OFF_CURRENT));
	}
	submit(ring, sl_op_poll(&poll, pair[0], POLLIN));
	sl_ring_run(ring, SL_RING_POLL);
	submit(ring, sl_op_close(&close_op, pair[0]));
	ring_until(ring, &trace.ended, 4);
	assert_int_equal(trace_place(&close_op), 3);
	assert_int_equal(close_op.res, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(reads[i].res, -ECANCELED);
	assert_int_equal(poll.res, -ECANCELED);
	expect_res(ring, sl_op_read(&poll, pair[0], bytes, 1, SL_OFF_CURRENT), -EBADF);
	expect_res(ring, sl_op_write(&poll, pair[1], "x", 1, SL_OFF_CURRENT), -EPIPE);
	sl_ring_close(ring);
}

static void close_ends_ops_submitted_in_the_same_turn(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op read = { .done = note }, close_op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, sl_op_read(&read, pair[0], &byte, 1, SL_OFF_CURRENT));
	submit(ring, sl_op_close(&close_op, pair[0]));
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(trace_place(&read), 0);
	assert_int_equal(read.res, -ECANCELED);
	assert_int_equal(close_op.res, 0);
	sl_ring_close(ring);
}

static void close_ends_what_waits_in_a_chain_for_the_descriptor(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { { .done = note }, { .done = note } }, close_op = { .done = note };
	struct sl_op *chain[2] = { &ops[0], &ops[1] };
	char byte = 'q';
	int pair[2], again[2];

	(void)state;
	world_pair(pair);
	sl_op_timer(&ops[0], sl_ring_clock(ring) + 20 * MS, 0)->flags |= SL_OP_LINKED;
	sl_op_read(&ops[1], pair[0], &byte, 1, SL_OFF_CURRENT);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	sl_ring_run(ring, SL_RING_POLL);
	submit(ring, sl_op_close(&close_op, pair[0]));
	while (sl_op_busy(&close_op))
		assert_true(sl_ring_run(ring, 0) >= 0);
	world_pair(again);
	assert_int_equal(again[0], pair[0]);
	world_put(again[1], "n", 1);
	ring_until(ring, &trace.ended, 3);
	assert_int_equal(ops[1].res, -ECANCELED);
	assert_int_equal(byte, 'q');
	assert_true(trace_place(&ops[1]) < trace_place(&close_op));
	sl_ring_close(ring);
}

static void closing_no_descriptor_is_an_error(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	expect_res(ring, sl_op_close(&op, world_bad_fd()), -EBADF);
	expect_res(ring, sl_op_close(&op, -1), -EBADF);
	sl_ring_close(ring);
}

static void a_number_that_comes_back_reaches_the_new_file(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op read = { .done = note }, op = { 0 };
	char old, fresh;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		int pair[2], again[2];

		trace_reset();
		world_pair(pair);
		submit(ring, sl_op_read(&read, pair[0], &old, 1, SL_OFF_CURRENT));
		sl_ring_run(ring, SL_RING_POLL);
		expect_res(ring, sl_op_close(&op, pair[0]), 0);
		assert_int_equal(trace_place(&read), 0);
		assert_int_equal(read.res, -ECANCELED);
		world_pair(again);
		assert_int_equal(again[0], pair[0]);
		trace_reset();
		submit(ring, sl_op_read(&read, again[0], &fresh, 1, SL_OFF_CURRENT));
		assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
		world_put(again[1], "f", 1);
		ring_until(ring, &trace.ended, 1);
		assert_int_equal(read.res, 1);
		assert_int_equal(fresh, 'f');
		world_close(again[0]);
		world_close(again[1]);
		world_close(pair[1]);
	}
	sl_ring_close(ring);
}

static void a_descriptor_not_kept_may_be_closed_behind_the_ring_when_idle(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[4];

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		int pair[2], file;

		world_pair(pair);
		world_put(pair[1], "s", 1);
		expect_res(ring, sl_op_read(&op, pair[0], buf, 4, SL_OFF_CURRENT), 1);
		world_close(pair[0]);
		file = world_file();
		assert_int_equal(file, pair[0]);
		expect_res(ring, sl_op_write(&op, file, "abc", 3, 0), 3);
		expect_res(ring, sl_op_read(&op, file, buf, 4, 1), 2);
		world_close(file);
		world_close(pair[1]);
		expect_res(ring, sl_op_read(&op, file, buf, 4, 0), -EBADF);
	}
	sl_ring_close(ring);
}

static void a_stream_number_that_comes_back_as_a_stream_waits_anew(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[4];

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		struct sl_op read = { .done = note };
		int pair[2];

		trace_reset();
		world_pair(pair);
		submit(ring, sl_op_read(&read, pair[0], buf, 4, SL_OFF_CURRENT));
		assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
		expect_res(ring, sl_op_write(&op, pair[1], "ab", 2, SL_OFF_CURRENT), 2);
		ring_until(ring, &trace.ended, 1);
		assert_int_equal(read.res, 2);
		world_close(pair[0]);
		world_close(pair[1]);
	}
	sl_ring_close(ring);
}

static void a_listener_closed_while_accepting_ends_the_accept(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op accept = { .done = note }, close_op = { .done = note };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sockaddr name = { .sa_family = AF_UNIX };

	(void)state;
	assert_int_equal(bind(listener, &name, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listener, 4), 0);
	sl_op_accept(&accept, listener, NULL, NULL, 0)->flags |= SL_OP_MULTI;
	submit(ring, &accept);
	sl_ring_run(ring, SL_RING_POLL);
	submit(ring, sl_op_close(&close_op, listener));
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(accept.res, -ECANCELED);
	assert_int_equal(trace_place(&close_op), 1);
	sl_ring_close(ring);
}

static void close_in_a_chain_follows_the_last_write(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { 0 }, *chain[2] = { &ops[0], &ops[1] };
	char buf[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	sl_op_write(&ops[0], pair[0], "bye", 3, SL_OFF_CURRENT)->flags |= SL_OP_LINKED;
	sl_op_close(&ops[1], pair[0]);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	ring_settle(ring);
	assert_int_equal(ops[0].res, 3);
	assert_int_equal(ops[1].res, 0);
	expect_res(ring, sl_op_read(&ops[0], pair[1], buf, sizeof(buf), SL_OFF_CURRENT), 3);
	expect_res(ring, sl_op_read(&ops[0], pair[1], buf, sizeof(buf), SL_OFF_CURRENT), 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(close_ends_what_is_pending_before_itself, NAME | BLOCK, 0),
	T(close_ends_ops_submitted_in_the_same_turn, NAME | BLOCK, 0),
	T(close_ends_what_waits_in_a_chain_for_the_descriptor, NAME | BLOCK, ON_KERNEL),
	T(closing_no_descriptor_is_an_error, NAME, 0),
	T(a_number_that_comes_back_reaches_the_new_file, NAME | BLOCK, 0),
	T(a_descriptor_not_kept_may_be_closed_behind_the_ring_when_idle, BLOCK, ON_KERNEL),
	T(a_stream_number_that_comes_back_as_a_stream_waits_anew, BLOCK, 0),
	T(a_listener_closed_while_accepting_ends_the_accept, NAME | NET, ON_KERNEL),
	T(close_in_a_chain_follows_the_last_write, NAME | BLOCK, 0),
};

const struct contract_group close_tests = GROUP(tests);
