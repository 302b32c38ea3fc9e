/* SPDX-License-Identifier: MIT */
/* caps.h - what a ring and a descriptor turn out to be, asked once and tried for real. */
#ifndef SLUICE_CAPS_H
#define SLUICE_CAPS_H

#include <sluice/err.h>

SL_BEGIN_DECLS

/* Operations come in groups; a backend runs a group as a whole or not at all,
 * and gives the same results as every other backend that runs it. */
enum sl_group {
	SL_GROUP_CORE = 1 << 0,	   /* nop timer poll work post */
	SL_GROUP_BLOCK = 1 << 1,   /* read write fsync fdatasync */
	SL_GROUP_FILE = 1 << 2,	   /* allocate truncate */
	SL_GROUP_NAME = 1 << 3,	   /* open close stat link ... sync_dir */
	SL_GROUP_NET = 1 << 4,	   /* socket bind ... setsockopt */
	SL_GROUP_PROCESS = 1 << 5, /* pipe splice tee, and all that needs a real process */
};

/* How an operation is run. */
enum sl_route {
	SL_ROUTE_NONE = 0, /* not on this backend: -EOPNOTSUPP */
	SL_ROUTE_ENGINE,   /* by the engine itself */
	SL_ROUTE_NATIVE,   /* by the backend */
	SL_ROUTE_INLINE,   /* by a system call that does not block, in the turn */
	SL_ROUTE_WORKER,   /* by a worker thread */
};

enum sl_cap {
	SL_CAP_REGISTERED_BUFFERS = 1 << 0, /* pool memory is pinned once for the kernel */
	SL_CAP_REGISTERED_FILES = 1 << 1,   /* kept descriptors skip the table look-up */
	SL_CAP_BUFFER_RINGS = 1 << 2,	    /* pooled receives pick their buffer in the kernel */
	SL_CAP_MULTISHOT = 1 << 3,	    /* MULTI without starting again each time */
	SL_CAP_ZERO_COPY_SEND = 1 << 4,	    /* SL_OP_ZC may avoid the copy */
	SL_CAP_BATCH_WAIT = 1 << 5,	    /* wait_batch is done by the kernel */
	SL_CAP_EMBEDDABLE = 1 << 6,	    /* sl_ring_fd() works */
	SL_CAP_OWN_WORLD = 1 << 7,	    /* no kernel behind it: handles are its own */
};

/**
 * struct sl_caps - what a ring is and can do
 * @backend: its name, such as "uring" or "epoll"; a constant string
 * @why: one line: why this one, and what kept a better one from opening
 * @groups: enum sl_group that it runs
 * @caps: enum sl_cap
 * @depth: ops that can be in flight
 * @sq_entries: submission entries of the kernel ring, or 0
 * @cq_entries: completion entries of the kernel ring, or 0
 * @setup_flags: io_uring_setup(2) flags accepted, or 0
 * @workers: worker threads
 * @memory_bytes: memory the ring took at open, its kernel rings included
 * @route: enum sl_route of each enum sl_op_code, see sl_caps_route()
 */
struct sl_caps {
	const char *backend;
	char why[256];
	uint32_t groups;
	uint32_t caps;
	uint32_t depth;
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t setup_flags;
	uint32_t workers;
	uint64_t memory_bytes;
	uint8_t route[64];
};

/**
 * sl_caps_route - how a ring runs an operation
 * @caps: from sl_ring_caps()
 * @code: an enum sl_op_code
 *
 * Context: any thread.
 * Return: an enum sl_route; SL_ROUTE_NONE for an unknown code. A read that may
 * be answered inline first is reported as what runs it otherwise.
 */
SL_EXPORT int sl_caps_route(const struct sl_caps *caps, unsigned code);

/* What stands behind a descriptor. */
enum sl_desc_kind {
	SL_DESC_OTHER = 0,
	SL_DESC_REGULAR,
	SL_DESC_BLOCK,
	SL_DESC_DIRECTORY,
	SL_DESC_PIPE,
	SL_DESC_SOCKET,
	SL_DESC_CHARACTER,
};

/* enum sl_desc_flag: how it was opened. */
enum sl_desc_flag {
	SL_DESC_DIRECT = 1 << 0,   /* O_DIRECT was asked for */
	SL_DESC_NONBLOCK = 1 << 1, /* O_NONBLOCK */
	SL_DESC_APPEND = 1 << 2,   /* O_APPEND */
};

/**
 * struct sl_desc - what a descriptor or handle is
 * @kind: enum sl_desc_kind
 * @flags: enum sl_desc_flag
 * @mem_align: alignment of memory for direct I/O, bytes; 0: not known
 * @read_align: alignment of offset and length for direct reads; 0: not known
 * @write_align: the same for direct writes; 0: not known
 * @align_source: where the alignments come from, such as "statx"; a constant
 * @size: bytes of a regular file or block device now
 * @dev: device number of the file system, as in st_dev
 * @ino: inode number
 */
struct sl_desc {
	uint32_t kind;
	uint32_t flags;
	uint32_t mem_align;
	uint32_t read_align;
	uint32_t write_align;
	const char *align_source;
	uint64_t size;
	uint64_t dev;
	uint64_t ino;
};

SL_END_DECLS

#endif
