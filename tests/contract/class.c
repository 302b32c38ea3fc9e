/* class.c - scheduling classes: shares when ops compete for room, caps, bytes as the measure. */
#include "tests/contract/suite.h"

enum {
	EACH = 200,
	BIG = 16384
};

static struct sl_op ops[2][EACH];
static char buffer[BIG];

/* Parks EACH reads of bytes[c] in classes 0 and 1 on a ring with room for one. */
static void compete(struct sl_ring *ring, int file, const size_t bytes[2])
{
	for (unsigned i = 0; i < EACH; i++) {
		for (unsigned c = 0; c < 2; c++) {
			struct sl_op *op = &ops[c][i];

			op->done = note;
			op->sched_class = (uint8_t)c;
			sl_op_read(op, file, buffer, bytes[c], 0);
			op->flags = SL_OP_PARK;
			submit(ring, op);
		}
	}
}

static struct sl_ring *open_for_one(int *ret_file)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){
		.depth = 1, .park_max = 2 * EACH, .flags = SL_RING_NO_INLINE });
	struct sl_op fill = { 0 };

	*ret_file = world_file();
	expect_res(ring, sl_op_write(&fill, *ret_file, buffer, BIG, 0), BIG);
	return ring;
}

static unsigned of_class(unsigned sched_class, unsigned among_first)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < among_first; i++)
		nr += trace.at[i].op->sched_class == sched_class;
	return nr;
}

static void shares_of_three_to_one_give_three_ops_to_one(void **state)
{
	static const size_t bytes[2] = { 4096, 4096 };
	int file;
	struct sl_ring *ring = open_for_one(&file);

	(void)state;
	assert_int_equal(sl_ring_class(ring, 0, &(struct sl_ring_class_opts){ .shares = 300 }), 0);
	assert_int_equal(sl_ring_class(ring, 1, &(struct sl_ring_class_opts){ .shares = 100 }), 0);
	compete(ring, file, bytes);
	ring_until(ring, &trace.ended, 2 * EACH);
	for (unsigned nr = 4; nr <= EACH; nr += 4) {
		assert_true(of_class(0, nr) + 2 >= nr * 3 / 4);
		assert_true(of_class(0, nr) <= nr * 3 / 4 + 2);
	}
	sl_ring_close(ring);
}

static void equal_shares_take_turns(void **state)
{
	static const size_t bytes[2] = { 512, 4096 };
	int file;
	struct sl_ring *ring = open_for_one(&file);

	(void)state;
	compete(ring, file, bytes);
	ring_until(ring, &trace.ended, 2 * EACH);
	for (unsigned nr = 2; nr <= 2 * EACH; nr += 2) {
		assert_true(of_class(0, nr) + 1 >= nr / 2);
		assert_true(of_class(0, nr) <= nr / 2 + 1);
	}
	sl_ring_close(ring);
}

static void the_measure_is_bytes(void **state)
{
	static const size_t bytes[2] = { BIG, 4096 };
	int file;
	struct sl_ring *ring = open_for_one(&file);

	(void)state;
	compete(ring, file, bytes);
	ring_until(ring, &trace.ended, 2 * EACH);
	for (unsigned nr = 5; nr <= EACH; nr += 5) {
		assert_true(of_class(0, nr) + 2 >= nr / 5);
		assert_true(of_class(0, nr) <= nr / 5 + 2);
	}
	sl_ring_close(ring);
}

static void a_class_that_was_idle_saved_up_no_credit(void **state)
{
	static const size_t bytes[2] = { 4096, 4096 };
	int file;
	struct sl_ring *ring = open_for_one(&file);
	struct sl_op op = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10 * EACH; i++)
		expect_res(ring, sl_op_read(&op, file, buffer, 4096, 0), 4096);
	op.sched_class = 1;
	expect_res(ring, sl_op_read(&op, file, buffer, 4096, 0), 4096);
	compete(ring, file, bytes);
	ring_until(ring, &trace.ended, 2 * EACH);
	/* the idle one is not ahead by all that the other did alone */
	assert_true(of_class(0, EACH) >= EACH / 4);
	sl_ring_close(ring);
}

static void within_a_class_the_order_is_that_of_submission(void **state)
{
	static const size_t bytes[2] = { 4096, 4096 };
	int file;
	struct sl_ring *ring = open_for_one(&file);

	(void)state;
	compete(ring, file, bytes);
	ring_until(ring, &trace.ended, 2 * EACH);
	for (unsigned c = 0; c < 2; c++)
		for (unsigned i = 1; i < EACH; i++)
			assert_true(trace_place(&ops[c][i - 1]) < trace_place(&ops[c][i]));
	sl_ring_close(ring);
}

static void a_class_never_exceeds_its_cap(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .park_max = 8 });
	const struct sl_ring_class_opts two = { .inflight_max = 2 };
	struct sl_ring_stats stats;
	char bytes[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_class(ring, 1, &two), 0);
	for (unsigned i = 0; i < 5; i++) {
		ops[1][i] = (struct sl_op){ .done = note, .sched_class = 1 };
		sl_op_read(&ops[1][i], pair[0], &bytes[i], 1, SL_OFF_CURRENT);
		ops[1][i].flags = i < 4 ? SL_OP_PARK : 0;
		assert_int_equal(sl_ring_submit(ring, &ops[1][i]), i < 4 ? 0 : -EAGAIN);
	}
	assert_int_equal(sl_ring_stats(ring, 1, &stats), 0);
	assert_int_equal(stats.inflight, 2);
	assert_int_equal(stats.parked_now, 2);
	assert_int_equal(stats.refused, 1);
	/* another class goes past the ones that wait for their cap */
	ops[0][0] = (struct sl_op){ .done = note };
	submit(ring, sl_op_nop(&ops[0][0]));
	ring_until(ring, &trace.ended, 1);
	assert_ptr_equal(trace.at[0].op, &ops[0][0]);
	assert_int_equal(sl_ring_room(ring), 6);
	world_put(pair[1], "abcd", 4);
	ring_until(ring, &trace.ended, 5);
	sl_ring_close(ring);
}

static void raising_a_cap_lets_parked_ops_go(void **state)
{
	struct sl_ring *ring = ring_open(8);
	const struct sl_ring_class_opts one = { .inflight_max = 1 };
	struct sl_ring_stats stats;
	char bytes[2];
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_class(ring, 3, &one), 0);
	for (unsigned i = 0; i < 2; i++) {
		ops[0][i] = (struct sl_op){ .done = note, .sched_class = 3 };
		sl_op_read(&ops[0][i], pair[0], &bytes[i], 1, SL_OFF_CURRENT);
		ops[0][i].flags = SL_OP_PARK;
		submit(ring, &ops[0][i]);
	}
	assert_int_equal(sl_ring_class(ring, 3, NULL), 0);
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_stats(ring, 3, &stats), 0);
	assert_int_equal(stats.inflight, 2);
	assert_int_equal(stats.parked_now, 0);
	sl_ring_close(ring);
}

static void numbers_out_of_bounds_are_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);

	(void)state;
	assert_int_equal(sl_ring_class(ring, SL_RING_CLASSES, NULL), -EINVAL);
	assert_int_equal(sl_ring_class(ring, 0, &(struct sl_ring_class_opts){ .shares = 1001 }),
			 -EINVAL);
	assert_int_equal(sl_ring_class(ring, 7, &(struct sl_ring_class_opts){ .shares = 1000 }), 0);
	assert_int_equal(sl_ring_class(ring, 7, &(struct sl_ring_class_opts){ .shares = 1 }), 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(shares_of_three_to_one_give_three_ops_to_one, CORE | BLOCK, 0),
	T(equal_shares_take_turns, CORE | BLOCK, 0),
	T(the_measure_is_bytes, CORE | BLOCK, 0),
	T(a_class_that_was_idle_saved_up_no_credit, CORE | BLOCK, 0),
	T(within_a_class_the_order_is_that_of_submission, CORE | BLOCK, 0),
	T(a_class_never_exceeds_its_cap, CORE | BLOCK, 0),
	T(raising_a_cap_lets_parked_ops_go, CORE | BLOCK, 0),
	T(numbers_out_of_bounds_are_refused, CORE, 0),
};

const struct contract_group class_tests = GROUP(tests);
