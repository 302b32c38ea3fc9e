/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - messages between two sockets: each whole or not at all, in any order.
 *
 * A link that loses a datagram has lost it, as has one that is parted when it
 * arrives, or a receiver whose queue is full. Within a machine (AF_UNIX) none is
 * lost: the sender waits.
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backend/sim/socket.h"

#define DATAGRAM_MAX 65507 /* what UDP carries */
#define QUEUE_MAX    64

static bool may_wait(const struct sim_task *task)
{
	return !(task->slot->off & MSG_DONTWAIT);
}

static const struct sl_sim_link *link_of(const struct sim_segment *segment)
{
	return &segment->to->machine->sim
			->links[segment->from->machine->number][segment->to->machine->number];
}

/* ---- arrival ------------------------------------------------------------------------ */

void sim_datagram_arrives(struct sim_segment *segment)
{
	struct sim_socket *to = segment->to;
	struct sl_sim *sim = to->machine->sim;

	if (to->closed || to->incoming > QUEUE_MAX || link_of(segment)->parted) {
		to->incoming--;
		sim_segment_drop(sim, &segment->event);
		return;
	}
	TAILQ_INSERT_TAIL(&to->arrived, segment, link);
	sim_wake(sim, &to->waiters);
}

static void consume(struct sim_socket *socket, struct sim_segment *segment)
{
	struct sim_socket *from = segment->from;
	struct sl_sim *sim = socket->machine->sim;

	TAILQ_REMOVE(&socket->arrived, segment, link);
	socket->incoming--;
	sim_wake(sim, &from->waiters);
	sim_segment_drop(sim, &segment->event);
}

void sim_datagrams_forget(struct sim_socket *socket)
{
	struct sim_segment *segment;

	while ((segment = TAILQ_FIRST(&socket->arrived)))
		consume(socket, segment);
}

/* ---- sending ------------------------------------------------------------------------ */

static int find_target(const struct sim_task *task, const struct sim_socket *socket,
		       struct sim_address *ret_target)
{
	const struct msghdr *msg = task->slot->buf;

	if (task->slot->code == SL_OP_SENDMSG && msg->msg_name)
		return sim_address_read(socket, msg->msg_name, msg->msg_namelen, ret_target);
	*ret_target = socket->target;
	if (socket->target.len)
		return 0;
	return socket->family == AF_UNIX ? -ENOTCONN : -EDESTADDRREQ;
}

static struct sim_segment *make(struct sim_socket *from, struct sim_socket *to,
				const struct sim_pieces *pieces, uint64_t len)
{
	struct sim_segment *segment = malloc(sizeof(*segment) + len);
	unsigned char *at;

	if (!segment)
		return NULL;
	segment->event.kind = SIM_SEGMENT;
	segment->kind = SIM_DATAGRAM;
	segment->len = (uint32_t)len;
	segment->from = sim_socket_hold(from);
	segment->to = sim_socket_hold(to);
	sim_address_of(from, &segment->address);
	at = segment->bytes;
	for (size_t i = 0; i < pieces->nr; i++) {
		if (pieces->iov[i].iov_len)
			memcpy(at, pieces->iov[i].iov_base, pieces->iov[i].iov_len);
		at += pieces->iov[i].iov_len;
	}
	to->incoming++;
	return segment;
}

static int64_t depart(const struct sim_task *task, struct sim_segment *segment)
{
	struct sl_sim *sim = task->ring->sim;
	const struct sl_sim_link *link = link_of(segment);
	int64_t at_ns, len = segment->len;
	int err;

	if (segment->from->family == AF_UNIX) {
		sim_datagram_arrives(segment);
		return len;
	}
	at_ns = sim->now_ns + sim_latency(sim, &link->latency);
	if (model_random_chance(&sim->random, link->drop) || sim_fault(task, SL_SIM_DROP)) {
		segment->to->incoming--;
		sim_segment_drop(sim, &segment->event);
		return len;
	}
	err = sim_events_add(&sim->events, at_ns, &segment->event);
	if (err) {
		segment->to->incoming--;
		sim_segment_drop(sim, &segment->event);
	}
	return err ? err : len;
}

static int64_t send_to(struct sim_task *task, struct sim_socket *socket)
{
	struct sim_address address;
	struct sim_machine *there;
	struct sim_segment *segment;
	struct sim_pieces pieces;
	struct sim_socket *to;
	int err = find_target(task, socket, &address);
	uint64_t len;

	if (err)
		return err;
	sim_pieces(task->slot, &pieces);
	len = sim_pieces_bytes(&pieces);
	if (len > DATAGRAM_MAX)
		return -EMSGSIZE;
	if (!socket->address.len && socket->family == AF_INET)
		sim_address_pick(socket);
	there = sim_machine_at(socket->machine, &address);
	if (!there)
		return -ENETUNREACH;
	to = there->off ? NULL : sim_socket_at(there, &address, true);
	if (!to) /* nobody is there, and over a link nobody says so */
		return socket->family == AF_UNIX ? -ECONNREFUSED : (int64_t)len;
	if (socket->family == AF_UNIX && to->incoming >= QUEUE_MAX)
		return may_wait(task) ? sim_block(task, &socket->waiters) : -EAGAIN;
	segment = make(socket, to, &pieces, len);
	return segment ? depart(task, segment) : -ENOMEM;
}

/* ---- receiving ---------------------------------------------------------------------- */

static uint64_t copy_out(const struct sim_segment *segment, const struct sim_pieces *pieces)
{
	uint64_t done = 0;

	for (size_t i = 0; i < pieces->nr && done < segment->len; i++) {
		uint64_t part = segment->len - done;

		if (part > pieces->iov[i].iov_len)
			part = pieces->iov[i].iov_len;
		if (part)
			memcpy(pieces->iov[i].iov_base, segment->bytes + done, part);
		done += part;
	}
	return done;
}

static void tell_sender(const struct sim_segment *segment, struct msghdr *msg, bool cut)
{
	const struct sim_address *from = &segment->address;

	if (msg->msg_name)
		memcpy(msg->msg_name, &from->storage,
		       msg->msg_namelen < from->len ? msg->msg_namelen : from->len);
	msg->msg_namelen = from->len;
	msg->msg_controllen = 0;
	msg->msg_flags = cut ? MSG_TRUNC : 0;
}

static int64_t receive(struct sim_task *task, struct sim_socket *socket)
{
	struct sim_segment *segment = TAILQ_FIRST(&socket->arrived);
	struct sim_pieces pieces;
	uint64_t done;

	if (!segment) {
		if (socket->no_recv)
			return 0;
		return may_wait(task) ? sim_block(task, &socket->waiters) : -EAGAIN;
	}
	sim_pieces(task->slot, &pieces);
	done = copy_out(segment, &pieces);
	if (task->slot->code == SL_OP_RECVMSG)
		tell_sender(segment, task->slot->buf, done < segment->len);
	if (!(task->slot->off & MSG_PEEK))
		consume(socket, segment);
	return (int64_t)done;
}

int64_t sim_datagram_transfer(struct sim_task *task, struct sim_socket *socket)
{
	switch (task->slot->code) {
	case SL_OP_RECV:
	case SL_OP_RECVMSG:
		return receive(task, socket);
	case SL_OP_SEND:
	case SL_OP_SENDMSG:
		return send_to(task, socket);
	default:
		return -EOPNOTSUPP; /* READ and WRITE of one: nobody does */
	}
}

/* From now on that is where they go. */
int64_t sim_datagram_connect(const struct sim_task *task, struct sim_socket *socket)
{
	int err = sim_address_read(socket, task->slot->buf, task->slot->len, &socket->target);

	if (!err && !socket->address.len && socket->family == AF_INET)
		sim_address_pick(socket);
	return err;
}

uint32_t sim_datagram_events(const struct sim_socket *socket)
{
	uint32_t events = POLLOUT | POLLWRNORM;

	if (TAILQ_FIRST(&socket->arrived) || socket->no_recv)
		events |= POLLIN | POLLRDNORM;
	return events;
}
