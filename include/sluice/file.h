/* SPDX-License-Identifier: MIT */
/*
 * file.h - honest files: any offset and length by direct I/O, durability that is kept or refused.
 *
 * Direct I/O. A file opened with SL_FILE_DIRECT takes any offset, length and
 * memory. The parts that are aligned go straight between the device and the
 * caller's memory; edges are done by read-modify-write of one block in a bounce
 * buffer, under a lock on that block; misaligned memory goes through bounce
 * buffers in pieces. A misaligned request never reaches the kernel, and there
 * is no second, buffered descriptor. What this costs and what it cannot do:
 *
 *  - A write that ends inside the last block, beyond the end of the file, is
 *    padded with zeros to a whole block and the file truncated to its true end
 *    afterwards. A crash between the two leaves up to a block of zeros behind
 *    the data: not atomic. Formats must find their end by themselves.
 *  - The locks are this object's. Use one writer object per file: a second one,
 *    or raw ops on the descriptor, may lose what shares a block with an edge.
 *    Others may read, grow or truncate the file; readers stay correct.
 *  - Requests that share a block run one after the other, in the order in which
 *    they were submitted, unless both are reads. A read behind the end of the
 *    file does not wait for a write further on that moves this end. (Requests
 *    of a buffered file run as they come; the kernel keeps each in one piece.)
 *  - Memory that was never touched makes some file systems (btrfs) fall back to
 *    the page cache: touch buffers once, or take them from a pool (buf.h).
 *
 * Whether a direct request really was direct is a matter of evidence, not of
 * what was asked: see sl_file_mode().
 *
 * End of file. A read that answers less than asked, with res >= 0, has met the
 * end of the file. A short answer of the kernel counts as the end only if the
 * size then says so. Otherwise the whole aligned request is made again, up to 8
 * times; what is short even then was the end at the time if the size was seen
 * to change or the count is no whole number of sectors, else it is -EIO.
 *
 * Medium errors. When a direct read fails with -EIO, -ENODATA or -EILSEQ it is
 * made again in ever smaller parts down to a sector, so that done_len tells how
 * many bytes before the first bad sector are good and in the caller's memory.
 *
 * Durability. sl_file_write() alone promises nothing, direct or not. A write
 * with SL_FILE_DSYNC, or a sl_file_sync() submitted after the write completed,
 * is durable when it completes with res >= 0; a file's name is durable after
 * SL_OP_SYNC_DIR of its directory (sl_file_replace() does it).
 *
 * Poison. When a sync or a DSYNC write fails nobody knows what is on the
 * device, and the kernel reports the loss once only. The object then refuses
 * every later write, sync, truncate and allocate with that first error; reads
 * go on. The cure is to open the file again and to verify its content with
 * direct reads: the page cache may hold bytes that never reached the device.
 *
 * A file belongs to its ring and to the ring's thread. All calls answer what
 * the ring's calls do (-EPERM on another thread, -ESTALE after fork).
 */
#ifndef SLUICE_FILE_H
#define SLUICE_FILE_H

#include <sluice/err.h>
#include <sluice/op.h>

SL_BEGIN_DECLS

struct sl_ring;
struct sl_buf_pool;
struct sl_file;
struct sl_file_req;
struct sl_file_reader;
struct sl_file_writer;

/* How data is asked to move. What really happens: sl_file_mode(). */
enum sl_file_io {
	SL_FILE_BUFFERED = 0, /* through the page cache */
	SL_FILE_DIRECT,	      /* O_DIRECT, by the contract above */
	SL_FILE_DONTCACHE,    /* through the page cache, and out of it at once */
};

enum sl_file_flag {
	/* Fail with -EOPNOTSUPP unless SL_FILE_DIRECT is proven for what the file
	 * is opened for, or SL_FILE_DONTCACHE is accepted. Without it the file
	 * opens anyway, buffered if need be, and sl_file_mode() says so. */
	SL_FILE_REQUIRE = 1 << 0,
};

/**
 * struct sl_file_opts - how to open a file; zero means the default everywhere
 * @size: sizeof(struct sl_file_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_file_flag
 * @io: enum sl_file_io
 * @open_flags: O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_DSYNC
 *	...; O_CLOEXEC is always added; O_APPEND and O_PATH are refused
 * @permissions: of a file that is created, less the umask; 0: 0666
 * @bounce_count: bounce buffers of a direct file, 1..64; default 4
 * @bounce_bytes: bytes of each, rounded up to blocks; default 65536, most 16 MiB
 * @requests_max: most requests in flight or waiting; default 256, most 65536
 */
struct sl_file_opts {
	size_t size;
	uint32_t flags;
	uint32_t io;
	uint32_t open_flags;
	uint32_t permissions;
	uint32_t bounce_count;
	uint32_t bounce_bytes;
	uint32_t requests_max;
};

/* ---- requests --------------------------------------------------------------------- */

/**
 * typedef sl_file_fn - told that a request has completed
 * @file: the file
 * @req: the request, idle again; its result fields are valid until it is used anew
 *
 * Runs inside sl_ring_run(), never inside a submit. It may submit requests,
 * this one too; it may not close the file.
 */
typedef void sl_file_fn(struct sl_file *file, struct sl_file_req *req);

/* What a request does. */
enum sl_file_code {
	SL_FILE_READ = 1,
	SL_FILE_WRITE,
	SL_FILE_SYNC,
	SL_FILE_TRUNCATE,
	SL_FILE_ALLOCATE,
};

enum sl_file_req_flag {
	SL_FILE_DSYNC = 1 << 0,	    /* WRITE: durable before it completes */
	SL_FILE_SYNC_ALL = 1 << 1,  /* SYNC: timestamps too (fsync, not fdatasync) */
	SL_FILE_ZEROED = 1 << 2,    /* ALLOCATE: by writing zeros, see sl_file_allocate() */
	SL_FILE_KEEP_SIZE = 1 << 3, /* ALLOCATE: leave the size of the file alone */
};

/* ALLOCATE: what the blocks added are, in aux. */
enum sl_file_blocks {
	SL_FILE_BLOCKS_NONE = 0,  /* nothing was added */
	SL_FILE_BLOCKS_UNWRITTEN, /* reserved; the first write of each changes metadata too */
	SL_FILE_BLOCKS_WRITTEN,	  /* zeros were written: an overwrite changes data only */
};

/* private: a range of the file and its place in the lock. */
struct sl_file_range {
	uint64_t start;
	uint64_t end;
	struct sl_file_range *next;
	struct sl_file_range **link;
	uint8_t exclusive;
};

/**
 * struct sl_file_req - a request, in the caller's memory
 * @buf: data; the library's, like the request, until it has completed
 * @len: bytes of @buf, or of the range
 * @off: byte offset; TRUNCATE: the new size
 * @flags: enum sl_file_req_flag
 * @sched_class: scheduling class of its ops, see sl_ring_class()
 * @done: called when it has completed; NULL: ask sl_file_req_busy()
 * @user: the caller's own
 * @res: >= 0 the answer (READ, WRITE: bytes), < 0 -errno
 * @done_len: bytes done from @off on without a gap; valid with errors too
 * @aux: ALLOCATE: enum sl_file_blocks
 *
 * A zeroed struct is an idle request. Rule 1 of ring.h holds: from a call that
 * returned 0 until completion the request and its data belong to the library.
 * A request has no deadline; sl_ring_cancel_fd(ring, sl_file_fd(file)) asks all
 * that are in flight to end, and they complete with -ECANCELED.
 */
struct sl_file_req {
	void *buf;
	uint64_t len;
	uint64_t off;
	uint32_t flags;
	uint8_t sched_class;
	sl_file_fn *done;
	void *user;

	int64_t res;
	uint64_t done_len;
	uint32_t aux;

	/* private: */
	uint8_t code;
	uint8_t busy;
	uint8_t step;
	uint8_t tries;
	uint8_t resized;
	struct sl_file *file;
	struct sl_file_req *next;
	unsigned char *bounce;
	uint64_t pos;
	uint64_t end;
	uint64_t size;
	uint64_t padded_end;
	uint64_t piece_off;
	uint64_t piece_len;
	uint64_t piece_max;
	uint32_t grain;
	struct sl_file_range range;
	struct sl_op op;
};

/**
 * sl_file_req_busy - whether a request is the library's
 * @req: the request
 *
 * Return: 1 from its submission until it has completed, else 0.
 */
static inline int sl_file_req_busy(const struct sl_file_req *req)
{
	return req->busy;
}

/* ---- files ------------------------------------------------------------------------ */

/**
 * sl_file_open - open a regular file or a block device
 * @ring: the ring that does its I/O; runs until the file is open
 * @dirfd: directory for a relative @path, or AT_FDCWD
 * @path: the path, borrowed during the call
 * @opts: how, copied; NULL means all defaults: read only and buffered
 * @ret_file: the file, to be ended by sl_file_close() before the ring
 *
 * A file opened with O_WRONLY for direct I/O is opened for reading too where
 * permissions allow, since edges must be read. O_TRUNC and O_CREAT have done
 * their work also when SL_FILE_REQUIRE then fails the call.
 *
 * Context: owner thread, not from a callback; sleeps; allocates.
 * Return: 0, or
 * -EINVAL for an unknown flag, a number out of bounds, O_APPEND (the kernel
 * would ignore every offset) or O_PATH;
 * -EISDIR for a directory; -EOPNOTSUPP for what is neither a regular file nor a
 * block device, or as SL_FILE_REQUIRE says;
 * -ENOMEM; -EAGAIN when the ring is full; -EBUSY from a callback;
 * or what openat2(2) answered.
 */
SL_EXPORT int sl_file_open(struct sl_ring *ring, int dirfd, const char *path,
			   const struct sl_file_opts *opts, struct sl_file **ret_file);

/**
 * sl_file_close - wait for the file's requests, close it and free it
 * @file: the file; NULL is ignored
 *
 * Makes nothing durable: sl_file_sync() does, and can fail. In a forked child
 * only memory is freed. With requests in flight on a broken ring (see
 * sl_ring_error()) nothing is: the kernel may still write into what they name.
 * So it is for readers and writers on the file.
 *
 * Context: owner thread, not from a callback; sleeps.
 */
SL_EXPORT void sl_file_close(struct sl_file *file);

/**
 * sl_file_read - read len bytes at off into buf
 * @file: a file opened for reading
 * @req: an idle request with buf, len and off
 *
 * Completes with res = done_len = bytes read; less than len is the end of file.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: 0, or
 * -EINVAL for an unknown flag, an offset or length beyond 2^63 - 1 or a request
 * that is not idle; -EBADF when the file is not open for reading;
 * -EAGAIN when requests_max are in flight, or the ring has no room to park.
 */
SL_EXPORT int sl_file_read(struct sl_file *file, struct sl_file_req *req);

/**
 * sl_file_write - write len bytes of buf at off
 * @file: a file opened for writing
 * @req: an idle request with buf, len, off, and SL_FILE_DSYNC or not
 *
 * Completes with res = done_len = len, or an error. A hole is left where off is
 * beyond the end of the file. The data must not change until it completes.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: as sl_file_read(), -EBADF when the file is not open for writing; the
 * first error of a poisoned file.
 */
SL_EXPORT int sl_file_write(struct sl_file *file, struct sl_file_req *req);

/**
 * sl_file_sync - make durable what was written before
 * @file: a file opened for writing
 * @req: an idle request, with SL_FILE_SYNC_ALL or not
 *
 * Covers the writes, truncates and allocates of this file that completed before
 * this call, no others: data and the size (fdatasync). Its failure is final for
 * this object, see Poison above.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: as sl_file_write().
 */
SL_EXPORT int sl_file_sync(struct sl_file *file, struct sl_file_req *req);

/**
 * sl_file_truncate - set the size of a regular file to off
 * @file: a file opened for writing
 * @req: an idle request with off
 *
 * Waits for the requests at or beyond the block of off, or beyond the end of
 * the file, and holds back later ones.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: as sl_file_write(); -EOPNOTSUPP on a block device.
 */
SL_EXPORT int sl_file_truncate(struct sl_file *file, struct sl_file_req *req);

/**
 * sl_file_allocate - reserve blocks for len bytes at off
 * @file: a regular file opened for writing
 * @req: an idle request with off, len > 0, and flags
 *
 * Without flags the blocks are *unwritten*: later writes cannot fail for want
 * of space, but the first one of each block changes metadata, so a durable
 * write costs a journal commit. With SL_FILE_ZEROED zeros are *written* from
 * the end of the file (or off, if that is further) to off + len, and what the
 * file held before is left alone: after one sl_file_sync() durable overwrites
 * change data only. On a file system that copies on write (btrfs) neither
 * helps. Where the file system cannot reserve, zeros are written instead,
 * unless SL_FILE_KEEP_SIZE asks for what they cannot give. aux says which of
 * the two was done.
 *
 * Context: owner thread, also from a callback; neither sleeps nor allocates.
 * Return: as sl_file_write(); -EINVAL for len 0 or SL_FILE_ZEROED together with
 * SL_FILE_KEEP_SIZE; -EOPNOTSUPP on a block device.
 */
SL_EXPORT int sl_file_allocate(struct sl_file *file, struct sl_file_req *req);

/**
 * sl_file_do - run one request to its end
 * @file: the file
 * @code: enum sl_file_code
 * @req: an idle request; its callback, if any, runs too
 *
 * Other ops of the ring make progress meanwhile. For straight-line code.
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: req->res, or what refused the request; -EINVAL for an unknown code;
 * -EBUSY from a callback.
 */
SL_EXPORT int64_t sl_file_do(struct sl_file *file, unsigned code, struct sl_file_req *req);

/**
 * sl_file_fd - the descriptor or handle beneath
 * @file: the file
 *
 * Borrowed, for sl_ring_cancel_fd(), SL_OP_LOCK or SL_OP_STAT. Transfers on it
 * bypass the contract.
 *
 * Context: owner thread.
 * Return: the descriptor.
 */
SL_EXPORT int sl_file_fd(const struct sl_file *file);

/**
 * sl_file_size - the size of the file or device now
 * @file: the file
 * @ret_bytes: the size
 *
 * Context: owner thread, also from a callback; makes a system call.
 * Return: 0, or what sl_ring_describe() answered.
 */
SL_EXPORT int sl_file_size(struct sl_file *file, uint64_t *ret_bytes);

/**
 * sl_file_poison - the failed sync that ended this object's writes
 * @file: the file
 *
 * Context: owner thread.
 * Return: 0, or the first error of a sync or DSYNC write.
 */
SL_EXPORT int sl_file_poison(const struct sl_file *file);

/* ---- what a file turns out to be --------------------------------------------------- */

/* How data really moves. */
enum sl_file_way {
	SL_FILE_WAY_UNKNOWN = 0, /* it could not be found out here */
	SL_FILE_WAY_BUFFERED,
	SL_FILE_WAY_DIRECT,
};

/* What a verdict rests on. Names in brackets: the tests of sl_file(3). */
enum sl_file_evidence {
	SL_FILE_EV_STATX_YES = 1 << 0,	    /* [A] statx gives alignments for direct I/O */
	SL_FILE_EV_STATX_NO = 1 << 1,	    /* [A] statx says: not for this file */
	SL_FILE_EV_NOWAIT_READ = 1 << 2,    /* [B] an uncached RWF_NOWAIT read gave data */
	SL_FILE_EV_PAGES_LEFT = 1 << 3,	    /* [C] a read left pages in the page cache */
	SL_FILE_EV_NO_PAGES = 1 << 4,	    /* [C] it left none, where counts can be believed */
	SL_FILE_EV_DEVICE_READ = 1 << 5,    /* [D] reading again read from the device again */
	SL_FILE_EV_NO_DEVICE_READ = 1 << 6, /* [D] reading again read nothing from a device */
	SL_FILE_EV_CANARY_GONE = 1 << 7,    /* [E] a write drove a mapped page from the cache */
	SL_FILE_EV_CANARY_LEFT = 1 << 8,    /* [E] the mapped page stayed cached */
	SL_FILE_EV_NOWAIT_WRITE = 1 << 9,   /* [F] a RWF_NOWAIT write was accepted */
	SL_FILE_EV_NOT_ASKED = 1 << 10,	    /* O_DIRECT is not set: not asked for or refused */
	SL_FILE_EV_SCRATCH = 1 << 11,	    /* tried on a scratch file beside it */
	SL_FILE_EV_NO_SCRATCH = 1 << 12,    /* no scratch file could be made there */
	SL_FILE_EV_NO_KERNEL = 1 << 13,	    /* the backend is a world of its own */
};

/**
 * struct sl_file_mode - how data really moves, and how we know
 * @read: enum sl_file_way of reads
 * @write: enum sl_file_way of writes
 * @read_evidence: enum sl_file_evidence behind @read
 * @write_evidence: enum sl_file_evidence behind @write
 * @read_why: one sentence
 * @write_why: one sentence
 */
struct sl_file_mode {
	uint8_t read;
	uint8_t write;
	uint32_t read_evidence;
	uint32_t write_evidence;
	char read_why[192];
	char write_why[192];
};

/**
 * sl_file_mode - whether reads and writes really bypass the page cache
 * @file: the file
 * @ret_mode: filled in
 *
 * Tried, not asked, the first time; remembered afterwards. Reads are tried on
 * the file itself where it has a whole block, and may drop one clean page of it
 * from the page cache; writes are tried only on a scratch file, in the same
 * directory and with the same attributes, that never has a name where the
 * system can do that. Aligned requests of one block are what is tried:
 * compressed extents, inline data or a reflinked part elsewhere in the file may
 * differ. Writes of a block device are never tried, and stay unknown.
 *
 * Context: owner thread; sleeps.
 * Return: 0, or -ENOMEM.
 */
SL_EXPORT int sl_file_mode(struct sl_file *file, struct sl_file_mode *ret_mode);

/**
 * struct sl_file_info - what is known of a file
 * @io: enum sl_file_io in force, after a fall-back
 * @mem_align: memory at a multiple of it is used in place, other is bounced
 * @read_align: block of reads: offset and length are cut along it
 * @write_align: block of writes
 * @found_mem: memory alignment as found out, 0: not known
 * @found_read: the same for offset and length of reads
 * @found_write: the same for writes
 * @align_source: where the three come from, a constant string
 * @requests: in flight or waiting now
 * @waiting: of these, waiting for a range or a bounce buffer
 * @bounced: pieces that went through a bounce buffer so far
 * @edges: blocks read, modified and written so far
 */
struct sl_file_info {
	uint32_t io;
	uint32_t mem_align;
	uint32_t read_align;
	uint32_t write_align;
	uint32_t found_mem;
	uint32_t found_read;
	uint32_t found_write;
	const char *align_source;
	uint32_t requests;
	uint32_t waiting;
	uint64_t bounced;
	uint64_t edges;
};

/**
 * sl_file_info - alignments in force and numbers so far
 * @file: the file
 * @ret_info: filled in
 *
 * The alignments in force are never below 4096, whatever was found: a file that
 * says 512 says 4096 once it is reflinked, and disks are replaced. Only a block
 * device whose size is no multiple of 4096 gets a smaller block.
 *
 * Context: owner thread.
 */
SL_EXPORT void sl_file_info(const struct sl_file *file, struct sl_file_info *ret_info);

/* ---- replacing a file as a whole --------------------------------------------------- */

enum sl_file_replace_flag {
	SL_FILE_REPLACE_NEW = 1 << 0, /* the name must not exist: -EEXIST */
};

/**
 * struct sl_file_replace_opts - how to replace a file
 * @size: sizeof(struct sl_file_replace_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_file_replace_flag
 * @permissions: of the new file, less the umask; 0: those of the old one, or 0666
 */
struct sl_file_replace_opts {
	size_t size;
	uint32_t flags;
	uint32_t permissions;
};

/**
 * sl_file_replace - put new content under a name, all or nothing
 * @ring: the ring that does the I/O; runs until it is done
 * @dirfd: directory for a relative @path, or AT_FDCWD
 * @path: the name, in a directory that one may write; a symbolic link is
 *	replaced, not followed
 * @data: the content, borrowed during the call
 * @len: its bytes
 * @opts: how, copied; NULL means all defaults
 *
 * Writes a temporary file in the same directory, makes it durable, renames it
 * and makes the name durable: after a crash the name has the old content or the
 * new one, complete. Owner, ACLs and extended attributes of the old file are
 * not carried over. On an error before the rename the old file is untouched and
 * the temporary one removed. A process killed meanwhile leaves the temporary
 * file, ".NAME.*.new", behind.
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: 0 when durable; -EINVAL for a path without a name or an unknown flag;
 * -EEXIST; -ENAMETOOLONG; -EBUSY from a callback; what open, write, fdatasync
 * or rename answered, with the old file in place; or what the sync of the
 * directory answered (-EOPNOTSUPP where names are not durable): then the new
 * file is in place, but a crash may bring back the old one.
 */
SL_EXPORT int sl_file_replace(struct sl_ring *ring, int dirfd, const char *path, const void *data,
			      size_t len, const struct sl_file_replace_opts *opts);

/* ---- reading as a stream ----------------------------------------------------------- */

/**
 * struct sl_file_reader_opts - what to read ahead
 * @size: sizeof(struct sl_file_reader_opts), or 0 for the fields of version 0.1
 * @pool: buffers are taken from it and given back at close; NULL: own memory.
 *	Outlives the reader.
 * @depth: chunks read ahead, 1..256; default 4
 * @chunk_bytes: bytes of each, rounded up to blocks; default 131072, most
 *	64 MiB; with a pool it is the size of its buffers, rounded down
 * @off: where to start
 * @len: most bytes to read; 0: to the end of the file
 * @ready: called when sl_file_reader_peek() has something new; may be NULL
 * @ctx: passed to @ready
 */
struct sl_file_reader_opts {
	size_t size;
	struct sl_buf_pool *pool;
	uint32_t depth;
	uint32_t chunk_bytes;
	uint64_t off;
	uint64_t len;
	void (*ready)(struct sl_file_reader *reader, void *ctx);
	void *ctx;
};

/**
 * sl_file_reader_open - read a file from front to back, reading ahead
 * @file: a file opened for reading; outlives the reader
 * @opts: how, copied; NULL means all defaults
 * @ret_reader: the reader, to be ended by sl_file_reader_close()
 *
 * The end of the file is where the first short chunk met it; what is appended
 * later is seen by the next reader.
 *
 * Context: owner thread, also from a callback; allocates.
 * Return: 0; -EINVAL for numbers out of bounds; -EBADF; -ENOMEM, also when the
 * pool has not depth buffers left; what sl_file_read() answered.
 */
SL_EXPORT int sl_file_reader_open(struct sl_file *file, const struct sl_file_reader_opts *opts,
				  struct sl_file_reader **ret_reader);

/**
 * sl_file_reader_peek - borrow the bytes that come next
 * @reader: the reader
 * @deadline_ns: as for sl_ring_run(): 0 waits; SL_RING_POLL does not and may be
 *	used from a callback
 * @ret_data: where they are, without a copy; valid until consumed
 *
 * Context: owner thread; runs the ring unless SL_RING_POLL.
 * Return: how many bytes, > 0; 0 at the end; -EAGAIN when there is nothing yet
 * at the deadline; or the error that ended the stream, after the bytes before it.
 */
SL_EXPORT int64_t sl_file_reader_peek(struct sl_file_reader *reader, int64_t deadline_ns,
				      const void **ret_data);

/**
 * sl_file_reader_consume - give back bytes, the first ones of those borrowed
 * @reader: the reader
 * @len: how many, at most what sl_file_reader_peek() answered
 *
 * Starts the next read ahead when a chunk is used up.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for more than was borrowed.
 */
SL_EXPORT int sl_file_reader_consume(struct sl_file_reader *reader, size_t len);

/**
 * sl_file_reader_close - wait for reads in flight and free the reader
 * @reader: the reader; NULL is ignored
 *
 * Context: owner thread, not from a callback; sleeps.
 */
SL_EXPORT void sl_file_reader_close(struct sl_file_reader *reader);

/* ---- writing as a stream ----------------------------------------------------------- */

/**
 * struct sl_file_writer_opts - what to write behind
 * @size: sizeof(struct sl_file_writer_opts), or 0 for the fields of version 0.1
 * @pool: buffers are taken from it and given back at close; NULL: own memory.
 *	Outlives the writer.
 * @depth: chunks, one being filled and the others in flight, 2..256; default 4
 * @chunk_bytes: bytes of each, rounded up to blocks; default 131072, most
 *	64 MiB; with a pool it is the size of its buffers, rounded down
 * @off: where to start
 * @ready: called when sl_file_writer_reserve() has room again; may be NULL
 * @ctx: passed to @ready
 */
struct sl_file_writer_opts {
	size_t size;
	struct sl_buf_pool *pool;
	uint32_t depth;
	uint32_t chunk_bytes;
	uint64_t off;
	void (*ready)(struct sl_file_writer *writer, void *ctx);
	void *ctx;
};

/**
 * sl_file_writer_open - write a file from front to back, writing behind
 * @file: a file opened for writing; outlives the writer
 * @opts: how, copied; NULL means all defaults
 * @ret_writer: the writer, to be ended by sl_file_writer_close()
 *
 * Context: owner thread, also from a callback; allocates.
 * Return: 0; -EINVAL for numbers out of bounds; -EBADF; -ENOMEM, also when the
 * pool has not depth buffers left.
 */
SL_EXPORT int sl_file_writer_open(struct sl_file *file, const struct sl_file_writer_opts *opts,
				  struct sl_file_writer **ret_writer);

/**
 * sl_file_writer_reserve - borrow room for the bytes that come next
 * @writer: the writer
 * @deadline_ns: as for sl_ring_run(): 0 waits; SL_RING_POLL does not and may be
 *	used from a callback
 * @ret_space: where to put them
 *
 * Context: owner thread; runs the ring unless SL_RING_POLL.
 * Return: how many bytes fit, > 0; -EAGAIN when all chunks are in flight at the
 * deadline; or the first error of a write.
 */
SL_EXPORT int64_t sl_file_writer_reserve(struct sl_file_writer *writer, int64_t deadline_ns,
					 void **ret_space);

/**
 * sl_file_writer_commit - hand over bytes put into the reserved room
 * @writer: the writer
 * @len: how many, at most what sl_file_writer_reserve() answered
 *
 * A full chunk is written at once.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for more than was reserved or after the finish; the first
 * error of a write.
 */
SL_EXPORT int sl_file_writer_commit(struct sl_file_writer *writer, size_t len);

/**
 * sl_file_writer_finish - write the rest, wait for all of it, and sync
 * @writer: the writer
 * @sync: 1: make it durable (fdatasync); 0: do not
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: bytes written through this writer, or the first error.
 */
SL_EXPORT int64_t sl_file_writer_finish(struct sl_file_writer *writer, int sync);

/**
 * sl_file_writer_close - wait for writes in flight and free the writer
 * @writer: the writer; NULL is ignored
 *
 * Bytes committed since the last full chunk are lost unless
 * sl_file_writer_finish() was called, which can fail.
 *
 * Context: owner thread, not from a callback; sleeps.
 */
SL_EXPORT void sl_file_writer_close(struct sl_file_writer *writer);

SL_END_DECLS

#endif
