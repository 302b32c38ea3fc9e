/*
 * Transfers whose device is polled for their end instead of interrupting.
 *
 * They have a queue of their own, as a polled queue can hold nothing else and
 * cannot sleep. A read or write at an offset of a file with O_DIRECT is put there;
 * where the file system or the device says that it cannot be polled, the transfer
 * goes to the ordinary queue after all. While something is in the polled queue
 * the owner does not sleep but looks at both in turn, so deadlines, wakes and
 * all else go on. The tables of descriptors and buffers belong to the ordinary
 * queue; here both are named plainly.
 */
#include <errno.h>
#include <fcntl.h>

#include "backend/uring/uring.h"
#include "sys/fd.h"

int uring_polled_open(struct uring *u, const struct uring_queue_opts *opts)
{
	struct uring_queue_opts polled = *opts;

	polled.flags = SL_URING_SETUP_IOPOLL;
	return uring_queue_open(&u->polled, &polled, NULL);
}

static bool can_poll(struct sl_slot *slot)
{
	int status;

	if ((slot->code != SL_OP_READ && slot->code != SL_OP_WRITE) || slot->pool ||
	    slot->off == SL_OFF_CURRENT || uring_refused(slot))
		return false;
	status = sl_sys_get_status(slot->fd);
	return status >= 0 && status & O_DIRECT;
}

bool uring_polled_start(struct uring *u, struct sl_slot *slot)
{
	int32_t fixed_fd = slot->fixed_fd;
	int32_t fixed_buf = slot->fixed_buf;
	struct sl_uring_sqe *sqe;

	if (!can_poll(slot))
		return false;
	sqe = uring_queue_sqe(&u->polled);
	if (!sqe && uring_queue_submit(&u->polled, NULL) >= 0)
		sqe = uring_queue_sqe(&u->polled);
	if (!sqe)
		return false;
	slot->fixed_fd = slot->fixed_buf = -1;
	uring_prepare[slot->code](u, slot, sqe);
	slot->fixed_fd = fixed_fd;
	slot->fixed_buf = fixed_buf;
	u->polled_inflight++;
	return true;
}

int uring_polled_turn(struct uring *u)
{
	int ret = uring_queue_submit(&u->polled, NULL);

	return ret == -EINTR || ret == -EAGAIN || ret == -EBUSY || ret >= 0 ? 0 : ret;
}
