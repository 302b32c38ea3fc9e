/* SPDX-License-Identifier: MIT */
/*
 * spill.h - the bytes of pages beyond what memory shall hold: a mapped file without a name.
 *
 * The first bytes_max are ordinary memory. What comes then lies in a file in $TMPDIR or /var/tmp,
 * whose blocks are taken before they are mapped: a full disk is told, and is no SIGBUS. The
 * kernel writes them out as it needs the room, and so that they do not count against the process
 * meanwhile either, they are let go whenever a few megabytes of them were looked at.
 *
 *	memory, bytes_max | chunk | chunk | chunk ...	of the file
 */
#ifndef SLUICE_CRASH_SPILL_H
#define SLUICE_CRASH_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPILL_CHUNK_BYTES (UINT64_C(16) << 20)
#define SPILL_CHUNKS_MAX  4096 /* a process may have some 65,000 mappings */

struct spill {
	uint64_t bytes_max;
	uint64_t in_memory;
	int fd;	     /* -1: nothing was spilled yet */
	bool failed; /* the disk gave no more */
	uint32_t chunks_nr;
	uint64_t used;	  /* of the chunks */
	uint64_t touched; /* bytes looked at since they were let go */
	unsigned char *chunks[SPILL_CHUNKS_MAX];
};

void spill_init(struct spill *spill, uint64_t bytes_max);
void spill_fini(struct spill *spill);
/* Nobody holds a page any more: all can be given again. */
void spill_reset(struct spill *spill);

/* Room for one page, or NULL: then it shall be ordinary memory. ctx: the spill. */
void *spill_page(void *ctx);
/* Whether another op's pages find room; makes some if need be. */
bool spill_has_room(struct spill *spill);
/* Bytes of a page were looked at. */
void spill_touch(struct spill *spill, size_t bytes);

#endif
