/* eventfd(2). */
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sys/eventfd.h"

int sl_sys_eventfd_open(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sl_sys_eventfd_signal(int fd)
{
	const uint64_t one = 1;
	int saved = errno;
	int err = 0;

	/* EAGAIN: the counter is at its maximum, so it is readable. */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		err = -errno;
	errno = saved;
	return err;
}

int sl_sys_eventfd_drain(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) >= 0)
		return 1;
	return errno == EAGAIN ? 0 : -errno;
}
