/* pooled.c - POOLED: buffers picked when data is there, owned by the caller, starved and fed. */
#include "tests/contract/suite.h"

#include <unistd.h>

enum {
	BUFFERS = 4,
	BYTES = 4096
};

static struct sl_ring *ring;
static struct sl_buf_pool *pool;
static int pair[2];

static void setup(uint32_t count)
{
	const struct sl_buf_pool_opts opts = {
		.size = sizeof(opts), .flags = SL_BUF_RECV, .count = count, .buf_bytes = BYTES
	};

	ring = ring_open(8);
	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	world_pair(pair);
}

static void finish(void)
{
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

static uint32_t nr_free(void)
{
	struct sl_buf_pool_info info;

	sl_buf_pool_info(pool, &info);
	return info.free;
}

static void a_pooled_receive_delivers_a_buffer_of_the_pool(void **state)
{
	struct sl_op op = { .done = note };
	struct sl_buf_pool_info info;

	(void)state;
	setup(BUFFERS);
	assert_int_equal(nr_free(), BUFFERS);
	submit(ring, sl_op_recv_pooled(&op, pair[0], pool));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	world_put(pair[1], "pooled", 6);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 6);
	assert_int_equal(op.done_len, 6);
	assert_true(op.buf_id < BUFFERS);
	assert_ptr_equal(op.buf, sl_buf_at(pool, op.buf_id));
	assert_memory_equal(op.buf, "pooled", 6);
	sl_buf_pool_info(pool, &info);
	assert_true((char *)op.buf >= (char *)info.base);
	assert_true((char *)op.buf + BYTES <= (char *)info.base + info.bytes);
	assert_int_equal(info.free, BUFFERS - 1);
	sl_buf_put(pool, op.buf);
	assert_int_equal(nr_free(), BUFFERS);
	finish();
}

static void a_receive_that_delivers_nothing_takes_no_buffer(void **state)
{
	struct sl_op op = { .done = note };

	(void)state;
	setup(BUFFERS);
	submit(ring, sl_op_recv_pooled(&op, pair[0], pool));
	sl_ring_run(ring, SL_RING_POLL);
	sl_ring_cancel(ring, &op);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(nr_free(), BUFFERS);
	sl_op_recv_pooled(&op, pair[0], pool);
	op.deadline_ns = sl_ring_clock(ring) + MS;
	assert_int_equal(sl_ring_do(ring, &op), -ETIMEDOUT);
	assert_int_equal(nr_free(), BUFFERS);
	world_close(pair[1]);
	assert_int_equal(sl_ring_do(ring, sl_op_recv_pooled(&op, pair[0], pool)), 0);
	assert_int_equal(nr_free(), BUFFERS);
	assert_int_equal(sl_ring_do(ring, sl_op_recv_pooled(&op, world_bad_fd(), pool)), -EBADF);
	assert_int_equal(nr_free(), BUFFERS);
	finish();
}

static void a_read_takes_its_buffer_from_the_pool_too(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup(BUFFERS);
	world_put(pair[1], "by read", 7);
	expect_res(ring, sl_op_read_pooled(&op, pair[0], pool), 7);
	assert_ptr_equal(op.buf, sl_buf_at(pool, op.buf_id));
	assert_memory_equal(op.buf, "by read", 7);
	sl_buf_put(pool, op.buf);
	finish();
}

static void a_pooled_op_is_submitted_again_as_it_is(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup(2);
	sl_op_recv_pooled(&op, pair[0], pool);
	for (unsigned i = 0; i < 10; i++) {
		char byte = (char)('a' + i);

		world_put(pair[1], &byte, 1);
		expect_res(ring, &op, 1);
		assert_int_equal(*(char *)op.buf, byte);
		sl_buf_put(pool, op.buf);
	}
	assert_int_equal(nr_free(), 2);
	finish();
}

static void a_pooled_op_needs_a_pool_for_receives_of_its_ring(void **state)
{
	const struct sl_buf_pool_opts plain = { .size = sizeof(plain),
						.count = 1,
						.buf_bytes = 4096 };
	struct sl_ring *other = ring_open(8);
	struct sl_buf_pool *by_hand;
	struct sl_op op = { 0 };

	(void)state;
	setup(1);
	assert_int_equal(sl_buf_pool_create(ring, &plain, &by_hand), 0);
	assert_int_equal(sl_ring_submit(ring, sl_op_recv_pooled(&op, pair[0], NULL)), -EINVAL);
	assert_int_equal(sl_ring_submit(ring, sl_op_recv_pooled(&op, pair[0], by_hand)), -EINVAL);
	assert_int_equal(sl_ring_submit(other, sl_op_recv_pooled(&op, pair[0], pool)), -EINVAL);
	sl_buf_pool_destroy(by_hand);
	sl_ring_close(other);
	finish();
}

static char stream[1 << 16];
static size_t stream_len;
static bool hoard;
static void *hoarded[64];
static unsigned nr_hoarded;

static void take(struct sl_ring *r, struct sl_op *op)
{
	note(r, op);
	assert_int_equal(op->done_len, op->res > 0 ? op->res : 0);
	if (op->res <= 0)
		return;
	assert_ptr_equal(op->buf, sl_buf_at(pool, op->buf_id));
	assert_true(stream_len + (size_t)op->res <= sizeof(stream));
	memcpy(stream + stream_len, op->buf, (size_t)op->res);
	stream_len += (size_t)op->res;
	if (hoard)
		hoarded[nr_hoarded++] = op->buf;
	else
		sl_buf_put(pool, op->buf);
}

static struct sl_op *multi(struct sl_op *op)
{
	op->done = take;
	sl_op_recv_pooled(op, pair[0], pool)->flags |= SL_OP_MULTI;
	return op;
}

static void a_multi_receive_delivers_the_stream_in_order(void **state)
{
	static char data[50000];
	struct sl_op op = { 0 };

	(void)state;
	setup(BUFFERS);
	pattern(data, sizeof(data), 21);
	submit(ring, multi(&op));
	for (size_t at = 0; at < sizeof(data); at += 5000) {
		world_put(pair[1], data + at, 5000);
		while (stream_len < at + 5000)
			assert_true(sl_ring_run(ring, 0) >= 0);
	}
	assert_memory_equal(stream, data, sizeof(data));
	assert_int_equal(trace.ended, 0);
	world_close(pair[1]);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 0);
	assert_int_equal(op.more, 0);
	assert_int_equal(nr_free(), BUFFERS);
	finish();
}

static void starve(struct sl_op *op, size_t len)
{
	static char data[BUFFERS * BYTES * 3];

	hoard = true;
	pattern(data, len, 5);
	submit(ring, multi(op));
	world_put(pair[1], data, len);
	while (stream_len < BUFFERS * BYTES)
		assert_true(sl_ring_run(ring, 0) >= 0);
	/* nothing more can come, and nothing may be lost or end */
	sl_ring_run(ring, sl_ring_clock(ring) + 10 * MS);
	assert_int_equal(stream_len, BUFFERS * BYTES);
	assert_int_equal(trace.ended, 0);
	assert_int_equal(nr_free(), 0);
}

static void a_starved_receive_goes_on_when_a_buffer_is_put_back(void **state)
{
	enum {
		LEN = BUFFERS * BYTES + 3000
	};
	static char want[LEN];
	struct sl_op op = { 0 };

	(void)state;
	setup(BUFFERS);
	starve(&op, LEN);
	sl_buf_put(pool, hoarded[2]);
	while (stream_len < LEN)
		assert_true(sl_ring_run(ring, 0) >= 0);
	pattern(want, LEN, 5);
	assert_memory_equal(stream, want, LEN);
	assert_int_equal(trace.ended, 0);
	assert_true(ring_stats(ring).rearmed > 0);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	finish();
}

static void a_starved_receive_can_be_cancelled(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup(BUFFERS);
	starve(&op, BUFFERS * BYTES + 10);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(world_take(pair[0], stream, sizeof(stream)), 10);
	finish();
}

static void a_starved_receive_is_ended_by_closing_the_ring(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup(BUFFERS);
	starve(&op, BUFFERS * BYTES + 10);
	finish();
	assert_int_equal(trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
}

static void a_single_receive_that_finds_no_buffer_waits_for_one(void **state)
{
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	void *first;

	(void)state;
	setup(1);
	world_put(pair[1], "a", 1);
	expect_res(ring, sl_op_recv_pooled(&ops[0], pair[0], pool), 1);
	trace_reset();
	first = ops[0].buf;
	world_put(pair[1], "b", 1);
	submit(ring, sl_op_recv_pooled(&ops[1], pair[0], pool));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 10 * MS), 0);
	sl_buf_put(pool, first);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(ops[1].res, 1);
	assert_memory_equal(ops[1].buf, "b", 1);
	sl_buf_put(pool, ops[1].buf);
	finish();
}

static void two_starved_receives_share_what_is_put_back(void **state)
{
	enum {
		TOTAL = 40
	};
	struct sl_op ops[2] = { 0 };
	int other[2];

	(void)state;
	setup(1);
	world_pair(other);
	submit(ring, multi(&ops[0]));
	ops[1].done = take;
	sl_op_recv_pooled(&ops[1], other[0], pool)->flags |= SL_OP_MULTI;
	submit(ring, &ops[1]);
	for (unsigned i = 0; i < TOTAL; i += 2) {
		world_put(pair[1], "x", 1);
		world_put(other[1], "y", 1);
		while (stream_len < i + 2)
			assert_true(sl_ring_run(ring, 0) >= 0);
	}
	assert_int_equal(trace.ended, 0);
	finish();
}

static void the_buffer_of_a_cancelled_receive_feeds_the_next(void **state)
{
	struct sl_op holder = { .done = note }, ops[2] = { { .done = note }, { .done = note } };
	int other[2];

	(void)state;
	setup(1);
	world_pair(other);
	world_put(pair[1], "ab", 2);
	world_put(other[1], "c", 1);
	expect_res(ring, sl_op_recv_pooled(&holder, pair[0], pool), 2);
	world_put(pair[1], "d", 1);
	trace_reset();
	submit(ring, sl_op_recv_pooled(&ops[0], pair[0], pool));
	submit(ring, sl_op_recv_pooled(&ops[1], other[0], pool));
	sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS);
	assert_int_equal(trace.nr, 0);
	/* the buffer goes to the first of the two, which then ends without it */
	sl_buf_put(pool, holder.buf);
	assert_int_equal(sl_ring_cancel(ring, &ops[0]), 0);
	ring_until(ring, &trace.ended, 1);
	assert_ptr_equal(trace.at[0].op, &ops[0]);
	if (ops[0].res > 0)
		sl_buf_put(pool, ops[0].buf);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(ops[1].res, 1);
	sl_buf_put(pool, ops[1].buf);
	assert_int_equal(nr_free(), 1);
	finish();
}

static void the_backends_own_buffer_rings_behave_alike(void **state)
{
	memory_wants("rings armed");
	a_starved_receive_goes_on_when_a_buffer_is_put_back(state);
}

static void an_armed_backend_delivers_the_stream_in_order(void **state)
{
	memory_wants("armed short");
	a_multi_receive_delivers_the_stream_in_order(state);
}

static const struct contract_test tests[] = {
	T(a_pooled_receive_delivers_a_buffer_of_the_pool, NET, 0),
	T(a_receive_that_delivers_nothing_takes_no_buffer, NET, 0),
	T(a_read_takes_its_buffer_from_the_pool_too, NET | BLOCK, 0),
	T(a_pooled_op_is_submitted_again_as_it_is, NET, 0),
	T(a_pooled_op_needs_a_pool_for_receives_of_its_ring, NET, 0),
	T(a_multi_receive_delivers_the_stream_in_order, NET, 0),
	T(a_starved_receive_goes_on_when_a_buffer_is_put_back, NET, 0),
	T(a_starved_receive_can_be_cancelled, NET, 0),
	T(a_starved_receive_is_ended_by_closing_the_ring, NET, 0),
	T(a_single_receive_that_finds_no_buffer_waits_for_one, NET, 0),
	T(two_starved_receives_share_what_is_put_back, NET, 0),
	T(the_buffer_of_a_cancelled_receive_feeds_the_next, NET, 0),
	T(the_backends_own_buffer_rings_behave_alike, NET, ON_MEMORY),
	T(an_armed_backend_delivers_the_stream_in_order, NET, ON_MEMORY),
};

const struct contract_group pooled_tests = GROUP(tests);
