/*
 * noalloc.c - submit, run, next and cancel allocate nothing, whatever the operation.
 *
 * The test binary is linked with --wrap for every function that allocates, so
 * each call that the library makes is counted while a load runs. The simulator keeps
 * its disks and its network in memory, which grows: there only what is asked of the
 * ring's own allocator counts.
 */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static unsigned nr_allocations;
static bool counting;
static bool world_in_memory;

static void tally(void)
{
	if (__atomic_load_n(&counting, __ATOMIC_RELAXED))
		__atomic_fetch_add(&nr_allocations, 1, __ATOMIC_RELAXED);
}

/* The linker sends the library's calls of f here, and __real_f to f itself. */
#define WRAP(type, f, params, args)     \
	type __real_##f params;         \
	type __wrap_##f params;         \
	type __wrap_##f params          \
	{                               \
		if (!world_in_memory)   \
			tally();        \
		return __real_##f args; \
	}

WRAP(void *, malloc, (size_t bytes), (bytes))
WRAP(void *, calloc, (size_t nr, size_t bytes), (nr, bytes))
WRAP(void *, realloc, (void *ptr, size_t bytes), (ptr, bytes))
WRAP(void *, aligned_alloc, (size_t align, size_t bytes), (align, bytes))
WRAP(int, posix_memalign, (void **ptr, size_t align, size_t bytes), (ptr, align, bytes))
WRAP(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t off),
     (at, len, prot, flags, fd, off))
WRAP(void *, mmap64, (void *at, size_t len, int prot, int flags, int fd, off_t off),
     (at, len, prot, flags, fd, off))

static void *counted_alloc(void *ctx, size_t bytes, size_t align)
{
	void *ptr = NULL;

	(void)ctx;
	tally();
	return posix_memalign(&ptr, align < sizeof(void *) ? sizeof(void *) : align, bytes) ? NULL :
											      ptr;
}

static void counted_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

static struct sl_ring *open_counted(unsigned depth, unsigned park_max)
{
	const struct sl_allocator allocator = { counted_alloc, counted_free, NULL };

	world_in_memory = on_sim();
	return ring_open_with(&(struct sl_ring_opts){
		.depth = depth, .park_max = park_max, .allocator = &allocator });
}

static void count_from_here(void)
{
	nr_allocations = 0;
	__atomic_store_n(&counting, true, __ATOMIC_RELAXED);
}

static void expect_none(void)
{
	__atomic_store_n(&counting, false, __ATOMIC_RELAXED);
	assert_int_equal(nr_allocations, 0);
}

enum {
	NR_OPS = 48,
	ROUNDS = 300,
	FEW_ROUNDS = 30
};

static struct sl_op ops[NR_OPS];
static char bufs[NR_OPS][512];

static int64_t nothing(void *ctx)
{
	(void)ctx;
	return 0;
}

/* One of every kind that the groups of this backend have. */
static void prepare(struct sl_ring *ring, unsigned i, uint64_t dice, const int fds[3])
{
	struct sl_op *op = &ops[i];
	int64_t now = sl_ring_now(ring);

	op->done = dice % 3 ? note : NULL;
	switch (dice / 3 % 9) {
	case 0:
		sl_op_nop(op);
		break;
	case 1:
		sl_op_timer(op, now + 1000, 0);
		break;
	case 2:
		sl_op_work(op, nothing, NULL);
		break;
	case 3:
		sl_op_poll(op, fds[1], POLLOUT);
		break;
	case 4:
		sl_op_write(op, fds[0], bufs[i], 512, i * 512);
		break;
	case 5:
		sl_op_read(op, fds[0], bufs[i], 512, i * 512);
		break;
	case 6:
		sl_op_read(op, fds[1], bufs[i], 1, SL_OFF_CURRENT)->deadline_ns = now + MS;
		break;
	case 7:
		sl_op_fdatasync(op, fds[2]);
		break;
	default:
		sl_op_read(op, world_bad_fd(), bufs[i], 1, 0);
	}
	op->flags |= SL_OP_PARK;
}

static void mixed_load(struct sl_ring *ring, uint64_t *seed, const int fds[3])
{
	struct sl_op *chain[2];

	for (unsigned i = 0; i < NR_OPS; i++)
		prepare(ring, i, support_random(seed), fds);
	for (unsigned i = 0; i < NR_OPS - 2; i++)
		submit(ring, &ops[i]);
	for (unsigned i = 0; i < 2; i++)
		chain[i] = &ops[NR_OPS - 2 + i];
	chain[0]->flags |= SL_OP_LINKED;
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	sl_ring_cancel(ring, &ops[support_random(seed) % NR_OPS]);
	sl_ring_cancel_fd(ring, fds[1]);
	while (sl_ring_next(ring, 0))
		continue;
	ring_settle(ring);
	trace_reset();
}

static void the_data_path_allocates_nothing(void **state)
{
	struct sl_ring *ring = open_counted(16, NR_OPS);
	uint64_t seed = support_seed();
	int pair[2], fds[3];

	(void)state;
	world_pair(pair);
	fds[0] = world_file();
	fds[1] = pair[0];
	fds[2] = on_memory() ? fds[0] : memfd_create("sluice-sync", MFD_CLOEXEC);
	count_from_here();
	for (unsigned round = 0; round < ROUNDS; round++)
		mixed_load(ring, &seed, fds);
	expect_none();
	sl_ring_close(ring);
}

/* ---- files: vectors, registered memory, sizes, a kept descriptor -------------------------- */

static void use_file(struct sl_ring *ring, struct sl_buf_pool *pool, int file)
{
	char *buf = sl_buf_get(pool);
	const struct iovec iov[2] = { { buf, 100 }, { buf + 1000, 200 } };
	struct sl_op op = { 0 };

	assert_non_null(buf);
	expect_res(ring, sl_op_write(&op, file, buf, 4096, 0), 4096);
	expect_res(ring, sl_op_writev(&op, file, iov, 2, 0), 300);
	op.flags |= SL_OP_DSYNC;
	expect_res(ring, &op, 300);
	expect_res(ring, sl_op_readv(&op, file, iov, 2, 0), 300);
	expect_res(ring, sl_op_read(&op, file, buf, 4096, 2048), 2048);
	expect_res(ring, sl_op_fsync(&op, file), 0);
	expect_res(ring, sl_op_allocate(&op, file, 0, 0, 8192), 0);
	expect_res(ring, sl_op_truncate(&op, file, 4096), 0);
	sl_buf_put(pool, buf);
}

static void transfers_of_files_allocate_nothing(void **state)
{
	const struct sl_buf_pool_opts opts = { .size = sizeof(opts),
					       .count = 1,
					       .buf_bytes = 4096 };
	struct sl_ring *ring = open_counted(8, 0);
	struct sl_buf_pool *pool;
	int file = world_file();

	(void)state;
	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	count_from_here();
	for (unsigned round = 0; round < FEW_ROUNDS; round++)
		use_file(ring, pool, file);
	expect_none();
	assert_int_equal(sl_ring_keep(ring, file), 0);
	count_from_here();
	for (unsigned round = 0; round < FEW_ROUNDS; round++)
		use_file(ring, pool, file);
	expect_none();
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

/* ---- streams: send, recv, messages, pooled, multi, zero-copy ------------------------------- */

static struct sl_buf_pool *recv_pool;
static unsigned nr_received;

static void give_back(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	if (op->res > 0) {
		nr_received += (unsigned)op->res;
		sl_buf_put(recv_pool, op->buf);
	}
}

static void exchange(struct sl_ring *ring, const int pair[2])
{
	static char text[64], back[64];
	struct iovec out[2] = { { text, 10 }, { text + 20, 22 } }, in = { back, sizeof(back) };
	const struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 };
	struct msghdr received = { .msg_iov = &in, .msg_iovlen = 1 };
	struct sl_op op = { 0 };

	expect_res(ring, sl_op_send(&op, pair[0], text, 32, 0), 32);
	expect_res(ring, sl_op_recv(&op, pair[1], back, sizeof(back), 0), 32);
	sl_op_send(&op, pair[0], out, 2, 0)->flags |= SL_OP_VEC;
	expect_res(ring, &op, 32);
	sl_op_recv(&op, pair[1], &in, 1, 0)->flags |= SL_OP_VEC;
	expect_res(ring, &op, 32);
	expect_res(ring, sl_op_sendmsg(&op, pair[0], &sent, 0), 32);
	expect_res(ring, sl_op_recvmsg(&op, pair[1], &received, 0), 32);
	expect_res(ring, sl_op_write(&op, pair[0], text, 32, SL_OFF_CURRENT), 32);
	expect_res(ring, sl_op_recv_pooled(&op, pair[1], recv_pool), 32);
	sl_buf_put(recv_pool, op.buf);
	expect_res(ring, sl_op_send(&op, pair[0], text, 32, 0), 32);
	expect_res(ring, sl_op_read_pooled(&op, pair[1], recv_pool), 32);
	sl_buf_put(recv_pool, op.buf);
}

/* A multi receive that is armed, fed by zero-copy sends, starved of nothing and cancelled. */
static void exchange_armed(struct sl_ring *ring, const int pair[2])
{
	struct sl_op recv = { .done = give_back }, send = { .done = note };
	static char text[64];

	nr_received = 0;
	trace_reset();
	sl_op_recv_pooled(&recv, pair[1], recv_pool)->flags |= SL_OP_MULTI;
	submit(ring, &recv);
	for (unsigned i = 1; i <= 3; i++) {
		sl_op_send(&send, pair[0], text, 32, 0)->flags |= SL_OP_ZC;
		submit(ring, &send);
		ring_until(ring, &nr_received, i * 32);
		ring_until(ring, &trace.ended, i);
	}
	assert_int_equal(sl_ring_cancel(ring, &recv), 0);
	ring_settle(ring);
}

static void transfers_of_streams_allocate_nothing(void **state)
{
	const struct sl_buf_pool_opts opts = {
		.size = sizeof(opts), .flags = SL_BUF_RECV, .count = 2, .buf_bytes = 4096
	};
	struct sl_ring *ring = open_counted(8, 0);
	int pair[2];

	(void)state;
	assert_int_equal(sl_buf_pool_create(ring, &opts, &recv_pool), 0);
	world_pair(pair);
	count_from_here();
	for (unsigned round = 0; round < FEW_ROUNDS; round++) {
		exchange(ring, pair);
		exchange_armed(ring, pair);
	}
	expect_none();
	sl_buf_pool_destroy(recv_pool);
	sl_ring_close(ring);
}

/* ---- connections ----------------------------------------------------------------------- */

static int64_t give(struct sl_ring *ring, struct sl_op *op)
{
	int64_t res = sl_ring_do(ring, op);

	if (res < 0)
		fail_msg("%s: %s", sl_op_name(op->code), sl_err_name((int)res));
	return res;
}

static unsigned nr_taken;

static void take(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	if (op->res >= 0) {
		nr_taken++;
		close((int)op->res);
	}
}

static int connect_through(struct sl_ring *ring, const struct sockaddr_un *address, socklen_t len)
{
	struct sl_op op = { 0 };
	int fd = (int)give(ring, sl_op_socket(&op, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	expect_res(ring, sl_op_connect(&op, fd, (const struct sockaddr *)address, len), 0);
	return fd;
}

static void connections(struct sl_ring *ring)
{
	const sa_family_t family = AF_UNIX;
	struct sockaddr_un address = { 0 };
	socklen_t len = sizeof(address);
	struct sl_op op = { 0 }, multi = { .done = take };
	int listener, fd, value = 1;

	listener = (int)give(ring, sl_op_socket(&op, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	expect_res(ring, sl_op_bind(&op, listener, (const void *)&family, sizeof(family)), 0);
	expect_res(ring, sl_op_listen(&op, listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	fd = connect_through(ring, &address, len);
	sl_op_setsockopt(&op, fd, SOL_SOCKET, SO_PASSCRED, &value, sizeof(value));
	expect_res(ring, &op, 0);
	sl_op_getsockopt(&op, fd, SOL_SOCKET, SO_TYPE, &value, sizeof(value));
	expect_res(ring, &op, sizeof(value));
	close((int)give(ring, sl_op_accept(&op, listener, NULL, NULL, SOCK_CLOEXEC)));
	expect_res(ring, sl_op_shutdown(&op, fd, SHUT_RDWR), 0);
	expect_res(ring, sl_op_close(&op, fd), 0);
	nr_taken = 0;
	sl_op_accept(&multi, listener, NULL, NULL, SOCK_CLOEXEC)->flags |= SL_OP_MULTI;
	submit(ring, &multi);
	for (unsigned i = 1; i <= 3; i++) {
		fd = connect_through(ring, &address, len);
		ring_until(ring, &nr_taken, i);
		close(fd);
	}
	assert_int_equal(sl_ring_cancel_fd(ring, listener), 1);
	ring_settle(ring);
	expect_res(ring, sl_op_close(&op, listener), 0);
}

static void connections_allocate_nothing(void **state)
{
	struct sl_ring *ring = open_counted(8, 0);

	(void)state;
	count_from_here();
	for (unsigned round = 0; round < FEW_ROUNDS; round++)
		connections(ring);
	expect_none();
	sl_ring_close(ring);
}

/* ---- names ------------------------------------------------------------------------------- */

static void names(struct sl_ring *ring, int dir)
{
	const struct sl_open_how how = { O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, 0 };
	const struct sl_name_pair linked = { "a", "b", dir, 0 }, renamed = { "b", "c", dir, 0 };
	static char list[4096];
	struct sl_op op = { 0 };
	struct statx stx;
	int fd = (int)give(ring, sl_op_open(&op, dir, "a", &how));

	expect_res(ring, sl_op_stat(&op, dir, "a", 0, STATX_BASIC_STATS, &stx), 0);
	expect_res(ring, sl_op_link(&op, dir, &linked), 0);
	expect_res(ring, sl_op_rename(&op, dir, &renamed), 0);
	expect_res(ring, sl_op_symlink(&op, "c", dir, "s"), 0);
	expect_res(ring, sl_op_mkdir(&op, dir, "d", 0700), 0);
	expect_res(ring, sl_op_lock(&op, fd, F_WRLCK, 0, 10), 0);
	expect_res(ring, sl_op_lock(&op, fd, F_UNLCK, 0, 10), 0);
	expect_res(ring, sl_op_close(&op, fd), 0);
	give(ring, sl_op_readdir(&op, dir, list, sizeof(list)));
	expect_res(ring, sl_op_unlink(&op, dir, "a", 0), 0);
	expect_res(ring, sl_op_unlink(&op, dir, "c", 0), 0);
	expect_res(ring, sl_op_unlink(&op, dir, "s", 0), 0);
	expect_res(ring, sl_op_unlink(&op, dir, "d", AT_REMOVEDIR), 0);
	expect_res(ring, sl_op_stat(&op, dir, "a", 0, STATX_BASIC_STATS, &stx), -ENOENT);
	expect_res(ring, sl_op_sync_dir(&op, dir), 0);
	/* where the file system has none of its own, the answer is an error */
	sl_ring_do(ring, sl_op_setxattr(&op, dir, "user.sluice", "x", 1, 0));
	sl_ring_do(ring, sl_op_getxattr(&op, dir, "user.sluice", list, sizeof(list)));
}

static void operations_on_names_allocate_nothing(void **state)
{
	struct sl_ring *ring = open_counted(8, 0);
	int dir = world_dir();

	(void)state;
	assert_true(dir >= 0);
	count_from_here();
	for (unsigned round = 0; round < FEW_ROUNDS; round++)
		names(ring, dir);
	expect_none();
	sl_ring_close(ring);
}

/* ---- what is moved without coming by ------------------------------------------------------ */

static void moves(struct sl_ring *ring, const int pair[2], int file)
{
	struct sl_splice_ends ends = { .source_off = SL_OFF_CURRENT, .target_off = SL_OFF_CURRENT };
	struct sl_op op = { 0 };
	int in[2], out[2];
	char back[64];

	expect_res(ring, sl_op_pipe(&op, in, O_CLOEXEC), 0);
	expect_res(ring, sl_op_pipe(&op, out, O_CLOEXEC), 0);
	expect_res(ring, sl_op_write(&op, in[1], "moved", 5, SL_OFF_CURRENT), 5);
	ends.source_fd = in[0];
	expect_res(ring, sl_op_tee(&op, out[1], &ends, 5), 5);
	expect_res(ring, sl_op_splice(&op, out[1], &ends, 5), 5);
	expect_res(ring, sl_op_read(&op, out[0], back, sizeof(back), SL_OFF_CURRENT), 10);
	ends.source_fd = file;
	ends.source_off = 0;
	expect_res(ring, sl_op_splice(&op, in[1], &ends, 4), 4);
	expect_res(ring, sl_op_sendfile(&op, pair[0], file, 0, 4), 4);
	expect_res(ring, sl_op_recv(&op, pair[1], back, sizeof(back), 0), 4);
	for (unsigned i = 0; i < 2; i++) {
		expect_res(ring, sl_op_close(&op, in[i]), 0);
		expect_res(ring, sl_op_close(&op, out[i]), 0);
	}
}

static void moves_allocate_nothing(void **state)
{
	struct sl_ring *ring = open_counted(8, 0);
	int file = world_file(), pair[2];
	struct sl_op op = { 0 };

	(void)state;
	world_pair(pair);
	expect_res(ring, sl_op_write(&op, file, "cached", 6, 0), 6);
	count_from_here();
	for (unsigned round = 0; round < FEW_ROUNDS; round++)
		moves(ring, pair, file);
	expect_none();
	sl_ring_close(ring);
}

static void the_count_itself_works(void **state)
{
	struct sl_ring *ring;

	(void)state;
	count_from_here();
	ring = open_counted(8, 0);
	__atomic_store_n(&counting, false, __ATOMIC_RELAXED);
	assert_true(nr_allocations > 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(the_data_path_allocates_nothing, CORE | BLOCK, 0),
	T(transfers_of_files_allocate_nothing, BLOCK | FILES, 0),
	T(transfers_of_streams_allocate_nothing, BLOCK | NET, 0),
	T(connections_allocate_nothing, NET | NAME, ON_KERNEL),
	T(operations_on_names_allocate_nothing, NAME, 0),
	T(moves_allocate_nothing, BLOCK | NAME | NET | PROCESS, ON_KERNEL),
	T(the_count_itself_works, CORE, 0),
};

const struct contract_group noalloc_tests = GROUP(tests);
