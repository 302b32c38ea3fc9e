/*
 * remedy.h - why the kernel refused a backend, as far as the machine tells, and what would help.
 */
#ifndef SL_BACKEND_REMEDY_H
#define SL_BACKEND_REMEDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REMEDY_UNLIMITED UINT64_MAX

/**
 * struct remedy_facts - what the machine says that bears on io_uring
 * @uring_disabled: sysctl kernel.io_uring_disabled: 0, 1 or 2; -1: not known
 * @seccomp: mode of this thread: 0, 1 or 2 (a filter); -1: not known
 * @root: the effective user is 0
 * @memlock_bytes: RLIMIT_MEMLOCK, or REMEDY_UNLIMITED
 * @nofile: RLIMIT_NOFILE, or REMEDY_UNLIMITED
 */
struct remedy_facts {
	int uring_disabled;
	int seccomp;
	bool root;
	uint64_t memlock_bytes;
	uint64_t nofile;
};

/* Reads them from /proc and the limits of this process. */
void remedy_read(struct remedy_facts *ret_facts);

/* About what an io_uring of @depth charges to RLIMIT_MEMLOCK. */
uint64_t remedy_ring_bytes(uint32_t depth);

/* Cause and cure of @err (-errno) for a ring of @depth in one line, "" when nothing is known. */
void remedy_text(const struct remedy_facts *facts, int err, uint32_t depth, char *ret_text,
		 size_t bytes);

#endif
