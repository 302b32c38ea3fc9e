/* liburing is the oracle: the same request through both rings gives the same completion. */
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uring_fixture.h"

#define REQUESTS 2000

static char ours_buf[8192];
static char theirs_buf[8192];

struct both {
	struct uring_queue ours;
	struct io_uring theirs;
	int file;
	int null;
	int sock[2];
};

static void open_both(struct both *both)
{
	int err;

	open_usual(&both->ours);
	err = io_uring_queue_init(8, &both->theirs, 0);
	if (err)
		fail_msg("liburing cannot open a ring: %s", strerror(-err));
	both->file = open(support_tmpdir(), O_TMPFILE | O_RDWR, 0600);
	assert_true(both->file >= 0);
	memset(ours_buf, 'x', sizeof(ours_buf));
	assert_int_equal(write(both->file, ours_buf, 6000), 6000);
	both->null = open("/dev/null", O_RDWR);
	assert_true(both->null >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, both->sock), 0);
}

static void close_both(struct both *both)
{
	uring_queue_close(&both->ours);
	io_uring_queue_exit(&both->theirs);
	close(both->file);
	close(both->null);
	close(both->sock[0]);
	close(both->sock[1]);
}

/* A request that leaves no trace, so that the second ring meets what the first one met. */
static struct sl_uring_sqe random_request(const struct both *both, uint64_t *seed)
{
	const int fds[] = { both->file, both->null, both->sock[0], -1 };
	struct sl_uring_sqe request = { .fd = fds[support_random(seed) % 4] };

	request.len = (uint32_t)(support_random(seed) % sizeof(ours_buf));
	request.off = support_random(seed) % 10000;
	request.user_data = support_random(seed);
	switch (support_random(seed) % 6) {
	case 0:
		request.opcode = SL_URING_OP_NOP;
		break;
	case 1:
		request.opcode = SL_URING_OP_READ;
		request.op_flags = support_random(seed) % 2 ? RWF_NOWAIT : 0;
		if (request.fd == both->sock[0])
			request.op_flags = RWF_NOWAIT;
		break;
	case 2:
		request.opcode = SL_URING_OP_FSYNC;
		request.off = 0;
		request.len = 0;
		request.op_flags = SL_URING_FSYNC_DATASYNC;
		break;
	case 3:
		request.opcode = SL_URING_OP_RECV;
		request.op_flags = MSG_DONTWAIT;
		request.off = 0;
		break;
	case 4:
		request.opcode = SL_URING_OP_POLL_ADD;
		request.op_flags = POLLOUT;
		request.off = 0;
		request.len = 0;
		break;
	default:
		request.opcode = (uint8_t)(200 + support_random(seed) % 50);
	}
	return request;
}

static struct sl_uring_cqe through_ours(struct both *both, struct sl_uring_sqe request)
{
	const struct uring_queue_wait wait = { .nr = 1, .deadline_ns = clock_ns() + WAIT_LONG_NS };
	struct sl_uring_cqe cqe;

	request.addr = request.opcode == SL_URING_OP_READ || request.opcode == SL_URING_OP_RECV ?
			       (uintptr_t)ours_buf :
			       0;
	assert_true(uring_queue_push(&both->ours, &request));
	assert_int_equal(uring_queue_submit(&both->ours, &wait), 1);
	assert_int_equal(uring_queue_ready(&both->ours), 1);
	cqe = *uring_queue_peek(&both->ours);
	uring_queue_seen(&both->ours, 1);
	return cqe;
}

static struct sl_uring_cqe through_theirs(struct both *both, struct sl_uring_sqe request)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&both->theirs);
	struct io_uring_cqe *cqe;
	struct sl_uring_cqe copy;

	request.addr = request.opcode == SL_URING_OP_READ || request.opcode == SL_URING_OP_RECV ?
			       (uintptr_t)theirs_buf :
			       0;
	assert_non_null(sqe);
	memcpy(sqe, &request, sizeof(*sqe));
	assert_int_equal(io_uring_submit(&both->theirs), 1);
	assert_int_equal(io_uring_wait_cqe(&both->theirs, &cqe), 0);
	memcpy(&copy, cqe, sizeof(copy));
	io_uring_cqe_seen(&both->theirs, cqe);
	return copy;
}

static void same_requests_give_the_same_completions(void **state)
{
	uint64_t seed = support_seed();
	struct both both;

	(void)state;
	open_both(&both);
	for (int i = 0; i < REQUESTS; i++) {
		struct sl_uring_sqe request = random_request(&both, &seed);
		struct sl_uring_cqe ours;
		struct sl_uring_cqe theirs;

		memset(ours_buf, 0, sizeof(ours_buf));
		memset(theirs_buf, 0, sizeof(theirs_buf));
		ours = through_ours(&both, request);
		theirs = through_theirs(&both, request);
		if (memcmp(&ours, &theirs, sizeof(ours)) != 0)
			fail_msg("request %d, operation %d on %d: ours %d/%#x, liburing %d/%#x", i,
				 request.opcode, request.fd, ours.res, ours.flags, theirs.res,
				 theirs.flags);
		assert_memory_equal(ours_buf, theirs_buf, sizeof(ours_buf));
	}
	close_both(&both);
}

static void both_see_the_same_ring(void **state)
{
	struct io_uring_params theirs_params = { 0 };
	struct uring_queue_report report;
	struct uring_queue ours;
	struct io_uring theirs;

	(void)state;
	open_or_skip(&ours, &(struct uring_queue_opts){ .sq_entries = 100 }, &report);
	assert_int_equal(io_uring_queue_init_params(100, &theirs, &theirs_params), 0);
	assert_int_equal(report.features, theirs_params.features);
	assert_int_equal(report.sq_entries, theirs_params.sq_entries);
	assert_int_equal(report.cq_entries, theirs_params.cq_entries);
	io_uring_queue_exit(&theirs);
	uring_queue_close(&ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_see_the_same_ring),
		TEST(same_requests_give_the_same_completions),
	};

	return RUN_TESTS(tests);
}
