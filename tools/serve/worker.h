/* worker.h: one thread with a ring of its own, its listeners, connections, cache and log. */
#ifndef SLUICE_TOOLS_SERVE_WORKER_H
#define SLUICE_TOOLS_SERVE_WORKER_H

#include <sluice/sluice.h>

#include "tools/serve/accesslog.h"
#include "tools/serve/cache.h"
#include "tools/serve/counters.h"
#include "tools/server/date.h"
#include "tools/server/listen.h"
#include "tools/serve/secure.h"
#include "tools/serve/site.h"
#include "tools/serve/stream.h"
#include "tools/serve/target.h"

struct serve_conn;
struct serve_piece;
struct server_listener;
struct serve_server;
struct serve_worker;

/* A listener as one worker sees it. */
struct serve_door {
	struct sl_sock_acceptor acceptor;
	struct serve_worker *worker;
	struct server_listener *listener;
	bool admin; /* of /metrics and /health */
	bool open;
};

/* Connections that wait for the same thing, so that those that wait longest are first. */
enum serve_wait {
	SERVE_WAIT_REQUEST = 0, /* the next one may come, or not */
	SERVE_WAIT_HEAD,	/* a request has begun */
	SERVE_WAIT_BODY,
	SERVE_WAIT_PEER, /* to take what is sent */
	SERVE_WAIT_DISK, /* without limit */
	SERVE_WAIT_LINGER,
	SERVE_WAIT_HANDSHAKE, /* of TLS, all of it */
	SERVE_WAITS,
};

struct serve_waiting {
	struct serve_conn *first;
	struct serve_conn *last;
};

struct serve_worker {
	unsigned idx;
	struct serve_server *server;
	const struct serve_config *config;
	struct serve_site *site;
	struct sl_ring *ring;
	struct serve_streams streams;
	struct serve_secures secures;
	struct serve_cache cache;
	uint32_t changes; /* as last seen, see struct serve_server */
	struct serve_counters counters;
	struct server_log log;

	struct serve_door door[SERVER_LISTENERS_MAX];
	unsigned doors;
	struct serve_waiting waiting[SERVE_WAITS];
	unsigned conns;
	unsigned conns_max;
	bool full; /* accepting is paused */
	bool draining;

	struct serve_conn *free_conns;
	struct serve_piece *free_pieces;

	struct sl_op tick;
	int64_t second; /* seconds since 1970, by the last turn that looked */
	int64_t second_due_ns;
	char date[HTTP_DATE_LEN];
	char log_date[HTTP_LOG_LEN];
	char stamp[HTTP_STAMP_LEN];
	char path[HTTP_PATH_BYTES];
};

/* The time as the turn has it; the texts follow it. */
void serve_worker_look_at_clock(struct serve_worker *worker);

static inline int64_t serve_worker_now(struct serve_worker *worker)
{
	int64_t now = sl_ring_now(worker->ring);

	if (now >= worker->second_due_ns)
		serve_worker_look_at_clock(worker);
	return now;
}

/* How long a connection may wait for something, in nanoseconds. */
int64_t serve_worker_limit(const struct serve_worker *worker, enum serve_wait what);

/* Moves a connection to the end of those that wait for something. */
void serve_worker_wait(struct serve_worker *worker, struct serve_conn *conn, enum serve_wait what);

/* Takes it out. */
void serve_worker_forget(struct serve_worker *worker, struct serve_conn *conn);

/* A connection has ended: its place and descriptor are free. */
void serve_worker_conn_ended(struct serve_worker *worker);

/* Opens what it needs on the thread of its ring, which becomes its own. Return: 0 or -errno;
 * serve_worker_close() ends it in any case. */
int serve_worker_open(struct serve_worker *worker);
void serve_worker_close(struct serve_worker *worker);

/* What is to be done after each turn of its ring. */
void serve_worker_turned(struct serve_worker *worker);

/* Orders; see tools/server/crew.h. */
void serve_worker_reload(struct serve_worker *worker);
void serve_worker_drain(struct serve_worker *worker);
bool serve_worker_is_drained(const struct serve_worker *worker);
unsigned serve_worker_left(const struct serve_worker *worker);

#endif
