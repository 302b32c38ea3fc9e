/* report_text.c: the report for a terminal: each failing state as a story, then the verdict. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/crash/report.h"
#include "tools/term.h"

#define LABEL_COLUMNS 17

/* Where a line of text is broken: at the last space within columns, if there is one. */
static size_t break_at(const char *text, size_t columns)
{
	size_t len = strcspn(text, "\n"), at = columns;

	if (len <= columns)
		return len;
	while (at && text[at] != ' ')
		at--;
	return at ? at : columns;
}

/* A label, and text beside it, in as many lines as it takes. */
static void beside(const char *label, const char *text)
{
	int columns = term_width(stdout) - LABEL_COLUMNS - 1;
	size_t width = columns < 30 ? 30 : (size_t)columns;

	while (*text) {
		size_t len = break_at(text, width);

		printf("  %s%-*s%s%.*s\n", term_style(stdout, TERM_DIM), LABEL_COLUMNS - 2, label,
		       term_style(stdout, TERM_PLAIN), (int)len, text);
		label = "";
		text += len;
		text += strspn(text, " \n");
	}
}

static void said(const char *output)
{
	const char *label = "checker says";

	for (; *output; output += strcspn(output, "\n"), output += *output == '\n') {
		printf("  %s%-*s| %s%.*s\n", term_style(stdout, TERM_DIM), LABEL_COLUMNS - 2, label,
		       term_style(stdout, TERM_PLAIN), (int)strcspn(output, "\n"), output);
		label = "";
	}
}

static void tell_cut(const struct crash_report *report, const struct crash_failure *failure)
{
	char op[512], text[640] = "before the program did anything";

	if (crash_words_number(report->words, failure->point))
		snprintf(text, sizeof(text), "after %s",
			 crash_words_of(report->words, failure->point, op, sizeof(op)));
	beside("power cut", text);
}

static void tell_failure(const struct crash_report *report, const struct crash_failure *failure)
{
	char text[1024];

	printf("%sFAILS%s  %s%s%s", term_style(stdout, TERM_RED), term_style(stdout, TERM_PLAIN),
	       term_style(stdout, TERM_BOLD), failure->id, term_style(stdout, TERM_PLAIN));
	if (failure->states > 1)
		printf("  (and %" PRIu64 " more state%s for the same reason)", failure->states - 1,
		       crash_report_plural(failure->states - 1));
	putchar('\n');
	tell_cut(report, failure);
	for (size_t i = 0; i < failure->faults_nr; i++)
		beside(i ? "" : "fault", failure->faults[i]);
	if (!failure->lost_nr)
		beside("lost", crash_report_lost_nothing(report, failure));
	for (size_t i = 0; i < failure->lost_nr; i++)
		beside(i ? "" : "lost", failure->lost[i]);
	if (failure->why_legal)
		beside("why it may be", failure->why_legal);
	if (failure->missing_sync)
		beside("missing", failure->missing_sync);
	beside("verdict", failure->verdict ? failure->verdict : "");
	said(failure->checker_output ? failure->checker_output : "");
	if (failure->dir)
		beside("kept in", failure->dir);
	if (*crash_report_replay(report, failure->id, text, sizeof(text)))
		beside("again", text);
	putchar('\n');
}

static void tell_syncs(const struct crash_result *result)
{
	if (!result->syncs_nr)
		return;
	printf("Each sync taken away in turn:\n");
	for (size_t i = 0; i < result->syncs_nr; i++) {
		const struct crash_verdict *sync = &result->syncs[i];
		const char *verdict = "redundant or untested";

		if (!sync->judged)
			verdict = "not tried";
		else if (sync->necessary)
			verdict = "necessary";
		printf("  %s%-21s%s  %s\n",
		       term_style(stdout, sync->necessary ? TERM_GREEN : TERM_YELLOW), verdict,
		       term_style(stdout, TERM_PLAIN), sync->words);
	}
	putchar('\n');
}

static void tell_warnings(const struct crash_report *report)
{
	for (uint32_t i = 0; i < report->nr_warnings; i++)
		beside(i ? "" : "note", report->warnings[i]);
	if (report->nr_warnings)
		putchar('\n');
}

static void tell_verdict(const struct crash_report *report)
{
	const struct crash_result *result = report->result;
	char of[64] = "";

	if (result->distinct != result->states)
		snprintf(of, sizeof(of), " (%" PRIu64 " with what is the same)", result->states);
	printf("%s%s%s: %s, %" PRIu64 " state%s%s in %.1f s, %" PRIu64 " failing",
	       term_style(stdout, crash_report_code(report) ? TERM_RED : TERM_GREEN),
	       crash_report_verdict(report), term_style(stdout, TERM_PLAIN),
	       report->setting->profile, result->distinct, crash_report_plural(result->distinct),
	       of, (double)result->elapsed_ns / 1e9, result->failed);
	if (result->failing_nr && result->failing_nr < result->failed)
		printf(", of %zu kind%s", result->failing_nr,
		       crash_report_plural(result->failing_nr));
	printf("%s\n", result->stopped	? "; stopped before the end" :
		       result->complete ? "" :
					  "; the budget ended before the states did");
	if (result->failed && !report->setting->trace_path)
		printf("Keep the recording with --trace FILE to make these states again.\n");
}

/* How often each fault struck. */
static void tell_faults(const struct crash_report *report)
{
	const struct cli_list *faults = &report->setting->faults_text;

	for (uint32_t i = 0; i < faults->nr; i++)
		printf("  --fault %s struck %" PRIu64 " of %" PRIu64 " call%s\n", faults->value[i],
		       report->faults[i].struck, report->faults[i].seen,
		       crash_report_plural(report->faults[i].seen));
	if (faults->nr)
		putchar('\n');
}

void crash_report_text(const struct crash_report *report)
{
	const struct crash_result *result = report->result;

	printf("%" PRIu64 " operation%s, %" PRIu64 " sync%s, %" PRIu64 " acknowledgement%s%s%s\n\n",
	       report->nr_ops, crash_report_plural(report->nr_ops), report->nr_syncs,
	       crash_report_plural(report->nr_syncs), result->acks,
	       crash_report_plural(result->acks),
	       report->record && report->record->recorder ? ", recorded by " : "",
	       report->record && report->record->recorder ? report->record->recorder : "");
	tell_faults(report);
	for (size_t i = 0; i < result->failing_nr; i++)
		tell_failure(report, &result->failing[i]);
	tell_syncs(result);
	tell_warnings(report);
	tell_verdict(report);
}
