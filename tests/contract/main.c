/*
 * main.c - runs the contract on one backend: `contract BACKEND [PART-OF-A-NAME [here]]`.
 *
 * Every test runs in a child of its own with a hang guard, so that a crash, a
 * stopped thread or a changed signal mask is the failure of one test and
 * leaves the others alone. The child speaks TAP for one test through a pipe;
 * the parent numbers the tests. With "here" as third argument the first test
 * that matches runs in the process itself, for a debugger.
 */
#include "suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_GUARD_SECONDS 120
#define OUTPUT_MAX	   65536

static const struct contract_group *const groups[] = {
	&core_tests,   &opts_tests,	&turn_tests,	    &refuse_tests,	  &timer_tests,
	&poll_tests,   &work_tests,	&deadline_tests,    &cancel_tests,	  &chain_tests,
	&park_tests,   &class_tests,	&stats_tests,	    &block_tests,	  &disk_tests,
	&direct_tests, &file_tests,	&name_tests,	    &close_tests,	  &lock_tests,
	&net_tests,    &sendfile_tests, &accept_tests,	    &zerocopy_tests,	  &pooled_tests,
	&buf_tests,    &keep_tests,	&process_tests,	    &signal_tests,	  &thread_tests,
	&post_tests,   &shutdown_tests, &fork_tests,	    &noalloc_tests,	  &embed_tests,
	&seam_tests,   &random_tests,	&random_name_tests, &random_kernel_tests, &selection_tests,
};

/* An emulated machine on a busy one takes its time: the rig sets more. */
static unsigned hang_guard(void)
{
	const char *text = getenv("SLUICE_HANG_GUARD");

	return text ? (unsigned)strtoul(text, NULL, 10) : HANG_GUARD_SECONDS;
}

/* What the backend under test is, found out once in a child. */
struct found {
	int rc;
	uint32_t groups;
	uint32_t caps;
};

static void look(struct found *found)
{
	struct sl_ring *ring = NULL;

	found->rc = ring_try(NULL, &ring);
	if (found->rc)
		return;
	found->groups = sl_ring_caps(ring)->groups;
	found->caps = sl_ring_caps(ring)->caps;
	sl_ring_close(ring);
}

static struct found look_in_child(void)
{
	struct found found = { .rc = -EIO };
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0)
		return found;
	pid = fork();
	if (pid == 0) {
		alarm(hang_guard());
		look(&found);
		_exit(write(ends[1], &found, sizeof(found)) != sizeof(found));
	}
	close(ends[1]);
	if (read(ends[0], &found, sizeof(found)) != sizeof(found))
		found.rc = -EIO;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	return found;
}

static bool applies(const struct contract_test *test, const struct found *found)
{
	bool selection = strcmp(backend_name(), "selection") == 0;

	if (selection || test->needs & ON_NOTHING)
		return selection && test->needs & ON_NOTHING;
	if ((test->groups & found->groups) != test->groups)
		return false;
	if (test->needs & ON_KERNEL && found->caps & SL_CAP_OWN_WORLD)
		return false;
	if (test->needs & ON_MEMORY && (!on_memory() || on_sim()))
		return false;
	if (test->needs & ON_PLAIN_MEMORY && strcmp(backend_name(), "memory") != 0)
		return false;
	if (test->needs & NEEDS_RING_FD && !(found->caps & SL_CAP_EMBEDDABLE))
		return false;
	return !(test->needs & AS_SELECT) || strcmp(backend_name(), "select") == 0;
}

static void run_here(const struct contract_test *test, int out)
{
	const struct CMUnitTest tests[] = { { test->name, test->run, NULL, NULL, NULL } };
	int failed;

	dup2(out, STDOUT_FILENO);
	close(out);
	alarm(hang_guard());
	support_begin();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fflush(stdout);
	if (failed)
		_exit(1);
	exit(0);
}

static size_t read_all(int fd, char *text, size_t max)
{
	char drop[4096];
	size_t len = 0;
	ssize_t n;

	while (len < max && (n = read(fd, text + len, max - len)) > 0)
		len += (size_t)n;
	while (read(fd, drop, sizeof(drop)) > 0)
		continue;
	text[len] = '\0';
	return len;
}

enum verdict {
	PASSED,
	FAILED,
	SKIPPED
};

/* Prints the child's lines under the number of the test. */
static enum verdict retell(const struct contract_test *test, unsigned number, char *text,
			   int status)
{
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	enum verdict verdict = FAILED;
	const char *reason = "";

	if (strstr(text, "# SKIP ") && clean)
		verdict = SKIPPED;
	else if (strstr(text, "\nok 1 ") && clean)
		verdict = PASSED;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strncmp(line, "# SKIP-REASON ", 14) == 0)
			reason = line + 14;
		else if (line[0] == '#' && strncmp(line, "# not ok - ", 11) != 0 &&
			 strncmp(line, "# ok - ", 7) != 0)
			printf("%s\n", line);
	}
	if (WIFSIGNALED(status))
		printf("# ended by signal %d%s\n", WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? ": it hung" : "");
	printf("%sok %u - %s%s%s\n", verdict == FAILED ? "not " : "", number, test->name,
	       verdict == SKIPPED ? " # SKIP " : "", verdict == SKIPPED ? reason : "");
	return verdict;
}

static enum verdict run_apart(const struct contract_test *test, unsigned number)
{
	static char text[OUTPUT_MAX + 1];
	int ends[2], status = 0;
	pid_t pid;

	fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		printf("not ok %u - %s\n# cannot fork: %s\n", number, test->name, strerror(errno));
		return FAILED;
	}
	if (pid == 0) {
		close(ends[0]);
		run_here(test, ends[1]);
	}
	close(ends[1]);
	read_all(ends[0], text, OUTPUT_MAX);
	close(ends[0]);
	waitpid(pid, &status, 0);
	return retell(test, number, text, status);
}

/* Visits the tests that apply; with run == false only counts them. */
static unsigned visit(const struct found *found, const char *part, bool run, unsigned nr[3])
{
	unsigned number = 0;

	for (size_t g = 0; g < NR(groups); g++) {
		for (size_t i = 0; i < groups[g]->nr; i++) {
			const struct contract_test *test = &groups[g]->tests[i];

			if (!applies(test, found) || (part && !strstr(test->name, part)))
				continue;
			number++;
			if (run)
				nr[run_apart(test, number)]++;
		}
	}
	return number;
}

static void run_first_here(const char *part)
{
	for (size_t g = 0; g < NR(groups); g++)
		for (size_t i = 0; i < groups[g]->nr; i++)
			if (strstr(groups[g]->tests[i].name, part))
				run_here(&groups[g]->tests[i], dup(STDOUT_FILENO));
}

/* Everything the tests leave lies in two directories, which this process removes: what recording
 * rings write is not below what they record. */
static void prepare(void)
{
	char seed[32];

	setenv("SLUICE_TEST_TRACES", support_tmpdir(), 1);
	setenv("SLUICE_TEST_DIR", support_tmpdir(), 1);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)support_seed());
	setenv("SLUICE_SEED", seed, 1);
}

int main(int argc, char **argv)
{
	struct found found = { 0 };
	unsigned nr[3] = { 0 }, total;

	if (argc < 2 || argc > 4 || (argc == 4 && strcmp(argv[3], "here") != 0)) {
		fprintf(stderr, "usage: contract BACKEND [PART-OF-A-NAME [here]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	backend_choose(argv[1]);
	if (argc == 4)
		run_first_here(argv[2]);
	prepare();
	if (strcmp(argv[1], "selection") != 0)
		found = look_in_child();
	if (found.rc) {
		printf("1..1\nok 1 - the contract on %s # SKIP %s cannot open here: %s\n", argv[1],
		       argv[1], sl_err_text(found.rc));
		return 77;
	}
	total = visit(&found, argv[2], false, nr);
	printf("1..%u\n", total);
	visit(&found, argv[2], true, nr);
	if (nr[FAILED])
		return 1;
	return nr[SKIPPED] == total ? 77 : 0;
}
