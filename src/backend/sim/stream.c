/* SPDX-License-Identifier: MIT */
/*
 * stream.c - bytes between two sockets: segments on a link, in order, and what a receiver has.
 *
 * A sender may have a queue's worth of bytes on the way or unread: the window.
 * A parted link holds its segments until it is joined; segments to a machine
 * without power are gone, and nobody is told until it comes back.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backend/sim/socket.h"

#define RESEND_NS INT64_C(200000000)

static const struct sl_sim_link *link_of(const struct sim_segment *segment)
{
	return &segment->to->machine->sim
			->links[segment->from->machine->number][segment->to->machine->number];
}

/* ---- arrival ------------------------------------------------------------------------ */

static void append(struct sim_socket *socket, const unsigned char *bytes, uint32_t len)
{
	uint32_t at = (socket->head + socket->len) % SIM_QUEUE_BYTES;
	uint32_t first = SIM_QUEUE_BYTES - at < len ? SIM_QUEUE_BYTES - at : len;

	memcpy(socket->bytes + at, bytes, first);
	memcpy(socket->bytes, bytes + first, len - first);
	socket->len += len;
}

static void be_reset(struct sim_socket *socket)
{
	socket->reset = true;
	socket->finished = true;
	socket->len = 0;
}

static void arrive(struct sim_socket *to, const struct sim_segment *segment)
{
	switch (segment->kind) {
	case SIM_BYTES:
		to->incoming -= segment->len;
		append(to, segment->bytes, segment->len);
		break;
	case SIM_HANG_UP:
		to->hung_up = to->finished = true;
		break;
	case SIM_FINISH:
		to->finished = true;
		break;
	case SIM_RESET_SEGMENT:
		be_reset(to);
		break;
	case SIM_DATAGRAM:
		break; /* never comes here */
	}
	sim_wake(to->machine->sim, &to->waiters);
}

void sim_segment_drop(struct sl_sim *sim, struct sim_event *event)
{
	struct sim_segment *segment = (struct sim_segment *)event;

	(void)sim;
	sim_socket_drop(segment->from);
	sim_socket_drop(segment->to);
	free(segment);
}

/* A closed socket answers bytes with a reset, unless its machine is dead. */
static void refuse(const struct sim_segment *segment)
{
	if (segment->kind == SIM_BYTES && !segment->to->lost)
		sim_segment_send(segment->to, SIM_RESET_SEGMENT, NULL, 0, 0);
}

void sim_segment_arrives(struct sl_sim *sim, struct sim_event *event)
{
	struct sim_segment *segment = (struct sim_segment *)event;
	struct sim_socket *to = segment->to;

	if (segment->kind == SIM_DATAGRAM) {
		sim_datagram_arrives(segment);
		return;
	}
	if (link_of(segment)->parted) {
		TAILQ_INSERT_TAIL(&sim->held, segment, link);
		return;
	}
	if (to->closed)
		refuse(segment);
	else
		arrive(to, segment);
	sim_segment_drop(sim, event);
}

void sim_segments_release(struct sl_sim *sim)
{
	struct sim_segments held;
	struct sim_segment *segment;

	TAILQ_INIT(&held);
	TAILQ_CONCAT(&held, &sim->held, link);
	while ((segment = TAILQ_FIRST(&held))) {
		TAILQ_REMOVE(&held, segment, link);
		if (link_of(segment)->parted)
			TAILQ_INSERT_TAIL(&sim->held, segment, link);
		else
			sim_segment_arrives(sim, &segment->event);
	}
}

void sim_segments_drop_held(struct sl_sim *sim)
{
	struct sim_segment *segment;

	while ((segment = TAILQ_FIRST(&sim->held))) {
		TAILQ_REMOVE(&sim->held, segment, link);
		sim_segment_drop(sim, &segment->event);
	}
}

/* ---- departure ------------------------------------------------------------------ */

static void gather(unsigned char *bytes, const struct sim_pieces *pieces, uint64_t len)
{
	for (size_t i = 0; len; i++) {
		uint64_t piece = pieces->iov[i].iov_len < len ? pieces->iov[i].iov_len : len;

		if (piece)
			memcpy(bytes, pieces->iov[i].iov_base, piece);
		bytes += piece;
		len -= piece;
	}
}

static int64_t arrival_ns(const struct sim_segment *segment, int64_t late_ns)
{
	struct sim_socket *to = segment->to;
	struct sl_sim *sim = to->machine->sim;
	const struct sl_sim_link *link = link_of(segment);
	int64_t at_ns = sim->now_ns + sim_latency(sim, &link->latency) + late_ns;

	if (model_random_chance(&sim->random, link->drop))
		at_ns += RESEND_NS;
	if (at_ns < to->last_arrival_ns)
		at_ns = to->last_arrival_ns;
	return to->last_arrival_ns = at_ns;
}

int sim_segment_send(struct sim_socket *from, enum sim_segment_kind kind,
		     const struct sim_pieces *pieces, uint64_t len, int64_t late_ns)
{
	struct sim_socket *to = from->peer;
	struct sl_sim *sim = from->machine->sim;
	struct sim_segment *segment;
	int err = 0;

	if (!to)
		return 0;
	segment = malloc(sizeof(*segment) + len);
	if (!segment)
		return -ENOMEM;
	segment->event.kind = SIM_SEGMENT;
	segment->kind = kind;
	segment->len = (uint32_t)len;
	segment->from = sim_socket_hold(from);
	segment->to = sim_socket_hold(to);
	gather(segment->bytes, pieces, len);
	to->incoming += (uint32_t)len;
	if (from->family == AF_UNIX)
		sim_segment_arrives(sim, &segment->event);
	else
		err = sim_events_add(&sim->events, arrival_ns(segment, late_ns), &segment->event);
	if (err) {
		to->incoming -= (uint32_t)len;
		sim_segment_drop(sim, &segment->event);
	}
	return err;
}

/* ---- SEND and RECV -------------------------------------------------------------- */

static uint32_t window(const struct sim_socket *socket)
{
	const struct sim_socket *peer = socket->peer;

	return peer ? SIM_QUEUE_BYTES - peer->len - peer->incoming : 0;
}

static bool may_wait(const struct sim_task *task)
{
	return task->slot->code == SL_OP_READ || task->slot->code == SL_OP_WRITE ||
	       !(task->slot->off & MSG_DONTWAIT);
}

static int64_t wait_for(struct sim_task *task, struct sim_socket *socket)
{
	return may_wait(task) ? sim_block(task, &socket->waiters) : -EAGAIN;
}

static int64_t tell_reset(struct sim_socket *socket, int64_t later)
{
	if (socket->reset_told)
		return later;
	socket->reset_told = true;
	return -ECONNRESET;
}

static bool is_broken(const struct sim_socket *socket)
{
	return socket->no_send || !socket->peer ||
	       (socket->family == AF_UNIX && socket->peer->closed);
}

static int64_t send_bytes(struct sim_task *task, struct sim_socket *socket)
{
	struct sim_pieces pieces;
	uint64_t len;
	int err;

	if (socket->reset)
		return tell_reset(socket, -EPIPE);
	if (is_broken(socket))
		return -EPIPE;
	if (sim_fault(task, SL_SIM_RESET)) {
		sim_segment_send(socket, SIM_RESET_SEGMENT, NULL, 0, 0);
		be_reset(socket);
		sim_wake(task->ring->sim, &socket->waiters);
		return tell_reset(socket, -EPIPE);
	}
	sim_pieces(task->slot, &pieces);
	len = sim_pieces_bytes(&pieces);
	if (len && !window(socket))
		return wait_for(task, socket);
	if (len > window(socket))
		len = window(socket);
	len = sim_fault_limit(task, len);
	err = sim_segment_send(socket, SIM_BYTES, &pieces, len,
			       sim_fault(task, SL_SIM_DROP) ? RESEND_NS : 0);
	return err ? err : (int64_t)len;
}

/* What of the file is cached, the seed says: the page cache is not simulated. */
static int64_t read_cached(struct sim_task *task, const struct sim_handle *file,
			   unsigned char *bytes, uint64_t len)
{
	uint64_t off = task->slot->off;

	if (off >= file->inode->cache.size)
		return 0;
	if (model_random(&task->ring->sim->random) % 4 == 0)
		return -ENODATA;
	if (sim_fault(task, SL_SIM_READ_EIO))
		return -EIO;
	return (int64_t)model_read(file->inode, off, bytes, sim_fault_limit(task, len));
}

static int64_t send_cached(struct sim_task *task, struct sim_socket *socket,
			   const struct sim_handle *file)
{
	uint64_t len = task->slot->len < window(socket) ? task->slot->len : window(socket);
	unsigned char *bytes = malloc(len ? len : 1);
	struct sim_pieces pieces = { .one = { bytes, len }, .nr = 1 };
	int64_t res = bytes ? read_cached(task, file, bytes, len) : -ENOMEM;
	int err = 0;

	pieces.iov = &pieces.one;
	if (res > 0)
		err = sim_segment_send(socket, SIM_BYTES, &pieces, (uint64_t)res,
				       sim_fault(task, SL_SIM_DROP) ? RESEND_NS : 0);
	free(bytes);
	return err ? err : res;
}

int64_t sim_socket_sendfile(struct sim_task *task, struct sim_handle *handle)
{
	const struct sim_handle *file =
		sim_handle_find(task->ring->machine, (int)(intptr_t)task->slot->op->arg);
	struct sim_socket *socket = handle->socket;

	if (!file)
		return -EBADF;
	if (!socket)
		return -ENOTSOCK;
	if (file->kind != SIM_FILE)
		return -EINVAL;
	if (socket->state != SIM_STREAM)
		return -ENOTCONN;
	if (socket->reset)
		return tell_reset(socket, -EPIPE);
	if (is_broken(socket))
		return -EPIPE;
	if (!window(socket))
		return task->slot->flags & SL_OP_NOWAIT ? -EAGAIN :
							  sim_block(task, &socket->waiters);
	return send_cached(task, socket, file);
}

/* Copies up to len bytes that have arrived, from the at-th on. */
static void copy_out(const struct sim_socket *socket, uint32_t at, unsigned char *to, uint32_t len)
{
	uint32_t from = (socket->head + at) % SIM_QUEUE_BYTES;
	uint32_t first = SIM_QUEUE_BYTES - from < len ? SIM_QUEUE_BYTES - from : len;

	memcpy(to, socket->bytes + from, first);
	memcpy(to + first, socket->bytes, len - first);
}

static uint32_t scatter(const struct sim_socket *socket, const struct sim_pieces *pieces,
			uint64_t len)
{
	uint32_t done = 0;

	if (len > socket->len)
		len = socket->len;
	for (size_t i = 0; i < pieces->nr && done < len; i++) {
		uint64_t piece = pieces->iov[i].iov_len;

		if (piece > len - done)
			piece = len - done;
		copy_out(socket, done, pieces->iov[i].iov_base, (uint32_t)piece);
		done += (uint32_t)piece;
	}
	return done;
}

static bool is_message(const struct sim_task *task)
{
	return task->slot->code == SL_OP_RECVMSG;
}

static int64_t recv_bytes(struct sim_task *task, struct sim_socket *socket)
{
	bool peek = task->slot->code != SL_OP_READ && task->slot->off & MSG_PEEK;
	struct sim_pieces pieces;
	uint64_t len;
	uint32_t done;

	sim_pieces(task->slot, &pieces);
	len = sim_pieces_bytes(&pieces);
	if (len && !socket->len) {
		if (socket->reset)
			return tell_reset(socket, 0);
		return socket->finished || socket->no_recv ? 0 : wait_for(task, socket);
	}
	done = scatter(socket, &pieces, sim_fault_limit(task, len));
	if (is_message(task)) {
		struct msghdr *msg = task->slot->buf;

		msg->msg_namelen = 0;
		msg->msg_controllen = 0;
		msg->msg_flags = 0;
	}
	if (peek)
		return done;
	socket->head = (socket->head + done) % SIM_QUEUE_BYTES;
	socket->len -= done;
	if (socket->peer)
		sim_wake(task->ring->sim, &socket->peer->waiters);
	return done;
}

int64_t sim_socket_transfer(struct sim_task *task, struct sim_handle *handle)
{
	struct sim_socket *socket = handle->socket;
	uint8_t code = task->slot->code;

	if (socket->datagram)
		return sim_datagram_transfer(task, socket);
	if (socket->state != SIM_STREAM)
		return -ENOTCONN;
	if (code == SL_OP_READ || code == SL_OP_WRITE) {
		if (task->slot->off != SL_OFF_CURRENT)
			return -ESPIPE;
	}
	if (code == SL_OP_READ || code == SL_OP_RECV || code == SL_OP_RECVMSG)
		return recv_bytes(task, socket);
	return send_bytes(task, socket);
}

static uint32_t stream_events(const struct sim_socket *socket)
{
	uint32_t events = 0;

	if (socket->len || socket->finished || socket->no_recv)
		events |= POLLIN | POLLRDNORM;
	if (window(socket) || socket->reset || is_broken(socket))
		events |= POLLOUT | POLLWRNORM;
	if (socket->reset)
		events |= POLLERR | POLLHUP;
	if (socket->finished && (socket->no_send || (socket->hung_up && socket->family == AF_UNIX)))
		events |= POLLHUP;
	return events;
}

uint32_t sim_socket_events(const struct sim_socket *socket)
{
	if (socket->datagram)
		return sim_datagram_events(socket);
	if (socket->state == SIM_STREAM)
		return stream_events(socket);
	if (socket->state == SIM_LISTENING)
		return socket->backlog_nr ? POLLIN | POLLRDNORM : 0;
	return POLLOUT | POLLWRNORM | POLLHUP;
}
