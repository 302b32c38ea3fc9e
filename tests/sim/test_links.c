/* test_links.c - sockets between simulated machines: delay, loss, partition, reset, power cut. */
#include "fixture.h"

#include <poll.h>

#define PORT 7

/* A server on machine 1 and a client on machine 0, joined. */
struct pair {
	struct sl_sim *sim;
	struct sl_ring *client_ring, *server_ring;
	int listener, client, server;
	struct sl_op accept, connect;
	struct sockaddr_in address;
};

static int new_socket(struct sl_ring *ring)
{
	struct sl_op op = { 0 };
	int64_t fd = sl_ring_do(ring, sl_op_socket(&op, AF_INET, SOCK_STREAM, 0));

	assert_true(fd >= 0);
	return (int)fd;
}

static void listen_on(struct pair *pair, unsigned machine, unsigned port)
{
	struct sl_op op = { 0 };

	pair->listener = new_socket(pair->server_ring);
	sl_sim_address(machine, port, &pair->address);
	assert_int_equal(sl_ring_do(pair->server_ring,
				    sl_op_bind(&op, pair->listener,
					       (const struct sockaddr *)&pair->address,
					       sizeof(pair->address))),
			 0);
	assert_int_equal(sl_ring_do(pair->server_ring, sl_op_listen(&op, pair->listener, 5)), 0);
}

static void nothing(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
}

/* All ops here have a callback, so that they are over when they are not busy. */
static void start(struct sl_ring *ring, struct sl_op *op)
{
	op->done = nothing;
	assert_int_equal(sl_ring_submit(ring, op), 0);
}

static void join(struct pair *pair, const struct sl_sim_opts *opts)
{
	*pair = (struct pair){ .sim = make_world(opts) };
	pair->client_ring = ring_on(pair->sim, 0);
	pair->server_ring = ring_on(pair->sim, 1);
	listen_on(pair, 1, PORT);
	pair->client = new_socket(pair->client_ring);
	start(pair->server_ring, sl_op_accept(&pair->accept, pair->listener, NULL, NULL, 0));
	start(pair->client_ring,
	      sl_op_connect(&pair->connect, pair->client, (const struct sockaddr *)&pair->address,
			    sizeof(pair->address)));
	assert_true(sl_sim_run(pair->sim, 0) >= 2);
	assert_int_equal(pair->connect.res, 0);
	assert_true(pair->accept.res >= 0);
	pair->server = (int)pair->accept.res;
}

static void part(struct pair *pair)
{
	sl_ring_close(pair->client_ring);
	sl_ring_close(pair->server_ring);
	sl_sim_destroy(pair->sim);
}

static void send_all(struct pair *pair, const void *buf, size_t len)
{
	const char *from = buf;
	struct sl_op op = { 0 };

	while (len) {
		start(pair->client_ring, sl_op_send(&op, pair->client, from, len, 0));
		sl_sim_run(pair->sim, 0);
		if (sl_op_busy(&op))
			return;
		assert_true(op.res > 0);
		from += op.res;
		len -= (size_t)op.res;
	}
}

static void bytes_arrive_after_the_latency_of_the_link(void **state)
{
	struct pair pair;
	struct sl_op op = { 0 };
	char buf[8] = "";
	int64_t sent_ns;

	(void)state;
	join(&pair, &(struct sl_sim_opts){ .link = { 3000000, 4000000 } });
	start(pair.server_ring, sl_op_recv(&op, pair.server, buf, 8, 0));
	sent_ns = info_of(pair.sim).now_ns;
	send_all(&pair, "hello", 5);
	assert_false(sl_op_busy(&op));
	assert_int_equal(op.res, 5);
	assert_string_equal(buf, "hello");
	assert_in_range(info_of(pair.sim).now_ns - sent_ns, 3 * MS, 5 * MS);
	part(&pair);
}

static void a_stream_keeps_its_order_over_a_link_that_loses_packets(void **state)
{
	static uint8_t out[50000], in[50000];
	struct pair pair;
	struct sl_op op = { 0 };
	size_t got = 0;

	(void)state;
	join(&pair, &(struct sl_sim_opts){ .seed = 9 });
	sl_sim_link(pair.sim, 0, 1, &(struct sl_sim_link){ .drop = 300000 });
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i ^ (i >> 8));
	for (size_t at = 0; at < sizeof(out); at += 1000)
		send_all(&pair, out + at, 1000);
	while (got < sizeof(in)) {
		start(pair.server_ring,
		      sl_op_recv(&op, pair.server, in + got, sizeof(in) - got, 0));
		sl_sim_run(pair.sim, 0);
		assert_true(op.res > 0);
		got += (size_t)op.res;
	}
	assert_memory_equal(in, out, sizeof(in));
	assert_true(info_of(pair.sim).now_ns > 2 * SECOND);
	part(&pair);
}

static void a_slow_reader_stops_its_sender(void **state)
{
	static char buf[100000];
	struct pair pair;
	struct sl_op out = { 0 }, in = { 0 };
	size_t sent = 0;

	(void)state;
	join(&pair, NULL);
	for (;;) {
		start(pair.client_ring, sl_op_send(&out, pair.client, buf, 10000, 0));
		sl_sim_run(pair.sim, 0);
		if (sl_op_busy(&out))
			break;
		sent += (size_t)out.res;
	}
	assert_int_equal(sent, 65536);
	start(pair.server_ring, sl_op_recv(&in, pair.server, buf, 10, 0));
	sl_sim_run(pair.sim, 0);
	assert_false(sl_op_busy(&out));
	assert_int_equal(out.res, 10);
	part(&pair);
}

static void a_parted_link_holds_bytes_until_it_is_joined(void **state)
{
	struct pair pair;
	struct sl_op in = { 0 }, out = { 0 };
	char buf[8];

	(void)state;
	join(&pair, NULL);
	sl_sim_link(pair.sim, 0, 1, &(struct sl_sim_link){ .parted = 1 });
	start(pair.server_ring, sl_op_recv(&in, pair.server, buf, 8, 0));
	start(pair.client_ring, sl_op_send(&out, pair.client, "abc", 3, 0));
	sl_sim_run(pair.sim, 0);
	assert_int_equal(out.res, 3);
	assert_true(sl_op_busy(&in));
	sl_sim_link(pair.sim, 0, 1, NULL);
	sl_sim_run(pair.sim, 0);
	assert_int_equal(in.res, 3);
	part(&pair);
}

static void connecting_over_a_parted_link_waits_for_its_deadline(void **state)
{
	struct pair pair;
	struct sl_op op = { 0 };

	(void)state;
	join(&pair, NULL);
	sl_sim_link(pair.sim, 0, 1, &(struct sl_sim_link){ .parted = 1 });
	sl_op_connect(&op, new_socket(pair.client_ring), (const struct sockaddr *)&pair.address,
		      sizeof(pair.address))
		->deadline_ns = info_of(pair.sim).now_ns + SECOND;
	assert_int_equal(sl_ring_do(pair.client_ring, &op), -ETIMEDOUT);
	part(&pair);
}

static void a_reset_is_told_to_both_ends_once(void **state)
{
	struct pair pair;
	struct sl_op in = { 0 }, out = { 0 };
	char buf[8];

	(void)state;
	join(&pair, NULL);
	start(pair.server_ring, sl_op_recv(&in, pair.server, buf, 8, 0));
	sl_sim_fail(pair.sim, SL_SIM_RESET, 0);
	start(pair.client_ring, sl_op_send(&out, pair.client, "abc", 3, 0));
	sl_sim_run(pair.sim, 0);
	assert_int_equal(out.res, -ECONNRESET);
	assert_int_equal(in.res, -ECONNRESET);
	start(pair.client_ring, sl_op_send(&out, pair.client, "abc", 3, 0));
	start(pair.server_ring, sl_op_recv(&in, pair.server, buf, 8, 0));
	sl_sim_run(pair.sim, 0);
	assert_int_equal(out.res, -EPIPE);
	assert_int_equal(in.res, 0);
	part(&pair);
}

static void a_closed_end_is_end_of_file_and_then_a_reset(void **state)
{
	struct pair pair;
	struct sl_op in = { 0 }, out = { 0 };
	char buf[8];

	(void)state;
	join(&pair, NULL);
	start(pair.client_ring, sl_op_close(&out, pair.client));
	start(pair.server_ring, sl_op_recv(&in, pair.server, buf, 8, 0));
	sl_sim_run(pair.sim, 0);
	assert_int_equal(in.res, 0);
	start(pair.server_ring, sl_op_send(&out, pair.server, "x", 1, 0));
	sl_sim_run(pair.sim, 0);
	assert_int_equal(out.res, 1);
	start(pair.server_ring, sl_op_send(&out, pair.server, "x", 1, 0));
	sl_sim_run(pair.sim, 0);
	assert_int_equal(out.res, -ECONNRESET);
	part(&pair);
}

static void a_machine_without_power_is_silent_and_its_peers_are_reset_later(void **state)
{
	struct pair pair;
	struct sl_op in = { 0 }, out = { 0 };
	char buf[8];

	(void)state;
	join(&pair, NULL);
	start(pair.client_ring, sl_op_recv(&in, pair.client, buf, 8, 0));
	assert_int_equal(sl_sim_power_cut(pair.sim, 1), 0);
	start(pair.client_ring, sl_op_send(&out, pair.client, "abc", 3, 0));
	sl_sim_run(pair.sim, info_of(pair.sim).now_ns + SECOND);
	assert_int_equal(out.res, 3);
	assert_true(sl_op_busy(&in));
	sl_ring_close(pair.server_ring);
	assert_int_equal(sl_sim_restart(pair.sim, 1), 0);
	pair.server_ring = ring_on(pair.sim, 1);
	sl_sim_run(pair.sim, 0);
	assert_int_equal(in.res, -ECONNRESET);
	assert_int_equal(sl_ring_do(pair.client_ring,
				    sl_op_connect(&out, new_socket(pair.client_ring),
						  (const struct sockaddr *)&pair.address,
						  sizeof(pair.address))),
			 -ECONNREFUSED);
	part(&pair);
}

static void machines_share_neither_disks_nor_handles(void **state)
{
	struct sl_sim *sim = world_of(1);
	struct sl_ring *one = ring_on(sim, 0), *two = ring_on(sim, 1);
	char byte;
	int fd = open_file(one, "f");

	(void)state;
	assert_int_equal(do_open(two, "f", O_RDONLY), -ENOENT);
	assert_int_equal(do_read(two, fd, &byte, 1, 0), -EBADF);
	sl_ring_close(one);
	end_world(sim, two);
}

static int bound(struct sl_ring *ring, unsigned machine, struct sockaddr_in *ret_address)
{
	struct sl_op op = { 0 };
	int64_t fd = sl_ring_do(ring, sl_op_socket(&op, AF_INET, SOCK_DGRAM, 0));

	assert_true(fd >= 0);
	sl_sim_address(machine, PORT, ret_address);
	assert_int_equal(sl_ring_do(ring,
				    sl_op_bind(&op, (int)fd, (const struct sockaddr *)ret_address,
					       sizeof(*ret_address))),
			 0);
	return (int)fd;
}

/* Sends numbers over a link; which of them came, in their order. */
static unsigned exchange(struct sl_sim *sim, unsigned nr, uint32_t *ret_got)
{
	struct sl_ring *here = ring_on(sim, 0), *there = ring_on(sim, 1);
	struct sockaddr_in from, to, seen;
	int source = bound(here, 0, &from), sink = bound(there, 1, &to);
	struct sl_op in = { 0 }, out = { 0 };
	unsigned got = 0;

	for (uint32_t i = 0; i < nr; i++) {
		struct iovec iov = { &i, sizeof(i) };
		struct msghdr msg = {
			.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1
		};

		start(here, sl_op_sendmsg(&out, source, &msg, 0));
		while (sl_op_busy(&out))
			sl_ring_run(here, info_of(sim).now_ns + MS);
		assert_int_equal(out.res, sizeof(i));
	}
	for (;;) {
		uint32_t data[4];
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = { .msg_name = &seen,
				      .msg_namelen = sizeof(seen),
				      .msg_iov = &iov,
				      .msg_iovlen = 1 };

		start(there, sl_op_recvmsg(&in, sink, &msg, 0));
		sl_sim_run(sim, info_of(sim).now_ns + SECOND);
		if (sl_op_busy(&in))
			break;
		assert_int_equal(in.res, sizeof(uint32_t));
		assert_int_equal(msg.msg_flags, 0);
		assert_memory_equal(&seen, &from, sizeof(from));
		ret_got[got++] = data[0];
	}
	sl_ring_close(here);
	sl_ring_close(there);
	return got;
}

static void datagrams_arrive_whole_in_any_order_or_not_at_all(void **state)
{
	struct sl_sim *sim =
		make_world(&(struct sl_sim_opts){ .seed = 3, .link = { 1000, 9000000 } });
	uint32_t got[40];
	unsigned nr, swapped = 0;
	bool seen[40] = { false };

	(void)state;
	nr = exchange(sim, 40, got);
	assert_int_equal(nr, 40);
	for (unsigned i = 0; i < nr; i++) {
		assert_false(seen[got[i]]);
		seen[got[i]] = true;
		swapped += i && got[i] < got[i - 1];
	}
	assert_true(swapped > 0);
	sl_sim_destroy(sim);
	sim = world_of(4);
	sl_sim_link(sim, 0, 1, &(struct sl_sim_link){ .drop = 500000 });
	assert_in_range(exchange(sim, 40, got), 5, 35);
	sl_sim_destroy(sim);
}

static void a_datagram_that_is_too_long_or_goes_nowhere_is_an_error(void **state)
{
	struct sl_sim *sim = world_of(5);
	struct sl_ring *ring = ring_on(sim, 0);
	static char data[70000];
	struct sockaddr_in address;
	struct sl_op op = { 0 };
	int fd = bound(ring, 0, &address);

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_send(&op, fd, data, 1, 0)), -EDESTADDRREQ);
	assert_int_equal(sl_ring_do(ring, sl_op_listen(&op, fd, 1)), -EOPNOTSUPP);
	assert_int_equal(sl_ring_do(ring, sl_op_connect(&op, fd, (const struct sockaddr *)&address,
							sizeof(address))),
			 0);
	assert_int_equal(sl_ring_do(ring, sl_op_send(&op, fd, data, 70000, 0)), -EMSGSIZE);
	assert_int_equal(sl_ring_do(ring, sl_op_send(&op, fd, "hello", 5, 0)), 5);
	assert_int_equal(sl_ring_do(ring, sl_op_recv(&op, fd, data, 3, 0)), 3);
	assert_int_equal(sl_ring_do(ring, sl_op_recv(&op, fd, data, 3, MSG_DONTWAIT)), -EAGAIN);
	sl_ring_close(ring);
	sl_sim_destroy(sim);
}

static void readiness_is_told(void **state)
{
	struct pair pair;
	struct sl_op poll = { 0 }, out = { 0 };

	(void)state;
	join(&pair, NULL);
	start(pair.server_ring, sl_op_poll(&poll, pair.server, POLLIN));
	sl_sim_run(pair.sim, 0);
	assert_true(sl_op_busy(&poll));
	start(pair.client_ring, sl_op_send(&out, pair.client, "x", 1, 0));
	sl_sim_run(pair.sim, 0);
	assert_true(poll.res & POLLIN);
	part(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_arrive_after_the_latency_of_the_link),
		TEST(a_stream_keeps_its_order_over_a_link_that_loses_packets),
		TEST(a_slow_reader_stops_its_sender),
		TEST(a_parted_link_holds_bytes_until_it_is_joined),
		TEST(connecting_over_a_parted_link_waits_for_its_deadline),
		TEST(a_reset_is_told_to_both_ends_once),
		TEST(a_closed_end_is_end_of_file_and_then_a_reset),
		TEST(a_machine_without_power_is_silent_and_its_peers_are_reset_later),
		TEST(machines_share_neither_disks_nor_handles),
		TEST(readiness_is_told),
		TEST(datagrams_arrive_whole_in_any_order_or_not_at_all),
		TEST(a_datagram_that_is_too_long_or_goes_nowhere_is_an_error),
	};

	return RUN_TESTS(tests);
}
