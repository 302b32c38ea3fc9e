/* SPDX-License-Identifier: MIT */
/* sock.h - system calls on sockets, and the pipe family that moves bytes between them. */
#ifndef SL_SYS_SOCK_H
#define SL_SYS_SOCK_H

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/call.h"

static inline int sl_sys_socket(int domain, int type, int protocol)
{
	return (int)sl_sys_answer(socket(domain, type, protocol));
}

static inline int sl_sys_bind(int fd, const void *addr, socklen_t len)
{
	return (int)sl_sys_answer(bind(fd, addr, len));
}

static inline int sl_sys_listen(int fd, int backlog)
{
	return (int)sl_sys_answer(listen(fd, backlog));
}

static inline int sl_sys_accept4(int fd, void *addr, socklen_t *len, int flags)
{
	return (int)sl_sys_answer(accept4(fd, addr, len, flags));
}

static inline int sl_sys_connect(int fd, const void *addr, socklen_t len)
{
	return (int)sl_sys_answer(connect(fd, addr, len));
}

static inline int64_t sl_sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return sl_sys_answer(recvmsg(fd, msg, flags));
}

static inline int64_t sl_sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return sl_sys_answer(sendmsg(fd, msg, flags));
}

static inline int64_t sl_sys_recv(int fd, void *buf, size_t len, int flags)
{
	return sl_sys_answer(recv(fd, buf, len, flags));
}

static inline int64_t sl_sys_send(int fd, const void *buf, size_t len, int flags)
{
	return sl_sys_answer(send(fd, buf, len, flags));
}

static inline int sl_sys_shutdown(int fd, int how)
{
	return (int)sl_sys_answer(shutdown(fd, how));
}

static inline int sl_sys_getsockopt(int fd, int level, int name, void *buf, socklen_t *len)
{
	return (int)sl_sys_answer(getsockopt(fd, level, name, buf, len));
}

static inline int sl_sys_setsockopt(int fd, int level, int name, const void *buf, socklen_t len)
{
	return (int)sl_sys_answer(setsockopt(fd, level, name, buf, len));
}

static inline int sl_sys_getsockname(int fd, void *addr, socklen_t *len)
{
	return (int)sl_sys_answer(getsockname(fd, addr, len));
}

static inline int sl_sys_getpeername(int fd, void *addr, socklen_t *len)
{
	return (int)sl_sys_answer(getpeername(fd, addr, len));
}

static inline int sl_sys_pipe2(int fds[2], int flags)
{
	return (int)sl_sys_answer(pipe2(fds, flags));
}

static inline int64_t sl_sys_splice(int source, int64_t *source_off, int target,
				    int64_t *target_off, size_t len, unsigned flags)
{
	return sl_sys_answer(splice(source, source_off, target, target_off, len, flags));
}

static inline int64_t sl_sys_sendfile(int target, int source, uint64_t off, size_t len)
{
	off_t at = (off_t)off;

	return sl_sys_answer(sendfile(target, source, &at, len));
}

static inline int64_t sl_sys_tee(int source, int target, size_t len, unsigned flags)
{
	return sl_sys_answer(tee(source, target, len, flags));
}

#endif
