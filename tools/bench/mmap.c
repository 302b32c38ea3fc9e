/* mmap.c: the file as memory; a page fault instead of a call. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "mechanisms.h"

/* Mapped pages cannot be dropped from the page cache: a cold workload unmaps after each block. */
static int map_begin(struct contender *c)
{
	int prot = c->work->write_percent ? PROT_READ | PROT_WRITE : PROT_READ;

	if (c->state)
		return 0;
	c->state = mmap(NULL, (size_t)c->env->file->size, prot, MAP_SHARED, c->fd, 0);
	if (c->state == MAP_FAILED) {
		c->state = NULL;
		return -errno;
	}
	madvise(c->state, (size_t)c->env->file->size,
		c->work->sequential ? MADV_SEQUENTIAL : MADV_RANDOM);
	return 0;
}

static void map_shut(struct contender *c)
{
	if (c->state)
		munmap(c->state, (size_t)c->env->file->size);
	c->state = NULL;
}

static void map_end(struct contender *c)
{
	if (c->work->cache == CACHE_COLD)
		map_shut(c);
}

static int map_open(struct contender *c)
{
	int err = map_begin(c);

	if (err)
		return contender_lacks_errno(c, "mmap(2) of this file", err);
	c->copies = 1;
	return 0;
}

/* The block is copied out, so that its data ends where that of read(2) ends. */
static int map_run(struct contender *c, uint64_t nr)
{
	unsigned char *map = c->state, *buf = contender_block(c, 0);

	for (uint64_t i = 0; i < nr; i++) {
		struct stream_op op = stream_at(c->env->stream, i);

		if (op.write)
			stream_stamp(c, buf, op.off);
		contender_start(c, 0);
		if (op.write)
			memcpy(map + op.off, buf, c->work->block_bytes);
		else
			memcpy(buf, map + op.off, c->work->block_bytes);
		contender_finish(c, 0);
		contender_check(c, buf, op.off);
	}
	return stream_settle(c);
}

const struct mechanism mechanism_mmap = {
	.name = "mmap",
	.about = "mmap(2), each block copied out of the mapping",
	.why = "a page that is already mapped costs no system call at all",
	.unless = "the file may shrink or fail to read (then it is SIGBUS, not an error), or is "
		  "larger than memory",
	.simplicity = 5,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED,
	.open = map_open,
	.begin = map_begin,
	.run = map_run,
	.end = map_end,
	.shut = map_shut,
};
