/* SPDX-License-Identifier: MIT */
/* perform.c - an op that is due takes effect: who carries it out, and what came of it. */
#include <poll.h>

#include "backend/sim/world.h"

/* Disks that are slow, and what else is, take this many times as long. */
#define SLOWNESS 100

/* Longer ops are not much longer: 1 ns for 8 bytes, as on a fast device. */
#define BYTES_PER_NS 8

static const struct sl_sim_range *range_of(const struct sim_task *task)
{
	const struct sl_sim_opts *opts = &task->ring->sim->opts;

	switch (task->slot->code) {
	case SL_OP_READ:
	case SL_OP_WRITE:
		return task->slot->flags & SL_OP_DSYNC ? &opts->sync : &opts->transfer;
	case SL_OP_FSYNC:
	case SL_OP_FDATASYNC:
	case SL_OP_SYNC_DIR:
		return &opts->sync;
	default:
		return &opts->name;
	}
}

int64_t sim_task_latency(struct sim_task *task)
{
	struct sl_sim *sim = task->ring->sim;
	int64_t latency_ns = sim_latency(sim, range_of(task));

	if (task->slot->code == SL_OP_READ || task->slot->code == SL_OP_WRITE)
		latency_ns += (int64_t)(task->slot->flags & SL_OP_VEC ?
						0 :
						task->slot->len / BYTES_PER_NS);
	return sim_fault(task, SL_SIM_SLOW) ? latency_ns * SLOWNESS : latency_ns;
}

int64_t sim_block(struct sim_task *task, struct sim_tasks *queue)
{
	TAILQ_INSERT_TAIL(queue, task, link);
	task->queue = queue;
	return SIM_BLOCKED;
}

void sim_finish(struct sim_task *task, int64_t res)
{
	struct sim_ring *ring = task->ring;
	struct sl_sim *sim = ring->sim;

	task->res = res;
	TAILQ_INSERT_TAIL(&ring->done, task, link);
	task->queue = &ring->done;
	sim->info.ops++;
	sim_trace(sim, task);
	if (sim->script.cut == sim->info.ops)
		sim_power_check(sim);
}

static int64_t poll_handle(struct sim_task *task, struct sim_handle *handle)
{
	uint32_t wanted = (uint32_t)task->slot->len | POLLHUP | POLLERR;
	uint32_t events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	if (handle->kind == SIM_SOCKET)
		events = sim_socket_events(handle->socket);
	events &= wanted;
	if (events)
		return events;
	if (handle->kind != SIM_SOCKET)
		return SIM_BLOCKED;
	return sim_block(task, sim_socket_waiters(handle->socket));
}

static int64_t transfer(struct sim_task *task, struct sim_handle *handle)
{
	if (handle->kind == SIM_SOCKET)
		return sim_socket_transfer(task, handle);
	return sim_file_transfer(task, handle);
}

/* A buffer of the pool, for the time of the transfer. */
static int64_t transfer_pooled(struct sim_task *task, struct sim_handle *handle)
{
	struct sl_slot *slot = task->slot;
	int64_t res;

	if (!sl_slot_take_buffer(task->ring->ring, slot))
		return -ENOBUFS;
	res = transfer(task, handle);
	if (res > 0)
		task->event_flags |= SL_EVENT_BUFFER;
	else
		sl_slot_return_buffer(task->ring->ring, slot);
	return res;
}

/* A table: one case for each operation on a handle. */
static int64_t on_handle(struct sim_task *task, struct sim_handle *handle)
{
	switch (task->slot->code) {
	case SL_OP_READ:
	case SL_OP_WRITE:
	case SL_OP_RECV:
	case SL_OP_SEND:
	case SL_OP_RECVMSG:
	case SL_OP_SENDMSG:
		if (task->slot->flags & SL_OP_POOLED)
			return transfer_pooled(task, handle);
		return transfer(task, handle);
	case SL_OP_POLL:
		return poll_handle(task, handle);
	case SL_OP_FSYNC:
	case SL_OP_FDATASYNC:
	case SL_OP_SYNC_DIR:
		return sim_file_sync(task, handle);
	case SL_OP_ALLOCATE:
		return sim_file_allocate(task, handle);
	case SL_OP_TRUNCATE:
		return sim_file_truncate(task, handle);
	case SL_OP_CLOSE:
		sim_handle_close(handle);
		return 0;
	case SL_OP_READDIR:
		return sim_name_readdir(task, handle);
	case SL_OP_GETXATTR:
		return sim_attribute_get(task, handle);
	case SL_OP_SETXATTR:
		return sim_attribute_set(task, handle);
	case SL_OP_LOCK:
		return sim_lock_set(task, handle);
	case SL_OP_SENDFILE:
		return sim_socket_sendfile(task, handle);
	default:
		return sim_socket_perform(task, handle);
	}
}

/* A table: one case for each operation that names no handle, or only a directory. */
static int64_t carry_out(struct sim_task *task)
{
	const struct sl_slot *slot = task->slot;
	struct sim_handle *handle;

	switch (slot->code) {
	case SL_OP_WORK:
		return ((sl_work_fn *)(uintptr_t)slot->op->arg)(slot->buf);
	case SL_OP_OPEN:
		return sim_name_open(task);
	case SL_OP_STAT:
		return sim_name_stat(task);
	case SL_OP_LINK:
		return sim_name_link(task);
	case SL_OP_SYMLINK:
		return sim_name_symlink(task);
	case SL_OP_RENAME:
		return sim_name_rename(task);
	case SL_OP_UNLINK:
		return sim_name_unlink(task);
	case SL_OP_MKDIR:
		return sim_name_mkdir(task);
	case SL_OP_SOCKET:
		return sim_socket_create(task);
	default:
		handle = sim_handle_find(task->ring->machine, slot->fd);
		return handle ? on_handle(task, handle) : -EBADF;
	}
}

void sim_perform(struct sim_task *task)
{
	int64_t res;

	if (task->ring->dead)
		res = -EIO;
	else if (task->cancelled)
		res = -ECANCELED;
	else
		res = carry_out(task);
	if (res == SIM_BLOCKED && task->asked && task->queue) {
		TAILQ_REMOVE(task->queue, task, link);
		res = -ECANCELED;
	}
	if (res != SIM_BLOCKED)
		sim_finish(task, res);
}

void sim_pieces(const struct sl_slot *slot, struct sim_pieces *ret_pieces)
{
	const struct msghdr *msg = slot->buf;

	ret_pieces->one = (struct iovec){ slot->buf, slot->len };
	ret_pieces->iov = &ret_pieces->one;
	ret_pieces->nr = 1;
	if (slot->code == SL_OP_RECVMSG || slot->code == SL_OP_SENDMSG) {
		ret_pieces->iov = msg->msg_iov;
		ret_pieces->nr = msg->msg_iovlen;
	} else if (slot->flags & SL_OP_VEC) {
		ret_pieces->iov = slot->buf;
		ret_pieces->nr = slot->len;
	}
}

uint64_t sim_pieces_bytes(const struct sim_pieces *pieces)
{
	uint64_t total = 0;

	for (size_t i = 0; i < pieces->nr; i++)
		total += pieces->iov[i].iov_len;
	return total;
}
