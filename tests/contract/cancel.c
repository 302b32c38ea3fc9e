/* cancel.c - cancelling: asked at any time, of any op; it completes once and loses nothing. */
#include "tests/contract/suite.h"

#include <poll.h>

static struct sl_op *recv_into(struct sl_op *op, int fd, void *buf, size_t len)
{
	return sl_op_read(op, fd, buf, len, SL_OFF_CURRENT);
}

static void a_waiting_op_that_is_cancelled_completes_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte = 'q';
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, recv_into(&op, pair[0], &byte, 1));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	assert_int_equal(trace.nr, 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(op.done_len, 0);
	assert_int_equal(byte, 'q');
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	assert_int_equal(trace_place(&op), 0);
	assert_int_equal(ring_stats(ring).cancelled, 1);
	assert_int_equal(ring_stats(ring).failed, 0);
	sl_ring_close(ring);
}

static void an_op_can_be_cancelled_before_it_started(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, recv_into(&op, pair[0], &byte, 1));
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	assert_int_equal(trace.nr, 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	sl_ring_close(ring);
}

static void cancelling_what_is_not_in_flight_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8), *other = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	assert_int_equal(sl_ring_cancel(ring, &op), -ENOENT);
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	assert_int_equal(sl_ring_cancel(other, &op), -ENOENT);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(sl_ring_cancel(ring, &op), -ENOENT);
	sl_ring_close(other);
	sl_ring_close(ring);
}

static void asking_twice_completes_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, recv_into(&op, pair[0], &byte, 1));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	sl_ring_cancel(ring, &op);
	ring_until(ring, &trace.ended, 1);
	sl_ring_run(ring, sl_ring_clock(ring) + 2 * MS);
	assert_int_equal(trace_place(&op), 0);
	sl_ring_close(ring);
}

static void cancel_never_lacks_room(void **state)
{
	enum {
		DEPTH = 16
	};
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .depth = DEPTH, .park_max = DEPTH });
	struct sl_op ops[2 * DEPTH];
	char bytes[2 * DEPTH];
	int pair[2];

	(void)state;
	world_pair(pair);
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < 2 * DEPTH; i++) {
		ops[i].done = note;
		recv_into(&ops[i], pair[0], &bytes[i], 1);
		ops[i].flags |= SL_OP_PARK;
		submit(ring, &ops[i]);
	}
	sl_ring_run(ring, SL_RING_POLL);
	for (unsigned i = 0; i < 2 * DEPTH; i++)
		assert_int_equal(sl_ring_cancel(ring, &ops[2 * DEPTH - 1 - i]), 0);
	ring_until(ring, &trace.ended, 2 * DEPTH);
	for (unsigned i = 0; i < 2 * DEPTH; i++) {
		trace_place(&ops[i]);
		assert_int_equal(ops[i].res, -ECANCELED);
	}
	assert_int_equal(sl_ring_inflight(ring), 0);
	sl_ring_close(ring);
}

static void cancel_fd_asks_every_op_on_the_descriptor_and_no_other(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op reads[3] = { 0 }, poll = { .done = note }, other = { .done = note };
	char bytes[4];
	int pair[2], second[2];

	(void)state;
	world_pair(pair);
	world_pair(second);
	for (unsigned i = 0; i < 3; i++) {
		reads[i].done = note;
		submit(ring, recv_into(&reads[i], pair[0], &bytes[i], 1));
	}
	submit(ring, sl_op_poll(&poll, pair[0], POLLIN));
	submit(ring, recv_into(&other, second[0], &bytes[3], 1));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel_fd(ring, pair[0]), 4);
	assert_int_equal(sl_ring_cancel_fd(ring, world_bad_fd()), 0);
	ring_until(ring, &trace.ended, 4);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(reads[i].res, -ECANCELED);
	assert_int_equal(poll.res, -ECANCELED);
	world_put(second[1], "x", 1);
	ring_until(ring, &trace.ended, 5);
	assert_int_equal(other.res, 1);
	sl_ring_close(ring);
}

static struct sl_op *victim;

static void cancel_victim(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	if (victim && victim != op)
		sl_ring_cancel(ring, victim);
	victim = NULL;
}

static void an_op_cancelled_by_the_callback_before_its_own_completes_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { { .done = cancel_victim }, { .done = cancel_victim } };
	char bytes[2];
	int first[2], second[2];

	(void)state;
	world_pair(first);
	world_pair(second);
	for (unsigned round = 0; round < 100; round++) {
		trace_reset();
		submit(ring, recv_into(&ops[0], first[0], &bytes[0], 1));
		submit(ring, recv_into(&ops[1], second[0], &bytes[1], 1));
		victim = &ops[1];
		world_put(first[1], "a", 1);
		world_put(second[1], "b", 1);
		ring_until(ring, &trace.ended, 2);
		trace_place(&ops[0]);
		trace_place(&ops[1]);
		assert_int_equal(ops[0].res, 1);
		assert_true(ops[1].res == 1 || ops[1].res == -ECANCELED);
		if (ops[1].res < 0)
			assert_int_equal(world_take(second[0], bytes, 1), 1);
	}
	sl_ring_close(ring);
}

static void multi_ends_with_one_last_completion(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int pair[2];

	(void)state;
	world_pair(pair);
	sl_op_poll(&op, pair[0], POLLIN);
	op.flags |= SL_OP_MULTI;
	submit(ring, &op);
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.more, 0);
	assert_int_equal(op.res, -ECANCELED);
	world_put(pair[1], "x", 1);
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	sl_ring_close(ring);
}

/*
 * A storm: at every turn some ops are submitted, some cancelled, some fed.
 * Every op ends once; a cancelled one has lost no byte; the ring is empty in
 * the end.
 */
#define STORM_OPS 64

struct storm {
	struct sl_op op;
	int pair[2];
	bool busy;
	unsigned nr_ends;
	char buf[4];
	uint64_t sent, got;
};

static struct storm storms[STORM_OPS];

static void storm_end(struct sl_ring *ring, struct sl_op *op)
{
	struct storm *storm = sl_op_of(op, struct storm, op);

	(void)ring;
	assert_true(storm->busy);
	assert_int_equal(op->more, 0);
	assert_true(op->res == -ECANCELED || op->res > 0);
	assert_int_equal(op->done_len, op->res > 0 ? op->res : 0);
	storm->got += op->done_len;
	storm->busy = false;
	storm->nr_ends++;
}

static void storm_step(struct sl_ring *ring, struct storm *storm, uint64_t dice)
{
	if (!storm->busy && dice % 3 != 0) {
		storm->op.done = storm_end;
		submit(ring, recv_into(&storm->op, storm->pair[0], storm->buf, sizeof(storm->buf)));
		storm->busy = true;
	}
	if (dice / 3 % 3 == 0) {
		world_put(storm->pair[1], "ab", 2);
		storm->sent += 2;
	}
	if (storm->busy && dice / 9 % 2)
		assert_int_equal(sl_ring_cancel(ring, &storm->op), 0);
}

static void a_storm_of_cancels_ends_every_op_once_and_loses_no_byte(void **state)
{
	struct sl_ring *ring = ring_open(STORM_OPS);
	uint64_t seed = support_seed(), nr_ends = 0;
	char rest[65536];

	(void)state;
	for (unsigned i = 0; i < STORM_OPS; i++)
		world_pair(storms[i].pair);
	for (unsigned round = 0; round < 10000; round++) {
		struct storm *storm = &storms[support_random(&seed) % STORM_OPS];

		storm_step(ring, storm, support_random(&seed));
		if (support_random(&seed) % 4 == 0)
			assert_true(sl_ring_run(ring, SL_RING_POLL) >= 0);
		if (storm->sent - storm->got > 16384)
			storm->got += world_take(storm->pair[0], rest, 8192);
	}
	for (unsigned i = 0; i < STORM_OPS; i++)
		if (storms[i].busy)
			sl_ring_cancel(ring, &storms[i].op);
	ring_settle(ring);
	for (unsigned i = 0; i < STORM_OPS; i++) {
		assert_false(storms[i].busy);
		nr_ends += storms[i].nr_ends;
		for (size_t n; (n = world_take(storms[i].pair[0], rest, sizeof(rest))) > 0;)
			storms[i].got += n;
		assert_int_equal(storms[i].got, storms[i].sent);
	}
	assert_int_equal(ring_stats(ring).completed, nr_ends);
	assert_int_equal(ring_stats(ring).submitted, nr_ends);
	sl_ring_close(ring);
}

static void a_new_use_of_an_op_is_not_hit_by_a_cancel_of_the_old_one(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	for (unsigned round = 0; round < 200; round++) {
		trace_reset();
		submit(ring, recv_into(&op, pair[0], &byte, 1));
		sl_ring_run(ring, SL_RING_POLL);
		world_put(pair[1], "x", 1);
		sl_ring_cancel(ring, &op);
		ring_until(ring, &trace.ended, 1);
		if (op.res == -ECANCELED)
			assert_int_equal(world_take(pair[0], &byte, 1), 1);
		trace_reset();
		submit(ring, recv_into(&op, pair[0], &byte, 1));
		assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
		world_put(pair[1], "y", 1);
		ring_until(ring, &trace.ended, 1);
		assert_int_equal(op.res, 1);
		assert_int_equal(byte, 'y');
	}
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_waiting_op_that_is_cancelled_completes_once, CORE | BLOCK, 0),
	T(an_op_can_be_cancelled_before_it_started, CORE | BLOCK, 0),
	T(cancelling_what_is_not_in_flight_is_refused, CORE, 0),
	T(asking_twice_completes_once, CORE | BLOCK, 0),
	T(cancel_never_lacks_room, CORE | BLOCK, 0),
	T(cancel_fd_asks_every_op_on_the_descriptor_and_no_other, CORE | BLOCK, 0),
	T(an_op_cancelled_by_the_callback_before_its_own_completes_once, CORE | BLOCK, 0),
	T(multi_ends_with_one_last_completion, CORE, 0),
	T(a_storm_of_cancels_ends_every_op_once_and_loses_no_byte, CORE | BLOCK, 0),
	T(a_new_use_of_an_op_is_not_hit_by_a_cancel_of_the_old_one, CORE | BLOCK, 0),
};

const struct contract_group cancel_tests = GROUP(tests);
