/* SPDX-License-Identifier: MIT */
/* event.c - the bounded queue between a backend's reaping and the engine's dispatch. */
#include "engine/engine.h"

unsigned sl_event_room(const struct sl_ring *ring)
{
	return ring->events.mask + 1 - (ring->events.tail - ring->events.head);
}

bool sl_event(struct sl_ring *ring, const struct sl_event *event)
{
	struct sl_event *place = sl_event_place(&ring->events);

	if (SL_UNLIKELY(!place))
		return false;
	/* Member by member: one wide copy would wait for the caller's narrow stores. */
	place->id = event->id;
	place->res = event->res;
	place->flags = event->flags;
	place->buf_id = event->buf_id;
	return true;
}
