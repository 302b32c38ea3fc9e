/* workload.h: the kinds of work, their state before each block, and what all contenders share. */
#ifndef SLUICE_TOOLS_BENCH_WORKLOAD_H
#define SLUICE_TOOLS_BENCH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datafile.h"

enum workload_kind {
	WORKLOAD_BLOCKS, /* read and write blocks of the file at given offsets */
	WORKLOAD_APPEND, /* append records, each durable before the next */
	WORKLOAD_SEND,	 /* file to socket */
	WORKLOAD_WATCH,	 /* wait for events on many descriptors */
	WORKLOAD_KIND_MAX
};

/* What the file's pages are brought to, and proved to be, before each block. */
enum workload_cache {
	CACHE_WARM, /* every page resident */
	CACHE_COLD, /* no page resident */
};

/**
 * struct workload - one realistic job.
 *
 * @name: as in --only and the JSON, "read-cached".
 * @title: one line for people; filled with the sizes in use.
 * @modes: mechanism_mode bits of the contenders that take part.
 * @block_bytes: bytes per operation.
 * @write_percent: share of writes.
 * @sequential: offsets ascend; else they are uniformly random.
 * @watched: descriptors, for WORKLOAD_WATCH.
 */
struct workload {
	char name[32];
	char title[96];
	enum workload_kind kind;
	enum workload_cache cache;
	unsigned modes;
	uint32_t block_bytes;
	unsigned write_percent;
	bool sequential;
	unsigned watched;
};

/* The operations of one round: the same for every contender. Power of two entries, used in a
 * circle. */
#define STREAM_ENTRIES (1u << 16)
#define STREAM_WRITE   (1u << 31)

struct stream {
	uint32_t block_bytes;
	uint32_t entry[STREAM_ENTRIES]; /* block number, STREAM_WRITE */
};

struct stream_op {
	uint64_t off;
	bool write;
};

struct place;
struct crowd;

/**
 * struct workload_env - what the contenders of a workload share.
 *
 * @file: data to read, or where appends go.
 * @dir: the directory under test, for files of a contender's own.
 * @stream: this round's operations, for WORKLOAD_BLOCKS.
 * @place: where senders and receivers run, for WORKLOAD_SEND; NULL: anywhere.
 * @crowd: the descriptors, for WORKLOAD_WATCH.
 * @round_seed: new in every round, the same for all in it.
 */
struct workload_env {
	struct datafile *file;
	const char *dir;
	struct stream *stream;
	const struct place *place;
	struct crowd *crowd;
	uint64_t round_seed;
};

/**
 * stream_draw - draw the operations of a round.
 * @s: written.
 * @w: says which.
 * @file_bytes: size of the file.
 * @state: the generator.
 */
void stream_draw(struct stream *s, const struct workload *w, uint64_t file_bytes, uint64_t *state);

/**
 * stream_at - the i-th operation of the round.
 * @s: borrowed.
 * @i: any number.
 *
 * Return: where, and whether it is a write.
 */
static inline struct stream_op stream_at(const struct stream *s, uint64_t i)
{
	uint32_t e = s->entry[i % STREAM_ENTRIES];

	return (struct stream_op){ (uint64_t)(e & ~STREAM_WRITE) * s->block_bytes,
				   (e & STREAM_WRITE) != 0 };
}

#endif
