/* SPDX-License-Identifier: MIT */
/*
 * list.h - FIFO lists through the ops and slots themselves: no memory, O(1) at both ends.
 *
 * The links of what is in no list mean nothing, and neither does the prev of a head.
 */
#ifndef SLUICE_ENGINE_LIST_H
#define SLUICE_ENGINE_LIST_H

#include "engine/backend.h"

struct op_list {
	struct sl_op *head, *tail;
};

struct slot_list {
	struct sl_slot *head, *tail;
};

static inline void op_list_add(struct op_list *list, struct sl_op *op)
{
	op->next = NULL;
	op->prev = list->tail;
	if (list->tail)
		list->tail->next = op;
	else
		list->head = op;
	list->tail = op;
}

static inline void op_list_remove(struct op_list *list, struct sl_op *op)
{
	if (op == list->tail)
		list->tail = op == list->head ? NULL : op->prev;
	else
		op->next->prev = op->prev;
	if (op == list->head)
		list->head = op->next;
	else
		op->prev->next = op->next;
}

static inline struct sl_op *op_list_pop(struct op_list *list)
{
	struct sl_op *op = list->head;

	if (!op)
		return NULL;
	list->head = op->next;
	if (!list->head)
		list->tail = NULL;
	return op;
}

static inline void slot_list_add(struct slot_list *list, struct sl_slot *slot)
{
	slot->next = NULL;
	if (list->tail)
		list->tail->next = slot;
	else
		list->head = slot;
	list->tail = slot;
}

static inline struct sl_slot *slot_list_pop(struct slot_list *list)
{
	struct sl_slot *slot = list->head;

	if (!slot)
		return NULL;
	list->head = slot->next;
	if (!list->head)
		list->tail = NULL;
	slot->next = NULL;
	return slot;
}

/* O(n): only cancels and timeouts take a slot out of the middle. */
void slot_list_remove(struct slot_list *list, struct sl_slot *slot);

#endif
