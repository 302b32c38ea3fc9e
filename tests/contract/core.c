/* core.c - the life of an op: submitted, completed once, collected or told, used again. */
#include "tests/contract/suite.h"

static void a_zeroed_op_is_an_idle_nop_that_completes_with_zero(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	op.res = 77;
	expect_res(ring, &op, 0);
	assert_int_equal(op.done_len, 0);
	sl_ring_close(ring);
}

static void an_op_is_busy_from_submit_to_its_end(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op told = { .done = note }, collected = { 0 };

	(void)state;
	assert_false(sl_op_busy(&told));
	submit(ring, sl_op_nop(&told));
	submit(ring, sl_op_nop(&collected));
	assert_true(sl_op_busy(&told));
	assert_int_equal(told.res, -EINPROGRESS);
	assert_int_equal(collected.res, -EINPROGRESS);
	ring_until(ring, &trace.ended, 1);
	assert_false(sl_op_busy(&told));
	assert_int_equal(told.res, 0);
	assert_ptr_equal(sl_ring_next(ring, 0), &collected);
	assert_false(sl_op_busy(&collected));
	sl_ring_close(ring);
}

static void submit_never_runs_a_callback(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_nop(&op));
	assert_int_equal(trace.nr, 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(trace.nr, 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(trace_place(&op), 0);
	sl_ring_close(ring);
}

static void an_op_without_callback_is_returned_by_next_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { 0 };
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		submit(ring, sl_op_nop(&ops[i]));
	for (unsigned i = 0; i < 3; i++) {
		struct sl_op *op = sl_ring_next(ring, 0);

		assert_true(op >= ops && op < ops + 3);
		seen |= 1u << (op - ops);
		assert_int_equal(op->res, 0);
	}
	assert_int_equal(seen, 7);
	assert_null(sl_ring_next(ring, 0));
	assert_int_equal(sl_ring_inflight(ring), 0);
	sl_ring_close(ring);
}

static void next_returns_null_at_once_when_nothing_is_in_flight(void **state)
{
	struct sl_ring *ring = ring_open(8);

	(void)state;
	assert_null(sl_ring_next(ring, 0));
	assert_null(sl_ring_next(ring, SL_RING_POLL));
	sl_ring_close(ring);
}

static void next_returns_null_when_only_ops_with_callbacks_are_in_flight(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	assert_null(sl_ring_next(ring, 0));
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_settle(ring);
	assert_int_equal(op.res, -ECANCELED);
	sl_ring_close(ring);
}

static void next_returns_null_when_its_deadline_passes(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int64_t deadline = sl_ring_clock(ring) + 5 * MS;

	(void)state;
	submit(ring, sl_op_timer(&op, deadline + HOUR, 0));
	assert_null(sl_ring_next(ring, deadline));
	assert_true(sl_ring_clock(ring) >= deadline);
	assert_null(sl_ring_next(ring, SL_RING_POLL));
	assert_int_equal(sl_ring_inflight(ring), 1);
	sl_ring_close(ring);
}

static void next_runs_the_callbacks_of_other_ops_too(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op told = { .done = note }, collected = { 0 };
	int64_t now = sl_ring_clock(ring);

	(void)state;
	submit(ring, sl_op_timer(&told, now + MS, 0));
	submit(ring, sl_op_timer(&collected, now + 20 * MS, 0));
	assert_ptr_equal(sl_ring_next(ring, 0), &collected);
	assert_int_equal(trace_place(&told), 0);
	sl_ring_close(ring);
}

static unsigned rounds_left;

static void again(struct sl_ring *ring, struct sl_op *op)
{
	assert_int_equal(op->res, 0);
	assert_int_equal(op->more, 0);
	if (--rounds_left == 0)
		return;
	submit(ring, sl_op_nop(op));
}

static void an_op_may_be_used_again_inside_its_own_callback(void **state)
{
	struct sl_ring *ring = ring_open(1);
	struct sl_op op = { .done = again };

	(void)state;
	rounds_left = 1000;
	submit(ring, sl_op_nop(&op));
	while (rounds_left)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(sl_ring_inflight(ring), 0);
	assert_int_equal(ring_stats(ring).completed, 1000);
	sl_ring_close(ring);
}

static struct sl_op *others;

static void submit_others(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	for (unsigned i = 0; i < 4; i++)
		submit(ring, sl_op_nop(&others[i]));
	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&others[4])), -EAGAIN);
}

static void a_callback_finds_the_room_of_its_own_op_free(void **state)
{
	struct sl_ring *ring = ring_open(4);
	struct sl_op first = { .done = submit_others }, ops[5];

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < 5; i++)
		ops[i].done = note;
	others = ops;
	submit(ring, sl_op_nop(&first));
	ring_settle(ring);
	assert_int_equal(trace.nr, 5);
	sl_ring_close(ring);
}

static void helpers_keep_callback_user_and_class_and_clear_the_rest(void **state)
{
	struct sl_op op;

	(void)state;
	memset(&op, 0xaa, sizeof(op));
	op.done = note;
	op.user = &trace;
	op.sched_class = 5;
	sl_op_nop(&op);
	assert_ptr_equal(op.done, note);
	assert_ptr_equal(op.user, &trace);
	assert_int_equal(op.sched_class, 5);
	assert_int_equal(op.flags, 0);
	assert_null(op.arg);
	assert_int_equal(op.deadline_ns, 0);
	assert_int_equal(op.more, 0);
}

static void every_operation_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SL_OP_CODES; i++) {
		assert_non_null(sl_op_name(i));
		assert_string_not_equal(sl_op_name(i), "?");
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(sl_op_name(i), sl_op_name(j));
	}
	assert_string_equal(sl_op_name(SL_OP_READ), "read");
	assert_string_equal(sl_op_name(SL_OP_CODES), "?");
	assert_string_equal(sl_op_name(~0u), "?");
}

static void errors_have_names_and_texts_of_either_sign(void **state)
{
	(void)state;
	assert_string_equal(sl_err_name(-EINVAL), "EINVAL");
	assert_string_equal(sl_err_name(EINVAL), "EINVAL");
	assert_string_equal(sl_err_name(0), "0");
	assert_string_equal(sl_err_name(99999), "E?");
	assert_string_equal(sl_err_text(-EINVAL), "Invalid argument");
	assert_string_equal(sl_err_text(ETIMEDOUT), sl_err_text(-ETIMEDOUT));
}

static void the_library_says_the_version_it_was_compiled_with(void **state)
{
	(void)state;
	assert_int_equal(sl_version(), SL_VERSION);
}

static const struct contract_test tests[] = {
	T(a_zeroed_op_is_an_idle_nop_that_completes_with_zero, CORE, 0),
	T(an_op_is_busy_from_submit_to_its_end, CORE, 0),
	T(submit_never_runs_a_callback, CORE, 0),
	T(an_op_without_callback_is_returned_by_next_once, CORE, 0),
	T(next_returns_null_at_once_when_nothing_is_in_flight, CORE, 0),
	T(next_returns_null_when_only_ops_with_callbacks_are_in_flight, CORE, 0),
	T(next_returns_null_when_its_deadline_passes, CORE, 0),
	T(next_runs_the_callbacks_of_other_ops_too, CORE, 0),
	T(an_op_may_be_used_again_inside_its_own_callback, CORE, 0),
	T(a_callback_finds_the_room_of_its_own_op_free, CORE, 0),
	T(helpers_keep_callback_user_and_class_and_clear_the_rest, CORE, 0),
	T(every_operation_has_a_name_of_its_own, CORE, 0),
	T(errors_have_names_and_texts_of_either_sign, CORE, 0),
	T(the_library_says_the_version_it_was_compiled_with, CORE, 0),
};

const struct contract_group core_tests = GROUP(tests);
