/*
 * A descriptor for another event loop to watch.
 *
 * The ring's own does not do: with DEFER_TASKRUN it polls readable while work
 * is deferred, but nothing wakes an epoll instance when that work arrives. An
 * eventfd registered with the ring is signalled then. It is made when first
 * asked for, because from then on each turn has to drain it: one more system
 * call.
 *
 * Draining comes after the enter and before the reaping. What arrives in between
 * has set the TASKRUN flag, or moved the tail, before it signalled; so whatever
 * is left at the end shows there, and the descriptor is made readable again.
 */
#include <errno.h>
#include <unistd.h>

#include "backend/uring/uring.h"
#include "sys/eventfd.h"

int uring_fd(void *state)
{
	struct uring *u = state;
	int fd, err;

	if (u->iopoll)
		return -EOPNOTSUPP;
	if (u->ready_fd >= 0)
		return u->ready_fd;
	fd = sl_sys_eventfd_open();
	if (fd < 0)
		return fd;
	err = uring_queue_register(&u->q, SL_URING_REGISTER_EVENTFD, &fd, 1);
	if (err < 0) {
		close(fd);
		return err;
	}
	u->ready_fd = fd;
	/* There may be something already. */
	sl_sys_eventfd_signal(fd);
	return fd;
}

void uring_embed_fini(struct uring *u)
{
	if (u->ready_fd >= 0)
		close(u->ready_fd);
	u->ready_fd = -1;
}

void uring_embed_begin(struct uring *u)
{
	sl_sys_eventfd_drain(u->ready_fd);
}

void uring_embed_end(struct uring *u)
{
	const uint32_t waiting = SL_URING_SQ_TASKRUN | SL_URING_SQ_CQ_OVERFLOW;

	if (u->known_head || uring_queue_ready(&u->q) || uring_queue_sq_flags(&u->q) & waiting)
		sl_sys_eventfd_signal(u->ready_fd);
}
