/* report_html.c: the run as one page that needs nothing else: no script, no font, no network. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "mechanisms.h"
#include "report.h"
#include "svg.h"

/* More lines than this in one chart cannot be told apart: each colour once, and once dashed. */
#define LINES_MAX 16

/* Light, or dark where the reader's system is; text keeps a contrast of 4.5:1 in both. */
static const char style[] =
	":root{--bg:#fff;--fg:#1b1f24;--dim:#59636e;--rule:#d8dee4;--soft:#f6f8fa;--best:#1a7f37;"
	"--k0:#1a7f37;--k1:#0969da;--k2:#bc4c00;--k3:#8250df;--k4:#bf3989;--k5:#0f766e;"
	"--k6:#7d4e00;--k7:#57606a;color-scheme:light dark}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;"
	"--rule:#30363d;--soft:#161b22;--best:#3fb950;--k0:#3fb950;--k1:#58a6ff;--k2:#f0883e;"
	"--k3:#bc8cff;--k4:#f778ba;--k5:#2dd4bf;--k6:#d29922;--k7:#9198a1}}\n"
	"body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--bg);color:var(--fg);"
	"font:16px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.6rem;margin:0}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}"
	".dim{color:var(--dim)}a{color:var(--k1)}\n"
	"table{border-collapse:collapse;width:100%;font-size:.875rem;"
	"font-variant-numeric:tabular-nums}th{font-weight:600;color:var(--dim)}"
	"th,td{padding:.25rem .6rem;border-bottom:1px solid var(--rule);text-align:right;"
	"vertical-align:top}th:first-child,td:first-child,td.say,th.say{text-align:left}"
	"td{white-space:nowrap}td.say{white-space:normal;min-width:16rem}"
	"tr.best td{color:var(--best);font-weight:600}tr.off td{color:var(--dim)}"
	".wide{overflow-x:auto}\n"
	".advice{border-left:4px solid var(--best);background:var(--soft);padding:.6rem 1rem;"
	"margin:.8rem 0}.advice p{margin:.2rem 0}.advice b{color:var(--best)}"
	".bad{border-color:var(--k2)}\n"
	".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));"
	"gap:1rem}figure{margin:0;border:1px solid var(--rule);border-radius:6px;padding:.6rem}"
	"figcaption{font-weight:600;font-size:.95rem}svg{width:100%;height:auto}\n"
	"svg text{fill:var(--fg);font:12px system-ui,sans-serif}"
	"svg .tick,svg .axis{fill:var(--dim)}"
	"svg .mid{text-anchor:middle}svg .end{text-anchor:end}svg .strong{font-weight:600;"
	"fill:var(--best)}.grid{stroke:var(--rule);fill:none}.whisker{stroke:var(--fg);fill:none;"
	"stroke-width:1.5}.dot{fill:var(--k1)}.dot.best{fill:var(--best)}"
	".line{fill:none;stroke:currentColor;stroke-width:2}.again{stroke-dasharray:6 4}"
	".one{max-width:46rem}"
	".point{fill:currentColor}"
	".legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.3rem 0 0;"
	"padding:0;font-size:.8rem}.swatch{display:inline-block;width:.8em;height:.8em;"
	"margin-right:.4em;background:currentColor}"
	".swatch.again{background:none;outline:2px dotted currentColor;outline-offset:-2px}\n"
	".k0{color:var(--k0)}.k1{color:var(--k1)}.k2{color:var(--k2)}.k3{color:var(--k3)}"
	".k4{color:var(--k4)}.k5{color:var(--k5)}.k6{color:var(--k6)}.k7{color:var(--k7)}\n";

static void element(FILE *out, const char *tag, const char *class, const char *text)
{
	fprintf(out, "<%s%s%s%s>", tag, class ? " class=\"" : "", class ? class : "",
		class ? "\"" : "");
	svg_text(out, text);
	fprintf(out, "</%s>", tag);
}

static void said(FILE *out, const char *word, const char *text)
{
	if (!*text)
		return;
	fputs("<p><span class=\"dim\">", out);
	svg_text(out, word);
	fputs("</span> ", out);
	svg_text(out, text);
	fputs("</p>\n", out);
}

static void advice_box(FILE *out, const struct field *f)
{
	struct advice a;

	advice_give(f, &a);
	fprintf(out, "<div class=\"advice%s\"><p>", *a.choose ? "" : " bad");
	if (*a.choose) {
		fputs("Recommended: ", out);
		element(out, "b", NULL, a.choose);
	} else {
		fputs("Nothing to recommend: nobody could be measured.", out);
	}
	fputs("</p>\n", out);
	said(out, "because", a.because);
	said(out, "unless", a.but);
	said(out, "or", a.next);
	said(out, "noise", a.noise);
	fputs("</div>\n", out);
}

/* -- the table ----------------------------------------------------------------------------- */

static void ranked_row(FILE *out, const struct field *f, size_t idx)
{
	const struct contender *c = &f->contenders[idx];
	const struct score *s = &f->scores[idx];
	char buf[64], reason[512];

	fprintf(out, "<tr%s>", (int)idx == f->best ? " class=\"best\"" : "");
	element(out, "td", NULL, c->name);
	element(out, "td", NULL, advice_duration(s->cpu_ns.median, buf));
	element(out, "td", NULL,
		(int)idx == f->best ? "1" : advice_ratio(&s->ratio, "", buf, sizeof(buf)));
	element(out, "td", NULL, advice_count(s->ops_per_s, buf));
	element(out, "td", NULL, advice_duration(s->p50_ns, buf));
	element(out, "td", NULL, advice_duration(s->p99_ns, buf));
	element(out, "td", NULL, advice_duration(s->p999_ns, buf));
	snprintf(buf, sizeof(buf), "%.2f", s->calls);
	element(out, "td", NULL, isnan(s->calls) ? "?" : buf);
	snprintf(buf, sizeof(buf), "%.1f", c->copies);
	element(out, "td", NULL, buf);
	if (f->work.kind == WORKLOAD_SEND) {
		uint64_t bytes = f->work.block_bytes;

		element(out, "td", NULL, advice_per_gb(s->cpu_ns.median, bytes, buf));
		element(out, "td", NULL, advice_per_gb(s->receiver_ns, bytes, buf));
	}
	element(out, "td", "say", advice_reason(f, idx, reason, sizeof(reason)));
	fputs("</tr>\n", out);
}

static void unranked_row(FILE *out, const struct field *f, size_t idx)
{
	const struct contender *c = &f->contenders[idx];
	char reason[512];

	fputs("<tr class=\"off\">", out);
	element(out, "td", NULL, c->name);
	element(out, "td", NULL,
		c->status == CONTENDER_RAN  ? "no rank" :
		c->status == CONTENDER_VOID ? "void" :
		c->sits_out		    ? "left out" :
					      "cannot run");
	fprintf(out, "<td colspan=\"%d\" class=\"say\">", f->work.kind == WORKLOAD_SEND ? 10 : 8);
	svg_text(out, advice_reason(f, idx, reason, sizeof(reason)));
	fputs("</td></tr>\n", out);
}

static void table(FILE *out, const struct field *f)
{
	fputs("<div class=\"wide\"><table><thead><tr><th>contender</th><th>CPU/op</th>"
	      "<th>CPU against best</th><th>ops/s</th><th>p50</th><th>p99</th><th>p99.9</th>"
	      "<th>calls/op</th><th>copies</th>",
	      out);
	if (f->work.kind == WORKLOAD_SEND)
		fputs("<th>CPU s/GB</th><th>receiver s/GB</th>", out);
	fputs("<th class=\"say\">in a sentence</th></tr></thead><tbody>\n", out);
	for (size_t i = 0; i < f->nr; i++) {
		if (f->scores[f->order[i]].rank)
			ranked_row(out, f, f->order[i]);
		else
			unranked_row(out, f, f->order[i]);
	}
	fputs("</tbody></table></div>\n", out);
}

/* -- charts -------------------------------------------------------------------------------- */

static void cpu_chart(FILE *out, const struct field *f)
{
	struct svg_value *v = calloc(f->nr, sizeof(*v));
	const struct svg_frame frame = {
		.title = "CPU time per operation",
		.about = "Median and 95 % interval of each contender, least CPU first.",
		.x_label = "CPU per operation, logarithmic; line: 95 % interval",
		.x_unit = SVG_DURATION,
	};
	size_t nr = 0;

	for (size_t i = 0; v && i < f->nr; i++) {
		size_t idx = f->order[i];
		const struct stats_interval *cpu = &f->scores[idx].cpu_ns;

		if (f->scores[idx].rank && cpu->low > 0)
			v[nr++] = (struct svg_value){ f->contenders[idx].name, cpu->median,
						      cpu->low, cpu->high, (int)idx == f->best };
	}
	if (nr)
		svg_values(out, &frame, v, nr);
	free(v);
}

/* What a line stands for: a contender; in the chart by depth a mechanism with its mode. */
static bool same_line(const struct contender *a, const struct contender *b, bool by_depth)
{
	return by_depth ? a->mech == b->mech && a->mode == b->mode : a == b;
}

/* Whether an earlier one in the order of preference is of the same mechanism. */
static bool came_before(const struct field *f, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (f->contenders[f->order[i]].mech == f->contenders[f->order[at]].mech)
			return true;
	}
	return false;
}

/* Lower is drawn sooner: the best, libsluice's, the best of each mechanism, then the others. */
static unsigned turn_of(const struct field *f, size_t at)
{
	bool first = !came_before(f, at);

	if ((int)f->order[at] == f->best)
		return 0;
	if (first && strncmp(f->contenders[f->order[at]].mech->name, "sluice", 6) == 0)
		return 1;
	return first ? 2 : 3;
}

/* Whether a line begins here, and not with somebody preferred. */
static bool begins_line(const struct field *f, size_t at, bool by_depth,
			bool (*has_points)(const struct field *f, size_t idx))
{
	const struct contender *c = &f->contenders[f->order[at]];

	if (!has_points(f, f->order[at]))
		return false;
	for (size_t i = 0; i < at; i++) {
		if (has_points(f, f->order[i]) &&
		    same_line(&f->contenders[f->order[i]], c, by_depth))
			return false;
	}
	return true;
}

/*
 * Marks places in the order of preference whose contenders begin a line: all, or the ones that
 * matter most. Returns how many lines are left out.
 */
static size_t choose_lines(const struct field *f, bool by_depth,
			   bool (*has_points)(const struct field *f, size_t idx), bool *ret_chosen)
{
	size_t chosen = 0, left_out = 0;

	memset(ret_chosen, 0, f->nr * sizeof(*ret_chosen));
	for (unsigned turn = 0; turn < 4; turn++) {
		for (size_t at = 0; at < f->nr; at++) {
			if (turn_of(f, at) != turn || !begins_line(f, at, by_depth, has_points))
				continue;
			if (chosen == LINES_MAX) {
				left_out++;
			} else {
				ret_chosen[at] = true;
				chosen++;
			}
		}
	}
	return left_out;
}

/* What a chart says of itself; how many lines it leaves out is at the end. */
static void say_about(char *buf, size_t size, const char *about, size_t left_out)
{
	if (left_out)
		snprintf(buf, size, "%s %zu are not drawn: see the table.", about, left_out);
	else
		snprintf(buf, size, "%s", about);
}

static int by_depth(const void *a, const void *b)
{
	const struct svg_point *x = a, *y = b;

	return atoi(x->label) - atoi(y->label);
}

static bool has_median(const struct field *f, size_t idx)
{
	return f->scores[idx].rank && !isnan(f->scores[idx].p50_ns);
}

/* The points of all depths of a contender's mechanism in its mode. */
static void line_of_depths(const struct field *f, const struct contender *first,
			   struct svg_line *line)
{
	for (size_t i = 0; i < f->nr && line->nr < 16; i++) {
		const struct contender *c = &f->contenders[i];
		struct svg_point *p = &line->point[line->nr];

		if (!same_line(c, first, true) || !has_median(f, i))
			continue;
		*p = (struct svg_point){ .x = f->scores[i].ops_per_s, .y = f->scores[i].p50_ns };
		snprintf(p->label, sizeof(p->label), "%u", c->depth);
		line->nr++;
	}
	qsort(line->point, line->nr, sizeof(line->point[0]), by_depth);
}

/* One line per mechanism and mode; its points are the depths. */
static void depth_chart(FILE *out, const struct field *f)
{
	bool chosen[FIELD_CONTENDERS_MAX];
	char names[LINES_MAX][64], about[160];
	struct svg_line lines[LINES_MAX];
	const struct svg_frame frame = {
		.title = "Latency against throughput, by queue depth",
		.about = about,
		.x_label = "operations per second",
		.y_label = "median latency, logarithmic",
		.x_unit = SVG_RATE,
		.y_unit = SVG_DURATION,
	};
	size_t nr = 0, left_out = choose_lines(f, true, has_median, chosen);

	say_about(about, sizeof(about),
		  "Each point is one depth, written beside it; right and low is better.", left_out);
	for (size_t at = 0; at < f->nr; at++) {
		const struct contender *c = &f->contenders[f->order[at]];

		if (!chosen[at])
			continue;
		snprintf(names[nr], sizeof(names[nr]), "%s", c->name);
		if (c->mech->queued)
			*strrchr(names[nr], ' ') = '\0';
		lines[nr] = (struct svg_line){ .name = names[nr] };
		line_of_depths(f, c, &lines[nr++]);
	}
	if (nr)
		svg_lines(out, &frame, lines, nr, left_out);
}

static bool has_depths(const struct field *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		if (f->contenders[i].mech->queued)
			return true;
	}
	return false;
}

static const struct {
	double share, nines;
} percentiles[] = { { 0.5, SVG_MEDIAN }, { 0.9, 1 }, { 0.99, 2 }, { 0.999, 3 }, { 0.9999, 4 } };

static void line_of_percentiles(const struct contender *c, struct svg_line *line)
{
	*line = (struct svg_line){ .name = c->name };
	for (size_t k = 0; k < sizeof(percentiles) / sizeof(*percentiles); k++) {
		double ns = latency_percentile(c->latency, percentiles[k].share);

		if (!isnan(ns))
			line->point[line->nr++] =
				(struct svg_point){ .x = percentiles[k].nines, .y = ns };
	}
}

/* One percentile is a point, no line. */
static bool has_percentiles(const struct field *f, size_t idx)
{
	struct svg_line line = { .nr = 0 };

	if (f->scores[idx].rank)
		line_of_percentiles(&f->contenders[idx], &line);
	return line.nr > 1;
}

static void percentile_chart(FILE *out, const struct field *f)
{
	bool chosen[FIELD_CONTENDERS_MAX];
	char about[160];
	struct svg_line lines[LINES_MAX];
	const struct svg_frame frame = {
		.title = "Latency percentiles",
		.about = about,
		.x_label = "percentile",
		.y_label = "latency, logarithmic",
		.x_unit = SVG_NINES,
		.y_unit = SVG_DURATION,
	};
	size_t nr = 0, left_out = choose_lines(f, false, has_percentiles, chosen);

	say_about(about, sizeof(about),
		  "How latency grows towards the tail; lines end where samples run out.", left_out);
	for (size_t at = 0; at < f->nr; at++) {
		if (chosen[at])
			line_of_percentiles(&f->contenders[f->order[at]], &lines[nr++]);
	}
	if (nr)
		svg_lines(out, &frame, lines, nr, left_out);
}

/* -- the page ------------------------------------------------------------------------------ */

static size_t line_of_sizes(struct svg_line *line, const struct report *r,
			    const struct mechanism *mech)
{
	line->name = mech->name;
	line->nr = 0;
	for (size_t i = 0; i < r->nr && line->nr < 16; i++) {
		const struct field *f = &r->fields[i];

		for (size_t k = 0; k < f->nr; k++) {
			double bytes = f->work.block_bytes;

			if (f->contenders[k].mech == mech && f->scores[k].rank &&
			    f->work.cache == CACHE_WARM)
				line->point[line->nr++] = (struct svg_point){
					.x = bytes, .y = f->scores[k].cpu_ns.median / bytes * 1e6
				};
		}
	}
	return line->nr;
}

/* Files to sockets: what a byte costs, against the size of the files. */
static void sizes_chart(FILE *out, const struct report *r)
{
	struct svg_line lines[LINES_MAX];
	const struct svg_frame frame = {
		.title = "CPU time of the sender per MB, by file size",
		.about = "One line for each way of sending a cached file; lower is better.",
		.x_label = "file size, logarithmic",
		.y_label = "CPU per MB, logarithmic",
		.x_unit = SVG_BYTES,
		.y_unit = SVG_DURATION,
	};
	size_t nr = 0, longest = 0;

	for (const struct mechanism *const *m = mechanisms_all(); *m && nr < LINES_MAX; m++) {
		size_t points = (*m)->kind == WORKLOAD_SEND ? line_of_sizes(&lines[nr], r, *m) : 0;

		nr += points > 0;
		longest = points > longest ? points : longest;
	}
	if (longest < 2)
		return;
	fputs("<h2>By file size</h2>\n<div class=\"charts one\">\n", out);
	svg_lines(out, &frame, lines, nr, 0);
	fputs("</div>\n", out);
}

static void section(FILE *out, const struct field *f)
{
	char line[96];

	fprintf(out, "<h2 id=\"%s\">", f->work.name);
	svg_text(out, f->work.title);
	fputs("</h2>\n", out);
	snprintf(line, sizeof(line), "%s · %zu rounds, blocks of %.0f ms", f->work.name, f->rounds,
		 (double)f->block_ns / 1e6);
	element(out, "div", "dim", line);
	if (*f->setting)
		element(out, "div", "dim", f->setting);
	advice_box(out, f);
	if (f->best >= 0) {
		fputs("<div class=\"charts\">\n", out);
		cpu_chart(out, f);
		if (has_depths(f))
			depth_chart(out, f);
		percentile_chart(out, f);
		fputs("</div>\n", out);
	}
	table(out, f);
}

static void summary(FILE *out, const struct report *r)
{
	fputs("<div class=\"wide\"><table><thead><tr><th>workload</th><th class=\"say\">use</th>"
	      "<th class=\"say\">because</th></tr></thead><tbody>\n",
	      out);
	for (size_t i = 0; i < r->nr; i++) {
		struct advice a;

		advice_give(&r->fields[i], &a);
		fprintf(out, "<tr><td><a href=\"#%s\">", r->fields[i].work.name);
		svg_text(out, r->fields[i].work.title);
		fputs("</a></td>", out);
		element(out, "td", "say", *a.choose ? a.choose : "-");
		element(out, "td", "say", a.because);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void heading(FILE *out, const struct report *r)
{
	const struct bench_machine *m = &r->machine;
	char line[1536];

	fputs("<h1>sluice bench</h1>\n", out);
	snprintf(line, sizeof(line), "%s · %s%s%s on %s (%s, %s) · %s · %s · %u CPUs · %.1f GiB",
		 r->path, m->file_system, *m->journal ? ", " : "", m->journal,
		 *m->device ? m->device : "no device", m->write_cache, m->mount_options, m->kernel,
		 m->cpu, m->cores, (double)m->memory_bytes / (1u << 30));
	element(out, "p", "dim", line);
	element(out, "p", NULL,
		"Contenders run interleaved in random order. Each is compared with the "
		"recommended one by the median of paired ratios of CPU time per operation, with "
		"its 95 % interval. The threads that io_uring makes are counted, the kernel's own "
		"(write-back, for one) are not. Less is better. A percentile without enough "
		"samples is left out.");
	snprintf(line, sizeof(line), "%s (seed %llu, %.0f s, sluice %s)", r->command,
		 (unsigned long long)r->seed, r->seconds, SLUICE_VERSION);
	element(out, "p", "dim", line);
}

int bench_report_html(FILE *out, const struct report *r)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
	      "<title>sluice bench</title>\n<style>\n",
	      out);
	fputs(style, out);
	fputs("</style></head>\n<body>\n", out);
	heading(out, r);
	summary(out, r);
	sizes_chart(out, r);
	for (size_t i = 0; i < r->nr; i++)
		section(out, &r->fields[i]);
	fputs("</body></html>\n", out);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
