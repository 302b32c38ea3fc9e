/* SPDX-License-Identifier: MIT */
/*
 * relay.c - one direction of a relay at a time: hear, hand on, and so until the end.
 *
 *	HEAR --bytes--> [MIRROR] --> PUSH --all taken--> HEAR, or when it was bulk:
 *	[ASK] --> PIPE_IN --bytes--> [TEE --> TEE_OUT] --> PIPE_OUT --all taken--> PIPE_IN
 *	   |  nothing there: give the pipe back               |
 *	   +--> LULL (wait for bytes) --> PIPE_IN, HEAR       +--not all--> ROOM --> on
 *	ASK --no room: give the pipe back--> ROOM
 *	ROOM --too long with a pipe--> EMPTY (read it, give it back) --> ROOM
 *	HEAR, PIPE_IN --end of file--> SHUT --> OVER
 *
 * Invariants:
 *  W1. While the relay runs each direction that is not OVER has its op in flight
 *      (waits). So every end is told from a callback, a stop and a drain too.
 *  W2. A direction holds bytes in one place: a buffer, memory of its own (spill),
 *      the caller's (first), or a pipe; it reads only when it holds none.
 *  W3. In HEAR and LULL, and in ROOM after ASK, it holds neither buffer nor pipe.
 *  W4. A pipe goes back to the pool empty, or is closed.
 *  W5. A pipe is filled with no more than the target has room for, as far as is
 *      known; room is what is left of the last answer, for a target only drains.
 *      The rest is for EMPTY: nobody stalls with a pipe, but for a mirror's.
 */
#include <poll.h>

#include "net/memory.h"
#include "net/relay_pool.h"

#define CHUNK_MIN 65536
/* After so many small pieces in a row a direction is no bulk any more. */
#define SMALL_MAX 2
/* So long a pipe is kept for a target that has no room. */
#define PIPE_WAIT_NS 10000000

/* linux/sock_diag.h, which libcs do not bring along: what SO_MEMINFO tells. */
#define MEMINFO_WMEM_ALLOC  2
#define MEMINFO_SNDBUF	    3
#define MEMINFO_WMEM_QUEUED 5

enum relay_state {
	RELAY_IDLE = 0,
	RELAY_RUNNING,
	RELAY_ENDING,
};

enum way_state {
	WAY_HEAR = 0,
	WAY_MIRROR,
	WAY_PUSH,
	WAY_LULL,
	WAY_ASK,
	WAY_PIPE_IN,
	WAY_TEE,
	WAY_TEE_OUT,
	WAY_PIPE_OUT,
	WAY_ROOM,
	WAY_EMPTY,
	WAY_SHUT,
	WAY_OVER,
};

enum {
	SPLICE_UNKNOWN = 0,
	SPLICE_YES,
	SPLICE_NO,
};

static unsigned side_of(const struct sl_relay_way *way)
{
	return way == &way->relay->way[1];
}

static int source_of(const struct sl_relay_way *way)
{
	return way->relay->fd[side_of(way)];
}

static int target_of(const struct sl_relay_way *way)
{
	return way->relay->fd[!side_of(way)];
}

static struct sl_relay_way *other_of(const struct sl_relay_way *way)
{
	return &way->relay->way[!side_of(way)];
}

static bool has_mirror(const struct sl_relay_way *way)
{
	return way->relay->mirror_fd[side_of(way)] > 0 && !way->relay->mirror_err[side_of(way)];
}

static unsigned char *bytes_of(const struct sl_relay_way *way)
{
	if (way->buf || way->spill)
		return way->buf ? way->buf : way->spill;
	return way->relay->first[side_of(way)].iov_base;
}

/* ---- what it holds ------------------------------------------------------------------ */

static void put_buf(struct sl_relay_way *way)
{
	struct sl_relay_pool *pool = way->relay->pool;

	if (!way->buf)
		return;
	sl_buf_put(pool->bufs, way->buf);
	way->buf = NULL;
	pool->bufs_out--;
}

static void free_spill(struct sl_relay_way *way)
{
	struct sl_relay_pool *pool = way->relay->pool;

	if (!way->spill)
		return;
	net_free(pool->ring, way->spill, way->len);
	counter_sub(&pool->stats.spilled_bytes, way->len);
	if (way->len > CHUNK_MIN)
		pool->large_bytes -= way->len;
	way->spill = NULL;
}

static void put_pipes(struct sl_relay_way *way)
{
	struct sl_relay_pool *pool = way->relay->pool;

	relay_pool_put(pool, way->pipe, !way->piped);
	relay_pool_put(pool, way->mirror_pipe, way->mirrored == way->teed);
	way->pipe = way->mirror_pipe = NULL;
	way->piped = way->teed = way->mirrored = 0;
}

static void release(struct sl_relay_way *way)
{
	put_buf(way);
	free_spill(way);
	put_pipes(way);
	way->at = way->len = 0;
}

/* Memory of its own for so many bytes; NULL: there is none. */
static unsigned char *new_spill(struct sl_relay_pool *pool, uint64_t len)
{
	unsigned char *memory = net_alloc(pool->ring, len);

	if (memory) {
		pool_count(pool, spills, 1);
		pool_count(pool, spilled_bytes, len);
		if (len > CHUNK_MIN)
			pool->large_bytes += len;
	}
	return memory;
}

/* Moves what is left in the buffer to memory of its own, if there is any. */
static void spill(struct sl_relay_way *way)
{
	uint64_t left = way->len - way->at;
	unsigned char *memory = new_spill(way->relay->pool, left);

	if (!memory)
		return;
	memcpy(memory, way->buf + way->at, left);
	put_buf(way);
	way->spill = memory;
	way->at = 0;
	way->len = left;
}

/* ---- the end ------------------------------------------------------------------------ */

static void tell_end(struct sl_relay *relay)
{
	if (relay->way[0].waits || relay->way[1].waits)
		return;
	for (unsigned i = 0; i < 2; i++)
		release(&relay->way[i]);
	relay->state = RELAY_IDLE;
	pool_count(relay->pool, ended, 1);
	if (relay->res)
		pool_count(relay->pool, failed, 1);
	relay->done(relay);
}

static void begin_end(struct sl_relay *relay, int64_t res, unsigned side)
{
	relay->state = RELAY_ENDING;
	relay->res = res == -ESHUTDOWN ? -ECANCELED : res;
	relay->side = (int32_t)side;
	for (unsigned i = 0; i < 2; i++)
		if (relay->way[i].waits)
			sl_ring_cancel(relay->pool->ring, &relay->way[i].op);
}

static void fail(struct sl_relay_way *way, int64_t err, unsigned side)
{
	begin_end(way->relay, err, side);
	tell_end(way->relay);
}

/* ---- steps: each starts one op, 0 or -errno ---------------------------------------------- */

/* When both directions have been silent for too long; 0: never. */
static int64_t silence_ends_ns(const struct sl_relay_way *way)
{
	const struct sl_relay *relay = way->relay;
	const struct sl_relay_way *other = other_of(way);
	bool half = other->state == WAY_OVER || other->state == WAY_SHUT;
	int64_t limit_ns = half && relay->half_ns ? relay->half_ns : relay->idle_ns;
	int64_t last_ns = way->moved_ns > other->moved_ns ? way->moved_ns : other->moved_ns;

	return limit_ns ? last_ns + limit_ns : 0;
}

static bool waits_for_peer(unsigned state)
{
	return state == WAY_HEAR || state == WAY_LULL || state == WAY_ROOM || state == WAY_MIRROR ||
	       state == WAY_TEE_OUT;
}

/* Whether it waits with a pipe that can be emptied. More is left there than usual when the target
 * takes less than it had room for; of such there may be as much as all pipes hold. */
static bool sits_on_pipe(const struct sl_relay_way *way)
{
	const struct sl_relay_pool *pool = way->relay->pool;

	if (way->state != WAY_ROOM || !way->piped || has_mirror(way))
		return false;
	return way->piped <= CHUNK_MIN ||
	       pool->large_bytes + way->piped <= (uint64_t)pool->pipes_max * pool->pipe_bytes;
}

static void prepare(struct sl_relay_way *way, unsigned state)
{
	way->op.flags |= SL_OP_PARK;
	way->again = 0;
	way->state = (uint8_t)state;
	if (waits_for_peer(state))
		way->op.deadline_ns = silence_ends_ns(way);
	if (sits_on_pipe(way)) {
		int64_t end_ns = sl_ring_now(way->relay->pool->ring) + PIPE_WAIT_NS;

		if (!way->op.deadline_ns || way->op.deadline_ns > end_ns)
			way->op.deadline_ns = end_ns;
	}
}

static int submit(struct sl_relay_way *way, unsigned state)
{
	int err;

	prepare(way, state);
	err = sl_ring_submit(way->relay->pool->ring, &way->op);
	way->waits = !err;
	return err;
}

static int hear(struct sl_relay_way *way)
{
	sl_op_recv_pooled(&way->op, source_of(way), way->relay->pool->bufs);
	return submit(way, WAY_HEAR);
}

static void prepare_push(struct sl_relay_way *way)
{
	sl_op_send(&way->op, target_of(way), bytes_of(way) + way->at, way->len - way->at,
		   MSG_DONTWAIT);
}

static int push(struct sl_relay_way *way)
{
	prepare_push(way);
	return submit(way, WAY_PUSH);
}

static void prepare_mirror(struct sl_relay_way *way)
{
	sl_op_send(&way->op, way->relay->mirror_fd[side_of(way)], bytes_of(way) + way->mirrored,
		   way->len - way->mirrored, 0);
}

static int push_mirror_first(struct sl_relay_way *way)
{
	if (!has_mirror(way) || way->mirrored == way->len)
		return push(way);
	prepare_mirror(way);
	return submit(way, WAY_MIRROR);
}

static struct sl_op *prepare_splice(struct sl_relay_way *way, int source, int target, uint64_t len)
{
	way->ends = (struct sl_splice_ends){ .source_fd = source,
					     .source_off = SL_OFF_CURRENT,
					     .target_off = SL_OFF_CURRENT };
	return sl_op_splice(&way->op, target, &way->ends, len);
}

static int ask(struct sl_relay_way *way)
{
	sl_op_getsockopt(&way->op, target_of(way), SOL_SOCKET, SO_MEMINFO, way->meminfo,
			 sizeof(way->meminfo));
	return submit(way, WAY_ASK);
}

static int pipe_in(struct sl_relay_way *way)
{
	uint32_t len = way->room < way->chunk_bytes ? way->room : way->chunk_bytes;

	prepare_splice(way, source_of(way), way->pipe->fd[1], len < CHUNK_MIN ? CHUNK_MIN : len)
		->flags = SL_OP_NOWAIT;
	return submit(way, WAY_PIPE_IN);
}

static int pipe_out(struct sl_relay_way *way)
{
	uint64_t len = has_mirror(way) ? way->teed : way->piped;

	prepare_splice(way, way->pipe->fd[0], target_of(way), len)->flags = SL_OP_NOWAIT;
	return submit(way, WAY_PIPE_OUT);
}

static int tee(struct sl_relay_way *way)
{
	if (!has_mirror(way))
		return pipe_out(way);
	way->ends = (struct sl_splice_ends){ .source_fd = way->pipe->fd[0],
					     .source_off = SL_OFF_CURRENT,
					     .target_off = SL_OFF_CURRENT };
	sl_op_tee(&way->op, way->mirror_pipe->fd[1], &way->ends, way->piped)->flags = SL_OP_NOWAIT;
	way->mirrored = 0;
	return submit(way, WAY_TEE);
}

static int tee_out(struct sl_relay_way *way)
{
	prepare_splice(way, way->mirror_pipe->fd[0], way->relay->mirror_fd[side_of(way)],
		       way->teed - way->mirrored);
	return submit(way, WAY_TEE_OUT);
}

static int lull(struct sl_relay_way *way)
{
	put_pipes(way);
	sl_op_poll(&way->op, source_of(way), POLLIN);
	return submit(way, WAY_LULL);
}

static int wait_for_room(struct sl_relay_way *way)
{
	sl_op_poll(&way->op, target_of(way), POLLOUT);
	return submit(way, WAY_ROOM);
}

/* The target took less than there is: until it takes more. */
static int stall(struct sl_relay_way *way)
{
	struct sl_relay_pool *pool = way->relay->pool;

	pool_count(pool, stalls, 1);
	way->chunk_bytes = CHUNK_MIN;
	way->room = 0;
	if (way->buf && relay_pool_is_low(pool))
		spill(way);
	return wait_for_room(way);
}

/* Reads what is left in the pipe to memory of its own. */
static int empty(struct sl_relay_way *way)
{
	uint64_t done = way->len - way->piped;

	sl_op_read(&way->op, way->pipe->fd[0], way->spill + done, way->piped, SL_OFF_CURRENT);
	return submit(way, WAY_EMPTY);
}

/* It has stalled with a pipe for too long: others may need it. */
static int begin_empty(struct sl_relay_way *way)
{
	way->spill = new_spill(way->relay->pool, way->piped);
	if (!way->spill)
		return wait_for_room(way);
	way->at = 0;
	way->len = way->piped;
	return empty(way);
}

static int shut(struct sl_relay_way *way)
{
	release(way);
	sl_op_shutdown(&way->op, target_of(way), SHUT_WR);
	return submit(way, WAY_SHUT);
}

/* Asked once: whether both ends may be spliced without a look at them each time. */
static bool can_splice(struct sl_relay_way *way)
{
	struct sl_ring *ring = way->relay->pool->ring;
	struct sl_desc source, target;

	if (way->splices == SPLICE_UNKNOWN) {
		way->splices = SPLICE_NO;
		if (way->relay->pool->places && !sl_ring_describe(ring, source_of(way), &source) &&
		    !sl_ring_describe(ring, target_of(way), &target) &&
		    source.flags & target.flags & SL_DESC_NONBLOCK)
			way->splices = SPLICE_YES;
	}
	return way->splices == SPLICE_YES;
}

static bool get_pipes(struct sl_relay_way *way)
{
	struct sl_relay_pool *pool = way->relay->pool;

	way->pipe = relay_pool_get(pool);
	if (way->pipe && has_mirror(way))
		way->mirror_pipe = relay_pool_get(pool);
	if (!way->pipe || (has_mirror(way) && !way->mirror_pipe)) {
		put_pipes(way);
		return false;
	}
	return true;
}

/* Reads on: through a pipe if that pays, and there is one. */
static int read_on(struct sl_relay_way *way)
{
	if (way->bulk && (way->pipe || (can_splice(way) && get_pipes(way))))
		return way->room < way->chunk_bytes ? ask(way) : pipe_in(way);
	return hear(way);
}

/* ---- what came of them -------------------------------------------------------------------- */

static void moved(struct sl_relay_way *way, uint64_t bytes, bool spliced)
{
	struct sl_relay *relay = way->relay;

	way->moved_ns = sl_ring_now(relay->pool->ring);
	relay->bytes[side_of(way)] += bytes;
	pool_count(relay->pool, bytes, bytes);
	if (!spliced)
		return;
	relay->spliced[side_of(way)] += bytes;
	pool_count(relay->pool, spliced_bytes, bytes);
}

static int heard(struct sl_relay_way *way, int64_t res)
{
	struct sl_relay_pool *pool = way->relay->pool;

	if (!res)
		return shut(way);
	way->buf = way->op.buf;
	pool->bufs_out++;
	way->at = way->mirrored = 0;
	way->len = (uint64_t)res;
	way->bulk = way->len == pool->buf_bytes;
	way->small = 0;
	return push_mirror_first(way);
}

static int pushed(struct sl_relay_way *way, int64_t res)
{
	if (res > 0) {
		way->at += (uint64_t)res;
		moved(way, (uint64_t)res, false);
	}
	if (way->at < way->len)
		return stall(way);
	release(way);
	return read_on(way);
}

/* What a mirror failed with is noted, and it is left out. */
static void lose_mirror(struct sl_relay_way *way, int64_t err)
{
	way->relay->mirror_err[side_of(way)] = (int32_t)err;
	relay_pool_put(way->relay->pool, way->mirror_pipe, way->mirrored == way->teed);
	way->mirror_pipe = NULL;
	way->teed = way->mirrored = 0;
}

static int mirrored(struct sl_relay_way *way, int64_t res)
{
	if (res > 0)
		way->mirrored += (uint64_t)res;
	else
		lose_mirror(way, res ? res : -EPIPE);
	if (way->state == WAY_MIRROR)
		return push_mirror_first(way);
	if (has_mirror(way) && way->mirrored < way->teed)
		return tee_out(way);
	return pipe_out(way);
}

static int teed(struct sl_relay_way *way, int64_t res)
{
	if (res > 0) {
		way->teed = (uint64_t)res;
		return tee_out(way);
	}
	lose_mirror(way, res ? res : -EIO);
	return pipe_out(way);
}

/* What the target may still take is known, but for the heads of its packets. With next to nothing
 * it waits, and holds nothing meanwhile: where the kernel calls it writable, by a third of its
 * buffer, waiting would not sleep. */
static int asked(struct sl_relay_way *way, int64_t res)
{
	const uint32_t *info = way->meminfo;
	bool writable;
	uint32_t used;

	way->room = 0;
	if (res < (int64_t)sizeof(way->meminfo))
		return pipe_in(way);
	used = info[MEMINFO_WMEM_QUEUED] > info[MEMINFO_WMEM_ALLOC] ? info[MEMINFO_WMEM_QUEUED] :
								      info[MEMINFO_WMEM_ALLOC];
	if (used < info[MEMINFO_SNDBUF])
		way->room = info[MEMINFO_SNDBUF] - used;
	writable = way->room >= used / 2;
	way->room -= way->room / 32;
	if (way->room >= CHUNK_MIN || writable)
		return pipe_in(way);
	pool_count(way->relay->pool, stalls, 1);
	put_pipes(way);
	return wait_for_room(way);
}

static int piped_in(struct sl_relay_way *way, int64_t res)
{
	struct sl_relay_pool *pool = way->relay->pool;

	if (!res)
		return shut(way);
	way->piped = (uint64_t)res;
	way->small = way->piped < pool->buf_bytes ? way->small + 1 : 0;
	way->bulk = way->small < SMALL_MAX;
	way->room -= way->piped < way->room ? (uint32_t)way->piped : way->room;
	if (way->piped == way->chunk_bytes && way->chunk_bytes < pool->pipe_bytes)
		way->chunk_bytes *= 2;
	return tee(way);
}

/* What of a pipe is to be handed on next, after res bytes of it were. */
static int piped_out(struct sl_relay_way *way, int64_t res)
{
	uint64_t bytes = res > 0 ? (uint64_t)res : 0;

	way->piped -= bytes;
	if (way->teed)
		way->teed -= bytes < way->teed ? bytes : way->teed;
	way->mirrored = way->teed;
	if (bytes)
		moved(way, bytes, true);
	if (has_mirror(way) ? way->teed : way->piped)
		return stall(way);
	if (way->piped)
		return tee(way);
	if (!way->bulk)
		put_pipes(way);
	return read_on(way);
}

static int roomy(struct sl_relay_way *way)
{
	if (way->piped)
		return pipe_out(way);
	return way->len ? push(way) : read_on(way);
}

/* The pipe, or a part of what was in it, is in memory. */
static int emptied(struct sl_relay_way *way, int64_t res)
{
	if (!res)
		return -EIO;
	way->piped -= (uint64_t)res;
	if (way->piped)
		return empty(way);
	put_pipes(way);
	return wait_for_room(way);
}

static int is_over(struct sl_relay_way *way)
{
	struct sl_relay_way *other = other_of(way);

	way->state = WAY_OVER;
	way->moved_ns = sl_ring_now(way->relay->pool->ring);
	if (other->state == WAY_OVER) {
		begin_end(way->relay, 0, 0);
		return 0;
	}
	/* The other one's wait has another limit from now on. */
	if (way->relay->half_ns && other->waits && waits_for_peer(other->state)) {
		other->again = 1;
		sl_ring_cancel(way->relay->pool->ring, &other->op);
	}
	return 0;
}

/* The same wait once more, with the limit as it is now. */
static int wait_again(struct sl_relay_way *way)
{
	return submit(way, way->state);
}

static bool is_silent(const struct sl_relay_way *way)
{
	int64_t end_ns = silence_ends_ns(way);

	return end_ns && end_ns <= sl_ring_now(way->relay->pool->ring);
}

/* On which side it failed. */
static unsigned side_of_failure(const struct sl_relay_way *way)
{
	switch (way->state) {
	case WAY_HEAR:
	case WAY_LULL:
	case WAY_PIPE_IN:
		return side_of(way);
	default:
		return !side_of(way);
	}
}

/* True when an error is no failure, and how it goes on. */
static bool goes_on(struct sl_relay_way *way, int64_t res, int *ret_err)
{
	bool waited = waits_for_peer(way->state);

	if (res == -ETIMEDOUT && waited && !is_silent(way))
		*ret_err = sits_on_pipe(way) ? begin_empty(way) : wait_again(way);
	else if (res == -ECANCELED && way->again)
		*ret_err = wait_again(way);
	else if (way->state == WAY_ASK)
		*ret_err = asked(way, 0);
	else if (way->state == WAY_MIRROR || way->state == WAY_TEE_OUT)
		*ret_err = mirrored(way, res);
	else if (way->state == WAY_TEE)
		*ret_err = teed(way, res);
	else if (way->state == WAY_SHUT)
		*ret_err = is_over(way); /* not connected any more: that is shut enough */
	else if (res == -EAGAIN && way->state == WAY_PUSH)
		*ret_err = pushed(way, 0);
	else if (res == -EAGAIN && way->state == WAY_PIPE_OUT)
		*ret_err = piped_out(way, 0);
	else if (res == -EAGAIN && way->state == WAY_PIPE_IN)
		*ret_err = lull(way);
	else if (res == -EINVAL && way->state == WAY_PIPE_IN) {
		way->splices = SPLICE_NO; /* a socket that cannot */
		way->bulk = 0;
		put_pipes(way);
		*ret_err = hear(way);
	} else {
		return false;
	}
	return true;
}

/* A table: what each state does with its result. */
static int go_on(struct sl_relay_way *way, int64_t res)
{
	switch (way->state) {
	case WAY_HEAR:
		return heard(way, res);
	case WAY_MIRROR:
	case WAY_TEE_OUT:
		return mirrored(way, res);
	case WAY_PUSH:
		return pushed(way, res);
	case WAY_LULL:
		return read_on(way);
	case WAY_ASK:
		return asked(way, res);
	case WAY_PIPE_IN:
		return piped_in(way, res);
	case WAY_TEE:
		return teed(way, res);
	case WAY_PIPE_OUT:
		return piped_out(way, res);
	case WAY_ROOM:
		return roomy(way);
	case WAY_EMPTY:
		return emptied(way, res);
	default:
		return is_over(way);
	}
}

/* The relay is ending: what a last op brought is kept track of, for the release. */
static void take_note(struct sl_relay_way *way, int64_t res)
{
	if (res <= 0)
		return;
	if (way->state == WAY_HEAR) {
		way->buf = way->op.buf;
		way->relay->pool->bufs_out++;
	} else if (way->state == WAY_PIPE_IN) {
		way->piped = (uint64_t)res;
	} else if (way->state == WAY_TEE) {
		way->teed = (uint64_t)res;
	} else if (way->state == WAY_EMPTY) {
		way->piped -= (uint64_t)res;
	}
}

static void on_op(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_relay_way *way = sl_op_of(op, struct sl_relay_way, op);
	struct sl_relay *relay = way->relay;
	int64_t res = op->res;
	int err = 0;

	(void)ring;
	way->waits = 0;
	if (relay->state == RELAY_ENDING) {
		take_note(way, res);
		tell_end(relay);
		return;
	}
	if (res >= 0)
		err = go_on(way, res);
	else if (!goes_on(way, res, &err)) {
		fail(way, res, side_of_failure(way));
		return;
	}
	if (err)
		fail(way, err, side_of(way));
	else if (relay->state == RELAY_ENDING)
		tell_end(relay);
}

/* ---- the calls ---------------------------------------------------------------------- */

static void prepare_way(struct sl_relay *relay, unsigned side)
{
	struct sl_relay_way *way = &relay->way[side];

	memset(way, 0, sizeof(*way));
	way->relay = relay;
	way->op.done = on_op;
	way->chunk_bytes = CHUNK_MIN;
	way->moved_ns = sl_ring_now(relay->pool->ring);
	way->len = relay->first[side].iov_len;
	if (!way->len)
		sl_op_recv_pooled(&way->op, source_of(way), relay->pool->bufs);
	else if (has_mirror(way))
		prepare_mirror(way);
	else
		prepare_push(way);
	way->state = !way->len ? WAY_HEAR : has_mirror(way) ? WAY_MIRROR : WAY_PUSH;
}

int sl_relay_start(struct sl_relay_pool *pool, struct sl_relay *relay)
{
	struct sl_op *const ops[2] = { &relay->way[0].op, &relay->way[1].op };
	int err;

	if (relay->state != RELAY_IDLE || !relay->done)
		return -EINVAL;
	relay->pool = pool;
	relay->res = relay->side = 0;
	for (unsigned i = 0; i < 2; i++)
		relay->mirror_err[i] = 0, relay->bytes[i] = relay->spliced[i] = 0;
	for (unsigned i = 0; i < 2; i++)
		prepare_way(relay, i);
	for (unsigned i = 0; i < 2; i++)
		prepare(&relay->way[i], relay->way[i].state);
	err = sl_ring_submitv(pool->ring, ops, 2);
	if (err)
		return err;
	relay->way[0].waits = relay->way[1].waits = 1;
	relay->state = RELAY_RUNNING;
	pool_count(pool, started, 1);
	return 0;
}

void sl_relay_stop(struct sl_relay *relay)
{
	if (relay->state == RELAY_RUNNING)
		begin_end(relay, -ECANCELED, 0);
}

int sl_relay_busy(const struct sl_relay *relay)
{
	return relay->state != RELAY_IDLE;
}
