/*
 * own_blocks.c: libsluice's ring reading and writing blocks.
 *
 * The ring, its buffers and the kept descriptor are made before each block and ended after it,
 * like those of the plain io_uring contenders. A turn is one sl_ring_run(): it starts what was
 * submitted, waits for a quarter of the depth and calls back for every completion.
 */
#include <sluice/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "own_ring.h"
#include "pump.h"

struct own {
	const char *backend;
	struct sl_ring *ring;
	struct sl_buf_pool *pool;
	unsigned char *spare; /* the runner's buffer, while the pool's is in use */
	struct contender *contender;
	struct pump *pump;
	struct sl_op op[CONTENDER_DEPTH_MAX];
};

static void completed(struct sl_ring *ring, struct sl_op *op)
{
	struct own *s = op->user;

	(void)ring;
	pump_done(s->contender, s->pump, (unsigned)(op - s->op), op->res);
}

static void own_end(struct contender *c)
{
	struct own *s = c->state;

	if (!s)
		return;
	if (s->spare)
		c->buf = s->spare;
	s->spare = NULL;
	if (s->ring)
		sl_ring_unkeep(s->ring, c->fd);
	sl_buf_pool_destroy(s->pool);
	sl_ring_close(s->ring);
	s->pool = NULL;
	s->ring = NULL;
}

static int make_pool(struct contender *c, struct own *s)
{
	struct sl_buf_pool_opts opts = {
		.count = c->depth,
		.buf_bytes = c->work->block_bytes,
		.align = c->work->block_bytes % 4096 ? 512 : 4096,
	};
	struct sl_buf_pool_info info = { 0 };
	int err = sl_buf_pool_create(s->ring, &opts, &s->pool);

	if (err)
		return err;
	sl_buf_pool_info(s->pool, &info);
	s->spare = c->buf;
	c->buf = info.base;
	if (!info.registered && strcmp(s->backend, "uring") == 0)
		snprintf(c->settings, sizeof(c->settings), "%.*s", (int)sizeof(c->settings) - 1,
			 info.why);
	return 0;
}

static int own_begin(struct contender *c)
{
	struct own *s = c->state;
	int err = own_ring_open(s->backend, c->depth, &s->ring);

	if (err)
		return own_ring_lacks(c, s->backend, err);
	err = make_pool(c, s);
	if (!err)
		err = sl_ring_keep(s->ring, c->fd);
	if (err) {
		own_end(c);
		return own_ring_lacks(c, s->backend, err);
	}
	for (unsigned slot = 0; slot < c->depth; slot++)
		s->op[slot] = (struct sl_op){ .done = completed, .user = s };
	return 0;
}

static void own_shut(struct contender *c)
{
	own_end(c);
	free(c->state);
	c->state = NULL;
}

static int own_open(struct contender *c, const char *backend)
{
	struct own *s = c->state = calloc(1, sizeof(*s));

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->backend = backend;
	s->contender = c;
	c->copies = c->mode == MODE_DIRECT ? 0 : 1;
	return own_ring_try(c, backend);
}

static int open_uring(struct contender *c)
{
	return own_open(c, "uring");
}

static int open_epoll(struct contender *c)
{
	return own_open(c, "epoll");
}

static int own_start(struct contender *c, unsigned slot, struct stream_op op)
{
	struct own *s = c->state;
	void *buf = contender_block(c, slot);
	uint32_t len = c->work->block_bytes;

	if (op.write)
		sl_op_write(&s->op[slot], c->fd, buf, len, op.off);
	else
		sl_op_read(&s->op[slot], c->fd, buf, len, op.off);
	if (c->mode == MODE_DONTCACHE)
		s->op[slot].flags |= SL_OP_DONTCACHE;
	return sl_ring_submit(s->ring, &s->op[slot]);
}

static int own_turn(struct contender *c, struct pump *p)
{
	struct own *s = c->state;
	int n;

	s->pump = p;
	n = sl_ring_run(s->ring, 0);
	return n < 0 ? n : 0;
}

static int own_run(struct contender *c, uint64_t nr)
{
	struct own *s = c->state;
	uint64_t before = own_ring_calls(s->ring);
	int err = pump_run(c, nr, own_start, own_turn);

	c->calls += own_ring_calls(s->ring) - before;
	return err;
}

const struct mechanism mechanism_own_uring = {
	.name = "sluice:uring",
	.about = "libsluice's ring on io_uring: registered buffers, kept descriptor",
	.why = "one queue with deadlines, cancel and fallback, and cached reads are tried inline",
	.unless = "you need nothing but plain reads: then the raw call is less to link",
	.simplicity = 6,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT | MODE_DONTCACHE,
	.queued = true,
	.open = open_uring,
	.begin = own_begin,
	.run = own_run,
	.end = own_end,
	.shut = own_shut,
};

const struct mechanism mechanism_own_epoll = {
	.name = "sluice:epoll",
	.about = "libsluice's ring where io_uring is forbidden: inline attempts, worker threads",
	.why = "the same program runs where io_uring is forbidden",
	.unless = "io_uring works here: then its backend does not need the threads",
	.simplicity = 7,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.queued = true,
	.open = open_epoll,
	.begin = own_begin,
	.run = own_run,
	.end = own_end,
	.shut = own_shut,
};
