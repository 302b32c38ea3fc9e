/* Registered memory: a small table, whose slots name whole mappings. */
#include <errno.h>

#include "backend/uring/uring.h"

int uring_map(void *state, void *base, size_t bytes)
{
	struct uring *u = state;
	const struct iovec iov = { base, bytes };
	int idx = __builtin_ctz(~u->buffers_used);
	int ret;

	if (!u->buffers)
		return -EOPNOTSUPP;
	if (idx >= URING_BUFFERS)
		return -EAGAIN;
	ret = uring_queue_buffers_update(&u->q, (uint32_t)idx, &iov, NULL, 1);
	if (ret != 1)
		return ret < 0 ? ret : -ENOMEM;
	u->buffers_used |= 1U << idx;
	return idx;
}

void uring_unmap(void *state, int idx)
{
	struct uring *u = state;
	const struct iovec none = { NULL, 0 };

	uring_queue_buffers_update(&u->q, (uint32_t)idx, &none, NULL, 1);
	u->buffers_used &= ~(1U << idx);
}
