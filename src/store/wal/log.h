/* SPDX-License-Identifier: MIT */
/*
 * log.h - the log: what its parts share.
 *
 * Addresses, from the oldest to the newest:
 *
 *	first ......... durable ............ tail ......... end of the segment made ready
 *	  |  may be read   |  in the buffers  |  room
 *
 * Invariants:
 *  L1. Buffers are used in order. The oldest one alone is ever in flight, so at
 *      a crash at most one write is unacknowledged, and all before it is whole.
 *  L2. Every buffer begins at a block that was not written since its segment was
 *      made ready, and is written as whole blocks, once.
 *  L3. A record is put into a buffer only when its segment is ready: its header
 *      is durable, its blocks are written.
 *  L4. A segment is made ready only when the one before its predecessor is
 *      durable in full. Recovery may thus find one segment behind the end, no more.
 *  L5. The record of an epoch is durable before any other of that epoch is put in.
 *  L6. error is set once; from then on nothing is written, and whoever waits is told.
 *  L7. Callbacks of the user run from wal_settle() alone, which is never nested.
 */
#ifndef SLUICE_STORE_WAL_LOG_H
#define SLUICE_STORE_WAL_LOG_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/file.h>
#include <sluice/op.h>
#include <sluice/ring.h>
#include <sluice/wal.h>

#include "store/wal/format.h"
#include "store/wal/scan.h"

struct wal_waits {
	struct sl_wal_wait *head;
	struct sl_wal_wait **tail;
	uint32_t nr;
};

struct wal_buffer {
	unsigned char *mem;
	uint64_t start; /* LSN of its first byte, at a block */
	uint32_t used;
	bool sealed; /* full, or left for the next segment: nothing more is put in */
	struct wal_waits waits;
};

/* Making the next segment ready. */
enum wal_prepare {
	WAL_PREPARE_IDLE = 0,
	WAL_PREPARE_GROW,   /* writing zeros behind the end of the file */
	WAL_PREPARE_SYNC,   /* making them durable */
	WAL_PREPARE_HEADER, /* writing the header, durably */
};

struct sl_wal {
	struct sl_ring *ring;
	struct sl_file *file;
	struct sl_buf_pool *pool;
	struct wal_shape shape;
	struct sl_wal_opts opts;
	uint32_t epoch;
	int32_t error;
	uint64_t epoch_lsn; /* of its record; UINT64_MAX while there was no room for it */

	/* what was appended */
	struct wal_buffer *buffers;
	uint32_t head; /* the oldest in use */
	uint32_t count;
	uint64_t first;
	uint64_t durable;
	uint64_t tail;
	uint64_t recovered;

	/* the write in flight, and what asks for the next */
	struct sl_file_req write;
	uint64_t wanted; /* somebody waits for the records before it */
	bool writing;
	bool settling;
	bool delay_over;
	struct sl_op delay;
	uint32_t group;	       /* how many came together lately */
	struct wal_waits done; /* to be told, with done_res */
	struct wal_waits roomers;
	bool room_news;

	/* segments */
	struct wal_slot *slots;
	uint32_t nr_slots;
	uint32_t slots_max;
	uint32_t slots_used; /* the last one with a header, and those before it */
	uint64_t newest_seq; /* the newest segment that is ready */
	uint64_t first_seq;  /* the oldest one needed */
	uint64_t truncated;
	uint64_t archived;
	uint64_t told_seq; /* the archiver has been told of those before it */
	struct sl_file_req prepare;
	enum wal_prepare preparing;
	uint32_t prepare_slot;
	int prepare_err; /* why the next segment could not be made ready */
	unsigned char *header;

	struct sl_wal_reader *readers;
	struct sl_wal_info stats; /* the counters of it */
};

/* ---- who waits (commit.c) ------------------------------------------------------------ */

void wal_waits_init(struct wal_waits *waits);

/* Tells all who can be told and starts what can be started, from an op's callback. */
void wal_settle(struct sl_wal *wal);

/* Ends the log; returns the first error. */
int wal_fail(struct sl_wal *wal, int err);

/* Starts the write of the oldest buffer if something asks for it. */
int wal_write(struct sl_wal *wal);

/* ---- buffers (append.c) -------------------------------------------------------------- */

static inline struct wal_buffer *wal_oldest(struct sl_wal *wal)
{
	return wal->count ? &wal->buffers[wal->head] : NULL;
}

static inline struct wal_buffer *wal_newest(struct sl_wal *wal)
{
	return wal->count ? &wal->buffers[(wal->head + wal->count - 1) % wal->opts.buffers] : NULL;
}

/* Whether there is a write to come even if nobody asks any more. */
static inline bool wal_is_asked_for(const struct sl_wal *wal)
{
	const struct wal_buffer *oldest = wal->count ? &wal->buffers[wal->head] : NULL;

	return !wal->error && oldest && (oldest->sealed || wal->wanted > oldest->start);
}

/* Fills the last block of a buffer: nothing more is put in. */
void wal_buffer_seal(struct sl_wal *wal, struct wal_buffer *buffer);

/* Begins the epoch: 0 when its record is durable, -EAGAIN while it is on its way,
 * or why there is no room for it. */
int wal_begin_epoch(struct sl_wal *wal);

/* A record of any kind. */
int wal_append_kind(struct sl_wal *wal, enum sl_wal_kind kind, const struct iovec *iov, unsigned nr,
		    uint64_t *ret_lsn);

/* ---- segments (segment.c) ------------------------------------------------------------ */

/* Where the file holds an address of a segment that is there; 0 if it is not. */
uint64_t wal_file_off(const struct sl_wal *wal, uint64_t lsn);

/* Makes the next segment ready, if it is time and there is room. */
void wal_prepare(struct sl_wal *wal);

/* Why no record can be put into the next segment now. */
int wal_no_segment(struct sl_wal *wal);

/* Tells the archiver of segments that have become durable in full. */
void wal_tell_archiver(struct sl_wal *wal);

uint32_t wal_segments_free(const struct sl_wal *wal);

/* ---- readers (reader.c) -------------------------------------------------------------- */

void wal_tell_readers(struct sl_wal *wal);

/* ---- files (create.c) ---------------------------------------------------------------- */

/* Makes a log under the name, complete and durable; -EEXIST if the name is taken, -EBUSY while
 * somebody else makes it. */
int wal_create(struct sl_ring *ring, int dirfd, const char *path, const struct sl_wal_opts *opts);

/* One process and one log at a time; -EBUSY. The lock ends with the descriptor. */
int wal_lock(struct sl_ring *ring, const struct sl_file *file);

/* Makes the names in the directory of path durable. */
int wal_sync_dir(struct sl_ring *ring, int dirfd, const char *path);

/* A source that reads a file; ctx is the file. */
int64_t wal_file_read(void *file, void *buf, uint64_t len, uint64_t off);

#endif
