/*
 * memory_backend.h - a backend with no kernel behind it: a double that proves the seam.
 *
 * Its clock stands still but in wait(), which moves it to the next completion
 * or to the deadline. Delays and short counts come from a seed, so a test sees
 * the same order every time. Files and streams live in memory; their handles
 * start at MEMORY_HANDLE_BASE and are never descriptors.
 *
 * Options (the text after the colon of a backend's name), in any combination:
 *	seed=N	delays and short counts come from N; default 1
 *	prompt	no delays: an op that can complete does so at the next wait
 *	short	transfers of more than one byte stop somewhere
 *	busy	every third start is answered -EAGAIN while something is in flight
 *	armed	MULTI stays armed in the backend (caps.multi)
 *	rings	pooled receives pick their buffer here (pool_add)
 *
 * It also watches the engine: a broken rule of backend.h aborts with a line
 * on standard error.
 */
#ifndef SLUICE_TESTS_CONTRACT_MEMORY_BACKEND_H
#define SLUICE_TESTS_CONTRACT_MEMORY_BACKEND_H

#include "engine/backend.h"

#define MEMORY_HANDLE_BASE (1 << 30)
#define MEMORY_CLOCK_START INT64_C(1000000000000)

extern const struct sl_backend memory_backend;

/* The world, shared by all rings of the process. */
int memory_file(void);
void memory_pair(int ret_handles[2]);
void memory_close(int handle);
/* The file is as if opened with O_DIRECT: what is not aligned is -EINVAL. */
void memory_direct(int handle, uint32_t align);
/* From outside of any ring: bytes moved, or -EAGAIN when full. */
int64_t memory_put(int handle, const void *buf, size_t len);
size_t memory_take(int handle, void *buf, size_t len);
/* The next completions of handle fail with err (0: stop failing). */
void memory_fail(int handle, int err);

/* From now on wait() answers -err, as a kernel does that lost a completion. */
void memory_break(int err);

/* What the backend has seen so far. */
struct memory_counts {
	unsigned starts;
	unsigned refused;
	unsigned cancels;
	unsigned waits;
	unsigned started_now;
	unsigned started_max;
	unsigned queue_full;
};
struct memory_counts memory_counts(void);

#endif
