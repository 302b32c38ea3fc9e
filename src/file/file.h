/* file.h - what the parts of a file share: the object, and how a request is moved along. */
#ifndef SLUICE_FILE_FILE_H
#define SLUICE_FILE_FILE_H

#include <stdbool.h>
#include <sluice/caps.h>
#include <sluice/file.h>
#include <sluice/ring.h>

#include "file/bounce.h"
#include "file/range_lock.h"

/* Beyond every offset: ranges that reach to the end of the file end here, and
 * the sync lane lies behind it, a range that only syncs take. */
#define SL_FILE_BEYOND (UINT64_C(1) << 63)

struct request_list {
	struct sl_file_req *head;
	struct sl_file_req **tail;
};

struct sl_file {
	struct sl_ring *ring;
	int32_t fd;
	int32_t dir_fd; /* for a scratch file, until the mode is known; or -1 */
	int32_t poison; /* the first error of a sync, or 0 */
	uint8_t io;	/* enum sl_file_io in force */
	bool require;
	bool readable;
	bool writable;
	bool edges_readable; /* the descriptor can read, whatever was asked for */
	bool dsync;	     /* O_DSYNC or O_SYNC: every write is durable */
	bool mode_known;

	uint32_t mem_align;
	uint32_t read_align;
	uint32_t write_align;
	struct sl_desc found;

	struct range_lock lock;
	struct bounce_set bounce;
	uint32_t requests;
	uint32_t requests_max;
	uint32_t waiting;
	uint64_t bounced;
	uint64_t edges;
	struct request_list runnable; /* got what they waited for */
	struct request_list finished; /* to be told */
	struct sl_file_mode mode;
};

/* What a step of a request answers: an errno < 0 and 0 end it; this one says
 * that an op is in flight, or that it waits for a bounce buffer. */
#define SL_REQUEST_GOES_ON 1

/* How a kind of request moves along. */
struct request_kind {
	/* Sets req->range, empty for none; again when it is about to be taken. */
	int (*range)(struct sl_file_req *req);
	/* Starts the next piece. */
	int (*go)(struct sl_file_req *req);
	/* Deals with the op that has just completed. */
	int (*landed)(struct sl_file_req *req);
};

extern const struct request_kind sl_request_read;
extern const struct request_kind sl_request_write;
extern const struct request_kind sl_request_sync;
extern const struct request_kind sl_request_truncate;
extern const struct request_kind sl_request_allocate;

static inline bool sl_file_is_direct(const struct sl_file *file)
{
	return file->io == SL_FILE_DIRECT;
}

/* Sets req->op to a buffered read of all that is asked for (read.c). */
void sl_read_whole(struct sl_file_req *req);

/* Submits req->op; SL_REQUEST_GOES_ON or -errno. */
int sl_request_submit(struct sl_file_req *req);
/* Runs the ring until *nr is 0, or a forked child finds them to be its parent's; false: the
 * ring broke, and what they name stays the kernel's. */
bool sl_requests_end(struct sl_ring *ring, const uint32_t *nr);

/* Gives req a bounce buffer; false: it waits, and will go when it has one. */
bool sl_request_bounce(struct sl_file_req *req);

/* Bytes from piece_off on are done: moves pos, never past the end; how far. */
uint64_t sl_request_advance(struct sl_file_req *req, uint64_t bytes);

/* The size now, into req->size. */
int sl_request_size(struct sl_file_req *req);

/* A durable write or sync has failed: remembers the first error, returns it. */
int sl_file_poison_with(struct sl_file *file, int err);

/* Alignments in force from those found (align.c). */
void sl_file_align(struct sl_file *file, uint32_t block_bytes);

/* Writes zeros from req->pos to req->end: the write machine without memory. */
int sl_write_go(struct sl_file_req *req);
int sl_write_landed(struct sl_file_req *req);

/* A tail of zeros read past what the kernel delivered is never shown: both
 * machines decide by this whether a short answer is the end of the file.
 * 0: yes; SL_REQUEST_GOES_ON: ask again; -EIO: it never was. */
int sl_short_read(struct sl_file_req *req, uint64_t got_end);

#endif
