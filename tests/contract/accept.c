/* accept.c - many completions at once: accepts of one turn, MULTI, a queue that overflows. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <poll.h>
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

/* Where the kernel posts to a queue of its own, this load did not fit, and what was armed there
 * ended for it and was armed anew; elsewhere completions wait in the kernel's own objects. */
static void expect_overflow(struct sl_ring *ring)
{
	const struct sl_caps *caps = sl_ring_caps(ring);
	struct sl_ring_stats stats = ring_stats(ring);

	if (!caps->cq_entries) {
		assert_int_equal(stats.overflows, 0);
		return;
	}
	assert_true(caps->cq_entries < CONNECTIONS);
	/* A kernel thread that submits may be overtaken by who reaps. */
	if (!(caps->caps & SL_CAP_MULTISHOT) || strstr(backend_name(), "sqpoll"))
		return;
	assert_true(stats.overflows > 0);
	assert_true(stats.rearmed > 0);
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
	expect_overflow(ring);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(trace.nr, CONNECTIONS + 1);
	sl_ring_close(ring);
}

/* Clients and accepted connections by listener. */
enum {
	LISTENERS = 4,
	CLIENTS = CONNECTIONS / LISTENERS
};

static unsigned nr_by_listener[LISTENERS], nr_taken;

/* What a listener accepts is connected to it: its name is the listener's. */
static void collect_by_listener(struct sl_ring *ring, struct sl_op *op)
{
	struct sockaddr_un here = { 0 }, there = { 0 };
	socklen_t here_len = sizeof(here), there_len = sizeof(there);
	unsigned number = (unsigned)(uintptr_t)op->user;

	(void)ring;
	trace.ended += op->more == 0;
	if (op->res < 0)
		return;
	assert_int_equal(getsockname((int)op->res, (struct sockaddr *)&here, &here_len), 0);
	assert_int_equal(getsockname(op->fd, (struct sockaddr *)&there, &there_len), 0);
	assert_int_equal(here_len, there_len);
	assert_memory_equal(&here, &there, here_len);
	nr_by_listener[number]++;
	nr_taken++;
	close((int)op->res);
}

static void multishots_that_overflow_the_completion_queue_together_lose_nothing(void **state)
{
	struct sl_ring *ring = ring_open(LISTENERS);
	static struct sl_op ops[LISTENERS];
	struct sockaddr_un address;
	socklen_t len;

	(void)state;
	for (unsigned i = 0; i < LISTENERS; i++) {
		int listener = listen_at(&address, &len);

		for (unsigned k = 0; k < CLIENTS; k++)
			connect_one(&address, len);
		sl_op_accept(&ops[i], listener, NULL, NULL, SOCK_CLOEXEC)->flags |= SL_OP_MULTI;
		ops[i].done = collect_by_listener;
		ops[i].user = (void *)(uintptr_t)i;
	}
	for (unsigned i = 0; i < LISTENERS; i++)
		submit(ring, &ops[i]);
	ring_until(ring, &nr_taken, CONNECTIONS);
	for (unsigned i = 0; i < LISTENERS; i++)
		assert_int_equal(nr_by_listener[i], CLIENTS);
	assert_int_equal(trace.ended, 0);
	expect_overflow(ring);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, LISTENERS);
	assert_int_equal(nr_taken, CONNECTIONS);
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
	T(multishots_that_overflow_the_completion_queue_together_lose_nothing, NET, ON_KERNEL),
	T(many_multi_ops_that_fire_at_once_lose_no_event, CORE, ON_KERNEL),
	T(a_multi_recv_into_one_buffer_ends_at_the_end_of_the_stream, NET, 0),
	T(a_cancelled_accept_loses_no_connection, NET, ON_KERNEL),
};

const struct contract_group accept_tests = GROUP(tests);
