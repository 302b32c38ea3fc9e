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
 *
 * Some kernels (seen on Debian's 6.12.117) signal deferred work late, through RCU,
 * and once per registration only. There each drain registers the eventfd anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "backend/uring/uring.h"
#include "sys/eventfd.h"

#define DEFERRED \
	(SL_URING_SETUP_SINGLE_ISSUER | SL_URING_SETUP_DEFER_TASKRUN | SL_URING_SETUP_TASKRUN_FLAG)

/* Whether data in a pipe signals the eventfd before the write returns. */
static bool signals_at_once(struct uring_queue *q, int fd, const int ends[2])
{
	const struct sl_uring_sqe sqe = {
		.opcode = SL_URING_OP_POLL_ADD,
		.fd = ends[0],
		.op_flags = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (uint32_t)POLLIN << 16 :
								     POLLIN,
	};

	return uring_queue_register(q, SL_URING_REGISTER_EVENTFD, &fd, 1) >= 0 &&
	       uring_queue_push(q, &sqe) && uring_queue_submit(q, NULL) >= 0 &&
	       sl_sys_eventfd_drain(fd) == 0 && write(ends[1], "", 1) == 1 &&
	       sl_sys_eventfd_drain(fd) == 1;
}

/* Tried on a ring of its own; in doubt the answer is yes, which is right anywhere. */
static bool signals_once(const struct uring *u)
{
	const struct uring_queue_opts opts = { .sq_entries = 2,
					       .flags_wanted = u->q.flags & DEFERRED,
					       .ring_fd_unregistered = true };
	struct uring_queue q;
	int fd, ends[2];
	bool once = true;

	if (!(u->q.flags & SL_URING_SETUP_DEFER_TASKRUN))
		return false;
	fd = sl_sys_eventfd_open();
	if (fd < 0)
		return true;
	if (pipe2(ends, O_CLOEXEC) == 0) {
		if (uring_queue_open(&q, &opts, NULL) == 0) {
			once = !signals_at_once(&q, fd, ends);
			uring_queue_close(&q);
		}
		close(ends[0]);
		close(ends[1]);
	}
	close(fd);
	return once;
}

static int watch(struct uring *u, int fd)
{
	return uring_queue_register(&u->q, SL_URING_REGISTER_EVENTFD, &fd, 1);
}

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
	err = watch(u, fd);
	if (err < 0) {
		close(fd);
		return err;
	}
	u->ready_fd = fd;
	u->ready_once = signals_once(u);
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
	if (SL_LIKELY(!u->ready_once))
		return;
	uring_queue_register(&u->q, SL_URING_UNREGISTER_EVENTFD, NULL, 0);
	if (watch(u, u->ready_fd) < 0)
		sl_sys_eventfd_signal(u->ready_fd); /* the next turn tries again */
}

void uring_embed_end(struct uring *u)
{
	const uint32_t waiting = SL_URING_SQ_TASKRUN | SL_URING_SQ_CQ_OVERFLOW;

	if (u->known_head || uring_queue_ready(&u->q) || uring_queue_sq_flags(&u->q) & waiting)
		sl_sys_eventfd_signal(u->ready_fd);
}
