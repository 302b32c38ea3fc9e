/*
 * Waking the owner from another thread: a message to the ring, or an eventfd.
 *
 * A message is a completion like any other, whether the owner sleeps or not; it
 * needs Linux 6.13. A thread that waits for a batch needs as many of them.
 * Elsewhere a one-shot poll of an eventfd stands in the ring, armed again by the
 * turn after it fired.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "backend/uring/uring.h"
#include "sys/eventfd.h"

/* Sends one message and takes it out again. */
static bool try_message(struct uring *u)
{
	const struct uring_queue_wait wait = { .nr = 1 };

	if (uring_msg_send(u->q.fd, URING_WAKE, 0) < 0)
		return false;
	while (!uring_queue_ready(&u->q)) {
		int ret = uring_queue_submit(&u->q, &wait);

		if (ret < 0 && ret != -EINTR)
			return false;
	}
	uring_queue_seen(&u->q, 1);
	return true;
}

int uring_wake_init(struct uring *u)
{
	u->wake_fd = -1;
	u->wake_by_message = try_message(u);
	u->wake_armed = u->wake_by_message;
	if (u->wake_by_message)
		return 0;
	u->wake_fd = sl_sys_eventfd_open();
	return u->wake_fd < 0 ? u->wake_fd : 0;
}

void uring_wake_fini(struct uring *u)
{
	if (u->wake_fd >= 0)
		close(u->wake_fd);
	u->wake_fd = -1;
}

void uring_wake_arm(struct uring *u)
{
	struct sl_uring_sqe *sqe = uring_claim(u);

	if (!sqe)
		return;
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_POLL_ADD,
				    .fd = u->wake_fd,
				    .op_flags = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ?
							(uint32_t)POLLIN << 16 :
							POLLIN,
				    .user_data = URING_WAKE,
			    });
	u->wake_armed = true;
}

void uring_wake_seen(struct uring *u)
{
	if (u->wake_by_message)
		return;
	sl_sys_eventfd_drain(u->wake_fd);
	u->wake_armed = false;
}

void uring_wake(void *state)
{
	struct uring *u = state;
	int saved = errno;

	if (!u->wake_by_message)
		sl_sys_eventfd_signal(u->wake_fd);
	for (uint32_t i = 0; u->wake_by_message && i < u->wake_nr; i++)
		uring_msg_send(u->q.fd, URING_WAKE, 0);
	errno = saved;
}
