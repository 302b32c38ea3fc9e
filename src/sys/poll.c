/* ppoll(2), for its timeout in nanoseconds; signals stay as they are. */
#include <errno.h>
#include <time.h>

#include "sys/poll.h"

int sl_sys_poll(struct pollfd *fds, unsigned nr, int64_t timeout_ns)
{
	struct timespec timeout = {
		.tv_sec = timeout_ns / 1000000000,
		.tv_nsec = timeout_ns % 1000000000,
	};
	int n = ppoll(fds, nr, timeout_ns < 0 ? NULL : &timeout, NULL);

	return n < 0 ? -errno : n;
}
