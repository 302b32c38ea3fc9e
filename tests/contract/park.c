/* park.c - the bounds: -EAGAIN at depth, parking in order up to park_max, never a drop. */
#include "tests/contract/suite.h"

enum {
	DEPTH = 4,
	PARK_MAX = 8,
	ALL = DEPTH + PARK_MAX
};

static struct sl_op ops[ALL + 2];
static char bytes[ALL + 2];
static int pair[2];

static struct sl_ring *open_small(void)
{
	world_pair(pair);
	return ring_open_with(&(struct sl_ring_opts){ .depth = DEPTH, .park_max = PARK_MAX });
}

static struct sl_op *waiting(unsigned i, uint16_t flags)
{
	ops[i].done = note;
	sl_op_read(&ops[i], pair[0], &bytes[i], 1, SL_OFF_CURRENT);
	ops[i].flags = flags;
	return &ops[i];
}

static void beyond_depth_submit_says_so(void **state)
{
	struct sl_ring *ring = open_small();

	(void)state;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(ring, waiting(i, 0));
	assert_int_equal(sl_ring_room(ring), 0);
	assert_int_equal(sl_ring_submit(ring, waiting(DEPTH, 0)), -EAGAIN);
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_submit(ring, waiting(DEPTH, 0)), -EAGAIN);
	assert_int_equal(ring_stats(ring).refused, 2);
	assert_int_equal(ring_stats(ring).submitted, DEPTH);
	world_put(pair[1], "x", 1);
	ring_until(ring, &trace.ended, 1);
	submit(ring, waiting(DEPTH, 0));
	sl_ring_close(ring);
}

static void beyond_park_max_even_parking_is_refused(void **state)
{
	struct sl_ring *ring = open_small();

	(void)state;
	for (unsigned i = 0; i < ALL; i++)
		submit(ring, waiting(i, SL_OP_PARK));
	assert_int_equal(sl_ring_submit(ring, waiting(ALL, SL_OP_PARK)), -EAGAIN);
	assert_int_equal(sl_ring_inflight(ring), ALL);
	assert_int_equal(ring_stats(ring).parked, PARK_MAX);
	assert_int_equal(ring_stats(ring).parked_now, PARK_MAX);
	assert_int_equal(ring_stats(ring).inflight, DEPTH);
	world_put(pair[1], "0123456789ab", ALL);
	ring_until(ring, &trace.ended, ALL);
	for (unsigned i = 0; i < ALL; i++)
		assert_int_equal(ops[i].res, 1);
	assert_int_equal(ring_stats(ring).parked_now, 0);
	sl_ring_close(ring);
}

static void parked_ops_start_in_the_order_they_came(void **state)
{
	struct sl_ring *ring;

	(void)state;
	memory_wants("prompt");
	world_pair(pair);
	ring = ring_open_with(&(struct sl_ring_opts){ .depth = 1, .park_max = PARK_MAX });
	for (unsigned i = 0; i < 1 + PARK_MAX; i++)
		submit(ring, waiting(i, SL_OP_PARK));
	world_put(pair[1], "012345678", 1 + PARK_MAX);
	ring_until(ring, &trace.ended, 1 + PARK_MAX);
	for (unsigned i = 0; i < 1 + PARK_MAX; i++) {
		assert_int_equal(trace_place(&ops[i]), i);
		assert_int_equal(bytes[i], '0' + (int)i);
	}
	sl_ring_close(ring);
}

static void an_unparked_submit_does_not_overtake_the_parked_ones(void **state)
{
	struct sl_ring *ring = open_small();

	(void)state;
	for (unsigned i = 0; i < DEPTH + 1; i++)
		submit(ring, waiting(i, SL_OP_PARK));
	assert_int_equal(sl_ring_submit(ring, waiting(DEPTH + 1, 0)), -EAGAIN);
	sl_ring_close(ring);
}

static void a_parked_op_can_be_cancelled_and_the_others_keep_their_order(void **state)
{
	struct sl_ring *ring;

	(void)state;
	memory_wants("prompt");
	world_pair(pair);
	ring = ring_open_with(&(struct sl_ring_opts){ .depth = 1, .park_max = PARK_MAX });
	for (unsigned i = 0; i < 6; i++)
		submit(ring, waiting(i, SL_OP_PARK));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &ops[3]), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(ops[3].res, -ECANCELED);
	world_put(pair[1], "01245", 5);
	ring_until(ring, &trace.ended, 6);
	for (unsigned i = 0; i < 6; i++)
		if (i != 3)
			assert_int_equal(bytes[i], '0' + (int)i);
	sl_ring_close(ring);
}

static void a_parked_op_times_out_where_it_waits(void **state)
{
	struct sl_ring *ring = open_small();

	(void)state;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(ring, waiting(i, 0));
	waiting(DEPTH, SL_OP_PARK)->deadline_ns = sl_ring_clock(ring) + 3 * MS;
	submit(ring, &ops[DEPTH]);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(ops[DEPTH].res, -ETIMEDOUT);
	assert_int_equal(sl_ring_inflight(ring), DEPTH);
	sl_ring_close(ring);
}

static void an_array_parks_as_one(void **state)
{
	struct sl_ring *ring = open_small();
	struct sl_op *array[3] = { &ops[3], &ops[4], &ops[5] };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		submit(ring, waiting(i, 0));
	waiting(3, SL_OP_PARK);
	waiting(4, 0);
	waiting(5, 0);
	assert_int_equal(sl_ring_submitv(ring, array, 3), 0);
	assert_int_equal(sl_ring_inflight(ring), 6);
	assert_int_equal(ring_stats(ring).parked_now, 3);
	world_put(pair[1], "012345", 6);
	ring_until(ring, &trace.ended, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(ops[i].res, 1);
	sl_ring_close(ring);
}

static void a_chain_parks_as_one_and_runs_in_order(void **state)
{
	struct sl_ring *ring = open_small();
	struct sl_op *chain[3] = { &ops[4], &ops[5], &ops[6] };

	(void)state;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(ring, waiting(i, 0));
	for (unsigned i = 4; i < 7; i++) {
		ops[i].done = note;
		sl_op_nop(&ops[i])->flags = i < 6 ? SL_OP_LINKED : 0;
	}
	ops[4].flags |= SL_OP_PARK;
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
	world_put(pair[1], "0123", 4);
	ring_until(ring, &trace.ended, 7);
	assert_true(trace_place(&ops[4]) < trace_place(&ops[5]));
	assert_true(trace_place(&ops[5]) < trace_place(&ops[6]));
	assert_int_equal(ops[6].res, 0);
	sl_ring_close(ring);
}

static void cancelling_the_tail_of_a_parked_chain_frees_no_room_twice(void **state)
{
	struct sl_ring *ring = open_small();
	struct sl_op *chain[2] = { &ops[4], &ops[5] };

	(void)state;
	for (unsigned i = 0; i < DEPTH; i++)
		submit(ring, waiting(i, 0));
	waiting(4, SL_OP_PARK | SL_OP_LINKED);
	waiting(5, 0);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	assert_int_equal(sl_ring_cancel(ring, &ops[5]), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(ops[5].res, -ECANCELED);
	assert_int_equal(sl_ring_inflight(ring), DEPTH + 1);
	assert_int_equal(sl_ring_room(ring), 0);
	assert_int_equal(ring_stats(ring).inflight, DEPTH);
	assert_int_equal(ring_stats(ring).parked_now, 1);
	world_put(pair[1], "01234", 5);
	ring_until(ring, &trace.ended, 6);
	assert_int_equal(sl_ring_inflight(ring), 0);
	assert_int_equal(sl_ring_room(ring), DEPTH);
	sl_ring_close(ring);
}

static void closing_ends_parked_ops_too(void **state)
{
	struct sl_ring *ring = open_small();

	(void)state;
	for (unsigned i = 0; i < ALL; i++)
		submit(ring, waiting(i, SL_OP_PARK));
	sl_ring_close(ring);
	assert_int_equal(trace.ended, ALL);
	for (unsigned i = 0; i < ALL; i++) {
		trace_place(&ops[i]);
		assert_int_equal(ops[i].res, -ECANCELED);
	}
}

static const struct contract_test tests[] = {
	T(beyond_depth_submit_says_so, CORE | BLOCK, 0),
	T(beyond_park_max_even_parking_is_refused, CORE | BLOCK, 0),
	T(parked_ops_start_in_the_order_they_came, CORE | BLOCK, 0),
	T(an_unparked_submit_does_not_overtake_the_parked_ones, CORE | BLOCK, 0),
	T(a_parked_op_can_be_cancelled_and_the_others_keep_their_order, CORE | BLOCK, 0),
	T(a_parked_op_times_out_where_it_waits, CORE | BLOCK, 0),
	T(an_array_parks_as_one, CORE | BLOCK, 0),
	T(a_chain_parks_as_one_and_runs_in_order, CORE | BLOCK, 0),
	T(cancelling_the_tail_of_a_parked_chain_frees_no_room_twice, CORE | BLOCK, 0),
	T(closing_ends_parked_ops_too, CORE | BLOCK, 0),
};

const struct contract_group park_tests = GROUP(tests);
