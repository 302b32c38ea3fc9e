/* SPDX-License-Identifier: MIT */
/* fd.h - system calls on an open descriptor: status flags, size, sync, space, locks, attributes. */
#ifndef SL_SYS_FD_H
#define SL_SYS_FD_H

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sys/call.h"

/* F_GETFL: O_DIRECT, O_NONBLOCK, O_APPEND and the access mode. */
static inline int sl_sys_get_status(int fd)
{
	return (int)sl_sys_answer(fcntl(fd, F_GETFL));
}

static inline int sl_sys_set_status(int fd, int flags)
{
	return (int)sl_sys_answer(fcntl(fd, F_SETFL, flags));
}

static inline int sl_sys_close(int fd)
{
	return (int)sl_sys_answer(close(fd));
}

static inline int sl_sys_fsync(int fd)
{
	return (int)sl_sys_answer(fsync(fd));
}

static inline int sl_sys_fdatasync(int fd)
{
	return (int)sl_sys_answer(fdatasync(fd));
}

static inline int sl_sys_allocate(int fd, int mode, uint64_t off, uint64_t len)
{
	return (int)sl_sys_answer(fallocate(fd, mode, (off_t)off, (off_t)len));
}

static inline int sl_sys_truncate(int fd, uint64_t size)
{
	return (int)sl_sys_answer(ftruncate(fd, (off_t)size));
}

/* An open-file-description lock, tried once: -EAGAIN when somebody holds it. */
static inline int sl_sys_lock(int fd, int kind, uint64_t off, uint64_t len)
{
	struct flock lock = {
		.l_type = (short)kind,
		.l_whence = SEEK_SET,
		.l_start = (off_t)off,
		.l_len = (off_t)len,
	};

	return (int)sl_sys_answer(fcntl(fd, F_OFD_SETLK, &lock));
}

/* Which file system: f_type of statfs(2). */
static inline int sl_sys_fs_magic(int fd, uint64_t *ret_magic)
{
	struct statfs fs;
	int err = (int)sl_sys_answer(fstatfs(fd, &fs));

	if (!err)
		*ret_magic = (uint64_t)fs.f_type & UINT32_MAX;
	return err;
}

static inline int64_t sl_sys_getdents(int fd, void *buf, uint64_t len)
{
	return sl_sys_answer(syscall(SYS_getdents64, fd, buf, len));
}

static inline int64_t sl_sys_getxattr(int fd, const char *name, void *buf, uint64_t len)
{
	return sl_sys_answer(fgetxattr(fd, name, buf, len));
}

static inline int sl_sys_setxattr(int fd, const char *name, const void *buf, uint64_t len,
				  int flags)
{
	return (int)sl_sys_answer(fsetxattr(fd, name, buf, len, flags));
}

#endif
