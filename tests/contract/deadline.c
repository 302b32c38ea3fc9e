/* deadline.c - deadlines: they end what waits, never what is done, and lose no byte. */
#include "tests/contract/suite.h"

static struct sl_op *recv_until(struct sl_op *op, int fd, void *buf, size_t len, int64_t deadline)
{
	sl_op_read(op, fd, buf, len, SL_OFF_CURRENT);
	op->deadline_ns = deadline;
	return op;
}

static void a_waiting_op_ends_when_its_deadline_passes(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int64_t deadline = sl_ring_clock(ring) + 3 * MS;
	char byte = 'q';
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, recv_until(&op, pair[0], &byte, 1, deadline));
	ring_until(ring, &trace.ended, 1);
	assert_true(sl_ring_clock(ring) >= deadline);
	assert_int_equal(op.res, -ETIMEDOUT);
	assert_int_equal(op.done_len, 0);
	assert_int_equal(byte, 'q');
	assert_int_equal(ring_stats(ring).timed_out, 1);
	assert_int_equal(ring_stats(ring).failed, 0);
	sl_ring_close(ring);
}

static void a_deadline_that_has_passed_ends_what_would_wait(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, recv_until(&op, pair[0], &byte, 1, sl_ring_clock(ring) - SECOND));
	assert_int_equal(trace.nr, 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ETIMEDOUT);
	sl_ring_close(ring);
}

static void an_op_that_ends_in_time_leaves_no_deadline_behind(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte = 0;
	int pair[2];

	(void)state;
	world_pair(pair);
	world_put(pair[1], "x", 1);
	submit(ring, recv_until(&op, pair[0], &byte, 1, sl_ring_clock(ring) + 10 * SECOND));
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 1);
	submit(ring, sl_op_read(&op, pair[0], &byte, 1, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	world_put(pair[1], "y", 1);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(op.res, 1);
	assert_int_equal(byte, 'y');
	sl_ring_close(ring);
}

static void deadlines_pass_in_their_order(void **state)
{
	enum {
		NR_OPS = 64
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	struct sl_op ops[NR_OPS];
	int64_t now = sl_ring_clock(ring);
	char bytes[NR_OPS];
	int pair[2];

	(void)state;
	world_pair(pair);
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		submit(ring, recv_until(&ops[i], pair[0], &bytes[i], 1,
					now + (int64_t)(1 + i * 29 % NR_OPS) * MS));
	}
	ring_until(ring, &trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		unsigned place = trace_place(&ops[i]);

		assert_int_equal(trace.at[place].res, -ETIMEDOUT);
		if (place > 0)
			assert_true(trace.at[place - 1].op->deadline_ns <= ops[i].deadline_ns);
	}
	sl_ring_close(ring);
}

static void deadlines_are_exact_where_the_clock_is(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int64_t deadline = sl_ring_clock(ring) + 12345678;
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, recv_until(&op, pair[0], &byte, 1, deadline));
	assert_int_equal(sl_ring_run(ring, deadline - 1), 0);
	assert_int_equal(sl_ring_now(ring), deadline - 1);
	ring_until(ring, &trace.ended, 1);
	assert_true(sl_ring_now(ring) <= deadline + 2000);
	sl_ring_close(ring);
}

/*
 * Data and deadline arrive together, again and again. Each op ends once, and
 * every byte sent is either in a completed op or still in the stream.
 */
static void a_deadline_that_races_with_data_loses_no_byte(void **state)
{
	enum {
		ROUNDS = 2000
	};
	struct sl_ring *ring = ring_open(8);
	uint64_t seed = support_seed(), sent = 0, got = 0, nr_timed_out = 0;
	char buf[8], rest[4096];
	int pair[2];

	(void)state;
	world_pair(pair);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sl_op op = { 0 };
		int64_t margin = (int64_t)(support_random(&seed) % 30000);

		recv_until(&op, pair[0], buf, sizeof(buf), sl_ring_clock(ring) + margin);
		submit(ring, &op);
		sl_ring_run(ring, SL_RING_POLL);
		if (support_random(&seed) % 2) {
			world_put(pair[1], "abc", 3);
			sent += 3;
		}
		while (sl_ring_inflight(ring) && !sl_ring_next(ring, 0))
			continue;
		assert_true(op.res == -ETIMEDOUT || op.res > 0);
		nr_timed_out += op.res == -ETIMEDOUT;
		assert_int_equal(op.done_len, op.res > 0 ? op.res : 0);
		got += op.done_len;
	}
	for (size_t n; (n = world_take(pair[0], rest, sizeof(rest))) > 0;)
		got += n;
	assert_int_equal(got, sent);
	assert_int_equal(ring_stats(ring).timed_out, nr_timed_out);
	sl_ring_close(ring);
}

static void a_deadline_on_a_file_transfer_is_kept_or_ends_it_once(void **state)
{
	enum {
		NR_OPS = 64,
		BYTES = 4096
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static char data[NR_OPS][BYTES];
	struct sl_op ops[NR_OPS];
	int file = world_file();

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		sl_op_write(&ops[i], file, data[i], BYTES, (uint64_t)i * BYTES);
		ops[i].deadline_ns = sl_ring_clock(ring) + (i % 2 ? 1000 : 10 * SECOND);
		submit(ring, &ops[i]);
	}
	ring_until(ring, &trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		trace_place(&ops[i]);
		if (i % 2 == 0 || ops[i].res >= 0)
			assert_int_equal(ops[i].res, BYTES);
		else
			assert_int_equal(ops[i].res, -ETIMEDOUT);
	}
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_waiting_op_ends_when_its_deadline_passes, CORE | BLOCK, 0),
	T(a_deadline_that_has_passed_ends_what_would_wait, CORE | BLOCK, 0),
	T(an_op_that_ends_in_time_leaves_no_deadline_behind, CORE | BLOCK, 0),
	T(deadlines_pass_in_their_order, CORE | BLOCK, ON_MEMORY),
	T(deadlines_are_exact_where_the_clock_is, CORE | BLOCK, ON_MEMORY),
	T(a_deadline_that_races_with_data_loses_no_byte, CORE | BLOCK, 0),
	T(a_deadline_on_a_file_transfer_is_kept_or_ends_it_once, CORE | BLOCK, 0),
};

const struct contract_group deadline_tests = GROUP(tests);
