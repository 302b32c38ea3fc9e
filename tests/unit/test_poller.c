/* test_poller.c: epoll, poll and select report the same readiness for the same descriptors. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "backend/ready/poller.h"
#include "sys/eventfd.h"

#define WATCH_MAX 64
#define HITS_MAX  (WATCH_MAX + 1)
#define SECOND_NS 1000000000

/* A poller that is open, and what its last wait reported. */
struct bench {
	const char *name;
	const struct poller *poller;
	void *self;
	int wake_fd;
	struct poller_hit hits[HITS_MAX];
	int nr;
};

static const struct {
	const char *name;
	const struct poller *poller;
} pollers[] = {
	{ "epoll", &sl_poller_epoll },
	{ "poll", &sl_poller_poll },
	{ "select", &sl_poller_select },
};

static void bench_open(struct bench *b, unsigned which)
{
	*b = (struct bench){ .name = pollers[which].name, .poller = pollers[which].poller };
	b->self = calloc(1, b->poller->bytes(WATCH_MAX));
	assert_non_null(b->self);
	b->wake_fd = sl_sys_eventfd_open();
	assert_true(b->wake_fd >= 0);
	assert_int_equal(b->poller->init(b->self, WATCH_MAX, b->wake_fd), 0);
}

static void bench_close(struct bench *b)
{
	b->poller->fini(b->self);
	close(b->wake_fd);
	free(b->self);
}

typedef void bench_fn(struct bench *b);

/* Runs a check on every poller; a failed assertion is preceded by the poller's name. */
static void on_each(bench_fn *check)
{
	for (unsigned i = 0; i < sizeof(pollers) / sizeof(pollers[0]); i++) {
		struct bench b;

		bench_open(&b, i);
		printf("# on %s\n", b.name);
		check(&b);
		bench_close(&b);
	}
}

static int wait_for(struct bench *b, int64_t timeout_ns)
{
	b->nr = b->poller->wait(b->self, timeout_ns, b->hits, HITS_MAX);
	return b->nr;
}

/* The events reported for a watch in the last wait; 0: none. */
static int seen(const struct bench *b, uint32_t idx)
{
	for (int i = 0; i < b->nr; i++)
		if (b->hits[i].idx == idx)
			return b->hits[i].events;
	return 0;
}

static int set(struct bench *b, uint32_t idx, int fd, short was, short events)
{
	return b->poller->set(b->self, idx, fd, was, events);
}

static void open_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* ---- watches -------------------------------------------------------------------- */

static void check_add_modify_remove(struct bench *b)
{
	bool once = b->poller->once;
	int fds[2];

	open_pair(fds);
	assert_int_equal(set(b, 3, fds[0], 0, POLLIN), 0);
	assert_int_equal(wait_for(b, 0), 0);

	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(seen(b, 3), POLLIN);
	assert_int_equal(b->hits[0].fd, fds[0]);

	/* A one-shot watch ended with its hit; the others stay. */
	assert_int_equal(wait_for(b, 0), once ? 0 : 1);

	assert_int_equal(set(b, 3, fds[0], once ? 0 : POLLIN, POLLOUT), 0);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(seen(b, 3), POLLOUT);

	assert_int_equal(set(b, 3, fds[0], once ? 0 : POLLOUT, POLLIN | POLLOUT), 0);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(seen(b, 3), POLLIN | POLLOUT);

	assert_int_equal(set(b, 3, fds[0], POLLIN | POLLOUT, 0), 0);
	assert_int_equal(wait_for(b, 0), 0);
	close_pair(fds);
}

static void poller_reports_what_is_watched_and_nothing_after_removal(void **state)
{
	(void)state;
	on_each(check_add_modify_remove);
}

static void check_many(struct bench *b)
{
	int fds[WATCH_MAX][2];

	for (uint32_t i = 0; i < WATCH_MAX; i++) {
		open_pair(fds[i]);
		assert_int_equal(set(b, i, fds[i][0], 0, POLLIN), 0);
	}
	for (uint32_t i = 0; i < WATCH_MAX; i += 2)
		assert_int_equal(write(fds[i][1], "x", 1), 1);
	assert_int_equal(wait_for(b, SECOND_NS), WATCH_MAX / 2);
	for (uint32_t i = 0; i < WATCH_MAX; i++)
		assert_int_equal(seen(b, i), i % 2 ? 0 : POLLIN);
	for (uint32_t i = 0; i < WATCH_MAX; i++)
		close_pair(fds[i]);
}

static void poller_reports_each_ready_descriptor_once(void **state)
{
	(void)state;
	on_each(check_many);
}

static void check_hang_up(struct bench *b)
{
	int pipe_fds[2];
	int fds[2];

	open_pair(fds);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(set(b, 0, pipe_fds[0], 0, POLLHUP), 0);
	assert_int_equal(set(b, 1, fds[0], 0, POLLRDHUP | POLLHUP), 0);
	assert_int_equal(wait_for(b, 0), 0);

	/* Data is no hang-up: neither reported, nor a reason to spin. */
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(wait_for(b, 0), 0);

	close(pipe_fds[1]);
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	for (int tries = 0; tries < 100 && wait_for(b, SECOND_NS) == 0; tries++)
		;
	assert_int_equal(b->nr, 2);
	assert_int_equal(seen(b, 0), POLLHUP);
	assert_int_equal(seen(b, 1), POLLRDHUP);
	close(pipe_fds[0]);
	close_pair(fds);
}

static void poller_tells_a_hang_up_from_data(void **state)
{
	(void)state;
	on_each(check_hang_up);
}

/* A pipe whose ends are the two numbers of fds, as a new file under old numbers. */
static void reopen_as_pipe(const int fds[2])
{
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(dup2(pipe_fds[0], fds[0]), fds[0]);
	assert_int_equal(dup2(pipe_fds[1], fds[1]), fds[1]);
	close_pair(pipe_fds);
}

static void check_reuse(struct bench *b)
{
	bool once = b->poller->once;
	int fds[2];

	open_pair(fds);
	assert_int_equal(set(b, 0, fds[0], 0, POLLIN), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(set(b, 0, fds[0], once ? 0 : POLLIN, 0), 0);

	/* The number now means another file, whose readiness must be found. */
	reopen_as_pipe(fds);
	assert_int_equal(set(b, 0, fds[0], 0, POLLIN), 0);
	assert_int_equal(wait_for(b, 0), 0);
	assert_int_equal(write(fds[1], "y", 1), 1);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(seen(b, 0), POLLIN);

	/* Removed while armed, closed, opened again. */
	assert_int_equal(set(b, 0, fds[0], once ? 0 : POLLIN, POLLIN), 0);
	assert_int_equal(set(b, 0, fds[0], POLLIN, 0), 0);
	reopen_as_pipe(fds);
	assert_int_equal(set(b, 1, fds[0], 0, POLLIN), 0);
	assert_int_equal(write(fds[1], "z", 1), 1);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(seen(b, 1), POLLIN);
	close_pair(fds);
}

static void poller_finds_the_new_file_behind_a_reused_number(void **state)
{
	(void)state;
	on_each(check_reuse);
}

static void check_closed(struct bench *b)
{
	int fds[2];
	int err;

	open_pair(fds);
	close_pair(fds);
	err = set(b, 0, fds[0], 0, POLLIN);
	if (err) {
		assert_int_equal(err, -EBADF);
		return;
	}
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_true(seen(b, 0) & POLLNVAL);
	/* The others are still served. */
	open_pair(fds);
	assert_int_equal(set(b, 0, fds[0], POLLIN, 0), 0);
	assert_int_equal(set(b, 1, fds[0], 0, POLLOUT), 0);
	assert_int_equal(wait_for(b, SECOND_NS), 1);
	assert_int_equal(seen(b, 1), POLLOUT);
	close_pair(fds);
}

static void poller_says_that_a_descriptor_is_not_open(void **state)
{
	(void)state;
	on_each(check_closed);
}

static void check_file(struct bench *b)
{
	const char *path = support_path(support_tmpdir(), "file");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int err;

	assert_true(fd >= 0);
	err = set(b, 0, fd, 0, POLLIN);
	assert_int_equal(err, b->poller->refuses_files ? -EPERM : 0);
	if (!err)
		assert_int_equal(wait_for(b, SECOND_NS), 1);
	close(fd);
}

static void poller_refuses_a_regular_file_or_calls_it_ready(void **state)
{
	(void)state;
	on_each(check_file);
}

/* ---- time and wake-ups ------------------------------------------------------------- */

static void check_timeout(struct bench *b)
{
	const int64_t timeout_ns = 3300000;
	int64_t begin_ns = clock_ns();

	assert_int_equal(wait_for(b, timeout_ns), 0);
	assert_true(clock_ns() - begin_ns >= timeout_ns);
}

static void poller_never_ends_a_wait_early(void **state)
{
	(void)state;
	on_each(check_timeout);
}

static void *wake_later(void *arg)
{
	const struct bench *b = arg;
	struct timespec delay = { .tv_nsec = 5000000 };

	nanosleep(&delay, NULL);
	sl_sys_eventfd_signal(b->wake_fd);
	return NULL;
}

static void check_wake(struct bench *b)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wake_later, b), 0);
	assert_int_equal(wait_for(b, -1), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(seen(b, POLLER_WAKE), POLLIN);

	/* It stays readable until drained, however often it was signalled. */
	sl_sys_eventfd_signal(b->wake_fd);
	assert_int_equal(wait_for(b, -1), 1);
	assert_int_equal(sl_sys_eventfd_drain(b->wake_fd), 1);
	assert_int_equal(sl_sys_eventfd_drain(b->wake_fd), 0);
	assert_int_equal(wait_for(b, 0), 0);
}

static void poller_is_woken_by_another_thread(void **state)
{
	(void)state;
	on_each(check_wake);
}

static int handler_wake_fd;

static void wake_from_handler(int signo)
{
	(void)signo;
	sl_sys_eventfd_signal(handler_wake_fd);
}

static void check_signal(struct bench *b)
{
	struct sigaction action = { .sa_handler = wake_from_handler };
	struct sigaction old;
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec soon = { .it_value = { .tv_nsec = 5000000 } };
	int n;

	handler_wake_fd = b->wake_fd;
	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	/* The signal interrupts the wait, and what it signalled is seen by the next one. */
	n = wait_for(b, -1);
	if (n == -EINTR) {
		/* The thread sanitizer runs handlers in the library's calls only. */
		usleep(1);
		n = wait_for(b, -1);
	}
	assert_int_equal(n, 1);
	assert_int_equal(seen(b, POLLER_WAKE), POLLIN);
	timer_delete(timer);
	sigaction(SIGUSR1, &old, NULL);
}

static void poller_is_woken_by_a_signal_handler(void **state)
{
	(void)state;
	on_each(check_signal);
}

/* ---- the limit of select -------------------------------------------------------------- */

/* A copy of fd with a number of at least FD_SETSIZE, or -1 where RLIMIT_NOFILE forbids it. */
static int dup_high(int fd)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur <= FD_SETSIZE) {
		limit.rlim_cur = FD_SETSIZE + 64;
		if (limit.rlim_cur > limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) < 0)
			return -1;
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, FD_SETSIZE);
}

static void check_high(struct bench *b)
{
	int fds[2];
	int high;

	open_pair(fds);
	high = dup_high(fds[0]);
	if (high < 0)
		SKIP("RLIMIT_NOFILE is below %d", FD_SETSIZE + 1);
	if (b->poller->fd_limit) {
		assert_int_equal(b->poller->fd_limit, FD_SETSIZE);
		assert_int_equal(set(b, 0, high, 0, POLLOUT), -EINVAL);
	} else {
		assert_int_equal(set(b, 0, high, 0, POLLOUT), 0);
		assert_int_equal(wait_for(b, SECOND_NS), 1);
		assert_int_equal(seen(b, 0), POLLOUT);
	}
	close(high);
	close_pair(fds);
}

static void select_refuses_descriptors_beyond_1023_and_the_others_do_not(void **state)
{
	(void)state;
	on_each(check_high);
}

static void epoll_is_embeddable_and_polls_readable(void **state)
{
	struct bench b;
	struct pollfd outer = { .events = POLLIN };
	int fds[2];

	(void)state;
	bench_open(&b, 0);
	open_pair(fds);
	outer.fd = b.poller->fd(b.self);
	assert_true(outer.fd >= 0);
	assert_int_equal(set(&b, 0, fds[0], 0, POLLIN), 0);
	assert_int_equal(poll(&outer, 1, 0), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(poll(&outer, 1, 1000), 1);
	assert_int_equal(wait_for(&b, 0), 1);
	assert_int_equal(poll(&outer, 1, 0), 0);
	sl_sys_eventfd_signal(b.wake_fd);
	assert_int_equal(poll(&outer, 1, 1000), 1);
	close_pair(fds);
	bench_close(&b);
	assert_int_equal(sl_poller_poll.fd(NULL), -EOPNOTSUPP);
	assert_int_equal(sl_poller_select.fd(NULL), -EOPNOTSUPP);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(poller_reports_what_is_watched_and_nothing_after_removal),
		TEST(poller_reports_each_ready_descriptor_once),
		TEST(poller_tells_a_hang_up_from_data),
		TEST(poller_finds_the_new_file_behind_a_reused_number),
		TEST(poller_says_that_a_descriptor_is_not_open),
		TEST(poller_refuses_a_regular_file_or_calls_it_ready),
		TEST(poller_never_ends_a_wait_early),
		TEST(poller_is_woken_by_another_thread),
		TEST(poller_is_woken_by_a_signal_handler),
		TEST(select_refuses_descriptors_beyond_1023_and_the_others_do_not),
		TEST(epoll_is_embeddable_and_polls_readable),
	};

	return RUN_TESTS(tests);
}
