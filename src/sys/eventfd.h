/* eventfd(2): a counter that polls readable while it is not zero. */
#ifndef SL_SYS_EVENTFD_H
#define SL_SYS_EVENTFD_H

/**
 * sl_sys_eventfd_open - a counter at zero, non-blocking, closed on exec.
 *
 * Context: any thread.
 * Return: the descriptor, or -errno: -EMFILE, -ENFILE, -ENOMEM.
 */
int sl_sys_eventfd_open(void);

/**
 * sl_sys_eventfd_signal - make it readable.
 * @fd: the counter.
 *
 * Context: any thread, async-signal-safe: errno is kept as it was.
 * Return: 0, also when it was readable already, or -errno: -EBADF.
 */
int sl_sys_eventfd_signal(int fd);

/**
 * sl_sys_eventfd_drain - set it to zero.
 * @fd: the counter.
 *
 * Context: any thread.
 * Return: 1 when it was readable, 0 when not, or -errno: -EBADF.
 */
int sl_sys_eventfd_drain(int fd);

#endif
