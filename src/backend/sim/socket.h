/* SPDX-License-Identifier: MIT */
/*
 * socket.h - a socket of the world: fresh, listening, or one end of a stream.
 *
 * The two ends of a stream point at each other until one of them is gone for
 * good. A socket outlives its handle while its peer or a segment under way
 * still needs it.
 */
#ifndef SLUICE_BACKEND_SIM_SOCKET_H
#define SLUICE_BACKEND_SIM_SOCKET_H

#include <sys/socket.h>

#include "backend/sim/world.h"

#define SIM_QUEUE_BYTES 65536
#define SIM_OPTIONS_MAX 8
#define SIM_BACKLOG_MAX 4096

enum sim_socket_state {
	SIM_FRESH = 0,
	SIM_LISTENING,
	SIM_STREAM
};

struct sim_address {
	socklen_t len; /* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	};
};

struct sim_option {
	int level;
	int name;
	int value;
};

struct sim_socket {
	LIST_ENTRY(sim_socket) all;
	STAILQ_ENTRY(sim_socket) waiting; /* to be accepted */
	enum sim_socket_state state;
	int family;
	bool datagram;
	struct sim_machine *machine;
	uint32_t holders;
	struct sim_address address;
	struct sim_socket *peer;
	struct sim_tasks waiters;
	STAILQ_HEAD(, sim_socket) backlog;
	uint32_t backlog_nr;
	uint32_t backlog_max;
	struct sim_option options[SIM_OPTIONS_MAX];
	uint32_t options_nr;

	/* datagrams: those that have arrived, and where they go without an address */
	struct sim_segments arrived;
	struct sim_address target;

	/* a stream: what has arrived, from head on, and what is on its way */
	unsigned char *bytes;
	uint32_t head;
	uint32_t len;
	uint32_t incoming;
	int64_t last_arrival_ns;
	bool finished; /* the peer sends no more */
	bool hung_up;  /* ... since it has closed */
	bool reset;
	bool reset_told;
	bool no_send, no_recv;
	bool resets; /* when it is closed: SO_LINGER */
	bool closed; /* its handle is gone */
	bool lost;   /* ... with its machine's power */
};

enum sim_segment_kind {
	SIM_BYTES,
	SIM_FINISH,
	SIM_HANG_UP,
	SIM_RESET_SEGMENT,
	SIM_DATAGRAM
};

struct sim_segment {
	struct sim_event event; /* first */
	TAILQ_ENTRY(sim_segment) link;
	struct sim_socket *from;
	struct sim_socket *to;
	enum sim_segment_kind kind;
	struct sim_address address; /* of a datagram: where it came from */
	uint32_t len;
	unsigned char bytes[];
};

/* ---- socket.c ----------------------------------------------------------------------- */
struct sim_socket *sim_socket_new(struct sim_machine *machine, int family);
void sim_socket_drop(struct sim_socket *socket);
struct sim_socket *sim_socket_hold(struct sim_socket *socket);
/* Joins two ends; 0 or -ENOMEM. */
int sim_stream_join(struct sim_socket *a, struct sim_socket *b);

/* The socket of a kind that has an address on a machine, or NULL. */
struct sim_socket *sim_socket_at(struct sim_machine *machine, struct sim_address *address,
				 bool datagram);
struct sim_machine *sim_machine_at(struct sim_machine *here, struct sim_address *address);
/* An address given by the caller; 0 or -errno. */
int sim_address_read(const struct sim_socket *socket, const void *from, uint64_t len,
		     struct sim_address *ret_address);
/* What a socket answers to the question for its address. */
void sim_address_of(const struct sim_socket *socket, struct sim_address *ret_address);
/* Gives one to a socket that has none. */
void sim_address_pick(struct sim_socket *socket);

/* ---- datagram.c --------------------------------------------------------------------- */
int64_t sim_datagram_transfer(struct sim_task *task, struct sim_socket *socket);
int64_t sim_datagram_connect(const struct sim_task *task, struct sim_socket *socket);
uint32_t sim_datagram_events(const struct sim_socket *socket);
void sim_datagram_arrives(struct sim_segment *segment);
void sim_datagrams_forget(struct sim_socket *socket);

/* ---- stream.c ----------------------------------------------------------------------- */
/* Sends something to the peer: at once within a machine by AF_UNIX, else as a
 * segment on the link. 0 or -ENOMEM. */
int sim_segment_send(struct sim_socket *from, enum sim_segment_kind kind,
		     const struct sim_pieces *pieces, uint64_t len, int64_t late_ns);

#endif
