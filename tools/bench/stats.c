/* stats.c: medians, bootstrap intervals of paired ratios, and the words for them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "stats.h"

/* More rounds than this add nothing to a median; the arrays below stay on the stack. */
#define ROUNDS_MAX  1024
#define RESAMPLES   1000
#define RANGE_BELOW 6

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static size_t copy_numbers(const double *v, size_t nr, double *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < nr && kept < ROUNDS_MAX; i++)
		if (!isnan(v[i]))
			ret[kept++] = v[i];
	return kept;
}

static double median_of_sorted(const double *v, size_t nr)
{
	if (nr == 0)
		return NAN;
	return nr % 2 ? v[nr / 2] : (v[nr / 2 - 1] + v[nr / 2]) / 2;
}

static double median_in_place(double *v, size_t nr)
{
	qsort(v, nr, sizeof(*v), compare_doubles);
	return median_of_sorted(v, nr);
}

static double resampled_median(const double *v, size_t nr, uint64_t *state)
{
	double draw[ROUNDS_MAX];

	for (size_t i = 0; i < nr; i++)
		draw[i] = v[random_below(state, nr)];
	return median_in_place(draw, nr);
}

static void interval_of_resamples(double *medians, struct stats_interval *ret)
{
	qsort(medians, RESAMPLES, sizeof(*medians), compare_doubles);
	ret->low = medians[RESAMPLES * 25 / 1000];
	ret->high = medians[RESAMPLES * 975 / 1000 - 1];
}

static struct stats_interval interval_exp(struct stats_interval log_interval)
{
	log_interval.median = exp(log_interval.median);
	log_interval.low = exp(log_interval.low);
	log_interval.high = exp(log_interval.high);
	return log_interval;
}

double stats_median(const double *v, size_t nr)
{
	double copy[ROUNDS_MAX];

	nr = copy_numbers(v, nr, copy);
	return median_in_place(copy, nr);
}

double stats_mad(const double *v, size_t nr)
{
	double copy[ROUNDS_MAX], middle;

	nr = copy_numbers(v, nr, copy);
	middle = median_in_place(copy, nr);
	for (size_t i = 0; i < nr; i++)
		copy[i] = fabs(copy[i] - middle);
	return median_in_place(copy, nr);
}

struct stats_interval stats_bootstrap(const double *v, size_t nr, uint64_t seed)
{
	double sorted[ROUNDS_MAX], medians[RESAMPLES];
	struct stats_interval ret = { NAN, NAN, NAN, 0 };

	nr = copy_numbers(v, nr, sorted);
	if (nr == 0)
		return ret;
	ret.nr = nr;
	ret.median = median_in_place(sorted, nr);
	ret.low = sorted[0];
	ret.high = sorted[nr - 1];
	if (nr < RANGE_BELOW)
		return ret;
	for (size_t i = 0; i < RESAMPLES; i++)
		medians[i] = resampled_median(sorted, nr, &seed);
	interval_of_resamples(medians, &ret);
	return ret;
}

struct stats_interval stats_ratio(const double *a, const double *b, size_t nr, uint64_t seed)
{
	double logs[ROUNDS_MAX];

	if (nr > ROUNDS_MAX)
		nr = ROUNDS_MAX;
	for (size_t i = 0; i < nr; i++)
		logs[i] = a[i] > 0 && b[i] > 0 ? log(a[i] / b[i]) : NAN;
	return interval_exp(stats_bootstrap(logs, nr, seed));
}

struct stats_interval stats_ratio_unpaired(const double *a, size_t nr_a, const double *b,
					   size_t nr_b, uint64_t seed)
{
	double one[ROUNDS_MAX], other[ROUNDS_MAX], logs[RESAMPLES];
	struct stats_interval ret = { NAN, NAN, NAN, 0 };

	nr_a = copy_numbers(a, nr_a, one);
	nr_b = copy_numbers(b, nr_b, other);
	if (nr_a == 0 || nr_b == 0)
		return ret;
	ret.nr = nr_a < nr_b ? nr_a : nr_b;
	ret.median = log(stats_median(one, nr_a) / stats_median(other, nr_b));
	for (size_t i = 0; i < RESAMPLES; i++)
		logs[i] = log(resampled_median(one, nr_a, &seed) /
			      resampled_median(other, nr_b, &seed));
	interval_of_resamples(logs, &ret);
	return interval_exp(ret);
}

enum stats_verdict stats_verdict(const struct stats_interval *ratio)
{
	if (ratio->nr < STATS_ROUNDS_MIN || isnan(ratio->median))
		return STATS_INCONCLUSIVE;
	if (ratio->low >= 0.97 && ratio->high <= 1.03)
		return STATS_TIE;
	if (ratio->low > 1)
		return STATS_SLOWER;
	if (ratio->high < 1)
		return STATS_FASTER;
	return ratio->low >= 0.9 && ratio->high <= 1.1 ? STATS_TIE : STATS_INCONCLUSIVE;
}

const char *stats_verdict_word(enum stats_verdict verdict)
{
	static const char *const words[] = {
		[STATS_FASTER] = "faster",
		[STATS_SLOWER] = "slower",
		[STATS_TIE] = "tie",
		[STATS_INCONCLUSIVE] = "inconclusive",
	};

	return words[verdict];
}

double stats_spread(const struct stats_interval *interval)
{
	return (interval->high - interval->low) / 2 / interval->median;
}

/* What all series suffered together in one round. */
static double disturbance(const double *const *cost, const double *middle, size_t nr_series,
			  size_t round)
{
	double logs[ROUNDS_MAX];
	size_t nr = nr_series < ROUNDS_MAX ? nr_series : ROUNDS_MAX;

	for (size_t s = 0; s < nr; s++)
		logs[s] = cost[s][round] > 0 ? log(cost[s][round] / middle[s]) : NAN;
	return stats_median(logs, nr);
}

size_t stats_disturbed(const double *const *cost, size_t nr_series, size_t nr, bool *ret_mark)
{
	double middle[ROUNDS_MAX], shift[ROUNDS_MAX], limit;
	size_t marked = 0;

	memset(ret_mark, 0, nr * sizeof(*ret_mark));
	if (nr > ROUNDS_MAX || nr_series > ROUNDS_MAX || nr < STATS_ROUNDS_MIN)
		return 0;
	for (size_t s = 0; s < nr_series; s++)
		middle[s] = stats_median(cost[s], nr);
	for (size_t r = 0; r < nr; r++)
		shift[r] = disturbance(cost, middle, nr_series, r);
	limit = stats_median(shift, nr) + fmax(3 * 1.4826 * stats_mad(shift, nr), log(1.1));
	for (size_t r = 0; r < nr; r++)
		marked += ret_mark[r] = shift[r] > limit;
	if (marked * 10 <= nr * 3)
		return marked;
	memset(ret_mark, 0, nr * sizeof(*ret_mark));
	return 0;
}
