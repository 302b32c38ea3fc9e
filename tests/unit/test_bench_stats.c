/* test_bench_stats.c: medians, intervals and verdicts on samples whose answer is known. */
#include <math.h>

#include "tests/support/harness.h"
#include "tools/bench/random.h"
#include "tools/bench/stats.h"

#define SEED 42

static double uniform(uint64_t *state)
{
	return (double)(random_next(state) >> 11) / 9007199254740992.0;
}

/* The sum of twelve uniform numbers is nearly normal with variance 1. */
static double normal(uint64_t *state)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += uniform(state);
	return sum - 6;
}

static void the_median_leaves_out_what_is_not_a_number(void **state)
{
	const double odd[] = { 3, NAN, 1, 2 }, even[] = { 4, 1, 3, 2 };

	(void)state;
	assert_true(stats_median(odd, 4) == 2);
	assert_true(stats_median(even, 4) == 2.5);
	assert_true(isnan(stats_median(odd, 0)));
	assert_true(stats_mad(even, 4) == 1);
}

static void the_interval_of_few_values_is_their_range(void **state)
{
	const double v[] = { 5, 1, 3 };
	struct stats_interval i = stats_bootstrap(v, 3, SEED);

	(void)state;
	assert_int_equal(i.nr, 3);
	assert_true(i.low == 1 && i.median == 3 && i.high == 5);
	assert_int_equal(stats_bootstrap(v, 0, SEED).nr, 0);
	assert_true(isnan(stats_bootstrap(v, 0, SEED).median));
}

static void the_same_seed_gives_the_same_interval(void **state)
{
	double v[20];
	uint64_t random = SEED;
	struct stats_interval a, b;

	(void)state;
	for (int i = 0; i < 20; i++)
		v[i] = normal(&random);
	a = stats_bootstrap(v, 20, 7);
	b = stats_bootstrap(v, 20, 7);
	assert_memory_equal(&a, &b, sizeof(a));
}

/* 300 samples of 15 rounds with a true ratio of 1.5: the interval must hold it about 95 times in
 * 100. */
static void the_interval_of_a_ratio_covers_the_truth(void **state)
{
	uint64_t random = SEED;
	int covered = 0;

	(void)state;
	for (int sample = 0; sample < 300; sample++) {
		double a[15], b[15];
		struct stats_interval i;

		for (int r = 0; r < 15; r++) {
			/* What disturbs a round disturbs both: the pairing takes it out. */
			double round = exp(0.5 * normal(&random));

			a[r] = 150 * round * exp(0.05 * normal(&random));
			b[r] = 100 * round * exp(0.05 * normal(&random));
		}
		i = stats_ratio(a, b, 15, random);
		assert_true(i.low <= i.median && i.median <= i.high);
		assert_true(i.high / i.low < 1.3);
		covered += i.low <= 1.5 && 1.5 <= i.high;
	}
	assert_in_range(covered, 264, 300);
}

static void a_ratio_turned_round_is_its_reciprocal(void **state)
{
	const double a[] = { 10, 12, 11, 13, NAN }, b[] = { 20, 22, 25, 21, 20 };
	struct stats_interval up = stats_ratio(a, b, 5, SEED), down = stats_ratio(b, a, 5, SEED);

	(void)state;
	assert_int_equal(up.nr, 4);
	assert_true(fabs(up.median * down.median - 1) < 1e-12);
	assert_true(fabs(up.low * down.high - 1) < 1e-12);
}

static void runs_without_common_rounds_are_compared_by_their_medians(void **state)
{
	const double a[] = { 20, 21, 19, 20, 20, 22, 18 }, b[] = { 10, 11, 9, 10, 10 };
	struct stats_interval i = stats_ratio_unpaired(a, 7, b, 5, SEED);

	(void)state;
	assert_true(fabs(i.median - 2) < 1e-12);
	assert_true(i.low > 1.5 && i.high < 2.6);
	assert_int_equal(stats_ratio_unpaired(a, 0, b, 5, SEED).nr, 0);
}

static void check_verdict(double low, double median, double high, size_t nr, const char *word)
{
	struct stats_interval i = { median, low, high, nr };

	assert_string_equal(stats_verdict_word(stats_verdict(&i)), word);
}

static void verdicts_say_no_more_than_the_interval(void **state)
{
	(void)state;
	check_verdict(1.20, 1.25, 1.30, 10, "slower");
	check_verdict(0.70, 0.75, 0.80, 10, "faster");
	check_verdict(0.98, 1.00, 1.02, 10, "tie");
	check_verdict(1.01, 1.02, 1.03, 10, "tie");
	check_verdict(1.01, 1.03, 1.05, 10, "slower");
	check_verdict(0.93, 1.00, 1.08, 10, "tie");
	check_verdict(0.85, 1.00, 1.08, 10, "inconclusive");
	check_verdict(0.98, 1.20, 1.60, 10, "inconclusive");
	check_verdict(1.20, 1.25, 1.30, STATS_ROUNDS_MIN - 1, "inconclusive");
	check_verdict(NAN, NAN, NAN, 0, "inconclusive");
}

static void a_round_that_all_suffered_in_is_marked(void **state)
{
	double a[10], b[10];
	const double *const both[] = { a, b };
	bool mark[10];

	(void)state;
	for (int r = 0; r < 10; r++) {
		a[r] = 100 + r % 3;
		b[r] = 200 + r % 2;
	}
	a[4] *= 3;
	b[4] *= 3;
	/* One of two suffering is no disturbance of the round. */
	a[7] *= 1.05;
	assert_int_equal(stats_disturbed(both, 2, 10, mark), 1);
	for (int r = 0; r < 10; r++)
		assert_int_equal(mark[r], r == 4);
}

static void too_many_disturbed_rounds_are_all_kept(void **state)
{
	double a[10];
	const double *const one[] = { a };
	bool mark[10];

	(void)state;
	for (int r = 0; r < 10; r++)
		a[r] = r < 6 ? 100 : 1000;
	assert_int_equal(stats_disturbed(one, 1, 10, mark), 0);
	for (int r = 0; r < 10; r++)
		assert_false(mark[r]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_median_leaves_out_what_is_not_a_number),
		TEST(the_interval_of_few_values_is_their_range),
		TEST(the_same_seed_gives_the_same_interval),
		TEST(the_interval_of_a_ratio_covers_the_truth),
		TEST(a_ratio_turned_round_is_its_reciprocal),
		TEST(runs_without_common_rounds_are_compared_by_their_medians),
		TEST(verdicts_say_no_more_than_the_interval),
		TEST(a_round_that_all_suffered_in_is_marked),
		TEST(too_many_disturbed_rounds_are_all_kept),
	};

	return RUN_TESTS(tests);
}
