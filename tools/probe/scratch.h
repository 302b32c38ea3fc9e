/* The file the probe reads and writes: nameless, filled with a known pattern, never the user's. */
#ifndef PROBE_SCRATCH_H
#define PROBE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/probe/place.h"

#define SCRATCH_BYTES (256U * 1024)
#define SCRATCH_CHUNK (64U * 1024)
#define SCRATCH_PAGE  4096U

/**
 * struct scratch - the file and a buffer for it.
 * @fd: buffered description.
 * @direct: O_DIRECT description, or -errno.
 * @buf: SCRATCH_CHUNK bytes, page-aligned, every page present (btrfs serves a
 *       direct read into absent pages from the page cache).
 * @page: base page size of the machine.
 */
struct scratch {
	int fd;
	int direct;
	unsigned char *buf;
	size_t page;
};

/* Make it, SCRATCH_BYTES long, synced. Returns 0, or -errno; then it owns nothing. */
int probe_scratch_open(struct scratch *scratch, const struct place *place);

/* Takes a zeroed one too. */
void probe_scratch_close(struct scratch *scratch);

/* Fill memory with the pattern of a file offset (a multiple of 8). */
void scratch_pattern(unsigned char *buf, size_t len, uint64_t off, uint64_t seed);

/* Does memory hold that pattern? */
bool scratch_matches(const unsigned char *buf, size_t len, uint64_t off, uint64_t seed);

/* Write back and drop the cached pages. Returns 0 or -errno. */
int probe_scratch_drop(const struct scratch *scratch);

/* Cached pages of a range by cachestat(2), or -errno. */
int64_t scratch_cachestat(const struct scratch *scratch, uint64_t off, size_t len);

/* Cached pages of a range by mincore(2), or -errno. */
int64_t scratch_mincore(const struct scratch *scratch, uint64_t off, size_t len);

/* The larger of both answers: an overlay's cachestat says 0 whatever is cached. */
int64_t scratch_cached(const struct scratch *scratch, uint64_t off, size_t len);

#endif
