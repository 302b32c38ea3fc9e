/* epoll; the wait with nanoseconds is called raw, not every C library has it. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/epoll.h"

/* linux/time_types.h: what epoll_pwait2(2) takes on every architecture. */
struct kernel_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

/* The same number on every architecture. */
enum {
	EPOLL_PWAIT2_NR = 441
};

int sl_sys_epoll_create(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sl_sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return epoll_ctl(epfd, op, fd, event) < 0 ? -errno : 0;
}

int sl_sys_epoll_pwait2(int epfd, struct epoll_event *ret_events, int nr_max, int64_t timeout_ns)
{
	struct kernel_timespec timeout = {
		.tv_sec = timeout_ns / 1000000000,
		.tv_nsec = timeout_ns % 1000000000,
	};
	long n = syscall(EPOLL_PWAIT2_NR, epfd, ret_events, nr_max,
			 timeout_ns < 0 ? NULL : &timeout, NULL, 0);

	return n < 0 ? -errno : (int)n;
}

int sl_sys_epoll_wait(int epfd, struct epoll_event *ret_events, int nr_max, int timeout_ms)
{
	int n = epoll_wait(epfd, ret_events, nr_max, timeout_ms);

	return n < 0 ? -errno : n;
}
