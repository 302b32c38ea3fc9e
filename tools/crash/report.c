/* report.c: what all forms of the report say alike; see report.h. */
#include "tools/crash/report.h"

#include <errno.h>
#include <inttypes.h>
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

static bool is_change(const struct crash_op *op)
{
	if (op->res < 0 && !(op->flags & CRASH_FAULT))
		return false;
	return op->code != CRASH_CLOSE && op->code != CRASH_SYNC && op->code != CRASH_SYNC_ALL;
}

static void count(struct crash_report *report)
{
	uint64_t nr = crash_trace_nr(report->trace);

	for (uint64_t i = 0; i < nr; i++) {
		const struct crash_op *op = crash_trace_op(report->trace, i);

		report->nr_strikes += !!(op->flags & CRASH_FAULT);
		if (op->code == CRASH_BASE || op->code == CRASH_NOTE || op->code == CRASH_ACK ||
		    crash_fault_is_rot(op))
			continue;
		report->nr_ops++;
		report->nr_changes += is_change(op);
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
	bool ended = report->record->limits & (CRASH_LIMIT_TIME | CRASH_LIMIT_TRACE);
	char status[64];

	if (!ended && *crash_report_status(report, status, sizeof(status)))
		warn(report, "the program %s; the states of what it did until then are tested",
		     status);
	/* Why a better recorder was not used. */
	if (report->record->recorder)
		warn_lines(report, report->record->why);
	warn_lines(report, report->record->notes);
}

/* -- what was not tested ------------------------------------------------------------------- */

static void doubt_fault(struct crash_report *report, uint32_t idx)
{
	static const char *const calls[] = {
		[CRASH_FAULT_READ] = "read",
		[CRASH_FAULT_WRITE] = "write",
		[CRASH_FAULT_SYNC] = "sync",
	};
	const struct crash_fault *fault = &report->faults[idx];
	const char *text = report->setting->faults_text.value[idx];

	if (fault->struck)
		return;
	report->untested = true;
	if (fault->seen && (!fault->nth || fault->nth <= fault->seen))
		warn(report,
		     "--fault %s struck nowhere: the call was too small for it, or another fault "
		     "came first",
		     text);
	else
		warn(report,
		     "--fault %s struck nowhere: the program did %" PRIu64 " %s%s%s%s in %s", text,
		     fault->seen, calls[fault->call], crash_report_plural(fault->seen),
		     *fault->glob ? " of " : "", fault->glob, report->setting->dir);
}

/* Of a run that was asked for something and did not test it nobody shall think that all is well. */
static void doubt(struct crash_report *report)
{
	const struct crash_result *result = report->result;

	if (!report->nr_changes && !report->nr_strikes) {
		report->untested = true;
		warn(report,
		     "the program did nothing to the files in %s: is it the right directory (see "
		     "--dir)?",
		     report->setting->dir);
	}
	if (!result->distinct) {
		report->untested = true;
		warn(report, "no state was checked: %s",
		     result->complete ? "there is none of the kinds that --classes names" :
					"the budget ended before the first, give more (--budget)");
	}
	for (uint32_t i = 0; i < report->setting->faults_text.nr; i++)
		doubt_fault(report, i);
}

int crash_report_code(const struct crash_report *report)
{
	if (report->result->failed)
		return CLI_BAD;
	return report->untested ? CLI_USAGE : CLI_DONE;
}

static bool is_base(const struct crash_report *report, const struct crash_failure *failure)
{
	return !crash_words_number(report->words, failure->point) && !failure->lost_nr;
}

bool crash_report_base_refused(const struct crash_report *report)
{
	for (size_t i = 0; i < report->result->failing_nr; i++) {
		if (is_base(report, &report->result->failing[i]))
			return true;
	}
	return false;
}

const char *crash_report_lost_nothing(const struct crash_report *report,
				      const struct crash_failure *failure)
{
	if (is_base(report, failure))
		return "nothing: this is the directory as it was before the program ran";
	if (failure->faults_nr)
		return "nothing, but for what the fault did";
	return "nothing: everything done until then is there, as after kill -9";
}

const char *crash_report_verdict(const struct crash_report *report)
{
	if (crash_report_base_refused(report))
		return "THE CHECKER REFUSES THE DIRECTORY AS IT WAS";
	if (report->result->failed)
		return "NOT CRASH SAFE";
	return report->untested ? "NOT TESTED, see the notes" : "no failing state";
}

int crash_report_begin(struct crash_report *report)
{
	const struct crash_result *result = report->result;

	count(report);
	doubt(report);
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
