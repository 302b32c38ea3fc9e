/*
 * The io_uring backend: what its files share.
 *
 * A slot becomes one submission entry (prepare.c), a completion becomes at most
 * two events (complete.c), a turn is one system call (turn.c).
 *
 * The user data of an entry is the slot's id with a note of what to do at its
 * end in the bits between: an id is an index below 32768 in the low half and a
 * generation in the high half, so bits 16 to 31 are free. Decoding a completion
 * therefore rarely looks at the slot.
 *
 *	63            32 31       30..16   15       0
 *	| generation    | internal | notes  | index  |
 *
 * Invariants:
 *  U1. slots in flight never exceed a quarter of the completion queue: there is
 *      room for multishots, for the second completion of a zero-copy send and for
 *      cancels, whose number the same bound holds.
 *  U2. the head of the completion queue passes a completion only when all events
 *      it stands for have been taken.
 *  U3. a slot's mark is written by start(), by the first half of a zero-copy
 *      send and by the known list, and is not read after its last event.
 *
 * Options: "sqpoll" lets a kernel thread submit: it burns a processor while
 * there is work and for a while after. "iopoll" polls the device instead of
 * waiting for its interrupt where a file was opened with O_DIRECT and its device
 * has polled queues: polled.c.
 */
#ifndef SL_BACKEND_URING_URING_H
#define SL_BACKEND_URING_URING_H

#include "backend/uring/queue.h"
#include "base/assert.h"
#include "engine/backend.h"

/* What an entry's user data says beyond the slot's id. */
enum uring_note {
	URING_NOTE_DISK = 1 << 16,   /* counted in disk */
	URING_NOTE_RAISES = 1 << 17, /* counted in raising */
	URING_NOTE_ZC = 1 << 18,     /* zero-copy: two completions */
	URING_NOTE_COPY = 1 << 19,   /* a plain send in its place: one, for two events */
	URING_NOTE_TOOK = 1 << 20,   /* the slot holds a buffer of its pool */
};

#define URING_INTERNAL	((uint64_t)1 << 31) /* not a slot's */
#define URING_NOTES	((uint64_t)0xffff0000)
#define URING_CANCEL	(URING_INTERNAL | 1)
#define URING_WAKE	(URING_INTERNAL | 2)
#define URING_DEPTH_MAX 32768

/* Codes that move bytes between two descriptors. */
#define URING_MOVES (1ull << SL_OP_SPLICE | 1ull << SL_OP_TEE | 1ull << SL_OP_SENDFILE)

#define URING_POOLS   16
#define URING_BUFFERS 16

/* The backend's own part of a slot. */
struct uring_mark {
	uint64_t user_data;
	struct sl_slot *next; /* in the known list */
	int64_t res;	      /* known, or the failure of a zero-copy send */
	uint64_t refused;     /* see uring_refuse() */
};

_Static_assert(sizeof(struct uring_mark) <= sizeof(((struct sl_slot *)0)->backend), "fits");

/* A ring of provided buffers. */
struct uring_pool {
	struct sl_uring_buf *ring; /* NULL: free */
	size_t ring_bytes;
	uint32_t entries;
	uint16_t tail;
	char *base;
	uint32_t buf_bytes;
};

struct uring {
	struct sl_ring *ring;
	struct sl_event_queue *events;
	uint32_t inflight;
	uint32_t inflight_max;
	uint32_t disk;	    /* of those, transfers whose wait is I/O wait */
	uint32_t raising;   /* of those, writes that could raise SIGPIPE here */
	uint64_t elsewhere; /* codes that may need no entry in q: see start_elsewhere() */
	bool iopoll;
	struct uring_queue q;
	uint32_t cancels;     /* entries of cancel_data in use */
	uint32_t wake_nr;     /* completions that end any wait */
	uint32_t min_wait_us; /* 0: the kernel cannot gather a batch for a time */
	uint64_t wait_ns;     /* ... so it is gathered by hand for so long */
	bool multishot;
	bool zc, zc_vector, zc_report;
	bool write_quietly; /* pwritev2(2) can leave SIGPIPE out */
	bool wake_by_message;
	bool wake_armed;
	struct uring_queue polled; /* with iopoll */
	uint32_t polled_inflight;
	struct sl_slot *known_head; /* results that no completion will bring */
	struct sl_slot *known_tail;
	uint64_t overflows;
	uint64_t native;
	int wake_fd;	 /* -1 with wake_by_message */
	int ready_fd;	 /* -1: nobody watches us from another loop */
	bool ready_once; /* ... and the kernel tells it once per registration */

	struct msghdr *messages; /* by slot index, for vectors on sockets */
	uint64_t *cancel_data;	 /* by slot index; 0: none */
	int32_t *free_files;	 /* a stack of free slots of the file table */
	uint32_t free_files_nr;
	uint32_t files_nr;
	uint32_t buffers_used; /* bits of the buffer table */
	bool buffers;
	uint32_t depth;
	struct uring_pool pools[URING_POOLS];
	struct sl_allocator allocator;
	size_t bytes;
};

static inline struct uring_mark *uring_mark(struct sl_slot *slot)
{
	return (struct uring_mark *)(void *)&slot->backend;
}

/* The op in this slot is started again without what its descriptor refused: zero-copy
 * by its socket, polling by its file. It tells its id, for the slot's next op finds the
 * mark as it is. */
static inline void uring_refuse(struct sl_slot *slot)
{
	uring_mark(slot)->refused = slot->id + 1;
}

static inline bool uring_refused(struct sl_slot *slot)
{
	return uring_mark(slot)->refused == slot->id + 1;
}

/* open.c */
int uring_open(const struct sl_backend_open *args, void **ret_state,
	       struct sl_backend_caps *ret_caps, char *why);
void uring_close(void *state, bool forked);

/* options.c: what the text after the colon asks for; -EINVAL for anything unknown. */
int uring_options(const char *text, uint32_t *ret_setup_flags);

/* why.c: one sentence in why[256] for an error of setting up a ring of so many bytes. */
void uring_explain(int err, size_t ring_bytes, char *why);

/* probe.c: what works here, tried. */
uint64_t uring_native(const struct uring_ops *ops);
bool uring_writes_quietly(void);

/* prepare.c: by operation; fills a claimed entry from a slot, all of it, and ends by
 * uring_started(). Returns 0: it is the last thing that start() does. */
typedef int uring_prepare_fn(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe);
extern uring_prepare_fn *const uring_prepare[SL_OP_CODES];

/* complete.c: posts what has completed, until the engine's queue is full; returns how
 * many completions that took. The second for the polled queue. */
unsigned uring_reap(struct uring *u);
unsigned uring_reap_polled(struct uring *u);

/* known.c: results without a completion. uring_known_post() returns events posted. */
void uring_known_add(struct uring *u, struct sl_slot *slot, int64_t res);
unsigned uring_known_post(struct uring *u);

/* turn.c */
int uring_start(void *state, struct sl_slot *slot);
int uring_flush(void *state);
int uring_wait(void *state, unsigned nr, int64_t deadline_ns);
struct sl_uring_sqe *uring_claim_late(struct uring *u);
int uring_submit_early(struct uring *u);

/* So many entries are worth a system call of their own while the device has fewer than
 * URING_DISK_DRY: see turn.c. */
#define URING_DISK_BATCH 8
#define URING_DISK_DRY	 16

/* The slot is in the kernel's hands, or will be: its user data is its id with these notes. */
static inline int uring_started(struct uring *u, struct sl_slot *slot, uint64_t notes)
{
	uint32_t held;

	uring_mark(slot)->user_data = slot->id | notes;
	u->inflight++;
	if (notes & URING_NOTE_RAISES)
		u->raising++;
	if (!(notes & URING_NOTE_DISK))
		return 0;
	u->disk++;
	held = uring_queue_unsubmitted(&u->q);
	if (SL_UNLIKELY(held >= URING_DISK_BATCH && u->disk < held + URING_DISK_DRY))
		return uring_submit_early(u);
	return 0;
}

/* An entry to fill; NULL if there is none even after submitting what is there. */
static inline struct sl_uring_sqe *uring_claim(struct uring *u)
{
	struct sl_uring_sqe *sqe = uring_queue_sqe(&u->q);

	return SL_LIKELY(sqe) ? sqe : uring_claim_late(u);
}

/* cancel.c */
void uring_cancel(void *state, struct sl_slot *slot);
void uring_cancel_push(struct uring *u);

/* wake.c */
int uring_wake_init(struct uring *u);
void uring_wake_fini(struct uring *u);
void uring_wake_arm(struct uring *u);
void uring_wake_seen(struct uring *u);
void uring_wake(void *state);

/* polled.c */
int uring_polled_open(struct uring *u, const struct uring_queue_opts *opts);
bool uring_polled_start(struct uring *u, struct sl_slot *slot);
int uring_polled_turn(struct uring *u);

/* embed.c */
int uring_fd(void *state);
void uring_embed_fini(struct uring *u);
void uring_embed_begin(struct uring *u);
void uring_embed_end(struct uring *u);

/* pool.c, buffers.c, files.c */
int uring_pool_add(void *state, void *base, uint32_t buf_bytes, uint32_t count);
void uring_pool_remove(void *state, int pool_id);
void uring_pool_recycle(void *state, int pool_id, uint16_t buf_id);
void uring_pools_fini(struct uring *u);
int uring_map(void *state, void *base, size_t bytes);
void uring_unmap(void *state, int idx);
void uring_files_init(struct uring *u, uint32_t nr);
int uring_keep(void *state, int fd);
void uring_unkeep(void *state, int idx, int fd);

#endif
