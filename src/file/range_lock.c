/*
 * range_lock.c - which ranges of a file are in use: readers share, writers exclude, FIFO.
 *
 * Invariants:
 *  L1. No held exclusive range overlaps another held range.
 *  L2. A range is not taken while it conflicts with one that waited before it:
 *      nobody starves, and requests that overlap run in the order they came.
 *  L3. A range is in one list at most; link is NULL exactly when it is in none.
 *
 * Readers only look at writers and waiters, so a load of reads alone finds
 * empty lists however many are in flight.
 */
#include "file/range_lock.h"
#include "base/assert.h"

static bool overlap(const struct sl_file_range *a, const struct sl_file_range *b)
{
	return a->start < b->end && b->start < a->end;
}

static bool conflict(const struct sl_file_range *a, const struct sl_file_range *b)
{
	return (a->exclusive || b->exclusive) && overlap(a, b);
}

static bool conflict_in(const struct sl_file_range *list, const struct sl_file_range *range)
{
	for (; list && list != range; list = list->next) {
		if (conflict(list, range))
			return true;
	}
	return false;
}

static void push(struct sl_file_range **head, struct sl_file_range *range)
{
	SL_ASSERT(!range->link);
	range->next = *head;
	if (range->next)
		range->next->link = &range->next;
	range->link = head;
	*head = range;
}

void sl_range_lock_init(struct range_lock *lock)
{
	*lock = (struct range_lock){ 0 };
	lock->waiting_tail = &lock->waiting;
}

bool sl_range_lock_free(const struct range_lock *lock, const struct sl_file_range *range,
			bool queued)
{
	SL_ASSERT(queued == (range->link != NULL));
	if (conflict_in(lock->waiting, range) || conflict_in(lock->exclusive, range))
		return false;
	return !range->exclusive || !conflict_in(lock->shared, range);
}

void sl_range_lock_take(struct range_lock *lock, struct sl_file_range *range)
{
	push(range->exclusive ? &lock->exclusive : &lock->shared, range);
}

void sl_range_lock_wait(struct range_lock *lock, struct sl_file_range *range)
{
	SL_ASSERT(!range->link);
	range->next = NULL;
	range->link = lock->waiting_tail;
	*lock->waiting_tail = range;
	lock->waiting_tail = &range->next;
}

void sl_range_lock_drop(struct range_lock *lock, struct sl_file_range *range)
{
	SL_ASSERT(range->link);
	if (lock->waiting_tail == &range->next)
		lock->waiting_tail = range->link;
	*range->link = range->next;
	if (range->next)
		range->next->link = range->link;
	range->next = NULL;
	range->link = NULL;
}
