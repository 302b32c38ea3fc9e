/* test_term.c: the progress line and colours of the command, on a pseudo-terminal and on a pipe. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/term.h"

/* A pseudo-terminal of a given width; stdio on its far end, its near end to read what was shown. */
struct pty {
	int near;
	FILE *far;
};

static void open_pty(struct pty *pty, unsigned short width)
{
	struct winsize size = { .ws_row = 24, .ws_col = width };
	const char *name;
	int fd;

	pty->near = posix_openpt(O_RDWR | O_NOCTTY);
	if (pty->near < 0 || grantpt(pty->near) || unlockpt(pty->near))
		SKIP("no pseudo-terminals here");
	name = ptsname(pty->near);
	fd = name ? open(name, O_RDWR | O_NOCTTY) : -1;
	if (fd < 0)
		SKIP("a pseudo-terminal cannot be opened here");
	assert_int_equal(ioctl(fd, TIOCSWINSZ, &size), 0);
	pty->far = fdopen(fd, "w");
	assert_non_null(pty->far);
}

static void close_pty(struct pty *pty)
{
	fclose(pty->far);
	close(pty->near);
}

/* What stderr shows of one progress line when it is @out. */
static void show(FILE *out, int near, char *shown, size_t bytes)
{
	struct pollfd ready = { .fd = near, .events = POLLIN };
	struct term_progress progress;
	ssize_t len = 0;
	int saved = dup(2);

	assert_true(dup2(fileno(out), 2) == 2);
	term_progress_begin(&progress, false);
	term_progress(&progress, "0123456789 %s", "0123456789");
	if (poll(&ready, 1, 0) == 1)
		len = read(near, shown, bytes - 1);
	term_progress_end(&progress);
	assert_true(dup2(saved, 2) == 2);
	close(saved);
	shown[len > 0 ? len : 0] = '\0';
}

static void progress_is_cut_to_the_width_of_the_terminal(void **state)
{
	char shown[256];
	struct pty pty;

	(void)state;
	setenv("TERM", "xterm", 1);
	open_pty(&pty, 16);
	assert_int_equal(term_width(pty.far), 16);
	show(pty.far, pty.near, shown, sizeof(shown));
	assert_string_equal(shown, "\r\x1b[K0123456789 0123");
	close_pty(&pty);
}

/* It could not draw the line anew. */
static void progress_is_silent_on_a_dumb_terminal(void **state)
{
	char shown[256];
	struct pty pty;

	(void)state;
	setenv("TERM", "dumb", 1);
	open_pty(&pty, 80);
	show(pty.far, pty.near, shown, sizeof(shown));
	assert_string_equal(shown, "");
	close_pty(&pty);
}

static void progress_is_silent_on_a_pipe(void **state)
{
	char shown[256];
	int ends[2];
	FILE *out;

	(void)state;
	setenv("TERM", "xterm", 1);
	assert_int_equal(pipe(ends), 0);
	out = fdopen(ends[1], "w");
	show(out, ends[0], shown, sizeof(shown));
	assert_string_equal(shown, "");
	fclose(out);
	close(ends[0]);
}

static void colours_are_for_terminals_that_want_them(void **state)
{
	struct pty pty;

	(void)state;
	open_pty(&pty, 80);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_string_equal(term_style(pty.far, TERM_RED), "\x1b[31m");
	setenv("NO_COLOR", "1", 1);
	assert_string_equal(term_style(pty.far, TERM_RED), "");
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_string_equal(term_style(pty.far, TERM_RED), "");
	close_pty(&pty);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(progress_is_cut_to_the_width_of_the_terminal),
		TEST(progress_is_silent_on_a_dumb_terminal),
		TEST(progress_is_silent_on_a_pipe),
		TEST(colours_are_for_terminals_that_want_them),
	};

	return RUN_TESTS(tests);
}
