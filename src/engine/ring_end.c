/* SPDX-License-Identifier: MIT */
/*
 * ring_end.c - drain and close: nothing is freed while anybody may write to it.
 *
 * Drain cancels everything once and then reaps to zero; a plain exit from the
 * kernel's queue lets direct I/O go on writing into the caller's buffers. Only
 * what cannot be interrupted is waited for, and named in the log.
 */
#include <sys/mman.h>

#include "engine/ring_end.h"
#include "engine/slot.h"
#include "engine/stats.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define ADOPT_TRIES    1000
#define ADOPT_PAUSE_NS 1000000
#define PATIENCE_NS    ((int64_t)5 * 1000000000)

static unsigned active(const struct sl_ring *ring)
{
	return ring->inflight + ring->parked - ring->finished_nr;
}

static int drain(struct sl_ring *ring, int64_t deadline_ns)
{
	int err = 0;

	ring->draining = true;
	ring_set_easy_depth(ring);
	ring_cancel_all(ring);
	while (active(ring) || posts_waiting(ring)) {
		err = ring_turn(ring, deadline_ns);
		if (err < 0)
			break;
		err = 0;
		if (deadline_ns && ring->now_ns >= deadline_ns && active(ring)) {
			err = -ETIMEDOUT;
			break;
		}
	}
	ring->draining = false;
	ring_set_easy_depth(ring);
	return err;
}

int sl_ring_drain(struct sl_ring *ring, int64_t deadline_ns)
{
	int err = ring_check(ring);

	if (!err && ring->dispatching)
		err = -EBUSY;
	return err ? err : drain(ring, deadline_ns);
}

/* Nobody has it but the engine: it has not been started, or has ended untold. */
static void take_back(struct sl_ring *ring, struct sl_op *op)
{
	ring_cancel_op(ring, op, -ECANCELED); /* now it has ended in any case */
	op_list_remove(&ring->ended, op);
	class_leave(ring, op);
	if (!op->done)
		ring->collectable--;
}

void ring_abandon(struct sl_ring *ring, struct sl_op *op)
{
	if (op->heap_idx && op->state != OP_TIMING)
		deadline_remove(ring, op);
	if (op->state == OP_STARTED) {
		ring->stand_in = *op;
		slot_of(ring, op)->op = &ring->stand_in;
	} else {
		take_back(ring, op);
	}
	op->state = OP_IDLE;
	op->res = ring->error;
}

void ring_free_all(struct sl_ring *ring, bool forked)
{
	struct sl_allocator allocator = ring->allocator;
	const struct sl_ring_opts *opts = &ring->opts;

	if (ring->keeps)
		ring_free(ring, ring->keeps, ring->keep_mask + 1, sizeof(*ring->keeps));
	workers_stop(ring, forked);
	if (ring->backend)
		ring->backend->close(ring->state, forked);
	ring_free(ring, ring->slots, opts->depth, sizeof(*ring->slots));
	ring_free(ring, ring->fd_buckets, ring->fd_mask + 1, sizeof(*ring->fd_buckets));
	ring_free(ring, ring->events.entries, ring->events.mask + 1, sizeof(*ring->events.entries));
	ring_free(ring, ring->heap, opts->depth + opts->park_max, sizeof(struct sl_op *));
	if (ring->owner)
		munmap((void *)(uintptr_t)ring->owner, 4096);
	allocator.free(allocator.ctx, ring, sizeof(*ring));
}

static void report_stuck(struct sl_ring *ring)
{
	for (uint32_t i = 0; i < ring->opts.depth; i++) {
		const struct sl_slot *slot = &ring->slots[i];

		if (slot->op)
			sl_report(ring, SL_LOG_WARN, "close waits for %s on descriptor %d (%s)",
				  sl_op_name(slot->op->code), slot->op->fd,
				  slot->engine_state == SLOT_WORK ? "a worker runs it" :
								    "it is in the kernel");
	}
}

/* Until nothing is in flight and no post can arrive any more. */
static void drain_for_good(struct sl_ring *ring)
{
	int err;

	__atomic_store_n(&ring->closing, 1, __ATOMIC_SEQ_CST);
	do {
		err = drain(ring, sl_ring_clock(ring) + PATIENCE_NS);
		if (err == -ETIMEDOUT)
			report_stuck(ring);
	} while (err == -ETIMEDOUT || (!err && __atomic_load_n(&ring->posts_nr, __ATOMIC_SEQ_CST)));
	if (err)
		sl_report(ring, SL_LOG_ERROR, "the backend failed while the ring was closed: %s",
			  sl_err_text(err));
}

/* The owner thread is gone: the kernel ended and waited for all that it had
 * submitted (io_uring cancels a task's requests at its exit). What is left to
 * wait for is the workers. */
static bool adopt(struct sl_ring *ring)
{
	/* A joined thread may be on its last steps in the kernel: it has ended for
	 * the program before its number is free. */
	for (int tries = 0; sl_sys_thread_alive(ring->owner_tid); tries++) {
		if (tries == ADOPT_TRIES)
			return false;
		sl_sys_sleep_ns(ADOPT_PAUSE_NS);
	}
	__atomic_store_n(&ring->closing, 1, __ATOMIC_SEQ_CST);
	return true;
}

void sl_ring_close(struct sl_ring *ring)
{
	int err;

	if (!ring)
		return;
	err = ring_check(ring);
	if (!err) {
		SL_ASSERT(!ring->dispatching);
		drain_for_good(ring);
	} else if (err == -EPERM) {
		SL_ASSERT(adopt(ring));
	}
	ring_free_all(ring, err == -ESTALE);
}
