/*
 * slots.h - lists of slots, threaded through the room that a slot keeps for its backend.
 */
#ifndef SL_BACKEND_READY_SLOTS_H
#define SL_BACKEND_READY_SLOTS_H

#include <assert.h>
#include <stddef.h>

#include "engine/backend.h"

/* Where a slot is; it is in exactly one list, named by its place. */
enum ready_place {
	READY_NONE = 0,
	READY_FRESH,	/* started, not attempted */
	READY_WAITING,	/* in a watch */
	READY_FINISHED, /* its result is known */
};

/**
 * struct ready_mark - what the loop knows of a slot
 * @next: neighbour in its list
 * @prev: neighbour in its list
 * @place: enum ready_place
 * @side: READY_WAITING: which list of its watch, enum ready_side
 * @event_flags: READY_FINISHED: for its final event
 * @half_posted: zero-copy: the first of its two events is out
 * @watch: READY_WAITING: the index of its watch
 * @res: READY_FINISHED: the result
 */
struct ready_mark {
	struct sl_slot *next;
	struct sl_slot *prev;
	uint8_t place;
	uint8_t side;
	uint8_t event_flags;
	bool half_posted;
	uint32_t watch;
	int64_t res;
} __attribute__((may_alias));

static_assert(sizeof(struct ready_mark) <= sizeof(((struct sl_slot *)0)->backend),
	      "the mark lives in the slot");

struct ready_slots {
	struct sl_slot *head;
	struct sl_slot *tail;
};

static inline struct ready_mark *ready_mark(struct sl_slot *slot)
{
	return (struct ready_mark *)&slot->backend;
}

/* At the tail. */
static inline void ready_slots_add(struct ready_slots *list, struct sl_slot *slot)
{
	struct ready_mark *mark = ready_mark(slot);

	mark->next = NULL;
	mark->prev = list->tail;
	if (list->tail)
		ready_mark(list->tail)->next = slot;
	else
		list->head = slot;
	list->tail = slot;
}

static inline void ready_slots_remove(struct ready_slots *list, struct sl_slot *slot)
{
	struct ready_mark *mark = ready_mark(slot);

	if (mark->prev)
		ready_mark(mark->prev)->next = mark->next;
	else
		list->head = mark->next;
	if (mark->next)
		ready_mark(mark->next)->prev = mark->prev;
	else
		list->tail = mark->prev;
}

#endif
