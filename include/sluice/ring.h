/* SPDX-License-Identifier: MIT */
/*
 * ring.h - completion I/O: one thread, bounded, the same behaviour on every backend.
 *
 * Three rules cover the whole API:
 *
 *  1. An op is caller memory. From a submit that returned 0 until a completion
 *     with more == 0, the op and every byte it points at belong to the library.
 *     Cancel, timeout, close and zero-copy change when that completion comes,
 *     never if. Result fields may be read during the callback (or, for an op
 *     without one, once sl_ring_next() returned it); a pooled buffer becomes
 *     the caller's with the completion that delivers it.
 *  2. Nothing is allocated by submit, run, next, cancel. Opening a ring or a
 *     pool and keeping a descriptor may allocate; the data path never does. A
 *     full queue says -EAGAIN, or the op parks in FIFO order up to park_max.
 *  3. A result is >= 0 or -errno, with the bytes done in done_len, which is
 *     valid with errors, timeouts and cancels too. On regular files and block
 *     devices with an explicit offset a transfer runs to its end: a short read
 *     means end of file, a short write is an error. On streams (pipe, tty,
 *     socket, SL_OFF_CURRENT) one op is one transfer. EINTR never reaches the
 *     caller, nor does SIGPIPE.
 *
 * A ring belongs to the thread that opened it; calls from another thread
 * answer -EPERM, and calls in a forked child -ESTALE. Two calls are legal from
 * any thread: sl_ring_post() and sl_ring_wake(). A thread that ends without
 * closing its ring breaks rule 1: the kernel ends what it had in flight, and no
 * callback tells.
 */
#ifndef SLUICE_RING_H
#define SLUICE_RING_H

#include <sluice/caps.h>
#include <sluice/err.h>
#include <sluice/log.h>
#include <sluice/op.h>

SL_BEGIN_DECLS

/* Scheduling classes, numbered from 0; class 0 is the default one. */
#define SL_RING_CLASSES 8

/* sl_ring_run() deadline: do not sleep at all. */
#define SL_RING_POLL 1

/* Latency histogram: bucket i counts ops of 2^i <= ns < 2^(i+1). */
#define SL_RING_LATENCY_BUCKETS 48

enum sl_ring_flag {
	/* Take a clock reading per op for the latency statistics instead of one
	 * per turn (about 20 ns an op). */
	SL_RING_CLOCK_PER_OP = 1 << 0,
	/* Never attempt a cached read inline; everything goes to the backend. */
	SL_RING_NO_INLINE = 1 << 1,
	/* Do not fall back: fail if the backend named (or the best one) cannot open. */
	SL_RING_NO_FALLBACK = 1 << 2,
	/* The process ignores SIGPIPE for as long as the ring is open, so the ring need not
	 * keep it away from the thread: two system calls less for each splice, each
	 * file sent to a socket and each write to a pipe that is tried at once. Where it
	 * is not ignored such an op may raise it. */
	SL_RING_SIGPIPE_IGNORED = 1 << 3,
};

/**
 * struct sl_allocator - where a ring takes its memory, at open and keep only
 * @alloc: returns @bytes aligned to @align (a power of two), or NULL
 * @free: gives back what alloc returned, of the same size; NULL is ignored
 * @ctx: passed to both
 */
struct sl_allocator {
	void *(*alloc)(void *ctx, size_t bytes, size_t align);
	void (*free)(void *ctx, void *ptr, size_t bytes);
	void *ctx;
};

/**
 * struct sl_ring_opts - how to open a ring; zero means the default everywhere
 * @size: sizeof(struct sl_ring_opts), so that the struct can grow; 0 means the
 *	fields of version 0.1
 * @flags: enum sl_ring_flag
 * @depth: most ops accepted and not completed; 1..32768, default 128
 * @park_max: most ops parked beyond depth; default 4 x depth, most 16777216
 * @keep_max: most descriptors kept; default 1024, most 1048576
 * @workers: worker threads, and the bound on the kernel's own; default 2, most 64
 * @wait_batch: sleep until this many completions are there ...; default 1, most
 *	depth
 * @wait_ns: ... or this long after the first; default 0: not at all, so that
 *	wait_batch alone changes nothing
 * @spin_ns: poll for completions this long before sleeping; default 0. Nothing on
 *	a backend whose clock stands still meanwhile
 * @stall_ns: report a callback that runs longer than this; default 0: never
 * @backend: "uring", "uring:sqpoll", "uring:iopoll", "epoll", "poll" or
 *	"select", or one that records around it, see sl_ring(3); NULL:
 *	$SLUICE_BACKEND, or the best one that works here.
 *	Borrowed during the call.
 * @allocator: borrowed during the call, its functions as long as the ring
 *	lives; NULL: malloc
 * @log: told of choices, fallbacks and stalls; NULL: nobody
 * @log_ctx: passed to @log
 */
struct sl_ring_opts {
	size_t size;
	uint32_t flags;
	uint32_t depth;
	uint32_t park_max;
	uint32_t keep_max;
	uint32_t workers;
	uint32_t wait_batch;
	uint64_t wait_ns;
	uint64_t spin_ns;
	uint64_t stall_ns;
	const char *backend;
	const struct sl_allocator *allocator;
	sl_log_fn *log;
	void *log_ctx;
};

/**
 * struct sl_ring_stats - what a ring, or one class of it, has done so far
 * @submitted: ops accepted
 * @completed: ops ended (a MULTI op counts once, at its end)
 * @events: completions delivered, each one of a MULTI op too
 * @failed: ended with an error other than a cancel or timeout
 * @cancelled: ended with -ECANCELED
 * @timed_out: ended with -ETIMEDOUT
 * @parked: had to wait for room
 * @refused: submits answered -EAGAIN
 * @rearmed: MULTI ops started again inside the library
 * @short_io: transfers continued after a short one
 * @inlined: reads, opens and stats answered by an inline attempt
 * @worked: ops run by worker threads
 * @zc_copied: zero-copy sends that the kernel copied after all
 * @enters: system calls made by the backend to submit and wait
 * @overflows: times the kernel's completion queue was found overflowed
 * @stalls: callbacks that ran longer than stall_ns
 * @read_bytes: bytes read and received
 * @write_bytes: bytes written and sent
 * @inflight: ops accepted and not completed now
 * @parked_now: ops parked now
 * @latency: ops by time from acceptance to completion, see
 *	SL_RING_LATENCY_BUCKETS; times are those of the turns unless
 *	SL_RING_CLOCK_PER_OP
 */
struct sl_ring_stats {
	uint64_t submitted;
	uint64_t completed;
	uint64_t events;
	uint64_t failed;
	uint64_t cancelled;
	uint64_t timed_out;
	uint64_t parked;
	uint64_t refused;
	uint64_t rearmed;
	uint64_t short_io;
	uint64_t inlined;
	uint64_t worked;
	uint64_t zc_copied;
	uint64_t enters;
	uint64_t overflows;
	uint64_t stalls;
	uint64_t read_bytes;
	uint64_t write_bytes;
	uint32_t inflight;
	uint32_t parked_now;
	uint64_t latency[SL_RING_LATENCY_BUCKETS];
};

/**
 * sl_ring_open - open a ring owned by the calling thread
 * @opts: options, copied; NULL means all defaults
 * @ret_ring: the ring, to be ended by sl_ring_close()
 *
 * Picks the best backend that works here, tells the log why a better one does
 * not (seccomp, sysctl, memlock, kernel), and says so in sl_ring_caps().
 *
 * Context: may sleep; allocates; starts the worker threads.
 * Return: 0, or
 * -EINVAL for an unknown flag, backend or a number out of its bounds;
 * -ENOMEM without memory;
 * -EAGAIN if threads cannot be started;
 * -EMFILE or -ENFILE without descriptors;
 * -ENOSYS, -EPERM or -ENOMEM as the backend failed, with SL_RING_NO_FALLBACK.
 */
SL_EXPORT int sl_ring_open(const struct sl_ring_opts *opts, struct sl_ring **ret_ring);

/**
 * sl_ring_drain - cancel everything and wait until nothing is in flight
 * @ring: the ring
 * @deadline_ns: absolute time to give up at; 0 means never
 *
 * Callbacks run as in sl_ring_run(); meanwhile submits answer -ESHUTDOWN. Ops
 * without a callback remain to be collected by sl_ring_next().
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: 0 when nothing is in flight; -ETIMEDOUT when something still is (a
 * worker that does not end, a transfer in the kernel), with the ring as valid
 * as before; -EPERM or -ESTALE, see above; -EBUSY from a callback.
 */
SL_EXPORT int sl_ring_drain(struct sl_ring *ring, int64_t deadline_ns);

/**
 * sl_ring_close - drain without limit, then free the ring
 * @ring: the ring; NULL is ignored
 *
 * Afterwards nothing writes into caller memory. What cannot be interrupted (a
 * worker's function, a device that does not answer) is waited for, and
 * reported to the log. Ops without a callback that were never collected are
 * forgotten. In a forked child only the child's copy is freed. The owner must
 * call it before its thread ends; once that thread is gone any thread may.
 * Called from a callback, or while another thread owns the ring, it is a bug in
 * the program and fails an assertion (sl_assert_hook()).
 *
 * Context: owner thread, not from a callback; sleeps.
 */
SL_EXPORT void sl_ring_close(struct sl_ring *ring);

/**
 * sl_ring_submit - hand an op to the ring
 * @ring: the ring
 * @op: an idle op with its request filled in; the library's until its last
 *	completion
 *
 * Makes no system call: ops are started together by the next sl_ring_run(),
 * sl_ring_next() or sl_ring_flush(). Completion never happens inside submit.
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0, or
 * -EAGAIN when depth or the class's cap is reached (with SL_OP_PARK: park_max);
 * -EINVAL for an unknown code, a flag the operation does not know, a bad class,
 * SL_OP_MULTI without a callback, SL_OP_LINKED outside sl_ring_submitv(), or an
 * op that is not idle;
 * -EOPNOTSUPP when this backend cannot run it; -ESHUTDOWN while draining;
 * -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_submit(struct sl_ring *ring, struct sl_op *op);

/**
 * sl_ring_submitv - hand several ops to the ring, all or none
 * @ring: the ring
 * @ops: nr idle ops; the array is borrowed during the call
 * @nr: how many, 1..depth
 *
 * An op with SL_OP_LINKED is followed by the next one in the array only if it
 * fully succeeds (res >= 0, and all its bytes done); otherwise the rest of the
 * chain completes with -ECANCELED, in order. A deadline or cancel of an op that
 * still waits ends it and all behind it at once. The last op may not be linked.
 * With SL_OP_PARK on the first op the whole array parks as one, and waits for room for
 * all of it at once: what other classes submit meanwhile may go first, since ops in
 * flight that never end (an armed accept) could otherwise block the ring for good.
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0 with all accepted, or with none accepted what sl_ring_submit()
 * answers for the first op refused; -EINVAL when nr is 0 or over depth.
 */
SL_EXPORT int sl_ring_submitv(struct sl_ring *ring, struct sl_op *const *ops, unsigned nr);

/**
 * sl_ring_flush - start what was submitted, without waiting
 * @ring: the ring
 *
 * Context: owner thread, also from a callback; may make a system call.
 * Return: 0; -EPERM or -ESTALE, see above; what sl_ring_error() answers when the
 * ring is broken.
 */
SL_EXPORT int sl_ring_flush(struct sl_ring *ring);

/**
 * sl_ring_check - whether sl_ring_run() would be refused here and now
 * @ring: the ring
 *
 * For what submits and then runs, as sl_ring_do() does, and must not begin what it
 * could not end.
 *
 * Context: any thread; neither sleeps nor looks at what has completed.
 * Return: 0: it may be called; otherwise what it would answer: -EBUSY from a callback;
 * -EPERM or -ESTALE, see above; what sl_ring_error() answers when the ring is broken.
 */
SL_EXPORT int sl_ring_check(const struct sl_ring *ring);

/**
 * sl_ring_run - one turn: start, wait, dispatch
 * @ring: the ring
 * @deadline_ns: absolute time to stop waiting at; 0: wait for a completion;
 *	SL_RING_POLL: do not wait
 *
 * Starts what was submitted, waits for completions (see wait_batch), and runs
 * their callbacks in the order of completion. Ops without a callback are then
 * ready for sl_ring_next(). Returns early after sl_ring_wake().
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: how many completions were dispatched; 0 when the deadline passed or
 * the ring was woken; -EBUSY from a callback; -EPERM or -ESTALE, see above;
 * -EIO when the kernel lost a completion (the ring must be closed).
 */
SL_EXPORT int sl_ring_run(struct sl_ring *ring, int64_t deadline_ns);

/**
 * sl_ring_next - the next finished op that has no callback
 * @ring: the ring
 * @deadline_ns: as for sl_ring_run()
 *
 * Runs turns as needed; the op returned is idle again, its result valid until
 * it is submitted anew.
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: the op, or NULL when the deadline passed, the ring was woken, nothing
 * without a callback is in flight, the call was not allowed, or the ring is
 * broken. A loop that wants all of them goes on while sl_ring_inflight() > 0
 * and sl_ring_error() == 0.
 */
SL_EXPORT struct sl_op *sl_ring_next(struct sl_ring *ring, int64_t deadline_ns);

/**
 * sl_ring_do - submit one op and run until it is done
 * @ring: the ring
 * @op: an idle op without MULTI; its callback, if any, runs too
 *
 * Other ops make progress meanwhile. For tools, tests and start-up. When the ring
 * breaks on the way (sl_ring_error()) the op is the caller's again, so that it
 * may lie on the stack; what it points at may still be written by a transfer that
 * nobody can wait for any more, and must stay where it is until the program ends.
 *
 * Context: owner thread, not from a callback; sleeps.
 * Return: op->res, or what sl_ring_submit() or sl_ring_run() refused it with.
 */
SL_EXPORT int64_t sl_ring_do(struct sl_ring *ring, struct sl_op *op);

/**
 * sl_ring_cancel - ask an op to end
 * @ring: the ring it was submitted to
 * @op: the op
 *
 * The op still completes, once, with what really happened: -ECANCELED, or its
 * result if that came first. Never fails for want of room.
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0 when asked; -ENOENT when the op is not in flight on this ring;
 * -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_cancel(struct sl_ring *ring, struct sl_op *op);

/**
 * sl_ring_cancel_fd - ask every op on a descriptor to end
 * @ring: the ring
 * @fd: the descriptor
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: how many ops were asked; -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_cancel_fd(struct sl_ring *ring, int fd);

/**
 * sl_ring_keep - make a descriptor direct and ordered
 * @ring: the ring
 * @fd: an open descriptor, to be ended by sl_op_close() or sl_ring_unkeep()
 *
 * The ring remembers what the descriptor is and, where the backend can,
 * registers it with the kernel; transfers on a kept stream run one at a time
 * and in order in each direction. Closing a kept descriptor with close(2)
 * behind the ring's back is a bug: a reused number would reach the old file.
 *
 * Context: owner thread, also from a callback; may allocate.
 * Return: 0; -EBADF; -EEXIST when kept already; -EAGAIN beyond keep_max;
 * -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_keep(struct sl_ring *ring, int fd);

/**
 * sl_ring_unkeep - forget a kept descriptor without closing it
 * @ring: the ring
 * @fd: the descriptor
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -ENOENT when it is not kept; -EBUSY while ops on it are in flight;
 * -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_unkeep(struct sl_ring *ring, int fd);

/**
 * sl_ring_post - hand an op to a ring from any thread
 * @ring: the ring that is to run the callback
 * @op: an idle op with a callback; its request fields are the message
 *
 * The callback runs on the owner thread of @ring with res = 0, or with
 * -ECANCELED if the ring drains before it got there. The posts waiting are
 * bounded by depth + park_max of @ring.
 *
 * Context: any thread (an async signal handler too); does not sleep or allocate.
 * The caller makes sure that @ring is not freed meanwhile.
 * Return: 0; -EAGAIN when too many posts wait; -ESHUTDOWN when the ring is
 * closing; -ESTALE in a forked child; -EINVAL for an op that is not idle or has
 * no callback.
 */
SL_EXPORT int sl_ring_post(struct sl_ring *ring, struct sl_op *op);

/**
 * sl_ring_wake - make the sleeping sl_ring_run() of a ring return
 * @ring: the ring; not freed meanwhile
 *
 * A wake that finds nobody asleep makes the next run return at once. In a
 * forked child it does nothing.
 *
 * Context: any thread, async-signal-safe.
 */
SL_EXPORT void sl_ring_wake(struct sl_ring *ring);

/**
 * sl_ring_fd - a descriptor to watch from another event loop
 * @ring: the ring
 *
 * Readable (POLLIN) when sl_ring_run(ring, SL_RING_POLL) has something to do; now and
 * then also for what the kernel has still to tidy up, and the run finds nothing.
 * Run the ring before going back to sleep, and sleep no longer than until
 * sl_ring_wakeup_ns(). Borrowed: do not close it.
 *
 * Context: owner thread.
 * Return: the descriptor; -EOPNOTSUPP on a backend without one (poll, select).
 */
SL_EXPORT int sl_ring_fd(struct sl_ring *ring);

/**
 * sl_ring_wakeup_ns - when an embedding loop must run the ring at the latest
 * @ring: the ring
 *
 * Context: owner thread.
 * Return: absolute time in ns; SL_RING_POLL when there is work already;
 * INT64_MAX when only the descriptor matters.
 */
SL_EXPORT int64_t sl_ring_wakeup_ns(const struct sl_ring *ring);

/**
 * sl_ring_room - how many ops would be accepted now
 * @ring: the ring
 *
 * Context: owner thread.
 * Return: ops that class 0 without a cap would accept without parking.
 */
SL_EXPORT unsigned sl_ring_room(const struct sl_ring *ring);

/**
 * sl_ring_inflight - how many ops are accepted or parked and not completed
 * @ring: the ring
 *
 * Context: owner thread.
 * Return: the number; finished ops that sl_ring_next() has not returned count.
 */
SL_EXPORT unsigned sl_ring_inflight(const struct sl_ring *ring);

/**
 * sl_ring_error - whether the ring is broken
 * @ring: the ring
 *
 * A ring breaks when the kernel lost a completion or refuses to go on; nothing
 * moves any more, and it must be closed.
 *
 * Context: owner thread.
 * Return: 0, or the -errno that every later sl_ring_run() answers.
 */
SL_EXPORT int sl_ring_error(const struct sl_ring *ring);

/**
 * sl_ring_allocator - the allocator the ring was opened with
 * @ring: the ring
 *
 * For what is built on the ring and allocates for itself.
 *
 * Context: owner thread.
 * Return: its functions (malloc's unless options gave others); valid as long as
 * the ring.
 */
SL_EXPORT const struct sl_allocator *sl_ring_allocator(const struct sl_ring *ring);

/**
 * sl_ring_now - the time of this turn
 * @ring: the ring
 *
 * Read once per turn, after the wait; costs nothing. For deadlines:
 * sl_ring_now(ring) + 5000000 is five milliseconds from now.
 *
 * Context: owner thread.
 * Return: ns on the ring's clock (CLOCK_MONOTONIC on a kernel backend).
 */
SL_EXPORT int64_t sl_ring_now(const struct sl_ring *ring);

/**
 * sl_ring_clock - read the ring's clock
 * @ring: the ring
 *
 * Also becomes the time of this turn.
 *
 * Context: owner thread.
 * Return: ns on the ring's clock.
 */
SL_EXPORT int64_t sl_ring_clock(struct sl_ring *ring);

/**
 * sl_ring_caps - what this ring is and can do
 * @ring: the ring
 *
 * Context: owner thread.
 * Return: the capabilities, valid as long as the ring.
 */
SL_EXPORT const struct sl_caps *sl_ring_caps(const struct sl_ring *ring);

/**
 * sl_ring_stats - numbers so far
 * @ring: the ring
 * @sched_class: a class, or -1 for all of them
 * @ret_stats: filled in
 *
 * The backend's counters (enters, overflows) are in the sum of all only.
 *
 * Context: owner thread.
 * Return: 0; -EINVAL for a class that does not exist.
 */
SL_EXPORT int sl_ring_stats(const struct sl_ring *ring, int sched_class,
			    struct sl_ring_stats *ret_stats);

/**
 * struct sl_ring_class_opts - how a scheduling class shares the ring
 * @shares: weight when classes compete for room, 1..1000; 0: 100
 * @inflight_max: most ops of the class in flight; 0: no cap but depth. A chain with
 *	more of them than that goes when none is in flight: arm what never ends, an
 *	accept say, in another class
 */
struct sl_ring_class_opts {
	uint32_t shares;
	uint32_t inflight_max;
};

/**
 * sl_ring_class - set the share and the cap of a scheduling class
 * @ring: the ring
 * @sched_class: 0..SL_RING_CLASSES-1
 * @opts: copied; NULL means the defaults
 *
 * When room frees, the parked op goes first whose class has used the least of
 * the ring for its shares; within a class the order is FIFO. Use is counted in
 * bytes, at least 4096 for each op; a class that was idle saves up no claim.
 *
 * Context: owner thread, also from a callback.
 * Return: 0; -EINVAL for a class or number out of bounds; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_ring_class(struct sl_ring *ring, unsigned sched_class,
			    const struct sl_ring_class_opts *opts);

/**
 * sl_ring_describe - what a descriptor or handle is
 * @ring: the ring
 * @fd: a descriptor, or a handle of the backend
 * @ret_desc: filled in
 *
 * Context: owner thread; makes system calls on a kernel backend.
 * Return: 0; -EBADF; -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_describe(struct sl_ring *ring, int fd, struct sl_desc *ret_desc);

/**
 * sl_ring_sockname - the address that a socket has, or is connected to
 * @ring: the ring
 * @fd: a socket, or a handle of the backend
 * @peer: 0: its own (getsockname(2)); 1: that of its peer (getpeername(2))
 * @ret_addr: the address, cut short when there is no room for all of it
 * @len: bytes at @ret_addr; becomes the bytes of the whole address
 *
 * Context: owner thread, also from a callback; one system call on a kernel
 * backend.
 * Return: 0; -EBADF; -ENOTSOCK; -ENOTCONN; -EOPNOTSUPP on a backend without
 * sockets; -EPERM or -ESTALE, see above.
 */
SL_EXPORT int sl_ring_sockname(struct sl_ring *ring, int fd, int peer, struct sockaddr *ret_addr,
			       socklen_t *len);

SL_END_DECLS

#endif
