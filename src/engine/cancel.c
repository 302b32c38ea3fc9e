/* SPDX-License-Identifier: MIT */
/*
 * cancel.c - asking ops to end: by the caller, by a deadline, by close, by drain.
 *
 * An op that nobody has started ends at once (its callback at the next
 * dispatch). One in the backend is asked there and completes in its own time;
 * one that a worker runs completes when the worker is done with it.
 */
#include "engine/engine.h"
#include "engine/slot.h"

static struct slot_list *list_of(struct sl_ring *ring, struct sl_slot *slot)
{
	switch (slot->engine_state) {
	case SLOT_RETRY:
		return &ring->retry;
	case SLOT_LOCK_WAIT:
		return &ring->locks;
	case SLOT_KEEP_WAIT:
		return &slot->keep
				->queue[sl_op_table[slot->op->code].traits & SL_OP_STREAM_OUT ? 1 :
												0];
	default:
		return NULL;
	}
}

static void cancel_slot(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	struct slot_list *list = list_of(ring, slot);

	if (slot->engine_flags & SLOT_CANCEL || slot->code == SL_OP_CLOSE)
		return;
	slot->engine_flags |= res == -ETIMEDOUT ? SLOT_CANCEL | SLOT_TIMEOUT : SLOT_CANCEL;
	if (list) {
		slot_list_remove(list, slot);
		ring_end_slot(ring, slot, res);
		return;
	}
	switch (slot->engine_state) {
	case SLOT_STARTED:
		ring->backend->cancel(ring->state, slot);
		ring->unflushed = true;
		break;
	case SLOT_POOL_WAIT:
		pool_unwait(slot);
		ring_end_slot(ring, slot, res);
		break;
	case SLOT_WORK:
		if (workers_unqueue(ring, slot))
			ring_end_slot(ring, slot, res);
		break;
	default:
		break; /* SLOT_HELD: seen when it comes back */
	}
}

/* Parked ops that are about to end: from here on they count as in flight. */
static void unpark_chain(struct sl_ring *ring, const struct sl_op *op)
{
	for (; op; op = op->chain) {
		ring->parked--;
		ring->inflight++;
		ring->class_inflight[op->sched_class]++;
	}
	ring_set_easy_depth(ring);
}

static bool chain_is_parked(const struct sl_op *op)
{
	while (op->state == OP_WAITING)
		op = op->prev;
	return op->state == OP_PARKED;
}

void ring_cancel_op(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	switch (op->state) {
	case OP_PARKED:
		op_list_remove(&ring->classes[op->sched_class].parked, op);
		unpark_chain(ring, op);
		ring_end(ring, op, res);
		break;
	case OP_PENDING:
		op_list_remove(&ring->pending, op);
		ring_end(ring, op, res);
		break;
	case OP_WAITING:
		if (chain_is_parked(op))
			unpark_chain(ring, op);
		op->prev->chain = NULL;
		op->prev = NULL;
		ring->waiting--;
		ring_end(ring, op, res);
		break;
	case OP_TIMING:
		deadline_remove(ring, op);
		ring_end(ring, op, res);
		break;
	case OP_STARTED:
		cancel_slot(ring, slot_of(ring, op), res);
		break;
	case OP_ENDED:
		/* A periodic timer about to tick must not be armed again. */
		if (op->code == SL_OP_TIMER && op->flags & SL_OP_MULTI && !op->res)
			op->res = res;
		break;
	default:
		break;
	}
}

int sl_ring_cancel(struct sl_ring *ring, struct sl_op *op)
{
	int err = ring_check(ring);

	if (err)
		return err;
	if (op->state == OP_IDLE || op->state >= OP_FINISHED || op->ring != ring)
		return -ENOENT;
	ring_cancel_op(ring, op, -ECANCELED);
	return 0;
}

static bool on_fd(const struct sl_op *op, int fd)
{
	if (sl_op_table[op->code].traits & SL_OP_ON_FD && op->fd == fd)
		return true;
	return is_splice(op) && splice_source(op) == fd;
}

/* The first op on fd, from op on along its chain. */
static struct sl_op *first_on_fd(struct sl_op *op, int fd)
{
	while (op && !on_fd(op, fd))
		op = op->chain;
	return op;
}

/* What matches; the rest of a chain goes with it. */
static int cancel_from(struct sl_ring *ring, struct sl_op *op, int fd)
{
	op = first_on_fd(op, fd);
	if (!op)
		return 0;
	ring_cancel_op(ring, op, -ECANCELED);
	return 1;
}

/* Cancels what matches in a list of ops and in the chains behind them. */
static int cancel_listed(struct sl_ring *ring, struct op_list *list, int fd)
{
	struct sl_op *next;
	int nr = 0;

	for (struct sl_op *op = list->head; op; op = next) {
		next = op->next;
		nr += cancel_from(ring, op, fd);
	}
	return nr;
}

static struct sl_op *waiting_behind(struct sl_op *op, int fd)
{
	/* What follows a close of the number means the next one to have it. */
	if (op->code == SL_OP_CLOSE && op->fd == fd)
		return NULL;
	return first_on_fd(op->chain, fd);
}

static struct sl_op *waiting_listed(const struct op_list *list, int fd)
{
	struct sl_op *found = NULL;

	for (struct sl_op *op = list->head; op && !found; op = op->next)
		found = waiting_behind(op, fd);
	return found;
}

/* An op on fd that a chain holds back behind one that has begun or ended. */
static struct sl_op *waiting_on_fd(const struct sl_ring *ring, int fd)
{
	struct sl_op *found = NULL;

	if (SL_LIKELY(!ring->waiting))
		return NULL;
	for (uint32_t i = 0; i < ring->opts.depth && !found; i++)
		found = ring->slots[i].op ? waiting_behind(ring->slots[i].op, fd) : NULL;
	for (uint32_t i = 0; i < ring->heap_nr && !found; i++)
		found = waiting_behind(ring->heap[i], fd);
	if (!found)
		found = waiting_listed(&ring->ended, fd);
	return found ? found : waiting_listed(&ring->ending, fd);
}

static bool cancellable(const struct sl_slot *slot)
{
	return slot->op && slot->code != SL_OP_CLOSE && !(slot->engine_flags & SLOT_CANCEL);
}

static int cancel_chained(struct sl_ring *ring, int fd, const struct sl_op *except)
{
	struct sl_slot *slot = ring->fd_buckets[(uint32_t)fd & ring->fd_mask];
	struct sl_slot *next;
	int nr = 0;

	for (; slot; slot = next) {
		next = slot->fd_next;
		if (slot->op->fd != fd || (except && slot->op == except) || !cancellable(slot))
			continue;
		cancel_slot(ring, slot, -ECANCELED);
		nr++;
	}
	return nr;
}

static int cancel_splices(struct sl_ring *ring, int fd)
{
	int nr = 0;

	for (uint32_t i = 0; i < ring->opts.depth; i++) {
		struct sl_slot *slot = &ring->slots[i];

		if (!slot->op || slot->op->fd == fd || !on_fd(slot->op, fd) || !cancellable(slot))
			continue;
		cancel_slot(ring, slot, -ECANCELED);
		nr++;
	}
	return nr;
}

int ring_cancel_held_back(struct sl_ring *ring, int fd)
{
	struct sl_op *waiting;
	int nr = 0;

	for (unsigned i = 0; ring->parked && i < SL_RING_CLASSES; i++)
		nr += cancel_listed(ring, &ring->classes[i].parked, fd);
	while ((waiting = waiting_on_fd(ring, fd))) {
		ring_cancel_op(ring, waiting, -ECANCELED);
		nr++;
	}
	return nr;
}

int ring_cancel_on_fd(struct sl_ring *ring, int fd, const struct sl_op *except)
{
	int nr = cancel_listed(ring, &ring->pending, fd);

	nr += ring_cancel_held_back(ring, fd);
	nr += cancel_chained(ring, fd, except);
	if (ring->splices)
		nr += cancel_splices(ring, fd);
	return nr;
}

static bool listed_on_fd(const struct op_list *list, int fd)
{
	for (struct sl_op *op = list->head; op; op = op->next) {
		if (first_on_fd(op, fd))
			return true;
	}
	return false;
}

bool ring_fd_busy(const struct sl_ring *ring, int fd)
{
	const struct sl_slot *slot = ring->fd_buckets[(uint32_t)fd & ring->fd_mask];

	for (; slot; slot = slot->fd_next) {
		if (slot->op->fd == fd)
			return true;
	}
	for (unsigned i = 0; i < SL_RING_CLASSES; i++) {
		if (listed_on_fd(&ring->classes[i].parked, fd))
			return true;
	}
	return listed_on_fd(&ring->pending, fd) || waiting_on_fd(ring, fd);
}

int sl_ring_cancel_fd(struct sl_ring *ring, int fd)
{
	int err = ring_check(ring);

	return err ? err : ring_cancel_on_fd(ring, fd, NULL);
}

void ring_cancel_all(struct sl_ring *ring)
{
	struct sl_op *op;

	for (unsigned i = 0; i < SL_RING_CLASSES; i++) {
		while ((op = ring->classes[i].parked.head))
			ring_cancel_op(ring, op, -ECANCELED);
	}
	while ((op = ring->pending.head))
		ring_cancel_op(ring, op, -ECANCELED);
	for (uint32_t i = ring->heap_nr; i-- > 0;) {
		if (i < ring->heap_nr && ring->heap[i]->state == OP_TIMING)
			ring_cancel_op(ring, ring->heap[i], -ECANCELED);
	}
	for (op = ring->ended.head; op; op = op->next)
		ring_cancel_op(ring, op, -ECANCELED);
	for (uint32_t i = 0; i < ring->opts.depth; i++) {
		if (ring->slots[i].op)
			cancel_slot(ring, &ring->slots[i], -ECANCELED);
	}
}
