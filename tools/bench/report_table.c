/* report_table.c: the run as a person reads it in a terminal, at most 100 columns wide. */
#include <math.h>
#include <string.h>

#include "tools/term.h"

#include "advice.h"
#include "glyph.h"
#include "report.h"

#define NAME_WIDTH 29
#define WIDTH	   100
#define INDENT	   13
#define REASONS	   2

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

/* Prints "label  text", the text wrapped and indented under itself. */
static void paragraph(FILE *out, const char *label, const char *text)
{
	char buf[1024];
	int at = INDENT;

	text = glyph_text(text, buf, sizeof(buf));
	fprintf(out, "  %s%-10s%s", term_style(out, TERM_DIM), label, term_style(out, TERM_PLAIN));
	while (*text) {
		size_t len = strcspn(text, " ");
		char word[256];

		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (at > INDENT && at + 1 + columns(word) > WIDTH) {
			fputc('\n', out);
			pad(out, INDENT - 1);
			at = INDENT - 1;
		}
		fprintf(out, " %s", word);
		at += columns(word) + 1;
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
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
	snprintf(part, sizeof(part), "%u CPUs · %.1f GiB", m->cores,
		 (double)m->memory_bytes / (1u << 30));
	join(line, sizeof(line), " · ", part);
	say(out, line);
	fputc('\n', out);
	if (r->file_bytes)
		fprintf(out, "%s of %s\n", plan_bytes(r->file_bytes, size),
			r->file_is_ours ?
				"test data in a file without a name: nothing stays behind" :
				"your file, read only");
	fprintf(out, "Less CPU per operation is better; then less time. 1.00 is the recommended "
		     "one, [95 %% interval].\n");
}

/* The column that tells most about this kind of work. */
static const char *extra_title(const struct workload *w)
{
	if (w->kind == WORKLOAD_SEND)
		return "copies";
	if (w->kind == WORKLOAD_BLOCKS && w->cache == CACHE_COLD)
		return "cached";
	return "p99.9";
}

static const char *extra_value(const struct field *f, size_t idx, char *buf)
{
	const struct score *s = &f->scores[idx];
	double moved;

	if (f->work.kind == WORKLOAD_SEND) {
		snprintf(buf, 24, "%.1f", f->contenders[idx].copies);
		return buf;
	}
	if (f->work.kind != WORKLOAD_BLOCKS || f->work.cache != CACHE_COLD)
		return advice_duration(s->p999_ns, buf);
	moved = (double)f->contenders[idx].block_ops * f->work.block_bytes;
	snprintf(buf, 24, "%.0f %%", fmax(s->cache_bytes / moved * 100, 0));
	return buf;
}

static void head_of_columns(FILE *out, const struct field *f)
{
	fputs(term_style(out, TERM_DIM), out);
	left(out, "", 2 + NAME_WIDTH);
	right(out, "CPU/op", 9);
	right(out, "CPU vs best", 18);
	right(out, "ops/s", 9);
	right(out, "p50", 9);
	right(out, "p99", 9);
	right(out, extra_title(&f->work), 9);
	right(out, "calls", 6);
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

static const char *ratio_column(const struct score *s, bool best, char *buf, size_t size)
{
	if (!best)
		return advice_ratio(&s->ratio, "", buf, size);
	snprintf(buf, size, "1.00            ");
	return buf;
}

static void row(FILE *out, const struct field *f, size_t idx)
{
	const struct contender *c = &f->contenders[idx];
	const struct score *s = &f->scores[idx];
	bool best = (int)idx == f->best;
	char buf[64];

	if (best)
		fprintf(out, "%s%s", term_style(out, TERM_BOLD), term_style(out, TERM_GREEN));
	else if (c->dropped)
		fputs(term_style(out, TERM_DIM), out);
	say(out, mark_of(f, idx));
	left(out, c->name, NAME_WIDTH);
	right(out, advice_duration(s->cpu_ns.median, buf), 9);
	right(out, ratio_column(s, best, buf, sizeof(buf)), 18);
	right(out, advice_count(s->ops_per_s, buf), 9);
	right(out, advice_duration(s->p50_ns, buf), 9);
	right(out, advice_duration(s->p99_ns, buf), 9);
	right(out, extra_value(f, idx, buf), 9);
	if (isnan(s->calls))
		right(out, "?", 6);
	else {
		snprintf(buf, sizeof(buf), "%.2f", s->calls);
		right(out, buf, 6);
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

		if (f->contenders[i].status != status || f->scores[i].rank)
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
	paragraph(out, "noise", a.noise);
}

static void notes(FILE *out, const struct field *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		const struct contender *c = &f->contenders[i];
		char line[512];
		bool said = false;

		for (size_t j = 0; j < i; j++)
			said |= f->contenders[j].mech == c->mech &&
				strcmp(f->contenders[j].settings, c->settings) == 0;
		if (!*c->settings || said || c->status != CONTENDER_RAN)
			continue;
		snprintf(line, sizeof(line), "%s: %s", c->mech->name, c->settings);
		paragraph(out, "note", line);
	}
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
	char count[80];

	fputc('\n', out);
	fputs(term_style(out, TERM_BOLD), out);
	left(out, f->work.title, 1);
	fprintf(out, "%s", term_style(out, TERM_PLAIN));
	snprintf(count, sizeof(count), "%s · %zu rounds in %.1f s", f->work.name, f->rounds,
		 f->noise.seconds);
	fputs(term_style(out, TERM_DIM), out);
	right(out, count, WIDTH - columns(f->work.title));
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

void bench_report_table_foot(FILE *out, const struct report *r)
{
	fprintf(out, "\n%sin short%s  (%.0f s, seed %llu)\n", term_style(out, TERM_BOLD),
		term_style(out, TERM_PLAIN), r->seconds, (unsigned long long)r->seed);
	for (size_t i = 0; i < r->nr; i++) {
		const struct field *f = &r->fields[i];
		int next = field_runner_up(f);
		struct advice a;

		advice_give(f, &a);
		fputs("  ", out);
		left(out, f->work.name, 14);
		fputs(term_style(out, TERM_GREEN), out);
		left(out, *a.choose ? a.choose : "-", NAME_WIDTH);
		fputs(term_style(out, TERM_PLAIN), out);
		if (f->best >= 0 && f->verdict == STATS_FASTER)
			fprintf(out, "least CPU of all");
		else if (f->best >= 0 && f->verdict == STATS_TIE)
			fprintf(out, "simplest of equals");
		else if (f->best >= 0)
			fprintf(out, "not certain: some could not be told apart");
		if (next >= 0)
			fprintf(out, "; then %s", f->contenders[next].name);
		fputc('\n', out);
	}
}
