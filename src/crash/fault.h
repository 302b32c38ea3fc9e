/* SPDX-License-Identifier: MIT */
/*
 * fault.h - calls that fail on purpose, and what they leave behind.
 *
 * The recorders ask crash_fault_decide() once for each read, write and sync that the
 * program does; it counts, and says what becomes of the call. What a fault leaves is what
 * Linux was measured to leave; "cache" is what the program reads afterwards, "disk" is
 * what the trace says:
 *
 *	read  EIO, ENODATA   the read fails and changes nothing. ENODATA is a medium error:
 *	                     only O_DIRECT sees it, a buffered read says EIO.
 *	read  short          fewer bytes than there are.
 *	read  rot            one bit is flipped on the disk, and stays so until overwritten: the
 *	                     trace gets a WRITE of that byte with CRASH_FAULT.
 *	write EIO, ENOSPC    the write fails. Buffered: nothing changed. Buffered and durable
 *	                     (CRASH_DSYNC): cache new, disk old, and a later sync says 0.
 *	                     CRASH_DIRECT: the disk may have any part of it.
 *	write short          a WRITE of fewer bytes, CRASH_FAULT, res its length.
 *	write rot            a WRITE with one bit flipped, CRASH_FAULT; the call succeeds.
 *	write astray         a WRITE at another offset, CRASH_FAULT; the call succeeds, and
 *	                     where it should have gone stays old.
 *	sync  EIO, ENOSPC    a SYNC with res < 0 and CRASH_FAULT: what was to be written is clean
 *	                     in the cache, which stays new; the disk stays old. Each descriptor
 *	                     that was open then is told once (the others' SYNC has res < 0 and no
 *	                     CRASH_FAULT); the next sync says 0.
 *
 * A failed WRITE that has CRASH_FAULT carries the bytes that were asked for. A read that fails, or
 * is cut short, is no op: the trace gets a NOTE with CRASH_FAULT, in words, of the first
 * CRASH_FAULT_NOTES. flags2 of each op with CRASH_FAULT is crash_fault_mark().
 */
#ifndef SLUICE_CRASH_FAULT_H
#define SLUICE_CRASH_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/trace.h"

#define CRASH_FAULT_GLOB_MAX 255
#define CRASH_FAULT_NOTES    64

enum crash_fault_call {
	CRASH_FAULT_READ = 1,
	CRASH_FAULT_WRITE,
	CRASH_FAULT_SYNC, /* fsync, fdatasync, msync, syncfs */
};

enum crash_fault_kind {
	CRASH_FAULT_NONE,
	CRASH_FAULT_EIO,
	CRASH_FAULT_ENODATA, /* read */
	CRASH_FAULT_ENOSPC,  /* write, sync */
	CRASH_FAULT_SHORT,   /* read, write */
	CRASH_FAULT_ROT,     /* read, write */
	CRASH_FAULT_ASTRAY,  /* write */
};

struct crash_fault {
	enum crash_fault_call call;
	enum crash_fault_kind kind;
	uint64_t nth;			     /* from 1; 0: every one */
	char glob[CRASH_FAULT_GLOB_MAX + 1]; /* of the path below the directory; "": all files */
	uint64_t seen;	 /* calls that matched so far; zero it before the first */
	uint64_t struck; /* of them those that this fault decided */
};

/* One call that is about to be done. */
struct crash_fault_at {
	enum crash_fault_call call;
	const char *path; /* below the directory, without a leading slash; "" for syncfs */
	uint64_t off;
	uint32_t len;
	uint32_t flags; /* CRASH_DIRECT */
	uint64_t size;	/* of the file now */
};

/* What becomes of it. */
struct crash_fault_verdict {
	enum crash_fault_kind kind; /* CRASH_FAULT_NONE: it goes well */
	int res;		    /* EIO, ENODATA, ENOSPC: -errno; else 0 */
	uint32_t len;		    /* SHORT: how many bytes are done, less than asked for */
	uint32_t byte;		    /* ROT: in which byte of the transfer */
	uint8_t bit;		    /* ROT: its mask */
	uint64_t off;		    /* ASTRAY: where the write goes instead */
};

/* Which fault an op is the work of, and back; of traces that do not say so both are 0. */
static inline uint32_t crash_fault_mark(enum crash_fault_call call, enum crash_fault_kind kind)
{
	return (uint32_t)call | (uint32_t)kind << 8;
}

static inline enum crash_fault_call crash_fault_call_of(const struct crash_op *op)
{
	return (enum crash_fault_call)(op->flags & CRASH_FAULT ? op->flags2 & 0xff : 0);
}

static inline enum crash_fault_kind crash_fault_kind_of(const struct crash_op *op)
{
	return (enum crash_fault_kind)(op->flags & CRASH_FAULT ? op->flags2 >> 8 & 0xff : 0);
}

/* A bit that the disk lost: a WRITE in the trace, and no op of the program's. */
static inline bool crash_fault_is_rot(const struct crash_op *op)
{
	return op->code == CRASH_WRITE && crash_fault_call_of(op) == CRASH_FAULT_READ;
}

/* "write:3:EIO", "sync:1:EIO:*.wal", "read:0:short:db?": call, nth or 0 for
 * every one, kind, and a glob that may be left out. -EINVAL: not that, or a kind that the call
 * does not know; -ENAMETOOLONG. */
int crash_fault_parse(const char *text, struct crash_fault *ret_fault);

/* Counts the call in every fault that it matches; the first of them whose turn it is decides.
 * A transfer too small for a short or astray one goes well. The caller serialises. */
void crash_fault_decide(struct crash_fault *faults, uint32_t nr, const struct crash_fault_at *at,
			struct crash_fault_verdict *ret_verdict);

#endif
