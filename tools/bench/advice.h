/* advice.h: numbers put into sentences: what to use, why, when not. */
#ifndef SLUICE_TOOLS_BENCH_ADVICE_H
#define SLUICE_TOOLS_BENCH_ADVICE_H

#include "field.h"

/**
 * struct advice - what a field says to whoever has this workload.
 *
 * @choose: the recommended contender's name, "" when there is none.
 * @because, @but: sentences without a full stop.
 * @next: who is certainly faster by the wall clock, at what cost; "" when nobody is.
 * @noise: how far the numbers can be trusted.
 */
struct advice {
	char choose[64];
	char because[320];
	char but[320];
	char next[320];
	char noise[320];
};

/**
 * advice_give - draw up the advice of a field.
 * @f: scored.
 * @ret: written.
 */
void advice_give(const struct field *f, struct advice *ret);

/**
 * advice_reason - one sentence on one contender.
 * @f: scored.
 * @idx: the contender.
 * @buf: written.
 * @size: of @buf.
 *
 * Return: @buf.
 */
const char *advice_reason(const struct field *f, size_t idx, char *buf, size_t size);

/**
 * advice_duration - "623 ns", "1.02 us", "13.4 ms" with three digits; "-" for NaN.
 * @ns: nanoseconds.
 * @buf: at least 24 bytes; written, UTF-8.
 *
 * Return: @buf.
 */
const char *advice_duration(double ns, char *buf);

/**
 * advice_count - "612", "1.62 M": three digits; "-" for NaN.
 * @v: a rate.
 * @buf: at least 24 bytes; written.
 *
 * Return: @buf.
 */
const char *advice_count(double v, char *buf);

/**
 * advice_per_gb - "0.098", "5.31", "12.4": CPU seconds for each 10^9 bytes; "-" for NaN.
 * @ns: CPU time of an operation.
 * @bytes: that it moved.
 * @buf: at least 24 bytes; written.
 *
 * Return: @buf.
 */
const char *advice_per_gb(double ns, uint64_t bytes, char *buf);

/**
 * advice_ratio - "1.02 [0.98-1.05]", "57.1 [49.9-105]": three digits each.
 * @r: borrowed.
 * @sign: what follows the median, "" or "×".
 * @buf: written, UTF-8.
 * @size: of @buf; 32 hold any ratio below a million in 18 columns.
 *
 * Return: @buf.
 */
const char *advice_ratio(const struct stats_interval *r, const char *sign, char *buf, size_t size);

#endif
