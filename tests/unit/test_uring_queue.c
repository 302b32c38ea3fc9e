/* The raw ring: setup, batches, waits, wake-ups, fork, and machines that forbid it. */
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uring_fixture.h"

#define FLAG_OF_THE_FUTURE (1U << 30)
#define NOBODY		   65534

static void batch_of_nops_completes_with_one_system_call(void **state)
{
	const struct uring_queue_wait wait = { .nr = 8 };
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	for (uint64_t i = 0; i < 8; i++)
		assert_true(push_nop(&q, 100 + i));
	assert_int_equal(uring_queue_submit(&q, &wait), 8);
	assert_int_equal(uring_queue_ready(&q), 8);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(uring_queue_cqe(&q, i)->user_data, 100 + i);
		assert_int_equal(uring_queue_cqe(&q, i)->res, 0);
	}
	uring_queue_seen(&q, 8);
	assert_null(uring_queue_peek(&q));
	uring_queue_close(&q);
}

static void indices_wrap_around_many_times(void **state)
{
	struct uring_queue q;
	uint64_t seed = support_seed();
	uint64_t pushed = 0;
	uint64_t reaped = 0;

	(void)state;
	open_usual(&q);
	while (pushed < 100000) {
		uint64_t nr = support_random(&seed) % 8 + 1;
		const struct uring_queue_wait wait = { .nr = (uint32_t)nr };

		for (uint64_t i = 0; i < nr; i++)
			assert_true(push_nop(&q, pushed++));
		assert_int_equal(uring_queue_submit(&q, &wait), nr);
		for (; uring_queue_peek(&q); reaped++) {
			assert_int_equal(uring_queue_peek(&q)->user_data, reaped);
			uring_queue_seen(&q, 1);
		}
		assert_int_equal(reaped, pushed);
	}
	uring_queue_close(&q);
}

static void full_submission_queue_says_so_and_recovers(void **state)
{
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	assert_int_equal(uring_queue_room(&q), 8);
	for (uint64_t i = 0; i < 8; i++)
		assert_true(push_nop(&q, i));
	assert_int_equal(uring_queue_room(&q), 0);
	assert_null(uring_queue_sqe(&q));
	assert_false(push_nop(&q, 8));
	assert_int_equal(uring_queue_unsubmitted(&q), 8);
	assert_int_equal(uring_queue_submit(&q, NULL), 8);
	assert_int_equal(uring_queue_unsubmitted(&q), 0);
	assert_true(push_nop(&q, 8));
	uring_queue_close(&q);
}

static void filling_an_entry_leaves_no_byte_of_the_last_one(void **state)
{
	struct sl_uring_sqe request = { .opcode = SL_URING_OP_READ, .flags = 2, .ioprio = 3 };
	struct sl_uring_sqe slot;
	uint8_t *bytes = (uint8_t *)&request;

	(void)state;
	for (size_t i = 0; i < sizeof(request); i++)
		bytes[i] = (uint8_t)(i + 1);
	memset(&slot, 0xee, sizeof(slot));
	uring_sqe_fill(&slot, &request);
	assert_memory_equal(&slot, &request, sizeof(slot));
}

static void refused_wishes_are_dropped_and_reported(void **state)
{
	struct uring_queue_opts opts = { .flags_wanted = URING_QUEUE_WANT | FLAG_OF_THE_FUTURE };
	struct uring_queue_report report;
	struct uring_queue q;

	(void)state;
	open_or_skip(&q, &opts, &report);
	assert_true(report.flags_dropped & FLAG_OF_THE_FUTURE);
	assert_false(report.flags & FLAG_OF_THE_FUTURE);
	/* Whatever else this kernel refuses, the two sets make up the wish. */
	assert_int_equal((report.flags & ~SL_URING_SETUP_COOP_TASKRUN) | report.flags_dropped,
			 opts.flags_wanted);
	assert_true(push_nop(&q, 1));
	assert_int_equal(reap(&q, 1), 0);
	uring_queue_close(&q);
}

static void required_flag_that_is_refused_fails_the_open(void **state)
{
	struct uring_queue_opts opts = { .flags = FLAG_OF_THE_FUTURE,
					 .flags_wanted = URING_QUEUE_WANT };
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	uring_queue_close(&q);
	assert_int_equal(uring_queue_open(&q, &opts, NULL), -EINVAL);
	assert_int_equal(q.fd, -1);
}

static void sizes_and_layouts_out_of_range_are_refused(void **state)
{
	static const struct uring_queue_opts bad[] = {
		{ .sq_entries = 32769 },
		{ .sq_entries = 64, .cq_entries = 65537 },
		{ .sq_entries = 64, .cq_entries = 32 },
		{ .flags = SL_URING_SETUP_SQE128 },
		{ .flags_wanted = SL_URING_SETUP_CQE32 },
		{ .flags = SL_URING_SETUP_R_DISABLED },
	};
	struct uring_queue q;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(uring_queue_open(&q, &bad[i], NULL), -EINVAL);
}

static void plain_ring_with_all_defaults_works(void **state)
{
	struct uring_queue_report report;
	struct uring_queue q;

	(void)state;
	open_or_skip(&q, NULL, &report);
	assert_int_equal(report.flags, 0);
	assert_int_equal(report.sq_entries, 64);
	assert_int_equal(report.cq_entries, 128);
	for (uint64_t i = 0; i < 1000; i++) {
		assert_true(push_nop(&q, i));
		assert_int_equal(reap(&q, i), 0);
	}
	uring_queue_close(&q);
}

static void deadline_ends_a_wait_and_not_too_early(void **state)
{
	struct uring_queue_wait wait = { .nr = 1 };
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	wait.deadline_ns = clock_ns() + 5000000;
	assert_int_equal(uring_queue_submit(&q, &wait), -ETIME);
	assert_true(clock_ns() >= wait.deadline_ns);
	/* One that has passed does not wait at all, nor does the kernel take it for "none". */
	assert_int_equal(uring_queue_submit(&q, &wait), -ETIME);
	wait.idle = true;
	assert_int_equal(uring_queue_submit(&q, &wait), -ETIME);
	/* The same without the newer flags, as on an older kernel. */
	q.enter_flags = 0;
	wait.deadline_ns = clock_ns() + 5000000;
	assert_int_equal(uring_queue_submit(&q, &wait), -ETIME);
	assert_true(clock_ns() >= wait.deadline_ns);
	uring_queue_close(&q);
}

static void min_wait_returns_with_fewer_than_asked_for(void **state)
{
	struct uring_queue_wait wait = { .nr = 8, .min_wait_us = 5000 };
	struct uring_queue q;
	uint64_t begin_ns;

	(void)state;
	open_usual(&q);
	if (!uring_queue_has(&q, SL_URING_FEAT_MIN_TIMEOUT)) {
		uring_queue_close(&q);
		SKIP("this kernel cannot gather completions for a minimum time (6.12 can)");
	}
	assert_true(push_nop(&q, 1));
	assert_int_equal(uring_queue_submit(&q, NULL), 1);
	begin_ns = clock_ns();
	wait.deadline_ns = begin_ns + WAIT_LONG_NS;
	assert_int_equal(uring_queue_submit(&q, &wait), 0);
	assert_true(clock_ns() >= begin_ns + 5000000);
	assert_int_equal(uring_queue_ready(&q), 1);
	uring_queue_close(&q);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void signal_interrupts_a_wait(void **state)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 5000 },
					.it_interval = { .tv_usec = 5000 } };
	const struct itimerval never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct uring_queue_wait wait = { .nr = 1 };
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	wait.deadline_ns = clock_ns() + WAIT_LONG_NS;
	assert_int_equal(uring_queue_submit(&q, &wait), -EINTR);
	setitimer(ITIMER_REAL, &never, NULL);
	uring_queue_close(&q);
}

static void deferred_completion_shows_after_an_empty_submit(void **state)
{
	struct uring_queue q;
	int fds[2];

	(void)state;
	open_usual(&q);
	assert_int_equal(pipe(fds), 0);
	assert_true(uring_queue_push(&q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_POLL_ADD,
								 .fd = fds[0],
								 .op_flags = POLLIN,
								 .user_data = 7 }));
	assert_int_equal(uring_queue_submit(&q, NULL), 1);
	assert_null(uring_queue_peek(&q));
	assert_int_equal(write(fds[1], "x", 1), 1);
	if (q.flags & SL_URING_SETUP_DEFER_TASKRUN) {
		assert_true(uring_queue_taskrun(&q));
		assert_null(uring_queue_peek(&q));
	}
	assert_int_equal(uring_queue_submit(&q, NULL), 0);
	assert_false(uring_queue_taskrun(&q));
	assert_non_null(uring_queue_peek(&q));
	assert_int_equal(uring_queue_peek(&q)->user_data, 7);
	uring_queue_close(&q);
	close(fds[0]);
	close(fds[1]);
}

static void overflowed_completions_come_in_order(void **state)
{
	const struct uring_queue_opts opts = { .sq_entries = 8,
					       .cq_entries = 8,
					       .flags_wanted = URING_QUEUE_WANT };
	struct uring_queue q;
	uint64_t reaped = 0;

	(void)state;
	open_or_skip(&q, &opts, NULL);
	for (uint64_t i = 0; i < 24; i++) {
		assert_true(push_nop(&q, i));
		if (i % 8 == 7)
			assert_int_equal(uring_queue_submit(&q, NULL), 8);
	}
	assert_true(uring_queue_overflowed(&q));
	while (reaped < 24) {
		uint32_t nr = uring_queue_ready(&q);

		assert_true(nr > 0);
		for (uint32_t i = 0; i < nr; i++)
			assert_int_equal(uring_queue_cqe(&q, i)->user_data, reaped++);
		uring_queue_seen(&q, nr);
		assert_int_equal(uring_queue_submit(&q, NULL), 0);
	}
	assert_false(uring_queue_overflowed(&q));
	uring_queue_close(&q);
}

/* Their order is the kernel's: 6.1 completes what it refuses before what it has done at once. */
static void bad_entry_does_not_stop_the_batch(void **state)
{
	const struct uring_queue_wait wait = { .nr = 3 };
	struct uring_queue q;
	unsigned seen = 0;

	(void)state;
	open_usual(&q);
	assert_true(q.flags & SL_URING_SETUP_SUBMIT_ALL);
	push_nop(&q, 1);
	assert_true(uring_queue_push(&q, &(struct sl_uring_sqe){ .opcode = 255, .user_data = 2 }));
	push_nop(&q, 3);
	assert_int_equal(uring_queue_submit(&q, &wait), 3);
	assert_int_equal(uring_queue_ready(&q), 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct sl_uring_cqe *cqe = uring_queue_cqe(&q, i);

		assert_int_equal(cqe->res, cqe->user_data == 2 ? -EINVAL : 0);
		seen |= 1U << cqe->user_data;
	}
	assert_int_equal(seen, 1U << 1 | 1U << 2 | 1U << 3);
	uring_queue_close(&q);
}

static void sqpoll_wakes_its_sleeping_thread(void **state)
{
	const struct uring_queue_opts opts = { .sq_entries = 8,
					       .flags = SL_URING_SETUP_SQPOLL,
					       .flags_wanted = URING_QUEUE_WANT,
					       .sq_idle_ms = 1 };
	const struct timespec nap = { .tv_nsec = 1000000 };
	const uint64_t limit_ns = clock_ns() + WAIT_LONG_NS;
	struct uring_queue_report report;
	struct uring_queue q;

	(void)state;
	open_or_skip(&q, &opts, &report);
	assert_true(report.flags_dropped & SL_URING_SETUP_DEFER_TASKRUN);
	for (uint64_t i = 0; i < 4; i++) {
		while (!(uring_queue_sq_flags(&q) & SL_URING_SQ_NEED_WAKEUP) &&
		       clock_ns() < limit_ns)
			nanosleep(&nap, NULL);
		assert_true(push_nop(&q, i));
		assert_int_equal(uring_queue_submit(&q, NULL), 1);
		assert_int_equal(reap(&q, i), 0);
	}
	assert_int_equal(uring_queue_sq_wait(&q), 0);
	uring_queue_close(&q);
}

/* More rings than the kernel registers per thread; false when memlock has no room for them. */
static bool open_many(struct uring_queue *q, size_t nr, struct uring_queue_report *report)
{
	int err = 0;

	for (size_t i = 0; i < nr && !err; i++)
		err = uring_queue_open(&q[i], NULL, report);
	if (!err)
		return true;
	assert_int_equal(err, -ENOMEM);
	for (size_t i = 0; i < nr; i++)
		uring_queue_close(&q[i]);
	return false;
}

static void registered_descriptors_run_out_gracefully(void **state)
{
	enum {
		NR = SL_URING_RING_FDS_MAX + 1
	};
	struct uring_queue q[NR] = { 0 };
	struct uring_queue_report report;

	(void)state;
	open_usual(&q[0]);
	uring_queue_close(&q[0]);
	if (!open_many(q, NR, &report))
		SKIP("RLIMIT_MEMLOCK leaves no room for %d rings", NR);
	assert_int_equal(report.ring_fd_error, -EBUSY);
	for (size_t i = 0; i < NR; i++) {
		assert_true(push_nop(&q[i], i));
		assert_int_equal(reap(&q[i], i), 0);
		uring_queue_close(&q[i]);
	}
	/* Closing has given the places back. */
	open_or_skip(&q[0], NULL, &report);
	assert_int_equal(report.ring_fd_error, 0);
	uring_queue_close(&q[0]);
}

static void *submit_elsewhere(void *arg)
{
	return (void *)(intptr_t)uring_queue_submit(arg, NULL);
}

static void single_issuer_refuses_another_thread(void **state)
{
	const struct uring_queue_opts opts = { .flags = SL_URING_SETUP_SINGLE_ISSUER,
					       .ring_fd_unregistered = true };
	struct uring_queue_report report;
	struct uring_queue q;
	pthread_t thread;
	void *ret;

	(void)state;
	open_or_skip(&q, &opts, &report);
	assert_int_equal(report.ring_fd_error, -ECANCELED);
	push_nop(&q, 1);
	assert_int_equal(pthread_create(&thread, NULL, submit_elsewhere, &q), 0);
	pthread_join(thread, &ret);
	assert_int_equal((intptr_t)ret, -EEXIST);
	assert_int_equal(reap(&q, 1), 0);
	uring_queue_close(&q);
}

static void closing_accepts_whatever_is_no_ring(void **state)
{
	struct uring_queue q = { 0 };
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	uring_queue_close(NULL);
	uring_queue_close(&q);
	open_usual(&q);
	uring_queue_close(&q);
	assert_int_equal(q.fd, -1);
	uring_queue_close(&q);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_true(fcntl(0, F_GETFD) >= 0);
	close(fd);
}

static int run_child(int (*body)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(body(arg));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The child has nothing where the ring was; what it maps there survives its close. */
static int close_inherited(void *arg)
{
	struct uring_queue *q = arg;
	unsigned char *mine;
	void *where = q->sqes;

	mine = mmap(where, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (mine != where)
		return 1;
	*mine = 42;
	uring_queue_close(q);
	return *mine == 42 && q->fd == -1 ? 0 : 2;
}

static void child_does_not_inherit_the_ring(void **state)
{
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	assert_true(push_nop(&q, 1));
	assert_int_equal(run_child(close_inherited, &q), 0);
	assert_int_equal(reap(&q, 1), 0);
	uring_queue_close(&q);
}

static int count_fds(void)
{
	int nr = 0;

	for (int fd = 0; fd < 256; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static int deny(uint32_t call)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static int open_when_denied(void *arg)
{
	const struct uring_queue_opts opts = { .flags_wanted = URING_QUEUE_WANT };
	struct uring_queue q;
	int fds = count_fds();

	if (deny(*(uint32_t *)arg) < 0)
		return 1;
	if (open_patiently(&q, &opts, NULL) != -EPERM)
		return 2;
	return count_fds() == fds && q.fd == -1 ? 0 : 3;
}

static void filter_that_denies_any_needed_call_gives_eperm(void **state)
{
	uint32_t setup = SYS_io_uring_setup;
	uint32_t enter = SYS_io_uring_enter;
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	uring_queue_close(&q);
	assert_int_equal(run_child(open_when_denied, &setup), 0);
	assert_int_equal(run_child(open_when_denied, &enter), 0);
}

static int open_without_register(void *arg)
{
	struct uring_queue_report report;
	struct uring_queue q;

	if (deny(*(uint32_t *)arg) < 0)
		return 1;
	if (open_patiently(&q, NULL, &report) != 0 || report.ring_fd_error != -EPERM)
		return 2;
	push_nop(&q, 5);
	if (uring_queue_submit(&q, &(struct uring_queue_wait){ .nr = 1 }) != 1)
		return 3;
	uring_queue_close(&q);
	return 0;
}

static void ring_works_where_register_is_denied(void **state)
{
	uint32_t call = SYS_io_uring_register;
	struct uring_queue q;

	(void)state;
	open_usual(&q);
	uring_queue_close(&q);
	assert_int_equal(run_child(open_without_register, &call), 0);
}

/* Exit code of a child that is nobody with 64 KiB of memlock: 0 when all went as promised. */
static int open_as_nobody(void *arg)
{
	const struct rlimit small = { .rlim_cur = 65536, .rlim_max = 65536 };
	struct uring_queue_opts opts = { .sq_entries = 32768, .flags_wanted = URING_QUEUE_WANT };
	struct uring_queue q;
	int fds = count_fds();
	int err;

	(void)arg;
	if (setrlimit(RLIMIT_MEMLOCK, &small) < 0 || setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 ||
	    setuid(NOBODY) < 0)
		return 1;
	err = uring_queue_open(&q, &opts, NULL);
	uring_queue_close(&q); /* kernels that do not charge rings let even this one through */
	if ((err && err != -ENOMEM) || count_fds() != fds)
		return 2;
	opts.sq_entries = 16;
	if (uring_queue_open(&q, &opts, NULL) != 0)
		return 3;
	push_nop(&q, 5);
	if (uring_queue_submit(&q, &(struct uring_queue_wait){ .nr = 1 }) != 1)
		return 4;
	uring_queue_close(&q);
	return 0;
}

static void small_memlock_gives_enomem_or_a_smaller_ring(void **state)
{
	struct uring_queue q;

	(void)state;
	if (geteuid() != 0)
		SKIP("only root can become another user with a small memlock limit");
	open_usual(&q);
	uring_queue_close(&q);
	assert_int_equal(run_child(open_as_nobody, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(batch_of_nops_completes_with_one_system_call),
		TEST(indices_wrap_around_many_times),
		TEST(full_submission_queue_says_so_and_recovers),
		TEST(filling_an_entry_leaves_no_byte_of_the_last_one),
		TEST(refused_wishes_are_dropped_and_reported),
		TEST(required_flag_that_is_refused_fails_the_open),
		TEST(sizes_and_layouts_out_of_range_are_refused),
		TEST(plain_ring_with_all_defaults_works),
		TEST(deadline_ends_a_wait_and_not_too_early),
		TEST(min_wait_returns_with_fewer_than_asked_for),
		TEST(signal_interrupts_a_wait),
		TEST(deferred_completion_shows_after_an_empty_submit),
		TEST(overflowed_completions_come_in_order),
		TEST(bad_entry_does_not_stop_the_batch),
		TEST(sqpoll_wakes_its_sleeping_thread),
		TEST(registered_descriptors_run_out_gracefully),
		TEST(single_issuer_refuses_another_thread),
		TEST(closing_accepts_whatever_is_no_ring),
		TEST(child_does_not_inherit_the_ring),
		TEST(filter_that_denies_any_needed_call_gives_eperm),
		TEST(ring_works_where_register_is_denied),
		TEST(small_memlock_gives_enomem_or_a_smaller_ring),
	};

	return RUN_TESTS(tests);
}
