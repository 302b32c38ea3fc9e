/* sendfile.c - SENDFILE: what is cached of a file to a socket, never waiting for a disk. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#define LEN 3000

/* A file with a pattern in it. */
static int pattern_file(struct sl_ring *ring, char *data, size_t len)
{
	struct sl_op op = { 0 };
	int file = world_file();

	pattern(data, len, 4);
	expect_res(ring, sl_op_write(&op, file, data, len, 0), (int64_t)len);
	return file;
}

/* Sends, for as long as the file is said to be cold: on a simulated disk that is chance. */
static int64_t send_warm(struct sl_ring *ring, struct sl_op *op)
{
	int64_t res = 0;

	for (unsigned i = 0; i < 100; i++) {
		res = sl_ring_do(ring, op);
		if (res || op->aux != SL_SENDFILE_COLD)
			break;
	}
	return res;
}

static void a_cached_file_goes_to_a_socket(void **state)
{
	struct sl_ring *ring = ring_open(8);
	char data[LEN], back[LEN];
	struct sl_op op = { 0 };
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(send_warm(ring, sl_op_sendfile(&op, pair[0], file, 1000, LEN)), 2000);
	assert_int_equal(op.done_len, 2000);
	assert_int_equal(op.aux, 0);
	assert_int_equal(world_take(pair[1], back, LEN), 2000);
	assert_memory_equal(back, data + 1000, 2000);
	sl_ring_close(ring);
}

static void at_the_end_of_the_file_nothing_is_sent(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_sendfile(&op, pair[0], file, LEN, 10), 0);
	assert_int_equal(op.aux, 0);
	expect_res(ring, sl_op_sendfile(&op, pair[0], file, LEN + 100000, 10), 0);
	assert_int_equal(op.aux, 0);
	sl_ring_close(ring);
}

static void wrong_descriptors_are_errors(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_sendfile(&op, world_bad_fd(), file, 0, 10), -EBADF);
	expect_res(ring, sl_op_sendfile(&op, pair[0], world_bad_fd(), 0, 10), -EBADF);
	sl_ring_close(ring);
}

/* Until it takes no more of a file either: Linux 6.1 puts pages into a Unix socket that is full. */
static void clog_with_file(int fd, int file)
{
	int flags;

	world_clog(fd);
	if (on_memory())
		return;
	flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (off_t off = 0; sendfile(fd, file, &off, LEN) > 0; off = 0)
		continue;
	fcntl(fd, F_SETFL, flags);
}

static void a_full_socket_is_waited_for(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	static char rest[1 << 20];
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	if (on_sim())
		SKIP("the simulator tells by chance that a file is cold");
	world_pair(pair);
	clog_with_file(pair[0], file);
	submit(ring, sl_op_sendfile(&op, pair[0], file, 0, LEN));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	while (world_take(pair[1], rest, sizeof(rest)) > 0)
		continue;
	ring_until(ring, &trace.ended, 1);
	assert_true(op.res > 0);
	sl_ring_close(ring);
}

static void told_not_to_wait_it_answers_at_once(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	world_pair(pair);
	if (!on_memory()) {
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
		fcntl(pair[1], F_SETFL, O_NONBLOCK);
	}
	clog_with_file(pair[0], file);
	sl_op_sendfile(&op, pair[0], file, 0, LEN)->flags |= SL_OP_NOWAIT;
	assert_int_equal(send_warm(ring, &op), -EAGAIN);
	sl_ring_close(ring);
}

static void a_file_sent_waits_for_cancel_and_deadline_alike(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	if (on_sim())
		SKIP("the simulator tells by chance that a file is cold");
	world_pair(pair);
	clog_with_file(pair[0], file);
	submit(ring, sl_op_sendfile(&op, pair[0], file, 0, LEN));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &op), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, -ECANCELED);
	sl_op_sendfile(&op, pair[0], file, 0, LEN)->deadline_ns = sl_ring_clock(ring) + 5 * MS;
	submit(ring, &op);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(op.res, -ETIMEDOUT);
	sl_ring_close(ring);
}

/* cachestat(2), newer than the headers; -1: not here. */
static int cached_pages(int fd, uint64_t *ret_pages)
{
	uint64_t range[2] = { 0, 0 }, counts[5];

	if (syscall(451, fd, range, counts, 0U) < 0)
		return -1;
	*ret_pages = counts[0];
	return 0;
}

/* Out of the page cache with it; pages in use may take more than one try. */
static void forget(int file)
{
	uint64_t cached = 0;

	assert_int_equal(fsync(file), 0);
	for (unsigned i = 0; i < 100; i++) {
		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		if (cached_pages(file, &cached) || !cached)
			break;
	}
}

static void a_cold_file_is_told_and_not_waited_for(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char *data = malloc(1 << 20);
	struct iovec byte = { data, 1 };
	uint64_t cached;
	int file, pair[2];
	int64_t sent;

	(void)state;
	assert_non_null(data);
	file = pattern_file(ring, data, 1 << 20);
	world_pair(pair);
	if (preadv2(file, &byte, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP)
		SKIP("the file system of the test directory does not tell what is cached");
	forget(file);
	for (unsigned i = 0; i < 2; i++) {
		sent = sl_ring_do(ring, sl_op_sendfile(&op, pair[0], file, 0, 1 << 20));
		if (sent > 0 || (sent == 0 && op.aux != SL_SENDFILE_COLD))
			SKIP("the page cache keeps a file that it was asked to drop");
		assert_int_equal(sent, 0);
	}
	/* Not even asking for it has warmed it, where pages can be counted. */
	if (!cached_pages(file, &cached))
		assert_int_equal(cached, 0);
	free(data);
	sl_ring_close(ring);
}

static void a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	world_pair(pair);
	close(pair[1]);
	signal(SIGPIPE, SIG_DFL);
	expect_res(ring, sl_op_sendfile(&op, pair[0], file, 0, LEN), -EPIPE);
	expect_res(ring, sl_op_sendfile(&op, pair[0], file, 0, LEN), -EPIPE);
	sl_ring_close(ring);
}

static void the_mode_of_the_socket_stays_as_it_was(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	char data[LEN];
	int file = pattern_file(ring, data, LEN), pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	expect_res(ring, sl_op_sendfile(&op, pair[0], file, 0, LEN), LEN);
	assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
	sl_ring_close(ring);
}

static void what_is_no_file_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };
	int pair[2], other[2];

	(void)state;
	world_pair(pair);
	world_pair(other);
	assert_true(sl_ring_do(ring, sl_op_sendfile(&op, pair[0], other[0], 0, 10)) < 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_cached_file_goes_to_a_socket, NET | BLOCK, 0),
	T(at_the_end_of_the_file_nothing_is_sent, NET | BLOCK, 0),
	T(wrong_descriptors_are_errors, NET | BLOCK, 0),
	T(a_full_socket_is_waited_for, NET | BLOCK, 0),
	T(told_not_to_wait_it_answers_at_once, NET | BLOCK, 0),
	T(a_file_sent_waits_for_cancel_and_deadline_alike, NET | BLOCK, 0),
	T(a_cold_file_is_told_and_not_waited_for, NET | BLOCK, ON_KERNEL),
	T(a_peer_that_is_gone_is_an_error_and_no_signal, NET | BLOCK, ON_KERNEL),
	T(the_mode_of_the_socket_stays_as_it_was, NET | BLOCK, ON_KERNEL),
	T(what_is_no_file_is_refused, NET | BLOCK, 0),
};

const struct contract_group sendfile_tests = GROUP(tests);
