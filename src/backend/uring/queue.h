/*
 * The raw ring: a submission and a completion queue shared with the kernel.
 *
 * No engine, no policy: set up, fill, submit, wait, reap, register. The engine's
 * uring backend, the benchmark's plain contender and the probe stand on it.
 *
 * Invariants:
 * 1. One thread owns a queue: the one that opened it. Nothing here locks.
 * 2. An entry is claimed by uring_queue_sqe() and written whole, all 64 bytes,
 *    by uring_sqe_fill(): no field of an earlier request survives in a slot.
 * 3. sq_tail and cq_head are ours alone, so their master copies are private;
 *    the shared words are written once per submit and once per batch reaped.
 * 4. The memory is never inherited: a forked child does not have it, and
 *    uring_queue_close() in a child only closes the descriptor.
 *
 * The path of a batch: uring_queue_push() ... uring_queue_submit() one system
 * call, uring_queue_ready(), uring_queue_cqe() for each, uring_queue_seen().
 *
 * Failure modes: a full submission queue says NULL or false; a full completion
 * queue makes the kernel keep a list without bound (uring_queue_overflowed()), so
 * whoever drives a queue keeps what is in flight below @cq_entries.
 */
#ifndef SL_BACKEND_URING_QUEUE_H
#define SL_BACKEND_URING_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "sys/uring.h"

/* The usual wishes for a ring that one thread drives. */
#define URING_QUEUE_WANT                                               \
	(SL_URING_SETUP_SINGLE_ISSUER | SL_URING_SETUP_DEFER_TASKRUN | \
	 SL_URING_SETUP_TASKRUN_FLAG | SL_URING_SETUP_SUBMIT_ALL | SL_URING_SETUP_NO_SQARRAY)

/**
 * struct uring_queue_opts - how to open a queue; zero is the default throughout
 * @sq_entries: submission entries, 1 to 32768, rounded up to a power of two; 0 = 64
 * @cq_entries: completion entries, at least @sq_entries, at most 65536; 0 = twice
 * @flags: SL_URING_SETUP_... without which the queue is of no use (IOPOLL, SQPOLL)
 * @flags_wanted: SL_URING_SETUP_... that are dropped where the kernel refuses them;
 *                0 = a plain ring, URING_QUEUE_WANT = the usual
 * @sq_idle_ms: SQPOLL: how long the kernel's thread spins before it sleeps; 0 = 1 s
 * @sq_cpu: SQPOLL: the CPU of that thread, plus one; 0 = any
 * @ring_fd_unregistered: do not register the ring's descriptor
 */
struct uring_queue_opts {
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t flags;
	uint32_t flags_wanted;
	uint32_t sq_idle_ms;
	uint32_t sq_cpu;
	bool ring_fd_unregistered;
};

/**
 * struct uring_queue_report - what the kernel made of the wishes
 * @flags: SL_URING_SETUP_... in force
 * @flags_dropped: wishes that were refused
 * @features: SL_URING_FEAT_...
 * @enter_flags: SL_URING_ENTER_... that work beyond those of Linux 6.1
 * @sq_entries: submission entries
 * @cq_entries: completion entries
 * @ring_bytes: memory mapped for the queues
 * @ring_fd_error: 0 = the ring's descriptor is registered, else why not, as -errno
 *                 (-ECANCELED: not asked for)
 * @dontfork_error: 0 = children do not inherit the memory, else why not, as -errno
 */
struct uring_queue_report {
	uint32_t flags;
	uint32_t flags_dropped;
	uint32_t features;
	uint32_t enter_flags;
	uint32_t sq_entries;
	uint32_t cq_entries;
	size_t ring_bytes;
	int ring_fd_error;
	int dontfork_error;
};

/**
 * struct uring_queue - a raw ring in caller memory
 *
 * Open for the inline functions and for tests; written by this layer alone.
 */
struct uring_queue {
	/* private: submission */
	struct sl_uring_sqe *sqes;
	uint32_t sq_tail;      /* next slot to fill; published by submit */
	uint32_t sq_head_seen; /* the kernel's head when last looked at */
	uint32_t sq_mask;
	uint32_t sq_entries;
	uint32_t *sq_khead;
	uint32_t *sq_ktail;
	uint32_t *sq_kflags;
	uint32_t *sq_kdropped;

	/* private: completion */
	const struct sl_uring_cqe *cqes;
	uint32_t cq_head;      /* next to reap; published by seen */
	uint32_t cq_tail_seen; /* the kernel's tail when last looked at */
	uint32_t cq_mask;
	uint32_t cq_entries;
	uint32_t *cq_khead;
	uint32_t *cq_ktail;
	uint32_t *cq_koverflow;

	/* private: set at open */
	int fd;
	int enter_fd;	      /* fd, or the registered index */
	uint32_t enter_base;  /* REGISTERED_RING where it is registered */
	uint32_t enter_flags; /* ABS_TIMER, NO_IOWAIT where they work */
	uint32_t flags;
	uint32_t features;
	pid_t owner_pid;
	pid_t owner_tid;
	uint64_t enters; /* system calls made by submit and sq_wait */
	void *sq_map;
	void *cq_map; /* == sq_map with FEAT_SINGLE_MMAP */
	size_t sq_map_bytes;
	size_t cq_map_bytes;
	size_t sqes_bytes;
};

/**
 * struct uring_queue_wait - what one enter waits for
 * @nr: completions to wait for; 0 = only submit and collect
 * @min_wait_us: gather for so long before one completion is enough; ignored where
 *               the kernel lacks it (SL_URING_FEAT_MIN_TIMEOUT)
 * @deadline_ns: CLOCK_MONOTONIC, absolute; 0 = none
 * @idle: only network or timers are pending: do not count the wait as I/O wait
 *        (where the kernel can)
 */
struct uring_queue_wait {
	uint32_t nr;
	uint32_t min_wait_us;
	uint64_t deadline_ns;
	bool idle;
};

/**
 * struct uring_ops - which operations the kernel knows
 * @mask: one bit per enum sl_uring_op
 */
struct uring_ops {
	uint64_t mask[4];
};

/**
 * uring_queue_open - set up a ring and map it
 * @q: filled; owns nothing if this fails
 * @opts: borrowed; NULL = all defaults
 * @ret_report: what came of the wishes; may be NULL; untouched on failure
 *
 * Wishes are dropped one at a time, the youngest first, while the kernel says
 * -EINVAL: setup bits are numbered in the order kernels learned them. SQPOLL
 * excludes DEFER_TASKRUN, COOP_TASKRUN and TASKRUN_FLAG, which are then dropped
 * unasked; DEFER_TASKRUN refused becomes COOP_TASKRUN.
 *
 * Context: the thread that will own the queue; may sleep.
 *
 * Return: 0; -ENOSYS: no io_uring, or one older than Linux 5.11; -EPERM: seccomp,
 * kernel.io_uring_disabled or privilege; -ENOMEM: memory or RLIMIT_MEMLOCK (try
 * fewer entries); -EINVAL: sizes out of range, a required flag the kernel refuses, or one that
 * changes the layout (SQE128, CQE32, mixed sizes, NO_MMAP, REGISTERED_FD_ONLY,
 * ATTACH_WQ, R_DISABLED); -EMFILE, -ENFILE: descriptors.
 */
int uring_queue_open(struct uring_queue *q, const struct uring_queue_opts *opts,
		     struct uring_queue_report *ret_report);

/**
 * uring_queue_close - unmap and close; @q is zeroed with fd = -1
 * @q: NULL, zeroed and half-open ones are fine
 *
 * Does not cancel: requests in flight may still write into their buffers when
 * this has returned. Reap to zero first.
 *
 * Context: the owner; in a forked child only the descriptor is closed.
 */
void uring_queue_close(struct uring_queue *q);

/**
 * uring_queue_submit - submit what is filled, wait, collect: one system call at most
 * @q: the queue
 * @wait: what to wait for; NULL = nothing
 *
 * The system call is left out when there is nothing to submit, nothing to collect
 * and enough completions lie ready.
 *
 * Context: the owner; may sleep as long as @wait says.
 *
 * Return: entries the kernel consumed. An error of the wait shows only when none
 * was consumed: look at the completions, not at this number. -ETIME: deadline
 * passed; -EINTR: a signal; -EAGAIN, -EBUSY: no memory, or completions must be
 * reaped first: reap and retry; -EBADR: a completion was lost (fatal); -EEXIST:
 * another thread owns this ring; -EOWNERDEAD: the SQPOLL thread is gone.
 */
int uring_queue_submit(struct uring_queue *q, const struct uring_queue_wait *wait);

/**
 * uring_queue_sq_wait - wait until the SQPOLL thread has freed an entry
 * @q: a queue with SL_URING_SETUP_SQPOLL whose entries are submitted
 *
 * Context: the owner; may sleep.
 *
 * Return: 0; -EINVAL: not an SQPOLL queue; -EINTR, -EOWNERDEAD.
 */
int uring_queue_sq_wait(struct uring_queue *q);

/**
 * uring_queue_register - io_uring_register(2) on this queue
 * @q: the queue
 * @opcode: enum sl_uring_register_op
 * @arg: as the operation says
 * @arg_nr: as the operation says
 *
 * Context: the owner; may sleep.
 *
 * Return: >= 0 as the operation says, else -errno.
 */
int uring_queue_register(struct uring_queue *q, uint32_t opcode, void *arg, uint32_t arg_nr);

/**
 * uring_queue_buffers_sparse - register an empty table of fixed buffers
 * @q: the queue
 * @nr: slots, 1 to 16384
 *
 * Context: the owner; may sleep.
 *
 * Return: 0; -EBUSY: there is one already; -EINVAL: size; -ENOMEM.
 */
int uring_queue_buffers_sparse(struct uring_queue *q, uint32_t nr);

/**
 * uring_queue_buffers_update - put buffers into slots
 * @q: the queue
 * @idx: first slot
 * @iov: the buffers; borrowed for the call, what they point at until replaced;
 *       a NULL base empties the slot
 * @tags: a completion with this user data and no other meaning comes when the slot's
 *        content retires; 0 in a slot or NULL = none
 * @nr: how many
 *
 * Context: the owner; may sleep (it pins pages).
 *
 * Return: slots updated, maybe fewer than @nr; -ENOMEM: memory or RLIMIT_MEMLOCK;
 * -EFAULT: bad address; -ENXIO: no table; -EINVAL: out of range; -EOPNOTSUPP:
 * memory of a file that cannot be pinned.
 */
int uring_queue_buffers_update(struct uring_queue *q, uint32_t idx, const struct iovec *iov,
			       const uint64_t *tags, uint32_t nr);

/**
 * uring_queue_files_sparse - register an empty table of direct descriptors
 * @q: the queue
 * @nr: slots, at most RLIMIT_NOFILE
 *
 * Context: the owner; may sleep.
 *
 * Return: 0; -EBUSY: there is one already; -EMFILE: beyond RLIMIT_NOFILE; -ENOMEM.
 */
int uring_queue_files_sparse(struct uring_queue *q, uint32_t nr);

/**
 * uring_queue_files_update - put descriptors into slots
 * @q: the queue
 * @idx: first slot
 * @fds: borrowed; -1 empties a slot, SL_URING_REGISTER_FILES_SKIP leaves it
 * @tags: as for buffers: the slot may be used anew when its tag has completed
 * @nr: how many
 *
 * Context: the owner; may sleep.
 *
 * Return: slots updated, maybe fewer than @nr; -EBADF: not a descriptor (or a
 * ring's); -ENXIO: no table; -EINVAL: out of range.
 */
int uring_queue_files_update(struct uring_queue *q, uint32_t idx, const int *fds,
			     const uint64_t *tags, uint32_t nr);

/**
 * uring_queue_file_alloc_range - which slots SL_URING_FILE_INDEX_ALLOC may pick
 * @q: the queue
 * @idx: first slot
 * @nr: how many
 *
 * Context: the owner.
 *
 * Return: 0; -EINVAL: out of range; -EOVERFLOW.
 */
int uring_queue_file_alloc_range(struct uring_queue *q, uint32_t idx, uint32_t nr);

/**
 * uring_queue_buf_ring_register - register a ring of provided buffers
 * @q: the queue
 * @ring: page-aligned memory of @entries entries; stays the caller's and must live until
 *        unregistered
 * @entries: a power of two up to 32768
 * @group: its id in sqe.buf_index
 * @flags: SL_URING_PBUF_RING_INC or 0
 *
 * Context: the owner; may sleep.
 *
 * Return: 0; -EEXIST: the group is taken; -EINVAL: alignment, size or flags;
 * -ENOMEM, -EFAULT.
 */
int uring_queue_buf_ring_register(struct uring_queue *q, struct sl_uring_buf *ring,
				  uint32_t entries, uint16_t group, uint16_t flags);

/**
 * uring_queue_buf_ring_unregister - forget a ring of provided buffers
 * @q: the queue
 * @group: its id
 *
 * Context: the owner.
 *
 * Return: 0; -ENOENT: no such group; -EINVAL: not a ring, or one below 64 that
 * was one (6.1 keeps these groups, empty).
 */
int uring_queue_buf_ring_unregister(struct uring_queue *q, uint16_t group);

/**
 * uring_queue_iowq_max_workers - bound the kernel's worker threads
 * @q: the queue
 * @bounded: for regular files and block devices; 0 = leave
 * @unbounded: for everything else; 0 = leave
 * @ret_old: the two former bounds; may be NULL
 *
 * Context: the owner. The bound belongs to the thread, not to the ring.
 *
 * Return: 0; -EINVAL: the kernel lacks it.
 */
int uring_queue_iowq_max_workers(struct uring_queue *q, uint32_t bounded, uint32_t unbounded,
				 uint32_t ret_old[2]);

/**
 * uring_queue_ops - which operations the kernel knows
 * @q: the queue
 * @ret_ops: filled; untouched on failure
 *
 * Context: the owner.
 *
 * Return: 0; -EINVAL: the kernel cannot say.
 */
int uring_queue_ops(struct uring_queue *q, struct uring_ops *ret_ops);

/**
 * uring_queue_cancel_sync - cancel requests and wait until they are gone
 * @q: the queue; their completions are posted to it
 * @user_data: of the target, unless @flags names another key
 * @fd: with SL_URING_CANCEL_FD
 * @flags: SL_URING_CANCEL_...
 * @timeout_ns: how long to wait, relative; negative = without limit, 0 = not at all
 *
 * Context: the owner; may sleep as long as @timeout_ns says.
 *
 * Return: requests cancelled (with ALL or ANY), else 0; -ENOENT: none matched;
 * -ETIME: still running; -EALREADY: beyond cancelling; -EINTR; -EINVAL: flags.
 */
int uring_queue_cancel_sync(struct uring_queue *q, uint64_t user_data, int fd, uint32_t flags,
			    int64_t timeout_ns);

/**
 * uring_msg_send - post a completion to a ring from a thread that has none
 * @target_fd: the ring's descriptor (not an index)
 * @user_data: of the completion
 * @res: its result
 *
 * Context: any thread.
 *
 * Return: 0; -EINVAL: the kernel lacks it (before 6.13); -EBADFD: @target_fd is no
 * ring or a disabled one; -EOVERFLOW: no room; -EBADF, -ENOMEM.
 */
int uring_msg_send(int target_fd, uint64_t user_data, int32_t res);

/** uring_ops_has - whether @op is in @ops */
static inline bool uring_ops_has(const struct uring_ops *ops, uint32_t op)
{
	return op < 256 && (ops->mask[op / 64] >> (op % 64) & 1);
}

/** uring_queue_room - entries that can be claimed now without a system call */
static inline uint32_t uring_queue_room(struct uring_queue *q)
{
	/* Acquire pairs with the kernel's store-release of the head after it has
	 * copied the entries: a freed slot may be written only after that. */
	q->sq_head_seen = __atomic_load_n(q->sq_khead, __ATOMIC_ACQUIRE);
	return q->sq_entries - (q->sq_tail - q->sq_head_seen);
}

/** uring_queue_full - whether no entry can be claimed now without a system call */
static inline bool uring_queue_full(struct uring_queue *q)
{
	return q->sq_tail - q->sq_head_seen == q->sq_entries && !uring_queue_room(q);
}

/** uring_queue_next - uring_queue_sqe() on a queue that is not full */
static inline struct sl_uring_sqe *uring_queue_next(struct uring_queue *q)
{
	return &q->sqes[q->sq_tail++ & q->sq_mask];
}

/**
 * uring_queue_sqe - claim the next submission entry
 * @q: the queue
 *
 * What it returns must be filled by uring_sqe_fill() before the next submit;
 * uring_queue_push() does both at once.
 *
 * Return: the entry, or NULL when the queue is full.
 */
static inline struct sl_uring_sqe *uring_queue_sqe(struct uring_queue *q)
{
	if (uring_queue_full(q))
		return NULL;
	return uring_queue_next(q);
}

/**
 * uring_sqe_fill - write a whole entry
 * @sqe: a claimed entry
 * @request: what to write; fields left out of an initialiser are zero
 *
 * Member by member, not as one struct: a compiler then keeps a literal request in
 * registers, where copying it from the stack in wider loads than the stores that
 * built it stalls on store forwarding (4 ns of 75 on a nop).
 */
static inline void uring_sqe_fill(struct sl_uring_sqe *sqe, const struct sl_uring_sqe *request)
{
	sqe->opcode = request->opcode;
	sqe->flags = request->flags;
	sqe->ioprio = request->ioprio;
	sqe->fd = request->fd;
	sqe->off = request->off;
	sqe->addr = request->addr;
	sqe->len = request->len;
	sqe->op_flags = request->op_flags;
	sqe->user_data = request->user_data;
	sqe->buf_index = request->buf_index;
	sqe->personality = request->personality;
	sqe->file_index = request->file_index;
	sqe->addr3 = request->addr3;
	sqe->pad = request->pad;
}

/**
 * uring_queue_push - claim and fill in one step
 * @q: the queue
 * @request: copied
 *
 * Return: false when the queue is full.
 */
static inline bool uring_queue_push(struct uring_queue *q, const struct sl_uring_sqe *request)
{
	struct sl_uring_sqe *sqe = uring_queue_sqe(q);

	if (!sqe)
		return false;
	uring_sqe_fill(sqe, request);
	return true;
}

/** uring_queue_unsubmitted - entries filled that the kernel has not consumed */
static inline uint32_t uring_queue_unsubmitted(const struct uring_queue *q)
{
	/* Relaxed: a number, no slot is touched on its account. */
	return q->sq_tail - __atomic_load_n(q->sq_khead, __ATOMIC_RELAXED);
}

/** uring_queue_ready - completions that can be reaped now, in a batch */
static inline uint32_t uring_queue_ready(struct uring_queue *q)
{
	/* Acquire pairs with the kernel's store-release of the tail after it has
	 * written the entries: they may be read only after that. */
	q->cq_tail_seen = __atomic_load_n(q->cq_ktail, __ATOMIC_ACQUIRE);
	return q->cq_tail_seen - q->cq_head;
}

/** uring_queue_cqe - the @idx-th ready completion; @idx < uring_queue_ready() */
static inline const struct sl_uring_cqe *uring_queue_cqe(const struct uring_queue *q, uint32_t idx)
{
	return &q->cqes[(q->cq_head + idx) & q->cq_mask];
}

/** uring_queue_peek - the next completion, or NULL; stays until uring_queue_seen() */
static inline const struct sl_uring_cqe *uring_queue_peek(struct uring_queue *q)
{
	if (q->cq_head == q->cq_tail_seen && !uring_queue_ready(q))
		return NULL;
	return uring_queue_cqe(q, 0);
}

/** uring_queue_seen - give @nr reaped completions back to the kernel */
static inline void uring_queue_seen(struct uring_queue *q, uint32_t nr)
{
	q->cq_head += nr;
	/* Release pairs with the kernel's read of the head before it writes a new
	 * entry there: our reads of the old ones come first. */
	__atomic_store_n(q->cq_khead, q->cq_head, __ATOMIC_RELEASE);
}

/** uring_queue_sq_flags - SL_URING_SQ_... as the kernel last set them */
static inline uint32_t uring_queue_sq_flags(const struct uring_queue *q)
{
	/* Relaxed: a hint to enter the kernel, which orders whatever follows. The
	 * one reader that needs more is the SQPOLL wake-up in queue.c. */
	return __atomic_load_n(q->sq_kflags, __ATOMIC_RELAXED);
}

/** uring_queue_overflowed - completions wait in the kernel for room: reap, then enter */
static inline bool uring_queue_overflowed(const struct uring_queue *q)
{
	return uring_queue_sq_flags(q) & SL_URING_SQ_CQ_OVERFLOW;
}

/** uring_queue_taskrun - deferred work waits for an enter; needs TASKRUN_FLAG */
static inline bool uring_queue_taskrun(const struct uring_queue *q)
{
	return uring_queue_sq_flags(q) & SL_URING_SQ_TASKRUN;
}

/** uring_queue_has - whether all of SL_URING_FEAT_... @features are there */
static inline bool uring_queue_has(const struct uring_queue *q, uint32_t features)
{
	return (q->features & features) == features;
}

/**
 * uring_buf_ring_add - put a buffer into a ring of provided buffers
 * @ring: the ring
 * @entries: its size
 * @tail: the caller's copy of its tail, advanced
 * @buf: copied; its resv is ignored
 *
 * The kernel sees it after uring_buf_ring_publish().
 */
static inline void uring_buf_ring_add(struct sl_uring_buf *ring, uint32_t entries, uint16_t *tail,
				      const struct sl_uring_buf *buf)
{
	struct sl_uring_buf *slot = &ring[(*tail)++ & (entries - 1)];

	/* The first entry's resv is the ring's tail: never write a slot whole. */
	slot->addr = buf->addr;
	slot->len = buf->len;
	slot->bid = buf->bid;
}

/** uring_buf_ring_publish - show the kernel all buffers up to @tail */
static inline void uring_buf_ring_publish(struct sl_uring_buf *ring, uint16_t tail)
{
	/* Release pairs with the kernel's load-acquire of the tail when it selects
	 * a buffer: the entries are written before. */
	__atomic_store_n(&ring->resv, tail, __ATOMIC_RELEASE);
}

#endif
