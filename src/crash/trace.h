/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what a program did to a directory, in the order in which it ended.
 *
 * A trace is a file: a header, then records that are only ever appended. A
 * recorder appends while the program runs; everybody else opens it and sees an
 * array of ops. Payloads (written bytes, acknowledgements) stay in the file, so
 * a trace of gigabytes costs about 200 bytes of memory an op. Every byte is told
 * in docs/format/trace.md.
 *
 *	recorder --append--> file --open--> ops[0 .. nr)
 *
 * Invariants:
 *  T1. ops[i].seq == i + 1: seq is the order in which ops *ended*.
 *  T2. ops[i].begin < ops[i].seq: how many ops had ended when this one began. A sync
 *      covers the ops with seq <= its begin, and no others.
 *  T3. An inode has one number for all its life, CRASH_ROOT for the directory itself;
 *      numbers of the dead are not used again.
 *  T4. CRASH_BASE ops stand before all others, a directory before what is in it:
 *      the tree as it was before the program ran. It is durable.
 *  T5. A failed op (res < 0) changed nothing, but for a write or sync that a fault
 *      failed: what that leaves is the model's to say.
 *
 * A trace read back is untrusted: every field is checked, and a torn end (the
 * recorder was killed) is where the trace ends.
 */
#ifndef SLUICE_CRASH_TRACE_H
#define SLUICE_CRASH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_ROOT	UINT64_C(1)
#define CRASH_NAME_MAX	255
#define CRASH_DATA_MAX	(UINT32_C(1) << 30) /* payload of one op */
#define CRASH_TRACE_MAX (UINT64_C(64) << 30)

enum crash_code {
	CRASH_BASE =
		1,    /* inode is name in dir from the start; mode, len = size; data: link target */
	CRASH_CREATE, /* a new regular file (or fifo, socket, device) name in dir; mode. A regular
		       * file may have neither: O_TMPFILE, until CRASH_LINK names it */
	CRASH_MKDIR,  /* mode */
	CRASH_SYMLINK, /* data: target */
	CRASH_LINK,    /* inode gets a further name in dir */
	CRASH_UNLINK,  /* inode loses name in dir */
	CRASH_RMDIR,
	CRASH_RENAME,	/* inode: name in dir becomes name2 in dir2; what that named is gone */
	CRASH_WRITE,	/* data at off; len == data_len */
	CRASH_TRUNCATE, /* the size becomes len */
	CRASH_ALLOCATE, /* fallocate(2) of off, len with mode in flags2: neither collapse nor insert
			 */
	CRASH_CLOSE,	/* the last descriptor that could write was closed */
	CRASH_SYNC,	/* fsync of a file or directory */
	CRASH_SYNC_ALL, /* syncfs, sync */
	CRASH_CHMOD,	/* mode; owner and times are not recorded */
	CRASH_ACK,	/* the program said that something is durable; data: one line, no newline */
	CRASH_NOTE,	/* the recorder says something; data: one line */
	CRASH_CODES
};

enum crash_flag {
	CRASH_DATA_ONLY = 1 << 0, /* SYNC: fdatasync */
	CRASH_DSYNC = 1 << 1,	 /* WRITE: durable with what is needed to read it before it ended */
	CRASH_MAPPED = 1 << 2,	 /* WRITE: dirty pages of a mapping, written back */
	CRASH_DIRECT = 1 << 3,	 /* WRITE: O_DIRECT */
	CRASH_EXCHANGE = 1 << 4, /* RENAME: of both */
	CRASH_FAULT = 1 << 5,	 /* res is a fault that was injected */
	CRASH_FLAGS = (1 << 6) - 1,
};

struct crash_op {
	uint64_t seq;
	uint64_t begin;
	uint32_t code;
	uint32_t flags;
	int32_t res;	 /* 0 or more, or -errno */
	uint32_t mode;	 /* S_IFMT and permissions */
	uint32_t flags2; /* ALLOCATE: mode of fallocate(2); with CRASH_FAULT: which, see fault.h */
	uint32_t pid;	 /* who did it; 0: not known */
	uint64_t inode;	 /* what it is about; 0 for ACK, NOTE, SYNC_ALL */
	uint64_t dir;	 /* where name is */
	uint64_t dir2;	 /* where name2 is */
	uint64_t off;
	uint64_t len;
	uint64_t data_at; /* where in the trace's file; set by append and open */
	uint32_t data_len;
	const char *name; /* borrowed by append; the trace's own afterwards */
	const char *name2;
};

struct crash_trace_opts {
	uint64_t bytes_max; /* of the file: then append says -EFBIG; 0: CRASH_TRACE_MAX */
	uint32_t sector;    /* what the disk writes whole: 512 or 4096; 0: 512 */
};

struct crash_trace;

/* A new, empty trace. path NULL: a file without a name in $TMPDIR or /var/tmp. -errno of
 * the file, -EINVAL for an odd sector, -EEXIST. */
int crash_trace_create(const char *path, const struct crash_trace_opts *opts,
		       struct crash_trace **ret_trace);

/* Appends op, whose name, name2 and data are copied; its seq and data_at are set here.
 * Its begin is the caller's: crash_trace_now() when it began. Several threads may
 * append; one process only. -EINVAL: not a legal op; -EFBIG: the trace is full;
 * or -errno of the write. After an error the trace takes nothing more: a trace
 * with a hole would lie. */
int crash_trace_append(struct crash_trace *trace, struct crash_op *op, const void *data);

/* How many ops have ended: what a beginning op keeps as its begin. */
uint64_t crash_trace_now(const struct crash_trace *trace);

/* The error that ended appending, or 0. */
int crash_trace_error(const struct crash_trace *trace);

/* The file, to be inherited by the process that records; borrowed. */
int crash_trace_fd(const struct crash_trace *trace);

/* Takes a descriptor of a trace over (closed on failure too) and reads it: -ENODATA: no
 * trace at all (empty), -EILSEQ: not a trace, or ops that contradict each other,
 * -EOPNOTSUPP: of a later version, -EBADMSG: damaged before its end; -ENOMEM. A torn
 * last record is cut off silently but for crash_trace_torn(). */
int crash_trace_open_fd(int fd, struct crash_trace **ret_trace);
int crash_trace_open(const char *path, struct crash_trace **ret_trace);
/* Whether the ops contradict each other, as opening asks: 0, or -EILSEQ with the first that
 * does and why; -ENOMEM. For a recorder's tests. */
int crash_trace_check(const struct crash_trace *trace, uint64_t *ret_seq, const char **ret_why);
bool crash_trace_torn(const struct crash_trace *trace);
void crash_trace_close(struct crash_trace *trace);

uint32_t crash_trace_sector(const struct crash_trace *trace);
uint64_t crash_trace_nr(const struct crash_trace *trace);
/* Valid until the next append or close. */
const struct crash_op *crash_trace_op(const struct crash_trace *trace, uint64_t idx);
/* Bytes [off, off + len) of the op's payload into buf: 0, -EINVAL outside of it, -EIO. */
int crash_trace_data(const struct crash_trace *trace, const struct crash_op *op, uint32_t off,
		     void *buf, uint32_t len);

/* "unlink", "write": what is said to people. */
const char *crash_code_name(uint32_t code);

#endif
