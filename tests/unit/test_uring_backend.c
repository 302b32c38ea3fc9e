/*
 * The io_uring backend on its own: its options, its bounds, and the ways it has for kernels that
 * lack something.
 *
 * What every backend promises is tested by the contract; here the state of this one is
 * changed behind its back (`lacks...`) so that its second choices run on any kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sluice/sluice.h>

#include "cover.h"
#include "harness.h"
#include "backend/uring/backend.h"
#include "backend/uring/uring.h"
#include "engine/engine.h"
#include "sys/eventfd.h"

#define SECOND INT64_C(1000000000)

static struct sl_ring *open_with(const struct sl_ring_opts *opts, const char *options)
{
	const struct sl_ring_choice choice = { .backend = &sl_backend_uring, .options = options };
	struct sl_ring *ring;
	char why[256];
	int err = sl_ring_open_on(opts, &choice, &ring, why);

	if (err == -ENOSYS || err == -EPERM || err == -ENOMEM)
		SKIP("%s", why);
	assert_int_equal(err, 0);
	return ring;
}

static struct sl_ring *open_usual(void)
{
	return open_with(NULL, "");
}

static struct uring *state_of(struct sl_ring *ring)
{
	return ring->state;
}

static int64_t in_seconds(struct sl_ring *ring, int seconds)
{
	return sl_ring_clock(ring) + seconds * SECOND;
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

/* ---- options and bounds -------------------------------------------------------------- */

static void unknown_option_is_refused_by_name(void **state)
{
	const struct sl_ring_choice choice = { .backend = &sl_backend_uring, .options = "turbo" };
	struct sl_ring *ring;
	char why[256];

	(void)state;
	assert_int_equal(sl_ring_open_on(NULL, &choice, &ring, why), -EINVAL);
	assert_non_null(strstr(why, "turbo"));
	assert_non_null(strstr(why, "sqpoll"));
}

static void refusals_are_explained_with_cause_and_numbers(void **state)
{
	char why[256];

	(void)state;
	uring_explain(-ENOSYS, 0, why);
	assert_non_null(strstr(why, "5.11"));
	uring_explain(-ENOMEM, 20 * 1024, why);
	assert_non_null(strstr(why, "20 KiB"));
	uring_explain(-EMFILE, 0, why);
	assert_non_null(strstr(why, "EMFILE"));
}

#define DISABLED_SWITCH "/proc/sys/kernel/io_uring_disabled"
#define CANNOT_COVER	77

/* What the switch shows, and what a refusal is then put down to. */
static const struct refusal {
	const char *shown;
	const char *told[3];
	const char *not_told;
} refusals[] = {
	{ "0\n", { "seccomp", "io_uring_setup", "EPERM" }, "io_uring_disabled" },
	{ "1\n", { "io_uring_disabled is 1", "io_uring_group", "set it to 0" }, "seccomp" },
	{ "2\n", { "io_uring_disabled is 2", "everyone", "set it to 0" }, "seccomp" },
	{ "", { "seccomp", "io_uring_enter", "io_uring_register" }, "io_uring_disabled" },
};

/* In a child: 0, or the number of what is wrong. */
static int explain_refusal(const struct refusal *refusal)
{
	char why[256];

	if (support_cover(DISABLED_SWITCH, refusal->shown))
		return CANNOT_COVER;
	uring_explain(-EPERM, 0, why);
	for (int i = 0; i < 3; i++)
		if (!strstr(why, refusal->told[i]))
			return 1 + i;
	return strstr(why, refusal->not_told) ? 4 : 0;
}

static void refusal_is_put_down_to_the_sysctl_only_where_it_is_set(void **state)
{
	(void)state;
	if (access(DISABLED_SWITCH, R_OK))
		SKIP("this kernel has no kernel.io_uring_disabled (6.6 has)");
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(explain_refusal(&refusals[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == CANNOT_COVER)
			SKIP("no mount namespaces here");
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void in_flight_stays_below_a_quarter_of_the_completions(void **state)
{
	const struct sl_ring_opts opts = { .depth = 32768 };
	static struct sl_op ops[32768];
	struct sl_ring *ring = open_with(&opts, "");
	struct uring *u = state_of(ring);
	unsigned ended = 0;

	(void)state;
	assert_int_equal(u->inflight_max * 4, u->q.cq_entries);
	for (unsigned i = 0; i < 32768; i++) {
		sl_op_prep(&ops[i], SL_OP_NOP, -1, NULL, 0, 0);
		assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
	}
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(u->inflight, u->inflight_max);
	while (sl_ring_next(ring, in_seconds(ring, 10)))
		ended++;
	assert_int_equal(ended, 32768);
	assert_int_equal(u->inflight, 0);
	sl_ring_close(ring);
}

static void turn_is_one_system_call(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_ring_stats before, after;
	struct sl_op ops[32];

	(void)state;
	memset(ops, 0, sizeof(ops));
	sl_ring_stats(ring, -1, &before);
	for (unsigned turn = 0; turn < 10; turn++) {
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
		for (unsigned i = 0; i < 32; i++)
			assert_non_null(sl_ring_next(ring, in_seconds(ring, 10)));
	}
	sl_ring_stats(ring, -1, &after);
	assert_int_equal(after.enters - before.enters, 10);
	sl_ring_close(ring);
}

/* ---- SIGPIPE ------------------------------------------------------------------------- */

static unsigned sigpipes;

static void count_sigpipe(int signal)
{
	(void)signal;
	sigpipes++;
}

static void write_to_nobody(struct sl_ring *ring, uint64_t off)
{
	struct sigaction action = { .sa_handler = count_sigpipe }, old;
	struct sl_op op = { 0 };
	int fds[2];

	pair(fds);
	close(fds[1]);
	sigpipes = 0;
	sigaction(SIGPIPE, &action, &old);
	assert_int_equal(sl_ring_do(ring, sl_op_write(&op, fds[0], "x", 1, off)), -EPIPE);
	assert_int_equal(sigpipes, 0);
	raise(SIGPIPE); /* it is not blocked any more */
	assert_int_equal(sigpipes, 1);
	sigaction(SIGPIPE, &old, NULL);
	close(fds[0]);
}

static void write_to_nobody_is_silent_with_and_without_the_kernels_help(void **state)
{
	struct sl_ring *ring = open_usual();

	(void)state;
	write_to_nobody(ring, SL_OFF_CURRENT);
	write_to_nobody(ring, 0);
	state_of(ring)->write_quietly = false;
	write_to_nobody(ring, SL_OFF_CURRENT);
	write_to_nobody(ring, 0);
	assert_int_equal(state_of(ring)->raising, 0);
	sl_ring_close(ring);
}

static void sigpipe_that_was_pending_stays_pending(void **state)
{
	struct sl_ring *ring = open_usual();
	sigset_t set, old, pending;
	struct sl_op op = { 0 };
	int fds[2], signal;

	(void)state;
	state_of(ring)->write_quietly = false;
	pair(fds);
	close(fds[1]);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	raise(SIGPIPE);
	sl_op_write(&op, fds[0], "x", 1, SL_OFF_CURRENT);
	assert_int_equal(sl_ring_do(ring, &op), -EPIPE);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGPIPE));
	assert_int_equal(sigwait(&set, &signal), 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fds[0]);
	sl_ring_close(ring);
}

/* ---- waking -------------------------------------------------------------------------- */

static void lacks_messages(struct sl_ring *ring)
{
	struct uring *u = state_of(ring);

	u->wake_by_message = false;
	u->wake_armed = false;
	u->wake_fd = sl_sys_eventfd_open();
	assert_true(u->wake_fd >= 0);
}

static void *wake_soon(void *ring)
{
	const struct timespec nap = { .tv_nsec = 20000000 };

	nanosleep(&nap, NULL);
	sl_ring_wake(ring);
	return NULL;
}

/* A sleep that only a wake can end, several times: it has to be armed again. */
static void expect_woken(struct sl_ring *ring)
{
	for (int i = 0; i < 3; i++) {
		int64_t begin_ns = sl_ring_clock(ring);
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, wake_soon, ring), 0);
		assert_int_equal(sl_ring_run(ring, in_seconds(ring, 20)), 0);
		assert_true(sl_ring_clock(ring) - begin_ns < 10 * SECOND);
		pthread_join(thread, NULL);
	}
}

static void wake_reaches_a_sleeper_by_message_and_by_eventfd(void **state)
{
	struct sl_ring *ring = open_usual();

	(void)state;
	expect_woken(ring);
	sl_ring_close(ring);
	ring = open_usual();
	lacks_messages(ring);
	expect_woken(ring);
	sl_ring_close(ring);
}

static void wake_reaches_one_who_waits_for_a_batch(void **state)
{
	const struct sl_ring_opts opts = { .wait_batch = 16, .wait_ns = 20 * SECOND };
	struct sl_ring *ring = open_with(&opts, "");

	(void)state;
	expect_woken(ring);
	sl_ring_close(ring);
	ring = open_with(&opts, "");
	lacks_messages(ring);
	expect_woken(ring);
	sl_ring_close(ring);
}

/* ---- pools --------------------------------------------------------------------------- */

static void receive_into(struct sl_ring *ring, struct sl_buf_pool *pool, const int fds[2])
{
	struct sl_op op = { 0 };

	assert_int_equal(write(fds[1], "hello", 5), 5);
	assert_int_equal(sl_ring_do(ring, sl_op_recv_pooled(&op, fds[0], pool)), 5);
	assert_memory_equal(op.buf, "hello", 5);
	sl_buf_put(pool, op.buf);
}

static void pooled_receive_works_without_a_ring_of_buffers(void **state)
{
	const struct sl_buf_pool_opts opts = { .flags = SL_BUF_RECV, .count = 2, .buf_bytes = 64 };
	struct sl_ring *ring = open_usual();
	struct uring *u = state_of(ring);
	struct sl_uring_buf taken;
	struct sl_buf_pool *pool;
	int fds[2];

	(void)state;
	for (int i = 0; i < URING_POOLS; i++)
		u->pools[i].ring = &taken;
	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	assert_int_equal(pool_backend_id(pool), -1);
	pair(fds);
	for (int i = 0; i < 5; i++)
		receive_into(ring, pool, fds);
	sl_buf_pool_destroy(pool);
	for (int i = 0; i < URING_POOLS; i++)
		u->pools[i].ring = NULL;
	close_both(fds);
	sl_ring_close(ring);
}

static void starved_receive_goes_on_with_the_next_buffer(void **state)
{
	const struct sl_buf_pool_opts opts = { .flags = SL_BUF_RECV, .count = 1, .buf_bytes = 64 };
	struct sl_ring *ring = open_usual();
	struct uring *u = state_of(ring);
	struct sl_uring_buf taken;
	struct sl_op first = { 0 }, second = { 0 };
	struct sl_buf_pool *pool;
	int fds[2];

	(void)state;
	for (int i = 0; i < URING_POOLS; i++)
		u->pools[i].ring = &taken;
	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	pair(fds);
	assert_int_equal(write(fds[1], "one", 3), 3);
	assert_int_equal(sl_ring_do(ring, sl_op_recv_pooled(&first, fds[0], pool)), 3);
	assert_int_equal(write(fds[1], "two", 3), 3);
	sl_ring_submit(ring, sl_op_recv_pooled(&second, fds[0], pool));
	assert_null(sl_ring_next(ring, sl_ring_clock(ring) + SECOND / 50));
	sl_buf_put(pool, first.buf);
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &second);
	assert_memory_equal(second.buf, "two", 3);
	sl_buf_put(pool, second.buf);
	sl_buf_pool_destroy(pool);
	for (int i = 0; i < URING_POOLS; i++)
		u->pools[i].ring = NULL;
	close_both(fds);
	sl_ring_close(ring);
}

/* ---- zero-copy ----------------------------------------------------------------------- */

static void connect_over_tcp(int ret_fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&addr, &len);
	ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&addr, len), 0);
	ret_fds[1] = accept(listener, NULL, NULL);
	assert_true(ret_fds[1] >= 0);
	close(listener);
}

static unsigned zc_mores;
static unsigned zc_ends;

static void note_zc(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	assert_int_equal(op->res, 5);
	assert_int_equal(zc_ends, 0);
	if (op->more)
		zc_mores++;
	else
		zc_ends++;
}

/* On a TCP socket Linux 6.1 sends without a copy if it can, and does not tell whether it could. */
static bool copy_is_told(struct sl_ring *ring, int fd, bool vector)
{
	struct uring *u = state_of(ring);
	bool by_kernel = vector ? u->zc_vector : u->zc;
	int domain = 0;
	socklen_t len = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return u->zc_report || !by_kernel || domain == AF_UNIX;
}

/* Both halves come, in order, and say that the bytes were copied (as on any loopback). */
static void send_zc(struct sl_ring *ring, const int fds[2], bool vector)
{
	char text[] = "hello", got[8];
	const struct iovec iov[2] = { { text, 2 }, { text + 2, 3 } };
	struct sl_op op = { 0 };

	sl_op_send(&op, fds[0], vector ? (const void *)iov : text, vector ? 2 : 5, 0);
	op.flags = SL_OP_ZC | (vector ? SL_OP_VEC : 0);
	op.done = note_zc;
	zc_mores = zc_ends = 0;
	assert_int_equal(sl_ring_submit(ring, &op), 0);
	while (!zc_ends)
		assert_true(sl_ring_run(ring, in_seconds(ring, 10)) > 0);
	assert_int_equal(zc_mores, 1);
	assert_int_equal(op.aux, copy_is_told(ring, fds[0], vector));
	assert_int_equal(read(fds[1], got, sizeof(got)), 5);
	assert_memory_equal(got, text, 5);
}

static void zero_copy_send_has_two_completions_on_any_socket(void **state)
{
	struct sl_ring *ring = open_usual();
	int tcp[2], local[2];

	(void)state;
	connect_over_tcp(tcp);
	pair(local);
	for (int vector = 0; vector < 2; vector++) {
		send_zc(ring, tcp, vector);
		send_zc(ring, local, vector);
	}
	state_of(ring)->zc = state_of(ring)->zc_vector = false;
	for (int vector = 0; vector < 2; vector++) {
		send_zc(ring, tcp, vector);
		send_zc(ring, local, vector);
	}
	assert_int_equal(state_of(ring)->inflight, 0);
	close_both(tcp);
	close_both(local);
	sl_ring_close(ring);
}

/* The op behind one that AF_UNIX refused is in the same slot, and asks the kernel for itself. */
static void refused_zero_copy_is_asked_for_by_the_next_op(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_op op = { 0 };
	int tcp[2], local[2];

	(void)state;
	if (!state_of(ring)->zc)
		SKIP("this kernel sends nothing without a copy (6.0 does)");
	connect_over_tcp(tcp);
	pair(local);
	send_zc(ring, local, false);
	sl_op_send(&op, tcp[0], "hello", 5, 0);
	op.flags = SL_OP_ZC;
	assert_int_equal(sl_ring_submit(ring, &op), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_true(uring_mark(&ring->slots[op.slot])->user_data & URING_NOTE_ZC);
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &op);
	while (op.more)
		assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &op);
	close_both(tcp);
	close_both(local);
	sl_ring_close(ring);
}

static void failed_zero_copy_send_ends_once(void **state)
{
	struct sl_ring *ring = open_usual();
	struct sl_op op = { 0 };
	int fds[2];

	(void)state;
	connect_over_tcp(fds);
	assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
	sl_op_send(&op, fds[0], "hello", 5, 0);
	op.flags = SL_OP_ZC;
	assert_int_equal(sl_ring_do(ring, &op), -EPIPE);
	assert_int_equal(op.more, 0);
	assert_int_equal(state_of(ring)->inflight, 0);
	close_both(fds);
	sl_ring_close(ring);
}

/* ---- cancels and kernel threads --------------------------------------------------------- */

static void cancel_that_found_no_room_is_made_up_for(void **state)
{
	struct sl_ring *ring = open_usual();
	struct uring *u = state_of(ring);
	struct sl_op op = { 0 };
	struct sl_slot *slot;
	char byte;
	int fds[2];

	(void)state;
	pair(fds);
	assert_int_equal(sl_ring_submit(ring, sl_op_recv(&op, fds[0], &byte, 1, 0)), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	slot = &ring->slots[op.slot];
	u->cancel_data[op.slot] = uring_mark(slot)->user_data | URING_INTERNAL;
	u->cancels = 1;
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &op);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(u->cancels, 0);
	close_both(fds);
	sl_ring_close(ring);
}

static void more_cancels_than_entries_all_arrive(void **state)
{
	const struct sl_ring_opts opts = { .depth = 4096 };
	static struct sl_op ops[4096];
	struct sl_ring *ring = open_with(&opts, "");
	unsigned ended = 0;
	int fds[2];

	(void)state;
	pair(fds);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(sl_ring_submit(ring, sl_op_poll(&ops[i], fds[0], POLLIN)), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(sl_ring_cancel_fd(ring, fds[0]), 4096);
	for (struct sl_op *op; (op = sl_ring_next(ring, in_seconds(ring, 10))); ended++)
		assert_int_equal(op->res, -ECANCELED);
	assert_int_equal(ended, 4096);
	assert_int_equal(state_of(ring)->inflight, 0);
	close_both(fds);
	sl_ring_close(ring);
}

static void splices_that_wait_hold_no_kernel_threads(void **state)
{
	const struct sl_splice_ends ends_template = { .source_off = SL_OFF_CURRENT,
						      .target_off = SL_OFF_CURRENT };
	struct sl_ring *ring = open_usual();
	struct sl_splice_ends ends[8];
	struct sl_op waiting[8], sync;
	int source[8][2], target[8][2];
	int file = open(support_tmpdir(), O_TMPFILE | O_RDWR, 0600);

	(void)state;
	memset(waiting, 0, sizeof(waiting));
	memset(&sync, 0, sizeof(sync));
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pipe(source[i]) | pipe(target[i]), 0);
		ends[i] = ends_template;
		ends[i].source_fd = source[i][0];
		sl_op_splice(&waiting[i], target[i][1], &ends[i], 4096);
		assert_int_equal(sl_ring_submit(ring, &waiting[i]), 0);
	}
	assert_int_equal(sl_ring_do(ring, sl_op_fsync(&sync, file)), 0);
	assert_int_equal(write(source[7][1], "hello", 5), 5);
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &waiting[7]);
	assert_int_equal(waiting[7].res, 5);
	sl_ring_close(ring);
	for (int i = 0; i < 8; i++) {
		close_both(source[i]);
		close_both(target[i]);
	}
	close(file);
}

static void splice_of_a_file_goes_through_the_ring(void **state)
{
	struct sl_splice_ends ends = { .source_off = 2, .target_off = SL_OFF_CURRENT };
	struct sl_ring *ring = open_usual();
	struct sl_op op = { 0 };
	char got[8];
	int fds[2];

	(void)state;
	ends.source_fd = open(support_tmpdir(), O_TMPFILE | O_RDWR, 0600);
	assert_int_equal(write(ends.source_fd, "hello", 5), 5);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(sl_ring_do(ring, sl_op_splice(&op, fds[1], &ends, 100)), 3);
	assert_int_equal(read(fds[0], got, sizeof(got)), 3);
	assert_memory_equal(got, "llo", 3);
	close(ends.source_fd);
	close_both(fds);
	sl_ring_close(ring);
}

/* ---- other ways to drive a ring ---------------------------------------------------------- */

static void stream_goes_through_a_polled_submission_queue(void **state)
{
	struct sl_ring *ring = open_with(NULL, "sqpoll");
	struct sl_op send = { 0 }, recv = { 0 };
	char got[8];
	int fds[2];

	(void)state;
	assert_true(sl_ring_caps(ring)->setup_flags & SL_URING_SETUP_SQPOLL);
	pair(fds);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(sl_ring_submit(ring, sl_op_recv(&recv, fds[0], got, 8, 0)), 0);
		assert_int_equal(sl_ring_do(ring, sl_op_send(&send, fds[1], "hello", 5, 0)), 5);
		assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &recv);
		assert_int_equal(recv.res, 5);
	}
	expect_woken(ring);
	close_both(fds);
	sl_ring_close(ring);
}

/* Whether the device can be polled or not, the transfer is made; the rest goes on beside it. */
static void direct_file_is_polled_or_read_after_all(void **state)
{
	struct sl_ring *ring = open_with(NULL, "iopoll");
	char *mem = aligned_alloc(4096, 8192);
	struct sl_op op = { 0 }, recv = { 0 };
	int fd = open(support_tmpdir(), O_TMPFILE | O_RDWR | O_DIRECT, 0600);
	char byte;
	int fds[2];

	(void)state;
	if (fd < 0)
		SKIP("no O_DIRECT on %s", support_tmpdir());
	assert_int_equal(sl_ring_fd(ring), -EOPNOTSUPP);
	pair(fds);
	assert_int_equal(sl_ring_submit(ring, sl_op_recv(&recv, fds[0], &byte, 1, 0)), 0);
	memset(mem, 7, 4096);
	assert_int_equal(sl_ring_keep(ring, fd), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(sl_ring_do(ring, sl_op_write(&op, fd, mem, 4096, 0)), 4096);
		assert_int_equal(sl_ring_do(ring, sl_op_read(&op, fd, mem + 4096, 4096, 0)), 4096);
	}
	assert_memory_equal(mem, mem + 4096, 4096);
	assert_int_equal(state_of(ring)->polled_inflight, 0);
	assert_true(state_of(ring)->polled.enters >= 20);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &recv);
	expect_woken(ring);
	assert_int_equal(sl_ring_do(ring, sl_op_close(&op, fd)), 0);
	close_both(fds);
	sl_ring_close(ring);
	free(mem);
}

static void cancel_other(struct sl_ring *ring, struct sl_op *op)
{
	assert_int_equal(sl_ring_cancel(ring, op->user), 0);
}

/* Of a pair of moves that are done at once the first one's callback cancels the second. */
static void cancelling_what_never_was_in_the_kernel_hits_nobody_else(void **state)
{
	struct sl_splice_ends ends = { .source_off = SL_OFF_CURRENT, .target_off = SL_OFF_CURRENT };
	struct sl_op first = { 0 }, moves[2] = { { 0 }, { 0 } };
	struct sl_ring *ring = open_usual();
	int in[2], out[2], sockets[2];
	char byte;

	(void)state;
	pair(sockets);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "ab", 2), 2);
	assert_int_equal(sl_ring_submit(ring, sl_op_recv(&first, sockets[0], &byte, 1, 0)), 0);
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	ends.source_fd = in[0];
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sl_ring_submit(ring, sl_op_splice(&moves[i], out[1], &ends, 1)),
				 0);
	moves[0].done = cancel_other;
	moves[0].user = &moves[1];
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &moves[1]);
	assert_int_equal(moves[1].res, 1);
	assert_null(sl_ring_next(ring, sl_ring_clock(ring) + SECOND / 50));
	assert_int_equal(write(sockets[1], "x", 1), 1);
	assert_ptr_equal(sl_ring_next(ring, in_seconds(ring, 10)), &first);
	assert_int_equal(first.res, 1);
	sl_ring_close(ring);
	for (unsigned i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
		close(sockets[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_option_is_refused_by_name),
		TEST(cancelling_what_never_was_in_the_kernel_hits_nobody_else),
		TEST(refusals_are_explained_with_cause_and_numbers),
		TEST(refusal_is_put_down_to_the_sysctl_only_where_it_is_set),
		TEST(in_flight_stays_below_a_quarter_of_the_completions),
		TEST(turn_is_one_system_call),
		TEST(write_to_nobody_is_silent_with_and_without_the_kernels_help),
		TEST(sigpipe_that_was_pending_stays_pending),
		TEST(wake_reaches_a_sleeper_by_message_and_by_eventfd),
		TEST(wake_reaches_one_who_waits_for_a_batch),
		TEST(pooled_receive_works_without_a_ring_of_buffers),
		TEST(starved_receive_goes_on_with_the_next_buffer),
		TEST(zero_copy_send_has_two_completions_on_any_socket),
		TEST(refused_zero_copy_is_asked_for_by_the_next_op),
		TEST(failed_zero_copy_send_ends_once),
		TEST(cancel_that_found_no_room_is_made_up_for),
		TEST(more_cancels_than_entries_all_arrive),
		TEST(splices_that_wait_hold_no_kernel_threads),
		TEST(splice_of_a_file_goes_through_the_ring),
		TEST(stream_goes_through_a_polled_submission_queue),
		TEST(direct_file_is_polled_or_read_after_all),
	};

	return RUN_TESTS(tests);
}
