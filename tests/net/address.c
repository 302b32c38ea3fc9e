/* address.c: addresses to and from text; listening on them. */
#include "tests/net/tests.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void an_address_reads_as_it_was_written(void **state)
{
	static const char *const texts[] = {
		"127.0.0.1:80",	 "0.0.0.0:0",	      "255.255.255.255:65535", "[::1]:443",
		"[fe80::1%2]:1", "[2001:db8::]:8080", "unix:/run/x",	       "unix:@abstract",
	};
	char back[SL_SOCK_ADDR_TEXT];
	struct sl_sock_addr addr;

	(void)state;
	for (size_t i = 0; i < NR(texts); i++) {
		assert_int_equal(sl_sock_addr_parse(texts[i], &addr), 0);
		assert_int_equal(sl_sock_addr_format(&addr, back, sizeof(back)), strlen(texts[i]));
		assert_string_equal(back, texts[i]);
		assert_int_equal(sl_sock_addr_format(&addr, back, strlen(texts[i])), -ENOBUFS);
	}
	assert_int_equal(sl_sock_addr_parse(":80", &addr), 0);
	sl_sock_addr_format(&addr, back, sizeof(back));
	assert_string_equal(back, "[::]:80");
	assert_int_equal(sl_sock_addr_parse("*:80", &addr), 0);
	assert_int_equal(addr.any.sa_family, AF_INET6);
}

void text_that_is_no_address_is_told_from_a_name(void **state)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{ "", -EINVAL },
		{ "80", -EINVAL },
		{ "1.2.3.4", -EINVAL },
		{ "1.2.3.4:", -EINVAL },
		{ "1.2.3.4:65536", -EINVAL },
		{ "1.2.3.4:123456789", -EINVAL },
		{ "1.2.3.4:-1", -EINVAL },
		{ "1.2.3.4:8 0", -EINVAL },
		{ "::1:80", -EINVAL },
		{ "[::1]", -EINVAL },
		{ "[::1:80", -EINVAL },
		{ "[1.2.3.4]:80", -EINVAL },
		{ "[::1%eth0]:80", -EINVAL },
		{ "a b:80", -EINVAL },
		{ "unix:", -EINVAL },
		{ "unix:@", -EINVAL },
		{ "localhost:80", -ENOENT },
		{ "1.2.3.4:http", -ENOENT },
		{ "1.2.3.4.5:80", -ENOENT },
		{ "300.1.1.1:80", -ENOENT },
	};
	struct sl_sock_addr addr = { .len = 7 };
	char path[200] = "unix:";

	(void)state;
	for (size_t i = 0; i < NR(cases); i++)
		if (sl_sock_addr_parse(cases[i].text, &addr) != cases[i].err)
			fail_msg("'%s' is %s", cases[i].text,
				 sl_err_name(sl_sock_addr_parse(cases[i].text, &addr)));
	assert_int_equal(addr.len, 7);
	memset(path + 5, 'x', 107);
	assert_int_equal(sl_sock_addr_parse(path, &addr), 0);
	path[5 + 107] = 'x';
	assert_int_equal(sl_sock_addr_parse(path, &addr), -ENAMETOOLONG);
}

void what_is_on_this_machine_is_known(void **state)
{
	static const struct {
		const char *text;
		int local;
	} cases[] = { { "127.8.9.1:1", 1 }, { "10.0.0.1:1", 0 },	   { "[::1]:1", 1 },
		      { "[::2]:1", 0 },	    { "[::ffff:127.0.0.1]:1", 1 }, { "unix:x", 1 },
		      { ":1", 0 } };
	struct sl_sock_addr addr;

	(void)state;
	for (size_t i = 0; i < NR(cases); i++) {
		assert_int_equal(sl_sock_addr_parse(cases[i].text, &addr), 0);
		assert_int_equal(sl_sock_addr_is_local(&addr), cases[i].local);
	}
}

void both_ends_of_a_connection_know_their_addresses(void **state)
{
	struct sl_sock_addr listener, mine, theirs;
	struct sl_op op = { 0 };
	int fd = net_listen(&listener), client, server;

	(void)state;
	client = net_connect(&listener);
	server = (int)net_do(sl_op_accept(&op, fd, NULL, NULL, 0));
	assert_int_equal(sl_sock_addr_of(net_ring(), client, 1, &theirs), 0);
	assert_memory_equal(&theirs.storage, &listener.storage, sizeof(struct sockaddr_in));
	assert_int_equal(sl_sock_addr_of(net_ring(), server, 0, &mine), 0);
	assert_memory_equal(&mine.storage, &listener.storage, sizeof(struct sockaddr_in));
	assert_int_equal(sl_sock_addr_of(net_ring(), fd, 1, &theirs), -ENOTCONN);
	assert_int_equal(sl_sock_addr_of(net_ring(), -1, 0, &theirs), -EBADF);
}

void listening_refuses_what_cannot_be(void **state)
{
	struct sl_sock_listen_opts opts = { .flags = 1u << 31 };
	struct sl_sock_addr addr;
	int fd;

	(void)state;
	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", &addr), 0);
	assert_int_equal(sl_sock_listen(net_ring(), &addr, &opts), -EINVAL);
	opts.flags = SL_SOCK_V6ONLY;
	assert_int_equal(sl_sock_listen(net_ring(), &addr, &opts), -EINVAL);
	fd = net_listen(&addr);
	assert_int_equal(sl_sock_listen(net_ring(), &addr, NULL), -EADDRINUSE);
	net_close(fd);
	fd = sl_sock_listen(net_ring(), &addr, NULL);
	assert_true(fd >= 0);
}

void all_addresses_means_both_families(void **state)
{
	struct sl_sock_addr addr, v4;
	int fd;

	(void)state;
	assert_int_equal(sl_sock_addr_parse(":0", &addr), 0);
	fd = sl_sock_listen(net_ring(), &addr, NULL);
	assert_true(fd >= 0);
	assert_int_equal(sl_sock_addr_of(net_ring(), fd, 0, &addr), 0);
	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", &v4), 0);
	((struct sockaddr_in *)&v4.storage)->sin_port =
		((struct sockaddr_in *)&addr.storage)->sin_port; /* in both at the same place */
	net_close(net_connect(&v4));
}

void two_listeners_share_a_port_when_both_say_so(void **state)
{
	const struct sl_sock_listen_opts opts = { .flags = SL_SOCK_REUSEPORT };
	struct sl_sock_addr addr;
	int fd;

	(void)state;
	if (net_on_sim())
		SKIP("the simulator's machines have one ring a port");
	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", &addr), 0);
	fd = sl_sock_listen(net_ring(), &addr, &opts);
	assert_true(fd >= 0);
	assert_int_equal(sl_sock_addr_of(net_ring(), fd, 0, &addr), 0);
	assert_true(sl_sock_listen(net_ring(), &addr, &opts) >= 0);
}

void a_unix_socket_that_nobody_listens_on_is_replaced(void **state)
{
	const struct sl_sock_listen_opts opts = { .permissions = 0600 };
	struct sl_sock_addr addr;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(sl_sock_addr_parse("unix:here.sock", &addr), 0);
	fd = sl_sock_listen(net_ring(), &addr, &opts);
	assert_true(fd >= 0);
	assert_int_equal(sl_sock_listen(net_ring(), &addr, &opts), -EADDRINUSE);
	net_close(fd);
	fd = sl_sock_listen(net_ring(), &addr, &opts);
	assert_true(fd >= 0);
	net_close(net_connect(&addr));
	if (net_on_sim())
		return;
	assert_int_equal(stat("here.sock", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	net_close(fd);
	unlink("here.sock");
}

void datagrams_come_from_their_sender(void **state)
{
	const struct sl_sock_listen_opts opts = { .flags = SL_SOCK_DATAGRAM };
	struct sl_sock_addr one, two, from = { .len = sizeof(from.storage) };
	char data[8] = "";
	struct iovec iov = { (char *)"hello", 5 };
	struct msghdr out = { .msg_iov = &iov, .msg_iovlen = 1 }, in = { .msg_iovlen = 1 };
	struct iovec in_iov = { data, sizeof(data) };
	struct sl_op op = { 0 };
	int a, b;

	(void)state;
	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", &one), 0);
	two = one;
	a = sl_sock_listen(net_ring(), &one, &opts);
	b = sl_sock_listen(net_ring(), &two, &opts);
	assert_true(a >= 0 && b >= 0);
	assert_int_equal(sl_sock_addr_of(net_ring(), a, 0, &one), 0);
	assert_int_equal(sl_sock_addr_of(net_ring(), b, 0, &two), 0);
	out.msg_name = &two.storage;
	out.msg_namelen = two.len;
	assert_int_equal(net_do(sl_op_sendmsg(&op, a, &out, 0)), 5);
	in.msg_iov = &in_iov;
	in.msg_name = &from.storage;
	in.msg_namelen = from.len;
	assert_int_equal(net_do(sl_op_recvmsg(&op, b, &in, 0)), 5);
	assert_string_equal(data, "hello");
	assert_memory_equal(&from.storage, &one.storage, sizeof(struct sockaddr_in));
}

static void pass_environment(const char *fds, const char *names)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

void sockets_of_the_service_manager_are_taken(void **state)
{
	struct sl_sock_inherited got[4];
	struct sl_sock_addr addr;
	int fd, saved[2];

	(void)state;
	if (net_on_sim()) {
		assert_int_equal(sl_sock_inherit(net_ring(), got, 4), -EOPNOTSUPP);
		return;
	}
	fd = net_listen(&addr);
	saved[0] = dup(3);
	saved[1] = dup(4);
	dup2(fd, 3);
	dup2(fd, 4);
	fcntl(3, F_SETFL, 0);
	pass_environment("2", "web:other");
	assert_int_equal(sl_sock_inherit(net_ring(), got, 1), -ENOBUFS);
	assert_int_equal(sl_sock_inherit(net_ring(), got, 4), 2);
	assert_int_equal(got[0].fd, 3);
	assert_int_equal(got[0].listening, 1);
	assert_int_equal(got[0].type, SOCK_STREAM);
	assert_string_equal(got[0].name, "web");
	assert_string_equal(got[1].name, "other");
	assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(3, F_GETFL) & O_NONBLOCK);
	pass_environment("x", "");
	assert_int_equal(sl_sock_inherit(net_ring(), got, 4), -EINVAL);
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(sl_sock_inherit(net_ring(), got, 4), 0);
	unsetenv("LISTEN_FDS");
	assert_int_equal(sl_sock_inherit(net_ring(), got, 4), 0);
	for (int i = 0; i < 2; i++) {
		if (saved[i] >= 0)
			dup2(saved[i], 3 + i);
		else
			close(3 + i);
	}
}
