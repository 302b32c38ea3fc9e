/* contender.c: what a contender says about itself, and the list of mechanisms. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mechanisms.h"

#define TRIES_MAX 50

int contender_lacks(struct contender *c, const char *format, ...)
{
	va_list args;

	c->status = CONTENDER_UNAVAILABLE;
	va_start(args, format);
	vsnprintf(c->reason, sizeof(c->reason), format, args);
	va_end(args);
	return -ENOSYS;
}

void contender_sit_out(struct contender *c)
{
	c->sits_out = true;
	contender_lacks(c, "nothing to see here that others do not show; --full runs it, and so "
			   "does its name in --only");
}

int contender_lacks_errno(struct contender *c, const char *call, int err)
{
	return contender_lacks(c, "%s: %s", call, strerror(-err));
}

int contender_lacks_uring(struct contender *c, int err)
{
	if (err == -EPERM)
		return contender_lacks(c,
				       "io_uring is forbidden here: a seccomp filter (containers), "
				       "or sysctl kernel.io_uring_disabled");
	if (err == -ENOSYS)
		return contender_lacks(c, "this kernel has no io_uring");
	if (err == -ENOMEM || err == -EAGAIN)
		return contender_lacks(c, "io_uring: the limit on locked memory, which all "
					  "processes of a user share, is reached; raise `ulimit "
					  "-l`");
	return contender_lacks_errno(c, "io_uring", err);
}

bool contender_try_again(int err, unsigned *tries)
{
	static const struct timespec pause = { .tv_nsec = 2000000 };

	if ((err != -ENOMEM && err != -EAGAIN) || ++*tries > TRIES_MAX)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

void contender_void(struct contender *c, const char *format, ...)
{
	va_list args;

	if (c->status != CONTENDER_RAN)
		return;
	c->status = CONTENDER_VOID;
	va_start(args, format);
	vsnprintf(c->reason, sizeof(c->reason), format, args);
	va_end(args);
}

const struct mechanism *const *mechanisms_all(void)
{
	static const struct mechanism *const all[] = {
		&mechanism_read,
		&mechanism_pread,
		&mechanism_preadv,
		&mechanism_dontcache,
		&mechanism_mmap,
		&mechanism_posix_aio,
		&mechanism_libaio,
		&mechanism_uring,
		&mechanism_uring_registered,
		&mechanism_uring_sqpoll,
		&mechanism_own_uring,
		&mechanism_own_epoll,
		&mechanism_write_fsync,
		&mechanism_write_fdatasync,
		&mechanism_overwrite,
		&mechanism_dsync,
		&mechanism_direct_dsync,
		&mechanism_rwf_dsync,
		&mechanism_uring_linked_fsync,
		&mechanism_uring_dsync,
		&mechanism_own_append_uring,
		&mechanism_own_append_epoll,
		&mechanism_read_write,
		&mechanism_mmap_write,
		&mechanism_sendfile,
		&mechanism_splice,
		&mechanism_msg_zerocopy,
		&mechanism_uring_send,
		&mechanism_uring_send_fixed,
		&mechanism_uring_send_zc,
		&mechanism_uring_send_zc_fixed,
		&mechanism_sendfile_ktls,
		&mechanism_own_sendfile_uring,
		&mechanism_own_sendfile_epoll,
		&mechanism_own_send_uring,
		&mechanism_own_send_epoll,
		&mechanism_select,
		&mechanism_poll,
		&mechanism_epoll,
		&mechanism_epoll_edge,
		&mechanism_uring_poll,
		&mechanism_uring_read,
		&mechanism_own_watch_uring,
		&mechanism_own_watch_epoll,
		NULL,
	};

	return all;
}
