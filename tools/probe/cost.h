/* What one call costs: the median of a few samples, good for "about", never for a benchmark. */
#ifndef PROBE_COST_H
#define PROBE_COST_H

#include <stdint.h>

/* More samples than this are refused (they would make the probe slow, not better). */
#define COST_SAMPLES_MAX 31

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t cost_now_ns(void);

/*
 * Median nanoseconds of `samples` calls of step(ctx), or 0 as soon as one
 * returns < 0 (its value then goes to *ret_err, when ret_err is not NULL).
 */
uint64_t cost_median_ns(unsigned samples, int64_t *ret_err, int64_t (*step)(void *ctx), void *ctx);

#endif
