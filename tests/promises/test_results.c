/* test_results.c - the promises R1 to R7 of sluice(7): what comes of an op. */
#include "promise.h"

#include <sys/resource.h>

static void R1_an_accepted_op_completes_exactly_once(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct counted ops[6] = { 0 };
	char byte;
	int fds[2];

	(void)state;
	make_pipe(fds);
	sl_op_nop(&ops[0].op);
	sl_op_read(&ops[1].op, fds[0], &byte, 1, SL_OFF_CURRENT);
	sl_op_read(&ops[2].op, fds[0], &byte, 1, SL_OFF_CURRENT)->deadline_ns = soon(ring, MS);
	sl_op_poll(&ops[3].op, fds[0], 1);
	sl_op_timer(&ops[4].op, soon(ring, 3600000 * MS), 0);
	sl_op_timer(&ops[5].op, soon(ring, MS), 0);
	for (int i = 0; i < 6; i++)
		submit_counted(ring, &ops[i]);
	assert_int_equal(sl_ring_cancel(ring, &ops[1].op), 0);
	while (!ops[0].ends || !ops[1].ends || !ops[2].ends || !ops[5].ends)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(ops[1].op.res, -ECANCELED);
	assert_int_equal(ops[2].op.res, -ETIMEDOUT);
	assert_int_equal(ops[3].ends + ops[4].ends, 0);
	sl_ring_close(ring);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(ops[i].ends, 1);
		assert_int_equal(ops[i].events, 1);
	}
	assert_int_equal(ops[3].op.res, -ECANCELED);
	assert_int_equal(ops[4].op.res, -ECANCELED);
	close_pair(fds);
}

static void R2_done_len_is_valid_with_errors_timeouts_and_cancels(void **state)
{
	struct rlimit old, limit;
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 };
	static char bytes[65536];
	int fds[2], fd = make_file(0);

	(void)state;
	/* A write that meets the limit on file sizes: the first part of it is done. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ 16384, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	sl_op_write(&op, fd, bytes, sizeof(bytes), 0);
	assert_int_equal(sl_ring_do(ring, &op), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(op.done_len, 16384);

	make_pipe(fds);
	sl_op_read(&op, fds[0], bytes, 10, SL_OFF_CURRENT)->deadline_ns = soon(ring, MS);
	op.done_len = 77;
	assert_int_equal(sl_ring_do(ring, &op), -ETIMEDOUT);
	assert_int_equal(op.done_len, 0);

	sl_op_read(&op, fds[0], bytes, 10, SL_OFF_CURRENT)->done_len = 77;
	assert_int_equal(sl_ring_submit(ring, &op), 0);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	assert_ptr_equal(sl_ring_next(ring, 0), &op);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(op.done_len, 0);
	sl_ring_close(ring);
	close_pair(fds);
	close(fd);
}

static void R3_a_short_read_of_a_file_means_its_end(void **state)
{
	enum {
		SIZE = 3000001
	};
	static char bytes[SIZE + 100];
	static const struct {
		uint64_t off;
		size_t len;
		int64_t res;
	} reads[] = {
		{ 0, 4096, 4096 },     { 0, SIZE, SIZE }, { 0, SIZE + 100, SIZE }, { 100, 1, 1 },
		{ SIZE - 5, 4096, 5 }, { SIZE, 1, 0 },	  { 2 * SIZE, 9, 0 },
	};
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 };
	int fd = make_file(SIZE);

	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		sl_op_read(&op, fd, bytes, reads[i].len, reads[i].off);
		assert_int_equal(sl_ring_do(ring, &op), reads[i].res);
		assert_int_equal(op.done_len, reads[i].res);
		if (reads[i].res > 0)
			assert_int_equal(bytes[reads[i].res - 1],
					 (char)(reads[i].off + (uint64_t)reads[i].res - 1));
	}
	sl_ring_close(ring);
	close(fd);
}

static int order[7], order_nr;

static void note_order(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	order[order_nr++] = (int)(intptr_t)op->user;
}

static void R4_nothing_queues_without_a_bound(void **state)
{
	struct sl_ring_opts opts = { .depth = 4, .park_max = 3 };
	struct sl_ring *ring = open_ring(&opts);
	struct sl_op ops[7] = { { 0 } }, more = { 0 };

	(void)state;
	for (int i = 0; i < 7; i++) {
		sl_op_nop(&ops[i]);
		ops[i].done = note_order;
		ops[i].user = (void *)(intptr_t)i;
		ops[i].flags = i < 4 ? 0 : SL_OP_PARK;
		assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
		if (i == 3)
			assert_int_equal(sl_ring_submit(ring, sl_op_nop(&more)), -EAGAIN);
	}
	assert_int_equal(sl_ring_room(ring), 0);
	sl_op_nop(&more)->flags = SL_OP_PARK;
	assert_int_equal(sl_ring_submit(ring, &more), -EAGAIN);
	run_until_idle(ring);
	assert_int_equal(order_nr, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(order[i], i);
	sl_ring_close(ring);
}

static void R5_what_is_unknown_is_refused(void **state)
{
	struct sl_ring *ring = open_ring(NULL), *none = NULL;
	struct sl_ring_opts bad_opts[] = {
		{ .flags = 1u << 31 }, { .backend = "carrots" }, { .backend = "uring:carrots" },
		{ .depth = 32769 },    { .workers = 65 },
	};
	struct sl_buf_pool_opts bad_pools[] = {
		{ .flags = 1u << 31, .count = 1, .buf_bytes = 64 },
		{ .count = 0, .buf_bytes = 64 },
		{ .count = 1, .buf_bytes = 64, .align = 48 },
	};
	struct sl_buf_pool *pool = NULL;
	struct sl_op op = { 0 };

	(void)state;
	op.code = 200;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	sl_op_nop(&op)->flags = 1 << 15;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	sl_op_nop(&op)->flags = SL_OP_DSYNC;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	sl_op_nop(&op)->flags = SL_OP_LINKED;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	sl_op_nop(&op)->sched_class = SL_RING_CLASSES;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	for (size_t i = 0; i < sizeof(bad_opts) / sizeof(bad_opts[0]); i++)
		assert_int_equal(sl_ring_open(&bad_opts[i], &none), -EINVAL);
	for (size_t i = 0; i < sizeof(bad_pools) / sizeof(bad_pools[0]); i++)
		assert_int_equal(sl_buf_pool_create(ring, &bad_pools[i], &pool), -EINVAL);
	sl_ring_close(ring);
}

static void R6_after_close_nothing_writes_into_memory(void **state)
{
	enum {
		NR = 32,
		BYTES = 65536
	};
	struct sl_ring_opts opts = { .depth = 2 * NR };
	struct sl_ring *ring = open_ring(&opts);
	static struct sl_op ops[2 * NR];
	static char bytes[NR][BYTES] __attribute__((aligned(4096)));
	static char from_pipe[NR];
	int fds[2], fd = make_file(NR * BYTES);

	(void)state;
	make_pipe(fds);
	/* Past the page cache where the file system can, so that the device is busy. */
	fcntl(fd, F_SETFL, O_DIRECT);
	for (int i = 0; i < NR; i++) {
		sl_op_read(&ops[i], fd, bytes[i], BYTES, (uint64_t)i * BYTES);
		sl_op_read(&ops[NR + i], fds[0], &from_pipe[i], 1, SL_OFF_CURRENT);
		assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
		assert_int_equal(sl_ring_submit(ring, &ops[NR + i]), 0);
	}
	assert_int_equal(sl_ring_flush(ring), 0);
	sl_ring_close(ring);
	memset(bytes, 'x', sizeof(bytes));
	memset(from_pipe, 'x', sizeof(from_pipe));
	assert_int_equal(write(fds[1], "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", NR), NR);
	usleep(100000);
	for (int i = 0; i < NR; i++) {
		assert_int_equal(from_pipe[i], 'x');
		for (int at = 0; at < BYTES; at++)
			if (bytes[i][at] != 'x')
				fail_msg("byte %d of buffer %d was written after close", at, i);
	}
	close_pair(fds);
	close(fd);
}

static void R7_a_call_that_failed_has_changed_nothing(void **state)
{
	struct sl_ring_opts opts = { .depth = 1 }, bad = { .backend = "carrots" };
	struct sl_ring *ring = open_ring(&opts), *untouched = (void *)&opts;
	struct sl_buf_pool_opts bad_pool = { .count = 0 };
	struct sl_buf_pool *pool = (void *)&opts;
	struct sl_op first = { 0 }, second = { 0 }, before;
	struct sl_op *pair[] = { &second, &second };

	(void)state;
	assert_int_equal(sl_ring_open(&bad, &untouched), -EINVAL);
	assert_ptr_equal(untouched, &opts);
	assert_int_equal(sl_buf_pool_create(ring, &bad_pool, &pool), -EINVAL);
	assert_ptr_equal(pool, &opts);

	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&first)), 0);
	sl_op_nop(&second)->user = &first;
	before = second;
	assert_int_equal(sl_ring_submit(ring, &second), -EAGAIN);
	assert_memory_equal(&second, &before, sizeof(before));
	assert_int_equal(sl_ring_submitv(ring, pair, 2), -EINVAL);
	assert_int_equal(sl_ring_inflight(ring), 1);
	assert_ptr_equal(sl_ring_next(ring, 0), &first);
	assert_int_equal(sl_ring_do(ring, &second), 0);
	sl_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(R1_an_accepted_op_completes_exactly_once),
		TEST(R2_done_len_is_valid_with_errors_timeouts_and_cancels),
		TEST(R3_a_short_read_of_a_file_means_its_end),
		TEST(R4_nothing_queues_without_a_bound),
		TEST(R5_what_is_unknown_is_refused),
		TEST(R6_after_close_nothing_writes_into_memory),
		TEST(R7_a_call_that_failed_has_changed_nothing),
	};

	return RUN_TESTS(tests);
}
