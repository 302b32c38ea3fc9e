/* SPDX-License-Identifier: MIT */
/* slot.h - taking, finding and releasing slots: every op passes here, so it is inline. */
#ifndef SLUICE_ENGINE_SLOT_H
#define SLUICE_ENGINE_SLOT_H

#include "engine/engine.h"

#define SLOT_GENERATION_ONE ((uint64_t)1 << 32)

/* Linux transfers at most 0x7ffff000 bytes a call (read(2)); 1 GiB pieces keep
 * every alignment. */
#define SLOT_PIECE_MAX ((uint64_t)1 << 30)

/* What slot_take() and slot_release() leave to slot.c. */
void slot_set_piece(struct sl_slot *slot);
void slot_set_first_piece(struct sl_slot *slot);
bool slot_alone_on_fd(const struct sl_ring *ring, const struct sl_slot *slot);
void slot_left(struct sl_ring *ring, const struct sl_op *op);

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

	/* Nobody was told the id of a free slot yet. */
	return SL_LIKELY((uint32_t)id < ring->opts.depth && slot->id == id) ? slot : NULL;
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
	*slot->fd_link = slot->fd_next;
	if (slot->fd_next)
		slot->fd_next->fd_link = slot->fd_link;
	slot->fd_link = NULL;
}

/* The first transfer of an op is all of it, but for vectors and what is too long. Members
 * in the order of the struct: a compiler then writes several at a time. */
static inline struct sl_slot *slot_take(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_slot *slot = ring->free_slots;

	SL_ASSERT(slot); /* E1 */
	ring->free_slots = slot->next;
	slot->total = op->len;
	slot->op = op;
	slot->code = op->code;
	slot->flags = op->flags;
	slot->fd = op->fd;
	slot->buf = op->buf;
	slot->len = op->len;
	slot->off = op->off;
	slot->fixed_fd = slot->fixed_buf = -1;
	slot->pool_id = -1;
	slot->buf_id = 0;
	slot->engine_flags = slot->restarts = 0;
	slot->pool = NULL;
	slot->keep = NULL;
	slot->done = 0;
	slot->result = 0;
	op->slot = (uint32_t)slot->id;
	op->state = OP_STARTED;
	if (SL_UNLIKELY(op->flags & SL_OP_VEC || op->len > SLOT_PIECE_MAX))
		slot_set_first_piece(slot);
	return slot;
}

static inline void slot_release(struct sl_ring *ring, struct sl_slot *slot)
{
	const struct sl_op *op = slot->op;

	if (SL_UNLIKELY(slot->keep))
		keep_leave(ring, slot);
	if (slot->fd_link)
		fd_chain_remove(slot);
	slot->id += SLOT_GENERATION_ONE;
	slot->op = NULL;
	if (SL_UNLIKELY(ring->splices | ring->closes))
		slot_left(ring, op);
	slot->next = ring->free_slots;
	ring->free_slots = slot;
}

#endif
