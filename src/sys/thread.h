/* SPDX-License-Identifier: MIT */
/* thread.h - who this thread is, where it runs, and whether another one still lives. */
#ifndef SL_SYS_THREAD_H
#define SL_SYS_THREAD_H

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int sl_sys_gettid(void)
{
	return (int)syscall(SYS_gettid);
}

/* Whether a thread of this process exists: signal 0 asks and does nothing (tgkill(2)). */
static inline bool sl_sys_thread_alive(int tid)
{
	return !syscall(SYS_tgkill, getpid(), tid, 0) || errno != ESRCH;
}

/* The thread runs on this processor only; < 0: as before. */
static inline void sl_sys_keep_to_cpu(int cpu)
{
	cpu_set_t one;

	if (cpu < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

#endif
