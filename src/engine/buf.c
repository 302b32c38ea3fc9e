/* SPDX-License-Identifier: MIT */
/*
 * buf.c - buffer pools: a stack of free buffers over one registered mapping.
 *
 * A pool with SL_BUF_RECV belongs to ops: where the backend has provided-buffer
 * rings all its free buffers are in the kernel's hands, elsewhere the engine
 * takes one when a transfer is about to deliver. Ops that find it empty wait in
 * the pool's own list; the turn that finds a free buffer sends the first of them on.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "engine/engine.h"
#include "engine/stats.h"
#include "mem/arena.h"

#define COUNT_MAX      65536
#define RECV_COUNT_MAX 32768
#define ALIGN_MAX      ((uint32_t)2 << 20)

struct sl_buf_pool {
	struct sl_ring *ring;
	struct sl_arena arena;
	uint32_t flags;
	uint32_t count;
	uint32_t buf_bytes;
	uint32_t free_nr;
	int fixed_idx;	/* registered with the backend, or -1 */
	int backend_id; /* provided to the backend, or -1 */
	struct slot_list starved;
	char why[198];
	uint16_t *free_ids; /* a stack */
	uint8_t *out;	    /* 1: handed out; a double put is a bug */
};

static int check_opts(const struct sl_buf_pool_opts *opts)
{
	uint32_t max = opts->flags & SL_BUF_RECV ? RECV_COUNT_MAX : COUNT_MAX;

	if (!sl_opts_known(opts, opts->size, sizeof(*opts)))
		return -EINVAL;
	if (opts->flags & ~(uint32_t)(SL_BUF_HUGE | SL_BUF_RECV | SL_BUF_UNREGISTERED))
		return -EINVAL;
	if (!opts->count || opts->count > max || !opts->buf_bytes)
		return -EINVAL;
	if (opts->align &&
	    (!sl_is_pow2(opts->align) || opts->align < 64 || opts->align > ALIGN_MAX))
		return -EINVAL;
	return opts->buf_bytes > UINT32_MAX - ALIGN_MAX ? -EINVAL : 0;
}

static void note_memlock(struct sl_buf_pool *pool, int err)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	snprintf(pool->why, sizeof(pool->why),
		 "%zu KiB not registered: %s; RLIMIT_MEMLOCK is %llu KiB for all of this user's "
		 "pinned memory (raise it with ulimit -l or LimitMEMLOCK=)",
		 pool->arena.bytes / 1024, sl_err_text(err),
		 (unsigned long long)limit.rlim_cur / 1024);
	sl_report(pool->ring, SL_LOG_WARN, "buffer pool: %s", pool->why);
}

static void note_huge(struct sl_buf_pool *pool)
{
	snprintf(pool->why, sizeof(pool->why),
		 "no reserved huge pages (%s): %s; reserve some in /proc/sys/vm/nr_hugepages",
		 sl_err_name(pool->arena.huge_error),
		 pool->arena.pages == SL_ARENA_TRANSPARENT ? "transparent ones were asked for" :
							     "ordinary pages are used");
	sl_report(pool->ring, SL_LOG_INFO, "buffer pool: %s", pool->why);
}

static void register_memory(struct sl_buf_pool *pool)
{
	struct sl_ring *ring = pool->ring;
	int idx;

	pool->fixed_idx = pool->backend_id = -1;
	if (pool->flags & SL_BUF_RECV) {
		idx = ring->backend->pool_add(ring->state, pool->arena.base, pool->buf_bytes,
					      pool->count);
		if (idx >= 0)
			pool->backend_id = idx;
		else if (idx != -EOPNOTSUPP)
			note_memlock(pool, idx);
		return;
	}
	if (pool->flags & SL_BUF_UNREGISTERED)
		return;
	idx = ring->backend->map(ring->state, pool->arena.base, pool->arena.bytes);
	if (idx >= 0)
		pool->fixed_idx = idx;
	else if (idx != -EOPNOTSUPP)
		note_memlock(pool, idx);
}

static void free_pool(struct sl_buf_pool *pool)
{
	struct sl_ring *ring = pool->ring;

	sl_arena_fini(&pool->arena);
	ring_free(ring, pool->free_ids, pool->count, sizeof(*pool->free_ids));
	ring_free(ring, pool->out, pool->count, sizeof(*pool->out));
	ring_free(ring, pool, 1, sizeof(*pool));
}

static int fill_pool(struct sl_buf_pool *pool, const struct sl_buf_pool_opts *opts)
{
	uint32_t align = opts->align ? opts->align : 4096;
	size_t bytes;

	pool->flags = opts->flags;
	pool->count = opts->count;
	pool->buf_bytes = (uint32_t)sl_round_up(opts->buf_bytes, align);
	pool->free_ids = ring_alloc(pool->ring, opts->count, sizeof(*pool->free_ids));
	pool->out = ring_alloc(pool->ring, opts->count, sizeof(*pool->out));
	if (!pool->free_ids || !pool->out || !sl_size_mul(opts->count, pool->buf_bytes, &bytes))
		return -ENOMEM;
	for (uint32_t i = 0; i < opts->count; i++)
		pool->free_ids[i] = (uint16_t)(opts->count - 1 - i);
	pool->free_nr = opts->count;
	return sl_arena_init(&pool->arena, bytes, align, opts->flags & SL_BUF_HUGE);
}

int sl_buf_pool_create(struct sl_ring *ring, const struct sl_buf_pool_opts *opts,
		       struct sl_buf_pool **ret_pool)
{
	struct sl_buf_pool *pool;
	int err = ring_check(ring);

	if (!err)
		err = opts ? check_opts(opts) : -EINVAL;
	if (err)
		return err;
	if (ring->pool_nr == RING_POOLS)
		return -EAGAIN;
	pool = ring_alloc(ring, 1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->ring = ring;
	err = fill_pool(pool, opts);
	if (err) {
		free_pool(pool);
		return err;
	}
	if (opts->flags & SL_BUF_HUGE && pool->arena.pages != SL_ARENA_HUGETLB)
		note_huge(pool);
	register_memory(pool);
	ring->pools[ring->pool_nr++] = pool;
	*ret_pool = pool;
	return 0;
}

static bool is_used(const struct sl_ring *ring, const struct sl_buf_pool *pool)
{
	for (uint32_t i = 0; i < ring->opts.depth; i++) {
		if (ring->slots[i].op && ring->slots[i].pool == pool)
			return true;
	}
	return false;
}

static void forget_pool(struct sl_ring *ring, const struct sl_buf_pool *pool)
{
	unsigned i = 0;

	while (ring->pools[i] != pool)
		i++;
	ring->pools[i] = ring->pools[--ring->pool_nr];
}

void sl_buf_pool_destroy(struct sl_buf_pool *pool)
{
	struct sl_ring *ring;

	if (!pool)
		return;
	ring = pool->ring;
	forget_pool(ring, pool);
	if (!ring_check(ring)) {
		SL_ASSERT(!is_used(ring, pool));
		if (pool->fixed_idx >= 0)
			ring->backend->unmap(ring->state, pool->fixed_idx);
		if (pool->backend_id >= 0)
			ring->backend->pool_remove(ring->state, pool->backend_id);
	}
	free_pool(pool);
}

static void *buffer_at(const struct sl_buf_pool *pool, unsigned id)
{
	return (char *)pool->arena.base + (size_t)id * pool->buf_bytes;
}

static bool take_id(struct sl_buf_pool *pool, uint16_t *ret_id)
{
	if (!pool->free_nr)
		return false;
	*ret_id = pool->free_ids[--pool->free_nr];
	pool->out[*ret_id] = 1;
	return true;
}

void *sl_buf_get(struct sl_buf_pool *pool)
{
	uint16_t id;

	if (pool->flags & SL_BUF_RECV || !take_id(pool, &id))
		return NULL;
	return buffer_at(pool, id);
}

/* Free buffers of a provided pool are the backend's: only their number is kept. */
static void put_id(struct sl_buf_pool *pool, uint16_t id)
{
	SL_ASSERT_CMP(pool->out[id], ==, 1);
	pool->out[id] = 0;
	if (pool->backend_id >= 0)
		pool->ring->backend->pool_recycle(pool->ring->state, pool->backend_id, id);
	else
		pool->free_ids[pool->free_nr] = id;
	pool->free_nr++;
}

void sl_buf_put(struct sl_buf_pool *pool, void *buf)
{
	size_t at;

	if (!buf)
		return;
	at = (size_t)((char *)buf - (char *)pool->arena.base);
	SL_ASSERT_CMP(at, <, pool->arena.bytes);
	put_id(pool, (uint16_t)(at / pool->buf_bytes));
}

void *sl_buf_at(const struct sl_buf_pool *pool, unsigned buf_id)
{
	return buf_id < pool->count ? buffer_at(pool, buf_id) : NULL;
}

void sl_buf_pool_info(const struct sl_buf_pool *pool, struct sl_buf_pool_info *ret_info)
{
	*ret_info = (struct sl_buf_pool_info){
		.base = pool->arena.base,
		.bytes = pool->arena.bytes,
		.buf_bytes = pool->buf_bytes,
		.count = pool->count,
		.free = pool->free_nr,
		.registered = pool->fixed_idx >= 0 || pool->backend_id >= 0,
		.huge = pool->arena.pages,
	};
	snprintf(ret_info->why, sizeof(ret_info->why), "%s", pool->why);
}

/* ---- for the engine -------------------------------------------------------------------- */

int pool_check(const struct sl_ring *ring, const struct sl_buf_pool *pool)
{
	return pool->ring == ring && pool->flags & SL_BUF_RECV ? 0 : -EINVAL;
}

int pool_backend_id(const struct sl_buf_pool *pool)
{
	return pool->backend_id;
}

/* The registration that covers all of buf, or -1. */
int pool_fixed_index(const struct sl_ring *ring, const void *buf, uint64_t len)
{
	for (unsigned i = 0; i < ring->pool_nr; i++) {
		const struct sl_buf_pool *pool = ring->pools[i];
		uintptr_t at = (uintptr_t)buf - (uintptr_t)pool->arena.base;

		if (pool->fixed_idx >= 0 && at < pool->arena.bytes && len <= pool->arena.bytes - at)
			return pool->fixed_idx;
	}
	return -1;
}

bool sl_slot_take_buffer(struct sl_ring *ring, struct sl_slot *slot)
{
	(void)ring;
	if (!take_id(slot->pool, &slot->buf_id))
		return false;
	slot->engine_flags |= SLOT_BUFFER;
	slot->buf = buffer_at(slot->pool, slot->buf_id);
	slot->len = slot->pool->buf_bytes;
	return true;
}

void sl_slot_return_buffer(struct sl_ring *ring, struct sl_slot *slot)
{
	(void)ring;
	if (!(slot->engine_flags & SLOT_BUFFER))
		return;
	slot->engine_flags &= (uint8_t)~SLOT_BUFFER;
	put_id(slot->pool, slot->buf_id);
}

/* The backend picked a buffer that it held. */
static void claim_from_backend(struct sl_buf_pool *pool, uint16_t id)
{
	SL_ASSERT_CMP(pool->out[id], ==, 0);
	pool->out[id] = 1;
	pool->free_nr--;
}

/* Hands the buffer with the data to the op. */
void pool_deliver(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	(void)ring;
	if (event->flags & SL_EVENT_BUFFER && slot->pool->backend_id >= 0) {
		slot->buf_id = event->buf_id;
		claim_from_backend(slot->pool, event->buf_id);
	}
	slot->engine_flags &= (uint8_t)~SLOT_BUFFER;
	slot->op->buf_id = slot->buf_id;
	slot->op->buf = buffer_at(slot->pool, slot->buf_id);
}

/* Nothing was delivered: the buffer, if any, goes back. */
void pool_return(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	struct sl_buf_pool *pool = slot->pool;

	if (event->flags & SL_EVENT_BUFFER && pool->backend_id >= 0) {
		pool->ring->backend->pool_recycle(pool->ring->state, pool->backend_id,
						  event->buf_id);
		return;
	}
	sl_slot_return_buffer(ring, slot);
}

/* Starved: pools_feed() sends it on. */
void pool_wait(struct sl_ring *ring, struct sl_slot *slot)
{
	ring->starved++;
	slot->engine_state = SLOT_POOL_WAIT;
	slot_list_add(&slot->pool->starved, slot);
}

void pool_unwait(struct sl_slot *slot)
{
	slot->pool->ring->starved--;
	slot_list_remove(&slot->pool->starved, slot);
}

/* Where the kernel gives a buffer only when data is there, an op that goes on may wait
 * without one and leave it to the next: all go on, and those that find none come back. */
static uint32_t feed_max(const struct sl_buf_pool *pool)
{
	return pool->free_nr && pool->backend_id >= 0 ? UINT32_MAX : pool->free_nr;
}

static void feed(struct sl_ring *ring, struct sl_buf_pool *pool)
{
	for (uint32_t nr = feed_max(pool); nr && pool->starved.head; nr--) {
		struct sl_slot *slot = slot_list_pop(&pool->starved);

		ring->starved--;
		op_stats(ring, slot->op)->rearmed++;
		slot->engine_state = SLOT_RETRY;
		slot_list_add(&ring->retry, slot);
	}
}

/* As many starved ops go on as there are buffers, whoever left them: put back, given
 * back by a transfer that came to nothing, or not taken by one that was cancelled. */
void pools_feed(struct sl_ring *ring)
{
	for (unsigned i = 0; i < ring->pool_nr; i++)
		feed(ring, ring->pools[i]);
}

bool pools_can_feed(const struct sl_ring *ring)
{
	for (unsigned i = 0; ring->starved && i < ring->pool_nr; i++) {
		if (ring->pools[i]->free_nr && ring->pools[i]->starved.head)
			return true;
	}
	return false;
}
