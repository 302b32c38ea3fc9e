/* shutdown.c - drain and close: everything ends once, stuck work is waited for. */
#include "tests/contract/suite.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

enum {
	NR_OPS = 8
};

static struct sl_op ops[NR_OPS];
static char bytes[NR_OPS];

/* One of each kind that waits. */
static void start_some(struct sl_ring *ring, int pair[2])
{
	int64_t now = sl_ring_clock(ring);

	world_pair(pair);
	for (unsigned i = 0; i < NR_OPS; i++)
		ops[i].done = note;
	submit(ring, sl_op_read(&ops[0], pair[0], &bytes[0], 1, SL_OFF_CURRENT));
	submit(ring, sl_op_poll(&ops[1], pair[0], POLLIN));
	submit(ring, sl_op_timer(&ops[2], now + HOUR, 0));
	sl_op_timer(&ops[3], now + HOUR, (uint64_t)SECOND)->flags |= SL_OP_MULTI;
	submit(ring, &ops[3]);
	sl_op_poll(&ops[4], pair[0], POLLIN)->flags |= SL_OP_MULTI;
	submit(ring, &ops[4]);
	sl_op_read(&ops[5], pair[0], &bytes[5], 1, SL_OFF_CURRENT)->deadline_ns = now + HOUR;
	submit(ring, &ops[5]);
	sl_ring_run(ring, SL_RING_POLL);
	/* and two that have not even started */
	submit(ring, sl_op_read(&ops[6], pair[0], &bytes[6], 1, SL_OFF_CURRENT));
	submit(ring, sl_op_timer(&ops[7], now + HOUR, 0));
}

static void expect_all_cancelled(void)
{
	assert_int_equal(trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		trace_place(&ops[i]);
		assert_int_equal(ops[i].res, -ECANCELED);
	}
}

static void close_ends_everything_once(void **state)
{
	struct sl_ring *ring = ring_open(16);
	int pair[2];

	(void)state;
	start_some(ring, pair);
	sl_ring_close(ring);
	expect_all_cancelled();
}

static void drain_ends_everything_once_and_the_ring_lives_on(void **state)
{
	struct sl_ring *ring = ring_open(16);
	struct sl_op op = { 0 };
	char byte;
	int pair[2];

	(void)state;
	start_some(ring, pair);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	expect_all_cancelled();
	assert_int_equal(sl_ring_inflight(ring), 0);
	world_put(pair[1], "x", 1);
	expect_res(ring, sl_op_read(&op, pair[0], &byte, 1, SL_OFF_CURRENT), 1);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	sl_ring_close(ring);
}

static void drain_of_an_idle_ring_is_done_at_once(void **state)
{
	struct sl_ring *ring = ring_open(4);

	(void)state;
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(sl_ring_drain(ring, SL_RING_POLL), 0);
	sl_ring_close(ring);
}

static int submit_answer = 1, nested_answer = 1;

static void try_to_go_on(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	submit_answer = sl_ring_submit(ring, op);
	nested_answer = sl_ring_drain(ring, 0);
}

static void submitting_while_draining_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(4);
	struct sl_op op = { .done = try_to_go_on };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, 1);
	assert_int_equal(submit_answer, -ESHUTDOWN);
	assert_int_equal(nested_answer, -EBUSY);
	sl_ring_close(ring);
	assert_int_equal(trace.ended, 1);
}

static void drained_ops_without_a_callback_remain_to_be_collected(void **state)
{
	struct sl_ring *ring = ring_open(4);
	struct sl_op waits[3] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		submit(ring, sl_op_timer(&waits[i], sl_ring_clock(ring) + HOUR, 0));
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct sl_op *op = sl_ring_next(ring, SL_RING_POLL);

		assert_non_null(op);
		assert_int_equal(op->res, -ECANCELED);
	}
	assert_null(sl_ring_next(ring, 0));
	sl_ring_close(ring);
}

static void close_forgets_what_was_never_collected(void **state)
{
	struct sl_ring *ring = ring_open(4), *again;
	struct sl_op op = { 0 };

	(void)state;
	submit(ring, sl_op_nop(&op));
	sl_ring_run(ring, 0);
	sl_ring_close(ring);
	again = ring_open(4);
	memset(&op, 0, sizeof(op));
	expect_res(again, sl_op_nop(&op), 0);
	sl_ring_close(again);
}

static void drain_ends_a_chain_in_order(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op *chain[3] = { &ops[0], &ops[1], &ops[2] };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ops[i].done = note;
	sl_op_timer(&ops[0], sl_ring_clock(ring) + HOUR, 0)->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[1])->flags |= SL_OP_LINKED;
	sl_op_nop(&ops[2]);
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(trace_place(&ops[i]), i);
		assert_int_equal(ops[i].res, -ECANCELED);
	}
	sl_ring_close(ring);
}

static sem_t entered, gate;

static int64_t stick(void *ctx)
{
	(void)ctx;
	sem_post(&entered);
	while (sem_wait(&gate) < 0)
		continue;
	return 5;
}

static struct sl_ring *open_stuck(struct sl_op *stuck, struct log_lines *lines)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){
		.depth = 8, .workers = 2, .log = log_keep, .log_ctx = lines });

	sem_init(&entered, 0, 0);
	sem_init(&gate, 0, 0);
	stuck->done = note;
	submit(ring, sl_op_work(stuck, stick, NULL));
	sl_ring_flush(ring);
	while (sem_wait(&entered) < 0)
		continue;
	return ring;
}

static void drain_gives_up_on_a_stuck_worker_and_the_ring_stays_valid(void **state)
{
	static struct log_lines lines;
	struct sl_op stuck = { 0 }, op = { 0 };
	struct sl_ring *ring = open_stuck(&stuck, &lines);

	(void)state;
	assert_int_equal(sl_ring_drain(ring, sl_ring_clock(ring) + 20 * MS), -ETIMEDOUT);
	assert_int_equal(sl_ring_inflight(ring), 1);
	assert_int_equal(trace.nr, 0);
	expect_res(ring, sl_op_nop(&op), 0);
	expect_res(ring, sl_op_timer(&op, sl_ring_clock(ring) + MS, 0), 0);
	sem_post(&gate);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, 1);
	assert_int_equal(stuck.res, 5);
	sl_ring_close(ring);
}

static int64_t release_later(void *ctx)
{
	(void)ctx;
	sem_post(&entered);
	pause_ms(50);
	sem_post(&gate);
	return 0;
}

static void close_waits_for_a_worker_that_ends_late(void **state)
{
	static struct log_lines lines;
	struct sl_op stuck = { 0 }, release = { .done = note };
	struct sl_ring *ring = open_stuck(&stuck, &lines);

	(void)state;
	submit(ring, sl_op_work(&release, release_later, NULL));
	sl_ring_flush(ring);
	while (sem_wait(&entered) < 0)
		continue;
	sl_ring_close(ring);
	assert_int_equal(trace.ended, 2);
	assert_int_equal(stuck.res, 5);
}

enum {
	ASSERTED = 42,
	WENT_ON = 1
};

static void exit_asserted(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	(void)what;
	_exit(ASSERTED);
}

static void close_here(struct sl_ring *ring, struct sl_op *op)
{
	(void)op;
	sl_ring_close(ring);
}

static int close_from_callback(void *ctx)
{
	struct sl_op op = { .done = close_here };
	struct sl_ring *ring = ring_open(8);

	(void)ctx;
	sl_assert_hook(exit_asserted);
	submit(ring, sl_op_nop(&op));
	sl_ring_run(ring, 0);
	return WENT_ON;
}

static void closing_from_a_callback_fails_an_assertion(void **state)
{
	(void)state;
	assert_int_equal(in_child(close_from_callback, NULL), ASSERTED);
}

static void *close_elsewhere(void *ring)
{
	sl_ring_close(ring);
	return NULL;
}

static int close_while_owned(void *ctx)
{
	struct sl_ring *ring = ring_open(8);
	pthread_t thread;

	(void)ctx;
	sl_assert_hook(exit_asserted);
	if (pthread_create(&thread, NULL, close_elsewhere, ring) == 0)
		pthread_join(thread, NULL);
	return WENT_ON;
}

static void closing_while_another_thread_owns_it_fails_an_assertion(void **state)
{
	(void)state;
	assert_int_equal(in_child(close_while_owned, NULL), ASSERTED);
}

static const struct contract_test tests[] = {
	T(close_ends_everything_once, CORE | BLOCK, 0),
	T(drain_ends_everything_once_and_the_ring_lives_on, CORE | BLOCK, 0),
	T(drain_of_an_idle_ring_is_done_at_once, CORE, 0),
	T(submitting_while_draining_is_refused, CORE, 0),
	T(drained_ops_without_a_callback_remain_to_be_collected, CORE, 0),
	T(close_forgets_what_was_never_collected, CORE, 0),
	T(drain_ends_a_chain_in_order, CORE, 0),
	T(drain_gives_up_on_a_stuck_worker_and_the_ring_stays_valid, CORE, ON_KERNEL),
	T(closing_from_a_callback_fails_an_assertion, CORE, 0),
	T(closing_while_another_thread_owns_it_fails_an_assertion, CORE, ON_KERNEL),
	T(close_waits_for_a_worker_that_ends_late, CORE, ON_KERNEL),
};

const struct contract_group shutdown_tests = GROUP(tests);
