/* SPDX-License-Identifier: MIT */
/*
 * wal.h - a write-ahead log: append copies and orders, commit makes durable, recovery is exact.
 *
 * A log is one file of fixed-size segments. A record's LSN is its address in the
 * endless stream of segments: LSNs only grow, and 0 is never one. The format is
 * in docs/format/wal.md; what keeps it safe, in short:
 *
 *  - Records are copied into bounded buffers. A commit writes the buffer, padded
 *    to whole blocks, by one durable write over blocks that were written before;
 *    one such write is in flight at a time. Whoever commits meanwhile shares the
 *    next one: that is the group commit.
 *  - A block is written once between two uses of its segment. Nothing that was
 *    acknowledged, or found by a recovery, is ever written over before it is
 *    truncated, so that a torn write can only hurt what nobody was promised.
 *  - Every record carries length, LSN, epoch and a CRC-32C that begins with the
 *    log's own number: bytes that are torn, zeroed, stale (of an earlier use of
 *    the segment or of a tail that was cut off), misplaced or another log's are
 *    not a record.
 *  - Opening for writing syncs the file and its directory before it reads, finds
 *    the end, and durably begins a new epoch there before anything is appended:
 *    what lay behind the end is dead from then on, also if that very step is cut
 *    short.
 *  - A record also says what was durable when it was written. Recovery therefore
 *    tells a torn tail (nothing acknowledged is missing) from a damaged log
 *    (-EBADMSG), but for damage to the last write itself, which looks like one
 *    that never ended.
 *
 * Poison. The first failed write or sync ends the log: every later call answers
 * that error, and so do all who wait. Only opening the log anew tells what is in
 * it. Use direct I/O (the default) where that matters: a page cache may show
 * what the device lost, see file.h.
 *
 * A full disk is told before data is accepted: the segment behind the current
 * one is always made ready first, its blocks written with zeros or recycled.
 *
 * A log belongs to its ring and to the ring's thread; one writer per file, held
 * by a lock on it.
 */
#ifndef SLUICE_WAL_H
#define SLUICE_WAL_H

#include <sluice/err.h>
#include <sys/uio.h>

SL_BEGIN_DECLS

struct sl_ring;
struct sl_wal;
struct sl_wal_reader;
struct sl_wal_wait;

enum sl_wal_flag {
	SL_WAL_CREATE = 1 << 0,	  /* make the log if there is no such file */
	SL_WAL_BUFFERED = 1 << 1, /* through the page cache, not by direct I/O */
};

/**
 * struct sl_wal_segment - a segment that has been filled, for the archiver
 * @seq: its number, from 1 on
 * @first_lsn: where its records begin
 * @end_lsn: where those of the next segment begin
 * @off: byte offset of the segment in the file
 * @len: its bytes, the header of one block included
 */
struct sl_wal_segment {
	uint64_t seq;
	uint64_t first_lsn;
	uint64_t end_lsn;
	uint64_t off;
	uint64_t len;
};

/**
 * struct sl_wal_opts - how to open a log; zero means the default everywhere
 * @size: sizeof(struct sl_wal_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_wal_flag
 * @permissions: of a file that is created, less the umask; 0: 0666
 * @buffers: log buffers, 2..64; default 4
 * @segments_max: most segments of the file, 2..65535; default 64. A file that
 *	has more keeps them
 * @commit_delay_ns: longest wait for others to join a commit; default 0: what
 *	comes while a write is in flight joins the next one, and nobody waits
 *	besides. With it a commit is held back only while fewer have come than
 *	lately came together, so a single committer never waits; most 1 s
 * @block_bytes: of a new log: what is written as a unit, a power of two
 *	4096..65536; default 4096. No block of the device may be larger
 * @buffer_bytes: of a new log: bytes of a buffer and bound of one write, in
 *	blocks; default 262144, most 64 MiB
 * @segment_bytes: of a new log: in blocks; default 16 MiB, at least two blocks,
 *	most 1 GiB
 * @log_id: of a new log: a number no other log has; 0: made from the clock
 * @archive: told of each segment once it is full and durable; the segment is
 *	kept until sl_wal_archived() says otherwise. It may not close the log.
 *	NULL: nothing waits for an archive
 * @ctx: passed to @archive
 */
struct sl_wal_opts {
	size_t size;
	uint32_t flags;
	uint32_t permissions;
	uint32_t buffers;
	uint32_t segments_max;
	uint64_t commit_delay_ns;
	uint32_t block_bytes;
	uint32_t buffer_bytes;
	uint64_t segment_bytes;
	uint64_t log_id;
	void (*archive)(void *ctx, struct sl_wal *wal, const struct sl_wal_segment *segment);
	void *ctx;
};

/**
 * sl_wal_open - open a log for appending, and recover it
 * @ring: the ring that does its I/O; runs until the log is open
 * @dirfd: directory for a relative @path, or AT_FDCWD
 * @path: the file, borrowed during the call
 * @opts: how, copied; NULL means all defaults
 * @ret_wal: the log, to be ended by sl_wal_close() before the ring
 *
 * Read what was recovered with a reader from sl_wal_info.first_lsn on. A log is
 * created under another name and renamed when it is complete and durable.
 * Nothing is written to a log that is refused. One that is full opens, so that
 * it can be read and truncated; its epoch begins with the next append.
 *
 * Context: owner thread, not from a callback; sleeps; allocates.
 * Return: 0, or
 * -EINVAL for an unknown flag or a number out of bounds;
 * -ENOENT without SL_WAL_CREATE; -EBUSY when another holds or makes the log, or from a
 * callback; -EILSEQ when the file is no log; -EOPNOTSUPP when it is of a later
 * version; -EBADMSG when acknowledged records are damaged or missing (see
 * sl_wal_check()); -ENOSPC when there is no room to create it; -ENOMEM;
 * -EIO when a part of it cannot be read; or what opening, writing or syncing
 * answered.
 */
SL_EXPORT int sl_wal_open(struct sl_ring *ring, int dirfd, const char *path,
			  const struct sl_wal_opts *opts, struct sl_wal **ret_wal);

/**
 * sl_wal_close - end what was committed, close the log and free it
 * @wal: the log; NULL is ignored. Its readers are closed before.
 *
 * Waits for commits that were asked for. What was appended after the last one
 * may be lost: sl_wal_flush() before it tells. Whoever waits for room is told
 * -ECANCELED.
 *
 * Context: owner thread, not from a callback; sleeps.
 */
SL_EXPORT void sl_wal_close(struct sl_wal *wal);

/* ---- appending -------------------------------------------------------------------- */

/**
 * sl_wal_append - copy a record to the end of the log
 * @wal: the log
 * @data: its bytes, copied: the caller's again on return
 * @len: how many, 0..sl_wal_info.record_max
 * @ret_lsn: its LSN; may be NULL
 *
 * Records are in the log in the order of these calls. Durable it is only after
 * sl_wal_commit() or sl_wal_flush(). A buffer that is full is written without
 * waiting for a commit.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: 0, or
 * -EAGAIN when all buffers are full or the next segment is not ready yet: run
 * the ring, or see sl_wal_room();
 * -ENOSPC when no segment is free and none can be added: truncate the log;
 * -EMSGSIZE for a record longer than record_max; -EINVAL for NULL data with a
 * length; the first error of a failed log.
 */
SL_EXPORT int sl_wal_append(struct sl_wal *wal, const void *data, size_t len, uint64_t *ret_lsn);

/**
 * sl_wal_appendv - append a record from several pieces
 * @wal: the log
 * @iov: nr pieces; the array is borrowed during the call, the bytes are copied
 * @nr: how many pieces
 * @ret_lsn: its LSN; may be NULL
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: as sl_wal_append().
 */
SL_EXPORT int sl_wal_appendv(struct sl_wal *wal, const struct iovec *iov, unsigned nr,
			     uint64_t *ret_lsn);

/**
 * typedef sl_wal_fn - told that what was waited for has happened, or cannot
 * @wal: the log
 * @wait: the wait, idle again; its res is valid until it is used anew
 *
 * Runs inside sl_ring_run(). It may append and commit, with this wait too; it
 * may not close the log.
 */
typedef void sl_wal_fn(struct sl_wal *wal, struct sl_wal_wait *wait);

/**
 * struct sl_wal_wait - somebody who waits for the log, in the caller's memory
 * @lsn: COMMIT: the record that is to be durable, with all before it
 * @done: called when it is, or when the log has failed
 * @user: the caller's own
 * @res: 0, or the -errno that ended the log
 *
 * A zeroed struct is idle. It belongs to the library from a call that said so
 * until @done is called.
 */
struct sl_wal_wait {
	uint64_t lsn;
	sl_wal_fn *done;
	void *user;
	int res;

	/* private: */
	uint8_t busy;
	struct sl_wal_wait *next;
};

/**
 * sl_wal_commit - make a record durable, with all records before it
 * @wal: the log
 * @wait: an idle wait with lsn and done
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: 0: done will be called, never inside this call;
 * 1: it is durable already, done is not called;
 * -EINVAL for an LSN that was not appended, a wait without done or one that is
 * not idle; -EAGAIN when the ring has no room for the write; the first error
 * of a failed log.
 */
SL_EXPORT int sl_wal_commit(struct sl_wal *wal, struct sl_wal_wait *wait);

/**
 * sl_wal_room - wait until an append that was refused may be tried again
 * @wal: the log
 * @wait: an idle wait with done; lsn is ignored
 *
 * For those who were answered -EAGAIN. All who wait are told when a buffer or a
 * segment becomes free; the append may be refused again.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: 0: done will be called; 1: there is room now; -EINVAL for a wait
 * without done or one that is not idle; -ENOSPC when only sl_wal_truncate() can
 * make room; the first error of a failed log.
 */
SL_EXPORT int sl_wal_room(struct sl_wal *wal, struct sl_wal_wait *wait);

/**
 * sl_wal_flush - make durable all that was appended, and wait for it
 * @wal: the log
 *
 * Other ops of the ring make progress meanwhile. For straight-line code. Where all
 * segments are needed it waits until a callback has truncated or archived some.
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: 0; -EBUSY from a callback; the first error of a failed log.
 */
SL_EXPORT int sl_wal_flush(struct sl_wal *wal);

/* ---- the far end ------------------------------------------------------------------ */

/**
 * sl_wal_truncate - say that records before an LSN are needed no more
 * @wal: the log
 * @lsn: the oldest record still needed, durable; or sl_wal_info.tail_lsn when
 *	all is durable
 *
 * Segments that lie wholly before it are used again, one after the other as
 * the log grows; the file does not shrink. After a crash some of them may still
 * be in the log: recovery may begin earlier, never later, than @lsn.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: 0; -EINVAL for an LSN that is not durable; the first error of a
 * failed log.
 */
SL_EXPORT int sl_wal_truncate(struct sl_wal *wal, uint64_t lsn);

/**
 * sl_wal_archived - say that records before an LSN are in the archive
 * @wal: a log opened with an archiver
 * @lsn: as for sl_wal_truncate(), for example sl_wal_segment.end_lsn
 *
 * A segment is used again when it is both truncated and archived. The archiver
 * is not told again, after a reopening, of segments that were full before: it
 * reads them with a reader from sl_wal_info.first_lsn on.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: as sl_wal_truncate(); -EINVAL also without an archiver.
 */
SL_EXPORT int sl_wal_archived(struct sl_wal *wal, uint64_t lsn);

/**
 * struct sl_wal_info - where a log stands
 * @first_lsn: where its oldest segment begins
 * @durable_lsn: all before it is durable
 * @tail_lsn: all before it was appended
 * @recovered_lsn: where recovery found the end
 * @log_id: the log's own number
 * @epoch: how often it was opened for writing
 * @error: 0, or the -errno that ended it
 * @block_bytes: see struct sl_wal_opts
 * @buffer_bytes: the same
 * @segment_bytes: the same
 * @record_max: bytes of the longest record
 * @segments: in the file now
 * @segments_free: of these, free to be used again now
 * @buffers_free: buffers with nothing in them now
 * @records: appended since it was opened
 * @commits: waits answered since then
 * @writes: durable writes of groups since then
 * @write_bytes: their bytes
 * @delays: writes that were held back for others to join
 */
struct sl_wal_info {
	uint64_t first_lsn;
	uint64_t durable_lsn;
	uint64_t tail_lsn;
	uint64_t recovered_lsn;
	uint64_t log_id;
	uint32_t epoch;
	int32_t error;
	uint32_t block_bytes;
	uint32_t buffer_bytes;
	uint64_t segment_bytes;
	uint32_t record_max;
	uint32_t segments;
	uint32_t segments_free;
	uint32_t buffers_free;
	uint64_t records;
	uint64_t commits;
	uint64_t writes;
	uint64_t write_bytes;
	uint64_t delays;
};

/**
 * sl_wal_info - where a log stands
 * @wal: the log
 * @ret_info: filled in
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_wal_info(const struct sl_wal *wal, struct sl_wal_info *ret_info);

/* ---- reading a live log ------------------------------------------------------------ */

/* What a record is. Only data records are the user's. */
enum sl_wal_kind {
	SL_WAL_DATA = 1,  /* what was appended */
	SL_WAL_PAD = 2,	  /* fills the last block of a write */
	SL_WAL_END = 3,	  /* the rest of the segment is unused */
	SL_WAL_EPOCH = 4, /* the log was opened for writing here */
};

/**
 * struct sl_wal_record - a record
 * @lsn: its LSN
 * @next_lsn: where the one after it begins
 * @durable_lsn: what was durable when it was appended
 * @epoch: of the opening that appended it
 * @kind: enum sl_wal_kind
 * @len: bytes of @data
 * @data: valid until the next call on the reader, or during the callback
 * @off: where it is in the file
 */
struct sl_wal_record {
	uint64_t lsn;
	uint64_t next_lsn;
	uint64_t durable_lsn;
	uint32_t epoch;
	uint32_t kind;
	uint32_t len;
	const void *data;
	uint64_t off;
};

/**
 * struct sl_wal_reader_opts - where to read, and whom to tell
 * @size: sizeof(struct sl_wal_reader_opts), or 0 for the fields of version 0.1
 * @lsn: the record to begin with; 0: the first one there is
 * @ready: called when sl_wal_reader_next() has something new; may be NULL
 * @ctx: passed to @ready
 */
struct sl_wal_reader_opts {
	size_t size;
	uint64_t lsn;
	void (*ready)(struct sl_wal_reader *reader, void *ctx);
	void *ctx;
};

/**
 * sl_wal_reader_open - read the durable records of an open log, and follow its tail
 * @wal: the log; outlives the reader
 * @opts: where, copied; NULL means all defaults
 * @ret_reader: the reader, to be ended by sl_wal_reader_close()
 *
 * A reader holds nothing back: segments are used again under it, and it says so.
 *
 * Context: owner thread, also from a callback; allocates.
 * Return: 0; -ENOENT for an LSN before the first; -EINVAL for one behind the
 * durable end or that can be no record's; -ENOMEM.
 */
SL_EXPORT int sl_wal_reader_open(struct sl_wal *wal, const struct sl_wal_reader_opts *opts,
				 struct sl_wal_reader **ret_reader);

/**
 * sl_wal_reader_next - the next durable record
 * @reader: the reader
 * @deadline_ns: as for sl_ring_run(): 0 waits; SL_RING_POLL does not and may be
 *	used from a callback
 * @ret_record: filled in; a data record
 *
 * Context: owner thread; runs the ring unless SL_RING_POLL.
 * Return: 0; -EAGAIN at the durable end, or while a read is in flight, when the
 * deadline passes (with a deadline of 0 at the durable end: when nothing is on
 * its way to become durable); -ENOENT when the record was truncated and its
 * segment used again; -EBADMSG when it is damaged or @lsn was no record's; what
 * reading the file answered.
 */
SL_EXPORT int sl_wal_reader_next(struct sl_wal_reader *reader, int64_t deadline_ns,
				 struct sl_wal_record *ret_record);

/**
 * sl_wal_reader_close - wait for a read in flight and free the reader
 * @reader: the reader; NULL is ignored
 *
 * Context: owner thread, not from a callback; sleeps.
 */
SL_EXPORT void sl_wal_reader_close(struct sl_wal_reader *reader);

/* ---- looking at a log without touching it ------------------------------------------- */

/* What a log turns out to be. */
enum sl_wal_verdict {
	SL_WAL_CLEAN = 0, /* its last write ends where the log ends */
	SL_WAL_TORN,	  /* fine: behind its end lies a write that never ended */
	SL_WAL_DAMAGED,	  /* acknowledged records are damaged or missing */
	SL_WAL_FOREIGN,	  /* no log, or cut short before its first segment */
	SL_WAL_FUTURE,	  /* a log of a later version */
};

/**
 * struct sl_wal_report - what was found in a file
 * @verdict: enum sl_wal_verdict
 * @version: of the format
 * @block_bytes: see struct sl_wal_opts
 * @buffer_bytes: the same
 * @segment_bytes: the same
 * @log_id: the log's own number
 * @epoch: of the last opening for writing
 * @segments: in the file
 * @segments_live: of these, holding the log
 * @first_lsn: where the oldest one begins
 * @end_lsn: where the last valid record ends
 * @bad_off: where in the file the trouble is, with DAMAGED and FOREIGN
 * @records: data records found
 * @data_bytes: their bytes
 * @why: one sentence about a verdict that is not CLEAN
 */
struct sl_wal_report {
	uint32_t verdict;
	uint32_t version;
	uint32_t block_bytes;
	uint32_t buffer_bytes;
	uint64_t segment_bytes;
	uint64_t log_id;
	uint32_t epoch;
	uint32_t segments;
	uint32_t segments_live;
	uint64_t first_lsn;
	uint64_t end_lsn;
	uint64_t bad_off;
	uint64_t records;
	uint64_t data_bytes;
	char why[192];
};

/**
 * typedef sl_wal_record_fn - told of each record of a log
 * @ctx: as given
 * @record: the record, of any kind; valid during the call
 *
 * Return: 0 to go on, else the walk ends with this value.
 */
typedef int sl_wal_record_fn(void *ctx, const struct sl_wal_record *record);

/**
 * sl_wal_check - walk over a log from its first record to its end, writing nothing
 * @ring: the ring that does the reading; runs until it is done
 * @dirfd: directory for a relative @path, or AT_FDCWD
 * @path: the file, borrowed during the call
 * @fn: called for each record; NULL: nobody
 * @ctx: passed to @fn
 * @ret_report: what was found until then, filled in whatever is returned
 *
 * Takes no lock: of a log that is being written it sees some recent state.
 *
 * Context: owner thread, not from a callback; sleeps; allocates.
 * Return: 0 for CLEAN and TORN; -EBADMSG for DAMAGED; -EILSEQ for FOREIGN;
 * -EOPNOTSUPP for FUTURE; what @fn returned; -ENOMEM; -EBUSY from a callback;
 * -EIO when a part of it cannot be read; or what opening it answered.
 */
SL_EXPORT int sl_wal_check(struct sl_ring *ring, int dirfd, const char *path, sl_wal_record_fn *fn,
			   void *ctx, struct sl_wal_report *ret_report);

SL_END_DECLS

#endif
