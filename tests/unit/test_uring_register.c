/* What a raw ring can register: buffers, files, buffer rings, bounds, messages, cancels. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uring_fixture.h"

#define PAGE	  4096
#define GROUP	  3
#define BUFS	  4
#define BUF_BYTES 32

static int file_of(const char *text)
{
	int fd = open(support_tmpdir(), O_TMPFILE | O_RDWR, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void registered_buffer_reads_a_file(void **state)
{
	struct uring_queue q;
	char *mem = aligned_alloc(PAGE, PAGE);
	const struct iovec iov = { mem, PAGE };
	int fd = file_of("registered");

	(void)state;
	open_usual(&q);
	assert_int_equal(uring_queue_buffers_sparse(&q, 16), 0);
	assert_int_equal(uring_queue_buffers_sparse(&q, 16), -EBUSY);
	assert_int_equal(uring_queue_buffers_update(&q, 5, &iov, NULL, 1), 1);
	assert_int_equal(uring_queue_buffers_update(&q, 16, &iov, NULL, 1), -EINVAL);
	assert_true(uring_queue_push(&q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_READ_FIXED,
								 .fd = fd,
								 .addr = (uintptr_t)mem + 16,
								 .len = 100,
								 .buf_index = 5,
								 .user_data = 1 }));
	assert_int_equal(reap(&q, 1), 10);
	assert_memory_equal(mem + 16, "registered", 10);
	uring_queue_close(&q);
	close(fd);
	free(mem);
}

static void push_read_of_slot(struct uring_queue *q, uint32_t slot, void *buf, uint64_t user_data)
{
	assert_true(uring_queue_push(q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_READ,
								.flags = SL_URING_SQE_FIXED_FILE,
								.fd = (int)slot,
								.addr = (uintptr_t)buf,
								.len = 16,
								.user_data = user_data }));
}

static void file_slot_is_tagged_when_it_retires(void **state)
{
	struct uring_queue q;
	const uint64_t tag = 77;
	const int none = -1;
	char buf[16];
	int fd = file_of("slot");

	(void)state;
	open_usual(&q);
	assert_int_equal(uring_queue_files_sparse(&q, 8), 0);
	push_read_of_slot(&q, 2, buf, 1);
	assert_int_equal(reap(&q, 1), -EBADF);
	assert_int_equal(uring_queue_files_update(&q, 2, &fd, &tag, 1), 1);
	close(fd);
	push_read_of_slot(&q, 2, buf, 2);
	assert_int_equal(reap(&q, 2), 4);
	assert_memory_equal(buf, "slot", 4);
	assert_int_equal(uring_queue_files_update(&q, 2, &none, NULL, 1), 1);
	assert_int_equal(reap(&q, tag), 0);
	uring_queue_close(&q);
}

static void slots_are_picked_from_the_given_range(void **state)
{
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	assert_int_equal(uring_queue_files_sparse(&q, 8), 0);
	assert_int_equal(uring_queue_file_alloc_range(&q, 6, 2), 0);
	assert_int_equal(uring_queue_file_alloc_range(&q, 6, 3), -EINVAL);
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(uring_queue_push(
			&q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_OPENAT,
						    .fd = AT_FDCWD,
						    .addr = (uintptr_t) "/dev/null",
						    .op_flags = O_RDONLY,
						    .file_index = SL_URING_FILE_INDEX_ALLOC,
						    .user_data = i }));
		assert_int_equal(reap(&q, i), i < 2 ? 6 + (int)i : -ENFILE);
	}
	uring_queue_close(&q);
}

static void provided_buffers_run_out_and_come_back(void **state)
{
	struct uring_queue q;
	struct sl_uring_buf *ring = aligned_alloc(PAGE, PAGE);
	static char mem[BUFS][BUF_BYTES];
	const struct sl_uring_sqe recv_any = { .opcode = SL_URING_OP_RECV,
					       .flags = SL_URING_SQE_BUFFER_SELECT,
					       .fd = 0,
					       .buf_index = GROUP };
	struct sl_uring_sqe request = recv_any;
	uint16_t tail = 0;
	int pair[2], again;

	(void)state;
	open_usual(&q);
	memset(ring, 0, PAGE);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	request.fd = pair[0];
	assert_int_equal(uring_queue_buf_ring_register(&q, ring, BUFS, GROUP, 0), 0);
	assert_int_equal(uring_queue_buf_ring_register(&q, ring, BUFS, GROUP, 0), -EEXIST);
	for (uint64_t round = 0; round < 100; round++) {
		const struct sl_uring_cqe *cqe;
		struct sl_uring_buf buf = { .addr = (uintptr_t)mem[round % BUFS],
					    .len = BUF_BYTES,
					    .bid = (uint16_t)(round % BUFS) };

		assert_int_equal(write(pair[1], &round, sizeof(round)), sizeof(round));
		request.user_data = round;
		assert_true(uring_queue_push(&q, &request));
		assert_int_equal(reap(&q, round), -ENOBUFS);
		uring_buf_ring_add(ring, BUFS, &tail, &buf);
		uring_buf_ring_publish(ring, tail);
		assert_true(uring_queue_push(&q, &request));
		assert_true(uring_queue_submit(&q, &(struct uring_queue_wait){ .nr = 1 }) >= 0);
		cqe = uring_queue_peek(&q);
		assert_non_null(cqe);
		assert_int_equal(cqe->res, sizeof(round));
		assert_true(cqe->flags & SL_URING_CQE_F_BUFFER);
		assert_int_equal(cqe->flags >> SL_URING_CQE_BUFFER_SHIFT, buf.bid);
		assert_memory_equal(mem[buf.bid], &round, sizeof(round));
		uring_queue_seen(&q, 1);
	}
	assert_int_equal(uring_queue_buf_ring_unregister(&q, GROUP), 0);
	again = uring_queue_buf_ring_unregister(&q, GROUP);
	assert_true(again == -ENOENT || again == -EINVAL);
	uring_queue_close(&q);
	close(pair[0]);
	close(pair[1]);
	free(ring);
}

static void worker_bounds_are_set_and_told(void **state)
{
	struct uring_queue q;
	uint32_t old[2] = { 0 };

	(void)state;
	open_usual(&q);
	assert_int_equal(uring_queue_iowq_max_workers(&q, 3, 5, old), 0);
	assert_true(old[0] > 0 && old[1] > 0);
	assert_int_equal(uring_queue_iowq_max_workers(&q, 0, 0, old), 0);
	assert_int_equal(old[0], 3);
	assert_int_equal(old[1], 5);
	uring_queue_close(&q);
}

static void operations_are_known_or_not(void **state)
{
	struct uring_ops ops;
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	assert_int_equal(uring_queue_ops(&q, &ops), 0);
	assert_true(uring_ops_has(&ops, SL_URING_OP_NOP));
	assert_true(uring_ops_has(&ops, SL_URING_OP_READ));
	assert_false(uring_ops_has(&ops, 255));
	assert_false(uring_ops_has(&ops, 256));
	/* Asked and tried agree. */
	assert_true(uring_queue_push(&q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_FTRUNCATE,
								 .fd = -1,
								 .user_data = 1 }));
	assert_int_equal(reap(&q, 1),
			 uring_ops_has(&ops, SL_URING_OP_FTRUNCATE) ? -EBADF : -EINVAL);
	uring_queue_close(&q);
}

static void message_arrives_without_a_ring_of_ones_own(void **state)
{
	struct uring_queue q;
	int err;

	(void)state;
	open_usual(&q);
	err = uring_msg_send(q.fd, 99, 1234);
	if (err == -EINVAL) {
		uring_queue_close(&q);
		SKIP("this kernel sends ring messages only from another ring (6.13 can without)");
	}
	assert_int_equal(err, 0);
	assert_int_equal(reap(&q, 99), 1234);
	assert_int_equal(uring_msg_send(0, 99, 1), -EBADFD);
	uring_queue_close(&q);
}

static void synchronous_cancel_ends_a_pending_read(void **state)
{
	struct uring_queue q;
	char buf[16];
	int fds[2];

	(void)state;
	open_usual(&q);
	assert_int_equal(pipe(fds), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_true(uring_queue_push(&q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_READ,
									 .fd = fds[0],
									 .addr = (uintptr_t)buf,
									 .len = sizeof(buf),
									 .off = UINT64_MAX,
									 .user_data = i }));
	assert_int_equal(uring_queue_submit(&q, NULL), 3);
	assert_true(uring_queue_cancel_sync(&q, 1, -1, 0, -1) >= 0);
	assert_int_equal(reap(&q, 1), -ECANCELED);
	assert_int_equal(uring_queue_cancel_sync(&q, 1, -1, 0, 0), -ENOENT);
	assert_true(uring_queue_cancel_sync(&q, 0, -1, SL_URING_CANCEL_ANY | SL_URING_CANCEL_ALL,
					    -1) >= 0);
	assert_true(uring_queue_submit(&q, &(struct uring_queue_wait){ .nr = 2 }) >= 0);
	assert_int_equal(uring_queue_ready(&q), 2);
	assert_int_equal(uring_queue_cqe(&q, 0)->res, -ECANCELED);
	assert_int_equal(uring_queue_cqe(&q, 1)->res, -ECANCELED);
	uring_queue_close(&q);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registered_buffer_reads_a_file),
		TEST(file_slot_is_tagged_when_it_retires),
		TEST(slots_are_picked_from_the_given_range),
		TEST(provided_buffers_run_out_and_come_back),
		TEST(worker_bounds_are_set_and_told),
		TEST(operations_are_known_or_not),
		TEST(message_arrives_without_a_ring_of_ones_own),
		TEST(synchronous_cancel_ends_a_pending_read),
	};

	return RUN_TESTS(tests);
}
