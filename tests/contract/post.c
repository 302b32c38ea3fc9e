/* post.c - posting between rings and threads: told once, bounded, defined while closing. */
#include "tests/contract/suite.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

static void a_post_is_told_on_the_ring_it_was_sent_to(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	op.buf = &op;
	op.len = 77;
	assert_int_equal(sl_ring_post(ring, &op), 0);
	assert_int_equal(trace.nr, 0);
	assert_int_equal(sl_ring_post(ring, &op), -EINVAL);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 0);
	assert_int_equal(op.more, 0);
	assert_ptr_equal(op.buf, &op);
	assert_int_equal(op.len, 77);
	assert_int_equal(sl_ring_post(ring, &op), 0);
	ring_until(ring, &trace.ended, 2);
	sl_ring_close(ring);
}

static void a_post_without_a_callback_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	assert_int_equal(sl_ring_post(ring, &op), -EINVAL);
	sl_ring_close(ring);
}

static void posts_are_told_in_their_order(void **state)
{
	enum {
		NR_OPS = 20
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static struct sl_op ops[NR_OPS];

	(void)state;
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		assert_int_equal(sl_ring_post(ring, &ops[i]), 0);
	}
	ring_until(ring, &trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++)
		assert_int_equal(trace_place(&ops[i]), i);
	sl_ring_close(ring);
}

static void the_posts_that_wait_are_bounded(void **state)
{
	enum {
		DEPTH = 4,
		PARK = 6
	};
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .depth = DEPTH, .park_max = PARK });
	static struct sl_op ops[DEPTH + PARK + 1];

	(void)state;
	for (unsigned i = 0; i < DEPTH + PARK; i++) {
		ops[i].done = note;
		assert_int_equal(sl_ring_post(ring, &ops[i]), 0);
	}
	ops[DEPTH + PARK].done = note;
	assert_int_equal(sl_ring_post(ring, &ops[DEPTH + PARK]), -EAGAIN);
	ring_until(ring, &trace.ended, DEPTH + PARK);
	assert_int_equal(sl_ring_post(ring, &ops[DEPTH + PARK]), 0);
	ring_until(ring, &trace.ended, DEPTH + PARK + 1);
	sl_ring_close(ring);
}

static void post_again(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	if (trace.nr < 100)
		assert_int_equal(sl_ring_post(ring, op), 0);
}

static void a_post_may_be_sent_again_from_its_callback(void **state)
{
	struct sl_ring *ring = ring_open(1);
	struct sl_op op = { .done = post_again };

	(void)state;
	assert_int_equal(sl_ring_post(ring, &op), 0);
	ring_until(ring, &trace.ended, 100);
	sl_ring_close(ring);
}

/* ---- between threads --------------------------------------------------------------- */

enum {
	POSTERS = 3,
	EACH = 500
};

struct poster {
	struct sl_ring *ring;
	struct sl_op ops[EACH];
	unsigned nr_accepted;
	unsigned nr_refused;
	int end;
};

static unsigned nr_told[POSTERS][EACH], nr_all;
static struct poster posters[POSTERS];

static void count(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	for (unsigned p = 0; p < POSTERS; p++)
		if (op >= posters[p].ops && op < posters[p].ops + EACH)
			nr_told[p][op - posters[p].ops]++;
	nr_all++;
}

static void *post_all(void *ctx)
{
	struct poster *poster = ctx;

	for (unsigned i = 0; i < EACH; i++) {
		int rc;

		poster->ops[i].done = count;
		while ((rc = sl_ring_post(poster->ring, &poster->ops[i])) == -EAGAIN) {
			poster->nr_refused++;
			sched_yield();
		}
		if (rc) {
			poster->end = rc;
			break;
		}
		poster->nr_accepted++;
	}
	return NULL;
}

static void posts_from_many_threads_are_each_told_once(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .park_max = 8 });
	pthread_t threads[POSTERS];

	(void)state;
	for (unsigned p = 0; p < POSTERS; p++) {
		posters[p].ring = ring;
		assert_int_equal(pthread_create(&threads[p], NULL, post_all, &posters[p]), 0);
	}
	ring_until(ring, &nr_all, POSTERS * EACH);
	for (unsigned p = 0; p < POSTERS; p++) {
		pthread_join(threads[p], NULL);
		for (unsigned i = 0; i < EACH; i++)
			assert_int_equal(nr_told[p][i], 1);
	}
	sl_ring_close(ring);
}

static struct sl_ring *signalled_ring;
static struct sl_op signalled_op = { .done = note };
static volatile sig_atomic_t post_answer = 1;

static void on_signal(int number)
{
	(void)number;
	post_answer = sl_ring_post(signalled_ring, &signalled_op);
}

static void a_signal_handler_may_post(void **state)
{
	const struct sigaction action = { .sa_handler = on_signal };

	(void)state;
	signalled_ring = ring_open(8);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	assert_int_equal(post_answer, 0);
	ring_until(signalled_ring, &trace.ended, 1);
	sl_ring_close(signalled_ring);
}

/* ---- the operation ------------------------------------------------------------------- */

static void the_operation_hands_an_op_to_another_ring(void **state)
{
	struct sl_ring *source = ring_open(8), *target = ring_open(8);
	struct sl_op message = { .done = note }, op = { 0 };

	(void)state;
	expect_res(source, sl_op_post(&op, target, &message), 0);
	assert_int_equal(trace.nr, 0);
	ring_until(target, &trace.ended, 1);
	assert_int_equal(message.res, 0);
	message.done = NULL;
	expect_res(source, sl_op_post(&op, target, &message), -EINVAL);
	sl_ring_close(target);
	sl_ring_close(source);
}

static void the_operation_waits_for_its_place_in_a_chain(void **state)
{
	struct sl_ring *source = ring_open(8), *target = ring_open(8);
	struct sl_op message = { .done = note }, ops[2] = { 0 }, *chain[2] = { &ops[0], &ops[1] };

	(void)state;
	sl_op_timer(&ops[0], sl_ring_clock(source) + 5 * MS, 0)->flags |= SL_OP_LINKED;
	sl_op_post(&ops[1], target, &message);
	assert_int_equal(sl_ring_submitv(source, chain, 2), 0);
	assert_int_equal(sl_ring_run(target, SL_RING_POLL), 0);
	ring_settle(source);
	assert_int_equal(ops[1].res, 0);
	ring_until(target, &trace.ended, 1);
	sl_ring_close(target);
	sl_ring_close(source);
}

/* ---- closing --------------------------------------------------------------------------- */

static void posts_not_told_yet_are_cancelled_by_drain(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { { .done = note }, { .done = note }, { .done = note } };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sl_ring_post(ring, &ops[i]), 0);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, 3);
	for (unsigned i = 0; i < 3; i++) {
		trace_place(&ops[i]);
		assert_int_equal(ops[i].res, -ECANCELED);
	}
	assert_int_equal(sl_ring_post(ring, &ops[0]), 0);
	ring_until(ring, &trace.ended, 4);
	assert_int_equal(ops[0].res, 0);
	sl_ring_close(ring);
}

static void posts_not_told_yet_are_cancelled_by_close(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	assert_int_equal(sl_ring_post(ring, &op), 0);
	sl_ring_close(ring);
	assert_int_equal(trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
}

static int answer_of_post = 1;
static struct sl_op late = { .done = note };

static void post_late(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	answer_of_post = sl_ring_post(ring, &late);
}

static void a_callback_of_a_closing_ring_cannot_post_to_it(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = post_late };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	sl_ring_close(ring);
	assert_int_equal(answer_of_post, -ESHUTDOWN);
	assert_int_equal(trace.nr, 1);
}

static void a_callback_of_a_draining_ring_posts_and_is_told_in_time(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = post_late };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 0));
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	if (answer_of_post == 0)
		ring_until(ring, &trace.ended, 2);
	else
		assert_int_equal(answer_of_post, -ESHUTDOWN);
	sl_ring_close(ring);
	assert_int_equal(trace.ended, answer_of_post == 0 ? 2 : 1);
}

static sem_t entered, gate;

static int64_t hold(void *ctx)
{
	(void)ctx;
	sem_post(&entered);
	while (sem_wait(&gate) < 0)
		continue;
	return 0;
}

/* Posts until the ring says that it closes, then lets the worker that holds it go. */
static void *post_until_closing(void *ctx)
{
	struct poster *poster = ctx;

	post_all(poster);
	sem_post(&gate);
	return NULL;
}

static void a_post_to_a_closing_ring_is_refused_or_told_once(void **state)
{
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .depth = 4, .park_max = 4, .workers = 1 });
	struct poster *poster = &posters[0];
	struct sl_op held = { .done = note };
	pthread_t thread;
	unsigned told = 0;

	(void)state;
	sem_init(&entered, 0, 0);
	sem_init(&gate, 0, 0);
	submit(ring, sl_op_work(&held, hold, NULL));
	sl_ring_flush(ring);
	while (sem_wait(&entered) < 0)
		continue;
	poster->ring = ring;
	assert_int_equal(pthread_create(&thread, NULL, post_until_closing, poster), 0);
	sl_ring_close(ring);
	pthread_join(thread, NULL);
	assert_true(poster->end == 0 || poster->end == -ESHUTDOWN);
	for (unsigned i = 0; i < EACH; i++) {
		assert_int_equal(nr_told[0][i], i < poster->nr_accepted);
		told += nr_told[0][i];
	}
	assert_int_equal(told, poster->nr_accepted);
	assert_int_equal(trace.ended, 1);
}

static const struct contract_test tests[] = {
	T(a_post_is_told_on_the_ring_it_was_sent_to, CORE, 0),
	T(a_post_without_a_callback_is_refused, CORE, 0),
	T(posts_are_told_in_their_order, CORE, 0),
	T(the_posts_that_wait_are_bounded, CORE, 0),
	T(a_post_may_be_sent_again_from_its_callback, CORE, 0),
	T(posts_from_many_threads_are_each_told_once, CORE, 0),
	T(a_signal_handler_may_post, CORE, 0),
	T(the_operation_hands_an_op_to_another_ring, CORE, 0),
	T(the_operation_waits_for_its_place_in_a_chain, CORE, 0),
	T(posts_not_told_yet_are_cancelled_by_drain, CORE, 0),
	T(posts_not_told_yet_are_cancelled_by_close, CORE, 0),
	T(a_callback_of_a_closing_ring_cannot_post_to_it, CORE, 0),
	T(a_callback_of_a_draining_ring_posts_and_is_told_in_time, CORE, 0),
	T(a_post_to_a_closing_ring_is_refused_or_told_once, CORE, ON_KERNEL),
};

const struct contract_group post_tests = GROUP(tests);
