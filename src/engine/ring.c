/* SPDX-License-Identifier: MIT */
/*
 * ring.c - the turn of a ring, and the small questions one can ask it.
 *
 * One turn: start what was submitted, expire deadlines, dispatch what has
 * ended; if nothing has, sleep in the backend until something does. The clock
 * is read once after each wait. A thread that posts, and a worker that is done,
 * wakes the backend only if the owner sleeps (or is embedded in another loop):
 * the owner announces its sleep in ring->sleeping and then looks at the lists
 * once more; the other side fills its list and then looks at ring->sleeping.
 */
#include <stdarg.h>
#include <stdio.h>

#include "engine/engine.h"
#include "engine/ring_end.h"
#include "engine/stats.h"

__thread uint64_t ring_thread __attribute__((tls_model("initial-exec"))) = RING_NO_THREAD;

uint64_t ring_thread_id(void)
{
	static uint64_t next_id;

	if (ring_thread == RING_NO_THREAD)
		ring_thread = __atomic_add_fetch(&next_id, 1, __ATOMIC_RELAXED);
	return ring_thread;
}

void sl_report(struct sl_ring *ring, int level, const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (!ring->opts.log)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ring->opts.log(ring->opts.log_ctx, level, text);
}

/* From any thread, after it put something where the owner will look. */
void ring_notify(struct sl_ring *ring)
{
	/* Pairs with the store in announce_sleep(). */
	if (__atomic_load_n(&ring->sleeping, __ATOMIC_SEQ_CST))
		ring->backend->wake(ring->state);
}

void sl_ring_wake(struct sl_ring *ring)
{
	if (!*ring->owner)
		return; /* a forked child has no business with its parent's ring */
	__atomic_store_n(&ring->woken, 1, __ATOMIC_SEQ_CST);
	ring_notify(ring);
}

static bool take_wake(struct sl_ring *ring)
{
	return __atomic_load_n(&ring->woken, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&ring->woken, 0, __ATOMIC_SEQ_CST);
}

/* What other threads left and starts that had to wait. */
static void gather(struct sl_ring *ring)
{
	if (ring->pending.head)
		ring_start_pending(ring);
	if (SL_UNLIKELY(ring->starved))
		pools_feed(ring);
	if (SL_UNLIKELY(ring->retry.head))
		ring_retry(ring);
	if (SL_UNLIKELY(ring->locks.head))
		ring_try_locks(ring);
	workers_collect(ring);
	if (ring->heap_nr)
		deadline_expire(ring);
}

static int64_t wait_limit_ns(const struct sl_ring *ring, int64_t deadline_ns)
{
	int64_t limit_ns = deadline_next_ns(ring);

	if (deadline_ns && deadline_ns < limit_ns)
		limit_ns = deadline_ns;
	if (SL_UNLIKELY(ring->locks.head)) {
		int64_t lock_ns = ring_next_lock_ns(ring);

		if (lock_ns < limit_ns)
			limit_ns = lock_ns;
	}
	return limit_ns;
}

/* Announces the sleep, then looks once more: nothing may slip in between. */
static bool announce_sleep(struct sl_ring *ring)
{
	__atomic_store_n(&ring->sleeping, 1, __ATOMIC_SEQ_CST);
	workers_collect(ring);
	return !ring_has_work(ring) && !__atomic_load_n(&ring->woken, __ATOMIC_SEQ_CST);
}

static int wait_backend(struct sl_ring *ring, unsigned nr, int64_t limit_ns)
{
	int err;

	ring->unflushed = false;
	ring->unpolled = 0;
	err = ring->backend->wait(ring->state, nr, limit_ns);
	ring->now_ns = ring->backend->now(ring->state);
	return err;
}

/* There is work without asking the backend: that may not go on for ever, or what is
 * in its hands, and time itself, would stand still. */
int ring_keep_going(struct sl_ring *ring)
{
	if (SL_UNLIKELY(++ring->unpolled > RING_UNPOLLED_MAX)) {
		if (ring->in_backend)
			return wait_backend(ring, 0, 0);
		ring->unpolled = 0;
		ring->now_ns = ring->backend->now(ring->state);
		deadline_expire(ring);
	}
	if (!ring->unflushed)
		return 0;
	ring->unflushed = false;
	return ring->backend->flush(ring->state);
}

static int spin(struct sl_ring *ring, int64_t limit_ns)
{
	int64_t until_ns = ring->now_ns + (int64_t)ring->opts.spin_ns;
	int err;

	if (limit_ns < until_ns)
		until_ns = limit_ns;
	do
		err = wait_backend(ring, 0, 0);
	while (!err && ring->now_ns < until_ns && !ring_has_work(ring));
	return err;
}

static int sleep_turn(struct sl_ring *ring, int64_t limit_ns)
{
	unsigned nr = ring->opts.wait_ns ? ring->opts.wait_batch : 1;
	int err = 0;

	if (ring->opts.spin_ns && !ring->backend->owns_world)
		err = spin(ring, limit_ns);
	if (err || ring_has_work(ring))
		return err;
	if (nr > ring->in_backend && ring->in_backend)
		nr = ring->in_backend;
	if (announce_sleep(ring))
		err = wait_backend(ring, nr, limit_ns);
	else if (ring->unflushed)
		err = wait_backend(ring, 0, 0);
	if (!ring->embedded)
		__atomic_store_n(&ring->sleeping, 0, __ATOMIC_RELAXED);
	return err;
}

static bool is_past(const struct sl_ring *ring, int64_t deadline_ns)
{
	return deadline_ns && (deadline_ns == SL_RING_POLL || deadline_ns <= ring->now_ns);
}

/* The heart: see the head of this file. */
static int turn(struct sl_ring *ring, int64_t deadline_ns)
{
	bool polled = false;

	for (;;) {
		bool had_work;
		unsigned nr;
		int err;

		gather(ring);
		if (ring_has_work(ring)) {
			err = ring_keep_going(ring);
			if (err)
				return err;
		}
		had_work = ring_has_work(ring);
		nr = ring_dispatch(ring);
		if (nr)
			return (int)nr;
		if (take_wake(ring))
			return 0;
		if (had_work)
			continue; /* it only moved ops on: start what may start now */
		if (is_past(ring, deadline_ns)) {
			if (polled)
				return 0;
			polled = true;
			err = wait_backend(ring, 0, 0);
		} else {
			err = sleep_turn(ring, wait_limit_ns(ring, deadline_ns));
		}
		if (err)
			return err;
	}
}

int ring_turn(struct sl_ring *ring, int64_t deadline_ns)
{
	int nr = ring->error ? ring->error : turn(ring, deadline_ns);

	if (SL_UNLIKELY(nr < 0))
		ring->error = nr;
	return nr;
}

int sl_ring_error(const struct sl_ring *ring)
{
	return ring->error;
}

const struct sl_allocator *sl_ring_allocator(const struct sl_ring *ring)
{
	return &ring->allocator;
}

static int check_turn(const struct sl_ring *ring)
{
	int err = ring_check(ring);

	return err ? err : ring->dispatching ? -EBUSY : 0;
}

int sl_ring_check(const struct sl_ring *ring)
{
	int err = check_turn(ring);

	return err ? err : ring->error;
}

int sl_ring_run(struct sl_ring *ring, int64_t deadline_ns)
{
	int err = check_turn(ring);

	return err ? err : ring_turn(ring, deadline_ns);
}

int sl_ring_flush(struct sl_ring *ring)
{
	int err = ring_check(ring);

	if (err)
		return err;
	if (SL_UNLIKELY(ring->error))
		return ring->error;
	ring_start_pending(ring);
	if (!ring->unflushed)
		return 0;
	ring->unflushed = false;
	err = ring->backend->flush(ring->state);
	if (SL_UNLIKELY(err))
		ring->error = err;
	return err;
}

static void collect(struct sl_ring *ring, struct sl_op *op)
{
	op_list_remove(&ring->finished, op);
	ring->finished_nr--;
	class_of(ring, op)->finished--;
	ring->collectable--;
	op->state = OP_IDLE;
	class_leave(ring, op);
	if (SL_UNLIKELY(ring->parked))
		ring_admit(ring);
}

struct sl_op *sl_ring_next(struct sl_ring *ring, int64_t deadline_ns)
{
	struct sl_op *op;

	if (check_turn(ring))
		return NULL;
	for (;;) {
		op = ring->finished.head;
		if (op)
			break;
		/* Callbacks alone may go on for ever. */
		if (!ring->collectable || ring_turn(ring, deadline_ns) <= 0 ||
		    (!ring->finished.head && is_past(ring, deadline_ns)))
			return NULL;
	}
	collect(ring, op);
	return op;
}

int64_t sl_ring_do(struct sl_ring *ring, struct sl_op *op)
{
	int err = check_turn(ring);

	if (!err && inline_do(ring, op))
		return op->res;
	if (!err && op->flags & SL_OP_MULTI)
		err = -EINVAL;
	if (!err)
		err = sl_ring_submit(ring, op);
	if (err)
		return err;
	while (op->state != OP_IDLE && op->state != OP_FINISHED) {
		err = ring_turn(ring, 0);
		if (err < 0) {
			ring_abandon(ring, op);
			return err;
		}
	}
	if (op->state == OP_FINISHED)
		collect(ring, op);
	return op->res;
}

int sl_ring_fd(struct sl_ring *ring)
{
	int fd = ring->backend->fd(ring->state);

	if (fd >= 0) {
		/* From now on the owner may sleep elsewhere at any time. */
		ring->embedded = true;
		__atomic_store_n(&ring->sleeping, 1, __ATOMIC_SEQ_CST);
	}
	return fd;
}

int64_t sl_ring_wakeup_ns(const struct sl_ring *ring)
{
	if (ring->pending.head || ring->retry.head || ring->unflushed || ring_has_work(ring) ||
	    pools_can_feed(ring) || __atomic_load_n(&ring->woken, __ATOMIC_RELAXED))
		return SL_RING_POLL;
	return wait_limit_ns(ring, 0);
}

int64_t sl_ring_now(const struct sl_ring *ring)
{
	return ring->now_ns;
}

int64_t sl_ring_clock(struct sl_ring *ring)
{
	ring->now_ns = ring->backend->now(ring->state);
	return ring->now_ns;
}

const struct sl_caps *sl_ring_caps(const struct sl_ring *ring)
{
	return &ring->caps;
}
