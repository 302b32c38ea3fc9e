/*
 * A turn of the backend: entries are claimed by start(), and one enter submits, waits, collects.
 *
 * What a transfer to a device costs is decided by batches: each submission rings
 * the device's doorbell, each wait is a sleep and a wake-up. Two things are done about it,
 * for transfers with an offset alone. The kernel wakes us for the first completion;
 * where it says that more has completed meanwhile, a second enter fetches
 * that, instead of ringing the doorbell for one. And transfers that all completed together
 * are not all held back until the last is prepared again: a device that is about
 * to run dry gets the first of them early.
 */
#include <errno.h>

#include "backend/uring/uring.h"
#include "sys/clock.h"
#include "sys/sigpipe.h"

/* Fewer completions than this are not worth a turn if there are more. */
#define COLLECT_MIN 8

/* 0 for whatever another turn can mend. */
static int enter_result(int ret)
{
	switch (ret) {
	case -ETIME:
	case -EINTR:
	case -EAGAIN:
	case -EBUSY:
		return 0;
	case -EBADR:	  /* a completion was lost */
	case -EOWNERDEAD: /* the thread that submits for us is gone */
		return -EIO;
	default:
		return ret < 0 ? ret : 0;
	}
}

static int enter(struct uring *u, const struct uring_queue_wait *wait)
{
	struct sl_sigpipe_guard guard;
	int ret;

	if (SL_LIKELY(!u->raising))
		return enter_result(uring_queue_submit(&u->q, wait));
	sl_sigpipe_begin(&guard);
	ret = uring_queue_submit(&u->q, wait);
	sl_sigpipe_end(&guard);
	return enter_result(ret);
}

struct sl_uring_sqe *uring_claim_late(struct uring *u)
{
	struct sl_uring_sqe *sqe;

	enter(u, NULL);
	sqe = uring_queue_sqe(&u->q);
	if (sqe || !(u->q.flags & SL_URING_SETUP_SQPOLL))
		return sqe;
	uring_queue_sq_wait(&u->q);
	return uring_queue_sqe(&u->q);
}

/* Without a ring of buffers the transfer takes one now; starved, its result is known. */
static bool take_buffer(struct uring *u, struct sl_slot *slot)
{
	if (sl_slot_take_buffer(u->ring, slot))
		return true;
	uring_known_add(u, slot, -ENOBUFS);
	return false;
}

/* Between streams, and from what is cached of a file, the bytes are moved here and
 * now: through the ring each move takes a kernel thread, and a few that wait for their
 * peers would hold them all. True when the result is known; the engine waits for
 * readiness after -EAGAIN. */
static bool move_now(struct uring *u, struct sl_slot *slot)
{
	int64_t res = sl_attempt(slot);

	if (res == -EPERM && slot->code != SL_OP_SENDFILE)
		return false;
	uring_known_add(u, slot, res);
	return true;
}

/* True when the slot needs no entry. */
static bool settled(struct uring *u, struct sl_slot *slot)
{
	if (slot->pool)
		return slot->pool_id < 0 && slot->code != SL_OP_POLL && !take_buffer(u, slot);
	return URING_MOVES >> slot->code & 1 && move_now(u, slot);
}

/* The device runs dry. Returns 0: what fails here fails again at the next turn. */
SL_COLD int uring_submit_early(struct uring *u)
{
	enter(u, NULL);
	return 0;
}

/* True for a slot whose result is known, or that has gone to the polled queue. */
static bool start_elsewhere(struct uring *u, struct sl_slot *slot)
{
	if (settled(u, slot)) {
		uring_mark(slot)->user_data = slot->id; /* a cancel finds nothing by it */
		u->inflight++;
		return true;
	}
	return u->iopoll && uring_polled_start(u, slot);
}

static SL_COLD int no_entry(struct uring *u, struct sl_slot *slot)
{
	if (slot->pool && slot->pool_id < 0 && slot->code != SL_OP_POLL)
		sl_slot_return_buffer(u->ring, slot);
	return -EAGAIN;
}

static SL_NOINLINE int start_closely(struct uring *u, struct sl_slot *slot)
{
	struct sl_uring_sqe *sqe;

	if ((slot->pool || u->elsewhere >> slot->code & 1) && start_elsewhere(u, slot))
		return 0;
	sqe = uring_claim(u);
	return sqe ? uring_prepare[slot->code](u, slot, sqe) : no_entry(u, slot);
}

int uring_start(void *state, struct sl_slot *slot)
{
	struct uring *u = state;

	if (SL_UNLIKELY(u->inflight == u->inflight_max))
		return -EAGAIN;
	if (SL_UNLIKELY(slot->pool || u->elsewhere >> slot->code & 1 || uring_queue_full(&u->q)))
		return start_closely(u, slot);
	return uring_prepare[slot->code](u, slot, uring_queue_next(&u->q));
}

/* What must be in the queue before it is submitted. */
static void complete_batch(struct uring *u)
{
	if (SL_UNLIKELY(u->cancels))
		uring_cancel_push(u);
	if (SL_UNLIKELY(!u->wake_armed))
		uring_wake_arm(u);
}

int uring_flush(void *state)
{
	struct uring *u = state;

	complete_batch(u);
	if (SL_UNLIKELY(u->polled_inflight))
		uring_polled_turn(u);
	return enter(u, NULL);
}

/* Whether a batch is gathered in steps: without a time in the kernel, and where a wake
 * is a single completion, which would not end the kernel's wait for many. */
static inline bool by_hand(const struct uring *u)
{
	return u->wait_ns && (!u->min_wait_us || !u->wake_by_message);
}

static struct uring_queue_wait wait_for(const struct uring *u, unsigned nr, int64_t deadline_ns)
{
	struct uring_queue_wait wait = { .nr = nr, .idle = !u->disk };

	if (nr > 1 && by_hand(u))
		wait.nr = 1;
	else if (nr > 1)
		wait.min_wait_us = u->min_wait_us;
	if (deadline_ns != INT64_MAX)
		wait.deadline_ns = deadline_ns > 0 ? (uint64_t)deadline_ns : 1;
	return wait;
}

/* Looks at both queues in turn until something has completed in one of them. */
static int wait_polling(struct uring *u, unsigned nr, int64_t deadline_ns)
{
	unsigned done;
	int err;

	do {
		err = enter(u, NULL);
		if (!err)
			err = uring_polled_turn(u);
		done = uring_reap(u);
		done += uring_reap_polled(u);
	} while (!err && nr && !done && sl_event_room(u->ring) && sl_sys_clock_ns() < deadline_ns);
	return err;
}

/* Whether a wake is among the completions from one on. */
static bool woken(struct uring *u, uint32_t from, uint32_t ready)
{
	while (from < ready) {
		if (uring_queue_cqe(&u->q, from++)->user_data == URING_WAKE)
			return true;
	}
	return false;
}

/* After the first of a batch: one more at a time, until there are nr, a wake is among
 * them, or wait_ns has passed. */
static int gather(struct uring *u, unsigned nr, int64_t deadline_ns)
{
	uint32_t seen = 0, ready = uring_queue_ready(&u->q);
	int64_t until_ns;
	int err = 0;

	if (__builtin_add_overflow(sl_sys_clock_ns(), (int64_t)u->wait_ns, &until_ns) ||
	    until_ns > deadline_ns)
		until_ns = deadline_ns;
	while (!err && ready > seen && ready < nr && !woken(u, seen, ready)) {
		struct uring_queue_wait wait = wait_for(u, 1, until_ns);

		seen = ready;
		wait.nr = ready + 1;
		err = enter(u, &wait);
		ready = uring_queue_ready(&u->q);
	}
	return err;
}

static inline bool few_of_many(struct uring *u)
{
	return u->disk && uring_queue_taskrun(&u->q) && uring_queue_ready(&u->q) < COLLECT_MIN;
}

int uring_wait(void *state, unsigned nr, int64_t deadline_ns)
{
	struct uring *u = state;
	struct uring_queue_wait wait;
	int err;

	/* The kernel counts only what it posts. */
	if (SL_UNLIKELY(u->known_head) && (uring_known_post(u) || u->known_head))
		nr = 0;
	complete_batch(u);
	if (SL_UNLIKELY(u->polled_inflight))
		return wait_polling(u, nr, deadline_ns);
	wait = wait_for(u, nr, deadline_ns);
	err = enter(u, &wait);
	if (!err && SL_UNLIKELY(nr > wait.nr))
		err = gather(u, nr, deadline_ns);
	if (!err && few_of_many(u))
		err = enter(u, NULL);
	if (SL_UNLIKELY(uring_queue_overflowed(&u->q)))
		u->overflows++;
	if (SL_UNLIKELY(u->ready_fd >= 0))
		uring_embed_begin(u);
	uring_reap(u);
	if (SL_UNLIKELY(u->ready_fd >= 0))
		uring_embed_end(u);
	return err;
}
