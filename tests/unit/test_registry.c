/* test_registry.c: which backend a ring gets, and what is said where a better one is refused. */
#include "harness.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/ring.h>

#include "backend/ready/ready.h"
#include "backend/registry.h"
#include "backend/uring/backend.h"

#define NOBODY	      65534
#define MEMLOCK_BYTES ((rlim_t)64 * 1024)
#define DEPTH_LARGE   4096

/* The lines told to the log, one after another, each with its level as a digit before it. */
struct journal {
	char text[8192];
	size_t len;
};

static void journal_log(void *ctx, int level, const char *text)
{
	struct journal *journal = ctx;
	int n = snprintf(journal->text + journal->len, sizeof(journal->text) - journal->len,
			 "%d %s\n", level, text);

	if (n > 0)
		journal->len += (size_t)n;
}

/* Opens a ring with what is given, closes it, keeps what it said of itself. */
static int open_and_ask(const char *backend, uint32_t flags, uint32_t depth,
			struct journal *ret_journal, struct sl_caps *ret_caps)
{
	const struct sl_ring_opts opts = {
		.size = sizeof(opts),
		.flags = flags,
		.depth = depth,
		.backend = backend,
		.log = journal_log,
		.log_ctx = ret_journal,
	};
	struct sl_ring *ring = NULL;
	int err;

	*ret_journal = (struct journal){ .len = 0 };
	err = sl_ring_open(&opts, &ring);
	if (err)
		return err;
	*ret_caps = *sl_ring_caps(ring);
	sl_ring_close(ring);
	return 0;
}

/* ---- names ------------------------------------------------------------------------------- */

static void a_backend_is_found_by_name_and_its_options_split_off(void **state)
{
	const char *options = "untouched";

	(void)state;
	assert_ptr_equal(sl_registry_find("epoll", &options), &sl_backend_epoll);
	assert_string_equal(options, "");
	assert_ptr_equal(sl_registry_find("uring:sqpoll", &options), &sl_backend_uring);
	assert_string_equal(options, "sqpoll");
	assert_ptr_equal(sl_registry_find("select:", &options), &sl_backend_select);
	assert_string_equal(options, "");
	options = "untouched";
	assert_null(sl_registry_find("epol", &options));
	assert_null(sl_registry_find("epolls", &options));
	assert_null(sl_registry_find("", &options));
	assert_null(sl_registry_find(":sqpoll", &options));
	assert_string_equal(options, "untouched");
}

static void the_order_of_preference_is_uring_epoll_poll_select(void **state)
{
	(void)state;
	assert_ptr_equal(sl_registry_at(0), &sl_backend_uring);
	assert_ptr_equal(sl_registry_at(1), &sl_backend_epoll);
	assert_ptr_equal(sl_registry_at(2), &sl_backend_poll);
	assert_ptr_equal(sl_registry_at(3), &sl_backend_select);
	assert_null(sl_registry_at(4));
}

static void an_unknown_backend_is_refused_with_the_list_of_names(void **state)
{
	struct journal journal;
	struct sl_caps caps;

	(void)state;
	assert_int_equal(open_and_ask("kqueue", 0, 0, &journal, &caps), -EINVAL);
	assert_non_null(strstr(journal.text, "0 no backend is named 'kqueue'"));
	assert_non_null(strstr(journal.text, SL_REGISTRY_NAMES));
}

static void unknown_options_of_a_backend_are_refused(void **state)
{
	struct journal journal;
	struct sl_caps caps;

	(void)state;
	assert_int_equal(open_and_ask("epoll:fast", 0, 0, &journal, &caps), -EINVAL);
	assert_non_null(strstr(journal.text, "fast"));
}

static void a_backend_asked_for_is_the_one_that_runs(void **state)
{
	static const char *const names[] = { "epoll", "poll", "select" };
	struct journal journal;
	struct sl_caps caps;

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(open_and_ask(names[i], 0, 0, &journal, &caps), 0);
		assert_string_equal(caps.backend, names[i]);
		assert_non_null(strstr(caps.why, "asked for by the options"));
	}
}

static void the_environment_chooses_unless_the_options_do(void **state)
{
	struct journal journal;
	struct sl_caps caps;

	(void)state;
	setenv("SLUICE_BACKEND", "poll", 1);
	assert_int_equal(open_and_ask(NULL, 0, 0, &journal, &caps), 0);
	assert_string_equal(caps.backend, "poll");
	assert_non_null(strstr(caps.why, "$SLUICE_BACKEND"));
	assert_int_equal(open_and_ask("select", 0, 0, &journal, &caps), 0);
	assert_string_equal(caps.backend, "select");
	setenv("SLUICE_BACKEND", "nonsense", 1);
	assert_int_equal(open_and_ask(NULL, 0, 0, &journal, &caps), -EINVAL);
	assert_non_null(strstr(journal.text, "$SLUICE_BACKEND"));
	setenv("SLUICE_BACKEND", "", 1);
	assert_int_equal(open_and_ask(NULL, 0, 0, &journal, &caps), 0);
	unsetenv("SLUICE_BACKEND");
}

/* ---- refusals for real, each in a child ----------------------------------------------------- */

enum {
	CHILD_OK = 0,
	CHILD_FAILED = 1,
	CHILD_CANNOT = 2
};

/* In a child, where cmocka's own assertions would return into the parent's test loop. */
#define CHECK(cond)                                                                 \
	do {                                                                        \
		if (!(cond)) {                                                      \
			printf("# %s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			return CHILD_FAILED;                                        \
		}                                                                   \
	} while (0)

static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int answer = fn();

		fflush(stdout);
		_exit(answer);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* From here on io_uring's calls answer err, as in a container. */
static int deny_uring(uint32_t err)
{
	enum {
		URING_SETUP_NR = 425,
		URING_REGISTER_NR = 427
	};
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, URING_SETUP_NR, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, URING_REGISTER_NR, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = 5, .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

/* A byte through a pipe and a piece of work: what the fallback opened does run. */
static int run_something(const char *backend)
{
	const struct sl_ring_opts opts = { .size = sizeof(opts), .backend = backend };
	struct sl_ring *ring;
	struct sl_op op = { 0 };
	struct sl_op other = { 0 };
	char byte = 0;
	int fds[2];

	CHECK(sl_ring_open(&opts, &ring) == 0);
	CHECK(sl_ring_do(ring, sl_op_pipe(&op, fds, 0)) == 0);
	CHECK(sl_ring_submit(ring, sl_op_read(&other, fds[0], &byte, 1, SL_OFF_CURRENT)) == 0);
	CHECK(sl_ring_do(ring, sl_op_nop(&op)) == 0);
	CHECK(sl_ring_do(ring, sl_op_write(&op, fds[1], "x", 1, SL_OFF_CURRENT)) == 1);
	CHECK(sl_ring_next(ring, 0) == &other);
	CHECK(other.res == 1 && byte == 'x');
	CHECK(sl_ring_do(ring, sl_op_close(&op, fds[0])) == 0);
	CHECK(sl_ring_do(ring, sl_op_close(&op, fds[1])) == 0);
	sl_ring_close(ring);
	return CHILD_OK;
}

static int filtered_child(void)
{
	struct journal journal;
	struct sl_caps caps;

	if (deny_uring(EPERM))
		return CHILD_CANNOT;
	CHECK(open_and_ask(NULL, 0, 0, &journal, &caps) == 0);
	printf("# log: %s# why: %s\n", journal.text, caps.why);
	CHECK(strcmp(caps.backend, "epoll") == 0);
	CHECK(strstr(caps.why, "uring: EPERM") && strstr(caps.why, "seccomp"));
	CHECK(strstr(journal.text, "1 uring: EPERM") && strstr(journal.text, "seccomp"));
	CHECK(strstr(journal.text, "2 the ring runs on epoll"));
	CHECK(open_and_ask("uring", 0, 0, &journal, &caps) == 0);
	CHECK(strcmp(caps.backend, "epoll") == 0 && strstr(journal.text, "1 uring: EPERM"));
	CHECK(open_and_ask("uring", SL_RING_NO_FALLBACK, 0, &journal, &caps) == -EPERM);
	CHECK(strstr(journal.text, "0 uring: EPERM") && strstr(journal.text, "seccomp"));
	return run_something(NULL);
}

static void under_a_filter_everything_runs_on_epoll_and_says_why(void **state)
{
	int answer = in_child(filtered_child);

	(void)state;
	if (answer == CHILD_CANNOT)
		SKIP("seccomp filters cannot be installed here");
	assert_int_equal(answer, CHILD_OK);
}

static int hidden_child(void)
{
	struct journal journal;
	struct sl_caps caps;

	if (deny_uring(ENOSYS))
		return CHILD_CANNOT;
	CHECK(open_and_ask("uring:sqpoll", 0, 0, &journal, &caps) == 0);
	CHECK(strcmp(caps.backend, "epoll") == 0);
	CHECK(strstr(journal.text, "1 uring: ENOSYS") && strstr(caps.why, "uring: ENOSYS"));
	CHECK(open_and_ask(NULL, SL_RING_NO_FALLBACK, 0, &journal, &caps) == -ENOSYS);
	return run_something(NULL);
}

static void a_kernel_without_io_uring_gives_epoll(void **state)
{
	int answer = in_child(hidden_child);

	(void)state;
	if (answer == CHILD_CANNOT)
		SKIP("seccomp filters cannot be installed here");
	assert_int_equal(answer, CHILD_OK);
}

static bool says_memlock(const char *text)
{
	return strstr(text, "RLIMIT_MEMLOCK") && strstr(text, "64 KiB");
}

static int memlock_child(void)
{
	const struct rlimit limit = { MEMLOCK_BYTES, MEMLOCK_BYTES };
	struct journal journal;
	struct sl_caps caps;
	int err;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
	    (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return CHILD_CANNOT;
	err = open_and_ask("uring", SL_RING_NO_FALLBACK, DEPTH_LARGE, &journal, &caps);
	/* No refusal: an older kernel does not count ring memory, or we may lock what we like. */
	if (err != -ENOMEM)
		return CHILD_CANNOT;
	CHECK(says_memlock(journal.text));
	CHECK(open_and_ask(NULL, 0, DEPTH_LARGE, &journal, &caps) == 0);
	printf("# log: %s# why: %s, depth %u\n", journal.text, caps.why, caps.depth);
	CHECK(says_memlock(journal.text) && says_memlock(caps.why));
	if (strcmp(caps.backend, "uring") == 0)
		CHECK(caps.depth < DEPTH_LARGE && strstr(caps.why, "instead of 4096") &&
		      strstr(journal.text, "1 depth"));
	else
		CHECK(strcmp(caps.backend, "epoll") == 0 && caps.depth == DEPTH_LARGE);
	return run_something(NULL);
}

static void under_a_memlock_limit_it_runs_smaller_or_on_epoll_and_reports_the_numbers(void **state)
{
	int answer = in_child(memlock_child);

	(void)state;
	if (answer == CHILD_CANNOT)
		SKIP("this kernel opens a ring of %d whatever RLIMIT_MEMLOCK is", DEPTH_LARGE);
	assert_int_equal(answer, CHILD_OK);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_backend_is_found_by_name_and_its_options_split_off),
		TEST(the_order_of_preference_is_uring_epoll_poll_select),
		TEST(an_unknown_backend_is_refused_with_the_list_of_names),
		TEST(unknown_options_of_a_backend_are_refused),
		TEST(a_backend_asked_for_is_the_one_that_runs),
		TEST(the_environment_chooses_unless_the_options_do),
		TEST(under_a_filter_everything_runs_on_epoll_and_says_why),
		TEST(a_kernel_without_io_uring_gives_epoll),
		TEST(under_a_memlock_limit_it_runs_smaller_or_on_epoll_and_reports_the_numbers),
	};

	unsetenv("SLUICE_BACKEND");
	return RUN_TESTS(tests);
}
