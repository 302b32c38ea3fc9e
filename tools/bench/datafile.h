/* datafile.h: the file under test: made, filled, warmed, made cold, and never left behind. */
#ifndef SLUICE_TOOLS_BENCH_DATAFILE_H
#define SLUICE_TOOLS_BENCH_DATAFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Each sector of a file we made begins with its own offset, mixed with the seed. */
#define DATAFILE_SECTOR 512u

/**
 * struct datafile - a file under test.
 *
 * @fd: read-write for a file of ours, read-only for the user's.
 * @size: bytes, a multiple of the largest block in use.
 * @ours: we made it: it has no name, its sectors carry tags, it may be written.
 * @key: what the tags are mixed with.
 * @dio_align: what a direct request must be aligned to; 0 = the file system says direct I/O
 *             is not supported; 512..4096 otherwise (4096 when nothing answers).
 * @map: the whole file mapped for reading, for mincore(2) and for the mmap contender.
 */
struct datafile {
	int fd;
	uint64_t size;
	bool ours;
	uint64_t key;
	uint32_t dio_align;
	unsigned char *map;
	/* private: */
	bool use_mincore;
	unsigned char *residence;
};

/**
 * datafile_make - make a nameless file in a directory and fill it.
 * @file: written.
 * @dir: the directory.
 * @size: bytes to fill, a multiple of 1 MiB; 0 makes an empty file (for appends).
 * @seed: of the content.
 * @progress: told how many bytes are written, now and then; may be NULL.
 * @ctx: its argument.
 *
 * The file never has a name (O_TMPFILE); where the file system lacks that, it loses its
 * name before the first byte is written, with signals held back in between. So nothing
 * is left behind however the process ends; there, only SIGKILL between two system calls leaves
 * an empty file.
 *
 * Return: 0, or -errno of the step that failed; then nothing is owned.
 */
int datafile_make(struct datafile *file, const char *dir, uint64_t size, uint64_t seed,
		  void (*progress)(void *ctx, uint64_t done), void *ctx);

/**
 * datafile_use - take a file of the user's, to read only.
 * @file: written.
 * @path: a regular file.
 * @size_max: bytes of it to use at most.
 *
 * Return: 0, or -errno: -EFBIG is never given; -ENODATA when it is shorter than 1 MiB.
 */
int datafile_use(struct datafile *file, const char *path, uint64_t size_max);

/**
 * datafile_reopen - open the same file again with other flags.
 * @file: borrowed.
 * @flags: open(2) flags: O_RDONLY, O_RDWR, O_DIRECT, O_DSYNC, ...
 *
 * Return: a descriptor of its own open file description, or -errno.
 */
int datafile_reopen(const struct datafile *file, int flags);

/**
 * datafile_resident - how much of the file is in the page cache.
 * @file: borrowed.
 *
 * Return: bytes, or -errno where neither cachestat(2) nor mincore(2) answers.
 */
int64_t datafile_resident(struct datafile *file);

/**
 * datafile_resident_range - how much of a range is in the page cache.
 * @file: borrowed.
 * @off: first byte.
 * @len: bytes; what lies beyond the end counts from the beginning.
 *
 * Return: bytes, or -errno as datafile_resident().
 */
int64_t datafile_resident_range(struct datafile *file, uint64_t off, uint64_t len);

/**
 * datafile_unclean - how much of the file waits for the device.
 * @file: borrowed.
 *
 * Return: dirty and in-flight bytes, or -errno where cachestat(2) is missing.
 */
int64_t datafile_unclean(const struct datafile *file);

/**
 * datafile_warm - bring the whole file into the page cache.
 * @file: borrowed.
 *
 * Return: 0, -EIO and the like, or -ENOMEM when it does not stay there.
 */
int datafile_warm(struct datafile *file);

/**
 * datafile_cool - write it out and drop it from the page cache; waits for read-ahead to end.
 * @file: borrowed.
 *
 * Return: 0, or -EBUSY when pages stay cached (a file system that lives in memory).
 */
int datafile_cool(struct datafile *file);

/**
 * datafile_shut - close and unmap; a file of ours is gone with it.
 * @file: may be zeroed or half made.
 */
void datafile_shut(struct datafile *file);

/**
 * datafile_tag - what a sector of a file of ours begins with.
 * @file: borrowed.
 * @off: the sector's offset.
 *
 * Return: the tag.
 */
static inline uint64_t datafile_tag(const struct datafile *file, uint64_t off)
{
	return (off ^ file->key) * 0x9e3779b97f4a7c15u;
}

/**
 * datafile_holds - whether a buffer holds what the file has at an offset.
 * @file: borrowed; the user's own file is not checked.
 * @buf: at least 8 bytes.
 * @off: a multiple of DATAFILE_SECTOR.
 *
 * Return: true when it does.
 */
static inline bool datafile_holds(const struct datafile *file, const void *buf, uint64_t off)
{
	uint64_t tag;

	memcpy(&tag, buf, sizeof(tag));
	return !file->ours || tag == datafile_tag(file, off);
}

#endif
