/* SPDX-License-Identifier: MIT */
/* event.c - the bounded queue between a backend's reaping and the engine's dispatch. */
#include "engine/engine.h"

unsigned sl_event_room(const struct sl_ring *ring)
{
	return ring->event_mask + 1 - (ring->event_tail - ring->event_head);
}

bool sl_event(struct sl_ring *ring, const struct sl_event *event)
{
	struct sl_event *place = &ring->events[ring->event_tail & ring->event_mask];

	if (SL_UNLIKELY(ring->event_tail - ring->event_head > ring->event_mask))
		return false;
	/* Member by member: one wide copy would wait for the caller's narrow stores. */
	place->id = event->id;
	place->res = event->res;
	place->flags = event->flags;
	place->buf_id = event->buf_id;
	place->aux = event->aux;
	ring->event_tail++;
	return true;
}
