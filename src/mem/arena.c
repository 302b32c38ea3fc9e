/* SPDX-License-Identifier: MIT */
/* arena.c - mapping, aligning and faulting in the memory of a pool. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "mem/arena.h"

#define HUGE_BYTES ((size_t)2 << 20)

static void *map(size_t bytes, int flags)
{
	void *ptr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags,
			 -1, 0);

	return ptr == MAP_FAILED ? NULL : ptr;
}

static bool map_hugetlb(struct sl_arena *arena, size_t bytes)
{
	size_t rounded = sl_round_up(bytes, HUGE_BYTES);

	arena->mapping = map(rounded, MAP_HUGETLB | MAP_POPULATE);
	if (!arena->mapping) {
		arena->huge_error = -errno;
		return false;
	}
	arena->base = arena->mapping;
	arena->mapped_bytes = rounded;
	arena->pages = SL_ARENA_HUGETLB;
	return true;
}

/* Whole huge pages are asked for wherever they fit: pinned, each is one piece to
 * the device instead of 512. The rest stays ordinary, so nothing is pinned that
 * was not asked for. */
static int map_plain(struct sl_arena *arena, size_t bytes, size_t align)
{
	size_t huge_bytes = sl_round_down(bytes, HUGE_BYTES);

	if (huge_bytes)
		align = HUGE_BYTES;
	arena->mapped_bytes = sl_round_up(bytes, 4096) + align;
	arena->mapping = map(arena->mapped_bytes, 0);
	if (!arena->mapping)
		return -ENOMEM;
	arena->base = (void *)sl_round_up((uintptr_t)arena->mapping, align);
	if (huge_bytes && !madvise(arena->base, huge_bytes, MADV_HUGEPAGE))
		arena->pages = SL_ARENA_TRANSPARENT;
	return 0;
}

int sl_arena_init(struct sl_arena *arena, size_t bytes, size_t align, bool huge)
{
	int err = 0;

	memset(arena, 0, sizeof(*arena));
	arena->bytes = bytes;
	if (!huge || !map_hugetlb(arena, bytes))
		err = map_plain(arena, bytes, align);
	if (err)
		return err;
	/* A fork during direct I/O must not leave the parent with a copied page. */
	madvise(arena->mapping, arena->mapped_bytes, MADV_DONTFORK);
	memset(arena->base, 0, bytes);
	return 0;
}

void sl_arena_fini(struct sl_arena *arena)
{
	if (arena->mapping)
		munmap(arena->mapping, arena->mapped_bytes);
	memset(arena, 0, sizeof(*arena));
}
