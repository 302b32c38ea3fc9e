/*
 * server.c: all workers, what they share, and the signals that tell them what to do.
 *
 *	listen -> open the site -> drop the user, confine -> start workers -> say where -> signals
 *	SIGHUP: open the site anew, tell the workers; on failure the old one stays.
 *	SIGTERM, SIGINT: drain; again, at the limit, or when all have drained: end.
 *
 * The main thread has no ring while workers run: it waits for signals, and posts to their rings.
 */
#include "tools/serve/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/serve/confine.h"
#include "tools/server/manager.h"

#define DESCRIPTORS_SPARE 128 /* of each worker: its ring, and files being looked at */

/* ---- limits ----------------------------------------------------------------------------- */

/* Connections and open files are bounded by descriptors: the limit is raised, then shared out. */
static uint64_t conns_of_each(const struct serve_server *server)
{
	const struct serve_config *config = server->config;
	uint64_t each = config->connections_max / server->workers, room;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return each ? each : 1;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	room = limit.rlim_cur / server->workers;
	room = room > config->cache_files + 2 * DESCRIPTORS_SPARE ?
		       room - config->cache_files - DESCRIPTORS_SPARE :
		       DESCRIPTORS_SPARE / 2;
	if (each > room) {
		unsigned long long all = room * server->workers;

		fprintf(stderr,
			"sluice serve: --max-connections: %llu need more descriptors than the "
			"limit of %llu leaves; serving %llu, raise `ulimit -n` for more\n",
			(unsigned long long)config->connections_max,
			(unsigned long long)limit.rlim_cur, all);
		each = room;
	}
	return each ? each : 1;
}

/* ---- workers ---------------------------------------------------------------------------- */

static void *run_worker(void *ctx)
{
	struct serve_worker *worker = ctx;
	struct serve_server *server = worker->server;

	worker->err = serve_worker_open(worker);
	worker->ready = worker->err == 0;
	pthread_barrier_wait(&server->opened);
	if (worker->ready)
		worker->err = serve_worker_run(worker);
	else
		server_watch_tell(&server->watch);
	/* Others look at what this one has counted, and the main thread posts to its ring, until
	 * all have ended. */
	pthread_barrier_wait(&server->over);
	serve_worker_close(worker);
	return NULL;
}

static int start_workers(struct serve_server *server)
{
	uint64_t conns_max = conns_of_each(server);
	int err;

	pthread_barrier_init(&server->opened, NULL, server->workers + 1);
	pthread_barrier_init(&server->over, NULL, server->workers + 1);
	for (unsigned i = 0; i < server->workers; i++) {
		struct serve_worker *worker = &server->worker[i];

		worker->idx = i;
		worker->server = server;
		worker->config = server->config;
		worker->conns_max = (unsigned)conns_max;
		err = pthread_create(&worker->thread, NULL, run_worker, worker);
		if (err) {
			cli_fail_errno("worker threads", err, "try fewer --workers");
			_exit(CLI_MACHINE); /* those that run wait for this one */
		}
	}
	pthread_barrier_wait(&server->opened);
	for (unsigned i = 0; i < server->workers; i++) {
		if (server->worker[i].err)
			return cli_fail_errno(
				"a worker's ring", server->worker[i].err,
				"see `sluice probe`, try a smaller --max-connections");
	}
	return CLI_DONE;
}

/* Each order is given once; see reload() for the exception. */
static void post(struct serve_server *server, size_t which)
{
	for (unsigned i = 0; i < server->workers; i++) {
		struct serve_worker *worker = &server->worker[i];

		if (worker->ready)
			sl_ring_post(worker->ring, (struct sl_op *)((char *)worker + which));
	}
}

#define POST(server, member) post(server, offsetof(struct serve_worker, member))

/* Pairs with the release in on_reload(): the op is idle again. One still on its way will do. */
static void post_reload(struct serve_server *server)
{
	for (unsigned i = 0; i < server->workers; i++) {
		struct serve_worker *worker = &server->worker[i];

		if (worker->ready &&
		    !__atomic_exchange_n(&worker->reload_asked, 1, __ATOMIC_ACQ_REL))
			sl_ring_post(worker->ring, &worker->reload);
	}
}

static void reload(void *ctx)
{
	struct serve_server *server = ctx;
	struct serve_site *site, *old = server->site;

	server_manager_tell("RELOADING=1\nSTATUS=reloading");
	if (serve_site_open(server->config, &site) == CLI_DONE) {
		/* Workers take it when they get the order, which is posted after this. */
		__atomic_store_n(&server->site, site, __ATOMIC_RELEASE);
		post_reload(server);
		server->retired[server->reloads % SERVE_RETIRED_MAX] = old;
		__atomic_fetch_add(&server->reloads, 1, __ATOMIC_RELAXED);
		serve_site_put(server->retired[server->reloads % SERVE_RETIRED_MAX]);
		server->retired[server->reloads % SERVE_RETIRED_MAX] = NULL;
		fprintf(stderr, "sluice serve: reloaded\n");
	} else {
		fprintf(stderr, "sluice serve: not reloaded, going on as before\n");
	}
	server_manager_tell("READY=1\nSTATUS=serving");
}

static void drain(void *ctx)
{
	struct serve_server *server = ctx;

	POST(server, drain);
}

/* Once: at the limit of a drain, or when all have drained. */
static void end(void *ctx)
{
	struct serve_server *server = ctx;

	if (!server->ending)
		POST(server, end);
	server->ending = true;
}

/* Joins the workers. Return: an exit code. */
static int conclude(struct serve_server *server, int code)
{
	unsigned cut_nr = 0;
	int err = 0;

	for (unsigned i = 0; i < server->workers; i++) {
		pthread_join(server->worker[i].thread, NULL);
		cut_nr += server->worker[i].cut_nr;
		if (server->worker[i].err)
			err = server->worker[i].err;
	}
	if (code != CLI_DONE)
		return code; /* it has been told why */
	if (err)
		return cli_fail_errno("a worker's ring", err, NULL);
	if (cut_nr)
		fprintf(stderr, "sluice serve: ended with %u connection%s cut\n", cut_nr,
			cut_nr == 1 ? "" : "s");
	else
		fprintf(stderr, "sluice serve: ended\n");
	return CLI_DONE;
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
	int err = server_watch_open(&server->watch), code;

	if (err)
		return cli_fail_errno("signals", err, NULL);
	code = server_listen(&server->listeners, server->workers, &config->listen, "127.0.0.1:8080",
			     config->metrics);
	if (code == CLI_DONE)
		code = serve_site_open(config, &server->site);
	if (code == CLI_DONE)
		code = serve_confine(config);
	if (code == CLI_DONE) {
		code = start_workers(server);
		if (code == CLI_DONE) {
			say_tls(server);
			server_say_where(&server->listeners, "serve", config->root);
			server_manager_tell("READY=1\nSTATUS=serving");
		} else {
			server_watch_give_up(&server->watch);
		}
		server_watch_run(&server->watch);
		end(server);
		pthread_barrier_wait(&server->over);
		code = conclude(server, code);
	}
	serve_site_put(server->site);
	for (unsigned i = 0; i < SERVE_RETIRED_MAX; i++)
		serve_site_put(server->retired[i]);
	server_unlisten(&server->listeners);
	return code;
}

int serve_server_run(const struct serve_config *config)
{
	struct serve_server *server = calloc(1, sizeof(*server));
	int code = CLI_MACHINE;

	if (!server)
		return cli_fail_errno("memory", ENOMEM, NULL);
	server->config = config;
	server->workers = (unsigned)config->workers;
	server->watch = (struct server_watch){ .reload = reload,
					       .drain = drain,
					       .cut = end,
					       .ctx = server,
					       .drain_ns = config->drain_ns,
					       .workers = server->workers,
					       .signal_fd = -1,
					       .ended_fd = -1 };
	server->worker = calloc(server->workers, sizeof(*server->worker));
	if (server->worker && server_clients_init(&server->clients, config->client_max) == 0)
		code = serve(server);
	server_watch_close(&server->watch);
	server_clients_fini(&server->clients);
	free(server->worker);
	free(server);
	return code;
}
