/*
 * seam.c - the engine against a backend that is short, busy, armed or full.
 *
 * The double of memory_backend.h aborts when the engine breaks a rule of
 * backend.h, so that every test on it is also one of the seam; these are the
 * ones about the rules themselves.
 */
#include "tests/contract/suite.h"

#include <poll.h>
#include <stdio.h>

#include "tests/contract/memory_backend.h"

static void a_start_that_is_refused_is_tried_again(void **state)
{
	enum {
		NR_OPS = 64
	};
	static struct sl_op ops[NR_OPS];
	static char bufs[NR_OPS][64];
	struct sl_ring *ring;
	int file = memory_file();

	(void)state;
	memory_wants("busy");
	ring = ring_open(NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		submit(ring, sl_op_write(&ops[i], file, bufs[i], 64, i * 64));
	}
	ring_until(ring, &trace.ended, NR_OPS);
	assert_true(memory_counts().refused > 0);
	for (unsigned i = 0; i < NR_OPS; i++)
		assert_int_equal(ops[i].res, 64);
	sl_ring_close(ring);
}

static void a_start_that_is_refused_can_be_cancelled_or_time_out(void **state)
{
	enum {
		NR_OPS = 9
	};
	static struct sl_op ops[NR_OPS];
	static char bytes[NR_OPS];
	struct sl_ring *ring;
	int pair[2];

	(void)state;
	memory_wants("busy");
	ring = ring_open(NR_OPS);
	memory_pair(pair);
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		sl_op_read(&ops[i], pair[0], &bytes[i], 1, SL_OFF_CURRENT);
		if (i % 2)
			ops[i].deadline_ns = sl_ring_now(ring) + 1;
		submit(ring, &ops[i]);
	}
	sl_ring_flush(ring);
	assert_true(memory_counts().refused > 0);
	for (unsigned i = 0; i < NR_OPS; i += 2)
		assert_int_equal(sl_ring_cancel(ring, &ops[i]), 0);
	ring_until(ring, &trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		trace_place(&ops[i]);
		assert_int_equal(ops[i].res, i % 2 ? -ETIMEDOUT : -ECANCELED);
	}
	sl_ring_close(ring);
}

static void never_more_than_depth_is_started(void **state)
{
	enum {
		DEPTH = 3,
		NR_OPS = 100
	};
	static struct sl_op ops[NR_OPS];
	static char byte;
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .depth = DEPTH, .park_max = NR_OPS });
	int file = memory_file();

	(void)state;
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = note;
		sl_op_write(&ops[i], file, &byte, 1, i)->flags |= SL_OP_PARK;
		submit(ring, &ops[i]);
	}
	ring_until(ring, &trace.ended, NR_OPS);
	assert_true(memory_counts().started_max <= DEPTH);
	sl_ring_close(ring);
}

static void submit_starts_nothing_and_flush_does(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	memory_pair(pair);
	submit(ring, sl_op_read(&op, pair[0], &byte, 1, SL_OFF_CURRENT));
	assert_int_equal(memory_counts().starts, 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(memory_counts().starts, 1);
	sl_ring_close(ring);
}

static unsigned nr_events;

static void put_back(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	nr_events++;
	if (op->more == 0)
		trace.ended++;
}

static void an_armed_multi_op_is_not_started_again(void **state)
{
	struct sl_ring *ring;
	struct sl_op op = { .done = put_back };
	int pair[2];

	(void)state;
	memory_wants("armed");
	ring = ring_open(8);
	memory_pair(pair);
	sl_op_poll(&op, pair[0], POLLOUT)->flags |= SL_OP_MULTI;
	submit(ring, &op);
	ring_until(ring, &nr_events, 20);
	assert_int_equal(memory_counts().starts, 1);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	sl_ring_close(ring);
}

static void a_multi_op_of_a_backend_without_multi_is_started_again(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = put_back };
	int pair[2];

	(void)state;
	memory_pair(pair);
	sl_op_poll(&op, pair[0], POLLOUT)->flags |= SL_OP_MULTI;
	submit(ring, &op);
	ring_until(ring, &nr_events, 20);
	assert_true(memory_counts().starts >= 20);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	sl_ring_close(ring);
}

static void an_event_queue_that_is_full_leaves_completions_where_they_are(void **state)
{
	enum {
		NR_OPS = 4,
		EVENTS = 5000
	};
	static struct sl_op ops[NR_OPS];
	struct sl_ring *ring;
	int pairs[NR_OPS][2];

	(void)state;
	memory_wants("prompt armed");
	ring = ring_open(NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		memory_pair(pairs[i]);
		ops[i].done = put_back;
		sl_op_poll(&ops[i], pairs[i][0], POLLOUT)->flags |= SL_OP_MULTI;
		submit(ring, &ops[i]);
	}
	ring_until(ring, &nr_events, EVENTS);
	assert_int_equal(ring_stats(ring).events, nr_events);
	assert_true(memory_counts().queue_full > 0);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, NR_OPS);
	sl_ring_close(ring);
}

static void a_medium_that_fails_midway_tells_the_bytes_done(void **state)
{
	struct sl_ring *ring;
	static char buf[100000];
	struct sl_op op = { .done = note };
	int file = memory_file();

	(void)state;
	memory_wants("short");
	ring = ring_open(8);
	expect_res(ring, sl_op_write(&op, file, buf, sizeof(buf), 0), sizeof(buf));
	trace_reset();
	submit(ring, sl_op_read(&op, file, buf, sizeof(buf), 0));
	sl_ring_run(ring, sl_ring_clock(ring) + 1500);
	memory_fail(file, EIO);
	ring_until(ring, &trace.ended, 1);
	assert_true(op.res == -EIO || op.res == (int64_t)sizeof(buf));
	assert_true(op.done_len <= sizeof(buf));
	if (op.res == -EIO)
		assert_int_equal(ring_stats(ring).read_bytes, op.done_len);
	memory_fail(file, 0);
	expect_res(ring, sl_op_read(&op, file, buf, sizeof(buf), 0), sizeof(buf));
	sl_ring_close(ring);
}

static void a_cancel_between_two_transfers_keeps_the_bytes_done(void **state)
{
	static char buf[1 << 20];
	struct sl_op op = { .done = note };
	uint64_t seed = support_seed();
	unsigned midway = 0;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct sl_ring *ring;
		char options[32];
		int file = memory_file();

		snprintf(options, sizeof(options), "short seed=%u",
			 (unsigned)support_random(&seed));
		memory_wants(options);
		trace_reset();
		ring = ring_open(4);
		submit(ring, sl_op_write(&op, file, buf, sizeof(buf), 0));
		sl_ring_run(ring, sl_ring_clock(ring) + (int64_t)(support_random(&seed) % 3000));
		if (trace.ended == 0)
			assert_int_equal(sl_ring_cancel(ring, &op), 0);
		ring_until(ring, &trace.ended, 1);
		assert_true(op.res == -ECANCELED || op.res == (int64_t)sizeof(buf));
		assert_int_equal(ring_stats(ring).write_bytes, op.done_len);
		midway += op.res == -ECANCELED && op.done_len > 0;
		sl_ring_close(ring);
		memory_close(file);
	}
	assert_true(midway > 0);
}

static struct sl_op *next_one;

static void cancel_next(struct sl_ring *ring, struct sl_op *op)
{
	note(ring, op);
	if (next_one)
		sl_ring_cancel(ring, next_one);
	next_one = NULL;
}

static void a_cancel_that_comes_after_the_last_event_changes_nothing(void **state)
{
	struct sl_ring *ring;
	struct sl_op ops[2] = { { .done = cancel_next }, { .done = cancel_next } };
	char bytes[2];
	int pair[2];

	(void)state;
	memory_wants("prompt");
	ring = ring_open(8);
	memory_pair(pair);
	for (unsigned i = 0; i < 2; i++)
		submit(ring, sl_op_read(&ops[i], pair[0], &bytes[i], 1, SL_OFF_CURRENT));
	memory_put(pair[1], "ab", 2);
	next_one = &ops[1];
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(trace.at[0].res, 1);
	assert_int_equal(trace.at[1].res, 1);
	assert_int_equal(bytes[1], 'b');
	sl_ring_close(ring);
}

/* The short counts fall anywhere; what goes on must begin at a sector again. */
static void a_short_direct_transfer_goes_on_at_an_aligned_place(void **state)
{
	enum {
		SECTOR = 512,
		BYTES = 60 * SECTOR,
		TAIL = 100
	};
	static _Alignas(SECTOR) unsigned char out[BYTES], in[BYTES + SECTOR], vec[BYTES + SECTOR];
	struct sl_ring *ring;
	struct iovec iov[2] = { { vec, 7 * SECTOR }, { vec + 7 * SECTOR, BYTES - 6 * SECTOR } };
	struct sl_op op = { 0 };
	int file = memory_file();

	(void)state;
	memory_wants("short");
	ring = ring_open(8);
	pattern(out, sizeof(out), 8);
	memory_direct(file, SECTOR);
	expect_res(ring, sl_op_write(&op, file, out, BYTES, 0), BYTES);
	memory_direct(file, 0);
	expect_res(ring, sl_op_write(&op, file, out, TAIL, BYTES), TAIL);
	memory_direct(file, SECTOR);
	for (unsigned i = 0; i < 100; i++) {
		memset(in, 0xee, sizeof(in));
		memset(vec, 0xee, sizeof(vec));
		expect_res(ring, sl_op_read(&op, file, in, sizeof(in), 0), BYTES + TAIL);
		assert_int_equal(op.done_len, BYTES + TAIL);
		assert_memory_equal(in, out, BYTES);
		assert_memory_equal(in + BYTES, out, TAIL);
		expect_res(ring, sl_op_readv(&op, file, iov, 2, 0), BYTES + TAIL);
		assert_memory_equal(vec, in, BYTES + TAIL);
	}
	assert_true(ring_stats(ring).short_io > 0);
	expect_res(ring, sl_op_read(&op, file, in, 100, 0), -EINVAL);
	sl_ring_close(ring);
}

static void a_broken_backend_breaks_the_ring_and_close_still_ends(void **state)
{
	static struct log_lines lines;
	struct sl_ring *ring =
		ring_open_with(&(struct sl_ring_opts){ .log = log_keep, .log_ctx = &lines });
	struct sl_op told = { .done = note }, collected = { 0 };
	char bytes[2];
	int pair[2];

	(void)state;
	memory_pair(pair);
	submit(ring, sl_op_read(&told, pair[0], &bytes[0], 1, SL_OFF_CURRENT));
	submit(ring, sl_op_read(&collected, pair[0], &bytes[1], 1, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	assert_int_equal(sl_ring_error(ring), 0);
	memory_break(EIO);
	assert_int_equal(sl_ring_run(ring, 0), -EIO);
	assert_int_equal(sl_ring_error(ring), -EIO);
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), -EIO);
	assert_null(sl_ring_next(ring, 0));
	assert_int_equal(sl_ring_drain(ring, 0), -EIO);
	sl_ring_close(ring);
	assert_true(log_has(&lines, "fail"));
}

static void the_same_seed_gives_the_same_order(void **state)
{
	enum {
		NR_OPS = 32
	};
	static struct sl_op ops[2][NR_OPS];
	static char byte;

	(void)state;
	memory_wants("seed=77");
	for (unsigned round = 0; round < 2; round++) {
		struct sl_ring *ring = ring_open(NR_OPS);
		int file = memory_file();

		for (unsigned i = 0; i < NR_OPS; i++) {
			ops[round][i].done = note;
			submit(ring, sl_op_write(&ops[round][i], file, &byte, 1, i));
		}
		ring_until(ring, &trace.ended, (round + 1) * NR_OPS);
		sl_ring_close(ring);
	}
	for (unsigned i = 0; i < NR_OPS; i++)
		assert_int_equal(trace.at[i].op - ops[0], trace.at[NR_OPS + i].op - ops[1]);
}

static const struct contract_test tests[] = {
	T(a_start_that_is_refused_is_tried_again, CORE, ON_MEMORY),
	T(a_start_that_is_refused_can_be_cancelled_or_time_out, CORE, ON_MEMORY),
	T(never_more_than_depth_is_started, CORE, ON_MEMORY),
	T(submit_starts_nothing_and_flush_does, CORE, ON_MEMORY),
	T(an_armed_multi_op_is_not_started_again, CORE, ON_MEMORY),
	T(a_multi_op_of_a_backend_without_multi_is_started_again, CORE, ON_PLAIN_MEMORY),
	T(an_event_queue_that_is_full_leaves_completions_where_they_are, CORE, ON_MEMORY),
	T(a_medium_that_fails_midway_tells_the_bytes_done, CORE, ON_MEMORY),
	T(a_cancel_between_two_transfers_keeps_the_bytes_done, CORE, ON_MEMORY),
	T(a_cancel_that_comes_after_the_last_event_changes_nothing, CORE, ON_MEMORY),
	T(a_short_direct_transfer_goes_on_at_an_aligned_place, CORE, ON_MEMORY),
	T(a_broken_backend_breaks_the_ring_and_close_still_ends, CORE, ON_MEMORY),
	T(the_same_seed_gives_the_same_order, CORE, ON_MEMORY),
};

const struct contract_group seam_tests = GROUP(tests);
