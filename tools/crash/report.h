/* report.h: what a crash test has found, told as text, as JSON and as a page. */
#ifndef SLUICE_TOOLS_CRASH_REPORT_H
#define SLUICE_TOOLS_CRASH_REPORT_H

#include "crash/explore.h"
#include "crash/record.h"
#include "crash/trace.h"
#include "crash/words.h"
#include "tools/crash/setting.h"

#define REPORT_WARNINGS_MAX 64

struct crash_report {
	const struct crash_setting *setting;
	const struct crash_trace *trace;
	const struct crash_words *words;
	const struct crash_record_report *record; /* NULL: the recording was read */
	const struct crash_fault *faults;	  /* as the recording left them */
	const struct crash_result *result;
	char *warnings[REPORT_WARNINGS_MAX]; /* a sentence each */
	uint32_t nr_warnings;
	uint64_t nr_ops; /* done by the program: base, notes and acknowledgements are not */
	uint64_t nr_syncs;
	uint64_t nr_changes; /* of nr_ops, those that syncs and closes are not */
	uint64_t nr_strikes; /* of faults, that the recording tells */
	bool untested;	     /* what was asked for was not tested, as a warning says */
};

/* Counts, and gathers what limits the answer. trace, words, record, result and setting are set. */
int crash_report_begin(struct crash_report *report);
void crash_report_end(struct crash_report *report);

/* What a noun ends with behind a number. */
static inline const char *crash_report_plural(uint64_t nr)
{
	return nr == 1 ? "" : "s";
}

/* CLI_BAD: a state fails; CLI_USAGE: none does, but nothing, or less than was asked, was tested. */
int crash_report_code(const struct crash_report *report);
/* Whether the checker refuses the directory as it was before the program ran. */
bool crash_report_base_refused(const struct crash_report *report);
/* Of a failing state that has lost nothing, what there is of it instead. */
const char *crash_report_lost_nothing(const struct crash_report *report,
				      const struct crash_failure *failure);
/* "NOT CRASH SAFE", "no failing state", or that nothing was tested. */
const char *crash_report_verdict(const struct crash_report *report);

/* "killed by SIGKILL", "exited with 3"; "" when it went well. */
const char *crash_report_status(const struct crash_report *report, char *buf, size_t bytes);
/* Whether a seq is among those a failure lost. */
bool crash_report_has_lost(const struct crash_failure *failure, uint64_t seq);
/* The line to type that makes a state again; "" when there is no recording to make it from. */
const char *crash_report_replay(const struct crash_report *report, const char *id, char *buf,
				size_t bytes);
/* What the program was started as, in one line. */
const char *crash_report_command(const struct crash_report *report, char *buf, size_t bytes);

void crash_report_text(const struct crash_report *report);
/* CLI_DONE or CLI_IO: whether it could be written. */
int crash_report_json(const struct crash_report *report);
/* An exit code, after it was said what is wrong. */
int crash_report_html(const struct crash_report *report, const char *path);

#endif
