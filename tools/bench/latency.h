/* latency.h: a histogram of nanoseconds, 64 buckets per power of two: at most 1.6 % off. */
#ifndef SLUICE_TOOLS_BENCH_LATENCY_H
#define SLUICE_TOOLS_BENCH_LATENCY_H

#include <stdint.h>

#define LATENCY_SUB_BITS 6
#define LATENCY_SUB	 (1u << LATENCY_SUB_BITS)
/* Longer than 2^37 ns (137 s) counts as 2^37 ns. */
#define LATENCY_MAX_BITS 37
#define LATENCY_BUCKETS	 ((LATENCY_MAX_BITS - LATENCY_SUB_BITS + 1) * LATENCY_SUB)

/* Zeroed memory is an empty histogram. */
struct latency {
	uint64_t count;
	uint64_t max_ns;
	uint32_t bucket[LATENCY_BUCKETS];
};

/**
 * latency_index - the bucket of a value.
 * @ns: any value.
 *
 * Values below 64 have a bucket each; above, the top seven bits choose it.
 *
 * Return: 0..LATENCY_BUCKETS-1.
 */
static inline unsigned latency_index(uint64_t ns)
{
	unsigned top;

	if (ns < LATENCY_SUB)
		return (unsigned)ns;
	if (ns >> LATENCY_MAX_BITS)
		return LATENCY_BUCKETS - 1;
	top = 63 - (unsigned)__builtin_clzll(ns);
	return (top - LATENCY_SUB_BITS + 1) * LATENCY_SUB +
	       (unsigned)((ns >> (top - LATENCY_SUB_BITS)) & (LATENCY_SUB - 1));
}

/**
 * latency_add - count one value.
 * @l: the histogram.
 * @ns: the value.
 */
static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->bucket[latency_index(ns)]++;
	l->count++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

/**
 * latency_bucket_ns - the middle of a bucket.
 * @idx: 0..LATENCY_BUCKETS-1.
 *
 * Return: nanoseconds.
 */
double latency_bucket_ns(unsigned idx);

/**
 * latency_percentile - the value below which a share of the samples lies.
 * @l: borrowed.
 * @share: 0.5 for the median, 0.999 for p99.9; above 0 and below 1.
 *
 * A percentile is given only when at least ten samples lie beyond it (20 samples for
 * p50, 1,000 for p99, 10,000 for p99.9): fewer say nothing about the tail.
 *
 * Return: nanoseconds, or NaN with too few samples.
 */
double latency_percentile(const struct latency *l, double share);

/**
 * latency_reset - forget every sample.
 * @l: the histogram.
 */
void latency_reset(struct latency *l);

#endif
