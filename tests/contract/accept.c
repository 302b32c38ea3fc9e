/* accept.c - many completions at once: accepts of one turn, MULTI, a queue that overflows. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CONNECTIONS = 300
};

static int fds[CONNECTIONS];
static unsigned nr_fds;

static int listen_at(struct sockaddr_un *ret_address, socklen_t *ret_len)
{
	const sa_family_t family = AF_UNIX;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* an address of the family alone: Linux picks an abstract name */
	assert_int_equal(bind(fd, (const void *)&family, sizeof(family)), 0);
	assert_int_equal(listen(fd, 4096), 0);
	*ret_len = sizeof(*ret_address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, ret_len), 0);
	return fd;
}

static int connect_one(const struct sockaddr_un *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (connect(fd, (const struct sockaddr *)address, len) < 0)
		fail_msg("cannot connect: %s", strerror(errno));
	return fd;
}

static void two_accepts_reaped_in_one_turn_give_two_connections(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	struct sockaddr_un address;
	socklen_t len;
	int listener = listen_at(&address, &len);

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		int clients[2];

		trace_reset();
		for (unsigned i = 0; i < 2; i++) {
			submit(ring, sl_op_accept(&ops[i], listener, NULL, NULL, SOCK_CLOEXEC));
			clients[i] = connect_one(&address, len);
		}
		ring_until(ring, &trace.ended, 2);
		assert_true(trace.at[0].res >= 0 && trace.at[1].res >= 0);
		assert_int_not_equal(trace.at[0].res, trace.at[1].res);
		for (unsigned i = 0; i < 2; i++) {
			struct stat st;

			assert_int_equal(fstat((int)trace.at[i].res, &st), 0);
			close((int)trace.at[i].res);
			close(clients[i]);
		}
	}
	sl_ring_close(ring);
}

static void collect(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	trace.nr++;
	trace.ended += op->more == 0;
	if (op->res < 0)
		return;
	assert_true(nr_fds < CONNECTIONS);
	fds[nr_fds++] = (int)op->res;
}

static void expect_all_different(void)
{
	for (unsigned i = 0; i < nr_fds; i++) {
		assert_int_not_equal(fcntl(fds[i], F_GETFD), -1);
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(fds[i], fds[j]);
	}
}

static void a_multi_accept_takes_more_connections_than_any_queue_holds(void **state)
{
	struct sl_ring *ring = ring_open(2);
	struct sl_op op = { .done = collect };
	struct sockaddr_un address;
	socklen_t len;
	int listener = listen_at(&address, &len);

	(void)state;
	for (unsigned i = 0; i < CONNECTIONS; i++)
		connect_one(&address, len);
	sl_op_accept(&op, listener, NULL, NULL, SOCK_CLOEXEC)->flags |= SL_OP_MULTI;
	submit(ring, &op);
	ring_until(ring, &nr_fds, CONNECTIONS);
	expect_all_different();
	assert_int_equal(trace.ended, 0);
	assert_int_equal(ring_stats(ring).events, CONNECTIONS);
	printf("# %s found its completion queue overflowed %llu times\n", backend_name(),
	       (unsigned long long)ring_stats(ring).overflows);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(trace.nr, CONNECTIONS + 1);
	sl_ring_close(ring);
}

static unsigned nr_seen[CONNECTIONS];
static struct sl_op polls[CONNECTIONS];

static void see(struct sl_ring *ring, struct sl_op *op)
{
	char byte;

	(void)ring;
	if (op->more == 0) {
		trace.ended++;
		return;
	}
	assert_true(op->res & POLLIN);
	if (read(op->fd, &byte, 1) == 1) {
		nr_seen[op - polls]++;
		trace.nr++;
	}
}

static void many_multi_ops_that_fire_at_once_lose_no_event(void **state)
{
	enum {
		NR_OPS = 128,
		ROUNDS = 20
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static int pairs[NR_OPS][2];

	(void)state;
	for (unsigned i = 0; i < NR_OPS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
		polls[i].done = see;
		sl_op_poll(&polls[i], pairs[i][0], POLLIN)->flags |= SL_OP_MULTI;
		submit(ring, &polls[i]);
	}
	sl_ring_run(ring, SL_RING_POLL);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < NR_OPS; i++)
			world_put(pairs[i][1], "x", 1);
	ring_until(ring, &trace.nr, NR_OPS * ROUNDS);
	for (unsigned i = 0; i < NR_OPS; i++)
		assert_int_equal(nr_seen[i], ROUNDS);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, NR_OPS);
	sl_ring_close(ring);
}

static char stream_buf[8];
static uint64_t received;

static void receive(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	if (op->more == 0)
		trace.ended++;
	if (op->res > 0)
		received += (uint64_t)op->res;
}

static void a_multi_recv_into_one_buffer_ends_at_the_end_of_the_stream(void **state)
{
	struct sl_ring *ring = ring_open(2);
	struct sl_op op = { .done = receive };
	static char data[5000];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_put(pair[1], data, sizeof(data));
	sl_op_recv(&op, pair[0], stream_buf, sizeof(stream_buf), 0)->flags |= SL_OP_MULTI;
	submit(ring, &op);
	while (received < sizeof(data))
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(trace.ended, 0);
	world_close(pair[1]);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 0);
	assert_int_equal(received, sizeof(data));
	assert_int_equal(ring_stats(ring).read_bytes, sizeof(data));
	assert_int_equal(ring_stats(ring).completed, 1);
	sl_ring_close(ring);
}

static void a_cancelled_accept_loses_no_connection(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	struct sockaddr_un address;
	socklen_t len;
	int listener = listen_at(&address, &len);
	unsigned nr_accepted = 0;

	(void)state;
	for (unsigned round = 0; round < CONNECTIONS; round++) {
		trace_reset();
		submit(ring, sl_op_accept(&op, listener, NULL, NULL, SOCK_CLOEXEC));
		sl_ring_run(ring, SL_RING_POLL);
		connect_one(&address, len);
		sl_ring_cancel(ring, &op);
		ring_until(ring, &trace.ended, 1);
		assert_true(op.res >= 0 || op.res == -ECANCELED);
		nr_accepted += op.res >= 0;
	}
	assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	while (accept(listener, NULL, NULL) >= 0)
		nr_accepted++;
	assert_int_equal(nr_accepted, CONNECTIONS);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(two_accepts_reaped_in_one_turn_give_two_connections, NET, ON_KERNEL),
	T(a_multi_accept_takes_more_connections_than_any_queue_holds, NET, ON_KERNEL),
	T(many_multi_ops_that_fire_at_once_lose_no_event, CORE, ON_KERNEL),
	T(a_multi_recv_into_one_buffer_ends_at_the_end_of_the_stream, NET, 0),
	T(a_cancelled_accept_loses_no_connection, NET, ON_KERNEL),
};

const struct contract_group accept_tests = GROUP(tests);
