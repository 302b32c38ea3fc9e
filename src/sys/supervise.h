/* SPDX-License-Identifier: MIT */
/* supervise.h - doing system calls for another process: its memory, its descriptors, its calls'
 * numbers. */
#ifndef SL_SYS_SUPERVISE_H
#define SL_SYS_SUPERVISE_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/call.h"
#include "sys/seccomp.h"

/* Younger than the headers of Linux 6.1. */
#define SL_SYS_PIDFD_THREAD	  O_EXCL		 /* 6.9 */
#define SL_SYS_NOTIF_SET_FLAGS	  _IOW('!', 4, uint64_t) /* 6.6 */
#define SL_SYS_NOTIF_SYNC_WAKE_UP UINT64_C(1)
#define SL_SYS_RESOLVE_IN_ROOT	  0x10
#define SL_SYS_CALL_NONE	  (-1) /* a call that this machine does not have */

#if defined(SYS_open)
enum {
	SL_SYS_CALL_OPEN = SYS_open,
	SL_SYS_CALL_CREAT = SYS_creat,
	SL_SYS_CALL_MKDIR = SYS_mkdir,
	SL_SYS_CALL_RMDIR = SYS_rmdir,
	SL_SYS_CALL_UNLINK = SYS_unlink,
	SL_SYS_CALL_RENAME = SYS_rename,
	SL_SYS_CALL_LINK = SYS_link,
	SL_SYS_CALL_SYMLINK = SYS_symlink,
	SL_SYS_CALL_MKNOD = SYS_mknod,
	SL_SYS_CALL_CHMOD = SYS_chmod,
};
#else
enum {
	SL_SYS_CALL_OPEN = SL_SYS_CALL_NONE,
	SL_SYS_CALL_CREAT = SL_SYS_CALL_NONE,
	SL_SYS_CALL_MKDIR = SL_SYS_CALL_NONE,
	SL_SYS_CALL_RMDIR = SL_SYS_CALL_NONE,
	SL_SYS_CALL_UNLINK = SL_SYS_CALL_NONE,
	SL_SYS_CALL_RENAME = SL_SYS_CALL_NONE,
	SL_SYS_CALL_LINK = SL_SYS_CALL_NONE,
	SL_SYS_CALL_SYMLINK = SL_SYS_CALL_NONE,
	SL_SYS_CALL_MKNOD = SL_SYS_CALL_NONE,
	SL_SYS_CALL_CHMOD = SL_SYS_CALL_NONE,
};
#endif

#if defined(SYS_renameat)
enum {
	SL_SYS_CALL_RENAMEAT = SYS_renameat
};
#else
enum {
	SL_SYS_CALL_RENAMEAT = SL_SYS_CALL_NONE
};
#endif

/* As sl_sys_seccomp_listen(); signals other than deadly ones wait until a call that the supervisor
 * has seen is answered, or it would be done twice. Without that on Linux before 5.19. */
static inline int sl_sys_seccomp_listen_whole(const struct sock_fprog *filter)
{
	int fd = (int)sl_sys_answer(syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, filter));

	return fd == -EINVAL ? sl_sys_seccomp_listen(filter) : fd;
}

/* The supervisor runs at once where it is woken; -EINVAL before 6.6. */
static inline int sl_sys_seccomp_sync_wakeup(int fd)
{
	return (int)sl_sys_answer(ioctl(fd, SL_SYS_NOTIF_SET_FLAGS, SL_SYS_NOTIF_SYNC_WAKE_UP));
}

/* Answers a call with a copy of the descriptor fd: the number it got there. */
static inline int sl_sys_seccomp_answer_fd(int listener, uint64_t id, int fd, uint32_t flags)
{
	struct seccomp_notif_addfd addfd = {
		.id = id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = flags,
	};

	return (int)sl_sys_answer(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd));
}

static inline int sl_sys_pidfd_open(pid_t pid, unsigned flags)
{
	return (int)sl_sys_answer(syscall(SYS_pidfd_open, pid, flags));
}

/* A copy of another process's descriptor: the same open file. */
static inline int sl_sys_pidfd_getfd(int pidfd, int fd)
{
	return (int)sl_sys_answer(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

/* Bytes of another process's memory: how many, which may be fewer, or -errno. */
static inline int64_t sl_sys_read_memory(pid_t pid, uint64_t from, void *to, size_t len)
{
	struct iovec local = { to, len };
	struct iovec remote = { (void *)(uintptr_t)from, len };

	return sl_sys_answer(process_vm_readv(pid, &local, 1, &remote, 1, 0));
}

static inline int64_t sl_sys_write_memory(pid_t pid, uint64_t to, const void *from, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)from, len };
	struct iovec remote = { (void *)(uintptr_t)to, len };

	return sl_sys_answer(process_vm_writev(pid, &local, 1, &remote, 1, 0));
}

#endif
