/* test_bench_latency.c: buckets are narrow; a percentile without samples beyond it is refused. */
#include <math.h>

#include "tests/support/harness.h"
#include "tools/bench/latency.h"

static struct latency histogram;

static void fill(unsigned nr)
{
	latency_reset(&histogram);
	for (unsigned i = 1; i <= nr; i++)
		latency_add(&histogram, i * 1000);
}

static void every_value_lands_in_a_bucket_that_is_near_it(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t ns = support_random(&random) >> (27 + i % 37);
		double middle = latency_bucket_ns(latency_index(ns));

		assert_true(latency_index(ns) < LATENCY_BUCKETS);
		assert_true(fabs(middle - (double)ns) <= 1 + (double)ns * 0.016);
	}
	assert_int_equal(latency_index(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void buckets_ascend_without_a_gap(void **state)
{
	(void)state;
	for (uint64_t ns = 1; ns < 300000; ns++)
		assert_in_range(latency_index(ns) - latency_index(ns - 1), 0, 1);
}

static void percentiles_of_an_even_spread_are_known(void **state)
{
	(void)state;
	fill(10000);
	assert_true(fabs(latency_percentile(&histogram, 0.5) / 5000e3 - 1) < 0.016);
	assert_true(fabs(latency_percentile(&histogram, 0.99) / 9900e3 - 1) < 0.016);
	assert_true(fabs(latency_percentile(&histogram, 0.999) / 9990e3 - 1) < 0.016);
	assert_int_equal(histogram.max_ns, 10000000);
}

static void a_percentile_needs_ten_samples_beyond_it(void **state)
{
	(void)state;
	fill(9999);
	assert_true(isnan(latency_percentile(&histogram, 0.999)));
	assert_false(isnan(latency_percentile(&histogram, 0.99)));
	fill(999);
	assert_true(isnan(latency_percentile(&histogram, 0.99)));
	assert_false(isnan(latency_percentile(&histogram, 0.5)));
	fill(20);
	assert_false(isnan(latency_percentile(&histogram, 0.5)));
	fill(19);
	assert_true(isnan(latency_percentile(&histogram, 0.5)));
	fill(0);
	assert_true(isnan(latency_percentile(&histogram, 0.5)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_value_lands_in_a_bucket_that_is_near_it),
		TEST(buckets_ascend_without_a_gap),
		TEST(percentiles_of_an_even_spread_are_known),
		TEST(a_percentile_needs_ten_samples_beyond_it),
	};

	return RUN_TESTS(tests);
}
