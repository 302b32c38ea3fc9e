/* SPDX-License-Identifier: MIT */
/* arena.h - one mapping for I/O buffers: aligned, faulted in, on huge pages where asked. */
#ifndef SLUICE_MEM_ARENA_H
#define SLUICE_MEM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sl_arena_pages {
	SL_ARENA_PLAIN = 0,
	SL_ARENA_HUGETLB = 1,	  /* MAP_HUGETLB: reserved by the administrator */
	SL_ARENA_TRANSPARENT = 2, /* MADV_HUGEPAGE was accepted for its whole huge pages */
};

struct sl_arena {
	void *base;
	size_t bytes;	     /* of the buffers */
	size_t mapped_bytes; /* of the mapping, for munmap */
	void *mapping;
	uint8_t pages;	/* enum sl_arena_pages */
	int huge_error; /* why MAP_HUGETLB was not had, -errno */
};

/* Maps bytes aligned to align (a power of two, at most 2 MiB) and faults every
 * page in, so that a direct read never meets an absent one. 0, -ENOMEM. */
int sl_arena_init(struct sl_arena *arena, size_t bytes, size_t align, bool huge);

/* Takes NULL-filled and half-made arenas. */
void sl_arena_fini(struct sl_arena *arena);

#endif
