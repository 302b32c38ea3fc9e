/* epoll_create1(2), epoll_ctl(2), epoll_pwait2(2) and epoll_wait(2). */
#ifndef SL_SYS_EPOLL_H
#define SL_SYS_EPOLL_H

#include <stdint.h>
#include <sys/epoll.h>

/**
 * sl_sys_epoll_create - open an epoll instance, closed on exec.
 *
 * Context: any thread.
 * Return: the descriptor, or -errno: -EMFILE, -ENFILE, -ENOMEM.
 */
int sl_sys_epoll_create(void);

/**
 * sl_sys_epoll_ctl - change what an epoll instance watches.
 * @epfd: the instance.
 * @op: EPOLL_CTL_ADD, EPOLL_CTL_MOD or EPOLL_CTL_DEL.
 * @fd: the descriptor watched.
 * @event: borrowed; NULL with EPOLL_CTL_DEL.
 *
 * Context: any thread.
 * Return: 0, or -errno: -EEXIST, -ENOENT, -EBADF, -EPERM for a file that cannot be polled,
 * -ENOSPC beyond fs.epoll.max_user_watches, -ENOMEM, -ELOOP.
 */
int sl_sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);

/**
 * sl_sys_epoll_pwait2 - wait with a timeout in nanoseconds.
 * @epfd: the instance.
 * @ret_events: filled.
 * @nr_max: entries of @ret_events, at least 1.
 * @timeout_ns: relative; < 0: none.
 *
 * Context: any thread; sleeps.
 * Return: events stored, 0 after the timeout, or -errno: -ENOSYS before Linux 5.11, -EINTR.
 */
int sl_sys_epoll_pwait2(int epfd, struct epoll_event *ret_events, int nr_max, int64_t timeout_ns);

/**
 * sl_sys_epoll_wait - wait with a timeout in milliseconds.
 * @epfd: the instance.
 * @ret_events: filled.
 * @nr_max: entries of @ret_events, at least 1.
 * @timeout_ms: relative; < 0: none.
 *
 * Context: any thread; sleeps.
 * Return: events stored, 0 after the timeout, or -errno: -EINTR.
 */
int sl_sys_epoll_wait(int epfd, struct epoll_event *ret_events, int nr_max, int timeout_ms);

#endif
