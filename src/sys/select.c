/* pselect(2), for its timeout in nanoseconds; signals stay as they are. */
#include <errno.h>
#include <time.h>

#include "sys/select.h"

int sl_sys_select(int fd_end, struct sl_sys_fd_sets *sets, int64_t timeout_ns)
{
	struct timespec timeout = {
		.tv_sec = timeout_ns / 1000000000,
		.tv_nsec = timeout_ns % 1000000000,
	};
	int n = pselect(fd_end, &sets->read, &sets->write, &sets->except,
			timeout_ns < 0 ? NULL : &timeout, NULL);

	return n < 0 ? -errno : n;
}
