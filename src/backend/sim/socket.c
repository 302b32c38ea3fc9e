/* SPDX-License-Identifier: MIT */
/* socket.c - sockets come and go: SOCKET, BIND, LISTEN, ACCEPT, CONNECT, SHUTDOWN, options. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "backend/sim/socket.h"

struct sim_socket *sim_socket_new(struct sim_machine *machine, int family)
{
	struct sim_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	socket->machine = machine;
	socket->family = family;
	socket->holders = 1;
	TAILQ_INIT(&socket->waiters);
	TAILQ_INIT(&socket->arrived);
	STAILQ_INIT(&socket->backlog);
	LIST_INSERT_HEAD(&machine->sim->sockets, socket, all);
	return socket;
}

struct sim_socket *sim_socket_hold(struct sim_socket *socket)
{
	socket->holders++;
	return socket;
}

void sim_socket_drop(struct sim_socket *socket)
{
	if (!socket || --socket->holders)
		return;
	LIST_REMOVE(socket, all);
	free(socket->bytes);
	free(socket);
}

struct sim_tasks *sim_socket_waiters(struct sim_socket *socket)
{
	return &socket->waiters;
}

int sim_stream_join(struct sim_socket *a, struct sim_socket *b)
{
	a->bytes = malloc(SIM_QUEUE_BYTES);
	b->bytes = malloc(SIM_QUEUE_BYTES);
	if (!a->bytes || !b->bytes) {
		free(a->bytes);
		a->bytes = NULL;
		return -ENOMEM;
	}
	a->state = b->state = SIM_STREAM;
	a->peer = sim_socket_hold(b);
	b->peer = sim_socket_hold(a);
	return 0;
}

/* ---- addresses ---------------------------------------------------------------------- */

static struct sockaddr_in *inet(struct sim_address *address)
{
	return (struct sockaddr_in *)&address->storage;
}

int sim_address_read(const struct sim_socket *socket, const void *from, uint64_t len,
		     struct sim_address *ret_address)
{
	if (len < sizeof(sa_family_t) || len > sizeof(ret_address->storage))
		return -EINVAL;
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(&ret_address->storage, from, len);
	ret_address->len = (socklen_t)len;
	if (ret_address->any.sa_family != socket->family)
		return socket->family == AF_INET ? -EAFNOSUPPORT : -EINVAL;
	if (socket->family == AF_INET && len < sizeof(struct sockaddr_in))
		return -EINVAL;
	return 0;
}

static bool is_at(struct sim_socket *socket, struct sim_address *address, bool datagram)
{
	if (socket->closed || socket->datagram != datagram || socket->state == SIM_STREAM ||
	    !socket->address.len || socket->family != address->any.sa_family)
		return false;
	if (socket->family == AF_INET)
		return inet(&socket->address)->sin_port == inet(address)->sin_port;
	return socket->address.len == address->len &&
	       memcmp(&socket->address.storage, &address->storage, address->len) == 0;
}

struct sim_socket *sim_socket_at(struct sim_machine *machine, struct sim_address *address,
				 bool datagram)
{
	struct sim_socket *socket;

	LIST_FOREACH(socket, &machine->sim->sockets, all)
	{
		if (socket->machine == machine && is_at(socket, address, datagram))
			break;
	}
	return socket;
}

/* The machine an address is on, or NULL. */
struct sim_machine *sim_machine_at(struct sim_machine *here, struct sim_address *address)
{
	uint32_t host;

	if (address->any.sa_family == AF_UNIX)
		return here;
	host = ntohl(inet(address)->sin_addr.s_addr);
	if (host >> 24 == 127 || host == INADDR_ANY)
		return here;
	return host >= 0x0a000001 ? sim_machine(here->sim, host - 0x0a000001) : NULL;
}

/* A name or port that nobody has. */
static void pick_address(struct sim_machine *machine, struct sim_address *address, bool datagram)
{
	do {
		unsigned port = machine->next_port++;

		if (address->any.sa_family == AF_INET) {
			inet(address)->sin_port = htons((uint16_t)port);
		} else {
			struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;

			snprintf(un->sun_path + 1, 8, "%05x", port);
			address->len = offsetof(struct sockaddr_un, sun_path) + 6;
		}
	} while (sim_socket_at(machine, address, datagram));
}

void sim_address_pick(struct sim_socket *socket)
{
	socket->address.len = sizeof(struct sockaddr_in);
	socket->address.any.sa_family = (sa_family_t)socket->family;
	pick_address(socket->machine, &socket->address, socket->datagram);
}

static int64_t bind_to(const struct sim_task *task, struct sim_socket *socket)
{
	struct sim_machine *there;
	struct sim_address address;
	int err = sim_address_read(socket, task->slot->buf, task->slot->len, &address);

	if (err)
		return err;
	if (socket->state != SIM_FRESH || socket->address.len)
		return -EINVAL;
	there = sim_machine_at(socket->machine, &address);
	if (!there || there != socket->machine)
		return -EADDRNOTAVAIL;
	if (socket->family == AF_INET ? !inet(&address)->sin_port :
					address.len == sizeof(sa_family_t))
		pick_address(there, &address, socket->datagram);
	else if (sim_socket_at(there, &address, socket->datagram))
		return -EADDRINUSE;
	socket->address = address;
	return 0;
}

static int64_t listen_on(const struct sim_task *task, struct sim_socket *socket)
{
	uint64_t max = task->slot->len;

	if (socket->datagram)
		return -EOPNOTSUPP;
	if (socket->state == SIM_STREAM || (socket->family == AF_UNIX && !socket->address.len))
		return -EINVAL;
	if (!socket->address.len)
		sim_address_pick(socket);
	socket->state = SIM_LISTENING;
	socket->backlog_max = max > SIM_BACKLOG_MAX ? SIM_BACKLOG_MAX : (uint32_t)max + 1;
	return 0;
}

/* ---- connect, accept ------------------------------------------------------------ */

static int64_t join(struct sim_socket *socket, struct sim_socket *listener)
{
	struct sim_socket *other = sim_socket_new(listener->machine, listener->family);
	int err = other ? sim_stream_join(socket, other) : -ENOMEM;

	if (err) {
		sim_socket_drop(other);
		return err;
	}
	other->address = listener->address;
	STAILQ_INSERT_TAIL(&listener->backlog, other, waiting);
	listener->backlog_nr++;
	sim_wake(socket->machine->sim, &listener->waiters);
	return 0;
}

/* Over a link the request travels there, and the answer back. */
static bool travels(struct sim_task *task, const struct sim_socket *socket,
		    const struct sim_machine *there)
{
	struct sl_sim *sim = socket->machine->sim;
	const struct sl_sim_link *link = &sim->links[socket->machine->number][there->number];

	if (socket->family == AF_UNIX || task->aux)
		return false;
	task->aux = 1;
	sim_events_add(&sim->events,
		       sim->now_ns + sim_latency(sim, &link->latency) +
			       sim_latency(sim, &link->latency),
		       &task->event);
	return true;
}

static int64_t connect_to(struct sim_task *task, struct sim_socket *socket)
{
	struct sl_sim *sim = task->ring->sim;
	struct sim_address address;
	struct sim_machine *there;
	struct sim_socket *listener;
	int err = sim_address_read(socket, task->slot->buf, task->slot->len, &address);

	if (err)
		return err;
	if (socket->datagram)
		return sim_datagram_connect(task, socket);
	if (socket->state != SIM_FRESH)
		return socket->state == SIM_STREAM ? -EISCONN : -EINVAL;
	there = sim_machine_at(socket->machine, &address);
	if (!there)
		return -ENETUNREACH;
	if (travels(task, socket, there))
		return SIM_BLOCKED;
	if (there->off || sim->links[socket->machine->number][there->number].parted)
		return sim_block(task, &sim->link_waiters);
	if (sim_fault(task, SL_SIM_RESET))
		return -ECONNRESET;
	listener = sim_socket_at(there, &address, false);
	if (!listener || listener->state != SIM_LISTENING)
		return -ECONNREFUSED;
	if (listener->backlog_nr >= listener->backlog_max)
		return sim_block(task, &sim->link_waiters);
	return join(socket, listener);
}

void sim_address_of(const struct sim_socket *socket, struct sim_address *ret_address)
{
	*ret_address = (struct sim_address){ .len = sizeof(sa_family_t) };
	ret_address->any.sa_family = (sa_family_t)socket->family;
	if (socket->address.len) {
		*ret_address = socket->address;
	} else if (socket->family == AF_INET) {
		sl_sim_address(socket->machine->number, 0, inet(ret_address));
		ret_address->len = sizeof(struct sockaddr_in);
	}
}

static void tell(const struct sim_address *address, void *ret_addr, socklen_t *len)
{
	memcpy(ret_addr, &address->storage, *len < address->len ? *len : address->len);
	*len = address->len;
}

static void tell_address(const struct sim_socket *socket, void *ret_addr, socklen_t *len)
{
	struct sim_address address;

	sim_address_of(socket, &address);
	tell(&address, ret_addr, len);
}

int sim_socket_name(const struct sim_socket *socket, bool peer, struct sockaddr *addr,
		    socklen_t *len)
{
	if (peer && socket->datagram && socket->target.len) {
		tell(&socket->target, addr, len);
		return 0;
	}
	if (peer && (socket->state != SIM_STREAM || !socket->peer))
		return -ENOTCONN;
	tell_address(peer ? socket->peer : socket, addr, len);
	return 0;
}

static int64_t accept_from(struct sim_task *task, struct sim_socket *listener)
{
	struct sim_socket *socket = STAILQ_FIRST(&listener->backlog);
	struct sim_handle *handle;
	int number;

	if (listener->state != SIM_LISTENING)
		return listener->datagram ? -EOPNOTSUPP : -EINVAL;
	if (!socket)
		return sim_block(task, &listener->waiters);
	number = sim_handle_create(listener->machine, SIM_SOCKET, &handle);
	if (number < 0)
		return number;
	STAILQ_REMOVE_HEAD(&listener->backlog, waiting);
	listener->backlog_nr--;
	handle->socket = socket; /* held by the backlog until now */
	handle->flags = task->slot->op->off & SOCK_NONBLOCK;
	if (task->slot->op->buf && task->slot->op->arg)
		tell_address(socket->peer, task->slot->op->buf, task->slot->op->arg);
	sim_wake(task->ring->sim, &task->ring->sim->link_waiters);
	return number;
}

/* ---- ends ----------------------------------------------------------------------- */

static int64_t shut_down(const struct sim_task *task, struct sim_socket *socket)
{
	uint64_t how = task->slot->len;

	if (how > SHUT_RDWR)
		return -EINVAL;
	if (socket->state != SIM_STREAM)
		return -ENOTCONN;
	if (how != SHUT_WR)
		socket->no_recv = true;
	if (how != SHUT_RD && !socket->no_send) {
		socket->no_send = true;
		sim_segment_send(socket, SIM_FINISH, NULL, 0, 0);
	}
	sim_wake(task->ring->sim, &socket->waiters);
	return 0;
}

static void close_backlog(struct sim_socket *listener, bool silently)
{
	struct sim_socket *socket;

	while ((socket = STAILQ_FIRST(&listener->backlog))) {
		STAILQ_REMOVE_HEAD(&listener->backlog, waiting);
		if (!silently)
			sim_segment_send(socket, SIM_RESET_SEGMENT, NULL, 0, 0);
		sim_socket_close(socket, silently);
	}
	listener->backlog_nr = 0;
}

/* The ends let go of each other when both are closed. */
/* The caller holds socket as well. */
static void part(struct sim_socket *socket)
{
	struct sim_socket *peer = socket->peer;

	if (!peer || !peer->closed)
		return;
	socket->peer = peer->peer = NULL;
	socket->holders--;
	sim_socket_drop(peer);
}

void sim_socket_close(struct sim_socket *socket, bool silently)
{
	struct sl_sim *sim = socket->machine->sim;

	socket->closed = true;
	socket->lost = silently;
	close_backlog(socket, silently);
	sim_datagrams_forget(socket);
	if (!silently && !socket->reset)
		sim_segment_send(socket,
				 socket->len || socket->resets ? SIM_RESET_SEGMENT : SIM_HANG_UP,
				 NULL, 0, 0);
	sim_wake(sim, &socket->waiters);
	if (socket->peer)
		sim_wake(sim, &socket->peer->waiters);
	part(socket);
	sim_socket_drop(socket);
}

void sim_sockets_restart(struct sim_machine *machine)
{
	struct sim_socket *socket;

	LIST_FOREACH(socket, &machine->sim->sockets, all)
	{
		if (socket->machine == machine && socket->lost && socket->peer)
			sim_segment_send(socket, SIM_RESET_SEGMENT, NULL, 0, 0);
	}
}

/* ---- options -------------------------------------------------------------------- */

static bool is_known(int level, int name)
{
	static const int names[] = { SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE,
				     SO_SNDBUF,	   SO_RCVBUF,	 SO_BROADCAST };

	if (level == IPPROTO_TCP)
		return name == TCP_NODELAY || name == TCP_CORK || name == TCP_KEEPIDLE ||
		       name == TCP_DEFER_ACCEPT || name == TCP_USER_TIMEOUT;
	for (size_t i = 0; level == SOL_SOCKET && i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i] == name)
			return true;
	return false;
}

static struct sim_option *option_of(struct sim_socket *socket, int level, int name)
{
	for (uint32_t i = 0; i < socket->options_nr; i++) {
		struct sim_option *option = &socket->options[i];

		if (option->level == level && option->name == name)
			return option;
	}
	if (!is_known(level, name) || socket->options_nr == SIM_OPTIONS_MAX)
		return NULL;
	socket->options[socket->options_nr] = (struct sim_option){ level, name, 0 };
	return &socket->options[socket->options_nr++];
}

/* Only lingering for no time is known: the close is a reset then. */
static int64_t set_linger(const struct sl_slot *slot, struct sim_socket *socket)
{
	struct linger linger;

	if (slot->len < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, slot->buf, sizeof(linger));
	if (linger.l_onoff && linger.l_linger)
		return -ENOPROTOOPT;
	socket->resets = linger.l_onoff;
	return 0;
}

static int64_t set_option(const struct sim_task *task, struct sim_socket *socket)
{
	const struct sl_slot *slot = task->slot;
	int level = (int)(slot->off >> 32), name = (int)(uint32_t)slot->off;
	struct sim_option *option = option_of(socket, level, name);
	bool flag = name != SO_SNDBUF && name != SO_RCVBUF && level == SOL_SOCKET;

	if (level == SOL_SOCKET && name == SO_LINGER)
		return set_linger(slot, socket);
	if (!option)
		return -ENOPROTOOPT;
	if (slot->len < sizeof(int))
		return -EINVAL;
	memcpy(&option->value, slot->buf, sizeof(int));
	if (flag)
		option->value = option->value != 0;
	return 0;
}

static int64_t get_option(const struct sim_task *task, struct sim_socket *socket)
{
	const struct sl_slot *slot = task->slot;
	int level = (int)(slot->off >> 32), name = (int)(uint32_t)slot->off;
	const struct sim_option *option = option_of(socket, level, name);
	size_t len = slot->len < sizeof(int) ? slot->len : sizeof(int);
	int value;

	if (option)
		value = option->value;
	else if (level == SOL_SOCKET && name == SO_TYPE)
		value = socket->datagram ? SOCK_DGRAM : SOCK_STREAM;
	else if (level == SOL_SOCKET && name == SO_DOMAIN)
		value = socket->family;
	else if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
		value = socket->state == SIM_LISTENING;
	else if (level == SOL_SOCKET && name == SO_ERROR)
		value = socket->reset && !socket->reset_told ? ECONNRESET : 0;
	else
		return -ENOPROTOOPT;
	memcpy(slot->buf, &value, len);
	return (int64_t)len;
}

/* ---- operations ----------------------------------------------------------------- */

int64_t sim_socket_create(const struct sim_task *task)
{
	const struct sl_slot *slot = task->slot;
	unsigned type = (unsigned)slot->len & ~(unsigned)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct sim_socket *socket;
	struct sim_handle *handle;
	int number;

	if (slot->fd != AF_UNIX && slot->fd != AF_INET)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	socket = sim_socket_new(task->ring->machine, slot->fd);
	if (!socket)
		return -ENOMEM;
	number = sim_handle_create(task->ring->machine, SIM_SOCKET, &handle);
	if (number < 0) {
		sim_socket_drop(socket);
		return number;
	}
	socket->datagram = type == SOCK_DGRAM;
	handle->socket = socket;
	handle->flags = slot->len & SOCK_NONBLOCK;
	return number;
}

int64_t sim_socket_perform(struct sim_task *task, struct sim_handle *handle)
{
	struct sim_socket *socket = handle->socket;

	if (!socket)
		return -ENOTSOCK;
	switch (task->slot->code) {
	case SL_OP_BIND:
		return bind_to(task, socket);
	case SL_OP_LISTEN:
		return listen_on(task, socket);
	case SL_OP_ACCEPT:
		return accept_from(task, socket);
	case SL_OP_CONNECT:
		return connect_to(task, socket);
	case SL_OP_SHUTDOWN:
		return shut_down(task, socket);
	case SL_OP_GETSOCKOPT:
		return get_option(task, socket);
	case SL_OP_SETSOCKOPT:
		return set_option(task, socket);
	default:
		return -EOPNOTSUPP;
	}
}
