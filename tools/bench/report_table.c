/* report_table.c: the run as a person reads it in a terminal, 80 to 100 columns wide. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/term.h"

#include "advice.h"
#include "glyph.h"
#include "mechanisms.h"
#include "report.h"

#define NAME_WIDTH 29
#define WIDTH_MIN  80
#define WIDTH_MAX  100
#define INDENT	   13
#define REASONS	   2

/* A file is as wide as a terminal may be: nobody can make it wider later. */
static int page_width(FILE *out)
{
	int width = term_is_tty(out) || getenv("COLUMNS") ? term_width(out) : WIDTH_MAX;

	return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

/* Columns on the screen: bytes that continue a UTF-8 character take none. */
static int columns(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void pad(FILE *out, int nr)
{
	for (; nr > 0; nr--)
		fputc(' ', out);
}

static void say(FILE *out, const char *text)
{
	char buf[1024];

	fputs(glyph_text(text, buf, sizeof(buf)), out);
}

static void left(FILE *out, const char *text, int width)
{
	char buf[128];

	text = glyph_text(text, buf, sizeof(buf));
	fputs(text, out);
	pad(out, width - columns(text));
}

/* What is too wide pushes on what follows: numbers never run together. */
static void right(FILE *out, const char *text, int width)
{
	char buf[128];
	int missing;

	text = glyph_text(text, buf, sizeof(buf));
	missing = width - columns(text);
	pad(out, missing > 1 ? missing : 1);
	fputs(text, out);
}

/* Prints words from a column on; lines that follow begin at @indent. */
static void wrapped(FILE *out, const char *text, int at, int indent)
{
	const int width = page_width(out);
	char buf[1024];

	text = glyph_text(text, buf, sizeof(buf));
	while (*text) {
		size_t len = strcspn(text, " ");
		char word[256];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (at > indent && at + 1 + columns(word) > width) {
			fputc('\n', out);
			pad(out, indent);
			at = indent;
		} else if (at > indent) {
			fputc(' ', out);
			at++;
		}
		fputs(word, out);
		at += columns(word);
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
}

/* Prints "label  text", the text wrapped and indented under itself. */
static void paragraph(FILE *out, const char *label, const char *text)
{
	fprintf(out, "  %s%-10s%s ", term_style(out, TERM_DIM), label, term_style(out, TERM_PLAIN));
	wrapped(out, text, INDENT, INDENT);
}

static void join(char *to, size_t size, const char *separator, const char *text)
{
	size_t used = strlen(to);

	if (*text)
		snprintf(to + used, size - used, "%s%s", used ? separator : "", text);
}

void bench_report_table_head(FILE *out, const struct report *r)
{
	const struct bench_machine *m = &r->machine;
	char line[512] = "", part[128], size[16];

	fprintf(out, "%ssluice bench%s  %s\n", term_style(out, TERM_BOLD),
		term_style(out, TERM_PLAIN), r->path);
	join(line, sizeof(line), " · ", m->file_system);
	join(line, sizeof(line), ", ", m->journal);
	if (*m->device) {
		snprintf(part, sizeof(part), "on %s%s%s", m->device, *m->write_cache ? ", " : "",
			 m->write_cache);
		join(line, sizeof(line), " ", part);
	}
	join(line, sizeof(line), " · ", m->kernel);
	snprintf(part, sizeof(part), "%u CPU%s · %.1f GiB", m->cores, m->cores == 1 ? "" : "s",
		 (double)m->memory_bytes / (1u << 30));
	join(line, sizeof(line), " · ", part);
	wrapped(out, line, 0, 0);
	if (r->file_bytes)
		fprintf(out, "%s of %s\n", plan_bytes(r->file_bytes, size),
			r->file_is_ours ?
				"test data in a file without a name: nothing stays behind" :
				"your file, read only");
	wrapped(out,
		"Less CPU per operation is better; then less time. 1.00 is the recommended one "
		"(★), [95 % interval]; = is a tie with it, ~ could not be told apart from it.",
		0, 0);
}

/* -- columns ------------------------------------------------------------------------------- */

/*
 * One column: what stands in it and how wide it is, the blank before it included. Where the page
 * is narrow the last ones in the order of @rank are left out.
 */
struct column {
	const char *title;
	int width;
	int rank;
	const char *(*value)(const struct field *f, size_t idx, char *buf);
};

static const char *of_cpu(const struct field *f, size_t idx, char *buf)
{
	return advice_duration(f->scores[idx].cpu_ns.median, buf);
}

static const char *of_ratio(const struct field *f, size_t idx, char *buf)
{
	if ((int)idx == f->best)
		return strcpy(buf, "1.00            ");
	return advice_ratio(&f->scores[idx].ratio, "", buf, 64);
}

static const char *of_rate(const struct field *f, size_t idx, char *buf)
{
	return advice_count(f->scores[idx].ops_per_s, buf);
}

static const char *of_p50(const struct field *f, size_t idx, char *buf)
{
	return advice_duration(f->scores[idx].p50_ns, buf);
}

static const char *of_p99(const struct field *f, size_t idx, char *buf)
{
	return advice_duration(f->scores[idx].p99_ns, buf);
}

static const char *of_p999(const struct field *f, size_t idx, char *buf)
{
	return advice_duration(f->scores[idx].p999_ns, buf);
}

static const char *of_calls(const struct field *f, size_t idx, char *buf)
{
	double calls = f->scores[idx].calls;

	if (isnan(calls))
		return "?";
	snprintf(buf, 24, "%.*f", calls < 99.5 ? 2 : 0, calls);
	return buf;
}

/* What a block left in the page cache of what it read. */
static const char *of_cached(const struct field *f, size_t idx, char *buf)
{
	double moved = (double)f->contenders[idx].block_ops * f->work.block_bytes;

	snprintf(buf, 24, "%.0f %%", fmax(f->scores[idx].cache_bytes / moved * 100, 0));
	return buf;
}

static const char *of_copies(const struct field *f, size_t idx, char *buf)
{
	snprintf(buf, 24, "%.1f", f->contenders[idx].copies);
	return buf;
}

static const char *of_cpu_per_gb(const struct field *f, size_t idx, char *buf)
{
	return advice_per_gb(f->scores[idx].cpu_ns.median, f->work.block_bytes, buf);
}

static const char *of_receiver_per_gb(const struct field *f, size_t idx, char *buf)
{
	return advice_per_gb(f->scores[idx].receiver_ns, f->work.block_bytes, buf);
}

static const char *of_speed(const struct field *f, size_t idx, char *buf)
{
	snprintf(buf, 24, "%.2f", f->work.block_bytes / f->scores[idx].wall_ns.median);
	return buf;
}

#define COLUMNS_MAX 8

static const struct column hot_columns[COLUMNS_MAX] = {
	{ "CPU/op", 9, 0, of_cpu },  { "CPU vs best", 18, 1, of_ratio },
	{ "ops/s", 9, 2, of_rate },  { "p50", 9, 5, of_p50 },
	{ "p99", 9, 4, of_p99 },     { "p99.9", 9, 6, of_p999 },
	{ "calls", 6, 3, of_calls },
};

static const struct column cold_columns[COLUMNS_MAX] = {
	{ "CPU/op", 9, 0, of_cpu },  { "CPU vs best", 18, 1, of_ratio },
	{ "ops/s", 9, 2, of_rate },  { "p50", 9, 6, of_p50 },
	{ "p99", 9, 4, of_p99 },     { "cached", 9, 5, of_cached },
	{ "calls", 6, 3, of_calls },
};

/* Seconds of CPU for each 10^9 bytes, of either end, and 10^9 bytes a second. */
static const struct column send_columns[COLUMNS_MAX] = {
	{ "CPU/op", 9, 1, of_cpu },	     { "CPU vs best", 18, 2, of_ratio },
	{ "CPU s/GB", 9, 0, of_cpu_per_gb }, { "recv s/GB", 10, 5, of_receiver_per_gb },
	{ "GB/s", 7, 4, of_speed },	     { "p99", 8, 7, of_p99 },
	{ "copies", 7, 3, of_copies },	     { "calls", 7, 6, of_calls },
};

static const struct column *columns_of(const struct workload *w)
{
	if (w->kind == WORKLOAD_SEND)
		return send_columns;
	return w->kind == WORKLOAD_BLOCKS && w->cache == CACHE_COLD ? cold_columns : hot_columns;
}

/* The longest name that stands in the table; where there is room, its usual place. */
static int name_width(FILE *out, const struct field *f)
{
	int width = page_width(out) < WIDTH_MAX	  ? 0 :
		    f->work.kind == WORKLOAD_SEND ? 21 :
						    NAME_WIDTH;

	for (size_t i = 0; i < f->nr; i++) {
		if (f->scores[i].rank && columns(f->contenders[i].name) > width)
			width = columns(f->contenders[i].name);
	}
	return width;
}

/* The ranks below this one fit the page. */
static int ranks_that_fit(FILE *out, const struct field *f)
{
	const struct column *c = columns_of(&f->work);
	int used = 2 + name_width(out, f), rank = 0;

	for (; rank < COLUMNS_MAX; rank++) {
		for (int i = 0; i < COLUMNS_MAX; i++)
			used += c[i].value && c[i].rank == rank ? c[i].width : 0;
		if (used > page_width(out))
			break;
	}
	return rank;
}

static void head_of_columns(FILE *out, const struct field *f)
{
	const struct column *c = columns_of(&f->work);
	int fit = ranks_that_fit(out, f);

	fputs(term_style(out, TERM_DIM), out);
	left(out, "", 2 + name_width(out, f));
	for (int i = 0; i < COLUMNS_MAX; i++) {
		if (c[i].value && c[i].rank < fit)
			right(out, c[i].title, c[i].width);
	}
	fprintf(out, "%s\n", term_style(out, TERM_PLAIN));
}

static const char *mark_of(const struct field *f, size_t idx)
{
	if ((int)idx == f->best)
		return "★ ";
	if (f->scores[idx].verdict == STATS_TIE)
		return "= ";
	return f->scores[idx].verdict == STATS_INCONCLUSIVE ? "~ " : "  ";
}

static void row(FILE *out, const struct field *f, size_t idx)
{
	const struct column *c = columns_of(&f->work);
	int fit = ranks_that_fit(out, f);
	char buf[64];

	if ((int)idx == f->best)
		fprintf(out, "%s%s", term_style(out, TERM_BOLD), term_style(out, TERM_GREEN));
	else if (f->contenders[idx].dropped)
		fputs(term_style(out, TERM_DIM), out);
	say(out, mark_of(f, idx));
	left(out, f->contenders[idx].name, name_width(out, f));
	for (int i = 0; i < COLUMNS_MAX; i++) {
		if (c[i].value && c[i].rank < fit)
			right(out, c[i].value(f, idx, buf), c[i].width);
	}
	fprintf(out, "%s\n", term_style(out, TERM_PLAIN));
}

/* Those that are not ranked for the same reason share a line. */
static void unranked(FILE *out, const struct field *f, enum contender_status status,
		     const char *label)
{
	char first[512], other[512];

	for (size_t i = 0; i < f->nr; i++) {
		char line[1024] = "";
		bool said = false;

		if (f->contenders[i].status != status || f->scores[i].rank ||
		    f->contenders[i].sits_out)
			continue;
		advice_reason(f, i, first, sizeof(first));
		for (size_t j = 0; j < f->nr && !said; j++) {
			if (f->contenders[j].status != status || f->scores[j].rank ||
			    strcmp(advice_reason(f, j, other, sizeof(other)), first) != 0)
				continue;
			said = j < i;
			join(line, sizeof(line), ", ", f->contenders[j].name);
		}
		join(line, sizeof(line), ": ", first);
		if (!said)
			paragraph(out, label, line);
	}
}

/* Those that nobody asked for share a line; one name for all modes and depths. */
static void left_out(FILE *out, const struct field *f)
{
	const struct contender *last = NULL;
	char line[1024] = "";

	for (size_t i = 0; i < f->nr; i++) {
		const struct contender *c = &f->contenders[i];

		if (!c->sits_out)
			continue;
		if (!last || last->mech != c->mech)
			join(line, sizeof(line), ", ", c->mech->name);
		last = c;
	}
	if (!last)
		return;
	join(line, sizeof(line), ": ", last->reason);
	paragraph(out, "left out", line);
}

static void reasons(FILE *out, const struct field *f)
{
	const struct mechanism *seen[REASONS + 1];
	size_t nr = 0;

	for (size_t i = 0; i < f->nr && nr <= REASONS; i++) {
		size_t idx = f->order[i];
		const struct contender *c = &f->contenders[idx];
		char text[768], reason[512];
		bool known = false;

		if (!f->scores[idx].rank)
			break;
		for (size_t j = 0; j < nr; j++)
			known |= seen[j] == c->mech;
		if (known)
			continue;
		seen[nr++] = c->mech;
		if (nr == 1)
			continue;
		snprintf(text, sizeof(text), "%s %s", c->name,
			 advice_reason(f, idx, reason, sizeof(reason)));
		paragraph(out, nr == 2 ? "then" : "", text);
	}
}

static void advise(FILE *out, const struct field *f)
{
	struct advice a;

	advice_give(f, &a);
	if (*a.choose) {
		fprintf(out, "  %sRECOMMEND  %s%s%s\n", term_style(out, TERM_BOLD),
			term_style(out, TERM_GREEN), a.choose, term_style(out, TERM_PLAIN));
		paragraph(out, "because", a.because);
		paragraph(out, "unless", a.but);
		if (*a.next)
			paragraph(out, "or", a.next);
	} else {
		fprintf(out, "  %sNOTHING TO RECOMMEND%s: nobody could be measured\n",
			term_style(out, TERM_YELLOW), term_style(out, TERM_PLAIN));
	}
	if (*a.choose)
		reasons(out, f);
	unranked(out, f, CONTENDER_RAN, "no rank");
	unranked(out, f, CONTENDER_VOID, "void");
	unranked(out, f, CONTENDER_UNAVAILABLE, "cannot run");
	left_out(out, f);
	paragraph(out, "noise", a.noise);
}

/* Those of which the same is to be known share a line. */
static void settings(FILE *out, const struct field *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		const struct contender *c = &f->contenders[i], *last = NULL;
		char line[1024] = "";
		bool said = false;

		if (!*c->settings || c->status != CONTENDER_RAN)
			continue;
		for (size_t j = 0; j < f->nr && !said; j++) {
			const struct contender *other = &f->contenders[j];

			if (other->status != CONTENDER_RAN ||
			    strcmp(other->settings, c->settings) != 0)
				continue;
			said = j < i;
			if (!last || last->mech != other->mech)
				join(line, sizeof(line), ", ", other->mech->name);
			last = other;
		}
		join(line, sizeof(line), ": ", c->settings);
		if (!said)
			paragraph(out, "note", line);
	}
}

static void notes(FILE *out, const struct field *f)
{
	settings(out, f);
	if (*f->setting)
		paragraph(out, "setting", f->setting);
	for (size_t i = 0; i < f->nr; i++) {
		if (!f->contenders[i].unproven)
			continue;
		paragraph(out, "note",
			  "nothing here proves that O_DIRECT was direct: the device's "
			  "counter did not move (network, FUSE or overlay)");
		return;
	}
}

void bench_report_table_field(FILE *out, const struct field *f)
{
	char count[80], buf[80];

	fputc('\n', out);
	fputs(term_style(out, TERM_BOLD), out);
	left(out, f->work.title, 1);
	fprintf(out, "%s", term_style(out, TERM_PLAIN));
	if (f->rounds)
		snprintf(count, sizeof(count), "%s · %zu rounds in %.1f s", f->work.name, f->rounds,
			 f->noise.seconds);
	else
		snprintf(count, sizeof(count), "%s · no round", f->work.name);
	fputs(term_style(out, TERM_DIM), out);
	if (columns(f->work.title) + 2 + columns(count) <= page_width(out))
		right(out, count, page_width(out) - columns(f->work.title));
	else
		fprintf(out, "\n%s", glyph_text(count, buf, sizeof(buf)));
	fprintf(out, "%s\n", term_style(out, TERM_PLAIN));
	if (f->best >= 0)
		head_of_columns(out, f);
	for (size_t i = 0; i < f->nr; i++) {
		if (f->scores[f->order[i]].rank)
			row(out, f, f->order[i]);
	}
	advise(out, f);
	notes(out, f);
	fflush(out);
}

/* -- files to sockets, all sizes in one table ---------------------------------------------- */

/* The last word of a workload's name, "16K" of "net-16K". */
static const char *size_word(const struct field *f)
{
	const char *dash = strrchr(f->work.name, '-');

	return dash ? dash + 1 : f->work.name;
}

static size_t sends(const struct report *r)
{
	size_t nr = 0;

	for (size_t i = 0; i < r->nr; i++)
		nr += r->fields[i].work.kind == WORKLOAD_SEND;
	return nr;
}

/* The ranked contender of a mechanism; -1 when there is none. */
static int ranked_of(const struct field *f, const struct mechanism *mech)
{
	for (size_t i = 0; i < f->nr; i++) {
		if (f->contenders[i].mech == mech && f->scores[i].rank)
			return (int)i;
	}
	return -1;
}

static void cell_of_size(FILE *out, const struct field *f, const struct mechanism *mech)
{
	int idx = ranked_of(f, mech);
	char buf[32] = "-";

	if (idx >= 0)
		of_cpu_per_gb(f, (size_t)idx, buf);
	if (idx >= 0 && idx == f->best)
		fputs(term_style(out, TERM_GREEN), out);
	right(out, buf, 7);
	say(out, idx >= 0 && idx == f->best ? "★" : " ");
	fputs(term_style(out, TERM_PLAIN), out);
}

static void row_of_sizes(FILE *out, const struct report *r, const struct mechanism *mech)
{
	bool anywhere = false;

	for (size_t i = 0; i < r->nr; i++)
		anywhere |= ranked_of(&r->fields[i], mech) >= 0;
	if (!anywhere)
		return;
	fputs("  ", out);
	left(out, mech->name, 22);
	for (size_t i = 0; i < r->nr; i++) {
		if (r->fields[i].work.kind == WORKLOAD_SEND)
			cell_of_size(out, &r->fields[i], mech);
	}
	fputc('\n', out);
}

/* What one gigabyte costs its sender, by file size. */
static void table_of_sizes(FILE *out, const struct report *r)
{
	fprintf(out, "\n%sthe sender's CPU seconds per GB%s, by file size; ",
		term_style(out, TERM_BOLD), term_style(out, TERM_PLAIN));
	say(out, "★ is recommended\n");
	fputs(term_style(out, TERM_DIM), out);
	left(out, "", 24);
	for (size_t i = 0; i < r->nr; i++) {
		if (r->fields[i].work.kind != WORKLOAD_SEND)
			continue;
		right(out, size_word(&r->fields[i]), 7);
		fputc(' ', out);
	}
	fprintf(out, "%s\n", term_style(out, TERM_PLAIN));
	for (const struct mechanism *const *m = mechanisms_all(); *m; m++) {
		if ((*m)->kind == WORKLOAD_SEND)
			row_of_sizes(out, r, *m);
	}
}

/* The column after the longest name that is recommended. */
static int advice_column(const struct report *r)
{
	int width = 0;

	for (size_t i = 0; i < r->nr; i++) {
		struct advice a;

		advice_give(&r->fields[i], &a);
		if (columns(a.choose) > width)
			width = columns(a.choose);
	}
	return 16 + width + 2;
}

static void short_of(FILE *out, const struct field *f, int at)
{
	int next = field_runner_up(f);
	char text[192] = "nobody could be measured";
	struct advice a;

	advice_give(f, &a);
	fputs("  ", out);
	left(out, f->work.name, 14);
	fputs(term_style(out, TERM_GREEN), out);
	left(out, *a.choose ? a.choose : "-", at - 16);
	fputs(term_style(out, TERM_PLAIN), out);
	if (f->best >= 0)
		snprintf(text, sizeof(text), "%s",
			 f->verdict == STATS_FASTER ? "least CPU of all" :
			 f->verdict == STATS_TIE    ? "simplest of equals" :
						      "not certain");
	if (next >= 0)
		join(text, sizeof(text), "; then ", f->contenders[next].name);
	wrapped(out, text, at, at);
}

void bench_report_table_foot(FILE *out, const struct report *r)
{
	int at = advice_column(r);

	if (sends(r) > 1)
		table_of_sizes(out, r);
	fprintf(out, "\n%sin short%s  (%.0f s, seed %llu)\n", term_style(out, TERM_BOLD),
		term_style(out, TERM_PLAIN), r->seconds, (unsigned long long)r->seed);
	for (size_t i = 0; i < r->nr; i++)
		short_of(out, &r->fields[i], at);
}
