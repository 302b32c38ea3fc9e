/* SPDX-License-Identifier: MIT */
/* name.h - system calls on names: openat2, statx and the *at family. */
#ifndef SL_SYS_NAME_H
#define SL_SYS_NAME_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/call.h"

/* struct open_how of openat2(2), Linux 5.6. */
struct sl_sys_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

/* RESOLVE_CACHED, Linux 5.12: -EAGAIN instead of going to the disk. */
#define SL_SYS_RESOLVE_CACHED 0x20

static inline int sl_sys_openat2(int dirfd, const char *path, const struct sl_sys_open_how *how)
{
	return (int)sl_sys_answer(syscall(SYS_openat2, dirfd, path, how, sizeof(*how)));
}

/* statx(2) into the caller's struct statx, whatever its age. */
static inline int sl_sys_statx_raw(int dirfd, const char *path, int flags, unsigned mask, void *ret)
{
	return (int)sl_sys_answer(syscall(SYS_statx, dirfd, path, flags, mask, ret));
}

static inline int sl_sys_linkat(int dirfd, const char *source, int target_dirfd, const char *target,
				unsigned flags)
{
	return (int)sl_sys_answer(linkat(dirfd, source, target_dirfd, target, (int)flags));
}

static inline int sl_sys_symlinkat(const char *target, int dirfd, const char *path)
{
	return (int)sl_sys_answer(symlinkat(target, dirfd, path));
}

static inline int sl_sys_renameat2(int dirfd, const char *source, int target_dirfd,
				   const char *target, unsigned flags)
{
	return (int)sl_sys_answer(
		syscall(SYS_renameat2, dirfd, source, target_dirfd, target, flags));
}

static inline int sl_sys_unlinkat(int dirfd, const char *path, int flags)
{
	return (int)sl_sys_answer(unlinkat(dirfd, path, flags));
}

static inline int sl_sys_mkdirat(int dirfd, const char *path, unsigned mode)
{
	return (int)sl_sys_answer(mkdirat(dirfd, path, mode));
}

#endif
