/* SPDX-License-Identifier: MIT */
/*
 * buf.h - I/O buffers: aligned, registered once, handed out in O(1), bounded.
 *
 * A pool is one mapping cut into equal buffers. Any op may point into it: the
 * ring notices and uses the registration, there is no second set of calls.
 * A pool is either for get and put, or (SL_BUF_RECV) for ops with SL_OP_POOLED,
 * which take a buffer when data is there.
 */
#ifndef SLUICE_BUF_H
#define SLUICE_BUF_H

#include <sluice/err.h>

SL_BEGIN_DECLS

struct sl_ring;
struct sl_buf_pool;

enum sl_buf_flag {
	SL_BUF_HUGE = 1 << 0,	     /* ask for reserved huge pages; see sl_buf_pool_info.huge */
	SL_BUF_RECV = 1 << 1,	     /* for SL_OP_POOLED only */
	SL_BUF_UNREGISTERED = 1 << 2 /* do not pin the memory for the kernel */
};

/**
 * struct sl_buf_pool_opts - the shape of a pool
 * @size: sizeof(struct sl_buf_pool_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_buf_flag
 * @count: buffers, 1..65536 (SL_BUF_RECV: 1..32768)
 * @buf_bytes: bytes of each, rounded up to @align
 * @align: alignment of each, a power of two 64..2 MiB; 0: 4096, which suits
 *	direct I/O on any file
 */
struct sl_buf_pool_opts {
	size_t size;
	uint32_t flags;
	uint32_t count;
	uint32_t buf_bytes;
	uint32_t align;
};

/**
 * struct sl_buf_pool_info - what became of the wishes
 * @base: first byte of the mapping
 * @bytes: its length
 * @buf_bytes: bytes of each buffer
 * @count: buffers
 * @free: buffers not handed out now
 * @registered: 1 if the kernel keeps the memory pinned
 * @huge: 1 if backed by reserved huge pages, 2 if transparent ones were asked
 *	for (in pools of 2 MiB and more, always), 0 by ordinary pages
 * @why: one line with the numbers where something asked for was not had, or ""
 */
struct sl_buf_pool_info {
	void *base;
	uint64_t bytes;
	uint32_t buf_bytes;
	uint32_t count;
	uint32_t free;
	uint8_t registered;
	uint8_t huge;
	char why[198];
};

/**
 * sl_buf_pool_create - map, fault in and register buffers
 * @ring: the ring whose ops will use them
 * @opts: the shape, copied
 * @ret_pool: the pool, to be ended by sl_buf_pool_destroy() before the ring
 *
 * Where the kernel refuses to pin the memory (RLIMIT_MEMLOCK) the pool works
 * unregistered, and says so with the numbers in the log and in the info.
 *
 * Context: owner thread of the ring; may sleep; allocates.
 * Return: 0; -EINVAL for a bad shape or an unknown flag; -ENOMEM; -EAGAIN when
 * the ring has as many pools as it can take (16); -EPERM or -ESTALE.
 */
SL_EXPORT int sl_buf_pool_create(struct sl_ring *ring, const struct sl_buf_pool_opts *opts,
				 struct sl_buf_pool **ret_pool);

/**
 * sl_buf_pool_destroy - unregister and unmap
 * @pool: the pool; NULL is ignored. No op may use its memory any more.
 *
 * Context: owner thread of the ring, before sl_ring_close().
 */
SL_EXPORT void sl_buf_pool_destroy(struct sl_buf_pool *pool);

/**
 * sl_buf_get - take a buffer
 * @pool: a pool without SL_BUF_RECV
 *
 * Context: owner thread; O(1); neither sleeps nor allocates.
 * Return: a buffer of buf_bytes, or NULL when all are out (or the pool is
 * SL_BUF_RECV).
 */
SL_EXPORT void *sl_buf_get(struct sl_buf_pool *pool);

/**
 * sl_buf_put - give a buffer back
 * @pool: the pool it came from
 * @buf: the buffer, or any address inside it; NULL is ignored
 *
 * In a SL_BUF_RECV pool this is also what lets a starved op go on.
 *
 * Context: owner thread, also from a callback; O(1).
 */
SL_EXPORT void sl_buf_put(struct sl_buf_pool *pool, void *buf);

/**
 * sl_buf_at - the buffer with a number
 * @pool: the pool
 * @buf_id: its number, as in op->buf_id
 *
 * Context: owner thread.
 * Return: its first byte; NULL for a number beyond count.
 */
SL_EXPORT void *sl_buf_at(const struct sl_buf_pool *pool, unsigned buf_id);

/**
 * sl_buf_pool_info - what became of a pool
 * @pool: the pool
 * @ret_info: filled in
 *
 * Context: owner thread.
 */
SL_EXPORT void sl_buf_pool_info(const struct sl_buf_pool *pool, struct sl_buf_pool_info *ret_info);

SL_END_DECLS

#endif
