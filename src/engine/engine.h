/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the ring from inside: what its files share.
 *
 * The way of an op, with the function that moves it:
 *
 *	IDLE --submit--> PARKED --admit--> PENDING --flush--> STARTED --finish--> IDLE
 *	  |                                  ^  |                |           or FINISHED
 *	  +--submit, with room --------------+  +--> TIMING -----+           until next()
 *	  +--submitv, later in a chain--> WAITING --predecessor done--> PENDING
 *	  +--post--> POSTED --> IDLE
 *	any of them --end--> ENDED (result known, to be dispatched) --finish-->
 *
 * Invariants:
 *  E1. accepted ops (PENDING .. ENDED, FINISHED) never exceed depth, so a slot is
 *      always free for a PENDING op and the event queue holds one event for each.
 *  E2. callbacks run from dispatch() only: at top level, one at a time.
 *  E3. an op is in exactly one list, named by its state; a slot too.
 *  E4. the data path takes memory from the arrays made at open and nowhere else.
 *  E5. easy_depth is depth while an op of the first class may enter without a further
 *      look: nothing is parked, nobody drains, and that class has no cap. Else it is 0.
 */
#ifndef SLUICE_ENGINE_ENGINE_H
#define SLUICE_ENGINE_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <sluice/ring.h>

#include "base/assert.h"
#include "base/bits.h"
#include "engine/backend.h"
#include "engine/list.h"
#include "engine/optable.h"

enum op_state {
	OP_IDLE = 0,
	OP_PARKED,     /* in a class's parked list */
	OP_PENDING,    /* in ring->pending */
	OP_WAITING,    /* behind op->prev in a chain */
	OP_TIMING,     /* in the deadline heap only */
	OP_STARTED,    /* has a slot */
	OP_ENDED,      /* in ring->ended */
	OP_FINISHED,   /* in ring->finished */
	OP_POSTED,     /* on its way to another ring */
	OP_DISPATCHED, /* taken from the posts, its callback is next */
};

enum slot_state {
	SLOT_HELD = 0,	 /* being moved from one to another, or free: without an op */
	SLOT_STARTED,	 /* in the backend's hands */
	SLOT_RETRY,	 /* the backend had no room */
	SLOT_KEEP_WAIT,	 /* behind another transfer on a kept stream */
	SLOT_POOL_WAIT,	 /* starved of buffers */
	SLOT_WORK,	 /* queued for a worker, or with one */
	SLOT_LOCK_WAIT,	 /* lock held by somebody else */
	SLOT_CLOSE_WAIT, /* close, until the others on the descriptor have ended */
};

enum slot_flag {
	SLOT_CANCEL = 1 << 0,	  /* asked to end */
	SLOT_TIMEOUT = 1 << 1,	  /* ... because its deadline passed */
	SLOT_SENT = 1 << 2,	  /* zero-copy: first event seen, result kept */
	SLOT_READY_WAIT = 1 << 3, /* polling on behalf of a transfer that said -EAGAIN */
	SLOT_KEEP_BUSY = 1 << 4,  /* holds its direction of a kept stream */
	SLOT_BUFFER = 1 << 5,	  /* slot->buf_id is a buffer taken from the pool */
	SLOT_NOT_NATIVE = 1 << 6, /* the backend must not have it */
	SLOT_TOLD = 1 << 7,	  /* the backend records, and was told that it began */
};

/* What a byte costs a class of one share. */
#define CLASS_PRICE (1 << 16)

struct sl_class {
	struct op_list parked;
	uint32_t price; /* CLASS_PRICE / shares */
	uint32_t inflight_max;
	uint32_t finished; /* in flight: ended, not yet collected */
	uint64_t used;	   /* bytes times price, from virtual time on: who goes next */
	struct sl_ring_stats stats;
};

/* A kept descriptor; in ring->keeps, an open-addressed hash by fd. */
struct sl_keep {
	int fd; /* -1: free */
	int fixed_fd;
	uint32_t kind;	/* enum sl_desc_kind */
	uint32_t flags; /* enum sl_desc_flag */
	bool busy[2];	/* a transfer is in flight: [0] in, [1] out */
	struct slot_list queue[2];
};

#define RING_POOLS 16

struct sl_workers;

struct sl_ring {
	/* What every op comes to, close together. */
	const uint64_t *owner; /* the thread's number; in a page that is wiped in a forked child */
	const struct sl_backend *backend;
	void *state;
	uint64_t plain_ops;  /* codes that only ever go straight to the backend */
	uint64_t bare_ops;   /* of those, the ones without a descriptor */
	uint64_t simple_ops; /* codes without a rule of their own: see is_simple() */
	int64_t now_ns;
	uint32_t inflight;   /* accepted ops, counted against depth */
	uint32_t easy_depth; /* E5 */
	uint32_t parked;
	struct sl_slot *slots;
	struct sl_slot *free_slots;
	struct op_list pending;
	struct sl_event_queue events;
	uint32_t delivered; /* completions so far, wraps */
	uint32_t in_backend;
	uint32_t latency_bucket; /* of the op that ended last; of none with a clock per op */
	uint32_t splices;
	uint32_t closes; /* slots in SLOT_CLOSE_WAIT */
	bool unflushed;	 /* something was started since the backend was last entered */
	bool dispatching;
	bool draining;
	bool embedded; /* sl_ring_fd() was called */
	struct sl_ring_opts opts;
	uint32_t class_inflight[SL_RING_CLASSES];
	struct sl_class classes[SL_RING_CLASSES];

	/* the other ops */
	uint32_t finished_nr;
	uint32_t collectable;  /* accepted or parked, without a callback */
	uint32_t unpolled;     /* turns since the backend was asked last */
	uint32_t starved;      /* slots in SLOT_POOL_WAIT */
	uint32_t waiting;      /* ops behind another in a chain */
	int error;	       /* the backend failed with it, for good */
	struct sl_op stand_in; /* for an op that was given up then, see ring_abandon() */
	struct op_list ended, finished;
	struct op_list ending; /* of the ended: those that this dispatch took */
	struct slot_list retry, locks;
	uint64_t virtual_time; /* see submit.c */

	/* slots by descriptor */
	struct sl_slot **fd_buckets;
	uint32_t fd_mask;

	/* deadlines */
	uint32_t heap_nr;
	struct sl_op **heap;

	/* inline attempts */
	bool inline_reads;	       /* reads are tried at all */
	const struct sl_op *attempted; /* tried before it was submitted, */
	int64_t attempted_res;	       /* ... with this result */
	uint32_t inline_skip, inline_backoff;
	uint32_t buffered_trust; /* so often buffered_fd is still taken for a buffered file */
	int buffered_fd;

	struct sl_keep *keeps;
	uint32_t keep_nr, keep_mask;
	struct sl_buf_pool *pools[RING_POOLS];
	unsigned pool_nr;
	struct sl_workers *workers;
	uint64_t stalls;

	/* written by other threads */
	struct sl_op *posts; /* a stack, newest first */
	uint32_t posts_nr;
	uint32_t sleeping;
	uint32_t woken;
	uint32_t closing;

	struct sl_backend_caps backend_caps;
	struct sl_caps caps;
	struct sl_allocator allocator; /* what opts.allocator points at */
	uint64_t memory_bytes;
	int owner_tid;
};

/* ---- memory.c: all that a ring allocates goes through here --------------------------- */
void *ring_alloc(struct sl_ring *ring, size_t nr, size_t bytes);
void ring_free(struct sl_ring *ring, void *ptr, size_t nr, size_t bytes);
const struct sl_allocator *ring_default_allocator(void);

/* ---- ring.c: who may call --------------------------------------------------------- */
/* A number of this thread's own, never 0; ring_thread_id() gives it out on first use. */
#define RING_NO_THREAD UINT64_MAX
extern __thread uint64_t ring_thread __attribute__((tls_model("initial-exec")));
uint64_t ring_thread_id(void);

/* -ESTALE in a forked child (its copy of the page is wiped), -EPERM on a thread
 * that does not own the ring. */
static inline int ring_check(const struct sl_ring *ring)
{
	if (SL_LIKELY(*ring->owner == ring_thread))
		return 0;
	return *ring->owner ? -EPERM : -ESTALE;
}

/* Turns that found work before they asked the backend, in a row. */
#define RING_UNPOLLED_MAX 8

int ring_turn(struct sl_ring *ring, int64_t deadline_ns);
int ring_keep_going(struct sl_ring *ring);
void ring_notify(struct sl_ring *ring);

/* ---- submit.c: acceptance, parking, classes ----------------------------------------- */
void ring_admit(struct sl_ring *ring);
void ring_set_easy_depth(struct sl_ring *ring);
uint64_t ring_simple_ops(const struct sl_ring *ring);

static inline struct sl_class *class_of(struct sl_ring *ring, const struct sl_op *op)
{
	return &ring->classes[op->sched_class];
}

static inline void ring_pend(struct sl_ring *ring, struct sl_op *op)
{
	op->state = OP_PENDING;
	op_list_add(&ring->pending, op);
}

/* ---- start.c: from an accepted op to whoever runs it ---------------------------------- */
void ring_start_pending(struct sl_ring *ring);
void ring_start_slot(struct sl_ring *ring, struct sl_slot *slot);
void ring_retry(struct sl_ring *ring);
void ring_try_locks(struct sl_ring *ring);
int64_t ring_next_lock_ns(const struct sl_ring *ring);

/* ---- step.c: what an event means --------------------------------------------------- */
void ring_step_events(struct sl_ring *ring);

/* ---- finish.c: the end of an op ------------------------------------------------------ */
void op_call_timed(struct sl_ring *ring, struct sl_op *op);

static inline void op_call(struct sl_ring *ring, struct sl_op *op)
{
	if (SL_LIKELY(!ring->opts.stall_ns))
		op->done(ring, op);
	else
		op_call_timed(ring, op);
}

/* Ends an op without or with its slot; its callback runs at the next dispatch. */
void ring_end(struct sl_ring *ring, struct sl_op *op, int64_t res);
void ring_end_slot(struct sl_ring *ring, struct sl_slot *slot, int64_t res);
/* Delivers one of several completions now; from dispatch only. */
void ring_deliver_more(struct sl_ring *ring, struct sl_slot *slot, int64_t res);
unsigned ring_dispatch(struct sl_ring *ring);

/* ---- cancel.c ----------------------------------------------------------------------- */
void ring_cancel_op(struct sl_ring *ring, struct sl_op *op, int64_t res);
int ring_cancel_on_fd(struct sl_ring *ring, int fd, const struct sl_op *except);
/* Of those on fd only what is parked or behind another in a chain. */
int ring_cancel_held_back(struct sl_ring *ring, int fd);
void ring_cancel_all(struct sl_ring *ring);
/* Whether an op that has not ended uses the descriptor. */
bool ring_fd_busy(const struct sl_ring *ring, int fd);

/* ---- deadline.c --------------------------------------------------------------------- */
void deadline_add(struct sl_ring *ring, struct sl_op *op);
void deadline_remove(struct sl_ring *ring, struct sl_op *op);
void deadline_expire(struct sl_ring *ring);
int64_t deadline_next_ns(const struct sl_ring *ring);

/* ---- worker.c ----------------------------------------------------------------------- */
int workers_start(struct sl_ring *ring);
void workers_stop(struct sl_ring *ring, bool forked);
uint32_t workers_nr(const struct sl_ring *ring);
void workers_queue(struct sl_ring *ring, struct sl_slot *slot);
bool workers_unqueue(struct sl_ring *ring, struct sl_slot *slot);
void workers_collect(struct sl_ring *ring);

/* ---- perform.c, inline.c: system calls of an op -------------------------------------- */
int64_t slot_perform(struct sl_slot *slot);
/* True when the op was answered without blocking; *ret_res is its transfer's result. */
bool inline_attempt(struct sl_ring *ring, struct sl_slot *slot, int64_t *ret_res);
/* Before a submit: true when there is no need for one, the op has ended. */
bool inline_do(struct sl_ring *ring, struct sl_op *op);

/* ---- keep.c ------------------------------------------------------------------------- */
struct sl_keep *keep_find(const struct sl_ring *ring, int fd);
int keep_init(struct sl_ring *ring);
void keep_drop(struct sl_ring *ring, int fd);
bool keep_enter(struct sl_ring *ring, struct sl_slot *slot);
void keep_leave(struct sl_ring *ring, struct sl_slot *slot);

/* ---- post.c ------------------------------------------------------------------------- */
void posts_dispatch(struct sl_ring *ring, int64_t res);
static inline bool posts_waiting(const struct sl_ring *ring)
{
	return __atomic_load_n(&ring->posts, __ATOMIC_RELAXED) != NULL;
}

/* Something to dispatch. */
static inline bool ring_has_work(const struct sl_ring *ring)
{
	return ring->ended.head || ring->events.head != ring->events.tail || posts_waiting(ring);
}

/* ---- buf.c -------------------------------------------------------------------------- */
int pool_fixed_index(const struct sl_ring *ring, const void *buf, uint64_t len);
int pool_check(const struct sl_ring *ring, const struct sl_buf_pool *pool);
int pool_backend_id(const struct sl_buf_pool *pool);
void pool_deliver(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event);
void pool_wait(struct sl_ring *ring, struct sl_slot *slot);
void pool_unwait(struct sl_slot *slot);
void pools_feed(struct sl_ring *ring);
bool pools_can_feed(const struct sl_ring *ring);
void pool_return(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event);

/* ---- describe.c --------------------------------------------------------------------- */
int ring_describe(struct sl_ring *ring, int fd, struct sl_desc *ret_desc);
/* Whether a write with RWF_DSYNC is durable when the kernel makes it asynchronously. */
bool fd_keeps_dsync(int fd);

#endif
