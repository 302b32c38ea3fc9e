/* range_lock.h - which ranges of a file are in use: readers share, writers exclude, FIFO. */
#ifndef SLUICE_FILE_RANGE_LOCK_H
#define SLUICE_FILE_RANGE_LOCK_H

#include <stdbool.h>
#include <sluice/file.h>

struct range_lock {
	struct sl_file_range *shared;	 /* held by readers */
	struct sl_file_range *exclusive; /* held by writers */
	struct sl_file_range *waiting;	 /* in the order they came */
	struct sl_file_range **waiting_tail;
};

void sl_range_lock_init(struct range_lock *lock);

/* Whether range could be held now; queued: it is in the waiting list, and only
 * those before it count. */
bool sl_range_lock_free(const struct range_lock *lock, const struct sl_file_range *range,
			bool queued);

/* Takes a free range that is in no list. */
void sl_range_lock_take(struct range_lock *lock, struct sl_file_range *range);

/* Puts a range that is in no list at the end of the waiting ones. */
void sl_range_lock_wait(struct range_lock *lock, struct sl_file_range *range);

/* Takes a range out of the list it is in: held or waiting. */
void sl_range_lock_drop(struct range_lock *lock, struct sl_file_range *range);

#endif
