/* test_callbacks.c - the promises C1 to C5 of sluice(7): where callbacks run, and what they may do.
 */
#include "promise.h"

#include <pthread.h>

static pthread_t called_on;
static int calls;

static void note_thread(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
	called_on = pthread_self();
	calls++;
}

static void submit_noted(struct sl_ring *ring, struct sl_op *op)
{
	int before = calls;

	sl_op_nop(op)->done = note_thread;
	assert_int_equal(sl_ring_submit(ring, op), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(calls, before);
	memset(&called_on, 0, sizeof(called_on));
}

static void assert_called_here(int nr)
{
	assert_int_equal(calls, nr);
	assert_true(pthread_equal(called_on, pthread_self()));
}

static void C1_callbacks_run_on_the_owner_inside_run_and_never_inside_submit(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 }, other = { 0 };

	(void)state;
	calls = 0;
	submit_noted(ring, &op);
	run_until_idle(ring);
	assert_called_here(1);
	submit_noted(ring, &op);
	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&other)), 0);
	assert_ptr_equal(sl_ring_next(ring, 0), &other);
	run_until_idle(ring);
	assert_called_here(2);
	sl_op_nop(&op);
	assert_int_equal(sl_ring_do(ring, &op), 0);
	assert_called_here(3);
	submit_noted(ring, &op);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_called_here(4);
	submit_noted(ring, &op);
	sl_ring_close(ring);
	assert_called_here(5);
}

static int nested, nested_max;
static struct sl_op many[8];

static void nest(struct sl_ring *ring, struct sl_op *op)
{
	nested++;
	if (nested > nested_max)
		nested_max = nested;
	calls++;
	if (op == &many[0]) {
		for (int i = 1; i < 7; i++) {
			sl_op_nop(&many[i])->done = nest;
			assert_int_equal(sl_ring_submit(ring, &many[i]), 0);
		}
		sl_op_nop(&many[7])->done = nest;
		assert_int_equal(sl_ring_post(ring, &many[7]), 0);
		assert_int_equal(sl_ring_cancel(ring, &many[3]), 0);
		assert_int_equal(sl_ring_flush(ring), 0);
	}
	nested--;
}

static void C2_callbacks_do_not_nest(void **state)
{
	struct sl_ring *ring = open_ring(NULL);

	(void)state;
	calls = 0;
	sl_op_nop(&many[0])->done = nest;
	assert_int_equal(sl_ring_submit(ring, &many[0]), 0);
	while (calls < 8)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(nested_max, 1);
	sl_ring_close(ring);
}

static struct sl_buf_pool *pool;
static int pipe_fd;

static void do_all_that_is_allowed(struct sl_ring *ring, struct sl_op *op)
{
	static struct sl_op nop, posted;
	void *buf = sl_buf_get(pool);

	(void)op;
	calls++;
	assert_non_null(buf);
	sl_buf_put(pool, buf);
	assert_int_equal(sl_ring_keep(ring, pipe_fd), 0);
	assert_int_equal(sl_ring_unkeep(ring, pipe_fd), 0);
	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&nop)), 0);
	assert_int_equal(sl_ring_cancel(ring, &nop), 0);
	assert_true(sl_ring_cancel_fd(ring, pipe_fd) >= 0);
	sl_op_nop(&posted)->done = note_thread;
	assert_int_equal(sl_ring_post(ring, &posted), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	sl_ring_wake(ring);
}

static void C3_a_callback_may_submit_cancel_flush_post_keep_and_use_buffers(void **state)
{
	struct sl_buf_pool_opts shape = { .count = 2, .buf_bytes = 4096 };
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 };
	int fds[2];

	(void)state;
	make_pipe(fds);
	pipe_fd = fds[0];
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	calls = 0;
	sl_op_nop(&op)->done = do_all_that_is_allowed;
	assert_int_equal(sl_ring_submit(ring, &op), 0);
	while (calls < 2)
		assert_true(sl_ring_run(ring, 0) >= 0);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	close_pair(fds);
}

static void run_inside(struct sl_ring *ring, struct sl_op *op)
{
	static struct sl_op other;

	(void)op;
	calls++;
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), -EBUSY);
	assert_int_equal(sl_ring_do(ring, sl_op_nop(&other)), -EBUSY);
	assert_int_equal(sl_ring_drain(ring, 0), -EBUSY);
	assert_null(sl_ring_next(ring, SL_RING_POLL));
}

static void close_inside(struct sl_ring *ring, struct sl_op *op)
{
	(void)op;
	sl_ring_close(ring);
}

static void leave_with_42(const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	(void)what;
	_exit(42);
}

static int close_in_callback(void *ctx)
{
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	(void)ctx;
	sl_assert_hook(leave_with_42);
	if (sl_ring_open(NULL, &ring) < 0)
		return 1;
	sl_op_nop(&op)->done = close_inside;
	return (int)sl_ring_do(ring, &op);
}

static void C4_run_answers_ebusy_in_a_callback(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 };
	int status;

	(void)state;
	calls = 0;
	sl_op_nop(&op)->done = run_inside;
	assert_int_equal(sl_ring_submit(ring, &op), 0);
	run_until_idle(ring);
	assert_int_equal(calls, 1);
	sl_ring_close(ring);
	status = in_child(close_in_callback, NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void submit_again(struct sl_ring *ring, struct sl_op *op)
{
	if (++calls < 5)
		assert_int_equal(sl_ring_submit(ring, op), 0);
}

static void free_it(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	memset(op, 0xff, sizeof(*op));
	free(op);
	calls++;
}

static void C5_an_op_may_be_submitted_again_or_freed_in_its_callback(void **state)
{
	struct sl_ring_opts opts = { .depth = 1 };
	struct sl_ring *ring = open_ring(&opts);
	struct sl_op again = { 0 }, *freed = calloc(1, sizeof(*freed));

	(void)state;
	assert_non_null(freed);
	calls = 0;
	sl_op_nop(&again)->done = submit_again;
	assert_int_equal(sl_ring_submit(ring, &again), 0);
	run_until_idle(ring);
	assert_int_equal(calls, 5);
	sl_op_nop(freed)->done = free_it;
	assert_int_equal(sl_ring_submit(ring, freed), 0);
	run_until_idle(ring);
	assert_int_equal(calls, 6);
	sl_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(C1_callbacks_run_on_the_owner_inside_run_and_never_inside_submit),
		TEST(C2_callbacks_do_not_nest),
		TEST(C3_a_callback_may_submit_cancel_flush_post_keep_and_use_buffers),
		TEST(C4_run_answers_ebusy_in_a_callback),
		TEST(C5_an_op_may_be_submitted_again_or_freed_in_its_callback),
	};

	return RUN_TESTS(tests);
}
