/* SPDX-License-Identifier: MIT */
/* relay_pool.h - what the relays of a ring share, from inside. */
#ifndef SLUICE_NET_RELAY_POOL_H
#define SLUICE_NET_RELAY_POOL_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/relay.h>
#include <sluice/ring.h>

#include "net/counter.h"

struct sl_relay_pipe {
	int fd[2]; /* to read, to write; also who takes them in while closing */
	struct sl_relay_pipe *next;
	struct sl_op op;
	struct sl_relay_pool *pool;
};

struct sl_relay_pool {
	struct sl_ring *ring;
	struct sl_buf_pool *bufs;
	uint32_t buf_bytes;
	uint32_t bufs_nr;
	uint32_t bufs_out;
	uint64_t large_bytes; /* of what stalled ways have in memory: in pieces larger than usual */
	uint32_t pipe_bytes;
	uint32_t pipes_max;
	uint32_t busy;		     /* pipes being made or closed */
	struct sl_relay_pipe *free;  /* empty pipes */
	struct sl_relay_pipe *blank; /* places for pipes that do not exist */
	struct sl_relay_pipe *places;
	struct sl_relay_stats stats;
};

#define pool_count(pool, what, value) counter_add(&(pool)->stats.what, (value))

/* An empty pipe, or NULL: then one is being made, if there may be more. */
struct sl_relay_pipe *relay_pool_get(struct sl_relay_pool *pool);
/* Gives one back; with bytes in it, it is closed. */
void relay_pool_put(struct sl_relay_pool *pool, struct sl_relay_pipe *pipe, bool empty);
/* Whether buffers are scarce, so that nobody should sit on one. */
static inline bool relay_pool_is_low(const struct sl_relay_pool *pool)
{
	return pool->bufs_out * 2 > pool->bufs_nr;
}

#endif
