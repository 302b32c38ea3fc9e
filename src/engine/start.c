/* SPDX-License-Identifier: MIT */
/*
 * start.c - from an accepted op to whoever carries it out.
 *
 * In this order: the engine itself (timers, posts, close, locks), an inline
 * system call that cannot block, the backend, a worker thread. What cannot
 * start now (no room in the backend, a busy kept stream, a lock held by
 * somebody else) waits in a list and is started again from the next turn.
 */
#include "engine/engine.h"
#include "engine/slot.h"
#include "engine/stats.h"

#define LOCK_BACKOFF_MIN_NS 1000000
#define LOCK_BACKOFF_MAX_NS 50000000
#define LOCK_DOUBLINGS	    6

static bool is_native(const struct sl_ring *ring, const struct sl_slot *slot)
{
	if (!(ring->backend_caps.native >> slot->code & 1) || slot->engine_flags & SLOT_NOT_NATIVE)
		return false;
	return ring->backend_caps.files || !(sl_op_table[slot->code].traits & SL_OP_AT_OFF) ||
	       slot->off == SL_OFF_CURRENT;
}

static SL_COLD void not_started(struct sl_ring *ring, struct sl_slot *slot, int err)
{
	if (err == -EAGAIN) {
		slot->engine_state = SLOT_RETRY;
		slot_list_add(&ring->retry, slot);
	} else {
		ring_end_slot(ring, slot, err);
	}
}

static inline void start_native(struct sl_ring *ring, struct sl_slot *slot)
{
	int err = ring->backend->start(ring->state, slot);

	if (SL_UNLIKELY(err)) {
		not_started(ring, slot, err);
		return;
	}
	slot->engine_state = SLOT_STARTED;
	ring->in_backend++;
}

static void start_on_worker(struct sl_ring *ring, struct sl_slot *slot)
{
	if (slot->pool && !(slot->engine_flags & SLOT_BUFFER) && !sl_slot_take_buffer(ring, slot)) {
		pool_wait(ring, slot);
		return;
	}
	op_stats(ring, slot->op)->worked++;
	workers_queue(ring, slot);
}

/* Others on the descriptor first; slot_release() of the last one wakes it. */
static void start_close(struct sl_ring *ring, struct sl_slot *slot)
{
	if (!slot_alone_on_fd(ring, slot)) {
		slot->engine_state = SLOT_CLOSE_WAIT;
		ring->closes++;
		ring_cancel_on_fd(ring, slot->fd, slot->op);
		return;
	}
	/* What starts later would find the next file to have the number. */
	ring_cancel_held_back(ring, slot->fd);
	keep_drop(ring, slot->fd);
	ring->buffered_trust = 0;
	if (is_native(ring, slot)) {
		start_native(ring, slot);
	} else {
		struct sl_desc desc;

		/* The last close of a file may free its blocks: not in the loop. */
		if (!ring_describe(ring, slot->fd, &desc) && desc.kind == SL_DESC_REGULAR)
			start_on_worker(ring, slot);
		else
			ring_end_slot(ring, slot, slot_perform(slot));
	}
}

/* Twice as long each time. */
static int64_t lock_backoff_ns(unsigned tries)
{
	int64_t backoff_ns = (int64_t)LOCK_BACKOFF_MIN_NS << tries;

	return backoff_ns < LOCK_BACKOFF_MAX_NS ? backoff_ns : LOCK_BACKOFF_MAX_NS;
}

/* Tries; fcntl(2) has no way to wait that could be cancelled. */
static void start_lock(struct sl_ring *ring, struct sl_slot *slot)
{
	int64_t res;

	if (is_native(ring, slot)) {
		start_native(ring, slot);
		return;
	}
	res = slot_perform(slot);
	if (res != -EAGAIN && res != -EACCES) {
		ring_end_slot(ring, slot, res);
		return;
	}
	slot->retry_ns = ring->now_ns + lock_backoff_ns(slot->restarts);
	if (slot->restarts < LOCK_DOUBLINGS)
		slot->restarts++;
	slot->engine_state = SLOT_LOCK_WAIT;
	slot_list_add(&ring->locks, slot);
}

#define INLINE_OPS (1ull << SL_OP_READ | 1ull << SL_OP_OPEN | 1ull << SL_OP_STAT)

static bool answered_inline(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_event event = { .id = slot->id };

	if (!(INLINE_OPS >> slot->code & 1) || !sl_event_room(ring) ||
	    !inline_attempt(ring, slot, &event.res))
		return false;
	sl_event(ring, &event);
	op_stats(ring, slot->op)->inlined++;
	return true;
}

static SL_NOINLINE void start_slowly(struct sl_ring *ring, struct sl_slot *slot)
{
	slot->engine_state = SLOT_HELD;
	if (slot->engine_flags & SLOT_CANCEL && slot->code != SL_OP_CLOSE) {
		ring_end_slot(ring, slot,
			      slot->engine_flags & SLOT_TIMEOUT ? -ETIMEDOUT : -ECANCELED);
		return;
	}
	if (slot->keep && !keep_enter(ring, slot))
		return;
	if (SL_UNLIKELY(ring->backend->began)) {
		slot->engine_flags |= SLOT_TOLD;
		ring->backend->began(ring->state, slot);
	}
	if (slot->code == SL_OP_CLOSE)
		start_close(ring, slot);
	else if (slot->code == SL_OP_LOCK)
		start_lock(ring, slot);
	else if (answered_inline(ring, slot))
		return;
	else if (is_native(ring, slot))
		start_native(ring, slot);
	else if (sl_op_table[slot->code].route == SL_ROUTE_INLINE)
		ring_end_slot(ring, slot, slot_perform(slot));
	else
		start_on_worker(ring, slot);
}

static inline void start_slot(struct sl_ring *ring, struct sl_slot *slot)
{
	if (SL_LIKELY(ring->plain_ops >> slot->code & 1 && !slot->keep &&
		      !(slot->engine_flags & (SLOT_CANCEL | SLOT_NOT_NATIVE))))
		start_native(ring, slot);
	else
		start_slowly(ring, slot);
}

/* Once more, for a further transfer of the same op. */
void ring_start_slot(struct sl_ring *ring, struct sl_slot *slot)
{
	uint32_t before = ring->in_backend;

	start_slot(ring, slot);
	ring->unflushed |= ring->in_backend != before;
}

static bool being_closed(const struct sl_ring *ring, const struct sl_slot *slot, int fd)
{
	const struct sl_slot *at = ring->fd_buckets[(uint32_t)fd & ring->fd_mask];

	for (; at; at = at->fd_next) {
		if (at != slot && at->op->fd == fd && at->code == SL_OP_CLOSE)
			return true;
	}
	return false;
}

static bool comes_too_late(struct sl_ring *ring, const struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if (being_closed(ring, slot, op->fd))
		return true;
	return is_splice(op) && being_closed(ring, slot, splice_source(op));
}

/* Not every file system keeps RWF_DSYNC behind an asynchronous write; pwritev2(2) by a
 * worker is durable on all of them. */
static bool needs_pwritev(const struct sl_ring *ring, const struct sl_slot *slot)
{
	if (ring->backend->owns_world || ring->backend_caps.dsync)
		return false;
	return ring->backend_caps.native >> SL_OP_WRITE & 1 && !fd_keeps_dsync(slot->fd);
}

/* The kept entry, the pool and the registered memory of a slot. */
static void attach(struct sl_ring *ring, struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;
	const struct sl_op_info *info = &sl_op_table[op->code];

	if (SL_UNLIKELY(op->flags & SL_OP_DSYNC) && needs_pwritev(ring, slot))
		slot->engine_flags |= SLOT_NOT_NATIVE;
	if (ring->keep_nr) {
		slot->keep = keep_find(ring, op->fd);
		if (slot->keep)
			slot->fixed_fd = slot->keep->fixed_fd;
	}
	if (op->flags & SL_OP_POOLED) {
		slot->pool = op->arg;
		slot->pool_id = pool_backend_id(slot->pool);
	} else if (ring->pool_nr && info->flags & SL_OP_VEC && !(op->flags & SL_OP_VEC)) {
		slot->fixed_buf = pool_fixed_index(ring, slot->buf, slot->total);
	}
}

/* True for an op that takes no slot. */
static bool started_without_slot(struct sl_ring *ring, struct sl_op *op)
{
	switch (op->code) {
	case SL_OP_TIMER:
		op->state = OP_TIMING;
		deadline_add(ring, op);
		return true;
	case SL_OP_POST:
		ring_end(ring, op, sl_ring_post(op->arg, op->buf));
		return true;
	case SL_OP_NOP:
		if (ring->backend_caps.native >> SL_OP_NOP & 1)
			return false;
		ring_end(ring, op, 0);
		return true;
	default:
		return false;
	}
}

static void start_on_fd(struct sl_ring *ring, struct sl_slot *slot)
{
	fd_chain_add(ring, slot);
	if (SL_UNLIKELY(is_splice(slot->op)))
		ring->splices++;
	if (SL_UNLIKELY(ring->closes) && comes_too_late(ring, slot)) {
		ring_end_slot(ring, slot, -EBADF);
		return;
	}
	attach(ring, slot);
	start_slot(ring, slot);
}

static inline void start_op(struct sl_ring *ring, struct sl_op *op)
{
	if (ring->bare_ops >> op->code & 1)
		start_native(ring, slot_take(ring, op));
	else if (sl_op_table[op->code].traits & SL_OP_ON_FD)
		start_on_fd(ring, slot_take(ring, op));
	else if (!started_without_slot(ring, op))
		start_slowly(ring, slot_take(ring, op));
}

void ring_start_pending(struct sl_ring *ring)
{
	uint32_t before = ring->in_backend;
	struct sl_op *op;

	while ((op = op_list_pop(&ring->pending)))
		start_op(ring, op);
	ring->unflushed |= ring->in_backend != before;
}

static unsigned list_length(const struct slot_list *list)
{
	unsigned nr = 0;

	for (const struct sl_slot *slot = list->head; slot; slot = slot->next)
		nr++;
	return nr;
}

/* Each slot that was there is looked at once; what waits again goes to the end.
 * The list stays whole meanwhile: a close may cancel slots in it. */
static void start_again(struct sl_ring *ring, struct slot_list *list, int64_t due_ns)
{
	for (unsigned nr = list_length(list); nr && list->head; nr--) {
		struct sl_slot *slot = slot_list_pop(list);

		if (slot->retry_ns <= due_ns)
			ring_start_slot(ring, slot);
		else
			slot_list_add(list, slot);
	}
}

void ring_retry(struct sl_ring *ring)
{
	start_again(ring, &ring->retry, INT64_MAX);
}

void ring_try_locks(struct sl_ring *ring)
{
	start_again(ring, &ring->locks, ring->now_ns);
}

int64_t ring_next_lock_ns(const struct sl_ring *ring)
{
	int64_t next_ns = INT64_MAX;

	for (const struct sl_slot *slot = ring->locks.head; slot; slot = slot->next) {
		if (slot->retry_ns < next_ns)
			next_ns = slot->retry_ns;
	}
	return next_ns;
}
