/* connect.c: connections made within a time, from the first address that answers. */
#include "tests/net/tests.h"

struct call {
	struct sl_sock_connect req;
	unsigned ends;
};

static void on_end(struct sl_sock_connect *req)
{
	sl_op_of(req, struct call, req)->ends++;
}

static void dial(struct call *call, const struct sl_sock_addr *addrs, unsigned nr)
{
	call->req.addrs = addrs;
	call->req.nr = nr;
	call->req.done = on_end;
	assert_int_equal(sl_sock_connect(net_ring(), &call->req), 0);
}

/* An address where nobody listens: it is bound, so that nobody else comes to do so meanwhile. */
static struct sl_sock_addr nobody(void)
{
	struct sl_sock_addr addr;
	struct sl_op op = { 0 };
	int fd = (int)net_do(sl_op_socket(&op, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", &addr), 0);
	assert_int_equal(net_do(sl_op_bind(&op, fd, &addr.any, addr.len)), 0);
	assert_int_equal(sl_sock_addr_of(net_ring(), fd, 0, &addr), 0);
	return addr;
}

void a_connection_is_made_and_works(void **state)
{
	struct call call = { 0 };
	struct sl_sock_addr addr;
	struct sl_op op = { 0 };
	int listener = net_listen(&addr), server;
	char byte;

	(void)state;
	dial(&call, &addr, 1);
	server = (int)net_do(sl_op_accept(&op, listener, NULL, NULL, 0));
	UNTIL(call.ends);
	assert_true(call.req.res >= 0);
	assert_int_equal(call.req.tried, 1);
	net_put((int)call.req.res, "x", 1);
	assert_int_equal(net_take(server, &byte, 1), 1);
}

void the_next_address_is_tried(void **state)
{
	struct sl_sock_addr addrs[3] = { nobody(), nobody() };
	struct call call = { 0 };

	(void)state;
	net_listen(&addrs[2]);
	dial(&call, addrs, 3);
	UNTIL(call.ends);
	assert_true(call.req.res >= 0);
	assert_int_equal(call.req.tried, 3);
}

void the_last_refusal_is_the_answer(void **state)
{
	struct sl_sock_addr addrs[2] = { nobody(), nobody() };
	struct call call = { 0 };

	(void)state;
	dial(&call, addrs, 2);
	UNTIL(call.ends);
	assert_int_equal(call.req.res, -ECONNREFUSED);
	assert_int_equal(call.req.tried, 2);
	assert_int_equal(call.ends, 1);
}

/* A listener whose backlog takes no more: connecting there waits. */
static struct sl_sock_addr deaf(void)
{
	const struct sl_sock_listen_opts opts = { .backlog = 1 };
	struct sl_sock_addr addr;
	struct call call[8];
	unsigned late = 0;

	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", &addr), 0);
	assert_int_equal(
		sl_sock_addr_of(net_ring(), sl_sock_listen(net_ring(), &addr, &opts), 0, &addr), 0);
	memset(call, 0, sizeof(call));
	for (unsigned i = 0; i < NR(call); i++) {
		call[i].req.deadline_ns = sl_ring_clock(net_ring()) + 50 * MS;
		dial(&call[i], &addr, 1);
	}
	for (unsigned i = 0; i < NR(call); i++)
		UNTIL(call[i].ends);
	for (unsigned i = 0; i < NR(call); i++)
		late += call[i].req.res == -ETIMEDOUT;
	assert_true(late > 0);
	return addr;
}

void a_deadline_ends_all_tries(void **state)
{
	struct sl_sock_addr addrs[2];
	struct call call = { 0 };

	(void)state;
	addrs[0] = deaf();
	net_listen(&addrs[1]);
	call.req.deadline_ns = sl_ring_clock(net_ring()) + 30 * MS;
	dial(&call, addrs, 2);
	UNTIL(call.ends);
	assert_int_equal(call.req.res, -ETIMEDOUT);
	assert_int_equal(call.req.tried, 1);
}

void a_try_has_a_limit_of_its_own(void **state)
{
	struct sl_sock_addr addrs[2];
	struct call call = { 0 };

	(void)state;
	addrs[0] = deaf();
	net_listen(&addrs[1]);
	call.req.deadline_ns = sl_ring_clock(net_ring()) + 10 * SECOND;
	call.req.try_ns = 20 * MS;
	dial(&call, addrs, 2);
	UNTIL(call.ends);
	assert_true(call.req.res >= 0);
	assert_int_equal(call.req.tried, 2);
}

void connecting_is_stopped_in_any_state(void **state)
{
	struct sl_sock_addr addr = deaf(), open;
	struct call call = { 0 }, fresh = { 0 };

	(void)state;
	dial(&call, &addr, 1);
	net_quiesce();
	sl_sock_connect_stop(&call.req);
	UNTIL(call.ends);
	assert_int_equal(call.req.res, -ECANCELED);
	net_listen(&open);
	dial(&fresh, &open, 1);
	sl_sock_connect_stop(&fresh.req);
	UNTIL(fresh.ends);
	assert_int_equal(fresh.req.res, -ECANCELED);
}

void draining_ends_a_connection_being_made(void **state)
{
	struct sl_sock_addr addr = deaf();
	struct call call = { 0 };

	(void)state;
	dial(&call, &addr, 1);
	net_quiesce();
	assert_int_equal(sl_ring_drain(net_ring(), 0), 0);
	assert_int_equal(call.ends, 1);
	assert_int_equal(call.req.res, -ECANCELED);
}

void connecting_comes_from_where_it_is_told(void **state)
{
	struct call call = { 0 };
	struct sl_sock_addr addr, source, mine;

	(void)state;
	net_listen(&addr);
	assert_int_equal(sl_sock_addr_parse("127.0.0.2:0", &source), 0);
	call.req.source = &source;
	dial(&call, &addr, 1);
	UNTIL(call.ends);
	assert_true(call.req.res >= 0);
	assert_int_equal(sl_sock_addr_of(net_ring(), (int)call.req.res, 0, &mine), 0);
	assert_int_equal(((struct sockaddr_in *)&mine.storage)->sin_addr.s_addr,
			 ((struct sockaddr_in *)&source.storage)->sin_addr.s_addr);
}

void a_call_to_nowhere_is_refused(void **state)
{
	struct sl_sock_connect req = { .nr = 1 };

	(void)state;
	assert_int_equal(sl_sock_connect(net_ring(), &req), -EINVAL);
	req.done = on_end;
	assert_int_equal(sl_sock_connect(net_ring(), &req), -EINVAL);
}
