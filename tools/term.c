/* term.c: terminal width, colours and the progress line; see term.h. */
#include "term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define WIDTH_DEFAULT 80
#define REDRAW_NS     100000000u
#define LINE_BYTES    1024
#define ERASE_LINE    "\r\x1b[K"

bool term_is_tty(FILE *out)
{
	return isatty(fileno(out)) == 1;
}

int term_width(FILE *out)
{
	struct winsize size;
	const char *columns;
	int width;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	columns = getenv("COLUMNS");
	width = columns ? atoi(columns) : 0;
	return width > 0 ? width : WIDTH_DEFAULT;
}

/* Neither colours nor a line that is drawn again. */
static bool is_dumb(void)
{
	const char *term = getenv("TERM");

	return !term || strcmp(term, "dumb") == 0;
}

const char *term_style(FILE *out, enum term_style style)
{
	static const char *const sequences[] = {
		[TERM_PLAIN] = "\x1b[0m", [TERM_BOLD] = "\x1b[1m",   [TERM_DIM] = "\x1b[2m",
		[TERM_RED] = "\x1b[31m",  [TERM_GREEN] = "\x1b[32m", [TERM_YELLOW] = "\x1b[33m",
	};
	const char *no_color = getenv("NO_COLOR");

	if ((no_color && *no_color) || is_dumb() || !term_is_tty(out))
		return "";
	return sequences[style];
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Ends the text after @columns characters, never inside a UTF-8 sequence. */
static void cut(char *text, int columns)
{
	for (; *text; text++) {
		if ((*text & 0xc0) != 0x80 && columns-- == 0)
			break;
	}
	*text = '\0';
}

void term_progress_begin(struct term_progress *progress, bool quiet)
{
	memset(progress, 0, sizeof(*progress));
	progress->live = !quiet && !is_dumb() && term_is_tty(stderr);
}

void term_progress(struct term_progress *progress, const char *format, ...)
{
	char line[LINE_BYTES];
	uint64_t now;
	va_list args;

	if (!progress->live)
		return;
	now = now_ns();
	if (now < progress->next_ns)
		return;
	progress->next_ns = now + REDRAW_NS;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	cut(line, term_width(stderr) - 1);
	fprintf(stderr, ERASE_LINE "%s", line);
	fflush(stderr);
	progress->shown = true;
}

void term_progress_end(struct term_progress *progress)
{
	if (!progress->shown)
		return;
	fputs(ERASE_LINE, stderr);
	fflush(stderr);
	progress->shown = false;
	progress->next_ns = 0;
}
