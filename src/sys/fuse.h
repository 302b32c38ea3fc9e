/* SPDX-License-Identifier: MIT */
/* fuse.h - /dev/fuse: a second descriptor of a file system that is mounted. */
#ifndef SL_SYS_FUSE_H
#define SL_SYS_FUSE_H

#include <linux/fuse.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "sys/call.h"

/* Makes fd, a new descriptor of /dev/fuse, one of the file system that mounted_fd serves. Each
 * request is read from either, and answered to the one that it was read from. Both must have
 * been opened in one user namespace. 0 or -errno. */
static inline int sl_sys_fuse_clone(int fd, int mounted_fd)
{
	uint32_t original = (uint32_t)mounted_fd;

	return (int)sl_sys_answer(ioctl(fd, FUSE_DEV_IOC_CLONE, &original));
}

#endif
