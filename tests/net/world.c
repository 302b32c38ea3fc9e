/* world.c: the ring under test, a peer at the other end, files; see net.h. */
#include "tests/net/net.h"

#include <stdio.h>
#include <unistd.h>

static const char *backend;
static struct sl_sim *sim;
static struct sl_ring *ring;

void net_choose(const char *name)
{
	backend = name;
}

bool net_on_sim(void)
{
	return !strcmp(backend, "sim");
}

int net_setup(void **state)
{
	static const char *dir;

	(void)state;
	if (!dir && !net_on_sim())
		dir = support_tmpdir();
	return dir ? chdir(dir) : 0;
}

int net_teardown(void **state)
{
	(void)state;
	sl_ring_close(ring);
	sl_sim_destroy(sim);
	ring = NULL;
	sim = NULL;
	return 0;
}

struct sl_sim *net_sim(void)
{
	const struct sl_sim_opts opts = { .seed = support_seed() };

	if (!sim)
		assert_int_equal(sl_sim_create(&opts, &sim), 0);
	return sim;
}

struct sl_ring *net_ring_with(const struct sl_ring_opts *opts)
{
	struct sl_ring_opts mine = *opts;
	int rc;

	mine.flags |= SL_RING_NO_FALLBACK;
	mine.backend = backend;
	assert_null(ring);
	if (net_on_sim())
		rc = sl_sim_ring_open(net_sim(), 0, opts, &ring);
	else
		rc = sl_ring_open(&mine, &ring);
	if (rc < 0)
		SKIP("no ring on %s here: %s", backend, sl_err_text(rc));
	return ring;
}

struct sl_ring *net_ring(void)
{
	const struct sl_ring_opts opts = { .depth = 512 };

	return ring ? ring : net_ring_with(&opts);
}

/* A second each: what takes ten of them without an end never ends. */
void net_turn(unsigned *turns, const char *what)
{
	int rc = sl_ring_run(net_ring(), sl_ring_clock(net_ring()) + SECOND);

	if (rc < 0)
		fail_msg("the ring failed while waiting for %s: %s", what, sl_err_name(rc));
	*turns += rc == 0;
	if (*turns > 20)
		fail_msg("waited in vain for %s", what);
}

/* Time alone is not enough: who gets no processor meanwhile has not turned at all. */
void net_quiesce(void)
{
	int64_t until_ns = sl_ring_clock(net_ring()) + (net_on_sim() ? SECOND : 20 * MS);
	int rc;

	do {
		rc = sl_ring_run(net_ring(), until_ns);
		assert_true(rc >= 0);
	} while (rc || sl_ring_clock(net_ring()) < until_ns);
}

int64_t net_do(struct sl_op *op)
{
	return sl_ring_do(net_ring(), op);
}

int net_listen(struct sl_sock_addr *ret_addr)
{
	int fd;

	assert_int_equal(sl_sock_addr_parse("127.0.0.1:0", ret_addr), 0);
	fd = sl_sock_listen(net_ring(), ret_addr, NULL);
	if (fd < 0)
		SKIP("no TCP on the loopback device: %s", sl_err_text(fd));
	assert_int_equal(sl_sock_addr_of(net_ring(), fd, 0, ret_addr), 0);
	return fd;
}

int net_connect(const struct sl_sock_addr *addr)
{
	struct sl_op op = { 0 };
	int64_t fd = net_do(sl_op_socket(&op, addr->any.sa_family,
					 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	assert_true(fd >= 0);
	assert_int_equal(net_do(sl_op_connect(&op, (int)fd, &addr->any, addr->len)), 0);
	return (int)fd;
}

void net_join(int ret_fds[2])
{
	struct sl_sock_addr addr;
	struct sl_op op = { 0 };
	int listener = net_listen(&addr);

	ret_fds[0] = net_connect(&addr);
	sl_op_accept(&op, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	ret_fds[1] = (int)net_do(&op);
	assert_true(ret_fds[1] >= 0);
	net_close(listener);
}

void net_close(int fd)
{
	struct sl_op op = { 0 };

	assert_int_equal(net_do(sl_op_close(&op, fd)), 0);
}

void net_put(int fd, const void *data, size_t len)
{
	const char *at = data;
	struct sl_op op = { 0 };

	while (len) {
		int64_t res = net_do(sl_op_send(&op, fd, at, len, 0));

		if (res <= 0)
			fail_msg("cannot send: %s", sl_err_name((int)res));
		at += res;
		len -= (size_t)res;
	}
}

int64_t net_take(int fd, void *data, size_t len)
{
	struct sl_op op = { 0 };
	size_t done = 0;

	while (done < len) {
		int64_t res = net_do(sl_op_recv(&op, fd, (char *)data + done, len - done, 0));

		if (res < 0)
			return res;
		if (!res)
			break;
		done += (size_t)res;
	}
	return (int64_t)done;
}

void net_expect_end(int fd)
{
	char byte;

	assert_int_equal(net_take(fd, &byte, 1), 0);
}

uint64_t net_clog(int fd)
{
	static char data[65536];
	struct sl_op op = { 0 };
	uint64_t total = 0;
	int64_t res;

	do {
		while ((res = net_do(sl_op_send(&op, fd, data, sizeof(data), MSG_DONTWAIT))) > 0)
			total += (uint64_t)res;
		assert_int_equal(res, -EAGAIN);
		net_quiesce();
		res = net_do(sl_op_send(&op, fd, data, 1, MSG_DONTWAIT));
		total += res > 0;
	} while (res > 0);
	return total;
}

unsigned char net_byte(uint64_t off)
{
	uint64_t z = (off + 1) * 0x9e3779b97f4a7c15u;

	return (unsigned char)((z >> 56) | 1);
}

void net_fill(unsigned char *data, size_t len, uint64_t off)
{
	for (size_t i = 0; i < len; i++)
		data[i] = net_byte(off + i);
}

void net_expect(const unsigned char *data, size_t len, uint64_t off)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != net_byte(off + i))
			fail_msg("byte %zu is %u and not %u", i, data[i], net_byte(off + i));
}

int net_open(const char *name, uint64_t flags)
{
	const struct sl_open_how how = { .flags = flags | O_CLOEXEC,
					 .mode = flags & O_CREAT ? 0644 : 0 };
	struct sl_op op = { 0 };

	return (int)net_do(sl_op_open(&op, AT_FDCWD, name, &how));
}

int net_file(const char *name, size_t len)
{
	unsigned char *data = malloc(len ? len : 1);
	struct sl_op op = { 0 };
	int fd = net_open(name, O_RDWR | O_CREAT | O_TRUNC);

	assert_non_null(data);
	assert_true(fd >= 0);
	net_fill(data, len, 0);
	assert_int_equal(net_do(sl_op_write(&op, fd, data, len, 0)), len);
	assert_int_equal(net_do(sl_op_fdatasync(&op, fd)), 0);
	free(data);
	return fd;
}

void net_truncate(int fd, uint64_t size)
{
	struct sl_op op = { 0 };

	assert_int_equal(net_do(sl_op_truncate(&op, fd, size)), 0);
}
