/*
 * loop.h - the readiness loop: attempts, waiting slots, results to be posted.
 *
 * ready.c makes a backend of it; there the way of a slot and the invariants are told.
 */
#ifndef SL_BACKEND_READY_LOOP_H
#define SL_BACKEND_READY_LOOP_H

#include "backend/ready/poller.h"
#include "backend/ready/slots.h"
#include "backend/ready/watch.h"
#include "engine/backend.h"

/**
 * struct ready - an open backend
 * @ring: for the seam's calls
 * @name: the backend's
 * @poller: its functions
 * @poller_state: its memory
 * @wake_fd: an eventfd that the poller watches too
 * @depth: most slots at once
 * @started: slots in our hands
 * @turns_unpolled: turns since the poller was asked last
 * @wait_ns: how long a batch is gathered; 0: no limit
 * @calls: system calls made, the poller's set() apart
 * @watches: slots that wait
 * @fresh: slots started, not attempted
 * @finished: slots whose result is known, in order
 * @hits: room for what the poller reports
 * @hits_max: how much
 * @allocator: where this memory came from
 * @bytes: how much it is, all parts together
 */
struct ready {
	struct sl_ring *ring;
	const char *name;
	const struct poller *poller;
	void *poller_state;
	int wake_fd;
	uint32_t depth;
	uint32_t started;
	uint32_t turns_unpolled;
	uint64_t wait_ns;
	uint64_t calls;
	struct watches watches;
	struct ready_slots fresh;
	struct ready_slots finished;
	struct poller_hit *hits;
	uint32_t hits_max;
	struct sl_allocator allocator;
	size_t bytes;
};

/* 0, or for a descriptor beyond the poller's limit -EINVAL, after a report to the log; -EBADF when
 * it is not even open. */
int ready_check_fd(struct ready *r, int fd);

/* The result of @slot is known; it is in no list. Posted by the next push or sleep. */
void ready_finish(struct ready *r, struct sl_slot *slot, int64_t res, unsigned event_flags);

/* Attempts what is new, tells the poller, posts results: how many events. */
unsigned ready_push(struct ready *r);

/**
 * ready_sleep - sleep once and serve what is ready
 * @r: the loop, pushed
 * @timeout_ns: relative; 0: only look; < 0: no limit
 * @posted: increased by the events posted
 *
 * Context: owner thread; sleeps.
 * Return: 1 when woken, 0 when not, or -errno: -EINTR.
 */
int ready_sleep(struct ready *r, int64_t timeout_ns, unsigned *posted);

#endif
