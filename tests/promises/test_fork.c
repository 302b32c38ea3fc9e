/* test_fork.c - the promises F1 to F4 of sluice(7): what a forked child may do with rings. */
#include "promise.h"

static void never_called(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
	_exit(98);
}

static int call_all_in_child(void *ctx)
{
	struct sl_ring *ring = ctx;
	struct sl_op op = { 0 }, message = { .done = never_called };
	struct sl_op *ops[] = { &op };
	int step = 1;

	sl_op_nop(&op);
	sl_op_nop(&message);
	if (sl_ring_post(ring, &message) != -ESTALE)
		return 99;
	sl_ring_wake(ring);
	if (sl_ring_submit(ring, &op) != -ESTALE)
		return step;
	step++;
	if (sl_ring_submitv(ring, ops, 1) != -ESTALE)
		return step;
	step++;
	if (sl_ring_run(ring, SL_RING_POLL) != -ESTALE)
		return step;
	step++;
	if (sl_ring_do(ring, &op) != -ESTALE || sl_ring_drain(ring, 0) != -ESTALE)
		return step;
	step++;
	if (sl_ring_flush(ring) != -ESTALE || sl_ring_cancel(ring, &op) != -ESTALE)
		return step;
	step++;
	if (sl_ring_keep(ring, 0) != -ESTALE || sl_ring_next(ring, SL_RING_POLL))
		return step;
	return 0;
}

static void F1_rings_of_the_parent_are_stale_in_a_child(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 };
	struct counted timer = { 0 };

	(void)state;
	sl_op_timer(&timer.op, soon(ring, 20 * MS), 0);
	submit_counted(ring, &timer);
	assert_int_equal(in_child(call_all_in_child, ring), 0);
	/* The child's wake has woken nobody: the run ends by the timer. */
	assert_int_equal(sl_ring_run(ring, 0), 1);
	assert_int_equal(timer.ends, 1);
	assert_int_equal(sl_ring_do(ring, sl_op_nop(&op)), 0);
	sl_ring_close(ring);
}

static int close_in_child(void *ctx)
{
	sl_ring_close(ctx);
	return 0;
}

static void F2_closing_in_the_child_leaves_the_parent_alone(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct counted read_op = { 0 }, timer = { 0 };
	struct sl_op work = { 0 };
	char byte = 0;
	int fds[2], fd = make_file(100);

	(void)state;
	make_pipe(fds);
	sl_op_read(&read_op.op, fds[0], &byte, 1, SL_OFF_CURRENT);
	submit_counted(ring, &read_op);
	sl_op_timer(&timer.op, soon(ring, 20 * MS), 0);
	submit_counted(ring, &timer);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(in_child(close_in_child, ring), 0);
	assert_int_equal(write(fds[1], "z", 1), 1);
	run_until_idle(ring);
	assert_int_equal(read_op.op.res, 1);
	assert_int_equal(byte, 'z');
	assert_int_equal(timer.op.res, 0);
	assert_int_equal(read_op.ends + timer.ends, 2);
	assert_int_equal(sl_ring_do(ring, sl_op_fdatasync(&work, fd)), 0);
	sl_ring_close(ring);
	close_pair(fds);
	close(fd);
}

#ifdef __SANITIZE_THREAD__
#define THREAD_SANITIZER 1
#else
#define THREAD_SANITIZER 0
#endif

static int open_in_child(void *ctx)
{
	struct sl_ring *ring;
	struct sl_op op = { 0 };
	char bytes[10];
	int err = sl_ring_open(NULL, &ring);

	if (err < 0)
		return 1;
	if (sl_ring_do(ring, sl_op_read(&op, *(int *)ctx, bytes, 10, 5)) != 10 || bytes[0] != 5)
		return 2;
	sl_ring_close(ring);
	return 0;
}

static void F3_the_child_may_open_its_own_rings(void **state)
{
	struct sl_ring *ring;
	int fd;

	(void)state;
	if (THREAD_SANITIZER)
		SKIP("the thread sanitizer knows no threads in a child of threads");
	ring = open_ring(NULL);
	fd = make_file(100);
	assert_int_equal(in_child(open_in_child, &fd), 0);
	sl_ring_close(ring);
	close(fd);
}

#define FDS 1024

/* Which descriptors are open, but for the one that looks. */
static int list_descriptors(bool *open_now)
{
	int nr = 0;

	for (int fd = 0; fd < FDS; fd++) {
		open_now[fd] = fcntl(fd, F_GETFD) >= 0;
		nr += open_now[fd];
	}
	return nr;
}

static void F4_descriptors_of_a_ring_are_close_on_exec(void **state)
{
	struct sl_buf_pool_opts shape = { .count = 4, .buf_bytes = 4096 };
	bool before[FDS], now[FDS];
	int nr = list_descriptors(before);
	struct sl_ring *ring = open_ring(NULL);
	struct sl_buf_pool *pool;

	(void)state;
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	assert_true(list_descriptors(now) > nr);
	for (int fd = 0; fd < FDS; fd++) {
		if (now[fd] && !before[fd])
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	assert_int_equal(list_descriptors(now), nr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(F1_rings_of_the_parent_are_stale_in_a_child),
		TEST(F2_closing_in_the_child_leaves_the_parent_alone),
		TEST(F3_the_child_may_open_its_own_rings),
		TEST(F4_descriptors_of_a_ring_are_close_on_exec),
	};

	return RUN_TESTS(tests);
}
