/* Rings of provided buffers: the kernel picks one when there is data to put into it. */
#include <errno.h>
#include <string.h>

#include "backend/uring/uring.h"
#include "base/bits.h"

#define PAGE_BYTES 4096

static void free_ring(struct uring *u, struct uring_pool *pool)
{
	u->allocator.free(u->allocator.ctx, pool->ring, pool->ring_bytes);
	memset(pool, 0, sizeof(*pool));
}

static void provide(struct uring_pool *pool, uint16_t buf_id)
{
	const struct sl_uring_buf buf = {
		.addr = (uintptr_t)(pool->base + (size_t)buf_id * pool->buf_bytes),
		.len = pool->buf_bytes,
		.bid = buf_id,
	};

	uring_buf_ring_add(pool->ring, pool->entries, &pool->tail, &buf);
}

static int free_place(const struct uring *u)
{
	for (int i = 0; i < URING_POOLS; i++)
		if (!u->pools[i].ring)
			return i;
	return -EAGAIN;
}

int uring_pool_add(void *state, void *base, uint32_t buf_bytes, uint32_t count)
{
	struct uring *u = state;
	int id = free_place(u);
	struct uring_pool *pool;
	int err;

	if (id < 0)
		return id;
	pool = &u->pools[id];
	pool->entries = sl_pow2_from(count);
	pool->base = base;
	pool->buf_bytes = buf_bytes;
	pool->ring_bytes = sl_round_up(pool->entries * sizeof(*pool->ring), PAGE_BYTES);
	pool->ring = u->allocator.alloc(u->allocator.ctx, pool->ring_bytes, PAGE_BYTES);
	if (!pool->ring)
		return -ENOMEM;
	memset(pool->ring, 0, pool->ring_bytes);
	err = uring_queue_buf_ring_register(&u->q, pool->ring, pool->entries, (uint16_t)id, 0);
	if (err < 0) {
		free_ring(u, pool);
		return err == -EINVAL ? -EOPNOTSUPP : err;
	}
	for (uint32_t i = 0; i < count; i++)
		provide(pool, (uint16_t)i);
	uring_buf_ring_publish(pool->ring, pool->tail);
	return id;
}

void uring_pool_remove(void *state, int pool_id)
{
	struct uring *u = state;

	uring_queue_buf_ring_unregister(&u->q, (uint16_t)pool_id);
	free_ring(u, &u->pools[pool_id]);
}

void uring_pool_recycle(void *state, int pool_id, uint16_t buf_id)
{
	struct uring *u = state;
	struct uring_pool *pool = &u->pools[pool_id];

	provide(pool, buf_id);
	uring_buf_ring_publish(pool->ring, pool->tail);
}

void uring_pools_fini(struct uring *u)
{
	for (int i = 0; i < URING_POOLS; i++)
		if (u->pools[i].ring)
			free_ring(u, &u->pools[i]);
}
