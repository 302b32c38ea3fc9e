/* SPDX-License-Identifier: MIT */
/* inode_flags.h - attributes of a file as chattr(1) sets them: FS_IOC_GETFLAGS and SETFLAGS. */
#ifndef SL_SYS_INODE_FLAGS_H
#define SL_SYS_INODE_FLAGS_H

#include <sys/ioctl.h>

#include "sys/call.h"

/* By ABI value (include/uapi/linux/fs.h), so that no file system's headers are needed. */
enum {
	SL_INODE_COMPRESS = 0x00000004,
	SL_INODE_JOURNAL_DATA = 0x00004000,
	SL_INODE_NOCOW = 0x00800000
};

/* Declared with long, which is what sizes the number; the kernel moves an int. */
#define SL_SYS_FS_IOC_GETFLAGS _IOR('f', 1, long)
#define SL_SYS_FS_IOC_SETFLAGS _IOW('f', 2, long)

/* -ENOTTY or -EOPNOTSUPP where the file system has no such attributes. */
static inline int sl_sys_inode_flags(int fd, uint32_t *ret_flags)
{
	int flags = 0;
	int err = (int)sl_sys_answer(ioctl(fd, SL_SYS_FS_IOC_GETFLAGS, &flags));

	if (!err)
		*ret_flags = (uint32_t)flags;
	return err;
}

static inline int sl_sys_inode_flags_set(int fd, uint32_t flags)
{
	int value = (int)flags;

	return (int)sl_sys_answer(ioctl(fd, SL_SYS_FS_IOC_SETFLAGS, &value));
}

#endif
