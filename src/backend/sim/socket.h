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
	bool closed; /* its handle is gone */
	bool lost;   /* ... with its machine's power */
};

enum sim_segment_kind {
	SIM_BYTES,
	SIM_FINISH,
	SIM_HANG_UP,
	SIM_RESET_SEGMENT
};

/* ---- socket.c ----------------------------------------------------------------------- */
struct sim_socket *sim_socket_new(struct sim_machine *machine, int family);
void sim_socket_drop(struct sim_socket *socket);
struct sim_socket *sim_socket_hold(struct sim_socket *socket);
/* Joins two ends; 0 or -ENOMEM. */
int sim_stream_join(struct sim_socket *a, struct sim_socket *b);

/* ---- stream.c ----------------------------------------------------------------------- */
/* Sends something to the peer: at once within a machine by AF_UNIX, else as a
 * segment on the link. 0 or -ENOMEM. */
int sim_segment_send(struct sim_socket *from, enum sim_segment_kind kind,
		     const struct sim_pieces *pieces, uint64_t len, int64_t late_ns);

#endif
