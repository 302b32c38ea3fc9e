/*
 * server.c: all workers, what they share, and the signals that tell them what to do.
 *
 *	listen -> open the site -> drop the user, confine -> start workers -> say where -> signals
 *	SIGHUP: open the site anew, tell the workers; on failure the old one stays.
 */
#include "tools/serve/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tools/serve/confine.h"

#define DESCRIPTORS_SPARE 128 /* of each worker: its ring, and files being looked at */

/* ---- limits ----------------------------------------------------------------------------- */

/* Connections and open files are bounded by descriptors: the limit is raised, then shared out. */
static uint64_t conns_of_each(const struct serve_server *server)
{
	const struct serve_config *config = server->config;
	uint64_t wanted = config->connections_max ? config->connections_max : SERVER_CONNECTIONS;
	uint64_t each = wanted / server->workers, room;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return each ? each : 1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur / server->workers;
	room = room > config->cache_files + 2 * DESCRIPTORS_SPARE ?
		       room - config->cache_files - DESCRIPTORS_SPARE :
		       DESCRIPTORS_SPARE / 2;
	if (each > room && config->connections_max) {
		unsigned long long all = room * server->workers;

		fprintf(stderr,
			"sluice serve: --max-connections: %llu need more descriptors than the "
			"limit of %llu leaves; serving %llu, raise `ulimit -n` for more\n",
			(unsigned long long)wanted, (unsigned long long)limit.rlim_cur, all);
	}
	each = each < room ? each : room;
	return each ? each : 1;
}

/* ---- workers ---------------------------------------------------------------------------- */

static int open_worker(struct server_hand *hand)
{
	struct serve_worker *worker = hand->worker;

	worker->ring = hand->ring;
	return serve_worker_open(worker);
}

static void close_worker(struct server_hand *hand)
{
	serve_worker_close(hand->worker);
}

static void turned(struct server_hand *hand)
{
	serve_worker_turned(hand->worker);
}

static void reload_worker(struct server_hand *hand)
{
	serve_worker_reload(hand->worker);
}

static void drain_worker(struct server_hand *hand)
{
	serve_worker_drain(hand->worker);
}

static bool is_drained(const struct server_hand *hand)
{
	return serve_worker_is_drained(hand->worker);
}

static unsigned left(const struct server_hand *hand)
{
	return serve_worker_left(hand->worker);
}

static const struct server_crew_ops ops = {
	.open = open_worker,
	.close = close_worker,
	.turned = turned,
	.reload = reload_worker,
	.drain = drain_worker,
	.is_drained = is_drained,
	.left = left,
};

static int start_workers(struct serve_server *server)
{
	unsigned conns_max = (unsigned)conns_of_each(server);

	for (unsigned i = 0; i < server->workers; i++) {
		struct serve_worker *worker = &server->worker[i];

		worker->idx = i;
		worker->server = server;
		worker->config = server->config;
		worker->conns_max = conns_max;
	}
	return server_crew_start(&server->crew, server->worker, sizeof(*server->worker), conns_max);
}

/* ---- the site --------------------------------------------------------------------------- */

/* Workers take the new one when they get the order. The old one is kept until several have been
 * retired after it. */
static bool renew(struct server_crew *crew)
{
	struct serve_server *server = (struct serve_server *)crew; /* its first member */
	struct serve_site *site, **place = &server->retired[server->retired_at];

	if (serve_site_open(server->config, server->site, &server->confined, &site) != CLI_DONE)
		return false;
	serve_site_put(*place);
	*place = __atomic_exchange_n(&server->site, site, __ATOMIC_ACQ_REL);
	server->retired_at = (server->retired_at + 1) % SERVE_RETIRED_MAX;
	return true;
}

static void say_tls(const struct serve_server *server)
{
	if (!server->site->tls)
		return;
	if (server->config->no_ktls)
		fprintf(stderr, "sluice serve: TLS records are made in user space (--no-ktls)\n");
	else if (server_tls_kernel())
		fprintf(stderr, "sluice serve: TLS records are made by the kernel\n");
	else
		fprintf(stderr, "sluice serve: TLS records are made in user space: this kernel has "
				"no kTLS; try `modprobe tls`\n");
}

static int serve(struct serve_server *server)
{
	const struct serve_config *config = server->config;
	int code = server_crew_open(&server->crew);

	if (code == CLI_DONE)
		code = server_listen(&server->listeners, server->workers, &config->listen,
				     "127.0.0.1:8080", config->metrics);
	if (code == CLI_DONE)
		code = serve_site_open(config, NULL, &server->confined, &server->site);
	if (code == CLI_DONE)
		code = serve_confine(config, &server->confined);
	if (code == CLI_DONE)
		code = start_workers(server);
	if (code == CLI_DONE) {
		say_tls(server);
		server_say_where(&server->listeners, "serve", config->root);
	}
	code = server_crew_run(&server->crew, code);
	serve_site_put(server->site);
	for (unsigned i = 0; i < SERVE_RETIRED_MAX; i++)
		serve_site_put(server->retired[i]);
	server_unlisten(&server->listeners);
	server_crew_close(&server->crew);
	return code;
}

int serve_server_run(const struct serve_config *config)
{
	struct serve_server *server = calloc(1, sizeof(*server));
	int code;

	if (!server)
		return cli_fail_errno("memory", ENOMEM, NULL);
	server->config = config;
	server->workers = (unsigned)config->workers;
	server->crew = (struct server_crew){ .name = "serve",
					     .status = "serving",
					     .ops = &ops,
					     .renew = renew,
					     .drain_ns = config->drain_ns,
					     .backend = config->backend,
					     .workers = server->workers };
	server->worker = calloc(server->workers, sizeof(*server->worker));
	if (server->worker && server_clients_init(&server->clients, config->client_max) == 0)
		code = serve(server);
	else
		code = cli_fail_errno("memory", ENOMEM, NULL);
	server_clients_fini(&server->clients);
	free(server->worker);
	free(server);
	return code;
}
