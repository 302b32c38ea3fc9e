/* SPDX-License-Identifier: MIT */
/* event.c - the bounded queue between a backend's reaping and the engine's dispatch. */
#include "engine/engine.h"

unsigned sl_event_room(const struct sl_ring *ring)
{
	return ring->event_mask + 1 - (ring->event_tail - ring->event_head);
}

bool sl_event(struct sl_ring *ring, const struct sl_event *event)
{
	if (SL_UNLIKELY(!sl_event_room(ring)))
		return false;
	ring->events[ring->event_tail++ & ring->event_mask] = *event;
	return true;
}
