/*
 * Cancels: an entry each, which may have to wait for room.
 *
 * What finds no room is remembered by slot index, so the memory for it is there
 * from the start; one slot can be asked once per user data, and a later user of
 * the same index takes the place of an earlier one that must have ended.
 */
#include <errno.h>

#include "backend/uring/uring.h"

static bool push(struct uring *u, uint64_t user_data)
{
	struct sl_uring_sqe *sqe = uring_claim(u);

	if (!sqe)
		return false;
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_ASYNC_CANCEL,
				    .flags = uring_queue_has(&u->q, SL_URING_FEAT_CQE_SKIP) ?
						     SL_URING_SQE_CQE_SKIP_SUCCESS :
						     0,
				    .fd = -1,
				    .addr = user_data,
				    .user_data = URING_CANCEL,
			    });
	return true;
}

/* Its end is certain already; only a result that means "try again" gives way. */
static bool cancel_known(const struct uring *u, struct sl_slot *slot)
{
	struct sl_slot *at = u->known_head;

	while (at && at != slot)
		at = uring_mark(at)->next;
	if (!at)
		return false;
	if (uring_mark(slot)->res == -EAGAIN || uring_mark(slot)->res == -ENOBUFS)
		uring_mark(slot)->res = -ECANCELED;
	return true;
}

void uring_cancel(void *state, struct sl_slot *slot)
{
	struct uring *u = state;
	uint64_t user_data = uring_mark(slot)->user_data;
	uint64_t *place = &u->cancel_data[(uint32_t)slot->id];

	if (u->known_head && cancel_known(u, slot))
		return;
	if (push(u, user_data))
		return;
	u->cancels += !*place;
	*place = user_data | URING_INTERNAL; /* never 0 */
}

void uring_cancel_push(struct uring *u)
{
	for (uint32_t idx = 0; u->cancels && idx < u->depth; idx++) {
		uint64_t user_data = u->cancel_data[idx];

		if (!user_data)
			continue;
		if (!push(u, user_data & ~URING_INTERNAL))
			return;
		u->cancel_data[idx] = 0;
		u->cancels--;
	}
}
