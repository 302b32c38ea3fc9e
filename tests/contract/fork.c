/* fork.c - a forked child: its calls are answered -ESTALE, and the parent notices nothing. */
#include "tests/contract/suite.h"

#include <unistd.h>

#if defined(__has_feature)
#define HAS_FEATURE(feature) __has_feature(feature)
#else
#define HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define THREAD_SANITIZER 1
#else
#define THREAD_SANITIZER 0
#endif

struct family {
	struct sl_ring *ring;
	struct sl_op *busy;
	int fd;
};

/* Exit code: 0, or the number of the call that answered something else. */
static int call_as_child(void *ctx)
{
	struct family *family = ctx;
	struct sl_ring *ring = family->ring;
	struct sl_op op = { .done = note }, *ops[1] = { &op };
	const struct sl_buf_pool_opts small = { .count = 1, .buf_bytes = 4096 };
	struct sl_buf_pool *pool;
	struct sl_desc desc;
	const int64_t answers[] = {
		sl_ring_submit(ring, &op),
		sl_ring_submitv(ring, ops, 1),
		sl_ring_flush(ring),
		sl_ring_check(ring),
		sl_ring_run(ring, SL_RING_POLL),
		sl_ring_do(ring, &op),
		sl_ring_cancel(ring, family->busy),
		sl_ring_cancel_fd(ring, family->fd),
		sl_ring_keep(ring, family->fd),
		sl_ring_unkeep(ring, family->fd),
		sl_ring_drain(ring, 0),
		sl_ring_class(ring, 0, NULL),
		sl_ring_describe(ring, family->fd, &desc),
		sl_buf_pool_create(ring, &small, &pool),
	};

	for (unsigned i = 0; i < NR(answers); i++)
		if (answers[i] != -ESTALE)
			return (int)i + 1;
	return sl_ring_next(ring, SL_RING_POLL) ? 99 : 0;
}

static int close_as_child(void *ctx)
{
	sl_ring_close(((struct family *)ctx)->ring);
	return 0;
}

static int open_as_child(void *ctx)
{
	struct sl_ring *ring = NULL;
	struct sl_op op = { 0 };
	int rc;

	sl_ring_close(((struct family *)ctx)->ring);
	if (ring_try(NULL, &ring) != 0)
		return 1;
	rc = sl_ring_do(ring, sl_op_nop(&op)) != 0;
	sl_ring_close(ring);
	return rc;
}

static void with_child(int (*fn)(void *ctx))
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op busy = { .done = note }, queued = { .done = note }, work = { 0 };
	char bytes[2];
	int pair[2];
	struct family family = { ring, &busy, -1 };

	world_pair(pair);
	family.fd = pair[0];
	expect_res(ring, sl_op_fdatasync(&work, world_file()), 0);
	submit(ring, sl_op_read(&busy, pair[0], &bytes[0], 1, SL_OFF_CURRENT));
	sl_ring_run(ring, SL_RING_POLL);
	submit(ring, sl_op_read(&queued, pair[0], &bytes[1], 1, SL_OFF_CURRENT));
	assert_int_equal(in_child(fn, &family), 0);
	assert_int_equal(trace.nr, 0);
	world_put(pair[1], "ab", 2);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(busy.res, 1);
	assert_int_equal(queued.res, 1);
	expect_res(ring, sl_op_fdatasync(&work, world_file()), 0);
	sl_ring_close(ring);
}

static void calls_of_a_forked_child_are_refused(void **state)
{
	(void)state;
	with_child(call_as_child);
}

static void a_forked_child_may_close_its_copy(void **state)
{
	(void)state;
	with_child(close_as_child);
}

static void a_forked_child_may_open_a_ring_of_its_own(void **state)
{
	(void)state;
	if (THREAD_SANITIZER)
		SKIP("ThreadSanitizer lets no forked child start threads");
	with_child(open_as_child);
}

static int end_as_child(void *ctx)
{
	(void)ctx;
	return 0;
}

static void a_forked_child_that_just_ends_leaves_the_parent_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		trace_reset();
		with_child(end_as_child);
	}
}

static int post_as_child(void *ctx)
{
	static struct sl_op op = { .done = note };
	int rc = sl_ring_post(((struct family *)ctx)->ring, &op);

	return rc < 0 ? 0 : 1;
}

static void a_forked_child_cannot_post_or_wake_its_parent(void **state)
{
	(void)state;
	with_child(post_as_child);
}

static const struct contract_test tests[] = {
	T(calls_of_a_forked_child_are_refused, BLOCK, ON_KERNEL),
	T(a_forked_child_may_close_its_copy, BLOCK, ON_KERNEL),
	T(a_forked_child_may_open_a_ring_of_its_own, BLOCK, ON_KERNEL),
	T(a_forked_child_that_just_ends_leaves_the_parent_alone, BLOCK, ON_KERNEL),
	T(a_forked_child_cannot_post_or_wake_its_parent, BLOCK, ON_KERNEL),
};

const struct contract_group fork_tests = GROUP(tests);
