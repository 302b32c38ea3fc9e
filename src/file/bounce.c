/*
 * bounce.c - a few aligned buffers of a file, and the requests that wait for one.
 *
 * A request takes one buffer when it first needs one, after it holds its range,
 * and keeps it to its end. Nobody who has a buffer waits for anything but the
 * device, so those who wait are served, in the order they came.
 */
#include "file/bounce.h"

#include <errno.h>
#include <sluice/file.h>

#include "base/assert.h"
#include "file/memory.h"

int sl_bounce_init(struct bounce_set *set, struct sl_ring *ring, uint32_t count, size_t bytes,
		   size_t align)
{
	*set = (struct bounce_set){ .ring = ring, .count = count, .bytes = bytes };
	set->waiting_tail = &set->waiting;
	set->free = sl_file_alloc(ring, count, sizeof(*set->free), 0);
	set->memory = sl_file_alloc(ring, count, bytes, align);
	if (!set->free || !set->memory) {
		sl_bounce_fini(set);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		set->free[set->free_nr++] = (unsigned char *)set->memory + i * bytes;
	return 0;
}

void sl_bounce_fini(struct bounce_set *set)
{
	sl_file_free(set->ring, set->free, set->count, sizeof(*set->free));
	sl_file_free(set->ring, set->memory, set->count, set->bytes);
	*set = (struct bounce_set){ 0 };
}

bool sl_bounce_get(struct bounce_set *set, struct sl_file_req *req)
{
	if (req->bounce)
		return true;
	if (set->free_nr) {
		req->bounce = set->free[--set->free_nr];
		return true;
	}
	req->next = NULL;
	*set->waiting_tail = req;
	set->waiting_tail = &req->next;
	return false;
}

struct sl_file_req *sl_bounce_put(struct bounce_set *set, struct sl_file_req *req)
{
	struct sl_file_req *heir = set->waiting;
	unsigned char *buffer = req->bounce;

	if (!buffer)
		return NULL;
	req->bounce = NULL;
	if (!heir) {
		SL_ASSERT_CMP(set->free_nr, <, set->count);
		set->free[set->free_nr++] = buffer;
		return NULL;
	}
	set->waiting = heir->next;
	if (!set->waiting)
		set->waiting_tail = &set->waiting;
	heir->next = NULL;
	heir->bounce = buffer;
	return heir;
}
