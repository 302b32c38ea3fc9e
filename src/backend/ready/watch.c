/* watch.c - descriptors that slots wait for: a hash by number, and the poller kept in step. */
#include <poll.h>

#include "backend/ready/watch.h"
#include "base/assert.h"

#define NONE UINT32_MAX

void watches_init(struct watches *w, struct watch *all, uint32_t nr, uint32_t *buckets,
		  uint32_t bucket_nr)
{
	w->all = all;
	w->nr = nr;
	w->buckets = buckets;
	w->bucket_mask = bucket_nr - 1;
	w->free = 0;
	w->dirty = NONE;
	for (uint32_t i = 0; i < nr; i++)
		all[i] = (struct watch){ .fd = -1, .next_dirty = i + 1 < nr ? i + 1 : NONE };
	for (uint32_t i = 0; i < bucket_nr; i++)
		buckets[i] = NONE;
}

static uint32_t index_of(const struct watches *w, const struct watch *watch)
{
	return (uint32_t)(watch - w->all);
}

static uint32_t *bucket_of(const struct watches *w, int fd)
{
	return &w->buckets[(unsigned)fd & w->bucket_mask];
}

struct watch *watches_find(const struct watches *w, int fd)
{
	uint32_t idx = *bucket_of(w, fd);

	while (idx != NONE && w->all[idx].fd != fd)
		idx = w->all[idx].next_hash;
	return idx == NONE ? NULL : &w->all[idx];
}

static struct watch *watch_take(struct watches *w, int fd)
{
	uint32_t idx = w->free;
	uint32_t *bucket = bucket_of(w, fd);
	struct watch *watch = &w->all[idx];

	SL_ASSERT(idx != NONE);
	w->free = watch->next_dirty;
	*watch = (struct watch){ .fd = fd, .next_hash = *bucket };
	*bucket = idx;
	return watch;
}

static void watch_free(struct watches *w, struct watch *watch)
{
	uint32_t idx = index_of(w, watch);
	uint32_t *link = bucket_of(w, watch->fd);

	while (*link != idx)
		link = &w->all[*link].next_hash;
	*link = watch->next_hash;
	watch->fd = -1;
	watch->next_dirty = w->free;
	w->free = idx;
}

static void mark_dirty(struct watches *w, struct watch *watch)
{
	if (watch->dirty)
		return;
	watch->dirty = true;
	watch->next_dirty = w->dirty;
	w->dirty = index_of(w, watch);
}

void watches_add(struct watches *w, struct sl_slot *slot, int fd, short events)
{
	struct ready_mark *mark = ready_mark(slot);
	struct watch *watch = watches_find(w, fd);

	if (!watch)
		watch = watch_take(w, fd);
	mark->place = READY_WAITING;
	mark->watch = index_of(w, watch);
	if (slot->code == SL_OP_POLL)
		mark->side = READY_POLL;
	else
		mark->side = events & POLLOUT ? READY_OUT : READY_IN;
	ready_slots_add(&watch->waiting[mark->side], slot);
	w->waiting++;
	mark_dirty(w, watch);
}

void watches_remove(struct watches *w, struct sl_slot *slot)
{
	struct ready_mark *mark = ready_mark(slot);
	struct watch *watch = &w->all[mark->watch];

	ready_slots_remove(&watch->waiting[mark->side], slot);
	mark->place = READY_NONE;
	w->waiting--;
	mark_dirty(w, watch);
}

void watches_hit(struct watches *w, struct watch *watch)
{
	if (w->poller->once)
		watch->armed = 0;
	mark_dirty(w, watch);
}

static short wanted(const struct watch *watch)
{
	unsigned events = 0;

	if (watch->waiting[READY_IN].head)
		events |= POLLIN;
	if (watch->waiting[READY_OUT].head)
		events |= POLLOUT;
	/* POLLHUP always counts; asking for it makes a poll for nothing else a watch. */
	for (struct sl_slot *slot = watch->waiting[READY_POLL].head; slot;
	     slot = ready_mark(slot)->next)
		events |= (unsigned)slot->len | POLLHUP;
	return (short)events;
}

static void refuse_all(struct watches *w, struct watch *watch, int err, watch_refused_fn *refused,
		       void *ctx)
{
	for (int side = 0; side < READY_SIDES; side++) {
		struct sl_slot *slot;

		while ((slot = watch->waiting[side].head) != NULL) {
			watches_remove(w, slot);
			refused(ctx, slot, err);
		}
	}
}

static void watch_sync(struct watches *w, struct watch *watch, watch_refused_fn *refused, void *ctx)
{
	short events = wanted(watch);
	int err = 0;

	if (events != watch->armed) {
		err = w->poller->set(w->poller_state, index_of(w, watch), watch->fd, watch->armed,
				     events);
		w->calls++;
	}
	if (!err)
		watch->armed = events;
	else
		refuse_all(w, watch, err, refused, ctx);
}

void watches_sync(struct watches *w, watch_refused_fn *refused, void *ctx)
{
	while (w->dirty != NONE) {
		struct watch *watch = &w->all[w->dirty];

		w->dirty = watch->next_dirty;
		watch_sync(w, watch, refused, ctx);
		watch->dirty = false;
		if (!watch->waiting[READY_IN].head && !watch->waiting[READY_OUT].head &&
		    !watch->waiting[READY_POLL].head)
			watch_free(w, watch);
	}
}
