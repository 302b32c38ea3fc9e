/* SPDX-License-Identifier: MIT */
/*
 * lock.c - LOCK: ranges of a file that a handle holds, shared or alone (fcntl(2), open-file-
 * description locks).
 *
 * One list for a machine. Taking a range replaces what the same handle holds of
 * it; what sticks out on either side stays.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "backend/sim/world.h"

static bool overlaps(const struct sim_lock *lock, uint64_t start, uint64_t end)
{
	return lock->start < end && start < lock->end;
}

static bool is_taken(const struct sim_handle *handle, const struct sim_lock *wanted)
{
	const struct sim_lock *lock = handle->machine->locks;

	for (; lock; lock = lock->next) {
		if (lock->owner != handle && lock->owner->inode == handle->inode &&
		    overlaps(lock, wanted->start, wanted->end) &&
		    (lock->exclusive || wanted->exclusive))
			return true;
	}
	return false;
}

static struct sim_lock *insert(struct sim_machine *machine, const struct sim_lock *like)
{
	struct sim_lock *lock = malloc(sizeof(*lock));

	if (!lock)
		return NULL;
	*lock = *like;
	lock->next = machine->locks;
	machine->locks = lock;
	return lock;
}

/* Takes start .. end out of what a handle holds. A range cut in the middle gets a
 * second lock, whose memory is taken first. */
static int cut_out(struct sim_handle *handle, uint64_t start, uint64_t end)
{
	struct sim_lock **link = &handle->machine->locks, *lock;

	while ((lock = *link)) {
		struct sim_lock right = *lock;

		link = &lock->next;
		if (lock->owner != handle || !overlaps(lock, start, end))
			continue;
		right.start = end;
		if (lock->start < start && lock->end > end && !insert(handle->machine, &right))
			return -ENOMEM;
		if (lock->start < start) {
			lock->end = start;
		} else if (lock->end > end) {
			lock->start = end;
		} else {
			lock->start = lock->end = 0;
		}
	}
	return 0;
}

/* Ranges that have become empty. */
static void sweep(struct sim_machine *machine)
{
	struct sim_lock **link = &machine->locks, *lock;

	while ((lock = *link)) {
		if (lock->start < lock->end) {
			link = &lock->next;
			continue;
		}
		*link = lock->next;
		free(lock);
	}
}

static int check(const struct sim_handle *handle, int kind)
{
	int access = (int)(handle->flags & O_ACCMODE);

	if (!handle->inode || handle->flags & O_PATH)
		return -EBADF;
	if (kind != F_RDLCK && kind != F_WRLCK && kind != F_UNLCK)
		return -EINVAL;
	if ((kind == F_WRLCK && access == O_RDONLY) || (kind == F_RDLCK && access == O_WRONLY))
		return -EBADF;
	return 0;
}

int64_t sim_lock_set(struct sim_task *task, struct sim_handle *handle)
{
	const struct sl_slot *slot = task->slot;
	int kind = (int)(uintptr_t)slot->op->arg;
	uint64_t end = slot->len ? slot->off + slot->len : UINT64_MAX;
	const struct sim_lock wanted = { NULL, handle, slot->off, end, kind == F_WRLCK };
	int err = check(handle, kind);

	if (err || end <= slot->off)
		return err ? err : -EINVAL;
	if (kind != F_UNLCK && is_taken(handle, &wanted))
		return sim_block(task, &handle->machine->lock_waiters);
	err = cut_out(handle, slot->off, end);
	sweep(handle->machine);
	if (!err && kind != F_UNLCK && !insert(handle->machine, &wanted))
		err = -ENOMEM;
	sim_wake(handle->machine->sim, &handle->machine->lock_waiters);
	return err;
}

void sim_lock_drop(struct sim_handle *handle)
{
	if (!handle->machine->locks)
		return;
	cut_out(handle, 0, UINT64_MAX);
	sweep(handle->machine);
	sim_wake(handle->machine->sim, &handle->machine->lock_waiters);
}
