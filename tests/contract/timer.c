/* timer.c - TIMER: not before its time, in order, in periods. */
#include "tests/contract/suite.h"

static void a_timer_completes_with_zero_and_not_before_its_time(void **state)
{
	struct sl_ring *ring = ring_open(8);
	int64_t when = sl_ring_clock(ring) + 3 * MS;
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, when, 0));
	ring_until(ring, &trace.ended, 1);
	assert_true(sl_ring_now(ring) >= when);
	assert_int_equal(op.res, 0);
	sl_ring_close(ring);
}

static void a_timer_in_the_past_completes_at_the_next_turn(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) - MS, 0));
	assert_int_equal(trace.nr, 0);
	assert_int_equal(sl_ring_run(ring, 0), 1);
	assert_int_equal(op.res, 0);
	sl_ring_close(ring);
}

static void timers_complete_in_the_order_of_their_times(void **state)
{
	enum {
		NR_TIMERS = 100
	};
	struct sl_ring *ring = ring_open(NR_TIMERS);
	struct sl_op ops[NR_TIMERS];
	int64_t now = sl_ring_clock(ring);

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < NR_TIMERS; i++) {
		ops[i].done = note;
		submit(ring, sl_op_timer(&ops[i], now + (int64_t)(i * 37 % NR_TIMERS) * 50000, 0));
	}
	ring_until(ring, &trace.ended, NR_TIMERS);
	for (unsigned i = 1; i < NR_TIMERS; i++)
		assert_true(trace.at[i - 1].op->deadline_ns <= trace.at[i].op->deadline_ns);
	sl_ring_close(ring);
}

static int64_t tick_times[8];
static uint32_t tick_missed[8];

static void tick(struct sl_ring *ring, struct sl_op *op)
{
	unsigned n = trace.nr;

	note(ring, op);
	if (op->more == 0)
		return;
	tick_times[n] = sl_ring_now(ring);
	tick_missed[n] = op->aux;
	if (n == 3)
		assert_int_equal(sl_ring_cancel(ring, op), 0);
}

static void a_multi_timer_completes_every_period_until_cancelled(void **state)
{
	struct sl_ring *ring = ring_open(8);
	int64_t first = sl_ring_clock(ring) + 2 * MS;
	struct sl_op op = { .done = tick };

	(void)state;
	sl_op_timer(&op, first, (uint64_t)(3 * MS));
	op.flags |= SL_OP_MULTI;
	submit(ring, &op);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(trace.nr, 5);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(trace.at[i].res, 0);
		assert_true(tick_times[i] >= first + (int64_t)i * 3 * MS);
	}
	assert_int_equal(trace.at[4].res, -ECANCELED);
	assert_int_equal(ring_stats(ring).completed, 1);
	assert_int_equal(ring_stats(ring).events, 5);
	sl_ring_close(ring);
}

static void periods_are_exact_where_the_clock_is(void **state)
{
	struct sl_ring *ring = ring_open(8);
	int64_t first = sl_ring_clock(ring) + 2 * MS;
	struct sl_op op = { .done = tick };

	(void)state;
	sl_op_timer(&op, first, (uint64_t)(3 * MS));
	op.flags |= SL_OP_MULTI;
	submit(ring, &op);
	ring_until(ring, &trace.ended, 1);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(tick_times[i], first + (int64_t)i * 3 * MS);
		assert_int_equal(tick_missed[i], 0);
	}
	sl_ring_close(ring);
}

static void dawdle(struct sl_ring *ring, struct sl_op *op)
{
	unsigned n = trace.nr;

	note(ring, op);
	tick_times[n] = sl_ring_now(ring);
	tick_missed[n] = op->aux;
	if (n == 0)
		pause_ms(25);
	else if (n == 4)
		assert_int_equal(sl_ring_cancel(ring, op), 0);
}

static void periods_that_passed_unseen_are_counted(void **state)
{
	struct sl_ring *ring = ring_open(8);
	int64_t first = sl_ring_clock(ring) + MS;
	struct sl_op op = { .done = dawdle };
	int64_t seen = -1;

	(void)state;
	sl_op_timer(&op, first, (uint64_t)MS);
	op.flags |= SL_OP_MULTI;
	submit(ring, &op);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(trace.nr, 6);
	assert_true(tick_missed[1] >= 20);
	/* every period is either told or counted as missed */
	for (unsigned i = 0; i < 5; i++) {
		seen += 1 + tick_missed[i];
		assert_int_equal((tick_times[i] - first) / MS, seen);
	}
	sl_ring_close(ring);
}

static void a_timer_can_be_cancelled(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_timer_completes_with_zero_and_not_before_its_time, CORE, 0),
	T(a_timer_in_the_past_completes_at_the_next_turn, CORE, 0),
	T(timers_complete_in_the_order_of_their_times, CORE, 0),
	T(a_multi_timer_completes_every_period_until_cancelled, CORE, 0),
	T(periods_are_exact_where_the_clock_is, CORE, ON_MEMORY),
	T(periods_that_passed_unseen_are_counted, CORE, ON_KERNEL),
	T(a_timer_can_be_cancelled, CORE, 0),
};

const struct contract_group timer_tests = GROUP(tests);
