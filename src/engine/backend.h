/* SPDX-License-Identifier: MIT */
/*
 * backend.h - the seam between the engine and what carries an operation out.
 *
 * The engine owns everything that must be the same everywhere: slots with
 * generations, parking, classes, chains, deadlines, transfer loops, re-arming,
 * kept descriptors, worker threads, inline attempts, statistics and shutdown.
 * A backend starts one transfer, tells how it ended, cancels, waits, and owns
 * the clock.
 *
 * The life of a slot, seen from a backend:
 *
 *	start(slot) == 0 ----> in the backend's hands ----> sl_event(..., no MORE)
 *	     |                        |   ^
 *	     | -EAGAIN: no room now;  |   | sl_event(..., SL_EVENT_MORE): still its own
 *	     | the engine tries again +---+
 *	     | after the next wait
 *	     +-- any other error: that is the result, the slot was never taken
 *
 *	cancel(slot) asks; the slot still ends by its sl_event(), with -ECANCELED
 *	or with what happened first.
 *
 * Invariants:
 *  B1. Every slot started ends by exactly one event without SL_EVENT_MORE, and
 *      after it the backend neither reads nor writes the slot or its memory.
 *  B2. sl_event() is called from wait() and flush() only, on the owner's
 *      thread; it answers false when the queue is full, and the backend then
 *      keeps the completion (in the kernel's queue) and stops reaping.
 *  B3. wake() is the only call from other threads.
 *  B4. A transfer is one transfer: short counts are passed on as they are.
 */
#ifndef SLUICE_ENGINE_BACKEND_H
#define SLUICE_ENGINE_BACKEND_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/caps.h>
#include <sluice/op.h>
#include <sluice/ring.h>

struct sl_keep;

/* One operation in flight, and the transfer it is at. */
struct sl_slot {
	/* what to do now; set by the engine before start(), read by the backend */
	_Alignas(64) struct sl_op *op;
	uint64_t id;	      /* idx | generation << 32: hand it back in the event */
	uint8_t code;	      /* enum sl_op_code; POLL while awaiting readiness */
	uint8_t engine_state; /* engine's own */
	uint16_t flags;	      /* enum sl_op_flag of this transfer */
	int32_t fd;
	void *buf;    /* data, or struct iovec[] with SL_OP_VEC */
	uint64_t len; /* bytes, or iovecs with SL_OP_VEC; events of a POLL */
	uint64_t off;
	int32_t fixed_fd;	  /* registered index from keep(), or -1 */
	int32_t fixed_buf;	  /* registered index from map(), or -1 */
	int32_t pool_id;	  /* the backend's name for the pool, or -1 */
	uint16_t buf_id;	  /* taken by sl_slot_take_buffer() */
	uint8_t engine_flags;	  /* engine's own */
	uint8_t restarts;	  /* engine's own */
	struct sl_buf_pool *pool; /* with SL_OP_POOLED */

	/* engine's own */
	struct sl_keep *keep;
	uint64_t done; /* bytes of the op transferred so far */
	int64_t result;
	uint64_t total;	      /* bytes of the whole op */
	struct sl_slot *next; /* in one engine list at a time */

	/* the backend's own; what the last op left in it is still there at start() */
	union {
		uint64_t u64[4];
		void *ptr[4];
	} backend;

	/* engine's own */
	struct sl_slot *fd_next; /* slots on the same descriptor */
	struct sl_slot **fd_link;
	int64_t retry_ns; /* LOCK: when to try again */
};

/* Most of an op happens in the first two of three cache lines. */
_Static_assert(sizeof(struct sl_slot) == 192, "three cache lines");

enum sl_event_flag {
	SL_EVENT_MORE = 1 << 0,	  /* the slot is still started */
	SL_EVENT_BUFFER = 1 << 1, /* buf_id names a buffer of the slot's pool */
	SL_EVENT_SENT = 1 << 2,	  /* zero-copy: sent, but the memory is still in use */
	SL_EVENT_COPIED = 1 << 3, /* zero-copy: the kernel copied after all */
};

/* How a transfer ended. */
struct sl_event {
	uint64_t id;
	int64_t res; /* POLL: the events seen */
	uint16_t flags;
	uint16_t buf_id;
};

/* Events on their way: the backend writes at the tail, the engine reads at the head. */
struct sl_event_queue {
	struct sl_event *entries;
	uint32_t head, tail; /* positions, that wrap */
	uint32_t mask;
};

/* What a backend tells about itself when it opens. */
struct sl_backend_caps {
	uint64_t native; /* 1 << enum sl_op_code that start() takes */
	bool files;	 /* READ and WRITE of regular files and block devices too */
	bool multi;	 /* MULTI stays armed; otherwise the engine re-arms */
	bool dsync; /* DSYNC holds on every file system; otherwise the engine looks which it is */
	uint32_t caps; /* enum sl_cap */
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t setup_flags;
	uint64_t memory_bytes;
};

/* What opening a backend needs. */
struct sl_backend_open {
	struct sl_ring *ring;		/* for sl_event() and sl_report() */
	struct sl_event_queue *events;	/* for sl_event_place() */
	const char *options;		/* after the colon of the name: "sqpoll"; or "" */
	const struct sl_backend *inner; /* for one that wraps another; else NULL */
	const char *inner_options;
	uint32_t depth;	  /* most slots started at once */
	uint32_t workers; /* bound on the kernel's own threads */
	uint32_t keep_max;
	uint32_t wait_batch;
	uint64_t wait_ns;
	const struct sl_allocator *allocator; /* never NULL */
};

/* Counters of a backend, for the statistics. */
struct sl_backend_stats {
	uint64_t enters;
	uint64_t overflows;
};

struct sl_backend {
	const char *name;
	uint32_t groups; /* enum sl_group */
	bool owns_world; /* no kernel behind it: nothing runs on a worker or inline */

	/* 0 and *ret_state, or -errno with one sentence in why[256]. */
	int (*open)(const struct sl_backend_open *args, void **ret_state,
		    struct sl_backend_caps *ret_caps, char *why);
	/* Nothing is in flight, or the owner thread is gone and the kernel has
	 * ended all; forked: free this process's copy and touch nothing shared. */
	void (*close)(void *state, bool forked);
	int (*start)(void *state, struct sl_slot *slot);
	/* Never fails for want of room; the slot's event follows, or was posted
	 * already and is not dispatched yet: then there is nothing to do. */
	void (*cancel)(void *state, struct sl_slot *slot);
	/* Pushes out what was started and cancelled, without waiting; may reap. */
	int (*flush)(void *state);
	/* Flushes, then sleeps until at least nr events are posted (nr == 0: only
	 * reap), wait_ns (given at open) after the first of them if nr > 1, a wake,
	 * or deadline_ns (INT64_MAX: none). 0, or -errno when the backend is
	 * broken. An early return without events is allowed. */
	int (*wait)(void *state, unsigned nr, int64_t deadline_ns);
	/* Any thread, async-signal-safe: makes wait() return, now or the next time. */
	void (*wake)(void *state);
	int64_t (*now)(void *state);
	/* Pools for SL_OP_POOLED: add returns an id >= 0 (all buffers are then the
	 * backend's), -EOPNOTSUPP: the engine picks buffers with
	 * sl_slot_take_buffer(); remove with id; recycle gives one buffer back. */
	int (*pool_add)(void *state, void *base, uint32_t buf_bytes, uint32_t count);
	void (*pool_remove)(void *state, int pool_id);
	void (*pool_recycle)(void *state, int pool_id, uint16_t buf_id);
	/* Registers memory: an index >= 0 for slot->fixed_buf, or -errno. */
	int (*map)(void *state, void *base, size_t bytes);
	void (*unmap)(void *state, int idx);
	/* Registers a descriptor: an index >= 0 for slot->fixed_fd, or -errno. */
	int (*keep)(void *state, int fd);
	void (*unkeep)(void *state, int idx, int fd);
	/* What a handle is; NULL: the engine asks the kernel. */
	int (*describe)(void *state, int fd, struct sl_desc *ret_desc);
	/* The address of a socket or of its peer, cut at *len, which becomes its
	 * length; NULL: the engine asks the kernel. */
	int (*sockname)(void *state, int fd, bool peer, struct sockaddr *addr, socklen_t *len);
	/* A descriptor that polls readable when wait() has something, or -errno. */
	int (*fd)(void *state);
	void (*stats)(void *state, struct sl_backend_stats *ret_stats);
	/* NULL, or for one that records: on the owner's thread, that a transfer begins, and
	 * how it ended, whoever carries it out: the backend, a worker, an inline attempt.
	 * The end of what changed nothing (-EPERM, a cancel before it began) may be
	 * left out. Its memory is still the library's then. */
	void (*began)(void *state, const struct sl_slot *slot);
	void (*ended)(void *state, const struct sl_slot *slot, int64_t res);
};

/* ---- what the engine offers a backend -------------------------------------------- */

/* Posts how a transfer ended; false: the queue is full, keep it and stop. */
bool sl_event(struct sl_ring *ring, const struct sl_event *event);

/* The same without a copy: the place of the next event, which the backend fills
 * before it posts or reaps another; NULL: the queue is full. */
static inline struct sl_event *sl_event_place(struct sl_event_queue *queue)
{
	if (queue->tail - queue->head > queue->mask)
		return NULL;
	return &queue->entries[queue->tail++ & queue->mask];
}

/* How many more events sl_event() would take now. */
unsigned sl_event_room(const struct sl_ring *ring);

/* The slot with an id, or NULL when it has ended since. */
struct sl_slot *sl_slot_find(struct sl_ring *ring, uint64_t id);

/* SL_OP_POOLED without pool_add(): takes a buffer into slot->buf, len and
 * buf_id; false: starved, post -ENOBUFS. Give it back with
 * sl_slot_return_buffer() if the transfer then delivers nothing into it. */
bool sl_slot_take_buffer(struct sl_ring *ring, struct sl_slot *slot);
void sl_slot_return_buffer(struct sl_ring *ring, struct sl_slot *slot);

/* Tells the log. */
void sl_report(struct sl_ring *ring, int level, const char *fmt, ...) SL_PRINTF(3, 4);

/* The system call of slot, made now on this thread (attempt.c):
 * sl_attempt() never blocks on a stream: -EAGAIN then says to wait for
 * sl_attempt_events(slot) (POLLIN or POLLOUT) on sl_attempt_fd(slot) and try
 * again; events of 0 mean that the caller asked not to wait (MSG_DONTWAIT,
 * SL_OP_NOWAIT), and -EAGAIN is the result. -ENODATA of a SENDFILE: what it is to
 * send is not cached. -EPERM from a poller (a regular file) may be answered with -EPERM in
 * the event: the engine then uses a worker. */
int64_t sl_attempt(struct sl_slot *slot);
short sl_attempt_events(const struct sl_slot *slot);
int sl_attempt_fd(const struct sl_slot *slot);

/* ---- opening a ring on a given backend: the registry, a tool or a test picks ------ */

struct sl_ring_choice {
	const struct sl_backend *backend;
	const char *options;
	const char *why;		/* the sentence for sl_caps.why */
	const struct sl_backend *inner; /* what backend wraps, or NULL */
	const char *inner_options;
};

/* As sl_ring_open(), on this backend; the backend's sentence goes to why[256]. */
int sl_ring_open_on(const struct sl_ring_opts *opts, const struct sl_ring_choice *choice,
		    struct sl_ring **ret_ring, char *why);

/* Copies caller options of any size, fills in defaults and checks bounds. */
int sl_ring_opts_resolve(const struct sl_ring_opts *opts, struct sl_ring_opts *ret_opts);

#endif
