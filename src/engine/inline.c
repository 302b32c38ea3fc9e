/* SPDX-License-Identifier: MIT */
/*
 * inline.c - attempts that answer at once from the page cache or the name cache,
 * and never sleep on a device.
 *
 * A cached read costs one preadv2(RWF_NOWAIT) instead of a trip through the
 * ring or a worker. It is tried when few ops are waiting to be started (a
 * batch is cheaper through the ring), on buffered files only (under O_DIRECT a
 * NOWAIT read still waits for the device), and after a miss less and less often
 * until it hits again. Opens and stats are tried with RESOLVE_CACHED.
 *
 * A read by sl_ring_do() on a ring that has nothing else to do is answered before it is
 * submitted: what a slot, an event and a turn would add is as much as the call. A turn would
 * find this one op to start, its event to dispatch, and nothing to ask the backend for.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "engine/slot.h"
#include "engine/stats.h"
#include "sys/fd.h"
#include "sys/name.h"
#include "sys/rw.h"

#define BATCH_MAX   2
#define BACKOFF_MAX 64
#define TRUST_MAX   15

static bool kept_buffered(const struct sl_keep *keep)
{
	return keep->kind == SL_DESC_REGULAR && !(keep->flags & SL_DESC_DIRECT);
}

static inline bool trusted(struct sl_ring *ring, int fd)
{
	if (fd != ring->buffered_fd || !ring->buffered_trust)
		return false;
	ring->buffered_trust--;
	return true;
}

/* Asking costs a tenth of a read, so an answer of yes is believed for a few more: a
 * number that meanwhile is another file, opened with O_DIRECT, waits for the device so often. */
static bool is_buffered_file(struct sl_ring *ring, const struct sl_slot *slot)
{
	int status;

	if (slot->keep)
		return kept_buffered(slot->keep);
	if (trusted(ring, slot->fd))
		return true;
	status = sl_sys_get_status(slot->fd);
	if (status < 0 || status & O_DIRECT)
		return false;
	ring->buffered_fd = slot->fd;
	ring->buffered_trust = TRUST_MAX;
	return true;
}

/* Whether this turn is one to try in; counts down after misses. */
static bool worth_trying(struct sl_ring *ring)
{
	if (ring->backend_caps.files && ring->unflushed + ring->in_backend > BATCH_MAX)
		return false;
	if (!ring->inline_skip)
		return true;
	ring->inline_skip--;
	return false;
}

static void missed(struct sl_ring *ring)
{
	uint32_t backoff = ring->inline_backoff ? ring->inline_backoff * 2 : 1;

	ring->inline_backoff = backoff > BACKOFF_MAX ? BACKOFF_MAX : backoff;
	ring->inline_skip = ring->inline_backoff;
}

static int64_t read_now(const struct sl_slot *slot)
{
	struct iovec one = { slot->buf, slot->len };
	bool vector = slot->flags & SL_OP_VEC;

	return sl_sys_preadv2(slot->fd, vector ? slot->buf : &one, vector ? (int)slot->len : 1,
			      (int64_t)slot->off, SL_RWF_NOWAIT);
}

static bool attempt_read(struct sl_ring *ring, struct sl_slot *slot, int64_t *ret_res)
{
	int64_t res;

	if (slot->op == ring->attempted) {
		ring->attempted = NULL;
		res = ring->attempted_res;
	} else if (slot->off == SL_OFF_CURRENT || slot->flags & SL_OP_DONTCACHE ||
		   !worth_trying(ring) || !is_buffered_file(ring, slot)) {
		return false;
	} else {
		res = read_now(slot);
	}
	if (res < 0) {
		missed(ring);
		return false;
	}
	ring->inline_backoff = ring->inline_skip = 0;
	*ret_res = res;
	return true;
}

/* Opens without leaving the name cache; -EAGAIN: not there, or not possible. */
static int open_cached(const struct sl_op *op, struct sl_sys_open_how how)
{
	how.resolve |= SL_SYS_RESOLVE_CACHED;
	return sl_sys_openat2(op->fd, op->buf, &how);
}

static bool attempt_open(const struct sl_op *op, int64_t *ret_res)
{
	const struct sl_open_how *want = op->arg;
	struct sl_sys_open_how how = { want->flags, want->mode, want->resolve };
	bool plain = want->flags & (O_NONBLOCK | O_PATH);
	int fd;

	if (want->flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY)))
		return false;
	if (!plain)
		how.flags |= O_NONBLOCK;
	fd = open_cached(op, how);
	if (fd < 0)
		return false; /* a worker finds the true error */
	if (!plain)
		sl_sys_set_status(fd, (int)want->flags);
	*ret_res = fd;
	return true;
}

static bool attempt_stat(const struct sl_op *op, int64_t *ret_res)
{
	struct sl_sys_open_how how = { O_PATH | O_CLOEXEC, 0, 0 };
	int flags = (int)op->off;
	int fd;

	if (!*(const char *)op->buf && flags & AT_EMPTY_PATH) {
		*ret_res = sl_sys_statx_raw(op->fd, "", flags, (unsigned)op->len, op->arg);
		return true;
	}
	if (flags & AT_SYMLINK_NOFOLLOW)
		how.flags |= O_NOFOLLOW;
	fd = open_cached(op, how);
	if (fd < 0)
		return false;
	*ret_res = sl_sys_statx_raw(fd, "", (flags & ~AT_SYMLINK_NOFOLLOW) | AT_EMPTY_PATH,
				    (unsigned)op->len, op->arg);
	sl_sys_close(fd);
	return true;
}

bool inline_attempt(struct sl_ring *ring, struct sl_slot *slot, int64_t *ret_res)
{
	if (ring->backend->owns_world || ring->opts.flags & SL_RING_NO_INLINE)
		return false;
	switch (slot->code) {
	case SL_OP_READ:
		return attempt_read(ring, slot, ret_res);
	case SL_OP_OPEN:
		return attempt_open(slot->op, ret_res);
	case SL_OP_STAT:
		return attempt_stat(slot->op, ret_res);
	default:
		return false;
	}
}

/* ---- before a submit --------------------------------------------------------------- */

/* Of the first class, without callback or deadline, and one transfer. */
static inline bool is_simple_read(const struct sl_op *op)
{
	return op->code == SL_OP_READ && op->state == OP_IDLE && !(op->flags & ~SL_OP_PARK) &&
	       !op->sched_class && !op->done && !op->deadline_ns && op->off != SL_OFF_CURRENT &&
	       op->len <= SLOT_PIECE_MAX;
}

/* Whether a turn would deal with an op submitted now, and with nothing else. */
static inline bool is_quiet(struct sl_ring *ring)
{
	if (ring->inflight >= ring->easy_depth || ring->pending.head || ring->unflushed)
		return false;
	if (ring->retry.head || ring->locks.head || (ring->starved | ring->heap_nr | ring->closes))
		return false;
	if (ring->in_backend && ring->unpolled >= RING_UNPOLLED_MAX)
		return false;
	workers_collect(ring);
	return !ring_has_work(ring) && !ring->error;
}

static inline bool is_promising(struct sl_ring *ring, int fd)
{
	const struct sl_keep *keep;

	if (ring->inline_skip || (ring->backend_caps.files && ring->in_backend > BATCH_MAX))
		return false;
	keep = keep_find(ring, fd);
	return keep ? kept_buffered(keep) : trusted(ring, fd);
}

/* The op as an accepted one that has ended. */
static void end_alone(struct sl_ring *ring, struct sl_op *op, int64_t res)
{
	struct sl_ring_stats *stats = &ring->classes[0].stats;

	op->res = res;
	op->done_len = (uint64_t)res;
	op->aux = 0;
	op->buf_id = 0;
	op->more = 0;
	op->ring = ring;
	op->submit_ns = ring->now_ns;
	ring_keep_going(ring); /* does not ask the backend: see is_quiet() */
	ring->delivered++;
	ring->inline_backoff = 0;
	stats->inlined++;
	stats_ended(ring, stats, op);
}

bool inline_do(struct sl_ring *ring, struct sl_op *op)
{
	struct iovec iov;
	int64_t res;

	if (!ring->inline_reads || !is_simple_read(op) || !is_quiet(ring) ||
	    !is_promising(ring, op->fd))
		return false;
	iov = (struct iovec){ op->buf, op->len };
	res = sl_sys_preadv2(op->fd, &iov, 1, (int64_t)op->off, SL_RWF_NOWAIT);
	if (SL_LIKELY(res == (int64_t)op->len)) {
		end_alone(ring, op, res);
		return true;
	}
	/* The start of the op need not ask again. */
	ring->attempted = op;
	ring->attempted_res = res;
	return false;
}
