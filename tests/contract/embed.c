/* embed.c - a ring inside another event loop: its descriptor and its time. */
#include "tests/contract/suite.h"

#include <sys/epoll.h>
#include <unistd.h>

static int outer_of(struct sl_ring *ring)
{
	struct epoll_event event = { .events = EPOLLIN };
	int outer = epoll_create1(EPOLL_CLOEXEC), fd = sl_ring_fd(ring);

	assert_true(fd >= 0);
	assert_int_equal(epoll_ctl(outer, EPOLL_CTL_ADD, fd, &event), 0);
	return outer;
}

/* What an embedding loop does: sleep on the descriptor, no longer than told, then run. */
static bool turn(struct sl_ring *ring, int outer)
{
	int64_t until = sl_ring_wakeup_ns(ring);
	struct epoll_event event;
	int timeout = 10000;

	if (until != INT64_MAX) {
		int64_t left = until - sl_ring_clock(ring);

		timeout = left <= 0 ? 0 : (int)((left + MS - 1) / MS);
	}
	if (epoll_wait(outer, &event, 1, timeout) == 0 && timeout == 10000)
		return false;
	assert_true(sl_ring_run(ring, SL_RING_POLL) >= 0);
	return true;
}

/* Whatever wakes an idle ring for nothing stops doing so. */
static void expect_quiet(struct sl_ring *ring, int outer)
{
	struct epoll_event event;
	unsigned woken = 0;

	while (epoll_wait(outer, &event, 1, 10) != 0) {
		assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
		assert_true(++woken < 100);
	}
}

static void the_descriptor_is_readable_when_there_is_work(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	struct epoll_event event;
	int outer = outer_of(ring), pair[2];
	char byte;

	(void)state;
	world_pair(pair);
	submit(ring, sl_op_read(&op, pair[0], &byte, 1, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_wakeup_ns(ring), SL_RING_POLL);
	while (sl_ring_wakeup_ns(ring) == SL_RING_POLL)
		assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	assert_int_equal(sl_ring_wakeup_ns(ring), INT64_MAX);
	expect_quiet(ring, outer);
	world_put(pair[1], "x", 1);
	assert_int_equal(epoll_wait(outer, &event, 1, 10000), 1);
	while (trace.ended == 0)
		assert_true(turn(ring, outer));
	assert_int_equal(op.res, 1);
	sl_ring_close(ring);
}

static void timers_pass_through_wakeup_ns(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	int64_t now = sl_ring_clock(ring);
	int outer = outer_of(ring);

	(void)state;
	submit(ring, sl_op_timer(&ops[0], now + 20 * MS, 0));
	submit(ring, sl_op_timer(&ops[1], now + HOUR, 0));
	while (sl_ring_wakeup_ns(ring) == SL_RING_POLL)
		sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_wakeup_ns(ring), now + 20 * MS);
	while (trace.ended == 0)
		assert_true(turn(ring, outer));
	assert_int_equal(ops[0].res, 0);
	assert_int_equal(sl_ring_wakeup_ns(ring), now + HOUR);
	sl_ring_close(ring);
}

static int64_t work(void *ctx)
{
	pause_ms(10);
	return *(int *)ctx;
}

static void work_of_workers_makes_it_readable(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int outer = outer_of(ring), answer = 9;

	(void)state;
	submit(ring, sl_op_work(&op, work, &answer));
	while (trace.ended == 0)
		assert_true(turn(ring, outer));
	assert_int_equal(op.res, 9);
	sl_ring_close(ring);
}

static void a_post_makes_it_readable(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	int outer = outer_of(ring);

	(void)state;
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_post(ring, &op), 0);
	while (trace.ended == 0)
		assert_true(turn(ring, outer));
	sl_ring_close(ring);
}

static void a_long_conversation_never_stalls(void **state)
{
	enum {
		NR_PAIRS = 32,
		ROUNDS = 100
	};
	struct sl_ring *ring = ring_open(NR_PAIRS);
	static struct sl_op ops[NR_PAIRS];
	static int pairs[NR_PAIRS][2];
	static char bytes[NR_PAIRS];
	int outer = outer_of(ring);

	(void)state;
	for (unsigned i = 0; i < NR_PAIRS; i++)
		world_pair(pairs[i]);
	for (unsigned round = 0; round < ROUNDS; round++) {
		trace_reset();
		for (unsigned i = 0; i < NR_PAIRS; i++) {
			ops[i].done = note;
			submit(ring, sl_op_recv(&ops[i], pairs[i][0], &bytes[i], 1, 0));
		}
		assert_true(turn(ring, outer));
		for (unsigned i = 0; i < NR_PAIRS; i++)
			world_put(pairs[i][1], "x", 1);
		while (trace.ended < NR_PAIRS)
			assert_true(turn(ring, outer));
	}
	sl_ring_close(ring);
}

static void without_a_descriptor_the_ring_says_so(void **state)
{
	struct sl_ring *ring = ring_open(8);
	bool embeddable = sl_ring_caps(ring)->caps & SL_CAP_EMBEDDABLE;
	int fd = sl_ring_fd(ring);

	(void)state;
	assert_int_equal(fd >= 0, embeddable);
	if (!embeddable)
		assert_int_equal(fd, -EOPNOTSUPP);
	assert_true(sl_ring_wakeup_ns(ring) == INT64_MAX ||
		    sl_ring_wakeup_ns(ring) == SL_RING_POLL);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(the_descriptor_is_readable_when_there_is_work, BLOCK, ON_KERNEL | NEEDS_RING_FD),
	T(timers_pass_through_wakeup_ns, CORE, ON_KERNEL | NEEDS_RING_FD),
	T(work_of_workers_makes_it_readable, CORE, ON_KERNEL | NEEDS_RING_FD),
	T(a_post_makes_it_readable, CORE, ON_KERNEL | NEEDS_RING_FD),
	T(a_long_conversation_never_stalls, NET, ON_KERNEL | NEEDS_RING_FD),
	T(without_a_descriptor_the_ring_says_so, CORE, 0),
};

const struct contract_group embed_tests = GROUP(tests);
