/* test_signals.c - the promises S1 to S5 of sluice(7): SIGPIPE, EINTR, handlers and worker threads.
 */
#include "promise.h"

#include <dirent.h>
#include <sys/time.h>

static void S1_no_op_raises_sigpipe(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct sl_splice_ends ends = { .source_off = SL_OFF_CURRENT, .target_off = SL_OFF_CURRENT };
	struct iovec iov = { (void *)(uintptr_t) "abc", 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	sigset_t before, after;
	struct sigaction action;
	struct sl_op op = { 0 };
	int fds[2], full[2], pair[2];

	(void)state;
	signal(SIGPIPE, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	make_pipe(fds);
	make_pipe(full);
	assert_int_equal(write(full[1], "abc", 3), 3);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(fds[0]);
	close(pair[0]);
	ends.source_fd = full[0];
	assert_int_equal(sl_ring_do(ring, sl_op_write(&op, fds[1], "a", 1, SL_OFF_CURRENT)),
			 -EPIPE);
	assert_int_equal(sl_ring_do(ring, sl_op_writev(&op, fds[1], &iov, 1, SL_OFF_CURRENT)),
			 -EPIPE);
	assert_int_equal(sl_ring_do(ring, sl_op_splice(&op, fds[1], &ends, 3)), -EPIPE);
	assert_int_equal(sl_ring_do(ring, sl_op_write(&op, pair[1], "a", 1, SL_OFF_CURRENT)),
			 -EPIPE);
	assert_int_equal(sl_ring_do(ring, sl_op_send(&op, pair[1], "a", 1, 0)), -EPIPE);
	assert_int_equal(sl_ring_do(ring, sl_op_sendmsg(&op, pair[1], &msg, 0)), -EPIPE);
	sl_ring_close(ring);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
	sigaction(SIGPIPE, NULL, &action);
	assert_true(action.sa_handler == SIG_DFL);
	sigpending(&after);
	assert_false(sigismember(&after, SIGPIPE));
	close(fds[1]);
	close(pair[1]);
	close_pair(full);
}

static volatile sig_atomic_t storms;

static void on_storm(int number)
{
	(void)number;
	storms++;
}

static void storm(long period_us)
{
	struct sigaction action = { .sa_handler = on_storm };
	struct itimerval timer = { { 0, period_us }, { 0, period_us } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void S2_no_call_and_no_op_answers_eintr(void **state)
{
	struct sl_ring *ring = open_ring(NULL);
	struct sl_op op = { 0 }, waiting = { 0 };
	static char bytes[1 << 20];
	int fds[2], fd = make_file(0);
	int64_t until;

	(void)state;
	make_pipe(fds);
	sl_op_read(&waiting, fds[0], bytes, 1, SL_OFF_CURRENT);
	assert_int_equal(sl_ring_submit(ring, &waiting), 0);
	storm(500);
	until = soon(ring, 30 * MS);
	assert_int_equal(sl_ring_run(ring, until), 0);
	assert_true(sl_ring_clock(ring) >= until);
	until = soon(ring, 30 * MS);
	assert_null(sl_ring_next(ring, until));
	assert_true(sl_ring_clock(ring) >= until);
	for (uint64_t i = 0; i < 20; i++) {
		sl_op_write(&op, fd, bytes, sizeof(bytes), i * sizeof(bytes));
		assert_int_equal(sl_ring_do(ring, &op), sizeof(bytes));
		sl_op_read(&op, fd, bytes, sizeof(bytes), i * sizeof(bytes));
		assert_int_equal(sl_ring_do(ring, &op), sizeof(bytes));
		assert_int_equal(sl_ring_do(ring, sl_op_fdatasync(&op, fd)), 0);
	}
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(waiting.res, -ECANCELED);
	sl_ring_close(ring);
	storm(0);
	assert_true(storms > 0);
	close_pair(fds);
	close(fd);
}

static struct sl_ring *handled;
static struct counted handler_post;
static volatile sig_atomic_t post_answer = 1;

static void wake_it(int number)
{
	(void)number;
	sl_ring_wake(handled);
}

static void post_it(int number)
{
	(void)number;
	post_answer = sl_ring_post(handled, &handler_post.op);
}

static void S3_wake_and_post_may_be_called_from_a_handler(void **state)
{
	struct itimerval once = { { 0, 0 }, { 0, 20000 } };
	struct counted waiting = { 0 };
	char byte;
	int fds[2];

	(void)state;
	handled = open_ring(NULL);
	make_pipe(fds);
	sl_op_read(&waiting.op, fds[0], &byte, 1, SL_OFF_CURRENT);
	submit_counted(handled, &waiting);
	signal(SIGALRM, wake_it);
	setitimer(ITIMER_REAL, &once, NULL);
	assert_int_equal(sl_ring_run(handled, 0), 0);
	handler_post.op.done = count_completion;
	signal(SIGALRM, post_it);
	setitimer(ITIMER_REAL, &once, NULL);
	while (handler_post.ends == 0)
		assert_true(sl_ring_run(handled, 0) >= 0);
	assert_int_equal(post_answer, 0);
	signal(SIGALRM, SIG_DFL);
	sl_ring_close(handled);
	close_pair(fds);
}

static void S4_the_library_installs_no_signal_handler(void **state)
{
	struct sigaction before[NSIG], after;
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	(void)state;
	for (int number = 1; number < NSIG; number++)
		sigaction(number, NULL, &before[number]);
	ring = open_ring(NULL);
	assert_int_equal(sl_ring_do(ring, sl_op_nop(&op)), 0);
	for (int number = 1; number < NSIG; number++) {
		if (sigaction(number, NULL, &after) < 0)
			continue;
		assert_true(after.sa_handler == before[number].sa_handler);
	}
	sl_ring_close(ring);
}

/* The signals that a thread blocks, or all of them for the kernel's own threads. */
static unsigned long long blocked_by(const char *tid)
{
	char path[300], line[256];
	unsigned long long mask = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	status = fopen(path, "r");
	if (!status)
		return ~0ULL;
	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, "Name:\tiou-", 10) == 0)
			mask = ~0ULL;
		else if (mask == 0)
			sscanf(line, "SigBlk: %llx", &mask);
	}
	fclose(status);
	return mask;
}

static void S5_worker_threads_block_every_signal(void **state)
{
	struct sl_ring_opts opts = { .workers = 3 };
	struct sl_ring *ring = open_ring(&opts);
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int nr = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == getpid())
			continue;
		nr++;
		for (int number = 1; number < 32; number++) {
			if (number == SIGKILL || number == SIGSTOP)
				continue;
			if (!(blocked_by(entry->d_name) >> (number - 1) & 1))
				fail_msg("thread %s takes signal %d", entry->d_name, number);
		}
	}
	closedir(dir);
	assert_int_equal(nr >= 3, sl_ring_caps(ring)->workers >= 3);
	sl_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(S1_no_op_raises_sigpipe),
		TEST(S2_no_call_and_no_op_answers_eintr),
		TEST(S3_wake_and_post_may_be_called_from_a_handler),
		TEST(S4_the_library_installs_no_signal_handler),
		TEST(S5_worker_threads_block_every_signal),
	};

	return RUN_TESTS(tests);
}
