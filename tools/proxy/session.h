/*
 * session.h: one connection of a client, and the one to its upstream.
 *
 *	accepted --> [WAIT] --> HEAR (PROXY header, ClientHello) --> CONNECT --failed--> another one
 *	                \---------- neither is wanted --------------^  |
 *	                                                      v
 *	closed <-- CLOSE <-- RELAY <----- SEND (PROXY header, what was heard)
 *
 * Invariants:
 *  S1. From its start until CLOSE has ended a session has one op, connect or relay under way, whose
 *      end moves it on: so a cut only asks for that end.
 *  S2. What was received before the relay began is in opening->buf; the opening is gone when the
 *      relay begins: an idle session is this struct, and the kernel's two sockets.
 *  S3. It counts in its upstream's active from the attempt to connect to its end.
 *  S4. In WAIT it has nothing under way: more were accepted than may run at a time, or descriptors
 *      ran out. It goes on when another one ends.
 *  S5. One that did not end by both sides finishing is reset on both sides, so that no peer takes
 *      a beginning for the whole.
 */
#ifndef SLUICE_TOOLS_PROXY_SESSION_H
#define SLUICE_TOOLS_PROXY_SESSION_H

#include <stdbool.h>

#include <sluice/relay.h>
#include <sluice/sock.h>

#include "tools/proxy/counters.h"
#include "tools/proxy/peer.h"
#include "tools/proxy/plan.h"

struct proxy_worker;

/* What is needed until the relay begins. */
struct proxy_opening {
	struct sl_sock_addr source; /* the client */
	struct sl_sock_addr target; /* what it connected to; len 0: not asked for */
	struct proxy_group *group;
	uint64_t turn;
	uint64_t tried; /* a bit for each upstream */
	int64_t heard_by_ns;
	bool wants_header;
	bool wants_hello;
	size_t at; /* where the client's own bytes begin in buf */
	size_t len;
	size_t cap;
	uint8_t *buf;
};

struct proxy_session {
	struct proxy_worker *worker;
	struct proxy_session *next;
	struct proxy_session *prev;
	struct proxy_session *behind; /* of those that wait */
	struct proxy_plan *plan;
	const struct proxy_upstream *upstream;
	struct proxy_opening *opening;
	char *name; /* asked for by SNI; NULL: none */
	int64_t started_ns;
	uint64_t bytes[2];
	union proxy_peer client;
	int fd[2];
	uint8_t state;
	uint8_t end; /* enum proxy_end */
	uint8_t closing;
	uint8_t tries;
	bool counted; /* among those of its address */
	bool cut;
	bool runs;
	union {
		struct sl_op op;
		struct sl_sock_connect connect;
		struct sl_relay relay;
	};
};

/* A connection was accepted: the descriptor is the session's. */
void proxy_session_start(struct proxy_worker *worker, int fd);

/* One that waits may go on. */
void proxy_session_go_on(struct proxy_session *session);

/* Ends it soon, with resets. */
void proxy_session_cut(struct proxy_session *session);

#endif
