/* SPDX-License-Identifier: MIT */
/* spill.c - chunks of a file without a name: taken, mapped, let go. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crash/spill.h"
#include "crash/unnamed.h"
#include "model/page.h"

/* Of one op's pages: a piece of a write, and the versions that it makes of their neighbours. */
#define ROOM_BYTES    (UINT64_C(2) << 20)
#define TOUCHED_BYTES (UINT64_C(8) << 20)

void spill_init(struct spill *spill, uint64_t bytes_max)
{
	*spill = (struct spill){ .bytes_max = bytes_max, .fd = -1 };
}

void spill_fini(struct spill *spill)
{
	for (uint32_t i = 0; i < spill->chunks_nr; i++)
		munmap(spill->chunks[i], SPILL_CHUNK_BYTES);
	if (spill->fd >= 0)
		close(spill->fd);
	*spill = (struct spill){ .fd = -1 };
}

static void let_go(struct spill *spill)
{
	for (uint32_t i = 0; i < spill->chunks_nr; i++)
		madvise(spill->chunks[i], SPILL_CHUNK_BYTES, MADV_DONTNEED);
	spill->touched = 0;
}

void spill_reset(struct spill *spill)
{
	spill->in_memory = 0;
	spill->used = 0;
	spill->failed = false;
	let_go(spill);
}

static bool add_chunk(struct spill *spill)
{
	off_t off = (off_t)(spill->chunks_nr * SPILL_CHUNK_BYTES);
	void *chunk;

	if (spill->failed || spill->chunks_nr == SPILL_CHUNKS_MAX)
		return false;
	if (spill->fd < 0)
		spill->fd = crash_unnamed_open();
	spill->failed = spill->fd < 0 || posix_fallocate(spill->fd, off, SPILL_CHUNK_BYTES);
	if (spill->failed)
		return false;
	chunk = mmap(NULL, SPILL_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, spill->fd, off);
	spill->failed = chunk == MAP_FAILED;
	if (!spill->failed)
		spill->chunks[spill->chunks_nr++] = chunk;
	return !spill->failed;
}

static uint64_t left(const struct spill *spill)
{
	return spill->chunks_nr * SPILL_CHUNK_BYTES - spill->used;
}

void *spill_page(void *ctx)
{
	struct spill *spill = ctx;
	unsigned char *page;

	if (spill->in_memory < spill->bytes_max) {
		spill->in_memory += MODEL_PAGE_BYTES;
		return NULL;
	}
	if (!left(spill) && !add_chunk(spill))
		return NULL;
	page = spill->chunks[spill->used / SPILL_CHUNK_BYTES] + spill->used % SPILL_CHUNK_BYTES;
	spill->used += MODEL_PAGE_BYTES;
	spill_touch(spill, MODEL_PAGE_BYTES);
	return page;
}

bool spill_has_room(struct spill *spill)
{
	return spill->in_memory + ROOM_BYTES <= spill->bytes_max || left(spill) >= ROOM_BYTES ||
	       add_chunk(spill);
}

void spill_touch(struct spill *spill, size_t bytes)
{
	if (!spill->used)
		return;
	spill->touched += bytes;
	if (spill->touched >= TOUCHED_BYTES)
		let_go(spill);
}
