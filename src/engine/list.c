/* SPDX-License-Identifier: MIT */
/* list.c - the one slow way out of a list. */
#include "base/assert.h"
#include "engine/list.h"

void slot_list_remove(struct slot_list *list, struct sl_slot *slot)
{
	struct sl_slot *prev = NULL;

	for (struct sl_slot *at = list->head; at != slot; at = at->next) {
		SL_ASSERT(at);
		prev = at;
	}
	if (prev)
		prev->next = slot->next;
	else
		list->head = slot->next;
	if (list->tail == slot)
		list->tail = prev;
	slot->next = NULL;
}
