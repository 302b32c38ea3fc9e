/* SPDX-License-Identifier: MIT */
/*
 * format.h - every byte of a log file: headers, records, addresses. Told in docs/format/wal.md.
 *
 * An LSN is segment number * segment_bytes + offset in the segment. Pure
 * arithmetic over memory: nothing here does I/O, and any bytes may be given.
 */
#ifndef SLUICE_STORE_WAL_FORMAT_H
#define SLUICE_STORE_WAL_FORMAT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <sluice/wal.h>

#include "base/bits.h"

#define WAL_FILE_MAGIC	  "SLUICWAL"
#define WAL_SEGMENT_MAGIC "SLUICSEG"
#define WAL_VERSION	  1
#define WAL_ALIGN	  32 /* records begin at multiples of it */
#define WAL_BLOCK_MIN	  4096u
#define WAL_BLOCK_MAX	  65536u
#define WAL_BUFFER_MAX	  ((uint32_t)64 << 20)
#define WAL_SEGMENT_MAX	  ((uint64_t)1 << 30)
#define WAL_SEGMENTS_MAX  65535u

/* The first bytes of the file, in a block of their own; never rewritten. */
struct wal_file_header {
	char magic[8];
	uint32_t version;
	uint32_t block_bytes;
	uint64_t segment_bytes;
	uint64_t log_id;
	uint32_t buffer_bytes;
	uint32_t flags; /* none is defined: 0 */
	uint8_t reserved[20];
	uint32_t crc; /* over the bytes before it */
};

/* The first bytes of a segment, in a block of their own; rewritten when the
 * segment is used again. Within the first 512 bytes, so a power cut leaves the
 * old one or the new one. */
struct wal_segment_header {
	char magic[8];
	uint64_t log_id;
	uint64_t seq;
	uint64_t first_seq; /* the oldest segment needed when this was written */
	uint32_t epoch;
	uint32_t slot;	/* which segment of the file this is, from 0 on */
	uint32_t slots; /* how many were in use, this one included */
	uint8_t reserved[16];
	uint32_t crc; /* over the bytes before it */
};

/* What is before each record's bytes; these are followed by zeros up to WAL_ALIGN. */
struct wal_record_header {
	uint32_t crc; /* over all behind it: header, bytes and zeros */
	uint32_t len;
	uint64_t lsn;
	uint32_t epoch;
	uint8_t kind; /* enum sl_wal_kind */
	uint8_t reserved;
	uint16_t slots;	  /* how many segments of the file were in use at the time */
	uint64_t durable; /* all before this LSN was durable at the time */
};

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");
static_assert(sizeof(struct wal_file_header) == 64, "format");
static_assert(offsetof(struct wal_file_header, segment_bytes) == 16, "format");
static_assert(offsetof(struct wal_file_header, crc) == 60, "format");
static_assert(sizeof(struct wal_segment_header) == 64, "format");
static_assert(offsetof(struct wal_segment_header, epoch) == 32, "format");
static_assert(offsetof(struct wal_segment_header, crc) == 60, "format");
static_assert(sizeof(struct wal_record_header) == WAL_ALIGN, "format");
static_assert(offsetof(struct wal_record_header, lsn) == 8, "format");
static_assert(offsetof(struct wal_record_header, kind) == 20, "format");
static_assert(offsetof(struct wal_record_header, durable) == 24, "format");

/* The shape of a log, from its file header. */
struct wal_shape {
	uint32_t block_bytes;
	uint32_t buffer_bytes;
	uint64_t segment_bytes;
	uint64_t log_id;
	uint32_t seed; /* of record checksums, from log_id; never 0 */
};

/* ---- addresses ---------------------------------------------------------------------- */

static inline uint64_t wal_seq(const struct wal_shape *shape, uint64_t lsn)
{
	return lsn / shape->segment_bytes;
}

/* Where the records of a segment begin. */
static inline uint64_t wal_seq_start(const struct wal_shape *shape, uint64_t seq)
{
	return seq * shape->segment_bytes + shape->block_bytes;
}

static inline uint64_t wal_segment_end(const struct wal_shape *shape, uint64_t lsn)
{
	return (wal_seq(shape, lsn) + 1) * shape->segment_bytes;
}

/* The same place, told as the start of the next segment if it is the end of one. */
static inline uint64_t wal_normal(const struct wal_shape *shape, uint64_t lsn)
{
	return lsn % shape->segment_bytes ? lsn : lsn + shape->block_bytes;
}

/* Where a segment of the file begins. */
static inline uint64_t wal_slot_off(const struct wal_shape *shape, uint64_t slot)
{
	return shape->block_bytes + slot * shape->segment_bytes;
}

/* Bytes of a record in the log. */
static inline uint64_t wal_extent(uint64_t len)
{
	return sl_round_up(sizeof(struct wal_record_header) + len, WAL_ALIGN);
}

/* Bytes of the longest record: it must fit a buffer, and a segment. */
static inline uint32_t wal_record_max(const struct wal_shape *shape)
{
	uint64_t room = shape->segment_bytes - shape->block_bytes;

	if (room > shape->buffer_bytes)
		room = shape->buffer_bytes;
	return (uint32_t)room - WAL_ALIGN;
}

/* ---- headers ------------------------------------------------------------------------ */

/* Whether these numbers can be a log's. */
bool wal_shape_ok(const struct wal_shape *shape);

/* Sets the seed from the log_id. */
void wal_shape_seed(struct wal_shape *shape);

void wal_file_header_put(void *block, const struct wal_shape *shape);

/* 0; -EILSEQ: no log; -EOPNOTSUPP: of a later version; -EBADMSG: checksum. The
 * version, where there is one, goes to *ret_version in any case. */
int wal_file_header_get(const void *block, struct wal_shape *ret_shape, uint32_t *ret_version);

void wal_segment_header_put(void *block, const struct wal_shape *shape,
			    const struct wal_segment_header *header);

/* Whether block holds the header of a segment of this log, at its place. */
bool wal_segment_header_get(const void *block, const struct wal_shape *shape, uint32_t slot,
			    struct wal_segment_header *ret_header);

/* ---- records ------------------------------------------------------------------------ */

/* Fills in the header, checksum and closing zeros of a record whose len bytes
 * are in place behind it. */
void wal_record_seal(void *at, const struct wal_shape *shape,
		     const struct wal_record_header *header);

/* Whether the avail bytes at lsn hold a record: 0; -ENODATA: none;
 * -EMSGSIZE: there may be one, of which avail is only a part. */
int wal_record_get(const void *at, uint64_t avail, uint64_t lsn, const struct wal_shape *shape,
		   struct wal_record_header *ret_header);

/* ---- from record to record ---------------------------------------------------------- */

/* A walk over the log. What lies at pos need not be a record of this epoch: then
 * the log goes on at the next block if that begins a new epoch which says that
 * the one before ended at pos. */
struct wal_cursor {
	uint64_t pos;	/* the address to look at next */
	uint64_t from;	/* where the chain broke, while a new epoch is looked for; or 0 */
	uint32_t epoch; /* 0: that of the first record */
};

enum {
	WAL_CURSOR_RECORD = 1, /* a record was taken, pos is behind it */
	WAL_CURSOR_JUMPED = 2, /* pos has moved to where a new epoch may begin */
};

/* Looks at the avail bytes at pos: one of the above; -ENODATA: the log ends at
 * pos; -EMSGSIZE: more bytes must be seen. */
int wal_cursor_step(struct wal_cursor *cursor, const struct wal_shape *shape, const void *at,
		    uint64_t avail, struct wal_record_header *ret_header);

/* What lies at pos is known to be no record: WAL_CURSOR_JUMPED or -ENODATA, as above. */
int wal_cursor_broken(struct wal_cursor *cursor, const struct wal_shape *shape);

/* There is nothing to see at pos: the log ends where the chain broke. */
void wal_cursor_end(struct wal_cursor *cursor);

#endif
