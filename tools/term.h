/* term.h: what the terminal can do: width, colours, one live progress line. */
#ifndef SLUICE_TOOLS_TERM_H
#define SLUICE_TOOLS_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum term_style {
	TERM_PLAIN,
	TERM_BOLD,
	TERM_DIM,
	TERM_RED,
	TERM_GREEN,
	TERM_YELLOW
};

/* term_is_tty() - whether @out is a terminal. */
bool term_is_tty(FILE *out);

/* term_width() - columns of @out: the terminal's, else $COLUMNS, else 80. */
int term_width(FILE *out);

/**
 * term_style() - the escape sequence that switches @out to a style.
 *
 * Return: the sequence, or "" when @out is no terminal, NO_COLOR is set or TERM is dumb.
 */
const char *term_style(FILE *out, enum term_style style);

/*
 * One line on stderr that is rewritten in place, at most ten times a second. On anything but a
 * terminal it prints nothing at all.
 */
struct term_progress {
	/* private: */
	bool live;
	bool shown;
	uint64_t next_ns;
};

/* term_progress_begin() - make ready; @quiet asks for silence. */
void term_progress_begin(struct term_progress *progress, bool quiet);

/* term_progress() - show a line, cut to the terminal's width; may be dropped when too soon. */
void term_progress(struct term_progress *progress, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* term_progress_end() - wipe the line; also before printing anything else. May be called again. */
void term_progress_end(struct term_progress *progress);

#endif
