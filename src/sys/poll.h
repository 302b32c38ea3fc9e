/* ppoll(2). */
#ifndef SL_SYS_POLL_H
#define SL_SYS_POLL_H

#include <stdint.h>
#include <poll.h>

/**
 * sl_sys_poll - wait until a descriptor is ready, or look at once.
 * @fds: the descriptors; their revents are filled. An entry with fd < 0 is ignored.
 * @nr: entries.
 * @timeout_ns: relative; 0: do not wait; < 0: no limit.
 *
 * Context: any thread; sleeps unless @timeout_ns is 0.
 * Return: entries with events, 0 after the timeout, or -errno: -EINTR; -EINVAL for more entries
 * than RLIMIT_NOFILE; -ENOMEM.
 */
int sl_sys_poll(struct pollfd *fds, unsigned nr, int64_t timeout_ns);

#endif
