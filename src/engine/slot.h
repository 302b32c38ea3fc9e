/* SPDX-License-Identifier: MIT */
/* slot.h - taking, finding and releasing slots: every op passes here, so it is inline. */
#ifndef SLUICE_ENGINE_SLOT_H
#define SLUICE_ENGINE_SLOT_H

#include "engine/engine.h"

#define SLOT_GENERATION_ONE ((uint64_t)1 << 32)

/* What slot_take() and slot_release() leave to slot.c. */
void slot_set_piece(struct sl_slot *slot);
uint64_t slot_vector_bytes(const struct iovec *iov, uint64_t nr);
bool slot_alone_on_fd(const struct sl_ring *ring, const struct sl_slot *slot);
void slot_wake_close(struct sl_ring *ring, int fd);
void slot_release_splice(struct sl_ring *ring, const struct sl_op *op);

/* On two descriptors: chained by its target; few are in flight at a time. */
static inline bool is_splice(const struct sl_op *op)
{
	return op->code == SL_OP_SPLICE || op->code == SL_OP_TEE;
}

static inline int splice_source(const struct sl_op *op)
{
	return ((const struct sl_splice_ends *)op->buf)->source_fd;
}

static inline struct sl_slot *slot_find(const struct sl_ring *ring, uint64_t id)
{
	struct sl_slot *slot = &ring->slots[(uint32_t)id];

	if (SL_UNLIKELY((uint32_t)id >= ring->opts.depth || slot->id != id))
		return NULL;
	return slot->engine_state == SLOT_FREE ? NULL : slot;
}

static inline struct sl_slot *slot_of(const struct sl_ring *ring, const struct sl_op *op)
{
	return &ring->slots[op->slot];
}

static inline void fd_chain_add(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_slot **bucket = &ring->fd_buckets[(uint32_t)slot->fd & ring->fd_mask];

	slot->fd_next = *bucket;
	if (*bucket)
		(*bucket)->fd_link = &slot->fd_next;
	slot->fd_link = bucket;
	*bucket = slot;
}

static inline void fd_chain_remove(struct sl_slot *slot)
{
	if (!slot->fd_link)
		return;
	*slot->fd_link = slot->fd_next;
	if (slot->fd_next)
		slot->fd_next->fd_link = slot->fd_link;
	slot->fd_link = NULL;
}

static inline struct sl_slot *slot_take(struct sl_ring *ring, struct sl_op *op)
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
	slot->backoff_ns = 0;
	if (info->flags & (SL_OP_VEC | SL_OP_POOLED)) {
		if (op->flags & SL_OP_VEC)
			slot->total = slot_vector_bytes(op->buf, op->len);
		slot_set_piece(slot);
	}
	if (info->traits & SL_OP_ON_FD)
		fd_chain_add(ring, slot);
	op->slot = (uint32_t)slot->id;
	op->state = OP_STARTED;
	return slot;
}

static inline void slot_release(struct sl_ring *ring, struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if (SL_UNLIKELY(slot->keep))
		keep_leave(ring, slot);
	fd_chain_remove(slot);
	slot->engine_state = SLOT_FREE;
	slot->id += SLOT_GENERATION_ONE;
	slot->op = NULL;
	if (SL_UNLIKELY(is_splice(op)))
		slot_release_splice(ring, op);
	if (SL_UNLIKELY(ring->closes))
		slot_wake_close(ring, op->fd);
	slot->next = ring->free_slots;
	ring->free_slots = slot;
}

#endif
