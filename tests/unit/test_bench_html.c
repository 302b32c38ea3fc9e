/* test_bench_html.c: the page's charts are all there, each with the lines that matter. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tools/bench/report.h"

#define MECHANISMS 20
#define PLAIN	   16
#define DEPTHS	   2
#define ROUNDS	   8

#define DEPTH_CHART	 "Latency against throughput, by queue depth"
#define PERCENTILE_CHART "Latency percentiles"
#define CPU_CHART	 "CPU time per operation"

/* Sixteen ways of the kernel's, then four of libsluice's, which cost more. */
static struct mechanism mechanisms[MECHANISMS];
static char mech_names[MECHANISMS][24];

static struct latency latency;
static struct meter_cell cells[MECHANISMS * DEPTHS][FIELD_ROUNDS_MAX];
static struct contender contenders[MECHANISMS * DEPTHS];
static struct score scores[MECHANISMS * DEPTHS];
static size_t order[MECHANISMS * DEPTHS];
static struct field field;
static char *page;

static void name_mechanisms(void)
{
	for (int i = 0; i < MECHANISMS; i++) {
		snprintf(mech_names[i], sizeof(mech_names[i]),
			 i < PLAIN ? "way%02d" : "sluice:%02d", i);
		mechanisms[i] = (struct mechanism){ .name = mech_names[i],
						    .about = "about",
						    .why = "why",
						    .unless = "unless",
						    .queued = true };
	}
}

static void add(size_t mech, unsigned depth)
{
	size_t idx = field.nr++;
	struct contender *c = &contenders[idx];

	*c = (struct contender){ .mech = &mechanisms[mech],
				 .work = &field.work,
				 .mode = MODE_BUFFERED,
				 .depth = depth,
				 .cells = cells[idx],
				 .latency = &latency };
	snprintf(c->name, sizeof(c->name), "%s x%u", mechanisms[mech].name, depth);
	for (size_t r = 0; r < ROUNDS; r++)
		cells[idx][r].cpu_ns = cells[idx][r].wall_ns =
			1000.0 + 100.0 * (double)idx + (double)(r % 3);
}

/* The page of a workload with these mechanisms at two depths each; the first is the best. */
static const char *page_of(size_t first, size_t nr)
{
	struct report report = { .path = "here", .command = "sluice bench", .fields = &field };
	FILE *out;
	size_t len;

	name_mechanisms();
	memset(&latency, 0, sizeof(latency));
	for (uint64_t i = 0; i < 2000; i++)
		latency_add(&latency, 1000 + i);
	field = (struct field){ .contenders = contenders,
				.scores = scores,
				.order = order,
				.rounds = ROUNDS,
				.work = { .name = "work", .title = "the work" } };
	for (size_t i = 0; i < nr; i++) {
		add(first + i, 1);
		add(first + i, 32);
	}
	field_score(&field, 1);
	report.nr = 1;
	free(page);
	out = open_memstream(&page, &len);
	assert_non_null(out);
	assert_int_equal(bench_report_html(out, &report), 0);
	fclose(out);
	return page;
}

/* The figure of a chart, cut out of the page. */
static const char *chart(const char *title)
{
	static char figure[200000];
	char caption[128];
	const char *begin, *end;

	snprintf(caption, sizeof(caption), "<figcaption>%s</figcaption>", title);
	begin = strstr(page, caption);
	assert_non_null(begin);
	end = strstr(begin, "</figure>");
	assert_non_null(end);
	assert_true((size_t)(end - begin) < sizeof(figure));
	snprintf(figure, sizeof(figure), "%.*s", (int)(end - begin), begin);
	return figure;
}

static int count(const char *text, const char *word)
{
	int nr = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		nr++;
	return nr;
}

static bool in_legend(const char *figure, const char *name)
{
	char entry[96];

	snprintf(entry, sizeof(entry), "</span>%s</li>", name);
	return strstr(figure, entry) != NULL;
}

static void every_chart_is_there_with_every_line(void **state)
{
	const char *figure;

	(void)state;
	page_of(14, 4);
	figure = chart(CPU_CHART);
	for (size_t i = 0; i < field.nr; i++)
		assert_int_equal(count(figure, contenders[i].name), 2);
	figure = chart(DEPTH_CHART);
	assert_int_equal(count(figure, "class=\"line "), 4);
	assert_int_equal(count(figure, "<circle"), 8);
	assert_int_equal(count(figure, ">32</text>"), 4);
	for (size_t i = 14; i < 18; i++)
		assert_true(in_legend(figure, mechanisms[i].name));
	figure = chart(PERCENTILE_CHART);
	assert_int_equal(count(figure, "class=\"line "), 8);
	for (size_t i = 0; i < field.nr; i++)
		assert_true(in_legend(figure, contenders[i].name));
	assert_null(strstr(page, "not drawn"));
}

static void the_median_is_called_p50(void **state)
{
	const char *figure;

	(void)state;
	page_of(0, 1);
	figure = chart(PERCENTILE_CHART);
	assert_int_equal(count(figure, "way00 x1: p50, "), 1);
	assert_int_equal(count(figure, "way00 x1: p90, "), 1);
	assert_int_equal(count(figure, "way00 x1: p99, "), 1);
	assert_int_equal(count(figure, ": p"), 6);
}

static void with_too_many_lines_the_best_and_sluices_stay(void **state)
{
	const char *figure;

	(void)state;
	page_of(0, MECHANISMS);
	assert_int_equal(field.best, 0);
	figure = chart(DEPTH_CHART);
	assert_int_equal(count(figure, "class=\"line "), 16);
	assert_true(in_legend(figure, "way00"));
	assert_true(in_legend(figure, "way11"));
	assert_false(in_legend(figure, "way12"));
	for (size_t i = PLAIN; i < MECHANISMS; i++)
		assert_true(in_legend(figure, mechanisms[i].name));
	assert_non_null(strstr(figure, "<li>and 4 more, not drawn</li>"));
	assert_non_null(strstr(figure, "4 are not drawn: see the table.</desc>"));
	figure = chart(PERCENTILE_CHART);
	assert_true(in_legend(figure, "way00 x1"));
	assert_true(in_legend(figure, "sluice:19 x1"));
	assert_false(in_legend(figure, "way00 x32"));
	assert_non_null(strstr(figure, "<li>and 24 more, not drawn</li>"));
	assert_int_equal(count(chart(CPU_CHART), "class=\"dot"), MECHANISMS * DEPTHS);
}

static void who_counts_kernel_threads_is_said_with_its_limit(void **state)
{
	(void)state;
	page_of(0, 1);
	assert_non_null(strstr(page,
			       "The threads that io_uring makes are counted, the kernel's own "
			       "(write-back, for one) are not."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_chart_is_there_with_every_line),
		TEST(the_median_is_called_p50),
		TEST(with_too_many_lines_the_best_and_sluices_stay),
		TEST(who_counts_kernel_threads_is_said_with_its_limit),
	};
	int code = RUN_TESTS(tests);

	free(page);
	return code;
}
