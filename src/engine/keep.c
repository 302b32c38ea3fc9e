/* SPDX-License-Identifier: MIT */
/*
 * keep.c - kept descriptors: what they are is remembered, and the transfers of
 * a stream run one at a time and in order in each direction.
 *
 * An open-addressed hash with linear probing, at most half full; a dropped
 * entry moves its followers back, so a look-up ends at the first free place.
 */
#include "engine/engine.h"

static uint32_t home(const struct sl_ring *ring, int fd)
{
	return ((uint32_t)fd * 2654435761u) >> 7 & ring->keep_mask;
}

int keep_init(struct sl_ring *ring)
{
	uint32_t nr = sl_pow2_from(ring->opts.keep_max * 2);

	ring->keeps = ring_alloc(ring, nr, sizeof(*ring->keeps));
	if (!ring->keeps)
		return -ENOMEM;
	ring->keep_mask = nr - 1;
	for (uint32_t i = 0; i < nr; i++)
		ring->keeps[i].fd = -1;
	return 0;
}

struct sl_keep *keep_find(const struct sl_ring *ring, int fd)
{
	if (!ring->keep_nr || fd < 0)
		return NULL;
	for (uint32_t i = home(ring, fd);; i = (i + 1) & ring->keep_mask) {
		if (ring->keeps[i].fd == fd)
			return &ring->keeps[i];
		if (ring->keeps[i].fd < 0)
			return NULL;
	}
}

int sl_ring_keep(struct sl_ring *ring, int fd)
{
	struct sl_desc desc;
	uint32_t i;
	int err = ring_check(ring);

	if (err)
		return err;
	if (keep_find(ring, fd))
		return -EEXIST;
	if (ring->keep_nr >= ring->opts.keep_max)
		return -EAGAIN;
	err = ring_describe(ring, fd, &desc);
	if (err)
		return err;
	for (i = home(ring, fd); ring->keeps[i].fd >= 0;)
		i = (i + 1) & ring->keep_mask;
	ring->keeps[i] = (struct sl_keep){
		.fd = fd,
		.fixed_fd = ring->backend->keep(ring->state, fd),
		.kind = desc.kind,
		.flags = desc.flags,
	};
	if (ring->keeps[i].fixed_fd < 0)
		ring->keeps[i].fixed_fd = -1; /* works unregistered */
	ring->keep_nr++;
	return 0;
}

/* Slots point at their entry: one that moves takes them along. */
static void move_entry(struct sl_ring *ring, uint32_t from, uint32_t to)
{
	const struct sl_slot *slot;
	int fd = ring->keeps[from].fd;

	ring->keeps[to] = ring->keeps[from];
	for (slot = ring->fd_buckets[(uint32_t)fd & ring->fd_mask]; slot; slot = slot->fd_next) {
		if (slot->keep == &ring->keeps[from])
			ring->slots[(uint32_t)slot->id].keep = &ring->keeps[to];
	}
}

static void remove_entry(struct sl_ring *ring, uint32_t hole)
{
	uint32_t at = hole;

	for (;;) {
		uint32_t want;

		at = (at + 1) & ring->keep_mask;
		if (ring->keeps[at].fd < 0)
			break;
		want = home(ring, ring->keeps[at].fd);
		if (((at - want) & ring->keep_mask) < ((at - hole) & ring->keep_mask))
			continue;
		move_entry(ring, at, hole);
		hole = at;
	}
	ring->keeps[hole].fd = -1;
}

void keep_drop(struct sl_ring *ring, int fd)
{
	struct sl_keep *keep = keep_find(ring, fd);
	struct sl_slot *slot;

	if (!keep)
		return;
	for (slot = ring->fd_buckets[(uint32_t)fd & ring->fd_mask]; slot; slot = slot->fd_next) {
		if (slot->keep == keep) {
			slot->keep = NULL;
			slot->fixed_fd = -1;
		}
	}
	if (keep->fixed_fd >= 0)
		ring->backend->unkeep(ring->state, keep->fixed_fd, fd);
	remove_entry(ring, (uint32_t)(keep - ring->keeps));
	ring->keep_nr--;
}

int sl_ring_unkeep(struct sl_ring *ring, int fd)
{
	int err = ring_check(ring);

	if (err)
		return err;
	if (!keep_find(ring, fd))
		return -ENOENT;
	if (ring_fd_busy(ring, fd))
		return -EBUSY;
	keep_drop(ring, fd);
	return 0;
}

static bool is_stream(const struct sl_keep *keep)
{
	return keep->kind == SL_DESC_PIPE || keep->kind == SL_DESC_SOCKET ||
	       keep->kind == SL_DESC_CHARACTER;
}

/* 0: in, 1: out, -1: not ordered. */
static int direction(const struct sl_slot *slot)
{
	uint8_t traits = sl_op_table[slot->op->code].traits;

	if (!is_stream(slot->keep))
		return -1;
	if (traits & SL_OP_STREAM_OUT)
		return 1;
	return traits & SL_OP_STREAM_IN ? 0 : -1;
}

/* True when the transfer may start now; otherwise it waits for its turn. */
bool keep_enter(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_keep *keep = slot->keep;
	int dir = direction(slot);

	(void)ring;
	if (dir < 0 || slot->engine_flags & SLOT_KEEP_BUSY)
		return true;
	if (keep->busy[dir]) {
		slot->engine_state = SLOT_KEEP_WAIT;
		slot_list_add(&keep->queue[dir], slot);
		return false;
	}
	keep->busy[dir] = true;
	slot->engine_flags |= SLOT_KEEP_BUSY;
	return true;
}

/* The next in line is started from the next turn. */
void keep_leave(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_keep *keep = slot->keep;
	struct sl_slot *next;
	int dir;

	slot->keep = NULL;
	if (!(slot->engine_flags & SLOT_KEEP_BUSY))
		return;
	dir = sl_op_table[slot->op->code].traits & SL_OP_STREAM_OUT ? 1 : 0;
	keep->busy[dir] = false;
	next = slot_list_pop(&keep->queue[dir]);
	if (!next)
		return;
	keep->busy[dir] = true;
	next->engine_flags |= SLOT_KEEP_BUSY;
	next->engine_state = SLOT_RETRY;
	slot_list_add(&ring->retry, next);
}
