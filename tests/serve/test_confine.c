/* test_confine.c: what a confined process may do no more, tried by a child that tries it. */
#include "tests/support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/serve/confine.h"
#include "tools/server/confine.h"

/* A tree: www/a.txt and www/sub, log/, types/types, pages/404.html, out/secret. */
static const char *top;

static void make(const char *name, const char *text)
{
	FILE *file = fopen(support_path(top, name), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int make_tree(void **state)
{
	static const char *const dirs[] = { "www", "www/sub", "log", "types", "pages", "out" };

	(void)state;
	top = support_tmpdir();
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		assert_int_equal(mkdir(support_path(top, dirs[i]), 0755), 0);
	make("www/a.txt", "a");
	make("types/types", "text/odd odd\n");
	make("pages/404.html", "none");
	make("out/secret", "secret");
	return 0;
}

/* ---- a child ----------------------------------------------------------------------------- */

enum outcome {
	ALL_WELL = 0,
	NOT_HERE = 101, /* the kernel has it not */
	NOT_CONFINED = 102,
	/* 1 to 100: the trial that went otherwise */
};

static int outcome_of(int (*trials)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(trials());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect_all_well(int outcome, const char *what)
{
	if (outcome == NOT_HERE)
		SKIP("this kernel has no %s", what);
	assert_int_equal(outcome, ALL_WELL);
}

/* ---- files ------------------------------------------------------------------------------- */

struct trial {
	const char *name;
	int flags;
	int err; /* 0: it opens */
};

static int try_all(const struct trial *trials, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		int fd = open(trials[i].name[0] == '/' ? trials[i].name :
							 support_path(top, trials[i].name),
			      trials[i].flags | O_CLOEXEC, 0600);
		int err = fd < 0 ? errno : 0;

		if (fd >= 0)
			close(fd);
		if (err != trials[i].err)
			return (int)i + 1;
	}
	return ALL_WELL;
}

#define TRY_ALL(trials) try_all(trials, sizeof(trials) / sizeof((trials)[0]))

static struct serve_config config_of_tree(void)
{
	static char root[512], log[512], types[512], pages[512];

	snprintf(root, sizeof(root), "%s/www", top);
	snprintf(log, sizeof(log), "%s/log/access", top);
	snprintf(types, sizeof(types), "%s/types/types", top);
	snprintf(pages, sizeof(pages), "%s/pages", top);
	return (struct serve_config){
		.root = root, .access_log = log, .types = types, .error_pages = pages
	};
}

static int confine(const struct serve_config *config)
{
	struct serve_confined confined = { 0 };

	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0)
		return NOT_HERE;
	return serve_confine(config, &confined) == CLI_DONE && confined.files ? 0 : NOT_CONFINED;
}

static int reads_only(void)
{
	const struct serve_config config = config_of_tree();
	static const struct trial trials[] = {
		{ "www/a.txt", O_RDONLY, 0 },
		{ "www/sub", O_RDONLY | O_DIRECTORY, 0 },
		{ "www/a.txt", O_WRONLY, EACCES },
		{ "www/new", O_WRONLY | O_CREAT, EACCES },
		{ "out/secret", O_RDONLY, EACCES },
		{ "www/../out/secret", O_RDONLY, EACCES },
		{ "/etc/passwd", O_RDONLY, EACCES },
		{ "/proc/self/environ", O_RDONLY, EACCES },
		{ ".", O_RDONLY | O_DIRECTORY, EACCES },
		{ "types/types", O_RDONLY, 0 },
		{ "types/types", O_WRONLY, EACCES },
		{ "pages/404.html", O_RDONLY, 0 },
		{ "pages/404.html", O_WRONLY, EACCES },
		{ "log/access", O_WRONLY | O_CREAT | O_APPEND, 0 },
		{ "log/access", O_RDONLY, EACCES },
	};
	int rc = confine(&config);

	return rc ? rc : TRY_ALL(trials);
}

static void it_reads_what_it_serves_and_nothing_else(void **state)
{
	(void)state;
	expect_all_well(outcome_of(reads_only), "Landlock");
}

static int writes_within(void)
{
	struct serve_config config = config_of_tree();
	static const struct trial trials[] = {
		{ "www/new", O_WRONLY | O_CREAT | O_EXCL, 0 },
		{ "www/new", O_WRONLY | O_TRUNC, 0 },
		{ "www/sub/new", O_WRONLY | O_CREAT | O_EXCL, 0 },
		{ "out/new", O_WRONLY | O_CREAT, EACCES },
		{ "out/secret", O_WRONLY, EACCES },
		{ "pages/404.html", O_WRONLY, EACCES },
	};
	int rc;

	config.writable = true;
	rc = confine(&config);
	if (rc == 0)
		rc = TRY_ALL(trials);
	if (rc == 0 && rename(support_path(top, "www/sub/new"), support_path(top, "www/moved")) < 0)
		rc = 98;
	if (rc == 0 && unlink(support_path(top, "www/moved")) < 0)
		rc = 99;
	if (rc == 0 && unlink(support_path(top, "out/secret")) == 0)
		rc = 100;
	return rc;
}

static void a_writable_one_writes_there_and_nowhere_else(void **state)
{
	(void)state;
	expect_all_well(outcome_of(writes_within), "Landlock");
}

static int follows(void)
{
	struct serve_config config = config_of_tree();
	static const struct trial trials[] = {
		{ "out/secret", O_RDONLY, 0 },
		{ "www/new-too", O_WRONLY | O_CREAT | O_EXCL, 0 },
		{ "out/new", O_WRONLY | O_CREAT, EACCES },
	};
	int rc;

	config.writable = config.follow = true;
	rc = confine(&config);
	return rc ? rc : TRY_ALL(trials);
}

static void one_that_follows_links_reads_everywhere_and_writes_within(void **state)
{
	(void)state;
	expect_all_well(outcome_of(follows), "Landlock");
}

static int is_free(void)
{
	struct serve_config config = config_of_tree();
	struct serve_confined confined = { 0 };
	static const struct trial trials[] = { { "out/secret", O_RDWR, 0 } };

	config.unconfined = true;
	if (serve_confine(&config, &confined) != CLI_DONE || confined.files)
		return NOT_CONFINED;
	return TRY_ALL(trials);
}

static void an_unconfined_one_may_what_its_user_may(void **state)
{
	(void)state;
	expect_all_well(outcome_of(is_free), "files");
}

/* ---- system calls ------------------------------------------------------------------------ */

static long run_program(void)
{
	char path[] = "/bin/true";
	char *const argv[] = { path, NULL };

	return execve(argv[0], argv, NULL);
}

static long trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long read_memory(void)
{
	return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}

static long mount_nothing(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static long make_namespace(void)
{
	return syscall(SYS_unshare, 0);
}

static long load_program(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long watch_faults(void)
{
	return syscall(SYS_userfaultfd, 0);
}

static long become_root(void)
{
	return syscall(SYS_setresuid, -1, -1, -1);
}

static int keeps_calls(void)
{
	static long (*const calls[])(void) = {
		run_program,	trace,	      read_memory,  mount_nothing,
		make_namespace, load_program, watch_faults, become_root,
	};
	int pipe_fds[2];

	if (server_confine_calls() < 0)
		return NOT_HERE;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		errno = 0;
		if (calls[i]() != -1 || errno != EPERM)
			return (int)i + 1;
	}
	/* What a server does goes on. */
	if (pipe(pipe_fds) < 0 || write(pipe_fds[1], "x", 1) != 1 ||
	    open(support_path(top, "www/a.txt"), O_RDONLY) < 0)
		return 100;
	return ALL_WELL;
}

static void nothing_is_run_traced_mounted_or_loaded(void **state)
{
	(void)state;
	expect_all_well(outcome_of(keeps_calls), "seccomp");
}

/* Becoming who one is: nobody else refuses it, so that it is the filter which was seen. */
static int has_calls(void)
{
	return become_root() == 0 ? ALL_WELL : 1;
}

static void without_the_filter_one_may(void **state)
{
	(void)state;
	expect_all_well(outcome_of(has_calls), "setresuid");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_reads_what_it_serves_and_nothing_else),
		TEST(a_writable_one_writes_there_and_nowhere_else),
		TEST(one_that_follows_links_reads_everywhere_and_writes_within),
		TEST(an_unconfined_one_may_what_its_user_may),
		TEST(nothing_is_run_traced_mounted_or_loaded),
		TEST(without_the_filter_one_may),
	};

	return RUN_TESTS_WITH(tests, make_tree, NULL);
}
