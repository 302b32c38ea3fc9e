/* SPDX-License-Identifier: MIT */
/* record.c - which recorder does it, and what is said about the others. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crash/record.h"

typedef int (*record_with)(const struct crash_record_opts *opts, struct crash_trace *trace,
			   struct crash_record_report *report);

struct recorder {
	const char *name;
	record_with record;
	bool by_name_only; /* it sees less than it seems to: nobody gets it unasked */
};

/* Best first. */
static const struct recorder recorders[] = {
	{ "fuse", crash_record_fuse, false },
	{ "seccomp", crash_record_seccomp, false },
	{ "ring", crash_record_ring, true },
};

#define RECORDERS (sizeof(recorders) / sizeof(recorders[0]))

/* Whether another recorder, that was tried before, has said it. */
static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (strcspn(text, "\n") == len && memcmp(text, line, len) == 0)
			return true;
	}
	return false;
}

/* Adds a line, or nothing if it does not fit. */
static void add_line(char *text, size_t room, const char *line)
{
	size_t used = strlen(text), len = strlen(line);

	if (used + len + 2 > room || has_line(text, line))
		return;
	snprintf(text + used, room - used, "%s\n", line);
}

void crash_record_why(struct crash_record_report *report, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	add_line(report->why, sizeof(report->why), line);
}

void crash_record_note(struct crash_record_report *report, struct crash_trace *trace,
		       const char *format, ...)
{
	struct crash_op op = { .code = CRASH_NOTE };
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	add_line(report->notes, sizeof(report->notes), line);
	if (!trace)
		return;
	op.begin = crash_trace_now(trace);
	op.data_len = (uint32_t)strlen(line);
	crash_trace_append(trace, &op, line); /* its error stays with the trace */
}

/* What a limit did to the program, for the reader of the trace. */
static void note_limits(struct crash_record_report *report, struct crash_trace *trace)
{
	static const struct {
		enum crash_limit limit;
		const char *says;
	} limits[] = {
		{ CRASH_LIMIT_BYTES,
		  "the copy of the directory was full (see --limit), or the disk that it is on "
		  "($TMPDIR): the program has seen ENOSPC" },
		{ CRASH_LIMIT_TRACE, "the trace is full: the program was killed there" },
		{ CRASH_LIMIT_TIME, "the program did not end in time (see --timeout): what still "
				    "ran was killed" },
		{ CRASH_LIMIT_TREE, "the program made too many files: it has seen ENOSPC" },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (report->limits & limits[i].limit)
			crash_record_note(report, trace, "%s", limits[i].says);
	}
}

static bool is_wanted(const struct crash_record_opts *opts, const struct recorder *recorder)
{
	if (!opts->recorder)
		return !recorder->by_name_only;
	return !strcmp(opts->recorder, recorder->name);
}

static bool cannot_here(int err)
{
	return err == -EPERM || err == -ENOSYS || err == -EOPNOTSUPP;
}

int crash_record(const struct crash_record_opts *opts, struct crash_trace *trace,
		 struct crash_record_report *ret_report)
{
	int err = -EINVAL;

	*ret_report = (struct crash_record_report){ .status = -1 };
	if (!opts->argv || !opts->argv[0])
		return -EINVAL;
	for (size_t i = 0; i < RECORDERS; i++) {
		if (!is_wanted(opts, &recorders[i]))
			continue;
		err = recorders[i].record(opts, trace, ret_report);
		if (!cannot_here(err)) {
			ret_report->recorder = recorders[i].name;
			note_limits(ret_report, trace);
			return err;
		}
	}
	return cannot_here(err) ? -EPERM : err;
}
