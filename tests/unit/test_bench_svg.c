/* test_bench_svg.c: charts put values where they belong and escape every name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tools/bench/svg.h"

static char *text;
static size_t len;

static FILE *open_page(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &len);
}

static const struct svg_frame frame = {
	.title = "a <title>",
	.about = "for \"readers\" & others",
	.x_label = "x",
	.y_label = "y",
	.x_unit = SVG_DURATION,
	.y_unit = SVG_DURATION,
};

static double attribute(const char *from, const char *name)
{
	const char *at = strstr(from, name);

	assert_non_null(at);
	return strtod(at + strlen(name), NULL);
}

static void names_are_escaped(void **state)
{
	const struct svg_value v = { "<b>&\"", 100, 90, 110, true };
	FILE *out = open_page();

	(void)state;
	svg_values(out, &frame, &v, 1);
	fclose(out);
	assert_non_null(strstr(text, "&lt;b&gt;&amp;&quot;"));
	assert_non_null(strstr(text, "a &lt;title&gt;"));
	assert_null(strstr(text, "<b>"));
	assert_non_null(strstr(text, "<desc>for &quot;readers&quot; &amp; others</desc>"));
}

static void a_larger_value_lies_further_right_inside_its_whiskers(void **state)
{
	const struct svg_value v[] = { { "small", 100, 90, 120, true },
				       { "large", 5000, 4000, 6000, false } };
	FILE *out = open_page();
	const char *second;
	double low;

	(void)state;
	svg_values(out, &frame, v, 2);
	fclose(out);
	second = strstr(text, "<title>large");
	assert_non_null(second);
	assert_true(attribute(second, "cx=\"") > attribute(strstr(text, "<title>small"), "cx=\""));
	low = attribute(second, "<path d=\"M");
	assert_true(low < attribute(second, "cx=\""));
	assert_true(attribute(second, "cx=\"") < 640);
}

static void lines_carry_their_points_labels_and_legend(void **state)
{
	struct svg_line line = { .name = "io_uring",
				 .point = { { 1000, 50000, "1" }, { 9000, 90000, "32" } },
				 .nr = 2 };
	struct svg_frame rate = frame;
	FILE *out = open_page();
	int circles = 0;

	(void)state;
	rate.x_unit = SVG_RATE;
	svg_lines(out, &rate, &line, 1, 0);
	fclose(out);
	for (const char *at = text; (at = strstr(at, "<circle")); at++)
		circles++;
	assert_int_equal(circles, 2);
	assert_non_null(strstr(text, ">32</text>"));
	assert_non_null(strstr(text, "<li><span class=\"swatch k0\"></span>io_uring</li>"));
}

static void sizes_are_ticks_and_colours_come_again_dashed(void **state)
{
	struct svg_line lines[SVG_COLOURS + 1];
	struct svg_frame sizes = frame;
	FILE *out = open_page();

	(void)state;
	sizes.x_unit = SVG_BYTES;
	for (size_t i = 0; i < SVG_COLOURS + 1; i++)
		lines[i] = (struct svg_line){ .name = "way",
					      .point = { { 1 << 10, 5000, "" },
							 { 16 << 20, 100, "" } },
					      .nr = 2 };
	svg_lines(out, &sizes, lines, SVG_COLOURS + 1, 0);
	fclose(out);
	assert_non_null(strstr(text, ">1 KiB</text>"));
	assert_non_null(strstr(text, ">256 KiB</text>"));
	assert_non_null(strstr(text, ">16 MiB</text>"));
	assert_null(strstr(text, ">64 MiB</text>"));
	assert_non_null(strstr(text, "line k0 again"));
	assert_non_null(strstr(text, "swatch k0 again"));
}

static void odd_ranges_draw_no_nonsense(void **state)
{
	const struct svg_value same = { "same", 100, 100, 100, true };
	const struct svg_line dot = { .name = "dot", .point = { { 0.3, 1000, "" } }, .nr = 1 };
	struct svg_frame nines = frame;
	FILE *out = open_page();

	(void)state;
	nines.x_unit = SVG_NINES;
	svg_values(out, &frame, &same, 1);
	svg_lines(out, &nines, &dot, 1, 0);
	fclose(out);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	assert_non_null(strstr(text, "p90"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_are_escaped),
		TEST(a_larger_value_lies_further_right_inside_its_whiskers),
		TEST(lines_carry_their_points_labels_and_legend),
		TEST(sizes_are_ticks_and_colours_come_again_dashed),
		TEST(odd_ranges_draw_no_nonsense),
	};
	int code = RUN_TESTS(tests);

	free(text);
	return code;
}
