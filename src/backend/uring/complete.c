/*
 * What a completion means: a plain result, one of several, half of a zero-copy
 * send, or an answer to the backend itself.
 */
#include <errno.h>

#include "backend/uring/uring.h"

static uint64_t slot_id(const struct sl_uring_cqe *cqe)
{
	return cqe->user_data & ~URING_NOTES;
}

#define NOTES_COUNTED (URING_NOTE_DISK | URING_NOTE_RAISES)

static inline void count_out(struct uring *u, uint64_t user_data)
{
	u->disk -= (user_data & URING_NOTE_DISK) != 0;
	if (SL_UNLIKELY(user_data & URING_NOTE_RAISES))
		u->raising--;
}

static void ended(struct uring *u, uint64_t user_data)
{
	u->inflight--;
	count_out(u, user_data);
}

/* Whatever is not a zero-copy send. */
static bool post_result(struct uring *u, const struct sl_uring_cqe *cqe)
{
	struct sl_event *event = sl_event_place(u->events);
	uint64_t user_data = cqe->user_data;
	uint32_t flags = cqe->flags;

	if (SL_UNLIKELY(!event))
		return false;
	event->id = user_data & ~URING_NOTES;
	event->res = cqe->res;
	event->flags = 0;
	event->buf_id = 0;
	if (SL_UNLIKELY(flags)) {
		event->buf_id = (uint16_t)(flags >> SL_URING_CQE_BUFFER_SHIFT);
		if (flags & SL_URING_CQE_F_BUFFER)
			event->flags = SL_EVENT_BUFFER;
		if (flags & SL_URING_CQE_F_MORE) {
			event->flags |= SL_EVENT_MORE;
			return true;
		}
	}
	ended(u, user_data);
	return true;
}

/* A receive into a buffer that the slot took from its pool beforehand. */
static bool post_taken(struct uring *u, const struct sl_uring_cqe *cqe)
{
	struct sl_event event = { .id = slot_id(cqe), .res = cqe->res };
	struct sl_slot *slot = sl_slot_find(u->ring, event.id);

	SL_ASSERT(slot);
	if (!sl_event_room(u->ring))
		return false;
	if (cqe->res > 0) {
		event.flags = SL_EVENT_BUFFER;
		event.buf_id = slot->buf_id;
	} else {
		sl_slot_return_buffer(u->ring, slot);
	}
	sl_event(u->ring, &event);
	ended(u, cqe->user_data);
	return true;
}

/* A plain send where zero-copy was asked for: the two events come as promised. */
static bool post_copied(struct uring *u, const struct sl_uring_cqe *cqe)
{
	struct sl_event event = { .id = slot_id(cqe), .res = cqe->res };

	if (sl_event_room(u->ring) < 2)
		return false;
	if (cqe->res >= 0) {
		event.flags = SL_EVENT_MORE | SL_EVENT_SENT;
		sl_event(u->ring, &event);
		event.flags = SL_EVENT_COPIED;
	}
	sl_event(u->ring, &event);
	ended(u, cqe->user_data);
	return true;
}

/* A failed zero-copy send ends by one event, with the memory free. Where the
 * socket knows no zero-copy (AF_UNIX) the engine is made to try again (-EINTR),
 * and then the send is a plain one. */
static bool post_zc_failed(struct uring *u, const struct sl_uring_cqe *cqe, int64_t res)
{
	struct sl_event event = { .id = slot_id(cqe), .res = res };
	struct sl_slot *slot = sl_slot_find(u->ring, event.id);

	if (!sl_event_room(u->ring))
		return false;
	if (res == -EOPNOTSUPP) {
		uring_refuse(slot);
		event.res = -EINTR;
	}
	sl_event(u->ring, &event);
	ended(u, cqe->user_data);
	return true;
}

/* First the result, with MORE; then, as a notification, that the memory is free. */
static bool post_zc(struct uring *u, const struct sl_uring_cqe *cqe)
{
	struct sl_event event = { .id = slot_id(cqe), .res = cqe->res };
	struct sl_slot *slot = sl_slot_find(u->ring, event.id);

	SL_ASSERT(slot);
	if (cqe->flags & SL_URING_CQE_F_NOTIF) {
		if (uring_mark(slot)->res)
			return post_zc_failed(u, cqe, uring_mark(slot)->res);
		event.res = 0;
		/* The sign bit here is a flag, not an error. */
		if (u->zc_report && (uint32_t)cqe->res & SL_URING_NOTIF_USAGE_ZC_COPIED)
			event.flags = SL_EVENT_COPIED;
	} else if (cqe->flags & SL_URING_CQE_F_MORE) {
		event.flags = SL_EVENT_MORE | SL_EVENT_SENT;
		if (cqe->res < 0) {
			uring_mark(slot)->res = cqe->res;
			return true;
		}
	} else if (cqe->res < 0) {
		return post_zc_failed(u, cqe, cqe->res);
	}
	if (!sl_event(u->ring, &event))
		return false;
	if (!(event.flags & SL_EVENT_MORE))
		ended(u, cqe->user_data);
	return true;
}

/* True when all that the completion stands for has been taken. */
static bool post(struct uring *u, const struct sl_uring_cqe *cqe)
{
	if (cqe->user_data & URING_INTERNAL) {
		if (cqe->user_data == URING_WAKE)
			uring_wake_seen(u);
		return true;
	}
	if (cqe->user_data & URING_NOTE_ZC)
		return post_zc(u, cqe);
	if (cqe->user_data & URING_NOTE_COPY)
		return post_copied(u, cqe);
	if (cqe->user_data & URING_NOTE_TOOK)
		return post_taken(u, cqe);
	return post_result(u, cqe);
}

/* Most completions are this: the one event of a slot, nothing else. Posts those from the
 * done-th on, as far as there is room; returns how far that was. */
static inline uint32_t post_plain(struct uring *u, uint32_t done, uint32_t nr)
{
	struct sl_event_queue *events = u->events;
	uint32_t begin = done, tail = events->tail;
	uint32_t room = events->mask + 1 - (tail - events->head);

	if (nr - done > room)
		nr = done + room;
	for (; done < nr; done++) {
		const struct sl_uring_cqe *cqe = uring_queue_cqe(&u->q, done);
		struct sl_event *event = &events->entries[tail & events->mask];
		uint64_t user_data = cqe->user_data;

		if (SL_UNLIKELY(user_data & URING_NOTES & ~(uint64_t)NOTES_COUNTED || cqe->flags))
			break;
		event->id = user_data & ~URING_NOTES;
		event->res = cqe->res;
		event->flags = 0;
		event->buf_id = 0;
		tail++;
		if (user_data & NOTES_COUNTED)
			count_out(u, user_data);
	}
	events->tail = tail;
	u->inflight -= done - begin;
	return done;
}

unsigned uring_reap(struct uring *u)
{
	uint32_t nr = uring_queue_ready(&u->q);
	uint32_t done = 0;

	while (done < nr) {
		done = post_plain(u, done, nr);
		if (done < nr && !post(u, uring_queue_cqe(&u->q, done)))
			break;
		done += done < nr;
	}
	if (done)
		uring_queue_seen(&u->q, done);
	return done;
}

/* A file or device that cannot be polled: the engine is made to try again (-EINTR), and
 * then the transfer goes to the other queue. */
static bool post_unpolled(struct uring *u, const struct sl_uring_cqe *cqe)
{
	const struct sl_event event = { .id = slot_id(cqe), .res = -EINTR };

	if (!sl_event_room(u->ring))
		return false;
	uring_refuse(sl_slot_find(u->ring, event.id));
	sl_event(u->ring, &event);
	ended(u, cqe->user_data);
	return true;
}

unsigned uring_reap_polled(struct uring *u)
{
	uint32_t nr = uring_queue_ready(&u->polled);
	uint32_t done = 0;

	for (; done < nr; done++) {
		const struct sl_uring_cqe *cqe = uring_queue_cqe(&u->polled, done);

		if (cqe->res == -EOPNOTSUPP ? !post_unpolled(u, cqe) : !post_result(u, cqe))
			break;
	}
	if (done)
		uring_queue_seen(&u->polled, done);
	u->polled_inflight -= done;
	return done;
}
