/* SPDX-License-Identifier: MIT */
/* clock.h - the time that deadlines are on, and sleeping for some of it. */
#ifndef SL_SYS_CLOCK_H
#define SL_SYS_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t sl_sys_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sleeps about that long, less after a signal. */
static inline void sl_sys_sleep_ns(int64_t ns)
{
	const struct timespec pause = { ns / 1000000000, ns % 1000000000 };

	nanosleep(&pause, NULL);
}

#endif
