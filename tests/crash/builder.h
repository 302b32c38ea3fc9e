/* builder.h: traces written by hand: one line an op, names instead of inodes. */
#ifndef SLUICE_TESTS_CRASH_BUILDER_H
#define SLUICE_TESTS_CRASH_BUILDER_H

#include "harness.h"

#include "crash/trace.h"

/* A trace that is being told. Paths begin at the directory: "f", "a/f"; "" is the directory. */
struct story {
	struct crash_trace *trace;
	char path[256][64]; /* of inode idx + 2; "" without a name */
	bool is_dir[256];
	uint64_t nr;
};

void story_begin(struct story *story, uint32_t sector);
/* The same trace as whoever reads it sees it; the story may go on. */
struct crash_trace *story_read(struct story *story);
void story_end(struct story *story);

/* What was there from the start; a file's bytes are the test's to put there. */
void story_base(struct story *story, const char *path, uint32_t mode, uint64_t size);
uint64_t story_create(struct story *story, const char *path);
void story_mkdir(struct story *story, const char *path);
void story_link(struct story *story, const char *path, const char *further);
void story_symlink(struct story *story, const char *path, const char *target);
void story_unlink(struct story *story, const char *path);
void story_rename(struct story *story, const char *path, const char *to);
void story_exchange(struct story *story, const char *path, const char *with);
void story_write(struct story *story, const char *path, uint64_t off, const void *data,
		 uint32_t len, uint32_t flags);
/* bytes of one letter */
void story_fill(struct story *story, const char *path, uint64_t off, char letter, uint32_t len);
void story_truncate(struct story *story, const char *path, uint64_t size);
void story_allocate(struct story *story, const char *path, uint32_t mode, uint64_t off,
		    uint64_t len);
void story_close(struct story *story, const char *path);
/* flags: CRASH_DATA_ONLY, CRASH_FAULT (then it fails with EIO) */
void story_sync(struct story *story, const char *path, uint32_t flags);
void story_sync_all(struct story *story);
void story_ack(struct story *story, const char *line);

/* How many ops there are: the seq of the last one. */
uint64_t story_now(const struct story *story);
uint64_t story_inode(const struct story *story, const char *path);
/* Any op, as it is. */
void story_put(struct story *story, struct crash_op op, const void *data);

#endif
