/* SPDX-License-Identifier: MIT */
/*
 * describe.c - what a descriptor is: kind, flags, size, direct-I/O alignments.
 *
 * Alignments come from statx(2) STATX_DIOALIGN (and the read alignment where
 * the kernel has it), else from the file system's own query (XFS_IOC_DIOINFO),
 * else from the block device (BLKSSZGET); else they are not known.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "engine/engine.h"
#include "sys/block.h"
#include "sys/fd.h"
#include "sys/sock.h"
#include "sys/statx.h"

static uint32_t kind_of(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return SL_DESC_REGULAR;
	case S_IFBLK:
		return SL_DESC_BLOCK;
	case S_IFDIR:
		return SL_DESC_DIRECTORY;
	case S_IFIFO:
		return SL_DESC_PIPE;
	case S_IFSOCK:
		return SL_DESC_SOCKET;
	case S_IFCHR:
		return SL_DESC_CHARACTER;
	default:
		return SL_DESC_OTHER;
	}
}

static uint32_t flags_of(int status)
{
	uint32_t flags = 0;

	if (status & O_DIRECT)
		flags |= SL_DESC_DIRECT;
	if (status & O_NONBLOCK)
		flags |= SL_DESC_NONBLOCK;
	if (status & O_APPEND)
		flags |= SL_DESC_APPEND;
	return flags;
}

static void find_alignment(int fd, const struct sl_sys_statx *st, struct sl_desc *desc)
{
	uint32_t mem, off;
	int sector;

	if (st->mask & SL_STATX_DIOALIGN && st->dio_offset_align) {
		desc->mem_align = st->dio_mem_align;
		desc->read_align = desc->write_align = st->dio_offset_align;
		desc->align_source = "statx";
		if (st->mask & SL_STATX_DIO_READ_ALIGN && st->dio_read_offset_align)
			desc->read_align = st->dio_read_offset_align;
	} else if (desc->kind == SL_DESC_REGULAR && !sl_sys_xfs_dioinfo(fd, &mem, &off)) {
		desc->mem_align = mem;
		desc->read_align = desc->write_align = off;
		desc->align_source = "XFS_IOC_DIOINFO";
	} else if (desc->kind == SL_DESC_BLOCK && !sl_sys_block_sector(fd, &sector)) {
		desc->mem_align = desc->read_align = desc->write_align = (uint32_t)sector;
		desc->align_source = "BLKSSZGET";
	}
}

static int describe_kernel(int fd, struct sl_desc *ret_desc)
{
	struct sl_sys_statx st;
	struct sl_desc desc = { .align_source = "" };
	int status = sl_sys_get_status(fd);
	int err;

	if (status < 0)
		return status;
	err = sl_sys_fstatx(fd, SL_STATX_BASIC | SL_STATX_DIOALIGN | SL_STATX_DIO_READ_ALIGN, &st);
	if (err)
		return err;
	desc.kind = kind_of(st.mode);
	desc.flags = flags_of(status);
	desc.size = st.size;
	desc.dev = makedev(st.dev_major, st.dev_minor);
	desc.ino = st.ino;
	if (desc.kind == SL_DESC_BLOCK)
		sl_sys_block_bytes(fd, &desc.size);
	if (desc.kind == SL_DESC_REGULAR || desc.kind == SL_DESC_BLOCK)
		find_alignment(fd, &st, &desc);
	*ret_desc = desc;
	return 0;
}

#define EXT_MAGIC   UINT64_C(0xef53) /* ext2, ext3, ext4 */
#define XFS_MAGIC   UINT64_C(0x58465342)
#define TMPFS_MAGIC UINT64_C(0x01021994)

/*
 * ext4 and xfs were tried under power cuts, on disks with FUA and without; on tmpfs
 * nothing is durable. btrfs completes such a write on a disk with FUA without
 * the metadata that leads to it (Linux 6.1, 6.12; docs/decisions/0021), so what
 * was not tried is not believed. What is no regular file has no metadata.
 */
bool fd_keeps_dsync(int fd)
{
	struct sl_desc desc;
	uint64_t magic;

	if (sl_sys_fs_magic(fd, &magic))
		return true; /* the write will tell */
	if (magic == EXT_MAGIC || magic == XFS_MAGIC || magic == TMPFS_MAGIC)
		return true;
	return describe_kernel(fd, &desc) || desc.kind != SL_DESC_REGULAR;
}

int ring_describe(struct sl_ring *ring, int fd, struct sl_desc *ret_desc)
{
	if (ring->backend->describe)
		return ring->backend->describe(ring->state, fd, ret_desc);
	return describe_kernel(fd, ret_desc);
}

int sl_ring_sockname(struct sl_ring *ring, int fd, int peer, struct sockaddr *ret_addr,
		     socklen_t *len)
{
	int err = ring_check(ring);

	if (err)
		return err;
	if (ring->backend->sockname)
		return ring->backend->sockname(ring->state, fd, peer, ret_addr, len);
	if (ring->backend->owns_world)
		return -EOPNOTSUPP;
	return peer ? sl_sys_getpeername(fd, ret_addr, len) : sl_sys_getsockname(fd, ret_addr, len);
}

int sl_ring_describe(struct sl_ring *ring, int fd, struct sl_desc *ret_desc)
{
	int err = ring_check(ring);

	return err ? err : ring_describe(ring, fd, ret_desc);
}
