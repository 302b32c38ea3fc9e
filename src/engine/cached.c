/* SPDX-License-Identifier: MIT */
/*
 * cached.c - what of a file is in the page cache.
 *
 * Asked in two ways, since each says something the other does not. cachestat(2)
 * counts pages and leaves everything as it is, but counts those whose read is
 * still in flight as well, and answers only who owns the file or may write it.
 * preadv2(2) of a byte with RWF_NOWAIT knows whether the byte could be had now,
 * and works for everybody, but where it is not there the kernel begins to read
 * ahead: a cold file would enter the cache by being asked for.
 * So first the one, then, of what it counted, the other.
 */
#include "engine/cached.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/cachestat.h"
#include "sys/fd.h"
#include "sys/rw.h"
#include "sys/statx.h"

#define TMPFS_MAGIC UINT64_C(0x01021994)
#define RAMFS_MAGIC UINT64_C(0x858458f6)
#define PIECE_BYTES 262144
#define PAGE_BYTES  4096 /* the smallest there is */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- counted ------------------------------------------------------------------------ */

/* 1: all pages of the range are there, 0: some are not, -errno: no answer. */
static int count(int fd, uint64_t off, uint64_t len)
{
	uint64_t page = (uint64_t)getpagesize(), pages = (off + len - 1) / page - off / page + 1;
	struct sl_sys_cachestat counts;
	int err = sl_sys_cachestat(fd, off, len, &counts);

	return err ? err : counts.cache >= pages;
}

/* A file of which not all is counted: where it ends, and whether its pages would be counted. */
static int64_t look_closer(int fd, uint64_t off, uint64_t len)
{
	struct sl_sys_statx st;
	uint64_t done = 0;
	int err = sl_sys_fstatx(fd, SL_STATX_BASIC, &st);

	if (err)
		return err;
	/* DAX has no page cache, and needs none. */
	if (!S_ISREG(st.mode) || st.attributes & SL_STATX_ATTR_DAX)
		return (int64_t)len;
	if (off >= st.size)
		return 0;
	len = smaller(len, st.size - off);
	while (done < len && count(fd, off + done, smaller(len - done, PIECE_BYTES)) == 1)
		done += smaller(len - done, PIECE_BYTES);
	return done ? (int64_t)done : -ENODATA;
}

/* As cached_prefix(), pages in flight included; all of it where nothing can be counted. */
static int64_t counted_prefix(int fd, uint64_t off, uint64_t len)
{
	int counted = count(fd, off, len);

	return counted ? (int64_t)len : look_closer(fd, off, len);
}

/* ---- to be had now ------------------------------------------------------------------ */

/* Without a way to ask it (overlay, FUSE): a file in memory is, others may not be. */
static int64_t cached_unasked(int fd, uint64_t len)
{
	uint64_t magic;
	int err = sl_sys_fs_magic(fd, &magic);

	if (err)
		return err;
	return magic == TMPFS_MAGIC || magic == RAMFS_MAGIC ? (int64_t)len : -ENODATA;
}

/* By the first byte, and the last of each piece. */
static int64_t ready_prefix(int fd, uint64_t off, uint64_t len)
{
	uint64_t done = PAGE_BYTES - off % PAGE_BYTES;
	char byte;
	int64_t res = sl_sys_pread(fd, &byte, 1, (int64_t)off, SL_RWF_NOWAIT);

	if (res == -EOPNOTSUPP)
		return cached_unasked(fd, len);
	if (res <= 0)
		return res == -EAGAIN ? -ENODATA : res;
	while (done < len) {
		uint64_t piece = smaller(len - done, PIECE_BYTES);
		int64_t last = (int64_t)(off + done + piece - 1);

		if (sl_sys_pread(fd, &byte, 1, last, SL_RWF_NOWAIT) == -EAGAIN)
			break;
		done += piece;
	}
	return (int64_t)smaller(done, len);
}

int64_t cached_prefix(int fd, uint64_t off, uint64_t len)
{
	int64_t counted = counted_prefix(fd, off, len);

	return counted > 0 ? ready_prefix(fd, off, (uint64_t)counted) : counted;
}
