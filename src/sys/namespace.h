/* SPDX-License-Identifier: MIT */
/* namespace.h - clone(2) as fork(2) with namespaces, safe in a process with threads. */
#ifndef SL_SYS_NAMESPACE_H
#define SL_SYS_NAMESPACE_H

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/call.h"

/* A child as of fork(2) in new namespaces (CLONE_NEW...; 0: none). No handlers of
 * pthread_atfork(3) run: until it execs the child may only do what a signal handler may.
 * The pid, 0 in the child, -errno: -EPERM where namespaces are refused, -ENOSPC where there
 * are too many, -EINVAL where the kernel has none. */
static inline int64_t sl_sys_fork_into(int namespaces)
{
	return sl_sys_answer(syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0));
}

/* The same without namespaces, of a child whose end is told by no signal: wait(2) sees it with
 * __WALL or __WCLONE alone (waitpid(2)). */
static inline int64_t sl_sys_fork_unwaited(void)
{
	return sl_sys_answer(syscall(SYS_clone, 0, 0, 0, 0, 0));
}

#endif
