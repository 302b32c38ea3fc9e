/* relay.c: two sockets joined: every byte, half-closes, slow readers, pipes that run out. */
#include "tests/net/tests.h"

#include <unistd.h>

struct joint {
	struct sl_relay relay;
	unsigned ends;
	int64_t end_ns;
	int client, server; /* the far ends */
};

static struct sl_relay_pool *make_pool(const struct sl_relay_pool_opts *opts)
{
	struct sl_relay_pool *pool;

	assert_int_equal(sl_relay_pool_create(net_ring(), opts, &pool), 0);
	return pool;
}

static struct sl_relay_stats stats_of(const struct sl_relay_pool *pool)
{
	struct sl_relay_stats stats = { 0 };

	sl_relay_pool_stats(pool, &stats);
	return stats;
}

static bool can_splice(void)
{
	return sl_caps_route(sl_ring_caps(net_ring()), SL_OP_SPLICE) != SL_ROUTE_NONE;
}

static void on_end(struct sl_relay *relay)
{
	struct joint *joint = sl_op_of(relay, struct joint, relay);

	joint->ends++;
	joint->end_ns = sl_ring_now(net_ring());
	assert_int_equal(sl_relay_busy(relay), 0);
}

/* client <-> relay <-> server */
static void prepare(struct joint *joint)
{
	int fd[2];

	memset(joint, 0, sizeof(*joint));
	net_join(fd);
	joint->client = fd[0];
	joint->relay.fd[0] = fd[1];
	net_join(fd);
	joint->relay.fd[1] = fd[0];
	joint->server = fd[1];
	joint->relay.done = on_end;
}

static void begin(struct joint *joint, struct sl_relay_pool *pool)
{
	assert_int_equal(sl_relay_start(pool, &joint->relay), 0);
}

static void shut(int fd)
{
	struct sl_op op = { 0 };

	assert_int_equal(net_do(sl_op_shutdown(&op, fd, SHUT_WR)), 0);
}

/* A sender and a taker of the pattern at the far ends, both under way at once. */
struct flow {
	struct sl_op out, in;
	int from, to;
	uint64_t len, sent, taken;
	unsigned char out_data[65536], in_data[65536];
	bool bad;
};

static void send_more(struct flow *flow)
{
	uint64_t left = flow->len - flow->sent;
	size_t part = left < sizeof(flow->out_data) ? (size_t)left : sizeof(flow->out_data);

	if (!part)
		return;
	net_fill(flow->out_data, part, flow->sent);
	sl_op_send(&flow->out, flow->from, flow->out_data, part, 0);
	assert_int_equal(sl_ring_submit(net_ring(), &flow->out), 0);
}

static void on_sent(struct sl_ring *ring, struct sl_op *op)
{
	struct flow *flow = sl_op_of(op, struct flow, out);

	(void)ring;
	flow->bad |= op->res <= 0;
	flow->sent += op->res > 0 ? (uint64_t)op->res : 0;
	if (!flow->bad)
		send_more(flow);
}

static void take_more(struct flow *flow)
{
	sl_op_recv(&flow->in, flow->to, flow->in_data, sizeof(flow->in_data), 0);
	assert_int_equal(sl_ring_submit(net_ring(), &flow->in), 0);
}

static void on_taken(struct sl_ring *ring, struct sl_op *op)
{
	struct flow *flow = sl_op_of(op, struct flow, in);

	(void)ring;
	flow->bad |= op->res <= 0;
	if (flow->bad)
		return;
	net_expect(flow->in_data, (size_t)op->res, flow->taken);
	flow->taken += (uint64_t)op->res;
	if (flow->taken < flow->len)
		take_more(flow);
}

static struct flow *start_flow(int from, int to, uint64_t len)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	assert_non_null(flow);
	flow->from = from;
	flow->to = to;
	flow->len = len;
	flow->out.done = on_sent;
	flow->in.done = on_taken;
	send_more(flow);
	take_more(flow);
	return flow;
}

static void end_flow(struct flow *flow)
{
	UNTIL(flow->bad || flow->taken == flow->len);
	assert_false(flow->bad);
	assert_int_equal(flow->sent, flow->len);
	free(flow);
}

static void finish(struct joint *joint)
{
	UNTIL(joint->ends);
	net_quiesce();
	assert_int_equal(joint->ends, 1);
	net_close(joint->relay.fd[0]);
	net_close(joint->relay.fd[1]);
}

static void both_shut(struct joint *joint)
{
	shut(joint->client);
	net_expect_end(joint->server);
	assert_int_equal(joint->ends, 0);
	shut(joint->server);
	net_expect_end(joint->client);
	finish(joint);
	assert_int_equal(joint->relay.res, 0);
}

void small_messages_go_both_ways(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint joint;
	char data[8];

	(void)state;
	prepare(&joint);
	begin(&joint, pool);
	assert_int_equal(sl_relay_start(pool, &joint.relay), -EINVAL);
	for (unsigned i = 0; i < 20; i++) {
		net_put(joint.client, "ping", 4);
		assert_int_equal(net_take(joint.server, data, 4), 4);
		assert_memory_equal(data, "ping", 4);
		net_put(joint.server, "pong!", 5);
		assert_int_equal(net_take(joint.client, data, 5), 5);
		assert_memory_equal(data, "pong!", 5);
	}
	both_shut(&joint);
	assert_int_equal(joint.relay.bytes[0], 80);
	assert_int_equal(joint.relay.bytes[1], 100);
	assert_int_equal(stats_of(pool).bytes, 180);
	assert_int_equal(stats_of(pool).pipes_used, 0);
	sl_relay_pool_destroy(pool);
}

static void bulk_both_ways(struct sl_relay_pool *pool, uint64_t len)
{
	struct flow *there, *back;
	struct joint joint;

	prepare(&joint);
	begin(&joint, pool);
	there = start_flow(joint.client, joint.server, len);
	back = start_flow(joint.server, joint.client, len);
	end_flow(there);
	end_flow(back);
	both_shut(&joint);
	assert_int_equal(joint.relay.bytes[0], len);
	assert_int_equal(joint.relay.bytes[1], len);
}

void bulk_goes_both_ways_at_once_without_a_copy(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct sl_relay_stats stats;

	(void)state;
	bulk_both_ways(pool, 10000000);
	stats = stats_of(pool);
	if (can_splice()) {
		assert_true(stats.spliced_bytes > 10000000);
		assert_true(stats.pipes >= 1);
	} else {
		assert_int_equal(stats.pipes, 0);
	}
	assert_int_equal(stats.pipes_used, 0);
	assert_int_equal(stats.ended, 1);
	assert_int_equal(stats.failed, 0);
	sl_relay_pool_destroy(pool);
}

void without_pipes_buffers_do_the_same(void **state)
{
	const struct sl_relay_pool_opts opts = { .flags = SL_RELAY_NO_SPLICE };
	struct sl_relay_pool *pool = make_pool(&opts);

	(void)state;
	bulk_both_ways(pool, 5000000);
	assert_int_equal(stats_of(pool).spliced_bytes, 0);
	sl_relay_pool_destroy(pool);
}

void when_pipes_run_out_buffers_take_over(void **state)
{
	enum {
		NR_JOINTS = 4
	};
	const struct sl_relay_pool_opts opts = { .pipes_max = 1, .bufs = 4 };
	struct sl_relay_pool *pool = make_pool(&opts);
	struct joint joint[NR_JOINTS];
	struct flow *flow[NR_JOINTS];

	(void)state;
	for (unsigned i = 0; i < NR_JOINTS; i++) {
		prepare(&joint[i]);
		begin(&joint[i], pool);
		flow[i] = start_flow(joint[i].client, joint[i].server, 5000000);
	}
	for (unsigned i = 0; i < NR_JOINTS; i++)
		end_flow(flow[i]);
	for (unsigned i = 0; i < NR_JOINTS; i++)
		both_shut(&joint[i]);
	if (can_splice())
		assert_int_equal(stats_of(pool).pipes, 1);
	sl_relay_pool_destroy(pool);
}

void one_side_finishes_and_the_other_goes_on(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint joint;
	struct flow *flow;
	char data[5];

	(void)state;
	prepare(&joint);
	begin(&joint, pool);
	net_put(joint.client, "query", 5);
	shut(joint.client);
	assert_int_equal(net_take(joint.server, data, 5), 5);
	net_expect_end(joint.server);
	flow = start_flow(joint.server, joint.client, 3000000);
	end_flow(flow);
	assert_int_equal(joint.ends, 0);
	shut(joint.server);
	net_expect_end(joint.client);
	finish(&joint);
	assert_int_equal(joint.relay.res, 0);
	sl_relay_pool_destroy(pool);
}

void the_end_comes_after_all_bytes(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	static unsigned char data[200000];
	struct joint joint;

	(void)state;
	prepare(&joint);
	net_fill(data, 100000, 0);
	net_put(joint.client, data, 30000);
	shut(joint.client);
	begin(&joint, pool);
	assert_int_equal(net_take(joint.server, data, sizeof(data)), 30000);
	net_expect(data, 30000, 0);
	shut(joint.server);
	finish(&joint);
	assert_int_equal(joint.relay.res, 0);
	sl_relay_pool_destroy(pool);
}

void bytes_that_were_read_before_go_first(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint joint;
	char data[10];

	(void)state;
	prepare(&joint);
	joint.relay.first[0] = (struct iovec){ (char *)"hello", 5 };
	joint.relay.first[1] = (struct iovec){ (char *)"HELLO", 5 };
	net_put(joint.client, "after", 5);
	begin(&joint, pool);
	assert_int_equal(net_take(joint.server, data, 10), 10);
	assert_memory_equal(data, "helloafter", 10);
	assert_int_equal(net_take(joint.client, data, 5), 5);
	assert_memory_equal(data, "HELLO", 5);
	both_shut(&joint);
	assert_int_equal(joint.relay.bytes[0], 10);
	sl_relay_pool_destroy(pool);
}

/* Sends into a relay until its other end takes no more; how much that was. */
static uint64_t fill(struct joint *joint)
{
	return net_clog(joint->client);
}

void a_slow_reader_stops_its_own_sender_and_nobody_else(void **state)
{
	enum {
		STALLED = 8
	};
	const struct sl_relay_pool_opts opts = { .pipes_max = 2, .bufs = 4 };
	struct sl_relay_pool *pool = make_pool(&opts);
	struct joint stalled[STALLED], joint;
	uint64_t filled[STALLED];
	struct flow *flow;
	static unsigned char data[65536];

	(void)state;
	for (unsigned i = 0; i < STALLED; i++) {
		prepare(&stalled[i]);
		begin(&stalled[i], pool);
		filled[i] = fill(&stalled[i]);
		assert_true(filled[i] > 0);
	}
	prepare(&joint);
	begin(&joint, pool);
	flow = start_flow(joint.client, joint.server, 2000000);
	end_flow(flow);
	both_shut(&joint);
	UNTIL(stats_of(pool).stalls >= STALLED);
	for (unsigned i = 0; i < STALLED; i++) {
		uint64_t taken = 0;

		assert_int_equal(stalled[i].ends, 0);
		while (taken < filled[i])
			taken += (uint64_t)net_take(stalled[i].server, data,
						    filled[i] - taken < sizeof(data) ?
							    (size_t)(filled[i] - taken) :
							    sizeof(data));
		both_shut(&stalled[i]);
		assert_int_equal(stalled[i].relay.bytes[0], filled[i]);
	}
	assert_int_equal(stats_of(pool).spilled_bytes, 0);
	assert_int_equal(stats_of(pool).pipes_used, 0);
	sl_relay_pool_destroy(pool);
}

static void set_size(int fd, int name, int bytes)
{
	struct sl_op op = { 0 };

	sl_op_setsockopt(&op, fd, SOL_SOCKET, name, &bytes, sizeof(bytes));
	assert_int_equal(net_do(&op), 0);
}

/* The pattern from off on, as far as it is taken at once; where that is. */
static uint64_t offer(int fd, uint64_t off)
{
	static unsigned char data[32768];
	struct sl_op op = { 0 };
	int64_t res;

	do {
		net_fill(data, sizeof(data), off);
		res = net_do(sl_op_send(&op, fd, data, sizeof(data), MSG_DONTWAIT));
		off += res > 0 ? (uint64_t)res : 0;
	} while (res > 0);
	assert_int_equal(res, -EAGAIN);
	return off;
}

enum {
	CROWD = 200
};

/* Sends into each until all of them stall; how much each has taken. */
static void fill_all(struct joint *crowd, uint64_t *filled)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned i = 0; i < CROWD; i++) {
			uint64_t before = filled[i];

			filled[i] = offer(crowd[i].client, before);
			moved |= filled[i] > before;
		}
		net_quiesce();
	}
}

static void expect_all(struct joint *joint, uint64_t len)
{
	static unsigned char data[32768];

	for (uint64_t off = 0; off < len;) {
		size_t part = len - off < sizeof(data) ? (size_t)(len - off) : sizeof(data);

		assert_int_equal(net_take(joint->server, data, part), part);
		net_expect(data, part, off);
		off += part;
	}
}

/* Small buffers, so that it takes little; of half of them smaller than what a pipe is filled with
 * at once, so that something is left in the pipe. */
static void prepare_crowd(struct joint *crowd, struct sl_relay_pool *pool)
{
	for (unsigned i = 0; i < CROWD; i++) {
		prepare(&crowd[i]);
		set_size(crowd[i].client, SO_SNDBUF, 65536);
		set_size(crowd[i].relay.fd[1], SO_SNDBUF, i % 2 ? 32768 : 65536);
		begin(&crowd[i], pool);
	}
}

static void end_crowd(struct joint *crowd)
{
	for (unsigned i = 0; i < CROWD; i++)
		sl_relay_stop(&crowd[i].relay);
	for (unsigned i = 0; i < CROWD; i++) {
		UNTIL(crowd[i].ends);
		assert_int_equal(crowd[i].relay.res, -ECANCELED);
		net_close(crowd[i].relay.fd[0]);
		net_close(crowd[i].relay.fd[1]);
		net_close(crowd[i].client);
		net_close(crowd[i].server);
	}
}

void hundreds_of_stalled_readers_keep_no_pipe(void **state)
{
	const struct sl_relay_pool_opts opts = { .pipes_max = 2 };
	static struct joint crowd[CROWD];
	uint64_t filled[CROWD] = { 0 }, spliced;
	struct sl_relay_pool *pool = make_pool(&opts);
	struct joint joint;

	(void)state;
	prepare_crowd(crowd, pool);
	fill_all(crowd, filled);
	UNTIL(stats_of(pool).pipes_used == 0 && stats_of(pool).stalls >= CROWD);
	assert_true(stats_of(pool).spilled_bytes <= (uint64_t)CROWD * 65536);
	if (can_splice())
		assert_true(stats_of(pool).spills > 0);
	spliced = stats_of(pool).spliced_bytes;
	prepare(&joint);
	begin(&joint, pool);
	end_flow(start_flow(joint.client, joint.server, 2000000));
	if (can_splice())
		assert_true(stats_of(pool).spliced_bytes > spliced);
	both_shut(&joint);
	for (unsigned i = 0; i < CROWD; i++)
		expect_all(&crowd[i], filled[i]);
	end_crowd(crowd);
	assert_int_equal(stats_of(pool).spilled_bytes, 0);
	assert_int_equal(stats_of(pool).pipes_used, 0);
	sl_relay_pool_destroy(pool);
}

/* A byte from the server; on a machine that is slow the relay may have ended before. Return:
 * whether it came through. */
static bool send_byte(struct joint *joint)
{
	struct sl_op op = { 0 };
	int64_t res = 0;
	char byte;

	net_put(joint->server, "x", 1);
	while (res != 1 && !joint->ends) {
		sl_op_recv(&op, joint->client, &byte, 1, 0);
		op.deadline_ns = sl_ring_clock(net_ring()) + 100 * MS;
		res = net_do(&op);
		assert_true(res == 1 || res == -ETIMEDOUT);
	}
	return res == 1;
}

void silence_ends_a_relay_and_bytes_on_either_side_put_it_off(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint joint;
	int64_t last_ns = 0;

	(void)state;
	prepare(&joint);
	joint.relay.idle_ns = 60 * MS;
	begin(&joint, pool);
	for (unsigned i = 0; i < 3 && !joint.ends; i++) {
		int64_t until_ns = sl_ring_clock(net_ring()) + 20 * MS, put_ns;

		while (sl_ring_clock(net_ring()) < until_ns)
			sl_ring_run(net_ring(), until_ns);
		put_ns = sl_ring_now(net_ring());
		if (send_byte(&joint))
			last_ns = put_ns;
	}
	finish(&joint);
	assert_int_equal(joint.relay.res, -ETIMEDOUT);
	assert_true(joint.end_ns - last_ns >= 60 * MS);
	sl_relay_pool_destroy(pool);
}

void a_side_that_never_finishes_has_a_limit_of_its_own(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint joint;

	(void)state;
	prepare(&joint);
	joint.relay.half_ns = 20 * MS;
	begin(&joint, pool);
	net_quiesce();
	net_quiesce();
	assert_int_equal(joint.ends, 0);
	shut(joint.client);
	finish(&joint);
	assert_int_equal(joint.relay.res, -ETIMEDOUT);
	sl_relay_pool_destroy(pool);
}

static void reset(int fd)
{
	const struct linger at_once = { 1, 0 };
	struct sl_op op = { 0 };

	sl_op_setsockopt(&op, fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	assert_int_equal(net_do(&op), 0);
	net_close(fd);
}

void a_reset_ends_the_relay_and_says_on_which_side(void **state)
{
	struct sl_relay_pool *pool;
	struct joint joint;

	(void)state;
	pool = make_pool(NULL);
	prepare(&joint);
	begin(&joint, pool);
	net_quiesce();
	reset(joint.server);
	finish(&joint);
	assert_int_equal(joint.relay.res, -ECONNRESET);
	assert_int_equal(joint.relay.side, 1);
	assert_int_equal(stats_of(pool).failed, 1);
	sl_relay_pool_destroy(pool);
}

void a_relay_is_stopped_in_any_state(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint fresh, idle, full, closed;

	(void)state;
	prepare(&fresh);
	prepare(&idle);
	prepare(&full);
	prepare(&closed);
	begin(&idle, pool);
	begin(&full, pool);
	begin(&closed, pool);
	fill(&full);
	begin(&fresh, pool);
	sl_relay_stop(&fresh.relay);
	sl_relay_stop(&idle.relay);
	sl_relay_stop(&full.relay);
	sl_relay_stop(&full.relay);
	assert_int_equal(full.ends, 0);
	finish(&fresh);
	finish(&idle);
	finish(&full);
	assert_int_equal(fresh.relay.res, -ECANCELED);
	assert_int_equal(idle.relay.res, -ECANCELED);
	assert_int_equal(full.relay.res, -ECANCELED);
	net_close(closed.relay.fd[0]);
	UNTIL(closed.ends);
	assert_int_equal(closed.relay.res, -ECANCELED);
	assert_int_equal(stats_of(pool).pipes_used, 0);
	sl_relay_pool_destroy(pool);
}

void draining_ends_relays_in_every_state(void **state)
{
	struct sl_relay_pool *pool = make_pool(NULL);
	struct joint idle, full;

	(void)state;
	prepare(&idle);
	prepare(&full);
	begin(&idle, pool);
	begin(&full, pool);
	fill(&full);
	assert_int_equal(sl_ring_drain(net_ring(), 0), 0);
	assert_int_equal(idle.ends, 1);
	assert_int_equal(full.ends, 1);
	assert_int_equal(full.relay.res, -ECANCELED);
	sl_relay_pool_destroy(pool);
}

static void mirror(const struct sl_relay_pool_opts *opts, uint64_t len)
{
	struct sl_relay_pool *pool = make_pool(opts);
	struct flow *flow, *copy;
	struct joint joint;
	int fd[2];

	prepare(&joint);
	net_join(fd);
	joint.relay.mirror_fd[0] = fd[0];
	joint.relay.first[0] = (struct iovec){ malloc(7), 7 };
	net_fill(joint.relay.first[0].iov_base, 7, 0);
	begin(&joint, pool);
	flow = calloc(1, sizeof(*flow));
	copy = calloc(1, sizeof(*copy));
	assert_true(flow && copy);
	flow->len = copy->len = len;
	flow->sent = 7;
	flow->from = joint.client;
	flow->to = joint.server;
	copy->to = fd[1];
	flow->out.done = on_sent;
	flow->in.done = copy->in.done = on_taken;
	send_more(flow);
	take_more(flow);
	take_more(copy);
	UNTIL(flow->bad || copy->bad || (flow->taken == len && copy->taken == len));
	assert_false(flow->bad || copy->bad);
	/* the mirror goes: the relay does not mind */
	net_close(fd[1]);
	for (unsigned i = 0; i < 50 && !joint.relay.mirror_err[0]; i++) {
		char byte;

		net_put(joint.client, "x", 1);
		assert_int_equal(net_take(joint.server, &byte, 1), 1);
		net_quiesce();
	}
	assert_true(joint.relay.mirror_err[0] < 0);
	both_shut(&joint);
	assert_int_equal(stats_of(pool).pipes_used, 0);
	free(joint.relay.first[0].iov_base);
	free(flow);
	free(copy);
	net_close(fd[0]);
	sl_relay_pool_destroy(pool);
}

void a_mirror_sees_what_one_side_sends(void **state)
{
	const struct sl_relay_pool_opts copies = { .flags = SL_RELAY_NO_SPLICE };

	(void)state;
	mirror(&copies, 1000000);
	mirror(NULL, 4000000);
}

void a_relay_pool_refuses_what_cannot_be(void **state)
{
	struct sl_relay_pool_opts opts = { .flags = 1u << 31 };
	struct sl_relay_pool *pool;
	struct sl_relay relay = { .fd = { -1, -1 } };

	(void)state;
	assert_int_equal(sl_relay_pool_create(net_ring(), &opts, &pool), -EINVAL);
	opts = (struct sl_relay_pool_opts){ .pipes_max = 100000 };
	assert_int_equal(sl_relay_pool_create(net_ring(), &opts, &pool), -EINVAL);
	pool = make_pool(NULL);
	assert_int_equal(sl_relay_start(pool, &relay), -EINVAL);
	sl_relay_pool_destroy(pool);
	sl_relay_pool_destroy(NULL);
}
