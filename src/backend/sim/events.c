/* SPDX-License-Identifier: MIT */
/* events.c - what is going to happen: a binary heap by time and order of arrival. */
#include <stdlib.h>

#include "backend/sim/world.h"

static bool is_before(const struct sim_queued *a, const struct sim_queued *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

int sim_events_reserve(struct sim_events *events, size_t nr)
{
	size_t size = events->size ? events->size : 256;
	struct sim_queued *heap;

	if (events->nr + nr <= events->size)
		return 0;
	while (size < events->nr + nr)
		size *= 2;
	heap = realloc(events->heap, size * sizeof(*heap));
	if (!heap)
		return -ENOMEM;
	events->heap = heap;
	events->size = size;
	return 0;
}

static void rise(struct sim_events *events, size_t at, struct sim_queued queued)
{
	while (at && is_before(&queued, &events->heap[(at - 1) / 2])) {
		events->heap[at] = events->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	events->heap[at] = queued;
}

static void sink(struct sim_events *events, size_t at, struct sim_queued queued)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= events->nr)
			break;
		if (child + 1 < events->nr &&
		    is_before(&events->heap[child + 1], &events->heap[child]))
			child++;
		if (!is_before(&events->heap[child], &queued))
			break;
		events->heap[at] = events->heap[child];
		at = child;
	}
	events->heap[at] = queued;
}

int sim_events_add(struct sim_events *events, int64_t due_ns, struct sim_event *event)
{
	int err = sim_events_reserve(events, 1 + events->kept);

	/* A task has its place: segments leave it. */
	if (err && event->kind != SIM_TASK)
		return err;
	SL_ASSERT_CMP(events->nr, <, events->size);
	rise(events, events->nr++, (struct sim_queued){ due_ns, events->order++, event });
	return 0;
}

struct sim_event *sim_events_take(struct sim_events *events)
{
	struct sim_event *event = events->heap[0].event;
	struct sim_queued last = events->heap[--events->nr];

	if (events->nr)
		sink(events, 0, last);
	return event;
}

void sim_events_purge(struct sim_events *events, bool (*matches)(struct sim_event *, void *),
		      void *ctx)
{
	size_t nr = events->nr;

	events->nr = 0;
	for (size_t i = 0; i < nr; i++) {
		struct sim_queued queued = events->heap[i];

		if (!matches(queued.event, ctx))
			rise(events, events->nr++, queued);
	}
}
