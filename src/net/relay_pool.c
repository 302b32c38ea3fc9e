/* SPDX-License-Identifier: MIT */
/*
 * relay_pool.c - pipes and buffers that the relays of a ring take turns with.
 *
 *	blank --wanted--> being made --> free <--> with a relay
 *	  ^                  | too small           | given back with bytes in it
 *	  +---- closed <-----+---------------------+
 *
 * A pipe is made by an op, so whoever wanted it goes on without; the next one finds
 * it. Where the kernel gives no pipe of a useful size any more, none is asked for
 * again.
 */
#include <fcntl.h>

#include "base/bits.h"
#include "net/kernel.h"
#include "net/memory.h"
#include "net/relay_pool.h"

#define PIPES	      8
#define PIPES_MAX     1024
#define PIPE_BYTES    (1 << 20)
#define PIPE_USEFUL   65536
#define BUFS	      256
#define BUFS_MAX      32768
#define BUF_BYTES     16384
#define BUF_BYTES_MAX (16 << 20)

static int resolve(const struct sl_relay_pool_opts *opts, struct sl_relay_pool_opts *ret)
{
	*ret = (struct sl_relay_pool_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if (!ret->pipes_max)
		ret->pipes_max = PIPES;
	if (!ret->pipe_bytes)
		ret->pipe_bytes = PIPE_BYTES;
	if (!ret->bufs)
		ret->bufs = BUFS;
	if (!ret->buf_bytes)
		ret->buf_bytes = BUF_BYTES;
	if (ret->flags & ~(uint32_t)SL_RELAY_NO_SPLICE || ret->pipes_max > PIPES_MAX ||
	    ret->pipe_bytes > INT32_MAX || ret->bufs > BUFS_MAX || ret->buf_bytes > BUF_BYTES_MAX)
		return -EINVAL;
	return 0;
}

static bool can_splice(const struct sl_ring *ring, const struct sl_relay_pool_opts *opts)
{
	return !(opts->flags & SL_RELAY_NO_SPLICE) &&
	       sl_caps_route(sl_ring_caps(ring), SL_OP_SPLICE) != SL_ROUTE_NONE;
}

static int make_places(struct sl_relay_pool *pool, uint32_t nr)
{
	pool->places = net_alloc(pool->ring, nr * sizeof(*pool->places));
	if (!pool->places)
		return -ENOMEM;
	pool->pipes_max = nr;
	for (uint32_t i = 0; i < nr; i++) {
		pool->places[i].pool = pool;
		pool->places[i].next = pool->blank;
		pool->blank = &pool->places[i];
	}
	return 0;
}

static void free_pool(struct sl_relay_pool *pool)
{
	sl_buf_pool_destroy(pool->bufs);
	net_free(pool->ring, pool->places, pool->pipes_max * sizeof(*pool->places));
	net_free(pool->ring, pool, sizeof(*pool));
}

int sl_relay_pool_create(struct sl_ring *ring, const struct sl_relay_pool_opts *opts,
			 struct sl_relay_pool **ret_pool)
{
	struct sl_buf_pool_opts shape = { .flags = SL_BUF_RECV, .align = 64 };
	struct sl_relay_pool_opts resolved;
	struct sl_buf_pool_info info;
	struct sl_relay_pool *pool;
	int err = resolve(opts, &resolved);

	if (err)
		return err;
	pool = net_alloc(ring, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->ring = ring;
	pool->pipe_bytes = resolved.pipe_bytes;
	shape.count = resolved.bufs;
	shape.buf_bytes = resolved.buf_bytes;
	err = sl_buf_pool_create(ring, &shape, &pool->bufs);
	if (!err && can_splice(ring, &resolved))
		err = make_places(pool, resolved.pipes_max);
	if (err) {
		free_pool(pool);
		return err;
	}
	sl_buf_pool_info(pool->bufs, &info);
	pool->buf_bytes = info.buf_bytes;
	pool->bufs_nr = info.count;
	*ret_pool = pool;
	return 0;
}

static void close_now(struct sl_relay_pool *pool, struct sl_relay_pipe *pipe)
{
	for (unsigned i = 0; i < 2; i++)
		sl_ring_do(pool->ring, sl_op_close(&pipe->op, pipe->fd[i]));
}

void sl_relay_pool_destroy(struct sl_relay_pool *pool)
{
	struct sl_relay_pipe *pipe;

	if (!pool)
		return;
	while (pool->busy && sl_ring_run(pool->ring, 0) >= 0)
		continue;
	while ((pipe = pool->free)) {
		pool->free = pipe->next;
		pipe->op.done = NULL;
		close_now(pool, pipe);
	}
	free_pool(pool);
}

void sl_relay_pool_stats(const struct sl_relay_pool *pool, struct sl_relay_stats *ret_stats)
{
	counters_sum((uint64_t *)ret_stats, (const uint64_t *)&pool->stats,
		     sizeof(pool->stats) / sizeof(uint64_t));
}

/* ---- pipes -------------------------------------------------------------------------- */

static void push(struct sl_relay_pipe **list, struct sl_relay_pipe *pipe)
{
	pipe->next = *list;
	*list = pipe;
}

static struct sl_relay_pipe *pop(struct sl_relay_pipe **list)
{
	struct sl_relay_pipe *pipe = *list;

	if (pipe)
		*list = pipe->next;
	return pipe;
}

static void forget(struct sl_relay_pool *pool, struct sl_relay_pipe *pipe)
{
	pool->busy--;
	counter_sub(&pool->stats.pipes, 1);
	push(&pool->blank, pipe);
}

/* One end after the other. */
static void close_next(struct sl_relay_pool *pool, struct sl_relay_pipe *pipe);

static void on_closed(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_relay_pipe *pipe = sl_op_of(op, struct sl_relay_pipe, op);

	(void)ring;
	close_next(pipe->pool, pipe);
}

static void close_next(struct sl_relay_pool *pool, struct sl_relay_pipe *pipe)
{
	int i = pipe->fd[0] >= 0 ? 0 : 1;

	if (pipe->fd[i] < 0) {
		forget(pool, pipe);
		return;
	}
	sl_op_close(&pipe->op, pipe->fd[i])->flags = SL_OP_PARK;
	pipe->fd[i] = -1;
	pipe->op.done = on_closed;
	if (sl_ring_submit(pool->ring, &pipe->op))
		forget(pool, pipe); /* the ring drains: the process has little time left */
}

static void on_made(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_relay_pipe *pipe = sl_op_of(op, struct sl_relay_pipe, op);
	struct sl_relay_pool *pool = pipe->pool;
	int bytes;

	if (op->res < 0) {
		pool->busy--;
		push(&pool->blank, pipe);
		return;
	}
	pool_count(pool, pipes, 1);
	bytes = net_kernel_pipe_bytes(ring, pipe->fd[1], pool->pipe_bytes);
	if (bytes < PIPE_USEFUL && (uint32_t)bytes < pool->pipe_bytes) {
		pool->blank = NULL; /* there will be no better one */
		close_next(pool, pipe);
		return;
	}
	pool->busy--;
	push(&pool->free, pipe);
}

static void make(struct sl_relay_pool *pool)
{
	struct sl_relay_pipe *pipe = pop(&pool->blank);

	if (!pipe)
		return;
	sl_op_pipe(&pipe->op, pipe->fd, O_CLOEXEC | O_NONBLOCK)->flags = SL_OP_PARK;
	pipe->op.done = on_made;
	if (sl_ring_submit(pool->ring, &pipe->op))
		push(&pool->blank, pipe);
	else
		pool->busy++;
}

struct sl_relay_pipe *relay_pool_get(struct sl_relay_pool *pool)
{
	struct sl_relay_pipe *pipe = pop(&pool->free);

	if (pipe) {
		pool_count(pool, pipes_used, 1);
		return pipe;
	}
	if (pool->places)
		pool_count(pool, pipe_misses, 1);
	if (!pool->busy)
		make(pool);
	return NULL;
}

void relay_pool_put(struct sl_relay_pool *pool, struct sl_relay_pipe *pipe, bool empty)
{
	if (!pipe)
		return;
	counter_sub(&pool->stats.pipes_used, 1);
	if (empty) {
		push(&pool->free, pipe);
		return;
	}
	pool->busy++;
	close_next(pool, pipe);
}
