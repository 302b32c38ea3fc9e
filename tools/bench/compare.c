/*
 * compare.c: matches contenders of two runs by workload and name.
 *
 * The runs share no rounds, so the ratio is that of their medians, resampled independently;
 * it is as honest as the two machines were alike.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"
#include "tools/term.h"

#include "advice.h"
#include "compare.h"
#include "field.h"
#include "glyph.h"

#define FILE_BYTES_MAX (64u << 20)
#define SCHEMA	       1

/* One contender in both runs. */
struct change {
	const char *workload, *contender;
	double before_ns, after_ns;
	struct stats_interval ratio;
	enum stats_verdict verdict;
	bool was_best;
};

static int read_all(FILE *in, char **ret_text, size_t *ret_len)
{
	char *text = malloc(FILE_BYTES_MAX), *fit;
	size_t len;

	if (!text)
		return -ENOMEM;
	len = fread(text, 1, FILE_BYTES_MAX, in);
	if (ferror(in) || len == FILE_BYTES_MAX) {
		int err = ferror(in) ? -EIO : -EILSEQ;

		free(text);
		return err;
	}
	fit = realloc(text, len + 1);
	if (fit)
		text = fit;
	*ret_text = text;
	*ret_len = len;
	return 0;
}

bool compare_is_run(const struct jsonread *run)
{
	const struct jsonread *workloads = jsonread_member(run, "workloads");
	const char *tool = jsonread_text(run, "tool");

	return tool && strcmp(tool, "sluice bench") == 0 && workloads &&
	       workloads->kind == JSONREAD_ARRAY && jsonread_number(run, "schema") == SCHEMA;
}

int compare_load(const char *path, struct jsonread **ret_run)
{
	struct jsonread *run = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *in = fopen(path, "re");
	int err;

	if (!in)
		return -errno;
	err = read_all(in, &text, &len);
	fclose(in);
	if (!err)
		err = jsonread_parse(text, len, &run);
	free(text);
	if (err)
		return err;
	if (!compare_is_run(run)) {
		jsonread_free(run);
		return -EBADMSG;
	}
	*ret_run = run;
	return 0;
}

/* The element of a list whose name it is. */
static const struct jsonread *named(const struct jsonread *list, const char *name)
{
	const char *other;

	for (const struct jsonread *e = list ? list->first : NULL; e; e = e->next) {
		other = jsonread_text(e, "name");
		if (other && name && strcmp(other, name) == 0)
			return e;
	}
	return NULL;
}

static size_t rounds(const struct jsonread *contender, double *ret)
{
	const struct jsonread *list = jsonread_member(contender, "cpu_ns_rounds");
	size_t nr = 0;

	for (const struct jsonread *e = list ? list->first : NULL; e && nr < FIELD_ROUNDS_MAX;
	     e = e->next) {
		if (e->kind == JSONREAD_NUMBER && e->number > 0)
			ret[nr++] = e->number;
	}
	return nr;
}

static bool compare_one(const struct jsonread *before, const struct jsonread *after,
			struct change *ret)
{
	double a[FIELD_ROUNDS_MAX], b[FIELD_ROUNDS_MAX];
	size_t nr_a = rounds(after, a), nr_b = rounds(before, b);

	if (!nr_a || !nr_b)
		return false;
	ret->contender = jsonread_text(after, "name");
	ret->before_ns = stats_median(b, nr_b);
	ret->after_ns = stats_median(a, nr_a);
	ret->ratio = stats_ratio_unpaired(a, nr_a, b, nr_b, 1);
	ret->verdict = stats_verdict(&ret->ratio);
	return true;
}

/* Calls @visit for every contender that ran in both; true when a former best is slower. */
static bool each_change(const struct jsonread *before, const struct jsonread *after,
			void (*visit)(void *ctx, const struct change *change), void *ctx)
{
	const struct jsonread *olds = jsonread_member(before, "workloads");
	const struct jsonread *news = jsonread_member(after, "workloads");
	bool worse = false;

	for (const struct jsonread *w = news->first; w; w = w->next) {
		const struct jsonread *old = named(olds, jsonread_text(w, "name"));
		const struct jsonread *list = jsonread_member(w, "contenders");
		const char *best = jsonread_text(old, "best");

		for (const struct jsonread *c = old && list ? list->first : NULL; c; c = c->next) {
			struct change change = { .workload = jsonread_text(w, "name") };

			if (!compare_one(named(jsonread_member(old, "contenders"),
					       jsonread_text(c, "name")),
					 c, &change))
				continue;
			change.was_best = best && strcmp(best, change.contender) == 0;
			worse |= change.was_best && change.verdict == STATS_SLOWER;
			visit(ctx, &change);
		}
	}
	return worse;
}

/* -- for people ---------------------------------------------------------------------------- */

struct printer {
	FILE *out;
	const char *workload;
	size_t nr;
};

/* Everything about a change but its verdict. */
static void change_words(const struct change *change, char *buf, size_t size)
{
	char before[24], after[24], ratio[64];

	advice_duration(change->before_ns, before);
	advice_duration(change->after_ns, after);
	/* "µ" has a byte more than it has columns: the numbers are padded by hand. */
	snprintf(buf, size, "%s %-30s %*s -> %*s  %s", change->was_best ? "★" : " ",
		 change->contender, strstr(before, "µ") ? 9 : 8, before, strstr(after, "µ") ? 9 : 8,
		 after, advice_ratio(&change->ratio, "×", ratio, sizeof(ratio)));
}

static void print_change(void *ctx, const struct change *change)
{
	static const enum term_style styles[] = {
		[STATS_FASTER] = TERM_GREEN,
		[STATS_SLOWER] = TERM_RED,
		[STATS_TIE] = TERM_PLAIN,
		[STATS_INCONCLUSIVE] = TERM_DIM,
	};
	struct printer *p = ctx;
	char line[256], buf[256];

	if (!p->workload || strcmp(p->workload, change->workload) != 0)
		fprintf(p->out, "\n%s%s%s\n", term_style(p->out, TERM_BOLD), change->workload,
			term_style(p->out, TERM_PLAIN));
	p->workload = change->workload;
	p->nr++;
	change_words(change, line, sizeof(line));
	fprintf(p->out, "%s  %s%s%s\n", glyph_text(line, buf, sizeof(buf)),
		term_style(p->out, styles[change->verdict]), stats_verdict_word(change->verdict),
		term_style(p->out, TERM_PLAIN));
}

static void print_origin(FILE *out, const char *word, const struct jsonread *run)
{
	const struct jsonread *machine = jsonread_member(run, "machine");
	const char *kernel = jsonread_text(machine, "kernel");
	const char *fs = jsonread_text(machine, "file_system");
	const char *path = jsonread_text(run, "path");

	fprintf(out, "  %-7s %s on %s, %s\n", word, path ? path : "?", fs ? fs : "?",
		kernel ? kernel : "?");
}

bool compare_print(FILE *out, const struct jsonread *before, const struct jsonread *after)
{
	struct printer p = { .out = out };
	char star[8];
	bool worse;

	fprintf(out, "CPU per operation, later run against earlier one, [95 %% interval]\n");
	print_origin(out, "before", before);
	print_origin(out, "after", after);
	worse = each_change(before, after, print_change, &p);
	if (p.nr == 0)
		fprintf(out, "\nno contender ran in both\n");
	else if (worse)
		fprintf(out, "\na recommended contender (%s) takes more CPU than before\n",
			glyph_text("★", star, sizeof(star)));
	return worse;
}

/* -- for programs -------------------------------------------------------------------------- */

static void write_change(void *ctx, const struct change *change)
{
	struct json_writer *j = ctx;

	json_open_object(j, NULL);
	json_string(j, "workload", change->workload);
	json_string(j, "contender", change->contender);
	json_bool(j, "was_best", change->was_best);
	json_double(j, "before_cpu_ns_per_op", change->before_ns);
	json_double(j, "after_cpu_ns_per_op", change->after_ns);
	json_open_object(j, "ratio");
	json_double(j, "median", change->ratio.median);
	json_double(j, "low", change->ratio.low);
	json_double(j, "high", change->ratio.high);
	json_close_object(j);
	json_string(j, "verdict", stats_verdict_word(change->verdict));
	json_close_object(j);
}

int compare_json(FILE *out, const struct jsonread *before, const struct jsonread *after,
		 bool *ret_worse)
{
	struct json_writer j;

	json_begin(&j, out);
	json_open_object(&j, NULL);
	json_string(&j, "tool", "sluice bench --compare");
	json_uint(&j, "schema", SCHEMA);
	json_open_array(&j, "changes");
	*ret_worse = each_change(before, after, write_change, &j);
	json_close_array(&j);
	json_bool(&j, "worse", *ret_worse);
	json_close_object(&j);
	return json_end(&j);
}
