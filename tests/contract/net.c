/* net.c - SOCKET to SETSOCKOPT: a connection made and used by ops alone. */
#include "tests/contract/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

struct address {
	struct sockaddr_un un;
	socklen_t len;
};

/* A name in the abstract space that no other test has. */
static struct address fresh_address(void)
{
	static unsigned turn;
	struct address address = { .un.sun_family = AF_UNIX };
	int n = snprintf(address.un.sun_path + 1, sizeof(address.un.sun_path) - 1,
			 "sluice-contract-%d-%u", (int)getpid(), turn++);

	address.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	return address;
}

static const struct sockaddr *plain(const struct address *address)
{
	return (const struct sockaddr *)&address->un;
}

static int new_socket(struct sl_ring *ring)
{
	struct sl_op op = { 0 };
	int64_t fd = sl_ring_do(ring, sl_op_socket(&op, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	assert_true(fd >= 0);
	return (int)fd;
}

static int new_listener(struct sl_ring *ring, const struct address *address)
{
	struct sl_op op = { 0 };
	int fd = new_socket(ring);

	expect_res(ring, sl_op_bind(&op, fd, plain(address), address->len), 0);
	expect_res(ring, sl_op_listen(&op, fd, 64), 0);
	return fd;
}

static void a_connection_is_made_used_and_ended_by_ops(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct address address = fresh_address();
	struct sl_op accept = { .done = note }, op = { 0 };
	int listener = new_listener(ring, &address), client = new_socket(ring), server;
	char buf[16] = "";

	(void)state;
	submit(ring, sl_op_accept(&accept, listener, NULL, NULL, SOCK_CLOEXEC));
	expect_res(ring, sl_op_connect(&op, client, plain(&address), address.len), 0);
	ring_until(ring, &trace.ended, 1);
	server = (int)accept.res;
	assert_true(server >= 0);
	expect_res(ring, sl_op_send(&op, client, "ping", 4, 0), 4);
	expect_res(ring, sl_op_recv(&op, server, buf, 16, 0), 4);
	assert_string_equal(buf, "ping");
	expect_res(ring, sl_op_send(&op, server, "pong!", 5, 0), 5);
	expect_res(ring, sl_op_recv(&op, client, buf, 16, 0), 5);
	expect_res(ring, sl_op_shutdown(&op, client, SHUT_WR), 0);
	expect_res(ring, sl_op_recv(&op, server, buf, 16, 0), 0);
	expect_res(ring, sl_op_send(&op, server, "late", 4, 0), 4);
	expect_res(ring, sl_op_recv(&op, client, buf, 16, 0), 4);
	sl_ring_close(ring);
}

static void connecting_where_nobody_listens_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct address address = fresh_address();
	struct sl_op op = { 0 };

	(void)state;
	expect_res(ring, sl_op_connect(&op, new_socket(ring), plain(&address), address.len),
		   -ECONNREFUSED);
	sl_ring_close(ring);
}

static void an_address_is_bound_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct address address = fresh_address();
	struct sl_op op = { 0 };

	(void)state;
	new_listener(ring, &address);
	expect_res(ring, sl_op_bind(&op, new_socket(ring), plain(&address), address.len),
		   -EADDRINUSE);
	sl_ring_close(ring);
}

static void operations_on_the_wrong_descriptor_are_errors(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int bad = world_bad_fd(), file = world_file(), lone = new_socket(ring);
	char buf[4] = "";

	(void)state;
	expect_res(ring, sl_op_recv(&op, bad, buf, 4, 0), -EBADF);
	expect_res(ring, sl_op_send(&op, bad, buf, 4, 0), -EBADF);
	expect_res(ring, sl_op_accept(&op, bad, NULL, NULL, 0), -EBADF);
	expect_res(ring, sl_op_listen(&op, bad, 1), -EBADF);
	expect_res(ring, sl_op_shutdown(&op, bad, SHUT_RD), -EBADF);
	expect_res(ring, sl_op_recv(&op, file, buf, 4, 0), -ENOTSOCK);
	expect_res(ring, sl_op_send(&op, file, buf, 4, 0), -ENOTSOCK);
	expect_res(ring, sl_op_send(&op, lone, buf, 4, 0), -ENOTCONN);
	expect_res(ring, sl_op_accept(&op, lone, NULL, NULL, 0), -EINVAL);
	expect_res(ring, sl_op_shutdown(&op, lone, SHUT_RD), on_memory() ? -ENOTCONN : 0);
	expect_res(ring, sl_op_socket(&op, 12345, SOCK_STREAM, 0), -EAFNOSUPPORT);
	sl_ring_close(ring);
}

static void recv_waits_and_send_wakes_it(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op recv = { .done = note }, op = { 0 };
	char buf[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, sl_op_recv(&recv, pair[0], buf, 8, 0));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	expect_res(ring, sl_op_send(&op, pair[1], "abc", 3, 0), 3);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(recv.res, 3);
	sl_ring_close(ring);
}

static void recv_and_send_wait_both_ways_on_one_socket(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op recv = { .done = note }, send = { .done = note };
	static char rest[1 << 20];
	char buf[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_clog(pair[0]);
	submit(ring, sl_op_recv(&recv, pair[0], buf, 8, 0));
	submit(ring, sl_op_send(&send, pair[0], "x", 1, 0));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	while (world_take(pair[1], rest, sizeof(rest)) > 0)
		continue;
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(send.res, 1);
	world_put(pair[1], "y", 1);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(recv.res, 1);
	sl_ring_close(ring);
}

static void peeking_leaves_the_bytes(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	world_put(pair[1], "abc", 3);
	expect_res(ring, sl_op_recv(&op, pair[0], buf, 8, MSG_PEEK), 3);
	expect_res(ring, sl_op_recv(&op, pair[0], buf, 8, 0), 3);
	sl_ring_close(ring);
}

static void dontwait_never_waits(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[8];
	int pair[2];

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_recv(&op, pair[0], buf, 8, MSG_DONTWAIT), -EAGAIN);
	sl_ring_close(ring);
}

static void a_nonblocking_descriptor_waits_all_the_same(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op recv = { .done = note };
	char byte;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	submit(ring, sl_op_recv(&recv, pair[0], &byte, 1, 0));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	world_put(pair[1], "n", 1);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(recv.res, 1);
	sl_ring_close(ring);
}

static void vectors_are_sent_and_received(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char a[3] = "", b[5] = "";
	struct iovec out[2] = { { (char *)"abc", 3 }, { (char *)"defgh", 5 } };
	struct iovec in[2] = { { a, 3 }, { b, 5 } };
	int pair[2];

	(void)state;
	world_pair(pair);
	sl_op_send(&op, pair[0], out, 2, 0)->flags |= SL_OP_VEC;
	expect_res(ring, &op, 8);
	sl_op_recv(&op, pair[1], in, 2, 0)->flags |= SL_OP_VEC;
	expect_res(ring, &op, 8);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "defgh", 5);
	sl_ring_close(ring);
}

static void messages_are_sent_and_received(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op recv = { .done = note }, op = { 0 };
	char buf[8] = "";
	struct iovec out[2] = { { (char *)"he", 2 }, { (char *)"llo", 3 } }, in = { buf, 8 };
	struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 };
	struct msghdr received = { .msg_iov = &in, .msg_iovlen = 1 };
	int pair[2];

	(void)state;
	world_pair(pair);
	submit(ring, sl_op_recvmsg(&recv, pair[0], &received, 0));
	sl_ring_run(ring, SL_RING_POLL);
	expect_res(ring, sl_op_sendmsg(&op, pair[1], &sent, 0), 5);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(recv.res, 5);
	assert_int_equal(recv.done_len, 5);
	assert_string_equal(buf, "hello");
	sl_ring_close(ring);
}

static void a_descriptor_travels_in_a_message(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char byte = 'd', control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], passed;

	(void)state;
	world_pair(pair);
	*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(cmsg), &pair[0], sizeof(int));
	expect_res(ring, sl_op_sendmsg(&op, pair[0], &msg, 0), 1);
	memset(control, 0, sizeof(control));
	expect_res(ring, sl_op_recvmsg(&op, pair[1], &msg, MSG_CMSG_CLOEXEC), 1);
	cmsg = CMSG_FIRSTHDR(&msg);
	assert_non_null(cmsg);
	assert_int_equal(cmsg->cmsg_type, SCM_RIGHTS);
	memcpy(&passed, CMSG_DATA(cmsg), sizeof(int));
	assert_int_equal(write(passed, "x", 1), 1);
	assert_int_equal(read(pair[1], &byte, 1), 1);
	sl_ring_close(ring);
}

static void options_are_set_and_read(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int fd = new_socket(ring), value = 1;

	(void)state;
	expect_res(ring, sl_op_setsockopt(&op, fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(int)),
		   0);
	value = 0;
	expect_res(ring, sl_op_getsockopt(&op, fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(int)),
		   sizeof(int));
	assert_int_equal(value, 1);
	expect_res(ring, sl_op_getsockopt(&op, fd, SOL_SOCKET, SO_TYPE, &value, sizeof(int)),
		   sizeof(int));
	assert_int_equal(value, SOCK_STREAM);
	expect_res(ring, sl_op_getsockopt(&op, fd, SOL_SOCKET, 9999, &value, sizeof(int)),
		   -ENOPROTOOPT);
	expect_res(ring, sl_op_setsockopt(&op, fd, SOL_SOCKET, SO_REUSEADDR, &value, 1), -EINVAL);
	sl_ring_close(ring);
}

static int tcp_listener(struct sockaddr_in *ret_address)
{
	socklen_t len = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){ .sin_family = AF_INET };
	ret_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, len) < 0)
		SKIP("no TCP on the loopback device: %s", strerror(errno));
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &len), 0);
	return fd;
}

static void a_tcp_connection_is_accepted_with_its_address(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sockaddr_in address, peer = { 0 }, mine;
	struct sl_op accept = { .done = note }, op = { 0 };
	socklen_t len = sizeof(peer), mine_len = sizeof(mine);
	int listener = tcp_listener(&address);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	submit(ring, sl_op_accept(&accept, listener, (struct sockaddr *)&peer, &len, 0));
	expect_res(ring, sl_op_connect(&op, client, (struct sockaddr *)&address, sizeof(address)),
		   0);
	ring_until(ring, &trace.ended, 1);
	assert_true(accept.res >= 0);
	assert_int_equal(getsockname(client, (struct sockaddr *)&mine, &mine_len), 0);
	assert_int_equal(len, sizeof(peer));
	assert_int_equal(peer.sin_port, mine.sin_port);
	expect_res(ring, sl_op_connect(&op, client, (struct sockaddr *)&address, sizeof(address)),
		   -EISCONN);
	sl_ring_close(ring);
}

static void a_tcp_connection_to_a_closed_port_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sockaddr_in address;
	struct sl_op op = { 0 };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	close(tcp_listener(&address));
	expect_res(ring, sl_op_connect(&op, client, (struct sockaddr *)&address, sizeof(address)),
		   -ECONNREFUSED);
	sl_ring_close(ring);
}

static void a_connection_that_is_reset_is_an_error(void **state)
{
	const struct linger at_once = { 1, 0 };
	struct sl_ring *ring = ring_open(8);
	struct sockaddr_in address;
	struct sl_op recv = { .done = note };
	int listener = tcp_listener(&address), client, server;
	char byte;

	(void)state;
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	server = accept(listener, NULL, NULL);
	submit(ring, sl_op_recv(&recv, server, &byte, 1, 0));
	sl_ring_run(ring, SL_RING_POLL);
	setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(client);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(recv.res, -ECONNRESET);
	assert_int_equal(recv.done_len, 0);
	sl_ring_close(ring);
}

static void a_socket_says_its_address_and_its_peers(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct address address = fresh_address();
	struct sl_op accept = { .done = note }, op = { 0 };
	int listener = new_listener(ring, &address), client = new_socket(ring);
	struct sockaddr_un found;
	socklen_t len = sizeof(found);

	(void)state;
	if (on_memory() && !on_sim())
		SKIP("the memory backend keeps no addresses");
	assert_int_equal(sl_ring_sockname(ring, listener, 0, (struct sockaddr *)&found, &len), 0);
	assert_int_equal(len, address.len);
	assert_memory_equal(&found, &address.un, len);
	assert_int_equal(sl_ring_sockname(ring, client, 1, (struct sockaddr *)&found, &len),
			 -ENOTCONN);
	submit(ring, sl_op_accept(&accept, listener, NULL, NULL, SOCK_CLOEXEC));
	expect_res(ring, sl_op_connect(&op, client, plain(&address), address.len), 0);
	ring_until(ring, &trace.ended, 1);
	len = 3;
	assert_int_equal(sl_ring_sockname(ring, client, 1, (struct sockaddr *)&found, &len), 0);
	assert_int_equal(len, address.len);
	assert_int_equal(sl_ring_sockname(ring, world_bad_fd(), 0, (struct sockaddr *)&found, &len),
			 -EBADF);
	sl_ring_close(ring);
}

static void datagrams_keep_their_borders(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char buf[16];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	expect_res(ring, sl_op_send(&op, pair[0], "one", 3, 0), 3);
	expect_res(ring, sl_op_send(&op, pair[0], "three", 5, 0), 5);
	expect_res(ring, sl_op_recv(&op, pair[1], buf, 16, 0), 3);
	expect_res(ring, sl_op_recv(&op, pair[1], buf, 2, 0), 2);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_connection_is_made_used_and_ended_by_ops, NET, 0),
	T(connecting_where_nobody_listens_is_refused, NET, 0),
	T(an_address_is_bound_once, NET, 0),
	T(operations_on_the_wrong_descriptor_are_errors, NET | BLOCK, 0),
	T(recv_waits_and_send_wakes_it, NET, 0),
	T(recv_and_send_wait_both_ways_on_one_socket, NET, 0),
	T(peeking_leaves_the_bytes, NET, 0),
	T(dontwait_never_waits, NET, 0),
	T(a_nonblocking_descriptor_waits_all_the_same, NET, ON_KERNEL),
	T(vectors_are_sent_and_received, NET, 0),
	T(messages_are_sent_and_received, NET, 0),
	T(a_descriptor_travels_in_a_message, NET, ON_KERNEL),
	T(options_are_set_and_read, NET, 0),
	T(a_socket_says_its_address_and_its_peers, NET, 0),
	T(a_tcp_connection_is_accepted_with_its_address, NET, ON_KERNEL),
	T(a_tcp_connection_to_a_closed_port_is_refused, NET, ON_KERNEL),
	T(a_connection_that_is_reset_is_an_error, NET, ON_KERNEL),
	T(datagrams_keep_their_borders, NET, ON_KERNEL),
};

const struct contract_group net_tests = GROUP(tests);
