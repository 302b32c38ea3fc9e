/* SPDX-License-Identifier: MIT */
/* memory.h - the one way by which net/ takes memory: the allocator of its ring. */
#ifndef SLUICE_NET_MEMORY_H
#define SLUICE_NET_MEMORY_H

#include <string.h>
#include <sluice/ring.h>

/* So many bytes, zeroed; NULL when there are none. */
static inline void *net_alloc(const struct sl_ring *ring, size_t bytes)
{
	const struct sl_allocator *allocator = sl_ring_allocator(ring);
	void *ptr = allocator->alloc(allocator->ctx, bytes, 64);

	return ptr ? memset(ptr, 0, bytes) : NULL;
}

static inline void net_free(const struct sl_ring *ring, void *ptr, size_t bytes)
{
	const struct sl_allocator *allocator = sl_ring_allocator(ring);

	if (ptr)
		allocator->free(allocator->ctx, ptr, bytes);
}

#endif
