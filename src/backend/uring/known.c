/* Results that no completion will bring: found by start(), posted by the next turn. */
#include "backend/uring/uring.h"

void uring_known_add(struct uring *u, struct sl_slot *slot, int64_t res)
{
	struct uring_mark *mark = uring_mark(slot);

	mark->next = NULL;
	mark->res = res;
	if (u->known_tail)
		uring_mark(u->known_tail)->next = slot;
	else
		u->known_head = slot;
	u->known_tail = slot;
}

unsigned uring_known_post(struct uring *u)
{
	unsigned nr = 0;

	while (u->known_head) {
		struct sl_slot *slot = u->known_head;
		const struct sl_event event = { .id = slot->id, .res = uring_mark(slot)->res };

		if (!sl_event_room(u->ring))
			break;
		u->known_head = uring_mark(slot)->next;
		if (!u->known_head)
			u->known_tail = NULL;
		u->inflight--;
		/* From here on the slot is the engine's. There is room. */
		sl_event(u->ring, &event);
		nr++;
	}
	return nr;
}
