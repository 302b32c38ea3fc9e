/* io_setup(2), io_destroy(2), io_submit(2), io_getevents(2): glibc has no wrappers. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/aio.h"

int sl_sys_aio_setup(unsigned int nr, aio_context_t *ret_context)
{
	return syscall(SYS_io_setup, nr, ret_context) < 0 ? -errno : 0;
}

int sl_sys_aio_destroy(aio_context_t context)
{
	return syscall(SYS_io_destroy, context) < 0 ? -errno : 0;
}

int sl_sys_aio_submit(aio_context_t context, long nr, struct iocb *const *requests)
{
	long ret = syscall(SYS_io_submit, context, nr, requests);

	return ret < 0 ? -errno : (int)ret;
}

int sl_sys_aio_getevents(aio_context_t context, long min_nr, long max_nr,
			 struct io_event *ret_events, const struct timespec *timeout)
{
	long ret = syscall(SYS_io_getevents, context, min_nr, max_nr, ret_events, timeout);

	return ret < 0 ? -errno : (int)ret;
}
