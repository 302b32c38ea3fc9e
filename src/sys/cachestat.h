/* cachestat(2), Linux 6.5: how many pages of a file range are in the page cache. */
#ifndef SL_SYS_CACHESTAT_H
#define SL_SYS_CACHESTAT_H

#include <stdint.h>

/**
 * struct sl_sys_cachestat - page counts, in units of the base page size.
 *
 * @cache counts pages whose read is still in flight too. On overlay every
 * count is 0 whatever is cached: the pages belong to the file underneath.
 */
struct sl_sys_cachestat {
	uint64_t cache;
	uint64_t dirty;
	uint64_t writeback;
	uint64_t evicted;
	uint64_t recently_evicted;
};

/**
 * sl_sys_cachestat - count cached pages of a range.
 * @fd: an open file; the caller must own it or be able to write it.
 * @off: first byte.
 * @len: bytes; 0 means to the end of the file.
 * @ret: written on success.
 *
 * Context: any thread; may sleep.
 * Return: 0, or -errno: -ENOSYS before 6.5, -EPERM for a file one neither owns nor may
 * write (newer kernels: a side channel closed), -EOPNOTSUPP on hugetlbfs, -EBADF.
 */
int sl_sys_cachestat(int fd, uint64_t off, uint64_t len, struct sl_sys_cachestat *ret);

#endif
