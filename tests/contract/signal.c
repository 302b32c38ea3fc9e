/* signal.c - SIGPIPE never reaches the caller, nor does EINTR. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t nr_sigpipes;

static void on_sigpipe(int number)
{
	(void)number;
	nr_sigpipes++;
}

void sigpipe_watch(void)
{
	const struct sigaction action = { .sa_handler = on_sigpipe };

	nr_sigpipes = 0;
	sigaction(SIGPIPE, &action, NULL);
}

void sigpipe_expect_none(void)
{
	sigset_t pending, mask;

	assert_int_equal(nr_sigpipes, 0);
	sigpending(&pending);
	assert_int_equal(sigismember(&pending, SIGPIPE), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_int_equal(sigismember(&mask, SIGPIPE), 0);
}

static struct sl_ring *ring;

static void setup(void)
{
	ring = ring_open(8);
	sigpipe_watch();
}

static void finish(void)
{
	sl_ring_close(ring);
	sigpipe_expect_none();
}

static int dead_socket(void)
{
	int pair[2];

	world_pair(pair);
	world_close(pair[1]);
	return pair[0];
}

static int dead_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	return fds[1];
}

static void writing_to_a_dead_peer_is_an_error_without_a_signal(void **state)
{
	const struct iovec iov[2] = { { (char *)"a", 1 }, { (char *)"b", 1 } };
	struct sl_op op = { 0 };
	int fd;

	(void)state;
	setup();
	fd = dead_socket();
	expect_res(ring, sl_op_write(&op, fd, "x", 1, SL_OFF_CURRENT), -EPIPE);
	assert_int_equal(op.done_len, 0);
	expect_res(ring, sl_op_writev(&op, fd, iov, 2, SL_OFF_CURRENT), -EPIPE);
	finish();
}

static void writing_to_a_dead_pipe_is_an_error_without_a_signal(void **state)
{
	const struct iovec iov[2] = { { (char *)"a", 1 }, { (char *)"b", 1 } };
	struct sl_op op = { 0 };
	int fd = dead_pipe();

	(void)state;
	setup();
	expect_res(ring, sl_op_write(&op, fd, "x", 1, SL_OFF_CURRENT), -EPIPE);
	expect_res(ring, sl_op_writev(&op, fd, iov, 2, SL_OFF_CURRENT), -EPIPE);
	finish();
}

static void sending_to_a_dead_peer_is_an_error_without_a_signal(void **state)
{
	struct iovec iov[2] = { { (char *)"a", 1 }, { (char *)"b", 1 } };
	const struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct sl_op op = { 0 };
	int fd;

	(void)state;
	setup();
	fd = dead_socket();
	expect_res(ring, sl_op_send(&op, fd, "x", 1, 0), -EPIPE);
	sl_op_send(&op, fd, iov, 2, 0)->flags |= SL_OP_VEC;
	expect_res(ring, &op, -EPIPE);
	expect_res(ring, sl_op_sendmsg(&op, fd, &msg, 0), -EPIPE);
	finish();
}

static void splicing_to_a_dead_peer_is_an_error_without_a_signal(void **state)
{
	struct sl_splice_ends ends = { -1, 0, SL_OFF_CURRENT, SL_OFF_CURRENT };
	struct sl_op op = { 0 };
	int fds[2];

	(void)state;
	setup();
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "1234", 4), 4);
	ends.source_fd = fds[0];
	expect_res(ring, sl_op_splice(&op, dead_pipe(), &ends, 4), -EPIPE);
	expect_res(ring, sl_op_splice(&op, dead_socket(), &ends, 4), -EPIPE);
	expect_res(ring, sl_op_tee(&op, dead_pipe(), &ends, 4), -EPIPE);
	finish();
}

static void who_ignores_sigpipe_gets_the_same_errors(void **state)
{
	struct sl_splice_ends ends = { -1, 0, SL_OFF_CURRENT, SL_OFF_CURRENT };
	struct sl_op op = { 0 };
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	ring = ring_open_with(
		&(struct sl_ring_opts){ .depth = 8, .flags = SL_RING_SIGPIPE_IGNORED });
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "1234", 4), 4);
	ends.source_fd = fds[0];
	expect_res(ring, sl_op_write(&op, dead_pipe(), "x", 1, SL_OFF_CURRENT), -EPIPE);
	expect_res(ring, sl_op_splice(&op, dead_pipe(), &ends, 4), -EPIPE);
	expect_res(ring, sl_op_splice(&op, dead_socket(), &ends, 4), -EPIPE);
	expect_res(ring, sl_op_tee(&op, dead_pipe(), &ends, 4), -EPIPE);
	sl_ring_close(ring);
}

static void a_peer_that_dies_under_a_waiting_write_raises_no_signal(void **state)
{
	struct sl_op op = { .done = note };
	int pair[2];

	(void)state;
	setup();
	world_pair(pair);
	world_clog(pair[0]);
	submit(ring, sl_op_write(&op, pair[0], "x", 1, SL_OFF_CURRENT));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 5 * MS), 0);
	world_close(pair[1]);
	ring_until(ring, &trace.ended, 1);
	assert_true(op.res == -EPIPE || op.res == -ECONNRESET);
	finish();
}

static void the_callers_own_sigpipe_stays_his(void **state)
{
	sigset_t sigpipe;
	struct sl_op op = { 0 };
	sigset_t pending;

	(void)state;
	setup();
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &sigpipe, NULL);
	pthread_kill(pthread_self(), SIGPIPE);
	expect_res(ring, sl_op_write(&op, dead_pipe(), "x", 1, SL_OFF_CURRENT), -EPIPE);
	sigpending(&pending);
	assert_int_equal(sigismember(&pending, SIGPIPE), 1);
	pthread_sigmask(SIG_UNBLOCK, &sigpipe, NULL);
	assert_int_equal(nr_sigpipes, 1);
	sl_ring_close(ring);
}

static volatile sig_atomic_t nr_alarms;

static void on_alarm(int number)
{
	(void)number;
	nr_alarms++;
}

static void signals_interrupt_no_wait_and_no_op(void **state)
{
	const struct sigaction action = { .sa_handler = on_alarm }; /* no SA_RESTART */
	const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sl_op ops[2] = { { .done = note }, { .done = note } };
	char byte;
	int pair[2];

	(void)state;
	ring = ring_open(8);
	world_pair(pair);
	sigaction(SIGVTALRM, &action, NULL);
	sigaction(SIGPROF, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	submit(ring, sl_op_read(&ops[0], pair[0], &byte, 1, SL_OFF_CURRENT));
	submit(ring, sl_op_timer(&ops[1], sl_ring_clock(ring) + 50 * MS, 0));
	while (trace.ended < 1)
		assert_true(sl_ring_run(ring, 0) >= 0);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_ptr_equal(trace.at[0].op, &ops[1]);
	assert_int_equal(ops[1].res, 0);
	assert_true(nr_alarms > 0);
	world_put(pair[1], "x", 1);
	ring_until(ring, &trace.ended, 2);
	assert_int_equal(ops[0].res, 1);
	sl_ring_close(ring);
}

static void workers_take_no_signal_of_the_process(void **state)
{
	struct sl_op op = { 0 };
	sigset_t all;
	int number;

	(void)state;
	ring = ring_open(8);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	expect_res(ring, sl_op_fsync(&op, world_file()), 0);
	kill(getpid(), SIGUSR1);
	assert_int_equal(sigwait(&all, &number), 0);
	assert_int_equal(number, SIGUSR1);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(writing_to_a_dead_peer_is_an_error_without_a_signal, BLOCK, 0),
	T(writing_to_a_dead_pipe_is_an_error_without_a_signal, BLOCK, ON_KERNEL),
	T(sending_to_a_dead_peer_is_an_error_without_a_signal, NET, 0),
	T(splicing_to_a_dead_peer_is_an_error_without_a_signal, PROCESS, ON_KERNEL),
	T(who_ignores_sigpipe_gets_the_same_errors, PROCESS, ON_KERNEL),
	T(a_peer_that_dies_under_a_waiting_write_raises_no_signal, BLOCK, 0),
	T(the_callers_own_sigpipe_stays_his, BLOCK, ON_KERNEL),
	T(signals_interrupt_no_wait_and_no_op, BLOCK, ON_KERNEL),
	T(workers_take_no_signal_of_the_process, BLOCK, ON_KERNEL),
};

const struct contract_group signal_tests = GROUP(tests);
