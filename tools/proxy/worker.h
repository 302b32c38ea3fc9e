/* worker.h: one thread with a ring of its own, its listeners, sessions, relays and log. */
#ifndef SLUICE_TOOLS_PROXY_WORKER_H
#define SLUICE_TOOLS_PROXY_WORKER_H

#include <sluice/sluice.h>

#include "tools/proxy/admin.h"
#include "tools/proxy/health.h"
#include "tools/proxy/session.h"
#include "tools/server/clients.h"
#include "tools/server/date.h"
#include "tools/server/listen.h"
#include "tools/server/log.h"

/* Ops that a session may have in flight at once: two of its relay. */
#define PROXY_CONNS_MAX ((32768 - 1024) / 2)
/* Pipes of all workers: an unprivileged user gets 64 of 1 MiB (fs.pipe-user-pages-soft). */
#define PROXY_PIPES_MAX 48

struct proxy_worker;

/* A listener as one worker sees it. */
struct proxy_door {
	struct sl_sock_acceptor acceptor;
	struct proxy_worker *worker;
	struct server_listener *listener; /* left when it ends; NULL: nothing is */
	bool admin;
	bool open;
};

/* What a worker is given; fixed. All borrowed. */
struct proxy_worker_opts {
	const struct proxy_config *config;
	struct server_clients *clients;
	const struct proxy_range *trusted; /* whose PROXY header counts */
	unsigned trusted_nr;
	unsigned conns_max;
	unsigned pipes_max;
	struct proxy_plan *(*get_plan)(void *ctx); /* a new reference */
	void (*put_metrics)(void *ctx, struct server_writer *out);
	void *ctx; /* of both */
	unsigned idx;
	bool checks; /* this is the one that asks upstreams */
};

struct proxy_worker {
	struct proxy_worker_opts opts;
	const struct proxy_config *config;
	struct server_clients *clients;
	struct proxy_plan *plan;
	struct proxy_plan *leaving; /* whose log may still be written to */
	struct sl_ring *ring;
	struct sl_relay_pool *relays;
	struct proxy_checks *checks;
	unsigned checks_alive; /* with those that are being stopped */
	struct proxy_counters counters;
	struct server_log log;

	struct proxy_door door[SERVER_LISTENERS_MAX];
	unsigned doors;
	struct proxy_session *sessions;
	struct proxy_session *waiting; /* the first; accepted beyond what may run */
	struct proxy_session *waiting_last;
	unsigned conns;
	unsigned running;
	struct proxy_asker askers[PROXY_ASKERS_MAX];
	bool full; /* accepting is paused */
	bool reloads;
	bool draining;
	bool closing;

	struct sl_op tick;
	int64_t second;
	int64_t second_due_ns;
	char log_date[HTTP_LOG_LEN];
	char stamp[HTTP_STAMP_LEN];
};

/**
 * proxy_worker_open() - make ready on a ring, whose owner calls.
 * @worker: zeroed, or after proxy_worker_close().
 * @ring: with room for two ops of each connection, and 1024.
 *
 * Return: 0 or -errno; proxy_worker_close() ends it in any case.
 */
int proxy_worker_open(struct proxy_worker *worker, const struct proxy_worker_opts *opts,
		      struct sl_ring *ring);

/* Accepts from a descriptor, which stays the caller's; a listener (or NULL) is left at the end. */
int proxy_worker_accept(struct proxy_worker *worker, int fd, struct server_listener *listener);

/* Orders; see tools/server/crew.h. */
void proxy_worker_reload(struct proxy_worker *worker);
void proxy_worker_drain(struct proxy_worker *worker);
bool proxy_worker_is_drained(const struct proxy_worker *worker);

/* Cuts what there is, waits for its end; the ring is left as it was. */
void proxy_worker_close(struct proxy_worker *worker);

/* For sessions. */
void proxy_worker_note(struct proxy_worker *worker, struct proxy_session *session);
void proxy_worker_forget(struct proxy_worker *worker, struct proxy_session *session);
/* Runs it now if there is room and nobody was before it, else in its turn. */
void proxy_worker_wait(struct proxy_worker *worker, struct proxy_session *session);
void proxy_worker_refuse(struct proxy_worker *worker, int fd);
bool proxy_worker_trusts(const struct proxy_worker *worker, const struct sl_sock_addr *addr);
void proxy_worker_look_at_clock(struct proxy_worker *worker);

#endif
