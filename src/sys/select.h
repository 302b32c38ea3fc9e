/* pselect(2). */
#ifndef SL_SYS_SELECT_H
#define SL_SYS_SELECT_H

#include <stdint.h>
#include <sys/select.h>

/**
 * struct sl_sys_fd_sets - the three sets of select(2).
 * @read: input, hang-up or error.
 * @write: room for output, or error.
 * @except: urgent data.
 */
struct sl_sys_fd_sets {
	fd_set read;
	fd_set write;
	fd_set except;
};

/**
 * sl_sys_select - wait until a descriptor of the sets is ready.
 * @fd_end: the highest descriptor plus one, at most FD_SETSIZE.
 * @sets: what to wait for; replaced by what is ready.
 * @timeout_ns: relative; 0: do not wait; < 0: no limit.
 *
 * Context: any thread; sleeps unless @timeout_ns is 0.
 * Return: bits set, 0 after the timeout, or -errno: -EBADF when one descriptor is not open (the
 * sets are then unchanged); -EINTR.
 */
int sl_sys_select(int fd_end, struct sl_sys_fd_sets *sets, int64_t timeout_ns);

#endif
