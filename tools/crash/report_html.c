/* report_html.c: the report as one page: the verdict, the failing states, and the operations in
 * their order. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/crash/page.h"
#include "tools/crash/report.h"

/* More operations than this are shown only near what matters. */
#define TIMELINE_MAX	600
#define TIMELINE_AROUND 6

static void term_begin(FILE *out, const char *term)
{
	fprintf(out, "<dt>%s</dt><dd>", term);
}

static void term(FILE *out, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	term_begin(out, name);
	page_text(out, text);
	fputs("</dd>\n", out);
}

/* -- the top ------------------------------------------------------------------------------- */

static void heading(FILE *out, const struct crash_report *report)
{
	const struct crash_result *result = report->result;
	char text[4096];

	fputs("<h1>sluice crash</h1>\n<div class=\"dim\"><code>", out);
	page_text(out, crash_report_command(report, text, sizeof(text)));
	fputs("</code></div>\n", out);
	fprintf(out, "<div class=\"verdict %s\">%s</div>\n",
		crash_report_code(report) ? "bad" : "good",
		crash_report_base_refused(report) ? "The checker refuses the directory as it was" :
		result->failed			  ? "Not crash safe" :
		report->untested		  ? "Not tested, see what limits this answer" :
						    "No failing state");
	fprintf(out,
		"<div>%" PRIu64 " of %" PRIu64 " different states that a power cut could leave, by "
		"the rules of <b>%s</b>, are not fine%s. The program did %" PRIu64
		" operation%s and %" PRIu64 " sync%s, and acknowledged %" PRIu64 " time%s.</div>\n",
		result->failed, result->distinct, report->setting->profile,
		result->complete ? "" : " (the budget ended before the states did)", report->nr_ops,
		crash_report_plural(report->nr_ops), report->nr_syncs,
		crash_report_plural(report->nr_syncs), result->acks,
		crash_report_plural(result->acks));
}

static void faults(FILE *out, const struct crash_report *report)
{
	const struct cli_list *given = &report->setting->faults_text;

	for (uint32_t i = 0; i < given->nr; i++) {
		fputs("<div>The fault <code>", out);
		page_text(out, given->value[i]);
		fprintf(out, "</code> struck %" PRIu64 " of %" PRIu64 " call%s.</div>\n",
			report->faults[i].struck, report->faults[i].seen,
			crash_report_plural(report->faults[i].seen));
	}
}

static void explanation(FILE *out)
{
	fputs("<details><summary>How to read this</summary><p>A program's writes, and the names it "
	      "gives and takes, stay in memory until a sync, or until the system finds the time. "
	      "When the power fails before that, any of them may be missing, in almost any "
	      "combination: later ones can be there without earlier ones. Each failing state below "
	      "is such a combination. It says after which operation the power was cut, what is "
	      "missing (everything else is there), why the file system may do that, and which sync "
	      "would have prevented it. An <b>acknowledgement</b> is where the program told "
	      "somebody that something is done: from there on it must survive.</p></details>\n",
	      out);
}

static void notes(FILE *out, const struct crash_report *report)
{
	if (!report->nr_warnings)
		return;
	fputs("<h2>What limits this answer</h2><ul>\n", out);
	for (uint32_t i = 0; i < report->nr_warnings; i++) {
		page_element(out, "li", NULL, report->warnings[i]);
		putc('\n', out);
	}
	fputs("</ul>\n", out);
}

/* -- failing states ------------------------------------------------------------------------ */

static void lost(FILE *out, const struct crash_report *report, const struct crash_failure *failure)
{
	term_begin(out, "lost");
	if (!failure->lost_nr)
		page_text(out, crash_report_lost_nothing(report, failure));
	else
		fputs("<ul>", out);
	for (size_t i = 0; i < failure->lost_nr; i++) {
		fprintf(out, "<li><a href=\"#op%" PRIu64 "\"><code>", failure->lost_ops[i]);
		page_text(out, failure->lost[i]);
		fputs("</code></a></li>", out);
	}
	fputs(failure->lost_nr ? "</ul></dd>\n" : "</dd>\n", out);
}

static void one_failure(FILE *out, const struct crash_report *report, size_t idx)
{
	const struct crash_failure *failure = &report->result->failing[idx];
	char text[1024] = "before the program did anything";

	fprintf(out, "<div class=\"box\" id=\"state%zu\"><h3>%zu. <code>", idx + 1, idx + 1);
	page_text(out, failure->id);
	fputs("</code></h3>", out);
	if (failure->states > 1)
		fprintf(out,
			"<div class=\"dim\">and %" PRIu64 " more states for the same reason</div>",
			failure->states - 1);
	fputs("<dl>\n", out);
	if (crash_words_number(report->words, failure->point))
		crash_words_of(report->words, failure->point, text, sizeof(text));
	term(out,
	     crash_words_number(report->words, failure->point) ? "power cut after" : "power cut",
	     text);
	for (size_t i = 0; i < failure->faults_nr; i++)
		term(out, i ? "" : "fault", failure->faults[i]);
	lost(out, report, failure);
	term(out, "why it may be", failure->why_legal);
	term(out, "missing sync", failure->missing_sync);
	term(out, "verdict", failure->verdict);
	if (failure->checker_output && *failure->checker_output) {
		term_begin(out, "the checker says");
		page_element(out, "pre", NULL, failure->checker_output);
		fputs("</dd>\n", out);
	}
	term(out, "kept in", failure->dir);
	if (*crash_report_replay(report, failure->id, text, sizeof(text))) {
		term_begin(out, "make it again");
		page_element(out, "code", NULL, text);
		fputs("</dd>\n", out);
	}
	fputs("</dl></div>\n", out);
}

static void failures(FILE *out, const struct crash_report *report)
{
	const struct crash_result *result = report->result;

	if (!result->failing_nr)
		return;
	fputs("<h2>Failing states</h2>\n", out);
	if (result->failing_nr < result->failed)
		fprintf(out,
			"<div class=\"dim\">%" PRIu64 " states fail; these are the kinds of "
			"them, each with the smallest loss that still fails.</div>\n",
			result->failed);
	for (size_t i = 0; i < result->failing_nr; i++)
		one_failure(out, report, i);
}

static void syncs(FILE *out, const struct crash_result *result)
{
	if (!result->syncs_nr)
		return;
	fputs("<h2>Each sync taken away in turn</h2><table><thead><tr><th>sync</th><th>verdict</th>"
	      "<th>a state that fails without it</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < result->syncs_nr; i++) {
		const struct crash_verdict *sync = &result->syncs[i];

		fputs("<tr>", out);
		page_element(out, "td", NULL, sync->words);
		page_element(out, "td", sync->necessary ? "good" : "dim",
			     !sync->judged   ? "not tried" :
			     sync->necessary ? "necessary" :
					       "redundant or untested");
		page_element(out, "td", NULL, sync->failing_id ? sync->failing_id : "");
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table>\n", out);
}

/* -- the operations ------------------------------------------------------------------------ */

/* What each operation is to the page, by its seq. */
enum mark {
	MARK_LOST = 1 << 0,
	MARK_CUT = 1 << 1,
	MARK_SHOWN = 1 << 2,
};

static void show_around(unsigned char *marks, uint64_t nr, uint64_t seq)
{
	uint64_t from = seq > TIMELINE_AROUND ? seq - TIMELINE_AROUND : 1;

	for (uint64_t at = from; at <= nr && at <= seq + TIMELINE_AROUND; at++)
		marks[at] |= MARK_SHOWN;
}

/* In a long recording only what is near something that matters is shown. */
static void mark(const struct crash_report *report, unsigned char *marks, uint64_t nr)
{
	const struct crash_result *result = report->result;
	bool all = report->nr_ops <= TIMELINE_MAX, acks = result->acks <= TIMELINE_MAX;

	for (size_t i = 0; i < result->failing_nr; i++) {
		const struct crash_failure *failure = &result->failing[i];

		for (size_t k = 0; k < failure->lost_nr; k++) {
			marks[failure->lost_ops[k]] |= MARK_LOST;
			show_around(marks, nr, failure->lost_ops[k]);
		}
		marks[failure->point] |= MARK_CUT;
		show_around(marks, nr, failure->point);
	}
	for (uint64_t seq = 1; seq <= nr; seq++) {
		if (all)
			marks[seq] |= MARK_SHOWN;
		else if (acks && crash_trace_op(report->trace, seq - 1)->code == CRASH_ACK)
			show_around(marks, nr, seq);
	}
}

static const char *kind(const struct crash_op *op)
{
	if (op->code == CRASH_ACK)
		return "ack";
	if (op->code == CRASH_SYNC || op->code == CRASH_SYNC_ALL || op->flags & CRASH_DSYNC)
		return "sync";
	return "op";
}

static void lost_in(FILE *out, const struct crash_result *result, uint64_t seq)
{
	for (size_t i = 0; i < result->failing_nr; i++) {
		if (crash_report_has_lost(&result->failing[i], seq))
			fprintf(out, " <b>lost in <a href=\"#state%zu\">state %zu</a></b>", i + 1,
				i + 1);
	}
}

static void cut_here(FILE *out, const struct crash_result *result, uint64_t seq)
{
	for (size_t i = 0; i < result->failing_nr; i++) {
		if (result->failing[i].point == seq)
			fprintf(out,
				"<li class=\"cut\">the power is cut: <a href=\"#state%zu\">"
				"state %zu</a></li>\n",
				i + 1, i + 1);
	}
}

static void one_op(FILE *out, const struct crash_report *report, const struct crash_op *op,
		   unsigned marks)
{
	char text[1024];

	fprintf(out,
		"<li id=\"op%" PRIu64 "\" class=\"%s%s\"><span class=\"dim\">%" PRIu64 "</span> ",
		op->seq, kind(op), marks & MARK_LOST ? " lost" : "",
		crash_words_number(report->words, op->seq));
	page_text(out, crash_words_deed(report->words, op->seq, text, sizeof(text)));
	if (marks & MARK_LOST)
		lost_in(out, report->result, op->seq);
	fputs("</li>\n", out);
	if (marks & MARK_CUT)
		cut_here(out, report->result, op->seq);
}

static void gap(FILE *out, uint64_t *hidden)
{
	if (*hidden)
		fprintf(out, "<li class=\"gap\">%" PRIu64 " more operations</li>\n", *hidden);
	*hidden = 0;
}

static void operations(FILE *out, const struct crash_report *report, const unsigned char *marks,
		       uint64_t nr)
{
	uint64_t hidden = 0;

	for (uint64_t seq = 0; seq <= crash_base_nr(report->trace); seq++) {
		if (marks[seq] & MARK_CUT)
			cut_here(out, report->result, seq);
	}
	for (uint64_t seq = 1; seq <= nr; seq++) {
		const struct crash_op *op = crash_trace_op(report->trace, seq - 1);

		if (op->code == CRASH_BASE ||
		    (op->code == CRASH_NOTE && !(op->flags & CRASH_FAULT)))
			continue;
		if (!(marks[seq] & MARK_SHOWN)) {
			hidden++;
			continue;
		}
		gap(out, &hidden);
		one_op(out, report, op, marks[seq]);
	}
	gap(out, &hidden);
}

static int timeline(FILE *out, const struct crash_report *report)
{
	uint64_t nr = crash_trace_nr(report->trace);
	unsigned char *marks = calloc(nr + 1, 1);

	if (!marks)
		return -ENOMEM;
	mark(report, marks, nr);
	fputs("<h2>What the program did</h2><div class=\"dim\">In the order in which it was done. "
	      "<span style=\"color:var(--sync)\">Syncs</span> make durable, <span "
	      "style=\"color:var(--ack)\">acknowledgements</span> promise, and <span class=\"bad\">"
	      "red</span> is what a failing state has lost.</div>\n<ol class=\"time\">\n",
	      out);
	operations(out, report, marks, nr);
	fputs("</ol>\n", out);
	free(marks);
	return 0;
}

int crash_report_html(const struct crash_report *report, const char *path)
{
	FILE *out = fopen(path, "we");
	int err, failed;

	if (!out)
		return cli_fail_errno(path, errno, NULL);
	page_begin(out, "sluice crash");
	heading(out, report);
	faults(out, report);
	explanation(out);
	failures(out, report);
	syncs(out, report->result);
	notes(out, report);
	err = timeline(out, report);
	page_end(out);
	failed = ferror(out);
	errno = 0;
	if (fclose(out) != 0 || failed)
		err = errno ? errno : EIO;
	if (err)
		return cli_fail_errno(path, err, NULL);
	return CLI_DONE;
}
