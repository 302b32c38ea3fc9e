/*
 * watch.h - which slots wait for which descriptor, and what the poller is told of it.
 *
 * A watch exists while slots wait for its descriptor. Its three lists are served
 * in FIFO order: transfers in, transfers out, and polls. What the poller should
 * watch is the union of what they want; watches_sync() tells it, once for all that
 * happened since the last time.
 *
 * Invariants:
 *  W1. a descriptor has at most one watch.
 *  W2. after watches_sync() there is no watch without slots, and the poller
 *      watches nothing that no slot waits for: a number that is closed and opened
 *      again between operations finds no trace of the old file.
 *  W3. there are twice as many watches as slots: one that a slot left stays until
 *      the next watches_sync().
 */
#ifndef SL_BACKEND_READY_WATCH_H
#define SL_BACKEND_READY_WATCH_H

#include "backend/ready/poller.h"
#include "backend/ready/slots.h"

enum ready_side {
	READY_IN = 0,
	READY_OUT,
	READY_POLL,
	READY_SIDES
};

/* One descriptor that slots wait for. */
struct watch {
	int fd;
	short armed; /* what the poller watches now */
	bool dirty;  /* in the list of those to be synced */
	uint32_t next_hash;
	uint32_t next_dirty; /* or the next free one */
	struct ready_slots waiting[READY_SIDES];
};

/**
 * struct watches - all of them
 * @poller: its functions
 * @poller_state: its memory
 * @all: the watches, @nr of them
 * @nr: twice the depth
 * @buckets: heads of the hash chains by descriptor, a power of two of them
 * @bucket_mask: how many, less one
 * @free: the first free watch
 * @dirty: the first to be synced
 * @waiting: slots in them
 * @calls: system calls that the syncs made
 */
struct watches {
	const struct poller *poller;
	void *poller_state;
	struct watch *all;
	uint32_t *buckets;
	uint32_t nr;
	uint32_t bucket_mask;
	uint32_t free;
	uint32_t dirty;
	uint32_t waiting;
	uint64_t calls;
};

/* Told of a slot, out of its watch already, whose descriptor cannot be watched.
 * It may not make slots wait. */
typedef void watch_refused_fn(void *ctx, struct sl_slot *slot, int err);

/* Sets up @w on memory for @nr watches and @bucket_nr (a power of two) buckets. */
void watches_init(struct watches *w, struct watch *all, uint32_t nr, uint32_t *buckets,
		  uint32_t bucket_nr);

/* The watch of @fd, or NULL. */
struct watch *watches_find(const struct watches *w, int fd);

/* Makes @slot wait for @events of @fd (>= 0). */
void watches_add(struct watches *w, struct sl_slot *slot, int fd, short events);

/* @slot no longer waits. */
void watches_remove(struct watches *w, struct sl_slot *slot);

/* The poller reported @watch: it may have stopped watching it. */
void watches_hit(struct watches *w, struct watch *watch);

/* Tells the poller all changes; slots whose descriptor it refuses go to @refused. */
void watches_sync(struct watches *w, watch_refused_fn *refused, void *ctx);

#endif
