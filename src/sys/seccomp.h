/* SPDX-License-Identifier: MIT */
/* seccomp.h - seccomp(2): a filter whose chosen calls wait for a supervisor. */
#ifndef SL_SYS_SECCOMP_H
#define SL_SYS_SECCOMP_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/call.h"

/* What seccomp_data.arch is for calls of this program's own kind. */
#if defined(__x86_64__)
#define SL_SYS_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SL_SYS_AUDIT_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define SL_SYS_AUDIT_ARCH AUDIT_ARCH_RISCV64
#else
#define SL_SYS_AUDIT_ARCH 0 /* no call is taken to be its own */
#endif

/* Puts the calling thread, and all that it starts, under a filter. The supervisor's descriptor
 * (close on exec), or -errno: -EACCES without CAP_SYS_ADMIN or no_new_privs, -EBUSY when there
 * is a supervisor already, -EINVAL, -ENOSYS. */
static inline int sl_sys_seccomp_listen(const struct sock_fprog *filter)
{
	return (int)sl_sys_answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
					  SECCOMP_FILTER_FLAG_NEW_LISTENER, filter));
}

/* A call that waits; zeroed before. -ENOENT: its thread was killed meanwhile. */
static inline int sl_sys_seccomp_receive(int fd, struct seccomp_notif *notif)
{
	return (int)sl_sys_answer(ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, notif));
}

static inline int sl_sys_seccomp_answer(int fd, struct seccomp_notif_resp *answer)
{
	return (int)sl_sys_answer(ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, answer));
}

/* 0 while the call still waits: what was read of its memory was its own. */
static inline int sl_sys_seccomp_valid(int fd, uint64_t id)
{
	return (int)sl_sys_answer(ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
}

#endif
