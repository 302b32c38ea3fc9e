/* SPDX-License-Identifier: MIT */
/*
 * log.h - the trace of a program on rings, appended to by all its rings and processes.
 *
 * Two files: the trace (docs/format/trace.md), and beside it TRACE.state, which
 * is mapped by every ring that records into the trace:
 *
 *	TRACE.state: lock | seq, end of the trace, next inode | table of inodes
 *
 * The lock is robust and shared between processes. What it guards is advanced only
 * after the record is written, so one who dies within leaves at most a record
 * behind the end, which the next one writes over.
 *
 * Nothing is allocated after log_open(): the table has a fixed number of places,
 * and payloads go from the program's memory to the file. An error ends the
 * log for good, because a trace with a hole would lie; it is in the state for the
 * recorder to see.
 */
#ifndef SLUICE_BACKEND_RECORD_LOG_H
#define SLUICE_BACKEND_RECORD_LOG_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bits.h"
#include "crash/trace.h"
#include "sys/statx.h"

#define LOG_STATE_MAGIC	 UINT64_C(0x31746174736c7372) /* "rslstat1" */
#define LOG_STATE_SUFFIX ".state"
#define LOG_INODES	 (UINT32_C(1) << 17) /* places; files known at once: three quarters */
#define LOG_SOURCES	 2

enum log_kind {
	LOG_FREE = 0,
	LOG_LIVE,    /* in the directory */
	LOG_DEAD,    /* has no name any more; its number in the file system may come again */
	LOG_OUTSIDE, /* looked at once: not in the directory */
};

/* A file of the file system, and its number in the trace. */
struct log_inode {
	uint64_t ino;
	uint64_t dev; /* major << 32 | minor */
	uint64_t inode;
	uint32_t links;
	uint16_t writers; /* descriptors that can write, as far as rings opened them */
	uint16_t kind;	  /* enum log_kind */
};

/* Where acknowledgements come from, and how far they are in the trace. */
struct log_source {
	uint64_t off;
	uint64_t skip; /* 1: the rest of a line that was too long */
};

/* The mapped file. */
struct log_state {
	uint64_t magic; /* last of all: the rest is whole */
	uint64_t id;	/* of the trace */
	pthread_mutex_t lock;
	uint64_t nr;  /* ops in the trace */
	uint64_t end; /* bytes of it */
	uint64_t bytes_max;
	uint64_t next_inode;
	uint64_t inodes; /* places taken in the table */
	int64_t error;	 /* that ended the log */
	struct log_source sources[LOG_SOURCES];
	char root[PATH_MAX]; /* the directory */
	struct log_inode table[LOG_INODES];
};

struct log {
	struct log_state *state;
	int trace_fd;
	int root_fd;
	int source_fd[LOG_SOURCES]; /* or -1 */
	uint32_t pid;
	char *chunk; /* LOG_CHUNK_BYTES, used under the lock */
};

#define LOG_CHUNK_BYTES 65536

/* What is asked for; paths are borrowed during the call. */
struct log_opts {
	const char *trace;
	const char *dir;
	const char *source[LOG_SOURCES]; /* files that acknowledgements are appended to, or NULL */
	uint64_t bytes_max;
};

/* Opens or makes both files; the first one to come writes down the tree. 0 or -errno
 * with a sentence in why[256]. chunk: LOG_CHUNK_BYTES of the caller's. */
int log_open(struct log *log, const struct log_opts *opts, char *chunk, char *why);
void log_close(struct log *log);

/* The lock, for everything below; false: the log has ended, and nothing is locked. */
bool log_lock(struct log *log);
void log_unlock(struct log *log);

/* How many ops have ended. No lock needed. */
uint64_t log_now(const struct log *log);
/* Ends the log. */
void log_fail(struct log *log, int err);
/* Appends an op, its acknowledgements before it; seq and pid are set here. data: pieces
 * of op->data_len bytes or more in all. */
void log_append(struct log *log, struct crash_op *op, const struct iovec *data);
/* Acknowledgements that no op came after. Takes the lock itself. */
void log_drain(struct log *log);
void log_note(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- inode.c: which file is which ---------------------------------------------------- */

/* The entry of a file that was seen before, dead or alive; or NULL. */
struct log_inode *log_find(struct log *log, const struct sl_sys_statx *st);
/* A new file of the directory gets a number; takes the place of a dead one with the same
 * ino. NULL: the table is full, and the log has ended. */
struct log_inode *log_new(struct log *log, const struct sl_sys_statx *st);
/* Remembers that a file is none of ours. */
void log_outside(struct log *log, const struct sl_sys_statx *st);

/* ---- place.c: where a name is -------------------------------------------------------- */

struct log_place {
	uint64_t dir; /* inode of the directory; 0: not ours */
	char name[CRASH_NAME_MAX + 1];
};

/* The name that path ends in; false: in none that could be made, moved or removed. */
bool log_split_name(const char *path, char ret_name[CRASH_NAME_MAX + 1]);
/* Where path of dirfd is, or would be; dir == 0: nowhere in the directory. */
void log_locate(struct log *log, int dirfd, const char *path, struct log_place *ret_place);

/* ---- adopt.c: what was there before the log, or came without a ring ------------------- */

/* Appends CRASH_BASE for all that is in the directory. */
int log_scan(struct log *log, char *why);
/* A file that a ring uses and nobody has seen being made: as if it were made now, with what is
 * in it. NULL: it is none of ours, or the log has ended. */
struct log_inode *log_adopt(struct log *log, int fd, const struct sl_sys_statx *st);
/* The same for one that lies at place; fd may be O_PATH. */
struct log_inode *log_adopt_at(struct log *log, int fd, const struct sl_sys_statx *st,
			       const struct log_place *place);
/* Appends what a file holds in a range, as one write or several. */
void log_read_back(struct log *log, int fd, uint64_t inode, uint64_t off, uint64_t len);

static inline uint64_t log_dev(const struct sl_sys_statx *st)
{
	return (uint64_t)st->dev_major << 32 | st->dev_minor;
}

#endif
