/* stats.h: what a handful of noisy rounds allows one to say: medians, intervals, verdicts. */
#ifndef SLUICE_TOOLS_BENCH_STATS_H
#define SLUICE_TOOLS_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer rounds than this decide nothing: the verdict is inconclusive. */
#define STATS_ROUNDS_MIN 4

/**
 * struct stats_interval - an estimate and its 95 % interval.
 *
 * @nr counts the rounds behind it; with 0 rounds the three numbers are NaN.
 */
struct stats_interval {
	double median;
	double low;
	double high;
	size_t nr;
};

enum stats_verdict {
	STATS_FASTER,
	STATS_SLOWER,
	STATS_TIE,
	STATS_INCONCLUSIVE,
};

/**
 * stats_median - the median of a sample; NaN entries are left out.
 * @v: borrowed.
 * @nr: entries of @v.
 *
 * Return: the median, the mean of the middle two for an even count, NaN for an empty sample.
 */
double stats_median(const double *v, size_t nr);

/**
 * stats_mad - the median absolute deviation from the median.
 * @v: borrowed; NaN entries are left out.
 * @nr: entries of @v.
 *
 * Return: the deviation in @v's unit, NaN for an empty sample.
 */
double stats_mad(const double *v, size_t nr);

/**
 * stats_bootstrap - the median of a sample with its 95 % bootstrap interval.
 * @v: borrowed; NaN entries are left out.
 * @nr: entries of @v.
 * @seed: of the resampling.
 *
 * The percentile bootstrap (Efron 1979) of the median, 1,000 resamples. Below six
 * values resampling under-covers, so the interval is the whole range, which holds
 * the true median with probability 1 - 2^(1 - nr).
 *
 * Return: the interval.
 */
struct stats_interval stats_bootstrap(const double *v, size_t nr, uint64_t seed);

/**
 * stats_ratio - how many times @a costs what @b costs, paired by round.
 * @a: cost per round; NaN where the round has no value.
 * @b: cost per round of the baseline, same rounds.
 * @nr: rounds.
 * @seed: of the resampling.
 *
 * Works on log ratios, so that a/b and b/a give mirrored intervals.
 *
 * Return: the interval of the ratio.
 */
struct stats_interval stats_ratio(const double *a, const double *b, size_t nr, uint64_t seed);

/**
 * stats_ratio_unpaired - the ratio of the medians of two runs that share no rounds.
 * @a: cost per round of one run.
 * @nr_a: entries of @a.
 * @b: cost per round of the other, the baseline.
 * @nr_b: entries of @b.
 * @seed: of the resampling.
 *
 * Return: the interval of the ratio.
 */
struct stats_interval stats_ratio_unpaired(const double *a, size_t nr_a, const double *b,
					   size_t nr_b, uint64_t seed);

/**
 * stats_verdict - put a cost ratio into a word.
 * @ratio: cost of the contender over cost of the baseline.
 *
 * Tie: the interval lies in 0.97..1.03, or spans 1 and lies in 0.9..1.1. Else slower or
 * faster when it lies wholly on one side of 1, else inconclusive; inconclusive too with
 * fewer than STATS_ROUNDS_MIN rounds.
 *
 * Return: the verdict on the contender.
 */
enum stats_verdict stats_verdict(const struct stats_interval *ratio);

/**
 * stats_verdict_word - the word for a verdict.
 * @verdict: any value of the enum.
 *
 * Return: "faster", "slower", "tie" or "inconclusive"; static.
 */
const char *stats_verdict_word(enum stats_verdict verdict);

/**
 * stats_spread - half the width of an interval, relative to its median.
 * @interval: borrowed.
 *
 * Return: 0.05 for plus or minus 5 %, NaN for an empty one.
 */
double stats_spread(const struct stats_interval *interval);

/**
 * stats_disturbed - mark rounds that something else on the machine disturbed.
 * @cost: nr_series rows of nr values; NaN where a series has no value in a round.
 * @nr_series: rows.
 * @nr: rounds.
 * @ret_mark: nr flags, written.
 *
 * A round's disturbance is the median over the series of log(cost / own median):
 * what all of them suffered together. A round is marked when it lies more than three
 * scaled MADs and more than 10 % above the middle round.
 *
 * Return: how many rounds are marked; none are when more than 30 % would be.
 */
size_t stats_disturbed(const double *const *cost, size_t nr_series, size_t nr, bool *ret_mark);

#endif
