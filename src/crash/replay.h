/* SPDX-License-Identifier: MIT */
/*
 * replay.h - a trace played op by op into a volume that knows what a crash may leave of it.
 *
 *	replay_create --> replay_rewind --> replay_step ... --> replay_rewind --> ...
 *
 * Memory: of the directory as it was, only those pages of files are loaded that some op of
 * the trace changes; files that no op is about are not in the volume at all ("still"): they
 * are the same in every state. Pages of all versions together are bounded; beyond the bound
 * they lie in a file (spill.h). Where its disk is full the oldest unsynced ops reach the
 * volume's disk, as they may at any time, and then it is -EFBIG.
 */
#ifndef SLUICE_CRASH_REPLAY_H
#define SLUICE_CRASH_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash/spill.h"
#include "crash/trace.h"
#include "model/volume.h"

#define REPLAY_BYTES_DEFAULT (UINT64_C(1) << 30)

/* An inode of the trace. */
struct crash_file {
	struct crash_file *hash_next;
	struct crash_file *all_next; /* in the order in which they were made */
	uint64_t number;
	uint32_t mode;
	struct model_inode *inode; /* while a later op is about it */
	uint64_t last_seq;	   /* the last op that is */

	/* What it was in the directory: its first name there. */
	char *base; /* "a/f"; NULL: it was not there */
	struct crash_file *base_dir;
	const struct crash_op *base_op;
	uint64_t base_size;
	unsigned char *loaded; /* a bit for each page that some op changes, or NULL */
	bool needed;	       /* some op is about it, or about what is below */
	bool moved;	       /* its path changes: all below it is needed */

	/* Of the view of a point, see view.h. */
	uint64_t view_pass;
	uint32_t first_page, pages_nr;
	uint64_t rest; /* hash of the pages that no unsynced op changes */

	/* Of the state that is built, see state.h. */
	uint64_t state_pass;
	uint32_t state_entry;
};

struct replay_opts {
	const struct crash_trace *trace;
	const char *base_dir;
	const struct model_profile *profile;
	uint64_t bytes_max; /* of pages in memory */
	uint64_t dropped;   /* seq of a sync that makes nothing durable; 0: none */
};

struct replay {
	struct replay_opts opts;
	int base_fd;
	struct crash_file **table;
	uint64_t table_mask;
	struct crash_file *files, **files_end;
	struct model_volume *volume;
	uint64_t at;	/* seq of the last op played */
	uint64_t *seqs; /* of the volume, after each op of the trace; [0]: before all */
	struct spill spill;
	uint64_t pressed;  /* how often ops were made durable early: too many were pending */
	uint64_t squeezed; /* ... or there was no room for their content */
};

int replay_create(const struct replay_opts *opts, struct replay **ret_replay);
void replay_destroy(struct replay *replay);

/* Back to before the first op; dropped: seq of a sync that does nothing, or 0. */
int replay_rewind(struct replay *replay, uint64_t dropped);
/* Plays the next op; -EFBIG; -EILSEQ: the directory is not what the trace says. */
int replay_step(struct replay *replay);
/* ... until op seq is played. */
int replay_to(struct replay *replay, uint64_t seq);

/* The op of the trace that an op of the volume came from. */
uint64_t replay_seq_of(const struct replay *replay, const struct model_op *op);

/* A page of a file as it was in the directory and as no op changes it: bytes, or 0 behind its
 * end, into buf. */
int replay_base_read(const struct replay *replay, const struct crash_file *file, uint64_t off,
		     void *buf, size_t len);
static inline bool replay_is_loaded(const struct crash_file *file, uint64_t idx)
{
	return file->loaded && file->loaded[idx / 8] >> idx % 8 & 1;
}
/* Whether the bytes of a page are those in the directory. */
static inline bool replay_is_base(const struct crash_file *file, uint64_t idx)
{
	return file->base && idx * MODEL_PAGE_BYTES < file->base_size &&
	       !replay_is_loaded(file, idx);
}

#endif
