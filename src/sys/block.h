/* SPDX-License-Identifier: MIT */
/* block.h - queries of block devices, and XFS's own query for direct-I/O alignment. */
#ifndef SL_SYS_BLOCK_H
#define SL_SYS_BLOCK_H

#include <sys/ioctl.h>

#include "sys/call.h"

/* ioctl numbers by ABI value, so that no file system's headers are needed. */
#define SL_SYS_BLKSSZGET       0x1268
#define SL_SYS_BLKGETSIZE64    0x80081272
#define SL_SYS_XFS_IOC_DIOINFO 0x800c581e

/* Logical sector size in bytes. */
static inline int sl_sys_block_sector(int fd, int *ret_bytes)
{
	return (int)sl_sys_answer(ioctl(fd, SL_SYS_BLKSSZGET, ret_bytes));
}

static inline int sl_sys_block_bytes(int fd, uint64_t *ret_bytes)
{
	return (int)sl_sys_answer(ioctl(fd, SL_SYS_BLKGETSIZE64, ret_bytes));
}

/* XFS_IOC_DIOINFO (xfsctl(3)): memory alignment, and the smallest I/O. */
static inline int sl_sys_xfs_dioinfo(int fd, uint32_t *ret_mem, uint32_t *ret_io)
{
	struct {
		uint32_t mem, min_io, max_io;
	} info;
	int err = (int)sl_sys_answer(ioctl(fd, SL_SYS_XFS_IOC_DIOINFO, &info));

	if (err)
		return err;
	*ret_mem = info.mem;
	*ret_io = info.min_io;
	return 0;
}

#endif
