/*
 * server.c: all workers of a proxy, what they share, and the signals that tell them what to do.
 *
 *	listen -> read the plan -> drop the user, confine -> start workers -> say where -> signals
 *	SIGHUP: read the plan anew, tell the workers; on failure the old one stays.
 *	SIGTERM, SIGINT: drain; again, or at the limit: cut.
 *
 * Each worker opens its ring on its thread; the main thread has none, and posts to theirs.
 */
#include "tools/proxy/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/proxy/logline.h"
#include "tools/proxy/worker.h"
#include "tools/server/confine.h"
#include "tools/server/manager.h"
#include "tools/server/metrics.h"
#include "tools/server/watch.h"

#define DESCRIPTORS_SPARE 96 /* of each worker: its ring, pipes, checks */
#define DEPTH_MAX	  32768
#define PIPES_EACH_MAX	  8
#define PREFIX		  "sluice_proxy_"

struct server;

struct seat {
	struct server *server;
	struct proxy_worker worker;
	pthread_t thread;
	unsigned idx;
	int err;
	bool ready;
};

struct server {
	const struct proxy_config *config;
	struct server_listeners listeners;
	struct server_clients clients;
	struct server_watch watch;
	struct proxy_range trusted[CLI_LIST_MAX];
	unsigned trusted_nr;
	struct seat *seat;
	unsigned workers;
	unsigned conns_each;
	pthread_mutex_t plan_lock;
	struct proxy_plan *plan;  /* under plan_lock */
	uint64_t reloads;	  /* atomic */
	pthread_barrier_t opened; /* all workers have, and the main thread looks at them */
	pthread_barrier_t over;	  /* none runs any more */
};

static struct proxy_plan *get_plan(void *ctx)
{
	struct server *server = ctx;
	struct proxy_plan *plan;

	pthread_mutex_lock(&server->plan_lock);
	plan = proxy_plan_get(server->plan);
	pthread_mutex_unlock(&server->plan_lock);
	return plan;
}

/* ---- metrics ---------------------------------------------------------------------------- */

/* The sum over all workers of the counter at an offset. */
static uint64_t sum(const struct server *server, size_t offset)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < server->workers; i++)
		value += server_count_read(
			(const uint64_t *)(const void *)((const char *)&server->seat[i].worker +
							 offset));
	return value;
}

#define SUM(server, member) sum(server, offsetof(struct proxy_worker, member))

static void put(struct server_writer *out, const char *name, const char *type, const char *help,
		uint64_t value)
{
	server_put_metric(out, &(struct server_metric){ name, type, help, value });
}

static void put_head(struct server_writer *out, const char *name, const char *type,
		     const char *help)
{
	server_put_metric_head(out, &(struct server_metric){ name, type, help, 0 });
}

static void put_labelled(struct server_writer *out, const char *name, const char *label,
			 const char *text, uint64_t value)
{
	server_put_string(out, name);
	server_put_string(out, "{");
	server_put_string(out, label);
	server_put_string(out, "=\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			server_put(out, "\\", 1);
		server_put(out, text, 1);
	}
	server_put_string(out, "\"} ");
	server_put_number(out, value);
	server_put(out, "\n", 1);
}

static void put_ends(struct server_writer *out, const struct server *server)
{
	put_head(out, PREFIX "connections_ended_total", "counter", "Connections by how they ended");
	for (unsigned i = 0; i < PROXY_END_NR; i++)
		put_labelled(out, PREFIX "connections_ended_total", "end", proxy_end_word(i),
			     SUM(server, counters.ends[i]));
}

static void put_relays(struct server_writer *out, const struct server *server)
{
	struct sl_relay_stats stats = { 0 };

	for (unsigned i = 0; i < server->workers; i++) {
		if (server->seat[i].worker.relays)
			sl_relay_pool_stats(server->seat[i].worker.relays, &stats);
	}
#define RELAY(member, name, type, help) put(out, PREFIX name, type, help, stats.member);
	RELAY(bytes, "relayed_bytes_total", "counter", "Bytes handed on, both ways")
	RELAY(spliced_bytes, "spliced_bytes_total", "counter", "Of these: without a copy")
	RELAY(stalls, "stalls_total", "counter", "Times that a sender had to wait for its reader")
	RELAY(spills, "spills_total", "counter",
	      "Times that bytes of a slow reader moved to memory of their own")
	RELAY(spilled_bytes, "spilled_bytes", "gauge", "Bytes that are there now")
	RELAY(pipe_misses, "pipe_misses_total", "counter",
	      "Times that a pipe was wanted and none was free")
	RELAY(pipes, "pipes", "gauge", "Pipes")
	RELAY(pipes_used, "pipes_used", "gauge", "Of these: in use")
#undef RELAY
}

/* Each upstream once, though several names may lead there. */
static bool is_first(const struct proxy_plan *plan, unsigned group, unsigned idx)
{
	const struct proxy_state *state = plan->group[group]->upstream[idx].state;

	for (unsigned g = 0; g <= group; g++) {
		unsigned nr = g < group ? plan->group[g]->nr : idx;

		for (unsigned i = 0; i < nr; i++) {
			if (plan->group[g]->upstream[i].state == state)
				return false;
		}
	}
	return true;
}

static void put_upstreams(struct server_writer *out, const struct server *server,
			  const struct proxy_plan *plan, const struct server_metric *metric,
			  uint64_t (*value)(const struct server *server,
					    const struct proxy_state *state))
{
	server_put_metric_head(out, metric);
	for (unsigned g = 0; g < plan->nr; g++) {
		for (unsigned i = 0; i < plan->group[g]->nr; i++) {
			const struct proxy_state *state = plan->group[g]->upstream[i].state;

			if (is_first(plan, g, i))
				put_labelled(out, metric->name, "upstream", state->name,
					     value(server, state));
		}
	}
}

#define VALUE(member)                                                      \
	static uint64_t value_of_##member(const struct server *server,     \
					  const struct proxy_state *state) \
	{                                                                  \
		(void)server;                                              \
		return __atomic_load_n(&state->member, __ATOMIC_RELAXED);  \
	}
VALUE(active)
VALUE(connections)
VALUE(failures)
VALUE(checks)
VALUE(checks_failed)
VALUE(transitions)
#undef VALUE

static uint64_t value_of_up(const struct server *server, const struct proxy_state *state)
{
	(void)server;
	return !__atomic_load_n(&state->down, __ATOMIC_RELAXED);
}

static void put_plan(struct server_writer *out, struct server *server)
{
	struct proxy_plan *plan = get_plan(server);

#define UPSTREAM(member, name, type, help)                                                      \
	put_upstreams(out, server, plan, &(struct server_metric){ PREFIX name, type, help, 0 }, \
		      value_of_##member);
	UPSTREAM(up, "upstream_up", "gauge", "1: it gets connections, 0: it failed")
	UPSTREAM(active, "upstream_connections", "gauge", "Connections to it now")
	UPSTREAM(connections, "upstream_connections_total", "counter", "Connections made to it")
	UPSTREAM(failures, "upstream_failures_total", "counter", "Attempts to connect that failed")
	UPSTREAM(checks, "upstream_checks_total", "counter", "Active checks begun")
	UPSTREAM(checks_failed, "upstream_checks_failed_total", "counter", "Of these: failed")
	UPSTREAM(transitions, "upstream_transitions_total", "counter",
		 "Times that it went up or down")
#undef UPSTREAM
	proxy_plan_put(plan);
}

static void put_metrics(void *ctx, struct server_writer *out)
{
	struct server *server = ctx;

#define METRIC(member, name, type, help) \
	put(out, PREFIX name, type, help, SUM(server, counters.member));
	PROXY_COUNTERS(METRIC)
#undef METRIC
	put_ends(out, server);
	put_relays(out, server);
	put_plan(out, server);
	put(out, PREFIX "log_lines_total", "counter", "Lines written to the access log",
	    SUM(server, log.lines));
	put(out, PREFIX "log_lines_lost_total", "counter",
	    "Lines lost, since the log took them too slowly or not at all", SUM(server, log.lost));
	put(out, PREFIX "workers", "gauge", "Worker threads", server->workers);
	put(out, PREFIX "reloads_total", "counter", "Reloads done",
	    __atomic_load_n(&server->reloads, __ATOMIC_RELAXED));
}

/* ---- limits ----------------------------------------------------------------------------- */

/* Two descriptors for each connection: the limit is raised, then shared out. */
static unsigned conns_of_each(const struct server *server)
{
	const struct proxy_config *config = server->config;
	uint64_t each = (config->connections_max + server->workers - 1) / server->workers, room;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur / server->workers;
	room = room > DESCRIPTORS_SPARE + 2 ? (room - DESCRIPTORS_SPARE) / 2 : 1;
	if (room > PROXY_CONNS_MAX)
		room = PROXY_CONNS_MAX;
	if (each > room) {
		unsigned long long all = room * server->workers;

		fprintf(stderr,
			"sluice proxy: --max-connections: each connection needs two descriptors, "
			"and the limit is %llu; taking %llu, raise `ulimit -n` or --workers for "
			"more\n",
			(unsigned long long)limit.rlim_cur, all);
		each = room;
	}
	return (unsigned)each;
}

static int trust(struct server *server)
{
	const struct cli_list *list = &server->config->proxy_from;

	for (uint32_t i = 0; i < list->nr; i++) {
		if (proxy_range_parse(list->value[i], &server->trusted[i]) < 0)
			return cli_usage(list->value[i],
					 "is no range of addresses; want 192.0.2.7, 10.0.0.0/8, "
					 "2001:db8::/32 or unix");
		server->trusted_nr++;
	}
	return CLI_DONE;
}

/* ---- workers ---------------------------------------------------------------------------- */

static unsigned pipes_of_each(const struct server *server)
{
	unsigned each = PROXY_PIPES_MAX / server->workers;

	if (each > PIPES_EACH_MAX)
		return PIPES_EACH_MAX;
	return each ? each : 1;
}

static int open_worker(struct seat *seat, struct sl_ring **ret_ring)
{
	struct server *server = seat->server;
	struct proxy_worker_opts opts = {
		.config = server->config,
		.clients = &server->clients,
		.trusted = server->trusted,
		.trusted_nr = server->trusted_nr,
		.conns_max = server->conns_each,
		.pipes_max = pipes_of_each(server),
		.get_plan = get_plan,
		.put_metrics = put_metrics,
		.ctx = server,
		.idx = seat->idx,
		.checks = seat->idx == 0,
	};
	struct sl_ring_opts ring = { .depth = 2 * server->conns_each + 1024,
				     .flags = SL_RING_SIGPIPE_IGNORED };
	int err;

	if (ring.depth > DEPTH_MAX)
		ring.depth = DEPTH_MAX;
	ring.park_max = 4 * server->conns_each + 4096;
	err = sl_ring_open(&ring, ret_ring);
	if (err == 0)
		err = proxy_worker_open(&seat->worker, &opts, *ret_ring);
	for (unsigned i = 0; i < server->listeners.nr && err == 0; i++) {
		struct server_listener *listener = &server->listeners.listener[i];

		if (listener->fd[seat->idx] >= 0)
			err = proxy_worker_accept(&seat->worker, listener->fd[seat->idx], listener);
	}
	return err;
}

static void *run_worker(void *ctx)
{
	struct seat *seat = ctx;
	struct server *server = seat->server;
	struct sl_ring *ring = NULL;

	seat->err = open_worker(seat, &ring);
	seat->ready = seat->err == 0;
	pthread_barrier_wait(&server->opened);
	if (seat->ready)
		seat->err = proxy_worker_run(&seat->worker);
	server_watch_tell(&server->watch);
	/* Others look at what this one has counted, and the main thread posts to its ring, until
	 * all have ended. */
	pthread_barrier_wait(&server->over);
	proxy_worker_close(&seat->worker);
	sl_ring_close(ring);
	return NULL;
}

static int start_workers(struct server *server)
{
	int err;

	pthread_barrier_init(&server->opened, NULL, server->workers + 1);
	pthread_barrier_init(&server->over, NULL, server->workers + 1);
	for (unsigned i = 0; i < server->workers; i++) {
		server->seat[i].idx = i;
		server->seat[i].server = server;
		err = pthread_create(&server->seat[i].thread, NULL, run_worker, &server->seat[i]);
		if (err) {
			cli_fail_errno("worker threads", err, "try fewer --workers");
			_exit(CLI_MACHINE); /* those that run wait for this one */
		}
	}
	pthread_barrier_wait(&server->opened);
	for (unsigned i = 0; i < server->workers; i++) {
		if (server->seat[i].err)
			return cli_fail_errno(
				"a worker's ring", server->seat[i].err,
				"see `sluice probe`, try a smaller --max-connections");
	}
	return CLI_DONE;
}

/* Each order is given once; see post_reload() for the exception. */
static void post(struct server *server, size_t which)
{
	for (unsigned i = 0; i < server->workers; i++) {
		struct proxy_worker *worker = &server->seat[i].worker;

		if (server->seat[i].ready)
			sl_ring_post(worker->ring,
				     (struct sl_op *)(void *)((char *)worker + which));
	}
}

#define POST(server, member) post(server, offsetof(struct proxy_worker, member))

/* Pairs with the release in on_reload(): the op is idle again. One still on its way will do. */
static void post_reload(struct server *server)
{
	for (unsigned i = 0; i < server->workers; i++) {
		struct proxy_worker *worker = &server->seat[i].worker;

		if (server->seat[i].ready &&
		    !__atomic_exchange_n(&worker->reload_asked, 1, __ATOMIC_ACQ_REL))
			sl_ring_post(worker->ring, &worker->reload);
	}
}

/* ---- orders ----------------------------------------------------------------------------- */

static void reload(void *ctx)
{
	struct server *server = ctx;
	struct proxy_plan *plan, *old;

	server_manager_tell("RELOADING=1\nSTATUS=reloading");
	if (proxy_plan_open(server->config, server->plan, &plan) == CLI_DONE) {
		pthread_mutex_lock(&server->plan_lock);
		old = server->plan;
		server->plan = plan;
		pthread_mutex_unlock(&server->plan_lock);
		proxy_plan_put(old);
		post_reload(server);
		__atomic_fetch_add(&server->reloads, 1, __ATOMIC_RELAXED);
		fprintf(stderr, "sluice proxy: reloaded\n");
	} else {
		fprintf(stderr, "sluice proxy: not reloaded, going on as before\n");
	}
	server_manager_tell("READY=1\nSTATUS=proxying");
}

static void drain(void *ctx)
{
	struct server *server = ctx;

	POST(server, drain);
}

static void cut(void *ctx)
{
	struct server *server = ctx;

	POST(server, end);
}

/* ---- the whole -------------------------------------------------------------------------- */

/* Joins the workers. Return: an exit code. */
static int conclude(struct server *server, int code)
{
	unsigned cut_nr = 0;
	int err = 0;

	for (unsigned i = 0; i < server->workers; i++) {
		pthread_join(server->seat[i].thread, NULL);
		cut_nr += server->seat[i].worker.cut_nr;
		if (server->seat[i].err)
			err = server->seat[i].err;
	}
	if (code != CLI_DONE)
		return code; /* it has been told why */
	if (err)
		return cli_fail_errno("a worker's ring", err, NULL);
	if (cut_nr)
		fprintf(stderr, "sluice proxy: ended with %u connection%s cut\n", cut_nr,
			cut_nr == 1 ? "" : "s");
	else
		fprintf(stderr, "sluice proxy: ended\n");
	return CLI_DONE;
}

static int confine(const struct proxy_config *config)
{
	int code = server_become(config->user), err;

	if (code != CLI_DONE || config->unconfined)
		return code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cli_fail_errno("confinement", errno, "try --unconfined");
	err = server_confine_calls();
	if (err < 0)
		fprintf(stderr, "sluice proxy: not kept from other system calls: seccomp: %s\n",
			strerror(-err));
	return CLI_DONE;
}

static int prepare(struct server *server)
{
	const struct proxy_config *config = server->config;
	int code = trust(server);

	if (code == CLI_DONE)
		code = server_listen(&server->listeners, server->workers, &config->listen, NULL,
				     config->metrics);
	if (code == CLI_DONE)
		code = proxy_plan_open(config, NULL, &server->plan);
	if (code == CLI_DONE)
		code = confine(config);
	if (code == CLI_DONE)
		server->conns_each = conns_of_each(server);
	return code;
}

static void say_to(const struct server *server, char *text, size_t bytes)
{
	unsigned nr = 0;

	for (unsigned g = 0; g < server->plan->nr; g++)
		nr += server->plan->group[g]->nr;
	snprintf(text, bytes, "to %u upstream%s", nr, nr == 1 ? "" : "s");
}

static int run(struct server *server)
{
	int err = server_watch_open(&server->watch), code;
	char text[64];

	if (err)
		return cli_fail_errno("signals", err, NULL);
	code = prepare(server);
	if (code == CLI_DONE) {
		code = start_workers(server);
		if (code == CLI_DONE) {
			say_to(server, text, sizeof(text));
			server_say_where(&server->listeners, "proxy", text);
			server_manager_tell("READY=1\nSTATUS=proxying");
		} else {
			server_watch_give_up(&server->watch);
		}
		server_watch_run(&server->watch);
		pthread_barrier_wait(&server->over);
		code = conclude(server, code);
	}
	proxy_plan_put(server->plan);
	server_unlisten(&server->listeners);
	return code;
}

int proxy_server_run(const struct proxy_config *config)
{
	struct server *server = calloc(1, sizeof(*server));
	int code;

	if (!server)
		return cli_fail_errno("memory", ENOMEM, NULL);
	server->config = config;
	server->workers = (unsigned)config->workers;
	server->watch = (struct server_watch){ .reload = reload,
					       .drain = drain,
					       .cut = cut,
					       .ctx = server,
					       .drain_ns = config->drain_ns,
					       .workers = server->workers,
					       .signal_fd = -1,
					       .ended_fd = -1 };
	pthread_mutex_init(&server->plan_lock, NULL);
	server->seat = calloc(server->workers, sizeof(*server->seat));
	if (server->seat && server_clients_init(&server->clients, config->client_max) == 0)
		code = run(server);
	else
		code = cli_fail_errno("memory", ENOMEM, NULL);
	server_watch_close(&server->watch);
	server_clients_fini(&server->clients);
	free(server->seat);
	free(server);
	return code;
}
