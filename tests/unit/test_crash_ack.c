/* test_crash_ack.c: what sl_crash_ack() writes, where, and what it refuses. The target is read
 * once, so each test forks. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sluice/crash.h>

#define THREADS	       4
#define LINES_A_THREAD 500

static int ack(const char *text)
{
	return sl_crash_ack(text, strlen(text));
}

/* Runs fn in a child whose $SLUICE_CRASH_ACK is target (NULL: not set). */
static void in_child_with(const char *target, bool (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (target)
			setenv("SLUICE_CRASH_ACK", target, 1);
		else
			unsetenv("SLUICE_CRASH_ACK");
		_exit(fn() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* An empty file for acknowledgements. */
static const char *new_file(void)
{
	const char *path = support_path(support_tmpdir(), "acks");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	return path;
}

static size_t read_whole(const char *path, char *text, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, max - 1);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return (size_t)n;
}

static bool acks_two_lines(void)
{
	return ack("put a 1") == 0 && ack("put b 2") == 0;
}

static void where_nobody_records_nothing_is_done(void **state)
{
	(void)state;
	in_child_with(NULL, acks_two_lines);
	in_child_with("", acks_two_lines);
}

static void a_path_gets_the_lines_in_their_order(void **state)
{
	const char *path = new_file();
	char text[64];

	(void)state;
	in_child_with(path, acks_two_lines);
	read_whole(path, text, sizeof(text));
	assert_string_equal(text, "put a 1\nput b 2\n");
}

static void a_number_is_a_descriptor(void **state)
{
	char number[16], text[64];
	int ends[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	snprintf(number, sizeof(number), "%d", ends[1]);
	in_child_with(number, acks_two_lines);
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "put a 1\nput b 2\n");
}

static bool acks_after_the_environment_changed(void)
{
	if (ack("first"))
		return false;
	setenv("SLUICE_CRASH_ACK", "/nowhere/at/all", 1);
	return ack("second") == 0;
}

static void the_variable_is_read_once(void **state)
{
	const char *path = new_file();
	char text[64];

	(void)state;
	in_child_with(path, acks_after_the_environment_changed);
	read_whole(path, text, sizeof(text));
	assert_string_equal(text, "first\nsecond\n");
}

static bool refuses_what_is_not_a_line(void)
{
	static char longest[SL_CRASH_ACK_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	return sl_crash_ack("", 0) == -EINVAL && ack("two\nlines") == -EINVAL &&
	       ack("ends in one\n") == -EINVAL && sl_crash_ack("a\0b", 3) == -EINVAL &&
	       sl_crash_ack(longest, SL_CRASH_ACK_MAX + 1) == -EINVAL &&
	       sl_crash_ack(longest, SL_CRASH_ACK_MAX) == 0;
}

static void what_is_not_a_line_is_refused_even_where_nobody_records(void **state)
{
	static char text[SL_CRASH_ACK_MAX + 16];
	const char *path = new_file();

	(void)state;
	in_child_with(NULL, refuses_what_is_not_a_line);
	in_child_with(path, refuses_what_is_not_a_line);
	assert_int_equal(read_whole(path, text, sizeof(text)), SL_CRASH_ACK_MAX + 1);
	assert_int_equal(text[SL_CRASH_ACK_MAX], '\n');
}

static bool cannot_open(void)
{
	return ack("lost") == -ENOENT;
}

static bool has_no_descriptor(void)
{
	return ack("lost") == -EBADF;
}

static bool path_is_too_long(void)
{
	return ack("lost") == -ENAMETOOLONG;
}

static void a_recorder_that_cannot_be_told_is_an_error(void **state)
{
	static char path[PATH_MAX + 2];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	in_child_with("/nowhere/at/all", cannot_open);
	in_child_with("1999", has_no_descriptor);
	in_child_with(path, path_is_too_long);
}

/* SIGPIPE would end the child. */
static bool nobody_reads(void)
{
	return ack("lost") == -EPIPE;
}

static void a_pipe_that_nobody_reads_is_an_error_and_no_signal(void **state)
{
	char number[16];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	snprintf(number, sizeof(number), "%d", ends[1]);
	in_child_with(number, nobody_reads);
	close(ends[1]);
}

static void *ack_many(void *arg)
{
	char line[512];

	memset(line, 'a' + *(const int *)arg, sizeof(line));
	for (int i = 0; i < LINES_A_THREAD; i++) {
		if (sl_crash_ack(line, sizeof(line)))
			return arg;
	}
	return NULL;
}

static bool threads_ack(void)
{
	int number[THREADS];
	pthread_t thread[THREADS];
	void *failed = NULL;

	for (int i = 0; i < THREADS; i++) {
		number[i] = i;
		if (pthread_create(&thread[i], NULL, ack_many, &number[i]))
			return false;
	}
	for (int i = 0; i < THREADS; i++) {
		void *ret;

		pthread_join(thread[i], &ret);
		failed = ret ? ret : failed;
	}
	return !failed;
}

static void lines_of_several_threads_never_mix(void **state)
{
	static char text[THREADS * LINES_A_THREAD * 513 + 1];
	const char *path = new_file();
	unsigned lines = 0;

	(void)state;
	in_child_with(path, threads_ack);
	assert_int_equal(read_whole(path, text, sizeof(text)), sizeof(text) - 1);
	for (const char *line = text; *line; line += 513, lines++) {
		assert_int_equal(line[512], '\n');
		for (unsigned i = 1; i < 512; i++)
			assert_int_equal(line[i], line[0]);
	}
	assert_int_equal(lines, THREADS * LINES_A_THREAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nobody_records_nothing_is_done),
		TEST(a_path_gets_the_lines_in_their_order),
		TEST(a_number_is_a_descriptor),
		TEST(the_variable_is_read_once),
		TEST(what_is_not_a_line_is_refused_even_where_nobody_records),
		TEST(a_recorder_that_cannot_be_told_is_an_error),
		TEST(a_pipe_that_nobody_reads_is_an_error_and_no_signal),
		TEST(lines_of_several_threads_never_mix),
	};

	return RUN_TESTS(tests);
}
