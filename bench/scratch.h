/* scratch.h: a nameless file full of bytes to read. */
#ifndef SLUICE_BENCH_SCRATCH_H
#define SLUICE_BENCH_SCRATCH_H

#include <stdint.h>

/**
 * struct scratch - the file.
 * @fd: read-write, buffered.
 * @size: bytes.
 * @path: opens it again, also from another process, as long as this one lives.
 */
struct scratch {
	int fd;
	uint64_t size;
	char path[64];
};

/**
 * scratch_make - make and fill a file that nothing can leave behind.
 * @s: written.
 * @dir: where.
 * @size: bytes, a multiple of 1 MiB.
 *
 * It loses its name before the first byte is written.
 *
 * Return: 0, or -errno, told on standard error.
 */
int scratch_make(struct scratch *s, const char *dir, uint64_t size);

/**
 * scratch_cool - write it out and drop it from the page cache.
 * @s: the file.
 *
 * Return: 0 or -errno.
 */
int scratch_cool(const struct scratch *s);

/**
 * scratch_close - the file is gone.
 * @s: the file.
 */
void scratch_close(struct scratch *s);

#endif
