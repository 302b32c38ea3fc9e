/* work.c - WORK: functions on worker threads, bounded, queued, cancelled only before they start. */
#include "tests/contract/suite.h"

#include <pthread.h>
#include <semaphore.h>

static int64_t forty_two(void *ctx)
{
	*(int *)ctx = 1;
	return 42;
}

static int64_t fails(void *ctx)
{
	(void)ctx;
	return -EPROTO;
}

static void work_runs_a_function_and_gives_its_answer(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int ran = 0;

	(void)state;
	expect_res(ring, sl_op_work(&op, forty_two, &ran), 42);
	assert_int_equal(ran, 1);
	expect_res(ring, sl_op_work(&op, fails, NULL), -EPROTO);
	assert_int_equal(ring_stats(ring).failed, 1);
	sl_ring_close(ring);
}

static int64_t whose_thread(void *ctx)
{
	*(pthread_t *)ctx = pthread_self();
	return 0;
}

static void work_runs_on_a_thread_of_the_ring(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	pthread_t thread = pthread_self();

	(void)state;
	expect_res(ring, sl_op_work(&op, whose_thread, &thread), 0);
	assert_false(pthread_equal(thread, pthread_self()));
	assert_int_equal(ring_stats(ring).worked, 1);
	sl_ring_close(ring);
}

struct gate {
	sem_t entered;
	sem_t open;
	unsigned ran;
};

static int64_t pass_gate(void *ctx)
{
	struct gate *gate = ctx;

	sem_post(&gate->entered);
	while (sem_wait(&gate->open) < 0)
		continue;
	__atomic_fetch_add(&gate->ran, 1, __ATOMIC_RELAXED);
	return 0;
}

static void gate_init(struct gate *gate)
{
	sem_init(&gate->entered, 0, 0);
	sem_init(&gate->open, 0, 0);
	gate->ran = 0;
}

static void queued_work_that_is_cancelled_never_runs(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .workers = 1 });
	struct sl_op busy = { .done = note }, queued = { .done = note };
	struct gate gate;

	(void)state;
	gate_init(&gate);
	submit(ring, sl_op_work(&busy, pass_gate, &gate));
	sl_ring_flush(ring);
	while (sem_wait(&gate.entered) < 0)
		continue;
	submit(ring, sl_op_work(&queued, pass_gate, &gate));
	sl_ring_flush(ring);
	assert_int_equal(sl_ring_cancel(ring, &queued), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(queued.res, -ECANCELED);
	sem_post(&gate.open);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(busy.res, 0);
	assert_int_equal(gate.ran, 1);
	sl_ring_close(ring);
}

static void running_work_that_is_cancelled_ends_with_its_answer(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	struct gate gate;

	(void)state;
	gate_init(&gate);
	submit(ring, sl_op_work(&op, pass_gate, &gate));
	sl_ring_flush(ring);
	while (sem_wait(&gate.entered) < 0)
		continue;
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 10 * MS), 0);
	assert_int_equal(trace.nr, 0);
	sem_post(&gate.open);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 0);
	sl_ring_close(ring);
}

static void queued_work_ends_at_its_deadline_and_never_runs(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .workers = 1 });
	struct sl_op busy = { .done = note }, queued = { .done = note };
	struct gate gate;

	(void)state;
	gate_init(&gate);
	submit(ring, sl_op_work(&busy, pass_gate, &gate));
	sl_ring_flush(ring);
	while (sem_wait(&gate.entered) < 0)
		continue;
	sl_op_work(&queued, pass_gate, &gate);
	queued.deadline_ns = sl_ring_clock(ring) + 5 * MS;
	submit(ring, &queued);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(queued.res, -ETIMEDOUT);
	sem_post(&gate.open);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(gate.ran, 1);
	sl_ring_close(ring);
}

static int64_t add_one(void *ctx)
{
	__atomic_fetch_add((unsigned *)ctx, 1, __ATOMIC_RELAXED);
	return 1;
}

static void more_work_than_workers_all_gets_done(void **state)
{
	enum {
		NR_WORKS = 500
	};
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .depth = NR_WORKS, .workers = 3 });
	struct sl_op ops[NR_WORKS];
	unsigned sum = 0;

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < NR_WORKS; i++) {
		ops[i].done = note;
		submit(ring, sl_op_work(&ops[i], add_one, &sum));
	}
	ring_until(ring, &trace.ended, NR_WORKS);
	assert_int_equal(sum, NR_WORKS);
	for (unsigned i = 0; i < NR_WORKS; i++)
		trace_place(&ops[i]);
	sl_ring_close(ring);
}

static void blocked_workers_do_not_hold_up_streams_and_timers(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .workers = 1 });
	struct sl_op busy = { .done = note }, op = { 0 };
	struct gate gate;
	char byte;
	int pair[2];

	(void)state;
	gate_init(&gate);
	world_pair(pair);
	submit(ring, sl_op_work(&busy, pass_gate, &gate));
	sl_ring_flush(ring);
	while (sem_wait(&gate.entered) < 0)
		continue;
	world_put(pair[1], "x", 1);
	expect_res(ring, sl_op_recv(&op, pair[0], &byte, 1, 0), 1);
	expect_res(ring, sl_op_timer(&op, sl_ring_clock(ring) + MS, 0), 0);
	assert_int_equal(trace.nr, 0);
	sem_post(&gate.open);
	ring_until(ring, &trace.ended, 1);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(work_runs_a_function_and_gives_its_answer, CORE, 0),
	T(work_runs_on_a_thread_of_the_ring, CORE, ON_KERNEL),
	T(queued_work_that_is_cancelled_never_runs, CORE, ON_KERNEL),
	T(running_work_that_is_cancelled_ends_with_its_answer, CORE, ON_KERNEL),
	T(queued_work_ends_at_its_deadline_and_never_runs, CORE, ON_KERNEL),
	T(more_work_than_workers_all_gets_done, CORE, 0),
	T(blocked_workers_do_not_hold_up_streams_and_timers, CORE | NET, ON_KERNEL),
};

const struct contract_group work_tests = GROUP(tests);
