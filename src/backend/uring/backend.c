/* The io_uring backend as the engine sees it: the table of its functions. */
#include "backend/uring/backend.h"
#include "backend/uring/uring.h"
#include "sys/clock.h"

static int64_t now(void *state)
{
	(void)state;
	return sl_sys_clock_ns();
}

static void stats(void *state, struct sl_backend_stats *ret_stats)
{
	const struct uring *u = state;

	*ret_stats = (struct sl_backend_stats){
		.enters = u->q.enters + u->polled.enters,
		.overflows = u->overflows,
	};
}

const struct sl_backend sl_backend_uring = {
	.name = "uring",
	.groups = SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NAME | SL_GROUP_NET |
		  SL_GROUP_PROCESS,
	.open = uring_open,
	.close = uring_close,
	.start = uring_start,
	.cancel = uring_cancel,
	.flush = uring_flush,
	.wait = uring_wait,
	.wake = uring_wake,
	.now = now,
	.pool_add = uring_pool_add,
	.pool_remove = uring_pool_remove,
	.pool_recycle = uring_pool_recycle,
	.map = uring_map,
	.unmap = uring_unmap,
	.keep = uring_keep,
	.unkeep = uring_unkeep,
	.fd = uring_fd,
	.stats = stats,
};
