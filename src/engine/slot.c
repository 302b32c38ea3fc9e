/* SPDX-License-Identifier: MIT */
/*
 * slot.c - slots: what an op occupies while somebody carries it out.
 *
 * A slot has a generation that changes each time it is released; its id, index
 * and generation together, is what a backend hands back, so a late completion
 * never reaches the next user. Slots on the same descriptor are chained in a
 * hash by fd: close and cancel_fd find them there.
 */
#include "engine/slot.h"

struct sl_slot *sl_slot_find(struct sl_ring *ring, uint64_t id)
{
	return slot_find(ring, id);
}

static bool is_splice_source(const struct sl_ring *ring, int fd)
{
	for (uint32_t i = 0; i < ring->opts.depth; i++) {
		const struct sl_op *op = ring->slots[i].op;

		if (op && is_splice(op) && splice_source(op) == fd)
			return true;
	}
	return false;
}

bool slot_alone_on_fd(const struct sl_ring *ring, const struct sl_slot *slot)
{
	const struct sl_slot *at = ring->fd_buckets[(uint32_t)slot->fd & ring->fd_mask];

	for (; at; at = at->fd_next) {
		if (at->op->fd == slot->fd && at != slot && at->code != SL_OP_CLOSE)
			return false;
	}
	return !ring->splices || !is_splice_source(ring, slot->fd);
}

/* A close that waited for the last other op on its descriptor goes on. */
static void wake_close(struct sl_ring *ring, int fd)
{
	struct sl_slot *at = ring->fd_buckets[(uint32_t)fd & ring->fd_mask];

	for (; at; at = at->fd_next) {
		if (at->op->fd != fd || at->engine_state != SLOT_CLOSE_WAIT ||
		    !slot_alone_on_fd(ring, at))
			continue;
		ring->closes--;
		at->engine_state = SLOT_RETRY;
		slot_list_add(&ring->retry, at);
		return;
	}
}

/* Told while somebody may care: op has given back its slot. */
void slot_left(struct sl_ring *ring, const struct sl_op *op)
{
	if (is_splice(op)) {
		ring->splices--;
		wake_close(ring, splice_source(op));
	}
	wake_close(ring, op->fd);
}

static uint64_t vector_bytes(const struct iovec *iov, uint64_t nr)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < nr; i++)
		total += iov[i].iov_len;
	return total;
}

/* The rest of a vector from byte slot->done: a piece of one buffer, or what
 * begins at a buffer's start. The caller's array is never written. */
static void set_vector_piece(struct sl_slot *slot)
{
	const struct iovec *iov = slot->op->buf;
	uint64_t skip = slot->done;
	uint64_t i = 0;

	while (i < slot->op->len && skip >= iov[i].iov_len)
		skip -= iov[i++].iov_len;
	if (!skip || i == slot->op->len) {
		slot->flags |= SL_OP_VEC;
		slot->buf = (void *)(uintptr_t)&iov[i];
		slot->len = slot->op->len - i;
		return;
	}
	slot->flags &= (uint16_t)~SL_OP_VEC;
	slot->buf = (char *)iov[i].iov_base + skip;
	slot->len = iov[i].iov_len - skip;
}

/* What to transfer next, from slot->done. */
void slot_set_piece(struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if (!(sl_op_table[op->code].flags & SL_OP_VEC)) {
		slot->len = op->len; /* not a transfer: always the whole of it */
	} else if (op->flags & SL_OP_VEC) {
		set_vector_piece(slot);
	} else if (!(op->flags & SL_OP_POOLED)) {
		slot->buf = (char *)op->buf + slot->done;
		slot->len = slot->total - slot->done;
		if (slot->len > SLOT_PIECE_MAX)
			slot->len = SLOT_PIECE_MAX;
	}
	if (sl_op_table[op->code].traits & SL_OP_AT_OFF && op->off != SL_OFF_CURRENT)
		slot->off = op->off + slot->done;
}

void slot_set_first_piece(struct sl_slot *slot)
{
	if (slot->op->flags & SL_OP_VEC)
		slot->total = vector_bytes(slot->op->buf, slot->op->len);
	slot_set_piece(slot);
}
