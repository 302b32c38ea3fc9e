/* SPDX-License-Identifier: MIT */
/* thread.h - who this thread is, and whether another one still lives. */
#ifndef SL_SYS_THREAD_H
#define SL_SYS_THREAD_H

#include <errno.h>
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

#endif
