/*
 * The entries that the io_uring backend prepares: registered buffers and descriptors,
 * multishots, provided buffers, zero-copy and batched waits are used, not only had.
 *
 * With a plain entry in its place each of these ops would give the same result, so what
 * every backend promises cannot tell. An entry stays in its place of the submission queue when
 * the kernel has taken it, and is looked at there.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <sluice/sluice.h>

#include "harness.h"
#include "backend/uring/backend.h"
#include "backend/uring/uring.h"
#include "engine/engine.h"
#include "sys/rw.h"

#define SECOND INT64_C(1000000000)
#define MS     INT64_C(1000000)

static struct sl_ring *open_with(struct sl_ring_opts opts, const char *options)
{
	const struct sl_ring_choice choice = { .backend = &sl_backend_uring, .options = options };
	struct sl_ring *ring;
	char why[256];
	int err;

	/* An inline attempt would answer before there is an entry. */
	opts.flags |= SL_RING_NO_INLINE;
	err = sl_ring_open_on(&opts, &choice, &ring, why);
	if (err == -ENOSYS || err == -EPERM || err == -ENOMEM)
		SKIP("%s", why);
	assert_int_equal(err, 0);
	return ring;
}

static struct sl_ring *open_usual(void)
{
	return open_with((struct sl_ring_opts){ .depth = 64 }, "");
}

static struct uring *state_of(struct sl_ring *ring)
{
	return ring->state;
}

static void pair(int ret_fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret_fds), 0);
}

static void close_both(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static int open_file(void)
{
	int fd = open(support_tmpdir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* ---- what was prepared --------------------------------------------------------------- */

/* Submits, and returns the entry that the op became. */
static struct sl_uring_sqe entry_of(struct sl_ring *ring, struct sl_op *op)
{
	const struct uring_queue *q = &state_of(ring)->q;
	uint64_t user_data;

	assert_int_equal(sl_ring_submit(ring, op), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	user_data = uring_mark(&ring->slots[op->slot])->user_data;
	for (uint32_t back = 1; back <= q->sq_entries; back++) {
		const struct sl_uring_sqe *sqe = &q->sqes[(q->sq_tail - back) & q->sq_mask];

		if (sqe->user_data == user_data)
			return *sqe;
	}
	fail_msg("%s became no entry", sl_op_name(op->code));
	return (struct sl_uring_sqe){ 0 };
}

/* An op without a callback. */
static void expect_end(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	assert_ptr_equal(sl_ring_next(ring, sl_ring_clock(ring) + 20 * SECOND), op);
	assert_int_equal(op->res, res);
}

static struct sl_buf_pool *make_pool(struct sl_ring *ring, uint32_t flags)
{
	const struct sl_buf_pool_opts opts = { .flags = flags, .count = 4, .buf_bytes = 4096 };
	struct sl_buf_pool *pool;

	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	return pool;
}

static struct sl_buf_pool *make_registered_pool(struct sl_ring *ring)
{
	struct sl_buf_pool *pool = make_pool(ring, 0);
	struct sl_buf_pool_info info;

	sl_buf_pool_info(pool, &info);
	if (!info.registered)
		SKIP("no registered buffers here: %s", info.why);
	return pool;
}

/* ---- registered buffers -------------------------------------------------------------- */

static void transfer(struct sl_ring *ring, int fd, char *buf, bool fixed)
{
	struct sl_uring_sqe sqe;
	struct sl_op op = { 0 };

	memset(buf, 'w', 512);
	sqe = entry_of(ring, sl_op_write(&op, fd, buf, 512, 0));
	expect_end(ring, &op, 512);
	assert_int_equal(sqe.opcode, fixed ? SL_URING_OP_WRITE_FIXED : SL_URING_OP_WRITE);
	memset(buf, 0, 512);
	sqe = entry_of(ring, sl_op_read(&op, fd, buf, 512, 0));
	expect_end(ring, &op, 512);
	assert_int_equal(sqe.opcode, fixed ? SL_URING_OP_READ_FIXED : SL_URING_OP_READ);
	assert_int_equal(buf[0], 'w');
	assert_int_equal(buf[511], 'w');
}

static void transfers_of_a_pools_memory_use_the_registered_buffer(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_buf_pool *pool = make_registered_pool(ring);
	char *buf = sl_buf_get(pool), own[512];
	int fd = open_file();

	(void)state;
	transfer(ring, fd, buf, true);
	transfer(ring, fd, buf + 1024, true);
	transfer(ring, fd, own, false);
	sl_buf_put(pool, buf);
	sl_buf_pool_destroy(pool);
	close(fd);
	sl_ring_close(ring);
}

/* The second pool has another place in the kernel's table than the first. */
static void each_pool_has_a_registered_buffer_of_its_own(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_buf_pool *pools[2] = { make_registered_pool(ring), make_registered_pool(ring) };
	struct sl_uring_sqe sqe[2];
	int fd = open_file();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char *buf = sl_buf_get(pools[i]);
		struct sl_op op = { 0 };

		sqe[i] = entry_of(ring, sl_op_write(&op, fd, buf, 4096, 0));
		expect_end(ring, &op, 4096);
		sl_buf_put(pools[i], buf);
	}
	assert_int_not_equal(sqe[0].buf_index, sqe[1].buf_index);
	for (unsigned i = 0; i < 2; i++)
		sl_buf_pool_destroy(pools[i]);
	close(fd);
	sl_ring_close(ring);
}

/* ---- kept descriptors ---------------------------------------------------------------- */

static struct sl_op *on_a_file(struct sl_op *op, unsigned kind, int fd, char *buf)
{
	switch (kind) {
	case 0:
		return sl_op_write(op, fd, buf, 512, 0);
	case 1:
		return sl_op_read(op, fd, buf, 512, 0);
	case 2:
		return sl_op_fsync(op, fd);
	case 3:
		return sl_op_fdatasync(op, fd);
	default:
		return NULL;
	}
}

static void files_are_named_by_their_place_in_the_table_once_kept(void **state)
{
	struct sl_ring *ring = open_usual();
	int fd = open_file();
	char buf[512] = "";

	(void)state;
	if (!state_of(ring)->files_nr)
		SKIP("no registered descriptors here");
	for (int kept = 0; kept < 2; kept++) {
		struct sl_op op = { 0 };

		if (kept)
			assert_int_equal(sl_ring_keep(ring, fd), 0);
		for (unsigned kind = 0; on_a_file(&op, kind, fd, buf); kind++) {
			struct sl_uring_sqe sqe = entry_of(ring, &op);

			assert_ptr_equal(sl_ring_next(ring, sl_ring_clock(ring) + 20 * SECOND),
					 &op);
			assert_true(op.res >= 0);
			assert_int_equal(!!(sqe.flags & SL_URING_SQE_FIXED_FILE), kept);
			assert_true(kept ? sqe.fd < (int)state_of(ring)->files_nr : sqe.fd == fd);
		}
	}
	assert_int_equal(sl_ring_unkeep(ring, fd), 0);
	close(fd);
	sl_ring_close(ring);
}

static void streams_are_named_by_their_place_in_the_table_once_kept(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_op poll = { 0 }, recv = { 0 }, send = { 0 };
	char byte;
	int fds[2];

	(void)state;
	if (!state_of(ring)->files_nr)
		SKIP("no registered descriptors here");
	pair(fds);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sl_ring_keep(ring, fds[i]), 0);
	assert_true(entry_of(ring, sl_op_send(&send, fds[1], "x", 1, 0)).flags &
		    SL_URING_SQE_FIXED_FILE);
	expect_end(ring, &send, 1);
	assert_true(entry_of(ring, sl_op_poll(&poll, fds[0], POLLIN)).flags &
		    SL_URING_SQE_FIXED_FILE);
	expect_end(ring, &poll, POLLIN);
	assert_true(entry_of(ring, sl_op_recv(&recv, fds[0], &byte, 1, 0)).flags &
		    SL_URING_SQE_FIXED_FILE);
	expect_end(ring, &recv, 1);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sl_ring_unkeep(ring, fds[i]), 0);
	close_both(fds);
	sl_ring_close(ring);
}

/* ---- multishots and provided buffers ------------------------------------------------- */

static unsigned nr_events, nr_ends;
static unsigned buffers_seen; /* by number, as bits */

static void count(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	nr_events++;
	nr_ends += op->more == 0;
	if (op->code == SL_OP_ACCEPT && op->res >= 0)
		close((int)op->res);
	if (op->code == SL_OP_RECV && op->res > 0)
		buffers_seen |= 1U << op->buf_id;
}

static void run_until_events(struct sl_ring *ring, unsigned nr)
{
	while (nr_events < nr)
		assert_true(sl_ring_run(ring, sl_ring_clock(ring) + 20 * SECOND) > 0);
}

/* Ends what is armed, and says how often it was armed anew before. */
static void expect_armed_once(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_ring_stats stats;

	sl_ring_stats(ring, -1, &stats);
	assert_int_equal(nr_ends, 0);
	assert_int_equal(stats.rearmed, 0);
	assert_int_equal(sl_ring_cancel(ring, op), 0);
	run_until_events(ring, nr_events + 1);
	assert_int_equal(nr_ends, 1);
}

static void needs_multishot(struct sl_ring *ring)
{
	nr_events = nr_ends = buffers_seen = 0;
	if (!(sl_ring_caps(ring)->caps & SL_CAP_MULTISHOT))
		SKIP("this kernel ends a multishot accept or receive after one");
}

static int listen_anywhere(struct sockaddr_in *ret_addr)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET,
					  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (const struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)ret_addr, &len), 0);
	return listener;
}

static int connect_to(const struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

static void one_entry_accepts_many_connections(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_op op = { .done = count };
	struct sockaddr_in addr;
	int listener = listen_anywhere(&addr);
	struct sl_uring_sqe sqe;

	(void)state;
	needs_multishot(ring);
	sl_op_accept(&op, listener, NULL, NULL, SOCK_CLOEXEC)->flags |= SL_OP_MULTI;
	sqe = entry_of(ring, &op);
	assert_int_equal(sqe.opcode, SL_URING_OP_ACCEPT);
	assert_int_equal(sqe.ioprio, SL_URING_ACCEPT_MULTISHOT);
	for (unsigned i = 1; i <= 8; i++) {
		int fd = connect_to(&addr);

		run_until_events(ring, i);
		close(fd);
	}
	expect_armed_once(ring, &op);
	close(listener);
	sl_ring_close(ring);
}

static void one_entry_receives_into_many_provided_buffers(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_buf_pool *pool = make_pool(ring, SL_BUF_RECV);
	struct sl_op op = { .done = count };
	struct sl_uring_sqe sqe;
	int fds[2];

	(void)state;
	needs_multishot(ring);
	assert_true(pool_backend_id(pool) >= 0);
	pair(fds);
	sl_op_recv_pooled(&op, fds[0], pool)->flags |= SL_OP_MULTI;
	sqe = entry_of(ring, &op);
	assert_int_equal(sqe.opcode, SL_URING_OP_RECV);
	assert_int_equal(sqe.ioprio, SL_URING_RECV_MULTISHOT);
	assert_true(sqe.flags & SL_URING_SQE_BUFFER_SELECT);
	assert_int_equal(sqe.buf_index, pool_backend_id(pool));
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(write(fds[1], "hello", 5), 5);
		run_until_events(ring, i);
	}
	assert_int_equal(buffers_seen, 0xf);
	expect_armed_once(ring, &op);
	for (unsigned i = 0; i < 4; i++)
		sl_buf_put(pool, sl_buf_at(pool, i));
	sl_buf_pool_destroy(pool);
	close_both(fds);
	sl_ring_close(ring);
}

/* Until there is data the op holds no buffer of the pool: the kernel picks it then. */
static void waiting_transfers_leave_the_pool_whole(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_buf_pool *pool = make_pool(ring, SL_BUF_RECV);
	struct sl_op recv = { 0 }, read = { 0 };
	struct sl_buf_pool_info info;
	struct sl_uring_sqe sqe;
	int sockets[2], pipes[2];

	(void)state;
	pair(sockets);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	sqe = entry_of(ring, sl_op_recv_pooled(&recv, sockets[0], pool));
	assert_true(sqe.flags & SL_URING_SQE_BUFFER_SELECT);
	assert_int_equal(sqe.addr, 0);
	sqe = entry_of(ring, sl_op_read_pooled(&read, pipes[0], pool));
	assert_true(sqe.flags & SL_URING_SQE_BUFFER_SELECT);
	assert_int_equal(sqe.opcode, SL_URING_OP_READ);
	sl_buf_pool_info(pool, &info);
	assert_int_equal(info.free, 4);
	assert_int_equal(write(sockets[1], "abc", 3), 3);
	expect_end(ring, &recv, 3);
	assert_int_equal(write(pipes[1], "defg", 4), 4);
	expect_end(ring, &read, 4);
	assert_memory_equal(recv.buf, "abc", 3);
	assert_memory_equal(read.buf, "defg", 4);
	sl_buf_put(pool, recv.buf);
	sl_buf_put(pool, read.buf);
	sl_buf_pool_destroy(pool);
	close_both(sockets);
	close_both(pipes);
	sl_ring_close(ring);
}

/* ---- flags of single entries --------------------------------------------------------- */

static void durable_writes_tell_the_kernel(void **state)
{
	struct sl_ring *ring = open_usual();
	char text[] = "durable";
	const struct iovec iov = { text, 7 };
	struct sl_op op = { 0 };
	int fd = open_file();

	(void)state;
	assert_false(entry_of(ring, sl_op_write(&op, fd, "plain", 5, 0)).op_flags & SL_RWF_DSYNC);
	expect_end(ring, &op, 5);
	sl_op_write(&op, fd, "durable", 7, 0)->flags |= SL_OP_DSYNC;
	assert_true(entry_of(ring, &op).op_flags & SL_RWF_DSYNC);
	expect_end(ring, &op, 7);
	sl_op_writev(&op, fd, &iov, 1, 0)->flags |= SL_OP_DSYNC;
	assert_true(entry_of(ring, &op).op_flags & SL_RWF_DSYNC);
	expect_end(ring, &op, 7);
	assert_int_equal(entry_of(ring, sl_op_fdatasync(&op, fd)).op_flags,
			 SL_URING_FSYNC_DATASYNC);
	expect_end(ring, &op, 0);
	assert_int_equal(entry_of(ring, sl_op_fsync(&op, fd)).op_flags, 0);
	expect_end(ring, &op, 0);
	close(fd);
	sl_ring_close(ring);
}

static void zero_copy_send_of_a_pools_memory_uses_the_registered_buffer(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_buf_pool *pool = make_registered_pool(ring);
	char *buf = sl_buf_get(pool), got[64];
	struct sl_op op = { .done = count };
	struct sockaddr_in addr;
	int listener = listen_anywhere(&addr), client, server;
	struct sl_uring_sqe sqe;

	(void)state;
	nr_events = nr_ends = 0;
	if (!state_of(ring)->zc)
		SKIP("this kernel sends nothing without a copy (6.0 does)");
	client = connect_to(&addr);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	memset(buf, 'z', sizeof(got));
	sl_op_send(&op, client, buf, sizeof(got), 0)->flags |= SL_OP_ZC;
	sqe = entry_of(ring, &op);
	assert_int_equal(sqe.opcode, SL_URING_OP_SEND_ZC);
	assert_true(sqe.ioprio & SL_URING_RECVSEND_FIXED_BUF);
	run_until_events(ring, 2);
	assert_int_equal(nr_ends, 1);
	assert_int_equal(op.res, sizeof(got));
	assert_int_equal(recv(server, got, sizeof(got), MSG_WAITALL), sizeof(got));
	assert_int_equal(got[63], 'z');
	close(client);
	close(server);
	close(listener);
	sl_buf_put(pool, buf);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

/* ---- waits and workers --------------------------------------------------------------- */

static uint64_t enters(struct sl_ring *ring)
{
	struct sl_ring_stats stats;

	sl_ring_stats(ring, -1, &stats);
	return stats.enters;
}

/* Polls one descriptor for each op; of those before nr_ready at once. */
static void submit_polls(struct sl_ring *ring, struct sl_op *ops, unsigned nr_ready, int fd)
{
	for (unsigned i = 0; i < 4; i++) {
		sl_op_poll(&ops[i], fd, i < nr_ready ? POLLOUT : POLLIN);
		ops[i].done = count;
		assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
	}
}

/* The kernel is told the number and the time, so it comes back once: when the batch is whole, or
 * with fewer when the time has passed. Not told the time it would not come back. */
static void batch_is_gathered_by_the_kernel_in_one_wait(void **state)
{
	const struct sl_ring_opts opts = { .depth = 8, .wait_batch = 4, .wait_ns = 20 * MS };
	struct sl_ring *ring = open_with(opts, "");
	struct sl_op ops[4];
	int fds[2];

	(void)state;
	memset(ops, 0, sizeof(ops));
	if (!(sl_ring_caps(ring)->caps & SL_CAP_BATCH_WAIT) || !state_of(ring)->wake_by_message)
		SKIP("this kernel gathers no batch for a time (6.13 does)");
	pair(fds);
	alarm(30);
	for (unsigned nr_ready = 4; nr_ready >= 2; nr_ready -= 2) {
		uint64_t before = enters(ring);

		submit_polls(ring, ops, nr_ready, fds[0]);
		assert_int_equal(sl_ring_run(ring, 0), nr_ready);
		assert_int_equal(enters(ring) - before, 1);
	}
	alarm(0);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	close_both(fds);
	sl_ring_close(ring);
}

static void io_wq_is_bounded_by_the_number_of_workers(void **state)
{
	static const char *const options[] = { "", "sqpoll" };
	static const unsigned workers[] = { 1, 3, 2 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 3; k++) {
			const struct sl_ring_opts opts = { .depth = 8, .workers = workers[k] };
			struct sl_ring *ring = open_with(opts, options[i]);
			uint32_t bounds[2] = { 0, 0 };

			/* Zeroes change nothing and ask. */
			assert_int_equal(
				uring_queue_iowq_max_workers(&state_of(ring)->q, 0, 0, bounds), 0);
			assert_int_equal(bounds[0], workers[k]);
			assert_int_equal(bounds[1], workers[k]);
			sl_ring_close(ring);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(transfers_of_a_pools_memory_use_the_registered_buffer),
		TEST(each_pool_has_a_registered_buffer_of_its_own),
		TEST(files_are_named_by_their_place_in_the_table_once_kept),
		TEST(streams_are_named_by_their_place_in_the_table_once_kept),
		TEST(one_entry_accepts_many_connections),
		TEST(one_entry_receives_into_many_provided_buffers),
		TEST(waiting_transfers_leave_the_pool_whole),
		TEST(durable_writes_tell_the_kernel),
		TEST(zero_copy_send_of_a_pools_memory_uses_the_registered_buffer),
		TEST(batch_is_gathered_by_the_kernel_in_one_wait),
		TEST(io_wq_is_bounded_by_the_number_of_workers),
	};

	return RUN_TESTS(tests);
}
