/* test_threads.c - the promises T1 to T5, E1 and E2 of sluice(7): who may call, and what outlives a
 * thread. */
#include "promise.h"

#include <dirent.h>
#include <pthread.h>

static void *call_all_from_outside(void *ctx)
{
	struct sl_ring *ring = ctx;
	struct sl_buf_pool_opts shape = { .count = 1, .buf_bytes = 64 };
	struct sl_buf_pool *pool;
	struct sl_desc desc;
	static struct sl_op op;
	struct sl_op *ops[] = { &op };
	bool refused = true;

	sl_op_nop(&op);
	refused &= sl_ring_submit(ring, &op) == -EPERM;
	refused &= sl_ring_submitv(ring, ops, 1) == -EPERM;
	refused &= sl_ring_flush(ring) == -EPERM;
	refused &= sl_ring_run(ring, SL_RING_POLL) == -EPERM;
	refused &= sl_ring_do(ring, &op) == -EPERM;
	refused &= sl_ring_drain(ring, 0) == -EPERM;
	refused &= sl_ring_cancel(ring, &op) == -EPERM;
	refused &= sl_ring_cancel_fd(ring, 0) == -EPERM;
	refused &= sl_ring_keep(ring, 0) == -EPERM;
	refused &= sl_ring_unkeep(ring, 0) == -EPERM;
	refused &= sl_ring_class(ring, 0, NULL) == -EPERM;
	refused &= sl_ring_describe(ring, 0, &desc) == -EPERM;
	refused &= sl_buf_pool_create(ring, &shape, &pool) == -EPERM;
	refused &= sl_ring_next(ring, SL_RING_POLL) == NULL;
	return refused ? ctx : NULL;
}

static void T1_calls_from_another_thread_answer_eperm(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct counted op = { 0 };
	pthread_t thread;
	void *answer;

	(void)state;
	sl_op_nop(&op.op);
	submit_counted(ring, &op);
	pthread_create(&thread, NULL, call_all_from_outside, ring);
	pthread_join(thread, &answer);
	assert_ptr_equal(answer, ring);
	assert_int_equal(sl_ring_inflight(ring), 1);
	run_until_idle(ring);
	assert_int_equal(op.ends, 1);
	sl_ring_close(ring);
}

enum {
	POSTS = 50,
	POSTERS = 3
};

static struct counted posts[POSTERS][POSTS];
static struct sl_ring *post_target;
static pthread_t owner;
static bool on_owner;
static int posted_calls;

static void on_post(struct sl_ring *ring, struct sl_op *op)
{
	on_owner &= pthread_equal(owner, pthread_self()) != 0;
	posted_calls++;
	count_completion(ring, op);
}

static void *post_many(void *ctx)
{
	struct counted *mine = ctx;

	for (int i = 0; i < POSTS; i++) {
		mine[i].op.done = on_post;
		while (sl_ring_post(post_target, &mine[i].op) == -EAGAIN)
			usleep(100);
	}
	sl_ring_wake(post_target);
	return NULL;
}

static void T2_post_and_wake_are_for_any_thread(void **state)
{
	struct sl_ring_opts opts = { .depth = 8, .park_max = 8 };
	pthread_t threads[POSTERS];

	(void)state;
	post_target = open_ring(&opts);
	owner = pthread_self();
	on_owner = true;
	for (int i = 0; i < POSTERS; i++)
		pthread_create(&threads[i], NULL, post_many, posts[i]);
	while (posted_calls < POSTERS * POSTS)
		assert_true(sl_ring_run(post_target, 0) >= 0);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_true(on_owner);
	for (int i = 0; i < POSTERS * POSTS; i++) {
		assert_int_equal(posts[i / POSTS][i % POSTS].ends, 1);
		assert_int_equal(posts[i / POSTS][i % POSTS].op.res, 0);
	}
	sl_ring_close(post_target);
}

static void *post_one(void *ctx)
{
	struct counted *post = ctx;

	post->op.done = count_completion;
	return sl_ring_post(post_target, &post->op) == 0 ? ctx : NULL;
}

static void T3_an_accepted_post_is_never_lost(void **state)
{
	struct counted drained = { 0 }, closed = { 0 };
	pthread_t thread;
	void *answer;

	(void)state;
	post_target = open_ring(NULL);
	pthread_create(&thread, NULL, post_one, &drained);
	pthread_join(thread, &answer);
	assert_non_null(answer);
	assert_int_equal(sl_ring_drain(post_target, 0), 0);
	assert_int_equal(drained.ends, 1);
	assert_int_equal(drained.op.res, -ECANCELED);
	sl_ring_close(post_target);

	post_target = open_ring(NULL);
	pthread_create(&thread, NULL, post_one, &closed);
	pthread_join(thread, &answer);
	assert_non_null(answer);
	sl_ring_close(post_target);
	assert_int_equal(closed.ends, 1);
	assert_int_equal(closed.op.res, -ECANCELED);
}

static void *use_own_ring(void *ctx)
{
	struct sl_ring *ring;
	struct sl_op op = { 0 };
	char bytes[100];
	bool right = true;

	if (sl_ring_open(NULL, &ring) < 0)
		return NULL;
	for (int i = 0; i < 200; i++) {
		sl_op_read(&op, *(int *)ctx, bytes, sizeof(bytes), (uint64_t)i);
		right &= sl_ring_do(ring, &op) == sizeof(bytes) && bytes[0] == (char)i;
	}
	sl_ring_close(ring);
	return right ? ctx : NULL;
}

static void T4_rings_of_different_threads_share_nothing(void **state)
{
	pthread_t threads[4];
	int fd = make_file(1000);
	void *answer;

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, use_own_ring, &fd);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &answer);
		assert_non_null(answer);
	}
	close(fd);
}

static volatile sig_atomic_t asked;

static void ask(int number)
{
	(void)number;
	asked = sl_version() == SL_VERSION && strcmp(sl_err_name(-EINVAL), "EINVAL") == 0 &&
		strcmp(sl_err_text(0), "") != 0 && strcmp(sl_op_name(SL_OP_READ), "read") == 0;
}

static void *ask_in_handler(void *ctx)
{
	raise(SIGUSR1);
	return ctx;
}

static void T5_constants_may_be_asked_for_anywhere(void **state)
{
	pthread_t thread;

	(void)state;
	signal(SIGUSR1, ask);
	pthread_create(&thread, NULL, ask_in_handler, NULL);
	pthread_join(thread, NULL);
	assert_true(asked);
}

static struct counted left;

static void *open_and_leave(void *ctx)
{
	struct sl_ring *ring;

	if (sl_ring_open(NULL, &ring) < 0)
		return NULL;
	sl_op_read(&left.op, *(int *)ctx, &left.op.user, 1, SL_OFF_CURRENT)->done =
		count_completion;
	if (sl_ring_submit(ring, &left.op) < 0 || sl_ring_flush(ring) < 0)
		return NULL;
	return ring;
}

static void E1_a_ring_whose_owner_is_gone_can_be_closed_by_any_thread(void **state)
{
	struct sl_op op = { 0 };
	pthread_t thread;
	void *ring;
	int fds[2];

	(void)state;
	make_pipe(fds);
	pthread_create(&thread, NULL, open_and_leave, &fds[0]);
	pthread_join(thread, &ring);
	assert_non_null(ring);
	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&op)), -EPERM);
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), -EPERM);
	sl_ring_close(ring);
	assert_int_equal(left.events, 0);
	close_pair(fds);
}

static int threads_now(void)
{
	DIR *dir = opendir("/proc/self/task");
	int nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

static int64_t answer_seven(void *ctx)
{
	(void)ctx;
	return 7;
}

static void E2_close_joins_the_worker_threads(void **state)
{
	struct sl_ring_opts opts = { .workers = 4 };
	int before = threads_now(), after = 0;
	struct sl_op op = { 0 };
	struct sl_ring *ring;

	(void)state;
	for (int i = 0; i < 5; i++) {
		ring = open_ring(&opts);
		assert_int_equal(sl_ring_do(ring, sl_op_work(&op, answer_seven, NULL)), 7);
		sl_ring_close(ring);
	}
	/* The kernel removes its own threads and the entries in /proc a little later. */
	for (int i = 0; i < 100; i++) {
		after = threads_now();
		if (after == before)
			break;
		usleep(20000);
	}
	assert_int_equal(after, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(T1_calls_from_another_thread_answer_eperm),
		TEST(T2_post_and_wake_are_for_any_thread),
		TEST(T3_an_accepted_post_is_never_lost),
		TEST(T4_rings_of_different_threads_share_nothing),
		TEST(T5_constants_may_be_asked_for_anywhere),
		TEST(E1_a_ring_whose_owner_is_gone_can_be_closed_by_any_thread),
		TEST(E2_close_joins_the_worker_threads),
	};

	return RUN_TESTS(tests);
}
