/* selection.c - which backend is picked, and that it says why a better one was not. */
#include "cover.h"
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct log_lines lines;

static int open_any(uint32_t flags, const char *backend, struct sl_ring **ret_ring)
{
	const struct sl_ring_opts opts = { .size = sizeof(opts),
					   .flags = flags,
					   .depth = 8,
					   .backend = backend,
					   .log = log_keep,
					   .log_ctx = &lines };

	return sl_ring_open(&opts, ret_ring);
}

/* From now on io_uring_setup(2) fails with err, as a container's filter does. */
static bool forbid_io_uring(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { NR(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int64_t give_five(void *ctx)
{
	(void)ctx;
	return 5;
}

static void use(struct sl_ring *ring)
{
	struct sl_op op = { 0 };
	char buf[8];
	int file = test_file("used", 02), pair[2];

	world_pair(pair);
	expect_res(ring, sl_op_write(&op, file, "data", 4, 0), 4);
	expect_res(ring, sl_op_read(&op, file, buf, 8, 0), 4);
	expect_res(ring, sl_op_send(&op, pair[0], "x", 1, 0), 1);
	expect_res(ring, sl_op_recv(&op, pair[1], buf, 8, 0), 1);
	expect_res(ring, sl_op_work(&op, give_five, NULL), 5);
	expect_res(ring, sl_op_timer(&op, sl_ring_clock(ring) + MS, 0), 0);
	expect_res(ring, sl_op_close(&op, file), 0);
}

static void without_a_wish_the_best_that_works_is_taken(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	unsetenv("SLUICE_BACKEND");
	assert_int_equal(open_any(0, NULL, &ring), 0);
	assert_true(sl_ring_caps(ring)->why[0] != '\0');
	assert_true(log_has(&lines, sl_ring_caps(ring)->backend));
	use(ring);
	sl_ring_close(ring);
}

static void the_environment_names_a_backend(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	setenv("SLUICE_BACKEND", "poll", 1);
	assert_int_equal(open_any(0, NULL, &ring), 0);
	assert_string_equal(sl_ring_caps(ring)->backend, "poll");
	sl_ring_close(ring);
	assert_int_equal(open_any(0, "select", &ring), 0);
	assert_string_equal(sl_ring_caps(ring)->backend, "select");
	sl_ring_close(ring);
	setenv("SLUICE_BACKEND", "steam", 1);
	assert_int_equal(open_any(0, NULL, &ring), -EINVAL);
}

static void under_a_filter_that_denies_io_uring_all_runs_on_epoll(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	unsetenv("SLUICE_BACKEND");
	if (!forbid_io_uring(EPERM))
		SKIP("no seccomp filters here");
	assert_int_equal(open_any(0, NULL, &ring), 0);
	assert_string_equal(sl_ring_caps(ring)->backend, "epoll");
	assert_non_null(strstr(sl_ring_caps(ring)->why, "uring"));
	assert_true(log_has(&lines, "seccomp"));
	use(ring);
	sl_ring_close(ring);
}

static void on_a_kernel_without_io_uring_all_runs_on_epoll(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	unsetenv("SLUICE_BACKEND");
	if (!forbid_io_uring(ENOSYS))
		SKIP("no seccomp filters here");
	assert_int_equal(open_any(0, NULL, &ring), 0);
	assert_string_equal(sl_ring_caps(ring)->backend, "epoll");
	use(ring);
	sl_ring_close(ring);
	assert_int_equal(open_any(SL_RING_NO_FALLBACK, NULL, &ring), -ENOSYS);
}

#define DISABLED_SWITCH "/proc/sys/kernel/io_uring_disabled"

static bool set_switch(const char *text)
{
	int fd = open(DISABLED_SWITCH, O_WRONLY | O_CLOEXEC);
	bool set = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return set;
}

/* The switch itself in a guest; elsewhere it is shown as set, and a filter refuses in its place.
 * Exit code: 0 fine, 77 cannot be tried, else the step that failed. */
static int under_the_switch(void *ctx)
{
	const char *text = ctx;
	bool guest = getenv("SLUICE_VM_DISKS");
	struct sl_ring *ring = NULL;
	char told[64];

	unsetenv("SLUICE_BACKEND");
	if (guest && (!set_switch(text) || setgid(65534) || setuid(65534)))
		return 1;
	if (!guest && (support_cover(DISABLED_SWITCH, text) || !forbid_io_uring(EPERM)))
		return 77;
	if (open_any(0, NULL, &ring) != 0)
		return 2;
	snprintf(told, sizeof(told), "kernel.io_uring_disabled is %s", text);
	if (strcmp(sl_ring_caps(ring)->backend, "epoll") != 0)
		return 3;
	if (!strstr(sl_ring_caps(ring)->why, told) || !log_has(&lines, told))
		return 4;
	sl_ring_close(ring);
	return 0;
}

static void where_the_sysctl_forbids_io_uring_all_runs_on_epoll(void **state)
{
	static char one[] = "1", two[] = "2";
	int rc[2];

	(void)state;
	if (access(DISABLED_SWITCH, R_OK))
		SKIP("this kernel has no kernel.io_uring_disabled (6.6 has)");
	rc[0] = in_child(under_the_switch, one);
	rc[1] = in_child(under_the_switch, two);
	if (getenv("SLUICE_VM_DISKS"))
		assert_true(set_switch("0"));
	if (rc[0] == 77)
		SKIP("no mount namespaces or no seccomp filters here");
	assert_int_equal(rc[0], 0);
	assert_int_equal(rc[1], 0);
}

static void a_backend_that_is_asked_for_falls_back_and_says_so(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	if (!forbid_io_uring(EPERM))
		SKIP("no seccomp filters here");
	assert_int_equal(open_any(0, "uring", &ring), 0);
	assert_string_equal(sl_ring_caps(ring)->backend, "epoll");
	assert_true(log_has(&lines, "uring"));
	sl_ring_close(ring);
}

static void no_fallback_fails_instead(void **state)
{
	struct sl_ring *ring = NULL;

	(void)state;
	unsetenv("SLUICE_BACKEND");
	if (!forbid_io_uring(EPERM))
		SKIP("no seccomp filters here");
	assert_int_equal(open_any(SL_RING_NO_FALLBACK, "uring", &ring), -EPERM);
	assert_int_equal(open_any(SL_RING_NO_FALLBACK, NULL, &ring), -EPERM);
	assert_null(ring);
	assert_true(log_has(&lines, "seccomp"));
}

/* Exit code: 0 fine, 77 cannot be tried, else the step that failed. */
static int as_poor_user(void *ctx)
{
	const struct rlimit limit = { 65536, 65536 };
	struct sl_ring *ring = NULL;
	struct sl_op op = { 0 };
	const struct sl_caps *caps;

	(void)ctx;
	unsetenv("SLUICE_BACKEND");
	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	if (sl_ring_open(&(struct sl_ring_opts){ .size = sizeof(struct sl_ring_opts),
						 .depth = 1024,
						 .log = log_keep,
						 .log_ctx = &lines },
			 &ring) != 0)
		return 1;
	if (sl_ring_do(ring, sl_op_nop(&op)) != 0)
		return 2;
	caps = sl_ring_caps(ring);
	if (caps->depth != 1024 || strcmp(caps->backend, "epoll") == 0)
		return log_has(&lines, "memlock") && log_has(&lines, "64 KiB") ? 0 : 3;
	sl_ring_close(ring);
	return 0;
}

static void under_a_memlock_limit_it_runs_smaller_or_on_epoll_with_numbers(void **state)
{
	int rc = in_child(as_poor_user, NULL);

	(void)state;
	if (rc == 77)
		SKIP("cannot become an unprivileged user");
	assert_int_equal(rc, 0);
}

static void *open_and_count(void *ctx)
{
	const struct rlimit none = { 0, 0 };
	struct sl_ring *ring = NULL;

	setrlimit(RLIMIT_NPROC, &none);
	*(int *)ctx = open_any(0, "epoll", &ring);
	return NULL;
}

static int without_threads(void *ctx)
{
	int rc = 1;

	(void)ctx;
	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	open_and_count(&rc);
	return rc == -EAGAIN ? 0 : 1;
}

static void without_threads_open_says_so(void **state)
{
	int rc = in_child(without_threads, NULL);

	(void)state;
	if (rc == 77)
		SKIP("cannot become an unprivileged user");
	assert_int_equal(rc, 0);
}

static const struct contract_test tests[] = {
	T(without_a_wish_the_best_that_works_is_taken, 0, ON_NOTHING),
	T(the_environment_names_a_backend, 0, ON_NOTHING),
	T(under_a_filter_that_denies_io_uring_all_runs_on_epoll, 0, ON_NOTHING),
	T(on_a_kernel_without_io_uring_all_runs_on_epoll, 0, ON_NOTHING),
	T(where_the_sysctl_forbids_io_uring_all_runs_on_epoll, 0, ON_NOTHING),
	T(a_backend_that_is_asked_for_falls_back_and_says_so, 0, ON_NOTHING),
	T(no_fallback_fails_instead, 0, ON_NOTHING),
	T(under_a_memlock_limit_it_runs_smaller_or_on_epoll_with_numbers, 0, ON_NOTHING),
	T(without_threads_open_says_so, 0, ON_NOTHING),
};

const struct contract_group selection_tests = GROUP(tests);
