/* test_deadline.c: the heap of deadlines, against a plain array. */
#include "harness.h"

#include <stdlib.h>

#include "engine/engine.h"

#define OPS 300

/* What expiring does with an op belongs to others: here it is only noted. */
static struct sl_ring *make_ring(void)
{
	struct sl_ring *ring = calloc(1, sizeof(*ring));

	assert_non_null(ring);
	ring->opts.depth = OPS;
	ring->heap = calloc(OPS, sizeof(struct sl_op *));
	assert_non_null(ring->heap);
	return ring;
}

static void free_ring(struct sl_ring *ring)
{
	free(ring->heap);
	free(ring);
}

static int64_t least(const struct sl_op *ops)
{
	int64_t next_ns = INT64_MAX;

	for (int i = 0; i < OPS; i++) {
		if (ops[i].heap_idx && ops[i].deadline_ns < next_ns)
			next_ns = ops[i].deadline_ns;
	}
	return next_ns;
}

static void the_earliest_deadline_is_always_known(void **state)
{
	static struct sl_op ops[OPS];
	struct sl_ring *ring = make_ring();
	uint64_t random = support_seed();

	(void)state;
	for (int step = 0; step < 20000; step++) {
		struct sl_op *op = &ops[support_random(&random) % OPS];

		if (op->heap_idx) {
			deadline_remove(ring, op);
			assert_int_equal(op->heap_idx, 0);
		} else {
			op->deadline_ns = (int64_t)(support_random(&random) % 1000) + 1;
			deadline_add(ring, op);
		}
		assert_int_equal(deadline_next_ns(ring), least(ops));
	}
	free_ring(ring);
}

static void removing_what_is_not_there_changes_nothing(void **state)
{
	struct sl_op op = { .deadline_ns = 5 }, other = { .deadline_ns = 7 };
	struct sl_ring *ring = make_ring();

	(void)state;
	deadline_add(ring, &other);
	deadline_remove(ring, &op);
	assert_int_equal(deadline_next_ns(ring), 7);
	deadline_remove(ring, &other);
	assert_true(deadline_next_ns(ring) == INT64_MAX);
	free_ring(ring);
}

static void timers_that_are_due_end_in_the_order_of_their_time(void **state)
{
	static struct sl_op ops[OPS];
	struct sl_ring *ring = make_ring();
	uint64_t random = support_seed();
	int64_t last_ns = 0;
	int nr = 0;

	(void)state;
	for (int i = 0; i < OPS; i++) {
		ops[i] = (struct sl_op){ .code = SL_OP_TIMER, .state = OP_TIMING };
		ops[i].deadline_ns = (int64_t)(support_random(&random) % 500) + 1;
		deadline_add(ring, &ops[i]);
	}
	ring->now_ns = 250;
	deadline_expire(ring);
	for (const struct sl_op *op = ring->ended.head; op; op = op->next) {
		assert_true(op->deadline_ns >= last_ns && op->deadline_ns <= 250);
		last_ns = op->deadline_ns;
		nr++;
	}
	assert_true(deadline_next_ns(ring) > 250);
	assert_int_equal(nr + (int)ring->heap_nr, OPS);
	free_ring(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_earliest_deadline_is_always_known),
		TEST(removing_what_is_not_there_changes_nothing),
		TEST(timers_that_are_due_end_in_the_order_of_their_time),
	};

	return RUN_TESTS(tests);
}
