/*
 * evidence_kernel.c - what the kernel shows about a direct request that no op can ask.
 *
 * Each test proves what it says and no more:
 *  [B] a buffered RWF_NOWAIT read of pages that are not cached must be -EAGAIN,
 *      so data from one came directly;
 *  [C] pages that appear in the cache during a direct read were put there by it;
 *  [D] a second read of the same range that reads from a device again was not
 *      served from the cache;
 *  [E] a direct write drives a mapped page out of the cache, a buffered one
 *      leaves it there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/file.h>

#include "file/evidence.h"
#include "sys/cachestat.h"
#include "sys/inode_flags.h"
#include "sys/rw.h"
#include "sys/statx.h"

uint32_t sl_evidence_statx(int fd)
{
	struct sl_sys_statx stx;

	if (sl_sys_fstatx(fd, SL_STATX_DIOALIGN, &stx) < 0 || !(stx.mask & SL_STATX_DIOALIGN))
		return 0;
	return stx.dio_offset_align ? SL_FILE_EV_STATX_YES : SL_FILE_EV_STATX_NO;
}

/* Cached pages of the block, or -1 when they cannot be counted. */
static int64_t cached_pages(int fd, const struct evidence_block *block)
{
	struct sl_sys_cachestat counts;

	if (sl_sys_cachestat(fd, block->off, block->len, &counts) < 0)
		return -1;
	return (int64_t)counts.cache;
}

/* Bytes this thread has read from devices so far, or -1. Linux counts them in
 * units of 512 (task_io_get_inblock()), where it accounts for them at all. */
static int64_t device_bytes(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return -1;
	return (int64_t)usage.ru_inblock * 512;
}

static bool reads_device(int fd, const struct evidence_block *block, bool *ret_known)
{
	int64_t before = device_bytes();
	ssize_t n = sl_sys_pread(fd, block->buf, block->len, (int64_t)block->off, 0);
	int64_t after = device_bytes();

	*ret_known = before >= 0 && after >= 0 && n == (ssize_t)block->len;
	return *ret_known && after - before >= (int64_t)block->len;
}

/* [D] Both of two reads: one alone might be a page that was dropped meanwhile. */
static uint32_t device_evidence(int fd, const struct evidence_block *block)
{
	bool known[2];
	bool first = reads_device(fd, block, &known[0]);
	bool second = reads_device(fd, block, &known[1]);

	if (!known[0] || !known[1])
		return 0;
	if (first && second)
		return SL_FILE_EV_DEVICE_READ;
	return !first && !second ? SL_FILE_EV_NO_DEVICE_READ : 0;
}

uint32_t sl_evidence_read(int fd, const struct evidence_block *block, bool owned, bool counts)
{
	uint32_t evidence = 0;
	int64_t before, after;
	ssize_t n;

	posix_fadvise(fd, (off_t)block->off, (off_t)block->len, POSIX_FADV_DONTNEED);
	before = cached_pages(fd, block);
	n = sl_sys_pread(fd, block->buf, block->len, (int64_t)block->off, SL_RWF_NOWAIT);
	if (n < 0 && sl_sys_pread(fd, block->buf, block->len, (int64_t)block->off, 0) < 0)
		return 0;
	after = cached_pages(fd, block);
	if (after > 0 && (before == 0 || owned))
		return SL_FILE_EV_PAGES_LEFT;
	if (counts && before == 0 && after == 0) {
		evidence |= SL_FILE_EV_NO_PAGES;
		if (n > 0)
			evidence |= SL_FILE_EV_NOWAIT_READ;
	}
	return evidence | device_evidence(fd, block);
}

/* ---- the scratch file --------------------------------------------------------------- */

static int open_unnamed(int dir_fd)
{
	char name[48];
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
		return -errno;
	snprintf(name, sizeof(name), ".sluice-scratch-%ld-%d", (long)getpid(), dir_fd);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	unlinkat(dir_fd, name, 0);
	return fd;
}

/* Copy-on-write, compression and data journalling decide how data moves. They
 * are set before the first byte, as the file systems demand. */
static void copy_attributes(int fd, int like_fd)
{
	const uint32_t wanted = SL_INODE_NOCOW | SL_INODE_COMPRESS | SL_INODE_JOURNAL_DATA;
	uint32_t like = 0, own = 0;

	if (sl_sys_inode_flags(like_fd, &like) < 0 || sl_sys_inode_flags(fd, &own) < 0)
		return;
	if ((like ^ own) & wanted)
		sl_sys_inode_flags_set(fd, (own & ~wanted) | (like & wanted));
}

/* Bytes that do not compress away and are no hole. */
static void fill_noise(const struct evidence_block *block, uint32_t state)
{
	unsigned char *bytes = block->buf;

	for (size_t i = 0; i < block->len; i++) {
		state = state * 1664525u + 1013904223u;
		bytes[i] = (unsigned char)(state >> 24);
	}
}

static int fill_scratch(int fd, const struct evidence_block *block)
{
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		fill_noise(block, (uint32_t)i);
		n = sl_sys_pwrite(fd, block->buf, block->len, (int64_t)(i * block->len), 0);
		if (n != (ssize_t)block->len)
			return n < 0 ? (int)n : -ENOSPC;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int sl_evidence_scratch(int dir_fd, int like_fd, const struct evidence_block *block)
{
	int fd = open_unnamed(dir_fd);
	int rc;

	if (fd < 0)
		return fd;
	copy_attributes(fd, like_fd);
	rc = fill_scratch(fd, block);
	if (rc == 0 && fcntl(fd, F_SETFL, O_DIRECT) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/* The page of a mapping that was just touched is cached: is it counted? */
bool sl_evidence_counts_are_true(int scratch_fd, const struct evidence_block *block)
{
	volatile unsigned char *page;
	void *map = mmap(NULL, block->len, PROT_READ, MAP_SHARED, scratch_fd, (off_t)block->off);
	bool counted;

	if (map == MAP_FAILED)
		return false;
	page = map;
	(void)page[0];
	counted = cached_pages(scratch_fd, block) > 0;
	munmap(map, block->len);
	return counted;
}

static bool resident(void *map, size_t len, bool *ret_known)
{
	unsigned char pages[64];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	*ret_known = (len + page - 1) / page <= sizeof(pages) && mincore(map, len, pages) == 0;
	return *ret_known && (pages[0] & 1);
}

/* [E] the canary: cached before, and after? */
static uint32_t canary_evidence(int fd, const struct evidence_block *block, void *map)
{
	volatile unsigned char *page = map;
	bool known;

	(void)page[0];
	if (!resident(map, block->len, &known) || !known)
		return 0;
	fill_noise(block, 7);
	if (sl_sys_pwrite(fd, block->buf, block->len, (int64_t)block->off, 0) !=
	    (ssize_t)block->len)
		return 0;
	if (resident(map, block->len, &known))
		return SL_FILE_EV_CANARY_LEFT;
	return known ? SL_FILE_EV_CANARY_GONE : 0;
}

uint32_t sl_evidence_write(int fd, const struct evidence_block *block)
{
	void *map = mmap(NULL, block->len, PROT_READ, MAP_SHARED, fd, (off_t)block->off);
	uint32_t evidence = 0;
	ssize_t n;

	if (map != MAP_FAILED) {
		evidence = canary_evidence(fd, block, map);
		munmap(map, block->len);
	}
	if (evidence & SL_FILE_EV_CANARY_LEFT)
		return evidence;
	n = sl_sys_pwrite(fd, block->buf, block->len, (int64_t)block->off, SL_RWF_NOWAIT);
	return n == (ssize_t)block->len ? evidence | SL_FILE_EV_NOWAIT_WRITE : evidence;
}

void sl_evidence_scratch_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
