/* chain.c - LINKED chains: in order, broken by what is not a full success, all or nothing. */
#include "tests/contract/suite.h"

static void a_chain_runs_in_order(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[4] = { 0 }, *chain[4];
	char out[] = "hello", in[8] = "";
	int file = world_file();

	(void)state;
	sl_op_write(&ops[0], file, out, 5, 0)->flags |= SL_OP_LINKED;
	sl_op_fdatasync(&ops[1], file)->flags |= SL_OP_LINKED;
	sl_op_read(&ops[2], file, in, 5, 0)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[3]);
	for (unsigned i = 0; i < 4; i++) {
		ops[i].done = note;
		chain[i] = &ops[i];
	}
	assert_int_equal(sl_ring_submitv(ring, chain, 4), 0);
	ring_until(ring, &trace.ended, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(trace_place(&ops[i]), i);
		assert_true(ops[i].res >= 0);
	}
	assert_string_equal(in, "hello");
	sl_ring_close(ring);
}

static void expect_broken_after(struct sl_ring *ring, struct sl_op *ops, unsigned nr, unsigned last)
{
	struct sl_op *chain[8];

	trace_reset();
	for (unsigned i = 0; i < nr; i++) {
		ops[i].done = note;
		if (i + 1 < nr)
			ops[i].flags |= SL_OP_LINKED;
		chain[i] = &ops[i];
	}
	assert_int_equal(sl_ring_submitv(ring, chain, nr), 0);
	ring_until(ring, &trace.ended, nr);
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(trace_place(&ops[i]), i);
	for (unsigned i = last + 1; i < nr; i++) {
		assert_int_equal(ops[i].res, -ECANCELED);
		assert_int_equal(ops[i].done_len, 0);
	}
	assert_int_equal(sl_ring_inflight(ring), 0);
}

static void an_error_breaks_the_chain_and_cancels_the_rest_in_order(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[4] = { 0 };
	char byte = 0;

	(void)state;
	sl_op_nop(&ops[0]);
	sl_op_read(&ops[1], world_bad_fd(), &byte, 1, 0);
	sl_op_nop(&ops[2]);
	sl_op_nop(&ops[3]);
	expect_broken_after(ring, ops, 4, 1);
	assert_int_equal(ops[0].res, 0);
	assert_int_equal(ops[1].res, -EBADF);
	sl_ring_close(ring);
}

static void a_short_read_breaks_the_chain(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 };
	struct sl_op fill = { 0 };
	char buf[8];
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&fill, file, "12345", 5, 0), 5);
	sl_op_read(&ops[0], file, buf, 5, 0);
	sl_op_read(&ops[1], file, buf, 8, 0);
	sl_op_nop(&ops[2]);
	expect_broken_after(ring, ops, 3, 1);
	assert_int_equal(ops[0].res, 5);
	assert_int_equal(ops[1].res, 5);
	sl_ring_close(ring);
}

static void a_short_transfer_on_a_stream_breaks_the_chain(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { 0 };
	char buf[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_put(pair[1], "abc", 3);
	sl_op_read(&ops[0], pair[0], buf, sizeof(buf), SL_OFF_CURRENT);
	sl_op_nop(&ops[1]);
	expect_broken_after(ring, ops, 2, 0);
	assert_int_equal(ops[0].res, 3);
	sl_ring_close(ring);
}

static void a_deadline_breaks_the_chain(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	sl_op_nop(&ops[0]);
	sl_op_read(&ops[1], pair[0], &byte, 1, SL_OFF_CURRENT);
	ops[1].deadline_ns = sl_ring_clock(ring) + 200 * MS;
	sl_op_nop(&ops[2]);
	expect_broken_after(ring, ops, 3, 1);
	assert_int_equal(ops[1].res, -ETIMEDOUT);
	sl_ring_close(ring);
}

static int64_t give(void *ctx)
{
	return *(int64_t *)ctx;
}

static void a_failing_function_breaks_the_chain_and_a_good_one_does_not(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 };
	int64_t good = 7, bad = -EPROTO;

	(void)state;
	sl_op_work(&ops[0], give, &good);
	sl_op_work(&ops[1], give, &bad);
	sl_op_nop(&ops[2]);
	expect_broken_after(ring, ops, 3, 1);
	assert_int_equal(ops[0].res, 7);
	assert_int_equal(ops[1].res, -EPROTO);
	sl_ring_close(ring);
}

static void a_chain_that_ends_linked_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { 0 }, *chain[2] = { &ops[0], &ops[1] };

	(void)state;
	sl_op_nop(&ops[0])->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[1])->flags |= SL_OP_LINKED;
	assert_int_equal(sl_ring_submitv(ring, chain, 2), -EINVAL);
	assert_int_equal(sl_ring_inflight(ring), 0);
	sl_ring_close(ring);
}

static void an_array_of_no_ops_or_too_many_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(4);
	struct sl_op ops[5] = { 0 }, *array[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		array[i] = &ops[i];
	assert_int_equal(sl_ring_submitv(ring, array, 0), -EINVAL);
	assert_int_equal(sl_ring_submitv(ring, array, 5), -EINVAL);
	assert_int_equal(sl_ring_submitv(ring, array, 4), 0);
	ring_settle(ring);
	sl_ring_close(ring);
}

static void an_array_with_one_bad_op_is_refused_whole(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 }, *array[3] = { &ops[0], &ops[1], &ops[2] };
	struct sl_op *twice[2] = { &ops[0], &ops[0] };

	(void)state;
	ops[2].code = 200;
	assert_int_equal(sl_ring_submitv(ring, array, 3), -EINVAL);
	assert_int_equal(sl_ring_inflight(ring), 0);
	assert_int_equal(sl_ring_submitv(ring, twice, 2), -EINVAL);
	assert_int_equal(sl_ring_inflight(ring), 0);
	ops[2].code = SL_OP_NOP;
	assert_int_equal(sl_ring_submitv(ring, array, 3), 0);
	ring_settle(ring);
	assert_int_equal(ring_stats(ring).completed, 3);
	sl_ring_close(ring);
}

static void an_array_without_room_is_refused_whole(void **state)
{
	struct sl_ring *ring = ring_open(4);
	struct sl_op ops[6] = { 0 }, *array[3] = { &ops[3], &ops[4], &ops[5] };

	(void)state;
	submit(ring, sl_op_nop(&ops[0]));
	submit(ring, sl_op_nop(&ops[1]));
	assert_int_equal(sl_ring_submitv(ring, array, 3), -EAGAIN);
	assert_int_equal(sl_ring_inflight(ring), 2);
	assert_int_equal(sl_ring_submitv(ring, array, 2), 0);
	ring_settle(ring);
	assert_int_equal(sl_ring_submitv(ring, array, 3), 0);
	ring_settle(ring);
	sl_ring_close(ring);
}

static void two_chains_of_one_array_break_apart_from_each_other(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[4] = { 0 }, *array[4] = { &ops[0], &ops[1], &ops[2], &ops[3] };
	char byte = 0;

	(void)state;
	sl_op_read(&ops[0], world_bad_fd(), &byte, 1, 0)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[1]);
	sl_op_nop(&ops[2])->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[3]);
	for (unsigned i = 0; i < 4; i++)
		ops[i].done = note;
	assert_int_equal(sl_ring_submitv(ring, array, 4), 0);
	ring_until(ring, &trace.ended, 4);
	assert_int_equal(ops[0].res, -EBADF);
	assert_int_equal(ops[1].res, -ECANCELED);
	assert_int_equal(ops[2].res, 0);
	assert_int_equal(ops[3].res, 0);
	sl_ring_close(ring);
}

static void cancelling_the_head_ends_the_whole_chain(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 }, *chain[3] = { &ops[0], &ops[1], &ops[2] };

	(void)state;
	sl_op_timer(&ops[0], sl_ring_clock(ring) + HOUR, 0)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[1])->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[2]);
	for (unsigned i = 0; i < 3; i++)
		ops[i].done = note;
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &ops[0]), 0);
	ring_until(ring, &trace.ended, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(trace_place(&ops[i]), i);
		assert_int_equal(ops[i].res, -ECANCELED);
	}
	sl_ring_close(ring);
}

static void cancelling_a_later_op_lets_the_earlier_ones_run(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 }, *chain[3] = { &ops[0], &ops[1], &ops[2] };

	(void)state;
	sl_op_timer(&ops[0], sl_ring_clock(ring) + 5 * MS, 0)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[1])->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[2]);
	for (unsigned i = 0; i < 3; i++)
		ops[i].done = note;
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
	assert_int_equal(sl_ring_cancel(ring, &ops[1]), 0);
	ring_until(ring, &trace.ended, 3);
	assert_int_equal(ops[0].res, 0);
	assert_int_equal(ops[1].res, -ECANCELED);
	assert_int_equal(ops[2].res, -ECANCELED);
	for (unsigned i = 0; i < 3; i++)
		trace_place(&ops[i]);
	sl_ring_close(ring);
}

static void cancel_fd_finds_ops_that_wait_in_a_chain(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[4] = { 0 }, *chain[4] = { &ops[0], &ops[1], &ops[2], &ops[3] };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	sl_op_timer(&ops[0], sl_ring_clock(ring) + HOUR, 0)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[1])->flags |= SL_OP_LINKED;
	sl_op_read(&ops[2], pair[0], &byte, 1, SL_OFF_CURRENT)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[3]);
	for (unsigned i = 0; i < 4; i++)
		ops[i].done = note;
	assert_int_equal(sl_ring_submitv(ring, chain, 4), 0);
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel_fd(ring, pair[0]), 1);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(ops[2].res, -ECANCELED);
	assert_int_equal(ops[3].res, -ECANCELED);
	assert_true(sl_op_busy(&ops[0]) && sl_op_busy(&ops[1]));
	assert_int_equal(sl_ring_cancel(ring, &ops[0]), 0);
	ring_until(ring, &trace.ended, 4);
	sl_ring_close(ring);
}

static void a_chain_without_callbacks_is_collected_in_order(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[4] = { 0 }, *chain[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		sl_op_nop(&ops[i]);
		ops[i].flags = i < 3 ? SL_OP_LINKED : 0;
		chain[i] = &ops[i];
	}
	assert_int_equal(sl_ring_submitv(ring, chain, 4), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_ptr_equal(sl_ring_next(ring, 0), &ops[i]);
	assert_null(sl_ring_next(ring, 0));
	sl_ring_close(ring);
}

static unsigned chain_rounds;
static struct sl_op chain_ops[3];

static void chain_again(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_op *chain[3] = { &chain_ops[0], &chain_ops[1], &chain_ops[2] };

	assert_int_equal(op->res, 0);
	if (--chain_rounds == 0)
		return;
	chain_ops[0].flags = chain_ops[1].flags = SL_OP_LINKED;
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
}

static void a_chain_is_submitted_again_from_its_last_callback(void **state)
{
	struct sl_ring *ring = ring_open(3);
	struct sl_op *chain[3] = { &chain_ops[0], &chain_ops[1], &chain_ops[2] };

	(void)state;
	chain_rounds = 500;
	chain_ops[0] = chain_ops[1] = (struct sl_op){ .flags = SL_OP_LINKED, .done = note };
	chain_ops[2] = (struct sl_op){ .done = chain_again };
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
	while (chain_rounds)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(trace.nr, 1000);
	assert_int_equal(sl_ring_inflight(ring), 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_chain_runs_in_order, CORE | BLOCK, 0),
	T(an_error_breaks_the_chain_and_cancels_the_rest_in_order, CORE | BLOCK, 0),
	T(a_short_read_breaks_the_chain, CORE | BLOCK, 0),
	T(a_short_transfer_on_a_stream_breaks_the_chain, CORE | BLOCK, 0),
	T(a_deadline_breaks_the_chain, CORE | BLOCK, 0),
	T(a_failing_function_breaks_the_chain_and_a_good_one_does_not, CORE, 0),
	T(a_chain_that_ends_linked_is_refused, CORE, 0),
	T(an_array_of_no_ops_or_too_many_is_refused, CORE, 0),
	T(an_array_with_one_bad_op_is_refused_whole, CORE, 0),
	T(an_array_without_room_is_refused_whole, CORE, 0),
	T(two_chains_of_one_array_break_apart_from_each_other, CORE | BLOCK, 0),
	T(cancelling_the_head_ends_the_whole_chain, CORE, 0),
	T(cancelling_a_later_op_lets_the_earlier_ones_run, CORE, 0),
	T(cancel_fd_finds_ops_that_wait_in_a_chain, CORE | BLOCK, 0),
	T(a_chain_without_callbacks_is_collected_in_order, CORE, 0),
	T(a_chain_is_submitted_again_from_its_last_callback, CORE, 0),
};

const struct contract_group chain_tests = GROUP(tests);
