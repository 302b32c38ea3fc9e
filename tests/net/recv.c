/* recv.c: receivers: bytes in order, bounds on buffers, pauses, silence, every way to end. */
#include "tests/net/tests.h"

#define BUF_BYTES 1024

struct ear {
	struct sl_sock_receiver receiver;
	unsigned char data[98304];
	size_t len;
	void *held[64];
	unsigned held_nr;
	bool keep; /* do not give buffers back */
	unsigned ends;
	int64_t res;
};

static void on_bytes(struct sl_sock_receiver *receiver, void *data, int64_t res)
{
	struct ear *ear = receiver->user;

	if (res <= 0) {
		assert_null(data);
		ear->ends++;
		ear->res = res;
		return;
	}
	assert_true(ear->len + (size_t)res <= sizeof(ear->data));
	memcpy(ear->data + ear->len, data, (size_t)res);
	ear->len += (size_t)res;
	if (ear->keep)
		ear->held[ear->held_nr++] = data;
	else
		sl_sock_recv_put(receiver, data);
}

static struct sl_buf_pool *make_pool(unsigned count)
{
	const struct sl_buf_pool_opts shape = {
		.flags = SL_BUF_RECV, .count = count, .align = BUF_BYTES, .buf_bytes = BUF_BYTES
	};
	struct sl_buf_pool *pool;

	assert_int_equal(sl_buf_pool_create(net_ring(), &shape, &pool), 0);
	return pool;
}

static bool on_uring(void)
{
	return !strcmp(sl_ring_caps(net_ring())->backend, "uring");
}

static struct ear *listen_to(int fd, struct sl_buf_pool *pool)
{
	struct ear *ear = calloc(1, sizeof(*ear));

	assert_non_null(ear);
	ear->receiver.fd = fd;
	ear->receiver.pool = pool;
	ear->receiver.received = on_bytes;
	ear->receiver.user = ear;
	return ear;
}

static void begin(struct ear *ear)
{
	assert_int_equal(sl_sock_recv(net_ring(), &ear->receiver), 0);
}

/* After the end of ear: the pool has all its buffers again. */
static void finish(struct ear *ear, unsigned count)
{
	struct sl_buf_pool_info info;

	UNTIL(ear->ends);
	net_quiesce();
	assert_int_equal(ear->ends, 1);
	while (ear->held_nr)
		sl_sock_recv_put(&ear->receiver, ear->held[--ear->held_nr]);
	assert_int_equal(ear->receiver.held, 0);
	sl_buf_pool_info(ear->receiver.pool, &info);
	assert_int_equal(info.count, count);
	sl_buf_pool_destroy(ear->receiver.pool);
	free(ear);
}

void bytes_arrive_in_order_and_then_the_end(void **state)
{
	unsigned char data[30000];
	struct ear *ear;
	int fd[2];

	(void)state;
	net_join(fd);
	ear = listen_to(fd[1], make_pool(8));
	begin(ear);
	net_fill(data, sizeof(data), 0);
	for (size_t at = 0; at < sizeof(data); at += 1000)
		net_put(fd[0], data + at, 1000);
	UNTIL(ear->len == sizeof(data));
	net_expect(ear->data, ear->len, 0);
	assert_int_equal(ear->ends, 0);
	net_close(fd[0]);
	UNTIL(ear->ends);
	assert_int_equal(ear->res, 0);
	finish(ear, 8);
}

void a_receiver_holds_no_more_buffers_than_agreed(void **state)
{
	static unsigned char data[60 * BUF_BYTES];
	struct sl_buf_pool *pool;
	struct ear *ear, *other;
	int fd[2], fd2[2];

	(void)state;
	net_join(fd);
	net_join(fd2);
	pool = make_pool(64);
	ear = listen_to(fd[1], pool);
	other = listen_to(fd2[1], pool);
	ear->keep = true;
	ear->receiver.held_max = 2;
	net_fill(data, sizeof(data), 0);
	net_put(fd[0], data, sizeof(data));
	net_quiesce();
	begin(ear);
	begin(other);
	UNTIL(ear->receiver.held >= 2);
	net_quiesce();
	/* io_uring may hand out all there is, once */
	assert_in_range(ear->receiver.held, 2, on_uring() ? 60 : 2);
	net_put(fd2[0], "hello", 5);
	UNTIL(other->len == 5);
	ear->keep = false;
	while (ear->held_nr)
		sl_sock_recv_put(&ear->receiver, ear->held[--ear->held_nr]);
	UNTIL(ear->len == sizeof(data));
	ear->keep = true;
	net_put(fd[0], data, 10 * BUF_BYTES);
	UNTIL(ear->receiver.held >= 2);
	net_quiesce();
	assert_int_equal(ear->receiver.held, 2);
	ear->keep = false;
	while (ear->held_nr)
		sl_sock_recv_put(&ear->receiver, ear->held[--ear->held_nr]);
	UNTIL(ear->len == 70 * BUF_BYTES);
	ear->len -= 10 * BUF_BYTES;
	net_expect(ear->data, ear->len, 0);
	sl_sock_recv_stop(&other->receiver);
	UNTIL(other->ends);
	assert_int_equal(other->res, -ECANCELED);
	free(other);
	net_close(fd[0]);
	finish(ear, 64);
}

void a_receiver_that_is_paused_hears_nothing(void **state)
{
	struct ear *ear;
	int fd[2];

	(void)state;
	net_join(fd);
	ear = listen_to(fd[1], make_pool(4));
	begin(ear);
	net_put(fd[0], "a", 1);
	UNTIL(ear->len == 1);
	sl_sock_recv_pause(&ear->receiver);
	net_quiesce();
	net_put(fd[0], "b", 1);
	net_quiesce();
	assert_int_equal(ear->len, 1);
	sl_sock_recv_resume(&ear->receiver);
	UNTIL(ear->len == 2);
	sl_sock_recv_pause(&ear->receiver);
	sl_sock_recv_resume(&ear->receiver);
	net_put(fd[0], "c", 1);
	UNTIL(ear->len == 3);
	assert_memory_equal(ear->data, "abc", 3);
	net_close(fd[0]);
	UNTIL(ear->ends);
	assert_int_equal(ear->res, 0);
	finish(ear, 4);
}

void silence_ends_a_receiver_and_bytes_put_it_off(void **state)
{
	struct ear *ear;
	int64_t last_ns;
	int fd[2];

	(void)state;
	net_join(fd);
	ear = listen_to(fd[1], make_pool(4));
	ear->receiver.timeout_ns = 50 * MS;
	begin(ear);
	last_ns = sl_ring_now(net_ring());
	/* On a machine that is slow it may have ended before a byte is there. */
	for (unsigned i = 0; i < 3 && !ear->ends; i++) {
		int64_t until_ns = sl_ring_clock(net_ring()) + 20 * MS, put_ns;

		while (sl_ring_clock(net_ring()) < until_ns)
			sl_ring_run(net_ring(), until_ns);
		put_ns = sl_ring_now(net_ring());
		net_put(fd[0], "x", 1);
		UNTIL(ear->ends || ear->len > i);
		if (ear->len > i)
			last_ns = put_ns;
	}
	UNTIL(ear->ends);
	assert_int_equal(ear->res, -ETIMEDOUT);
	assert_true(sl_ring_now(net_ring()) - last_ns >= 50 * MS);
	finish(ear, 4);
}

void a_receiver_ends_in_any_state(void **state)
{
	struct sl_buf_pool *pool = make_pool(4);
	struct ear *ear[4];
	int fd[4][2];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		net_join(fd[i]);
		ear[i] = listen_to(fd[i][1], pool);
		begin(ear[i]);
	}
	sl_sock_recv_stop(&ear[0]->receiver); /* before it began */
	net_quiesce();
	sl_sock_recv_stop(&ear[1]->receiver); /* while it waits */
	sl_sock_recv_stop(&ear[1]->receiver);
	sl_sock_recv_pause(&ear[2]->receiver);
	net_quiesce();
	sl_sock_recv_stop(&ear[2]->receiver); /* while it is held back */
	net_close(fd[3][1]);		      /* under its feet */
	for (unsigned i = 0; i < 4; i++) {
		UNTIL(ear[i]->ends);
		assert_int_equal(ear[i]->res, -ECANCELED);
		assert_int_equal(ear[i]->ends, 1);
		free(ear[i]);
	}
	sl_buf_pool_destroy(pool);
}

void draining_ends_receivers_in_every_state(void **state)
{
	struct sl_buf_pool *pool = make_pool(4);
	struct ear *hearing, *held;
	int a[2], b[2];

	(void)state;
	net_join(a);
	net_join(b);
	hearing = listen_to(a[1], pool);
	held = listen_to(b[1], pool);
	begin(hearing);
	begin(held);
	sl_sock_recv_pause(&held->receiver);
	net_quiesce();
	assert_int_equal(sl_ring_drain(net_ring(), 0), 0);
	assert_int_equal(hearing->ends, 1);
	assert_int_equal(hearing->res, -ECANCELED);
	assert_int_equal(held->ends, 1);
	assert_int_equal(held->res, -ECANCELED);
	free(hearing);
	free(held);
	sl_buf_pool_destroy(pool);
}

void a_pool_without_buffers_only_delays(void **state)
{
	struct sl_buf_pool *pool = make_pool(2);
	struct ear *greedy, *poor;
	unsigned char data[2 * BUF_BYTES];
	int a[2], b[2];

	(void)state;
	net_join(a);
	net_join(b);
	net_fill(data, sizeof(data), 0);
	greedy = listen_to(a[1], pool);
	greedy->keep = true;
	greedy->receiver.held_max = 16;
	poor = listen_to(b[1], pool);
	begin(greedy);
	net_put(a[0], data, sizeof(data));
	UNTIL(greedy->held_nr == 2);
	begin(poor);
	net_put(b[0], "poor", 4);
	net_quiesce();
	assert_int_equal(poor->len, 0);
	while (greedy->held_nr)
		sl_sock_recv_put(&greedy->receiver, greedy->held[--greedy->held_nr]);
	UNTIL(poor->len == 4);
	sl_sock_recv_stop(&poor->receiver);
	UNTIL(poor->ends);
	free(poor);
	net_close(a[0]);
	finish(greedy, 2);
}

void a_receiver_refuses_what_cannot_be(void **state)
{
	struct sl_sock_receiver receiver = { .fd = 0 };

	(void)state;
	assert_int_equal(sl_sock_recv(net_ring(), &receiver), -EINVAL);
}
