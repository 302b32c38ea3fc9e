/* memory.h - the one way by which files take memory: the allocator of their ring. */
#ifndef SLUICE_FILE_MEMORY_H
#define SLUICE_FILE_MEMORY_H

#include <stddef.h>
#include <sluice/ring.h>

/* nr things of so many bytes each, zeroed and so touched: memory that is not there makes btrfs
 * fall back to its cache. NULL when there is none, or the product overflows. align: a power
 * of two, raised to 64. */
void *sl_file_alloc(struct sl_ring *ring, size_t nr, size_t bytes, size_t align);

/* Gives it back; the same nr and bytes. NULL is ignored. */
void sl_file_free(struct sl_ring *ring, void *ptr, size_t nr, size_t bytes);

#endif
