/* memory.c - the one way by which files take memory: the allocator of their ring. */
#include "file/memory.h"

#include <string.h>

#include "base/bits.h"

#define ALIGN_MIN 64

void *sl_file_alloc(struct sl_ring *ring, size_t nr, size_t bytes, size_t align)
{
	const struct sl_allocator *allocator = sl_ring_allocator(ring);
	size_t total;
	void *ptr;

	if (!sl_size_mul(nr, bytes, &total))
		return NULL;
	ptr = allocator->alloc(allocator->ctx, total, align < ALIGN_MIN ? ALIGN_MIN : align);
	if (ptr)
		memset(ptr, 0, total);
	return ptr;
}

void sl_file_free(struct sl_ring *ring, void *ptr, size_t nr, size_t bytes)
{
	const struct sl_allocator *allocator;

	if (!ptr)
		return;
	allocator = sl_ring_allocator(ring);
	allocator->free(allocator->ctx, ptr, nr * bytes);
}
