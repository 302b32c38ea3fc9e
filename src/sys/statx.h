/* statx(2) with fields newer than Debian 12 knows: direct-I/O alignments and untorn writes. */
#ifndef SL_SYS_STATX_H
#define SL_SYS_STATX_H

#include <stdint.h>

/*
 * Mask bits the headers of a 6.1 kernel lack, or carry only in <linux/stat.h>,
 * which cannot be included beside <sys/stat.h>. Values are ABI (include/uapi/linux/stat.h).
 */
enum {
	SL_STATX_BASIC = 0x000007ff,
	SL_STATX_BTIME = 0x00000800,
	SL_STATX_MNT_ID = 0x00001000,	     /* 5.8 */
	SL_STATX_DIOALIGN = 0x00002000,	     /* 6.1 */
	SL_STATX_SUBVOL = 0x00008000,	     /* 6.10 */
	SL_STATX_WRITE_ATOMIC = 0x00010000,  /* 6.11 */
	SL_STATX_DIO_READ_ALIGN = 0x00020000 /* 6.14 */
};

/* stx_attributes bits (and stx_attributes_mask: which of them the file system reports). */
enum {
	SL_STATX_ATTR_COMPRESSED = 0x00000004,
	SL_STATX_ATTR_APPEND = 0x00000020,
	SL_STATX_ATTR_ENCRYPTED = 0x00000800,
	SL_STATX_ATTR_VERITY = 0x00100000,
	SL_STATX_ATTR_DAX = 0x00200000,
	SL_STATX_ATTR_WRITE_ATOMIC = 0x00400000
};

struct sl_sys_statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

/**
 * struct sl_sys_statx - what the kernel writes, field for field (256 bytes).
 *
 * A field is valid only where its bit of @mask is set. Bit set and value zero
 * has a meaning of its own: @dio_mem_align and @dio_offset_align of 0 say that
 * this file is *not* read or written directly although open(O_DIRECT) succeeds.
 */
struct sl_sys_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t pad0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct sl_sys_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor;
	uint32_t dev_major, dev_minor;
	uint64_t mnt_id;
	uint32_t dio_mem_align;
	uint32_t dio_offset_align;
	uint64_t subvol;
	uint32_t atomic_write_unit_min;
	uint32_t atomic_write_unit_max;
	uint32_t atomic_write_segments_max;
	uint32_t dio_read_offset_align;
	uint32_t atomic_write_unit_max_opt; /* 6.16 */
	uint32_t pad1;
	uint64_t pad2[8];
};

/**
 * sl_sys_statx - look at a path or a descriptor.
 * @dirfd: directory for a relative @path, AT_FDCWD, or the descriptor itself with AT_EMPTY_PATH.
 * @path: borrowed; "" with AT_EMPTY_PATH.
 * @flags: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, AT_STATX_DONT_SYNC.
 * @mask: SL_STATX_* bits wanted; the kernel may answer fewer or more.
 * @ret: written on success.
 *
 * Context: any thread; may sleep.
 * Return: 0, or -errno as statx(2) gives it (-ENOSYS before 4.11 or under an old seccomp filter).
 */
int sl_sys_statx(int dirfd, const char *path, int flags, uint32_t mask, struct sl_sys_statx *ret);

/**
 * sl_sys_fstatx - sl_sys_statx() of an open descriptor.
 * @fd: any descriptor, O_PATH too.
 * @mask: SL_STATX_* bits wanted.
 * @ret: written on success.
 *
 * Context: any thread; may sleep.
 * Return: 0 or -errno, as sl_sys_statx().
 */
int sl_sys_fstatx(int fd, uint32_t mask, struct sl_sys_statx *ret);

#endif
