/*
 * server.c: all workers of a proxy, what they share, and the signals that tell them what to do.
 *
 *	listen -> read the plan -> drop the user, confine -> start workers -> say where -> signals
 *	SIGHUP: read the plan anew, tell the workers; on failure the old one stays.
 */
#include "tools/proxy/server.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tools/proxy/logline.h"
#include "tools/proxy/worker.h"
#include "tools/server/confine.h"
#include "tools/server/crew.h"
#include "tools/server/metrics.h"

#define DESCRIPTORS_SPARE 96 /* of each worker: its ring, pipes, checks */
#define PIPES_EACH_MAX	  8
#define PREFIX		  "sluice_proxy_"

struct server {
	struct server_crew crew;
	const struct proxy_config *config;
	struct server_listeners listeners;
	struct server_clients clients;
	struct proxy_range trusted[CLI_LIST_MAX];
	unsigned trusted_nr;
	struct proxy_worker *worker;
	unsigned workers;
	unsigned conns_each;
	pthread_mutex_t plan_lock;
	struct proxy_plan *plan; /* under plan_lock */
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
		value += server_count_read((
			const uint64_t *)(const void *)((const char *)&server->worker[i] + offset));
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
		if (server->worker[i].relays)
			sl_relay_pool_stats(server->worker[i].relays, &stats);
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
	server_crew_put_metrics(&server->crew, out, PREFIX);
	put(out, PREFIX "reloads_total", "counter", "Reloads done",
	    __atomic_load_n(&server->crew.reloads, __ATOMIC_RELAXED));
}

/* ---- limits ----------------------------------------------------------------------------- */

/* Two descriptors for each connection: the limit is raised, then shared out. */
static unsigned conns_of_each(const struct server *server)
{
	const struct proxy_config *config = server->config;
	uint64_t wanted = config->connections_max ? config->connections_max : SERVER_CONNECTIONS;
	uint64_t each = (wanted + server->workers - 1) / server->workers, room;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur / server->workers;
	room = room > DESCRIPTORS_SPARE + 2 ? (room - DESCRIPTORS_SPARE) / 2 : 1;
	if (room > PROXY_CONNS_MAX)
		room = PROXY_CONNS_MAX;
	if (each > room && config->connections_max) {
		unsigned long long all = room * server->workers;

		fprintf(stderr,
			"sluice proxy: --max-connections: each connection needs two descriptors, "
			"and the limit is %llu; taking %llu, raise `ulimit -n` or --workers for "
			"more\n",
			(unsigned long long)limit.rlim_cur, all);
	}
	return (unsigned)(each < room ? each : room);
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

static int open_worker(struct server_hand *hand)
{
	struct server *server = (struct server *)hand->crew; /* its first member */
	struct proxy_worker *worker = hand->worker;
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
		.idx = hand->idx,
		.checks = hand->idx == 0,
	};
	int err = proxy_worker_open(worker, &opts, hand->ring);

	for (unsigned i = 0; i < server->listeners.nr && err == 0; i++) {
		struct server_listener *listener = &server->listeners.listener[i];

		if (listener->fd[hand->idx] >= 0)
			err = proxy_worker_accept(worker, listener->fd[hand->idx], listener);
	}
	return err;
}

static void close_worker(struct server_hand *hand)
{
	proxy_worker_close(hand->worker);
	sl_ring_close(hand->ring);
}

static void reload_worker(struct server_hand *hand)
{
	proxy_worker_reload(hand->worker);
}

static void drain_worker(struct server_hand *hand)
{
	proxy_worker_drain(hand->worker);
}

static bool is_drained(const struct server_hand *hand)
{
	return proxy_worker_is_drained(hand->worker);
}

static unsigned left(const struct server_hand *hand)
{
	const struct proxy_worker *worker = hand->worker;

	return worker->conns;
}

static const struct server_crew_ops ops = {
	.open = open_worker,
	.close = close_worker,
	.reload = reload_worker,
	.drain = drain_worker,
	.is_drained = is_drained,
	.left = left,
};

static bool renew(struct server_crew *crew)
{
	struct server *server = (struct server *)crew; /* its first member */
	struct proxy_plan *plan, *old;

	if (proxy_plan_open(server->config, server->plan, &plan) != CLI_DONE)
		return false;
	pthread_mutex_lock(&server->plan_lock);
	old = server->plan;
	server->plan = plan;
	pthread_mutex_unlock(&server->plan_lock);
	proxy_plan_put(old);
	return true;
}

/* ---- the whole -------------------------------------------------------------------------- */

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

static void say_where(const struct server *server)
{
	char text[64];
	unsigned nr = 0;

	for (unsigned g = 0; g < server->plan->nr; g++)
		nr += server->plan->group[g]->nr;
	snprintf(text, sizeof(text), "to %u upstream%s", nr, nr == 1 ? "" : "s");
	server_say_where(&server->listeners, "proxy", text);
}

static int run(struct server *server)
{
	int code = server_crew_open(&server->crew);

	if (code == CLI_DONE)
		code = prepare(server);
	if (code == CLI_DONE)
		code = server_crew_start(&server->crew, server->worker, sizeof(*server->worker),
					 server->conns_each);
	if (code == CLI_DONE)
		say_where(server);
	code = server_crew_run(&server->crew, code);
	proxy_plan_put(server->plan);
	server_unlisten(&server->listeners);
	server_crew_close(&server->crew);
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
	server->crew = (struct server_crew){ .name = "proxy",
					     .status = "proxying",
					     .ops = &ops,
					     .renew = renew,
					     .drain_ns = config->drain_ns,
					     .backend = config->backend,
					     .workers = server->workers };
	pthread_mutex_init(&server->plan_lock, NULL);
	server->worker = calloc(server->workers, sizeof(*server->worker));
	if (server->worker && server_clients_init(&server->clients, config->client_max) == 0)
		code = run(server);
	else
		code = cli_fail_errno("memory", ENOMEM, NULL);
	server_clients_fini(&server->clients);
	free(server->worker);
	free(server);
	return code;
}
