/* SPDX-License-Identifier: MIT */
/*
 * slot.c - slots: what an op occupies while somebody carries it out.
 *
 * A slot has a generation that changes each time it is released; its id, index
 * and generation together, is what a backend hands back, so a late completion
 * never reaches the next user. Slots on the same descriptor are chained in a
 * hash by fd: close and cancel_fd find them there.
 */
#include "engine/engine.h"

#define GENERATION_ONE ((uint64_t)1 << 32)

struct sl_slot *sl_slot_find(struct sl_ring *ring, uint64_t id)
{
	uint32_t idx = (uint32_t)id;

	if (SL_UNLIKELY(idx >= ring->opts.depth || ring->slots[idx].id != id))
		return NULL;
	return ring->slots[idx].engine_state == SLOT_FREE ? NULL : &ring->slots[idx];
}

struct sl_slot *slot_of(const struct sl_ring *ring, const struct sl_op *op)
{
	return &ring->slots[op->slot];
}

static void fd_chain_add(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_slot **bucket = &ring->fd_buckets[(uint32_t)slot->fd & ring->fd_mask];

	slot->fd_next = *bucket;
	if (*bucket)
		(*bucket)->fd_link = &slot->fd_next;
	slot->fd_link = bucket;
	*bucket = slot;
}

static void fd_chain_remove(struct sl_slot *slot)
{
	if (!slot->fd_link)
		return;
	*slot->fd_link = slot->fd_next;
	if (slot->fd_next)
		slot->fd_next->fd_link = slot->fd_link;
	slot->fd_link = NULL;
}

static uint64_t vector_bytes(const struct iovec *iov, uint64_t nr)
{
	uint64_t total = 0;

	for (uint64_t i = 0; i < nr; i++)
		total += iov[i].iov_len;
	return total;
}

static bool is_transfer(const struct sl_op_info *info)
{
	return info->flags & (SL_OP_VEC | SL_OP_POOLED);
}

struct sl_slot *slot_take(struct sl_ring *ring, struct sl_op *op)
{
	const struct sl_op_info *info = &sl_op_table[op->code];
	struct sl_slot *slot = ring->free_slots;

	SL_ASSERT(slot); /* E1 */
	ring->free_slots = slot->next;
	slot->next = NULL;
	slot->op = op;
	slot->code = op->code;
	slot->engine_state = SLOT_HELD;
	slot->flags = op->flags;
	slot->fd = op->fd;
	slot->fixed_fd = slot->fixed_buf = slot->pool_id = -1;
	slot->buf = op->buf;
	slot->len = op->len;
	slot->off = op->off;
	slot->pool = NULL;
	slot->engine_flags = slot->restarts = 0;
	slot->done = 0;
	slot->total = op->len;
	slot->keep = NULL;
	slot->result = 0;
	slot->backend.u64[0] = slot->backend.u64[1] = 0;
	slot->backend.u64[2] = slot->backend.u64[3] = 0;
	if (is_transfer(info)) {
		if (op->flags & SL_OP_VEC)
			slot->total = vector_bytes(op->buf, op->len);
		slot_set_piece(slot);
	}
	if (info->traits & SL_OP_ON_FD)
		fd_chain_add(ring, slot);
	op->slot = (uint32_t)slot->id;
	op->state = OP_STARTED;
	return slot;
}

/* Splices are chained by their target; few are in flight at a time. */
static bool is_splice_source(const struct sl_ring *ring, int fd)
{
	for (uint32_t i = 0; i < ring->opts.depth; i++) {
		const struct sl_op *op = ring->slots[i].op;

		if (op && (op->code == SL_OP_SPLICE || op->code == SL_OP_TEE) &&
		    ((const struct sl_splice_ends *)op->buf)->source_fd == fd)
			return true;
	}
	return false;
}

bool slot_alone_on_fd(const struct sl_ring *ring, const struct sl_slot *slot)
{
	const struct sl_slot *at = ring->fd_buckets[(uint32_t)slot->fd & ring->fd_mask];

	for (; at; at = at->fd_next) {
		if (at->fd == slot->fd && at != slot && at->code != SL_OP_CLOSE)
			return false;
	}
	return !ring->splices || !is_splice_source(ring, slot->fd);
}

/* A close that waited for the last other op on its descriptor goes on. */
static void wake_close(struct sl_ring *ring, int fd)
{
	struct sl_slot *at = ring->fd_buckets[(uint32_t)fd & ring->fd_mask];

	for (; at; at = at->fd_next) {
		if (at->fd != fd || at->engine_state != SLOT_CLOSE_WAIT ||
		    !slot_alone_on_fd(ring, at))
			continue;
		ring->closes--;
		at->engine_state = SLOT_RETRY;
		slot_list_add(&ring->retry, at);
		return;
	}
}

static void release_splice(struct sl_ring *ring, const struct sl_op *op)
{
	ring->splices--;
	if (ring->closes)
		wake_close(ring, ((const struct sl_splice_ends *)op->buf)->source_fd);
}

void slot_release(struct sl_ring *ring, struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if (slot->keep)
		keep_leave(ring, slot);
	fd_chain_remove(slot);
	slot->engine_state = SLOT_FREE;
	slot->id += GENERATION_ONE;
	slot->op = NULL;
	if (SL_UNLIKELY(op->code == SL_OP_SPLICE || op->code == SL_OP_TEE))
		release_splice(ring, op);
	if (SL_UNLIKELY(ring->closes))
		wake_close(ring, op->fd);
	slot->next = ring->free_slots;
	ring->free_slots = slot;
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

/* Linux transfers at most 0x7ffff000 bytes a call (read(2)); 1 GiB pieces keep
 * every alignment. */
#define PIECE_MAX ((uint64_t)1 << 30)

/* What to transfer next, from slot->done. */
void slot_set_piece(struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if (op->flags & SL_OP_VEC) {
		set_vector_piece(slot);
	} else if (!(op->flags & SL_OP_POOLED)) {
		slot->buf = (char *)op->buf + slot->done;
		slot->len = slot->total - slot->done;
		if (slot->len > PIECE_MAX)
			slot->len = PIECE_MAX;
	}
	if (sl_op_table[op->code].traits & SL_OP_AT_OFF && op->off != SL_OFF_CURRENT)
		slot->off = op->off + slot->done;
}
