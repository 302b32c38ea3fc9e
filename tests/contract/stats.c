/* stats.c - statistics: every number exact, for the ring and for each class. */
#include "tests/contract/suite.h"

static uint64_t histogram_sum(const struct sl_ring_stats *stats)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SL_RING_LATENCY_BUCKETS; i++)
		sum += stats->latency[i];
	return sum;
}

static void the_numbers_are_exact(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_ring_stats stats;
	struct sl_op op = { 0 };
	char buf[100];
	int file = world_file(), pair[2];

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_write(&op, file, buf, 100, 0), 100);
	expect_res(ring, sl_op_read(&op, file, buf, 60, 50), 50);
	expect_res(ring, sl_op_read(&op, world_bad_fd(), buf, 1, 0), -EBADF);
	sl_op_read(&op, pair[0], buf, 1, SL_OFF_CURRENT);
	op.deadline_ns = sl_ring_clock(ring) + MS;
	expect_res(ring, &op, -ETIMEDOUT);
	submit(ring, sl_op_read(&op, pair[0], buf, 1, SL_OFF_CURRENT));
	sl_ring_cancel(ring, &op);
	ring_settle(ring);
	stats = ring_stats(ring);
	assert_int_equal(stats.submitted, 5);
	assert_int_equal(stats.completed, 5);
	assert_int_equal(stats.events, 5);
	assert_int_equal(stats.failed, 1);
	assert_int_equal(stats.timed_out, 1);
	assert_int_equal(stats.cancelled, 1);
	assert_int_equal(stats.refused, 0);
	assert_int_equal(stats.parked, 0);
	assert_int_equal(stats.inflight, 0);
	assert_int_equal(stats.write_bytes, 100);
	assert_int_equal(stats.read_bytes, 50);
	assert_int_equal(histogram_sum(&stats), 5);
	sl_ring_close(ring);
}

static void the_classes_add_up_to_the_ring(void **state)
{
	struct sl_ring *ring = ring_open(SL_RING_CLASSES * 4);
	struct sl_op ops[SL_RING_CLASSES][4];
	struct sl_ring_stats stats, sum = { 0 };

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned c = 0; c < SL_RING_CLASSES; c++) {
		for (unsigned i = 0; i < 4 && i <= c; i++) {
			ops[c][i].sched_class = (uint8_t)c;
			submit(ring, sl_op_nop(&ops[c][i]));
		}
	}
	ring_settle(ring);
	for (int c = 0; c < SL_RING_CLASSES; c++) {
		assert_int_equal(sl_ring_stats(ring, c, &stats), 0);
		assert_int_equal(stats.completed, c < 4 ? c + 1 : 4);
		assert_int_equal(histogram_sum(&stats), stats.completed);
		sum.submitted += stats.submitted;
		sum.completed += stats.completed;
		sum.events += stats.events;
	}
	stats = ring_stats(ring);
	assert_int_equal(stats.submitted, sum.submitted);
	assert_int_equal(stats.completed, sum.completed);
	assert_int_equal(stats.events, sum.events);
	sl_ring_close(ring);
}

static void the_histogram_counts_every_completed_op_once(void **state)
{
	for (uint32_t flags = 0; flags <= SL_RING_CLOCK_PER_OP; flags += SL_RING_CLOCK_PER_OP) {
		struct sl_ring *ring =
			ring_open_with(&(struct sl_ring_opts){ .depth = 64, .flags = flags });
		struct sl_op ops[64];
		struct sl_ring_stats stats;

		(void)state;
		memset(ops, 0, sizeof(ops));
		for (unsigned i = 0; i < 64; i++)
			submit(ring, sl_op_timer(&ops[i], sl_ring_clock(ring) + i * 1000, 0));
		ring_settle(ring);
		stats = ring_stats(ring);
		assert_int_equal(histogram_sum(&stats), 64);
		sl_ring_close(ring);
	}
}

static void the_bucket_is_that_of_the_time_taken(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	struct sl_ring_stats stats;
	uint64_t late = 0;

	(void)state;
	expect_res(ring, sl_op_timer(&op, sl_ring_clock(ring) + (1 << 22) + 1000, 0), 0);
	stats = ring_stats(ring);
	for (unsigned i = 22; i < SL_RING_LATENCY_BUCKETS; i++)
		late += stats.latency[i];
	assert_int_equal(late, 1);
	if (on_memory())
		assert_int_equal(stats.latency[22], 1);
	sl_ring_close(ring);
}

static void a_short_transfer_is_continued_and_counted(void **state)
{
	struct sl_ring *ring;
	static char out[50000], in[50000];
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	memory_wants("short");
	ring = ring_open(8);
	pattern(out, sizeof(out), 1);
	expect_res(ring, sl_op_write(&op, file, out, sizeof(out), 0), sizeof(out));
	expect_res(ring, sl_op_read(&op, file, in, sizeof(in), 0), sizeof(in));
	assert_memory_equal(in, out, sizeof(out));
	assert_true(ring_stats(ring).short_io >= 2);
	sl_ring_close(ring);
}

static void doze(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	pause_ms(20);
}

static void a_callback_that_runs_too_long_is_reported(void **state)
{
	struct log_lines lines = { 0 };
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){
		.stall_ns = (uint64_t)(5 * MS), .log = log_keep, .log_ctx = &lines });
	struct sl_op op = { .done = doze };
	unsigned before = lines.nr;

	(void)state;
	submit(ring, sl_op_nop(&op));
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(ring_stats(ring).stalls, 1);
	assert_int_equal(lines.nr, before + 1);
	assert_int_equal(lines.level[before], SL_LOG_WARN);
	sl_ring_close(ring);
}

static void without_stall_ns_nothing_is_reported(void **state)
{
	struct log_lines lines = { 0 };
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .log = log_keep, .log_ctx = &lines });
	struct sl_op op = { .done = doze };
	unsigned before = lines.nr;

	(void)state;
	submit(ring, sl_op_nop(&op));
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(ring_stats(ring).stalls, 0);
	assert_int_equal(lines.nr, before);
	sl_ring_close(ring);
}

static void no_inline_sends_every_read_to_its_route(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .flags = SL_RING_NO_INLINE });
	struct sl_op op = { 0 };
	char buf[16];
	int file = world_file();

	(void)state;
	expect_res(ring, sl_op_write(&op, file, "0123456789abcdef", 16, 0), 16);
	for (unsigned i = 0; i < 10; i++)
		expect_res(ring, sl_op_read(&op, file, buf, 16, 0), 16);
	assert_int_equal(ring_stats(ring).inlined, 0);
	if (sl_caps_route(sl_ring_caps(ring), SL_OP_READ) == SL_ROUTE_WORKER)
		assert_true(ring_stats(ring).worked >= 10);
	else
		assert_int_equal(ring_stats(ring).worked, 0);
	sl_ring_close(ring);
}

static void expect_route(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	bool on_worker = sl_caps_route(sl_ring_caps(ring), op->code) == SL_ROUTE_WORKER;
	uint64_t before = ring_stats(ring).worked;

	expect_res(ring, op, res);
	if (ring_stats(ring).worked - before != on_worker)
		fail_msg("%s: the route told is %d, but workers ran %llu", sl_op_name(op->code),
			 sl_caps_route(sl_ring_caps(ring), op->code),
			 (unsigned long long)(ring_stats(ring).worked - before));
}

static void the_route_told_is_the_route_taken(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .flags = SL_RING_NO_INLINE });
	struct sl_op op = { 0 };
	char buf[8] = "";
	int file = world_file();

	(void)state;
	expect_route(ring, sl_op_nop(&op), 0);
	expect_route(ring, sl_op_write(&op, file, buf, 8, 0), 8);
	expect_route(ring, sl_op_read(&op, file, buf, 8, 0), 8);
	expect_route(ring, sl_op_fsync(&op, file), 0);
	expect_route(ring, sl_op_fdatasync(&op, file), 0);
	expect_route(ring, sl_op_truncate(&op, file, 4), 0);
	expect_route(ring, sl_op_allocate(&op, file, 0, 0, 4096), 0);
	expect_route(ring, sl_op_timer(&op, sl_ring_clock(ring), 0), 0);
	sl_ring_close(ring);
}

static void the_route_of_names_is_the_one_taken(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .flags = SL_RING_NO_INLINE });
	const struct sl_name_pair names = { "absent", "target", -1, 0 };
	struct sl_op op = { 0 };

	(void)state;
	/* no directory has the descriptor -1: each fails in the kernel, wherever it runs */
	expect_route(ring, sl_op_mkdir(&op, -1, "absent", 0700), -EBADF);
	expect_route(ring, sl_op_unlink(&op, -1, "absent", 0), -EBADF);
	expect_route(ring, sl_op_link(&op, -1, &names), -EBADF);
	expect_route(ring, sl_op_rename(&op, -1, &names), -EBADF);
	expect_route(ring, sl_op_symlink(&op, "x", -1, "absent"), -EBADF);
	expect_route(ring, sl_op_sync_dir(&op, -1), -EBADF);
	expect_route(ring, sl_op_readdir(&op, -1, &op, 1), -EBADF);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(the_numbers_are_exact, CORE | BLOCK, 0),
	T(the_classes_add_up_to_the_ring, CORE, 0),
	T(the_histogram_counts_every_completed_op_once, CORE, 0),
	T(the_bucket_is_that_of_the_time_taken, CORE, 0),
	T(a_short_transfer_is_continued_and_counted, CORE | BLOCK, ON_MEMORY),
	T(a_callback_that_runs_too_long_is_reported, CORE, ON_KERNEL),
	T(without_stall_ns_nothing_is_reported, CORE, ON_KERNEL),
	T(the_route_told_is_the_route_taken, CORE | BLOCK | FILES, 0),
	T(the_route_of_names_is_the_one_taken, NAME, ON_KERNEL),
	T(no_inline_sends_every_read_to_its_route, CORE | BLOCK, 0),
};

const struct contract_group stats_tests = GROUP(tests);
