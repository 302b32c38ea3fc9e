/* zerocopy.c - SEND with ZC: sent, then reusable; the same two completions everywhere. */
#include "tests/contract/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BYTES = 64 * 1024
};

static void tcp_pair(int ret_fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (on_memory()) {
		world_pair(ret_fds);
		return;
	}
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) < 0)
		SKIP("no TCP on the loopback device: %s", strerror(errno));
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&address, len), 0);
	ret_fds[1] = accept(listener, NULL, NULL);
	assert_true(ret_fds[1] >= 0);
	close(listener);
}

static struct sl_op *zero_copy(struct sl_op *op, int fd, const void *buf, size_t len)
{
	op->done = note;
	sl_op_send(op, fd, buf, len, 0)->flags |= SL_OP_ZC;
	return op;
}

static void a_zero_copy_send_completes_when_sent_and_when_reusable(void **state)
{
	struct sl_ring *ring = ring_open(8);
	static char data[4096], back[4096];
	struct sl_op op = { 0 };
	size_t got = 0;
	int pair[2];

	(void)state;
	tcp_pair(pair);
	pattern(data, sizeof(data), 3);
	submit(ring, zero_copy(&op, pair[0], data, sizeof(data)));
	ring_until(ring, &trace.nr, 1);
	while (got < sizeof(back)) {
		got += world_take(pair[1], back + got, sizeof(back) - got);
		sl_ring_run(ring, SL_RING_POLL);
	}
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(trace.nr, 2);
	assert_int_equal(trace.at[0].more, 1);
	assert_int_equal(trace.at[0].res, sizeof(data));
	assert_int_equal(trace.at[1].more, 0);
	assert_int_equal(trace.at[1].res, sizeof(data));
	assert_int_equal(trace.at[1].done_len, sizeof(data));
	assert_true(op.aux <= 1);
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(ring_stats(ring).zc_copied, op.aux);
	assert_int_equal(ring_stats(ring).completed, 1);
	assert_int_equal(ring_stats(ring).write_bytes, sizeof(data));
	sl_ring_close(ring);
}

static void a_zero_copy_send_that_fails_still_ends_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	submit(ring, zero_copy(&op, world_bad_fd(), "x", 1));
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -EBADF);
	assert_int_equal(op.more, 0);
	trace_place(&op);
	sl_ring_close(ring);
}

static void a_zero_copy_message_completes_twice_too(void **state)
{
	struct sl_ring *ring = ring_open(8);
	static char data[2][2000], back[4000];
	struct iovec iov[2] = { { data[0], 2000 }, { data[1], 2000 } };
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct sl_op op = { .done = note };
	size_t got = 0;
	int pair[2];

	(void)state;
	tcp_pair(pair);
	pattern(data, sizeof(data), 3);
	sl_op_sendmsg(&op, pair[0], &msg, 0)->flags |= SL_OP_ZC;
	submit(ring, &op);
	while (got < sizeof(back) || trace.ended == 0) {
		got += world_take(pair[1], back + got, sizeof(back) - got);
		sl_ring_run(ring, sl_ring_clock(ring) + MS);
	}
	assert_int_equal(trace.nr, 2);
	assert_int_equal(trace.at[0].more, 1);
	assert_int_equal(trace.at[0].res, 4000);
	assert_int_equal(trace.at[1].res, 4000);
	assert_memory_equal(back, data, sizeof(back));
	sl_ring_close(ring);
}

static void many_zero_copy_sends_keep_every_byte(void **state)
{
	enum {
		NR_OPS = 32
	};
	struct sl_ring *ring = ring_open(NR_OPS);
	static char data[NR_OPS][512], back[NR_OPS * 512];
	static struct sl_op ops[NR_OPS];
	size_t got = 0;
	uint64_t sum = 0, want = 0;
	int pair[2];

	(void)state;
	tcp_pair(pair);
	for (unsigned i = 0; i < NR_OPS; i++) {
		memset(data[i], (int)i + 1, 512);
		want += (i + 1) * 512;
		submit(ring, zero_copy(&ops[i], pair[0], data[i], 512));
	}
	while (got < sizeof(back) || trace.ended < NR_OPS) {
		got += world_take(pair[1], back + got, sizeof(back) - got);
		assert_true(sl_ring_run(ring, sl_ring_clock(ring) + MS) >= 0);
	}
	for (size_t i = 0; i < sizeof(back); i++)
		sum += (unsigned char)back[i];
	assert_int_equal(sum, want);
	for (unsigned i = 0; i < NR_OPS; i++)
		trace_place(&ops[i]);
	sl_ring_close(ring);
}

static void cancelling_a_zero_copy_send_ends_it_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char byte = 'z';
	int pair[2];

	(void)state;
	tcp_pair(pair);
	world_clog(pair[0]);
	submit(ring, zero_copy(&op, pair[0], &byte, 1));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_true(op.res == -ECANCELED || op.res == 1);
	trace_place(&op);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_zero_copy_send_completes_when_sent_and_when_reusable, NET, 0),
	T(a_zero_copy_send_that_fails_still_ends_once, NET, 0),
	T(a_zero_copy_message_completes_twice_too, NET, 0),
	T(many_zero_copy_sends_keep_every_byte, NET, 0),
	T(cancelling_a_zero_copy_send_ends_it_once, NET, 0),
};

const struct contract_group zerocopy_tests = GROUP(tests);
