/* SPDX-License-Identifier: MIT */
/*
 * step.c - what an event means: the end of an op, one of several results, or a
 * reason to go on.
 *
 * Transfers with an explicit offset run to their end here: a short one is
 * continued; under direct I/O from the last aligned byte, with end of file
 * decided by the file's size, never by the short count alone. Streams that say
 * -EAGAIN are polled and tried again. MULTI ops are armed again here where the
 * backend does not keep them armed.
 */
#include <poll.h>
#include <sys/socket.h>

#include "engine/finish.h"

#define RESTARTS_MAX 3

static bool cancelled(const struct sl_slot *slot)
{
	return slot->engine_flags & SLOT_CANCEL;
}

static int64_t cancel_result(const struct sl_slot *slot)
{
	return slot->engine_flags & SLOT_TIMEOUT ? -ETIMEDOUT : -ECANCELED;
}

static bool is_multi(const struct sl_slot *slot)
{
	return slot->op->flags & SL_OP_MULTI;
}

static void end(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	if (SL_UNLIKELY(cancelled(slot)) && (res == -ECANCELED || res == -EINTR || res == -EAGAIN))
		res = cancel_result(slot);
	finish_slot(ring, slot, res);
}

static void restart(struct sl_ring *ring, struct sl_slot *slot)
{
	slot_set_piece(slot);
	ring_start_slot(ring, slot);
}

/* The descriptor is O_NONBLOCK and not ready: wait for it, then try again. */
static void await_ready(struct sl_ring *ring, struct sl_slot *slot)
{
	short events = sl_attempt_events(slot);

	if (!events || !(ring->backend_caps.native >> SL_OP_POLL & 1)) {
		end(ring, slot, -EAGAIN);
		return;
	}
	slot->engine_flags |= SLOT_READY_WAIT;
	slot->restarts = 1;
	if (slot->fd != sl_attempt_fd(slot)) {
		slot->fd = sl_attempt_fd(slot);
		slot->fixed_fd = -1;
	}
	slot->code = SL_OP_POLL;
	slot->len = (uint64_t)(unsigned short)events;
	ring_start_slot(ring, slot);
}

static void ready(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	slot->engine_flags &= (uint8_t)~SLOT_READY_WAIT;
	slot->code = slot->op->code;
	slot->fd = slot->op->fd;
	slot->fixed_fd = slot->keep ? slot->keep->fixed_fd : -1;
	slot->len = slot->op->len;
	if (res < 0)
		end(ring, slot, res);
	else
		restart(ring, slot);
}

/* A regular file where a readiness backend expected a stream. */
static bool use_worker(struct sl_ring *ring, struct sl_slot *slot)
{
	if (ring->backend->owns_world || ring->backend_caps.files)
		return false;
	switch (slot->code) {
	case SL_OP_READ:
	case SL_OP_WRITE:
	case SL_OP_SPLICE:
	case SL_OP_TEE:
	case SL_OP_CONNECT:
		op_stats(ring, slot->op)->worked++;
		if (slot->pool && !sl_slot_take_buffer(ring, slot))
			pool_wait(ring, slot);
		else
			workers_queue(ring, slot);
		return true;
	case SL_OP_POLL:
		/* poll(2): a regular file is always ready. */
		slot->op->aux = (uint32_t)slot->op->len &
				(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
		end(ring, slot, slot->op->aux);
		return true;
	default:
		return false;
	}
}

/* An explicit offset on a stream means nothing: the stream goes on where it is. */
static bool use_stream(struct sl_ring *ring, struct sl_slot *slot)
{
	if (slot->off == SL_OFF_CURRENT || !(sl_op_table[slot->code].traits & SL_OP_AT_OFF))
		return false;
	slot->off = SL_OFF_CURRENT;
	ring_start_slot(ring, slot);
	return true;
}

/* A short transfer at an explicit offset: go on, or was that the end? */
static void continue_short(struct sl_ring *ring, struct sl_slot *slot, uint64_t moved)
{
	struct sl_op *op = slot->op;
	struct sl_desc desc;
	uint64_t align;

	if (ring_describe(ring, op->fd, &desc) ||
	    (desc.kind != SL_DESC_REGULAR && desc.kind != SL_DESC_BLOCK)) {
		end(ring, slot, (int64_t)slot->done);
		return;
	}
	if (op->code == SL_OP_READ && desc.size && op->off + slot->done == desc.size) {
		end(ring, slot, (int64_t)slot->done);
		return;
	}
	if (desc.flags & SL_DESC_DIRECT) {
		align = op->code == SL_OP_READ ? desc.read_align : desc.write_align;
		if (align < desc.mem_align)
			align = desc.mem_align;
		if (!align)
			align = 4096;
		if (op->code == SL_OP_READ && op->off + slot->done > desc.size)
			slot->done = op->off < desc.size ? desc.size - op->off : 0;
		slot->restarts = moved >= align ? 0 : slot->restarts + 1;
		if (slot->restarts > RESTARTS_MAX) {
			end(ring, slot, -EIO);
			return;
		}
		slot->done = sl_round_down(slot->done, align);
	}
	op_stats(ring, op)->short_io++;
	restart(ring, slot);
}

static void step_transfer(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	struct sl_op *op = slot->op;

	if (SL_UNLIKELY(res < 0)) {
		if (res == -ESPIPE && use_stream(ring, slot))
			return;
		end(ring, slot, res);
		return;
	}
	slot->done += (uint64_t)res;
	op->done_len = slot->done;
	if (SL_LIKELY(slot->done >= slot->total) || slot->off == SL_OFF_CURRENT ||
	    op->flags & SL_OP_PARTIAL)
		end(ring, slot, (int64_t)slot->done);
	else if (!res)
		end(ring, slot, op->code == SL_OP_READ ? (int64_t)slot->done : -EIO);
	else if (cancelled(slot))
		end(ring, slot, -ECANCELED);
	else if ((uint64_t)res == slot->len && !(slot->flags & SL_OP_VEC))
		restart(ring, slot);
	else
		continue_short(ring, slot, (uint64_t)res);
}

/* One result of a MULTI op; then armed again unless the backend still is. */
static void step_multi(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	bool more = event->flags & SL_EVENT_MORE;

	slot->op->done_len = slot->op->code == SL_OP_RECV ? (uint64_t)event->res : 0;
	op_stats(ring, slot->op)->read_bytes += slot->op->done_len;
	if (slot->pool)
		pool_deliver(ring, slot, event);
	ring_deliver_more(ring, slot, event->res);
	slot->op->done_len = 0;
	if (more)
		return;
	if (cancelled(slot)) {
		ring_end_slot(ring, slot, cancel_result(slot));
		return;
	}
	op_stats(ring, slot->op)->rearmed++;
	ring_start_slot(ring, slot);
}

static void step_recv(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	struct sl_op *op = slot->op;

	if (event->res == -ENOBUFS && slot->pool && !(event->flags & SL_EVENT_MORE) &&
	    !cancelled(slot)) {
		pool_wait(ring, slot);
		return;
	}
	if (is_multi(slot) && event->res > 0) {
		step_multi(ring, slot, event);
		return;
	}
	if (slot->pool) {
		if (event->res > 0)
			pool_deliver(ring, slot, event);
		else
			pool_return(ring, slot, event);
	}
	op->done_len = event->res > 0 ? (uint64_t)event->res : 0;
	end(ring, slot, event->res);
}

static void step_send(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	struct sl_op *op = slot->op;
	int64_t res = event->res;

	if (event->flags & SL_EVENT_SENT) {
		slot->engine_flags |= SLOT_SENT;
		slot->result = res;
		op->done_len = res > 0 ? (uint64_t)res : 0;
		if (res >= 0)
			ring_deliver_more(ring, slot, res);
		return;
	}
	if (slot->engine_flags & SLOT_SENT)
		res = slot->result;
	op->done_len = res > 0 ? (uint64_t)res : 0;
	if (event->flags & SL_EVENT_COPIED) {
		op->aux = 1;
		op_stats(ring, op)->zc_copied++;
	}
	end(ring, slot, res);
}

static void step_sendfile(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	slot->op->aux = res == -ENODATA ? SL_SENDFILE_COLD : 0;
	if (res == -ENODATA)
		res = 0;
	slot->op->done_len = res > 0 ? (uint64_t)res : 0;
	end(ring, slot, res);
}

static void step_accept(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	/* accept(2): the peer gave up while queued; the next one may not have. */
	if (event->res == -ECONNABORTED && !cancelled(slot)) {
		if (!(event->flags & SL_EVENT_MORE))
			ring_start_slot(ring, slot);
		return;
	}
	if (is_multi(slot) && event->res >= 0)
		step_multi(ring, slot, event);
	else
		end(ring, slot, event->res);
}

/* Asked again after O_NONBLOCK readiness, connect(2) says EISCONN for success. */
static void step_connect(struct sl_ring *ring, struct sl_slot *slot, int64_t res)
{
	if ((res == -EINPROGRESS || res == -EALREADY) && !cancelled(slot))
		await_ready(ring, slot);
	else
		end(ring, slot, res == -EISCONN && slot->restarts ? 0 : res);
}

static void step_poll(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	if (event->res >= 0)
		slot->op->aux = (uint32_t)event->res;
	if (is_multi(slot) && event->res >= 0)
		step_multi(ring, slot, event);
	else
		end(ring, slot, event->res);
}

/* -EPERM may only mean that a worker goes on with it. */
static void tell_end(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	if (event->flags & SL_EVENT_MORE || event->res == -EPERM)
		return;
	slot->engine_flags &= (uint8_t)~SLOT_TOLD;
	ring->backend->ended(ring->state, slot, event->res);
}

/* True when the result only means: try again. */
static bool step_again(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event,
		       bool native)
{
	if (event->flags & (SL_EVENT_MORE | SL_EVENT_SENT) || slot->engine_flags & SLOT_SENT)
		return false;
	if (event->res == -EINTR && !cancelled(slot) && slot->code != SL_OP_WORK &&
	    slot->code != SL_OP_CLOSE /* the descriptor is gone, close(2) */) {
		restart(ring, slot);
		return true;
	}
	if (event->res == -EAGAIN && !cancelled(slot) &&
	    sl_op_table[slot->code].traits & SL_OP_ON_FD) {
		if (slot->pool)
			pool_return(ring, slot, event);
		await_ready(ring, slot);
		return true;
	}
	return event->res == -EPERM && native && use_worker(ring, slot);
}

static void step_by_code(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	switch (slot->code) {
	case SL_OP_READ:
		if (slot->pool)
			step_recv(ring, slot, event);
		else
			step_transfer(ring, slot, event->res);
		break;
	case SL_OP_WRITE:
		step_transfer(ring, slot, event->res);
		break;
	case SL_OP_RECV:
	case SL_OP_RECVMSG:
	case SL_OP_READDIR:
		step_recv(ring, slot, event);
		break;
	case SL_OP_SEND:
	case SL_OP_SENDMSG:
	case SL_OP_SPLICE:
	case SL_OP_TEE:
		step_send(ring, slot, event);
		break;
	case SL_OP_SENDFILE:
		step_sendfile(ring, slot, event->res);
		break;
	case SL_OP_ACCEPT:
		step_accept(ring, slot, event);
		break;
	case SL_OP_CONNECT:
		step_connect(ring, slot, event->res);
		break;
	case SL_OP_POLL:
		step_poll(ring, slot, event);
		break;
	default:
		end(ring, slot, event->res);
	}
}

static SL_NOINLINE void step_closely(struct sl_ring *ring, struct sl_slot *slot,
				     const struct sl_event *event)
{
	bool native = slot->engine_state == SLOT_STARTED;

	if (native && !(event->flags & SL_EVENT_MORE)) {
		slot->engine_state = SLOT_HELD;
		ring->in_backend--;
	}
	if (SL_UNLIKELY(slot->engine_flags & (SLOT_READY_WAIT | SLOT_TOLD))) {
		if (slot->engine_flags & SLOT_TOLD)
			tell_end(ring, slot, event);
		if (slot->engine_flags & SLOT_READY_WAIT) {
			ready(ring, slot, event->res);
			return;
		}
	}
	if (SL_UNLIKELY(event->res < 0) && step_again(ring, slot, event, native))
		return;
	step_by_code(ring, slot, event);
}

/* Ops that end by whatever result they have. */
#define SIMPLE_ENDS                                                                               \
	(1ull << SL_OP_NOP | 1ull << SL_OP_FSYNC | 1ull << SL_OP_FDATASYNC | 1ull << SL_OP_OPEN | \
	 1ull << SL_OP_STAT)
#define TRANSFERS (1ull << SL_OP_READ | 1ull << SL_OP_WRITE)

/* Most events are this: all that was asked for, at once, and nobody asked for an end. */
static inline bool is_plain_end(const struct sl_slot *slot, const struct sl_event *event)
{
	if ((slot->engine_flags & ~SLOT_KEEP_BUSY) | event->flags || event->res < 0)
		return false;
	if (TRANSFERS >> slot->code & 1)
		return !slot->pool && (uint64_t)event->res == slot->total;
	return SIMPLE_ENDS >> slot->code & 1;
}

static inline void step(struct sl_ring *ring, struct sl_slot *slot, const struct sl_event *event)
{
	if (SL_UNLIKELY(!is_plain_end(slot, event))) {
		step_closely(ring, slot, event);
		return;
	}
	if (slot->engine_state == SLOT_STARTED)
		ring->in_backend--;
	if (TRANSFERS >> slot->code & 1)
		slot->op->done_len = slot->total;
	finish_slot(ring, slot, event->res);
}

/* Those that were there when it began. */
void ring_step_events(struct sl_ring *ring)
{
	struct sl_event_queue *queue = &ring->events;
	uint32_t end = queue->tail;

	while (queue->head != end) {
		const struct sl_event *event = &queue->entries[queue->head & queue->mask];
		struct sl_slot *slot = slot_find(ring, event->id);

		if (SL_LIKELY(slot))
			step(ring, slot, event);
		queue->head++; /* only now may its place be used again */
	}
	/* The places that are in the cache already are as good as the next. */
	if (queue->head == queue->tail)
		queue->head = queue->tail = 0;
}
