/* test_bench_score.c: from made-up rounds to preference order, verdicts and sentences. */
#include <locale.h>
#include <math.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tools/bench/advice.h"
#include "tools/bench/field.h"
#include "tools/bench/glyph.h"
#include "tools/bench/random.h"

#define CONTENDERS 4
#define ROUNDS	   20

static const struct mechanism mechanisms[CONTENDERS] = {
	{ .name = "plain", .why = "it is plain", .unless = "it rains", .simplicity = 1 },
	{ .name = "clever", .why = "it is clever", .unless = "it snows", .simplicity = 9 },
	{ .name = "slow", .why = "it is slow", .unless = "never", .simplicity = 2 },
	{ .name = "liar", .why = "it lies", .unless = "never", .simplicity = 3 },
};

static struct latency latency;
static struct meter_cell cells[CONTENDERS][FIELD_ROUNDS_MAX];
static struct contender contenders[CONTENDERS];
static struct score scores[CONTENDERS];
static size_t order[CONTENDERS];
static struct field field;

/* Costs by contender, spread by @noise; what hits a round hits all of it. */
static void make_field(const double *cpu, const double *wall, double noise)
{
	uint64_t random = 11;

	memset(scores, 0, sizeof(scores));
	memset(contenders, 0, sizeof(contenders));
	field = (struct field){ .contenders = contenders,
				.scores = scores,
				.order = order,
				.nr = CONTENDERS,
				.rounds = ROUNDS };
	for (size_t i = 0; i < CONTENDERS; i++) {
		contenders[i] = (struct contender){ .mech = &mechanisms[i],
						    .work = &field.work,
						    .cells = cells[i],
						    .latency = &latency };
		strcpy(contenders[i].name, mechanisms[i].name);
	}
	for (size_t r = 0; r < ROUNDS; r++) {
		double round = 1 + (double)random_below(&random, 50) / 100;

		for (size_t i = 0; i < CONTENDERS; i++) {
			double own = 1 + noise * (double)random_below(&random, 100) / 100;

			cells[i][r].cpu_ns = cpu[i] * round * own;
			cells[i][r].wall_ns = wall[i] * round * own;
		}
	}
}

static void the_least_cpu_wins(void **state)
{
	const double cpu[] = { 200, 100, 300, 400 };
	struct advice a;

	(void)state;
	make_field(cpu, cpu, 0.02);
	field_score(&field, 1);
	assert_int_equal(field.best, 1);
	assert_int_equal(field.verdict, STATS_FASTER);
	assert_int_equal(scores[1].rank, 1);
	assert_int_equal(scores[0].rank, 2);
	assert_int_equal(scores[0].verdict, STATS_SLOWER);
	assert_true(fabs(scores[0].ratio.median - 2) < 0.05);
	assert_true(scores[1].ratio.median == 1);
	advice_give(&field, &a);
	assert_string_equal(a.choose, "clever");
	assert_non_null(strstr(a.because, "it is clever: plain takes "));
	assert_string_equal(a.but, "it snows");
	assert_string_equal(a.next, "");
}

static void among_equals_the_simplest_wins(void **state)
{
	const double cpu[] = { 101, 100, 300, 400 };
	struct advice a;

	(void)state;
	make_field(cpu, cpu, 0.001);
	field_score(&field, 1);
	assert_int_equal(field.best, 0);
	assert_int_equal(field.verdict, STATS_TIE);
	assert_int_equal(scores[1].verdict, STATS_TIE);
	advice_give(&field, &a);
	assert_non_null(strstr(a.because, "it is plain; on CPU it ties with clever, 0.9"));
}

static void among_equals_in_cpu_the_quicker_wins(void **state)
{
	const double cpu[] = { 100, 101, 300, 400 }, wall[] = { 1000, 500, 300, 400 };

	(void)state;
	make_field(cpu, wall, 0.001);
	field_score(&field, 1);
	assert_int_equal(field.best, 1);
}

static void who_is_quicker_for_more_cpu_is_named(void **state)
{
	const double cpu[] = { 100, 300, 300, 400 }, wall[] = { 1000, 100, 1000, 1000 };
	struct advice a;

	(void)state;
	make_field(cpu, wall, 0.001);
	field_score(&field, 1);
	assert_int_equal(field.best, 0);
	advice_give(&field, &a);
	assert_non_null(strstr(a.next, "clever when time counts more than CPU: 10.0"));
}

static void void_and_unavailable_are_never_ranked(void **state)
{
	const double cpu[] = { 200, 300, 400, 1 };
	char reason[256];

	(void)state;
	make_field(cpu, cpu, 0.02);
	contenders[3].status = CONTENDER_VOID;
	strcpy(contenders[3].reason, "it filled the page cache");
	contenders[1].status = CONTENDER_UNAVAILABLE;
	strcpy(contenders[1].reason, "the kernel lacks it");
	field_score(&field, 1);
	assert_int_equal(field.best, 0);
	assert_int_equal(scores[3].rank, 0);
	assert_int_equal(scores[1].rank, 0);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 3);
	assert_int_equal(order[3], 1);
	assert_string_equal(advice_reason(&field, 3, reason, sizeof(reason)),
			    "it filled the page cache");
}

static void who_was_dropped_early_is_not_recommended(void **state)
{
	const double cpu[] = { 200, 100, 300, 400 };

	(void)state;
	make_field(cpu, cpu, 0.02);
	contenders[1].dropped = true;
	for (size_t r = 4; r < ROUNDS; r++)
		cells[1][r].cpu_ns = cells[1][r].wall_ns = NAN;
	field_score(&field, 1);
	assert_int_equal(field.best, 0);
	assert_int_equal(scores[1].cpu_ns.nr, 4);
}

static void who_has_no_round_has_no_rank_but_a_reason(void **state)
{
	const double cpu[] = { 200, 100, 300, 400 };
	char reason[512];

	(void)state;
	make_field(cpu, cpu, 0.02);
	for (size_t r = 0; r < ROUNDS; r++)
		cells[1][r].cpu_ns = cells[1][r].wall_ns = NAN;
	field_score(&field, 1);
	assert_int_equal(field.best, 0);
	assert_int_equal(contenders[1].status, CONTENDER_RAN);
	assert_int_equal(scores[1].rank, 0);
	assert_string_equal(advice_reason(&field, 1, reason, sizeof(reason)),
			    "too few rounds for a rank: give more time");
}

/* The shortest run there is: four rounds, in one of which everybody suffered. */
static void make_short_field(void)
{
	const double cpu[] = { 100, 122, 7200, 300 };

	make_field(cpu, cpu, 0.02);
	field.rounds = STATS_ROUNDS_MIN;
	for (size_t i = 0; i < CONTENDERS; i++) {
		for (size_t r = 0; r < STATS_ROUNDS_MIN; r++) {
			double own = 1 + 0.01 * (double)((i + r) % 3);

			cells[i][r].cpu_ns = cells[i][r].wall_ns = cpu[i] * own * (r == 2 ? 5 : 1);
		}
	}
}

static void a_certain_loser_loses_though_one_round_of_four_was_disturbed(void **state)
{
	char reason[512];

	(void)state;
	make_short_field();
	field_score(&field, 1);
	assert_int_equal(field.nr_disturbed, 1);
	assert_true(field.disturbed[2]);
	assert_int_equal(field.best, 0);
	assert_int_equal(scores[1].verdict, STATS_SLOWER);
	assert_int_equal(scores[2].verdict, STATS_SLOWER);
	assert_int_equal(scores[2].ratio.nr, STATS_ROUNDS_MIN);
	assert_true(scores[2].ratio.low > 69 && scores[2].ratio.high < 75);
	assert_int_equal(field.verdict, STATS_FASTER);
	/* What a cost is in itself is told by the rounds that nothing disturbed. */
	assert_int_equal(scores[2].cpu_ns.nr, 3);
	assert_true(scores[2].cpu_ns.median < 7400);
	assert_non_null(strstr(advice_reason(&field, 2, reason, sizeof(reason)), "takes 7"));
	/* The runner scores again and again: a mark stays. */
	field_score(&field, 1);
	assert_int_equal(field.nr_disturbed, 1);
	assert_true(field.disturbed[2]);
}

/* The others go on; who was dropped after four rounds has three that nothing disturbed. */
static void who_was_dropped_after_a_disturbed_round_is_slower_all_the_same(void **state)
{
	const double cpu[] = { 100, 101, 130, 7200 };

	(void)state;
	make_field(cpu, cpu, 0.02);
	for (size_t r = 0; r < ROUNDS; r++) {
		for (size_t i = 0; i < CONTENDERS; i++) {
			double cost = cpu[i] * (1 + 0.01 * (double)((i + r) % 3));

			cells[i][r].cpu_ns = cells[i][r].wall_ns = cost * (r == 1 ? 5 : 1);
		}
	}
	contenders[3].dropped = true;
	for (size_t r = 4; r < ROUNDS; r++)
		cells[3][r].cpu_ns = cells[3][r].wall_ns = NAN;
	field_score(&field, 1);
	assert_true(field.disturbed[1]);
	assert_int_equal(scores[2].ratio.nr, ROUNDS - 1);
	assert_int_equal(scores[3].ratio.nr, 4);
	assert_int_equal(scores[3].verdict, STATS_SLOWER);
}

static void too_few_rounds_are_said_to_be_too_few(void **state)
{
	char reason[512];
	struct advice a;

	(void)state;
	make_short_field();
	for (size_t i = 1; i < CONTENDERS; i++)
		cells[i][0].cpu_ns = cells[i][0].wall_ns = NAN;
	field_score(&field, 1);
	assert_int_equal(scores[1].verdict, STATS_INCONCLUSIVE);
	assert_non_null(strstr(advice_reason(&field, 1, reason, sizeof(reason)),
			       "has too few rounds to be told apart, 1.2"));
	assert_non_null(strstr(reason, "give more time"));
	advice_give(&field, &a);
	assert_non_null(strstr(a.because, "too few rounds tell it apart from clever"));
}

static void noise_is_admitted(void **state)
{
	const double cpu[] = { 100, 110, 120, 130 };
	struct advice a;

	(void)state;
	make_field(cpu, cpu, 3);
	field_score(&field, 1);
	assert_int_equal(field.state, FIELD_TOO_NOISY);
	advice_give(&field, &a);
	assert_non_null(strstr(a.noise, "too noisy"));
	make_field(cpu, cpu, 0.01);
	field_score(&field, 1);
	assert_int_equal(field.state, FIELD_QUIET);
}

static void nobody_left_means_no_advice(void **state)
{
	const double cpu[] = { 1, 1, 1, 1 };
	struct advice a;

	(void)state;
	make_field(cpu, cpu, 0);
	for (size_t i = 0; i < CONTENDERS; i++)
		contenders[i].status = CONTENDER_UNAVAILABLE;
	field_score(&field, 1);
	assert_int_equal(field.best, -1);
	assert_int_equal(field_runner_up(&field), -1);
	advice_give(&field, &a);
	assert_string_equal(a.choose, "");
}

static void numbers_have_three_digits_and_a_unit(void **state)
{
	char buf[24];

	(void)state;
	assert_string_equal(advice_duration(623.4, buf), "623 ns");
	assert_string_equal(advice_duration(1016, buf), "1.02 µs");
	assert_string_equal(advice_duration(13577, buf), "13.6 µs");
	assert_string_equal(advice_duration(999.7e3, buf), "1.00 ms");
	assert_string_equal(advice_duration(2.5e9, buf), "2.50 s");
	assert_string_equal(advice_duration(NAN, buf), "-");
	assert_string_equal(advice_count(612, buf), "612");
	assert_string_equal(advice_count(1624000, buf), "1.62 M");
	assert_string_equal(advice_count(INFINITY, buf), "-");
}

static void ratios_fit_their_column(void **state)
{
	const struct stats_interval near = { 1.016, 0.984, 1.05, 9 };
	const struct stats_interval wide = { 4.93, 1.68, 104.77, 9 };
	const struct stats_interval huge = { 123456, 9999.4, 999999, 9 };
	char buf[64];

	(void)state;
	assert_string_equal(advice_ratio(&near, "", buf, sizeof(buf)), "1.02 [0.98–1.05]");
	assert_string_equal(advice_ratio(&wide, "×", buf, sizeof(buf)), "4.93× [1.68–105]");
	assert_string_equal(advice_ratio(&huge, "", buf, sizeof(buf)), "123k [9999–1000k]");
}

static void signs_are_those_of_the_locale(void **state)
{
	const char *text = "★ 1.02 µs 1.5× [0.9–2] · ±3 % é";
	char buf[64], tiny[4];

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_string_equal(glyph_text(text, buf, sizeof(buf)), "* 1.02 us 1.5x [0.9-2] - +-3 % é");
	assert_string_equal(glyph_text("abcdef", tiny, sizeof(tiny)), "abc");
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		SKIP("no locale C.UTF-8 here");
	assert_ptr_equal(glyph_text(text, buf, sizeof(buf)), text);
	setlocale(LC_CTYPE, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_least_cpu_wins),
		TEST(among_equals_the_simplest_wins),
		TEST(among_equals_in_cpu_the_quicker_wins),
		TEST(who_is_quicker_for_more_cpu_is_named),
		TEST(void_and_unavailable_are_never_ranked),
		TEST(who_was_dropped_early_is_not_recommended),
		TEST(who_has_no_round_has_no_rank_but_a_reason),
		TEST(a_certain_loser_loses_though_one_round_of_four_was_disturbed),
		TEST(who_was_dropped_after_a_disturbed_round_is_slower_all_the_same),
		TEST(too_few_rounds_are_said_to_be_too_few),
		TEST(noise_is_admitted),
		TEST(nobody_left_means_no_advice),
		TEST(numbers_have_three_digits_and_a_unit),
		TEST(ratios_fit_their_column),
		TEST(signs_are_those_of_the_locale),
	};

	return RUN_TESTS(tests);
}
