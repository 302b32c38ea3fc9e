/* SPDX-License-Identifier: MIT */
/* memory.c - the one way by which a ring takes memory: zeroed, counted, at open and keep. */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

static void *malloc_alloc(void *ctx, size_t bytes, size_t align)
{
	void *ptr;

	(void)ctx;
	if (align < sizeof(void *))
		align = sizeof(void *);
	return posix_memalign(&ptr, align, bytes) ? NULL : ptr;
}

static void malloc_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

static const struct sl_allocator malloc_allocator = { malloc_alloc, malloc_free, NULL };

const struct sl_allocator *ring_default_allocator(void)
{
	return &malloc_allocator;
}

void *ring_alloc(struct sl_ring *ring, size_t nr, size_t bytes)
{
	const struct sl_allocator *allocator = ring->opts.allocator;
	size_t total;
	void *ptr;

	if (!sl_size_mul(nr, bytes, &total))
		return NULL;
	ptr = allocator->alloc(allocator->ctx, total, 64);
	if (!ptr)
		return NULL;
	memset(ptr, 0, total);
	ring->memory_bytes += total;
	return ptr;
}

void ring_free(struct sl_ring *ring, void *ptr, size_t nr, size_t bytes)
{
	const struct sl_allocator *allocator = ring->opts.allocator;

	if (!ptr)
		return;
	ring->memory_bytes -= nr * bytes;
	allocator->free(allocator->ctx, ptr, nr * bytes);
}
