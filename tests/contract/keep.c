/* keep.c - kept descriptors: errors, order on a stream, numbers that come back. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void keeping_answers_every_case(void **state)
{
	struct sl_ring *ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .keep_max = 2 });
	int a[2], b[2];

	(void)state;
	world_pair(a);
	world_pair(b);
	assert_int_equal(sl_ring_keep(ring, world_bad_fd()), -EBADF);
	assert_int_equal(sl_ring_keep(ring, -1), -EBADF);
	assert_int_equal(sl_ring_unkeep(ring, a[0]), -ENOENT);
	assert_int_equal(sl_ring_keep(ring, a[0]), 0);
	assert_int_equal(sl_ring_keep(ring, a[0]), -EEXIST);
	assert_int_equal(sl_ring_keep(ring, a[1]), 0);
	assert_int_equal(sl_ring_keep(ring, b[0]), -EAGAIN);
	assert_int_equal(sl_ring_unkeep(ring, a[0]), 0);
	assert_int_equal(sl_ring_keep(ring, b[0]), 0);
	sl_ring_close(ring);
}

static void a_busy_descriptor_stays_kept(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	submit(ring, sl_op_read(&op, pair[0], &byte, 1, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_unkeep(ring, pair[0]), -EBUSY);
	world_put(pair[1], "x", 1);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 1);
	assert_int_equal(sl_ring_unkeep(ring, pair[0]), 0);
	sl_ring_close(ring);
}

static void kept_files_and_streams_carry_data_as_before(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[8] = "";
	int file = world_file(), pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, file), 0);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	expect_res(ring, sl_op_write(&op, file, "kept", 4, 0), 4);
	expect_res(ring, sl_op_fdatasync(&op, file), 0);
	expect_res(ring, sl_op_read(&op, file, buf, 8, 0), 4);
	assert_string_equal(buf, "kept");
	expect_res(ring, sl_op_write(&op, pair[0], "s", 1, SL_OFF_CURRENT), 1);
	world_put(pair[1], "t", 1);
	expect_res(ring, sl_op_read(&op, pair[0], buf, 8, SL_OFF_CURRENT), 1);
	expect_res(ring, sl_op_poll(&op, pair[0], 4), 4);
	sl_ring_close(ring);
}

static void sends_on_a_kept_stream_go_out_in_order(void **state)
{
	enum {
		NR_OPS = 64,
		EACH = 8192
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static char data[NR_OPS][EACH], back[NR_OPS * EACH];
	static struct sl_op ops[NR_OPS];
	size_t got = 0;
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	for (unsigned i = 0; i < NR_OPS; i++) {
		memset(data[i], (int)i, EACH);
		ops[i].done = note;
		submit(ring, sl_op_send(&ops[i], pair[0], data[i], EACH, 0));
	}
	while (trace.ended < NR_OPS) {
		got += world_take(pair[1], back + got, sizeof(back) - got);
		assert_true(sl_ring_run(ring, sl_ring_clock(ring) + MS) >= 0);
	}
	for (size_t n; (n = world_take(pair[1], back + got, sizeof(back) - got)) > 0;)
		got += n;
	for (size_t i = 1; i < got; i++)
		assert_true(back[i] >= back[i - 1]);
	for (unsigned i = 0; i < NR_OPS; i++)
		assert_int_equal(trace_place(&ops[i]), i);
	sl_ring_close(ring);
}

static void receives_on_a_kept_stream_come_in_order(void **state)
{
	enum {
		NR_OPS = 32
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static struct sl_op ops[NR_OPS];
	char bytes[NR_OPS], out[NR_OPS];
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	for (unsigned i = 0; i < NR_OPS; i++) {
		out[i] = (char)('A' + i);
		ops[i].done = note;
		submit(ring, sl_op_recv(&ops[i], pair[0], &bytes[i], 1, 0));
	}
	sl_ring_run(ring, SL_RING_POLL);
	world_put(pair[1], out, NR_OPS);
	ring_until(ring, &trace.ended, NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		assert_int_equal(trace_place(&ops[i]), i);
		assert_int_equal(bytes[i], out[i]);
	}
	sl_ring_close(ring);
}

static void a_late_receive_does_not_overtake_one_that_waited_its_turn(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { { .done = note }, { .done = note }, { .done = note } };
	char bytes[3];
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	for (unsigned round = 0; round < 100; round++) {
		trace_reset();
		for (unsigned i = 0; i < 2; i++)
			submit(ring, sl_op_recv(&ops[i], pair[0], &bytes[i], 1, 0));
		sl_ring_run(ring, SL_RING_POLL);
		world_put(pair[1], "a", 1);
		ring_until(ring, &trace.ended, 1);
		submit(ring, sl_op_recv(&ops[2], pair[0], &bytes[2], 1, 0));
		if (round % 2)
			sl_ring_run(ring, SL_RING_POLL);
		world_put(pair[1], "bc", 2);
		ring_until(ring, &trace.ended, 3);
		assert_memory_equal(bytes, "abc", 3);
	}
	sl_ring_close(ring);
}

static void a_blocked_send_does_not_hold_up_receives_on_a_kept_stream(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op send = { .done = note }, op = { 0 };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	world_clog(pair[0]);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	submit(ring, sl_op_send(&send, pair[0], "x", 1, 0));
	sl_ring_run(ring, SL_RING_POLL);
	world_put(pair[1], "y", 1);
	expect_res(ring, sl_op_recv(&op, pair[0], &byte, 1, 0), 1);
	assert_int_equal(trace.nr, 0);
	sl_ring_close(ring);
}

static void cancelling_one_send_of_a_kept_stream_lets_the_next_go(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[3] = { { .done = note }, { .done = note }, { .done = note } };
	char bytes[3];
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	for (unsigned i = 0; i < 3; i++)
		submit(ring, sl_op_recv(&ops[i], pair[0], &bytes[i], 1, 0));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &ops[0]), 0);
	assert_int_equal(sl_ring_cancel(ring, &ops[1]), 0);
	ring_until(ring, &trace.ended, 2);
	world_put(pair[1], "z", 1);
	ring_until(ring, &trace.ended, 3);
	assert_int_equal(ops[2].res, 1);
	assert_int_equal(bytes[2], 'z');
	sl_ring_close(ring);
}

static void a_kept_number_that_comes_back_reaches_the_new_file(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[16];

	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		int pair[2], file;

		world_pair(pair);
		assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
		world_put(pair[1], "stream", 6);
		expect_res(ring, sl_op_read(&op, pair[0], buf, 2, SL_OFF_CURRENT), 2);
		expect_res(ring, sl_op_close(&op, pair[0]), 0);
		assert_int_equal(sl_ring_unkeep(ring, pair[0]), -ENOENT);
		file = world_file();
		assert_int_equal(file, pair[0]);
		if (round % 2)
			assert_int_equal(sl_ring_keep(ring, file), 0);
		expect_res(ring, sl_op_write(&op, file, "file", 4, 0), 4);
		expect_res(ring, sl_op_read(&op, file, buf, 16, 0), 4);
		assert_memory_equal(buf, "file", 4);
		expect_res(ring, sl_op_close(&op, file), 0);
		expect_res(ring, sl_op_read(&op, file, buf, 16, 0), -EBADF);
		close(pair[1]);
	}
	sl_ring_close(ring);
}

enum {
	NR_PAIRS = 64,
	ROUNDS = 4000
};

/* One kept stream, or not, and the two receives that may wait on it. */
struct stream {
	int pair[2];
	struct sl_op ops[2];
	char bytes[2];
	bool kept, busy;
};

static struct stream streams[NR_PAIRS];

/* Numbers far apart meet in a hash sooner than neighbours. */
static int scattered(int fd, uint64_t dice)
{
	int far = on_memory() ? fd : fcntl(fd, F_DUPFD_CLOEXEC, (int)(300 + dice % 600));

	if (far != fd)
		close(fd);
	assert_true(far >= 0);
	return far;
}

static void wait_twice(struct sl_ring *ring, struct stream *stream)
{
	for (unsigned k = 0; k < 2; k++)
		submit(ring, sl_op_recv(&stream->ops[k], stream->pair[0], &stream->bytes[k], 1, 0));
	sl_ring_run(ring, SL_RING_POLL);
	stream->busy = true;
}

static void feed_twice(struct sl_ring *ring, struct stream *stream)
{
	struct sl_op *first, *second;

	world_put(stream->pair[1], "AB", 2);
	first = sl_ring_next(ring, 0);
	second = sl_ring_next(ring, 0);
	assert_int_equal(stream->ops[0].res, 1);
	assert_int_equal(stream->ops[1].res, 1);
	assert_true(first != second && sl_ring_inflight(ring) % 2 == 0);
	if (stream->kept)
		assert_memory_equal(stream->bytes, "AB", 2);
	stream->busy = false;
}

static void keeping_and_forgetting_disturbs_no_op_in_flight(void **state)
{
	struct sl_ring *ring = ring_open_with(
		&(struct sl_ring_opts){ .depth = 2 * NR_PAIRS, .keep_max = NR_PAIRS });
	uint64_t seed = support_seed();

	(void)state;
	for (unsigned i = 0; i < NR_PAIRS; i++) {
		world_pair(streams[i].pair);
		streams[i].pair[0] = scattered(streams[i].pair[0], support_random(&seed));
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct stream *stream = &streams[support_random(&seed) % NR_PAIRS];

		if (!stream->kept && !stream->busy) {
			assert_int_equal(sl_ring_keep(ring, stream->pair[0]), 0);
			stream->kept = true;
		} else if (stream->busy) {
			feed_twice(ring, stream);
		} else if (support_random(&seed) % 3) {
			wait_twice(ring, stream);
		} else {
			assert_int_equal(sl_ring_unkeep(ring, stream->pair[0]), 0);
			stream->kept = false;
		}
	}
	sl_ring_close(ring);
}

static void an_op_that_waits_in_a_chain_keeps_its_descriptor(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	struct sl_op *chain[2] = { &ops[0], &ops[1] };
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	sl_op_timer(&ops[0], sl_ring_clock(ring) + HOUR, 0)->flags |= SL_OP_LINKED;
	sl_op_read(&ops[1], pair[0], &byte, 1, SL_OFF_CURRENT);
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_unkeep(ring, pair[0]), -EBUSY);
	assert_int_equal(sl_ring_cancel(ring, &ops[1]), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(sl_ring_unkeep(ring, pair[0]), 0);
	sl_ring_close(ring);
}

static void closing_the_ring_leaves_kept_descriptors_open(void **state)
{
	struct sl_ring *ring = ring_open(8);
	char byte;
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[0]), 0);
	sl_ring_close(ring);
	world_put(pair[1], "x", 1);
	assert_int_equal(world_take(pair[0], &byte, 1), 1);
}

static const struct contract_test tests[] = {
	T(keeping_answers_every_case, CORE, 0),
	T(a_busy_descriptor_stays_kept, BLOCK, 0),
	T(kept_files_and_streams_carry_data_as_before, BLOCK, 0),
	T(sends_on_a_kept_stream_go_out_in_order, NET, 0),
	T(receives_on_a_kept_stream_come_in_order, NET, 0),
	T(a_late_receive_does_not_overtake_one_that_waited_its_turn, NET, 0),
	T(a_blocked_send_does_not_hold_up_receives_on_a_kept_stream, NET, 0),
	T(cancelling_one_send_of_a_kept_stream_lets_the_next_go, NET, 0),
	T(a_kept_number_that_comes_back_reaches_the_new_file, NAME | BLOCK, ON_KERNEL),
	T(keeping_and_forgetting_disturbs_no_op_in_flight, NET, 0),
	T(an_op_that_waits_in_a_chain_keeps_its_descriptor, BLOCK, 0),
	T(closing_the_ring_leaves_kept_descriptors_open, CORE, 0),
};

const struct contract_group keep_tests = GROUP(tests);
