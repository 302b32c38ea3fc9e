/* report.c: what all forms of the report say alike; see report.h. */
#include "tools/crash/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void warn(struct crash_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void warn(struct crash_report *report, const char *format, ...)
{
	va_list args;

	if (report->nr_warnings == REPORT_WARNINGS_MAX)
		return;
	va_start(args, format);
	if (vasprintf(&report->warnings[report->nr_warnings], format, args) >= 0)
		report->nr_warnings++;
	va_end(args);
}

/* A warning of each line. */
static void warn_lines(struct crash_report *report, const char *lines)
{
	for (; *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n') {
		if (*lines != '\n')
			warn(report, "%.*s", (int)strcspn(lines, "\n"), lines);
	}
}

static void count(struct crash_report *report)
{
	uint64_t nr = crash_trace_nr(report->trace);

	for (uint64_t i = 0; i < nr; i++) {
		const struct crash_op *op = crash_trace_op(report->trace, i);

		report->nr_ops += op->code != CRASH_BASE && op->code != CRASH_NOTE;
		report->nr_syncs += op->code == CRASH_SYNC || op->code == CRASH_SYNC_ALL ||
				    op->flags & CRASH_DSYNC;
	}
}

const char *crash_report_status(const struct crash_report *report, char *buf, size_t bytes)
{
	int status = report->record ? report->record->status : 0;

	buf[0] = '\0';
	if (status == -1)
		snprintf(buf, bytes, "was still running and was killed");
	else if (WIFSIGNALED(status))
		snprintf(buf, bytes, "was killed by a signal: %s", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		snprintf(buf, bytes, "exited with %d", WEXITSTATUS(status));
	return buf;
}

static void warn_of_record(struct crash_report *report)
{
	static const struct {
		enum crash_limit limit;
		const char *says;
	} limits[] = {
		{ CRASH_LIMIT_BYTES,
		  "the copy of the directory was full (see --limit): the program was "
		  "told that the disk is" },
		{ CRASH_LIMIT_TRACE, "the recording was full: the program was killed there" },
		{ CRASH_LIMIT_TIME,
		  "the program did not end in time (see --timeout) and was killed" },
		{ CRASH_LIMIT_TREE,
		  "the program made too many files: it was told that the disk is full" },
	};
	char status[64];

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (report->record->limits & limits[i].limit)
			warn(report, "%s", limits[i].says);
	}
	if (*crash_report_status(report, status, sizeof(status)))
		warn(report, "the program %s; the states of what it did until then are tested",
		     status);
	/* Why a better recorder was not used. */
	if (report->record->recorder)
		warn_lines(report, report->record->why);
	warn_lines(report, report->record->notes);
}

int crash_report_begin(struct crash_report *report)
{
	const struct crash_result *result = report->result;

	count(report);
	if (crash_trace_torn(report->trace))
		warn(report,
		     "the recording ends in the middle of an operation: what follows is missing");
	if (!report->nr_ops)
		warn(report,
		     "the program did nothing in %s: is it the right directory (see --dir)?",
		     report->setting->dir);
	else if (!result->acks)
		warn(report,
		     "the program acknowledged nothing, so only consistency was tested and not "
		     "whether anything is lost: let it print a line, write one to "
		     "DIR/.sluice/ack or call sl_crash_ack() when something is durable");
	if (report->record)
		warn_of_record(report);
	for (size_t i = 0; i < result->notes_nr; i++)
		warn(report, "%s", result->notes[i]);
	return 0;
}

void crash_report_end(struct crash_report *report)
{
	for (uint32_t i = 0; i < report->nr_warnings; i++)
		free(report->warnings[i]);
}

bool crash_report_has_lost(const struct crash_failure *failure, uint64_t seq)
{
	for (size_t i = 0; i < failure->lost_nr; i++) {
		if (failure->lost_ops[i] == seq)
			return true;
	}
	return false;
}

const char *crash_report_replay(const struct crash_report *report, const char *id, char *buf,
				size_t bytes)
{
	const struct crash_setting *setting = report->setting;

	buf[0] = '\0';
	if (setting->trace_path)
		snprintf(buf, bytes, "sluice crash --dir %s --from %s%s%s --replay '%s'",
			 setting->dir, setting->trace_path, setting->keep ? " --keep " : "",
			 setting->keep ? setting->keep : "", id);
	return buf;
}

const char *crash_report_command(const struct crash_report *report, char *buf, size_t bytes)
{
	char *const *argv = report->setting->argv;
	size_t used = 0;

	snprintf(buf, bytes, "%s", report->setting->from ? report->setting->from : "");
	for (; argv && *argv && used < bytes; argv++)
		used += (size_t)snprintf(buf + used, bytes - used, "%s%s", used ? " " : "", *argv);
	return buf;
}
