/* clock.h: the two clocks of a measurement. */
#ifndef SLUICE_TOOLS_BENCH_CLOCK_H
#define SLUICE_TOOLS_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

/**
 * clock_read_ns - read a clock.
 * @clock: CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID or a thread's.
 *
 * Return: nanoseconds.
 */
static inline uint64_t clock_read_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* clock_now_ns - the wall clock; about 21 ns a read. */
static inline uint64_t clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

#endif
