/*
 * server.c: all workers, what they share, and the signals that tell them what to do.
 *
 *	listen -> open the site -> drop the user, confine -> start workers -> say where -> signals
 *	SIGHUP: open the site anew, tell the workers; on failure the old one stays.
 *	SIGTERM, SIGINT: drain; again, or at the limit: cut.
 *
 * The main thread has no ring while workers run: it waits for signals, and posts to their rings.
 */
#include "tools/serve/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/serve/confine.h"
#include "tools/serve/manager.h"

#define DESCRIPTORS_SPARE 128 /* of each worker: its ring, and files being looked at */

/* ---- listening -------------------------------------------------------------------------- */

static void close_listeners(struct serve_server *server)
{
	for (unsigned i = 0; i < server->listeners; i++) {
		for (unsigned w = 0; w < SERVE_WORKERS_MAX; w++) {
			int fd = server->listener[i].fd[w];

			if (fd >= 0 && (w == 0 || fd != server->listener[i].fd[0]))
				close(fd);
		}
	}
	server->listeners = 0;
}

static struct serve_listener *add_listener(struct serve_server *server, bool admin)
{
	struct serve_listener *listener = &server->listener[server->listeners++];

	listener->admin = admin;
	for (unsigned i = 0; i < SERVE_WORKERS_MAX; i++)
		listener->fd[i] = -1;
	return listener;
}

static int fail_listen(const char *where, int err)
{
	switch (-err) {
	case EINVAL:
	case ENOENT:
		return cli_usage(where, "is no address; want 127.0.0.1:8080, [::1]:8080, :8080 or "
					"unix:PATH");
	case EADDRINUSE:
		return cli_fail(CLI_MACHINE, where, "somebody listens there already",
				"try another port, or port 0 for a free one");
	case EADDRNOTAVAIL:
		return cli_fail(CLI_MACHINE, where, "this machine does not have the address",
				"see `ip addr`");
	case EACCES:
		return cli_fail(CLI_MACHINE, where, strerror(-err),
				"ports below 1024 need root or CAP_NET_BIND_SERVICE, try 8080");
	default:
		return cli_fail_errno(where, err, NULL);
	}
}

/* One socket for each worker where the kernel can spread connections, else one for all of them. */
static int listen_at(struct serve_server *server, struct sl_ring *ring, const char *where,
		     bool admin)
{
	struct sl_sock_listen_opts opts = { 0 };
	struct serve_listener *listener;
	struct sl_sock_addr addr;
	unsigned nr = admin ? 1 : server->workers;
	bool spread;
	int err = sl_sock_addr_parse(where, &addr), fd;

	if (err)
		return fail_listen(where, err);
	if (server->listeners == SERVE_LISTENERS_MAX)
		return cli_usage(where, "is one address too many");
	spread = addr.any.sa_family != AF_UNIX && nr > 1;
	opts.flags = spread ? SL_SOCK_REUSEPORT : 0;
	fd = sl_sock_listen(ring, &addr, &opts);
	if (fd < 0)
		return fail_listen(where, fd);
	listener = add_listener(server, admin);
	listener->fd[0] = fd;
	err = sl_sock_addr_of(ring, fd, 0, &listener->addr);
	for (unsigned i = 1; i < nr && err == 0; i++) {
		fd = spread ? sl_sock_listen(ring, &listener->addr, &opts) : listener->fd[0];
		listener->fd[i] = fd;
		err = fd < 0 ? fd : 0;
	}
	return err ? fail_listen(where, err) : CLI_DONE;
}

/* Those that the service manager passed; each worker accepts from all of them. */
static int inherit(struct serve_server *server, struct sl_ring *ring)
{
	struct sl_sock_inherited passed[CLI_LIST_MAX];
	int nr = sl_sock_inherit(ring, passed, CLI_LIST_MAX);

	if (nr == -EOPNOTSUPP)
		return CLI_DONE;
	if (nr < 0)
		return cli_fail_errno("sockets passed by the service manager", nr,
				      "want stream sockets that listen, see systemd.socket(5)");
	for (int i = 0; i < nr; i++) {
		bool admin = strcmp(passed[i].name, "metrics") == 0;
		struct serve_listener *listener;

		if (!passed[i].listening || passed[i].type != SOCK_STREAM)
			return cli_fail(CLI_USAGE, "sockets passed by the service manager",
					"one of them is no stream socket that listens",
					"want ListenStream= and Accept=no, see systemd.socket(5)");
		listener = add_listener(server, admin);
		listener->addr = passed[i].addr;
		for (unsigned w = 0; w < (admin ? 1 : server->workers); w++)
			listener->fd[w] = passed[i].fd;
	}
	return CLI_DONE;
}

static bool any_served(const struct serve_server *server)
{
	for (unsigned i = 0; i < server->listeners; i++) {
		if (!server->listener[i].admin)
			return true;
	}
	return false;
}

static int open_listeners(struct serve_server *server)
{
	const struct serve_config *config = server->config;
	struct sl_ring *ring;
	int err = sl_ring_open(NULL, &ring), code;

	if (err)
		return cli_fail_errno("the ring", err, "see `sluice probe`");
	code = inherit(server, ring);
	for (uint32_t i = 0; i < config->listen.nr && code == CLI_DONE; i++)
		code = listen_at(server, ring, config->listen.value[i], false);
	if (code == CLI_DONE && !any_served(server))
		code = listen_at(server, ring, "127.0.0.1:8080", false);
	if (code == CLI_DONE && config->metrics)
		code = listen_at(server, ring, config->metrics, true);
	sl_ring_close(ring);
	return code;
}

static void say_where(const struct serve_server *server)
{
	char text[SL_SOCK_ADDR_TEXT];

	for (unsigned i = 0; i < server->listeners; i++) {
		const struct serve_listener *listener = &server->listener[i];

		sl_sock_addr_format(&listener->addr, text, sizeof(text));
		if (listener->admin)
			fprintf(stderr, "sluice serve: metrics on %s\n", text);
		else
			fprintf(stderr, "sluice serve: %s on %s\n", server->config->root, text);
	}
}

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
		fprintf(stderr,
			"sluice serve: --max-connections: %llu need more descriptors than the limit "
			"of %llu leaves; serving %llu, raise `ulimit -n` for more\n",
			(unsigned long long)config->connections_max,
			(unsigned long long)limit.rlim_cur,
			(unsigned long long)(room * server->workers));
		each = room;
	}
	return each ? each : 1;
}

/* ---- workers ---------------------------------------------------------------------------- */

static void *run_worker(void *ctx)
{
	struct serve_worker *worker = ctx;
	struct serve_server *server = worker->server;
	uint64_t one = 1;

	worker->err = serve_worker_open(worker);
	worker->ready = worker->err == 0;
	pthread_barrier_wait(&server->opened);
	if (worker->ready)
		worker->err = serve_worker_run(worker);
	if (write(server->ended_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd takes it */
	/* Others may look at what this one has counted until all have ended. */
	pthread_barrier_wait(&server->over);
	serve_worker_close(worker);
	return NULL;
}

static int start_workers(struct serve_server *server)
{
	uint64_t conns_max = conns_of_each(server);
	int err;

	pthread_barrier_init(&server->opened, NULL, server->workers + 1);
	pthread_barrier_init(&server->over, NULL, server->workers);
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

static void post(struct serve_server *server, size_t which)
{
	for (unsigned i = 0; i < server->workers; i++) {
		struct serve_worker *worker = &server->worker[i];
		struct sl_op *op = (struct sl_op *)((char *)worker + which);

		/* One that is still on its way does what this one would. */
		if (worker->ready && !sl_op_busy(op))
			sl_ring_post(worker->ring, op);
	}
}

#define POST(server, member) post(server, offsetof(struct serve_worker, member))

static void reload(struct serve_server *server)
{
	struct serve_site *site, *old = server->site;

	serve_manager_tell("RELOADING=1\nSTATUS=reloading");
	if (serve_site_open(server->config, &site) == CLI_DONE) {
		/* Workers take it when they get the order, which is posted after this. */
		__atomic_store_n(&server->site, site, __ATOMIC_RELEASE);
		POST(server, reload);
		server->retired[server->reloads % SERVE_RETIRED_MAX] = old;
		__atomic_fetch_add(&server->reloads, 1, __ATOMIC_RELAXED);
		serve_site_put(server->retired[server->reloads % SERVE_RETIRED_MAX]);
		server->retired[server->reloads % SERVE_RETIRED_MAX] = NULL;
		fprintf(stderr, "sluice serve: reloaded\n");
	} else {
		fprintf(stderr, "sluice serve: not reloaded, going on as before\n");
	}
	serve_manager_tell("READY=1\nSTATUS=serving");
}

/* ---- signals ---------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* What the main thread knows while it waits. */
struct watch {
	int signal_fd;
	unsigned ended;
	bool draining;
	bool cut;
	int64_t limit_ms;
};

static void begin_drain(struct serve_server *server, struct watch *watch)
{
	watch->draining = true;
	watch->limit_ms = now_ms() + (int64_t)(server->config->drain_ns / 1000000);
	serve_manager_tell("STOPPING=1\nSTATUS=draining");
	POST(server, drain);
}

static void end_now(struct serve_server *server, struct watch *watch)
{
	watch->cut = true;
	POST(server, end);
}

static void on_signal(struct serve_server *server, struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		reload(server);
	else if (watch->draining)
		end_now(server, watch);
	else
		begin_drain(server, watch);
}

static int wait_ms(const struct watch *watch)
{
	int64_t left = watch->limit_ms - now_ms();

	if (!watch->draining || watch->cut)
		return -1;
	if (left < 0)
		return 0;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* Until all workers have ended. */
static void watch_signals(struct serve_server *server, struct watch *watch)
{
	struct pollfd fds[2] = { { .fd = watch->signal_fd, .events = POLLIN },
				 { .fd = server->ended_fd, .events = POLLIN } };
	uint64_t nr;

	while (watch->ended < server->workers) {
		int rc = poll(fds, 2, wait_ms(watch));

		if (rc == 0)
			end_now(server, watch);
		if (rc > 0 && fds[0].revents)
			on_signal(server, watch);
		if (rc > 0 && fds[1].revents && read(server->ended_fd, &nr, sizeof(nr)) > 0) {
			watch->ended += (unsigned)nr;
			/* A worker whose ring broke takes the others with it. */
			if (!watch->draining && watch->ended < server->workers)
				begin_drain(server, watch);
		}
	}
}

static int open_watch(struct serve_server *server, struct watch *watch)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	watch->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	server->ended_fd = eventfd(0, EFD_CLOEXEC);
	if (watch->signal_fd < 0 || server->ended_fd < 0)
		return cli_fail_errno("signals", errno, NULL);
	return CLI_DONE;
}

/* Joins the workers. Return: an exit code. */
static int conclude(struct serve_server *server)
{
	unsigned cut = 0;
	int err = 0;

	for (unsigned i = 0; i < server->workers; i++) {
		pthread_join(server->worker[i].thread, NULL);
		cut += server->worker[i].cut_nr;
		if (server->worker[i].err)
			err = server->worker[i].err;
	}
	if (err)
		return cli_fail_errno("a worker's ring", err, NULL);
	if (cut)
		fprintf(stderr, "sluice serve: ended with %u connection%s cut\n", cut,
			cut == 1 ? "" : "s");
	else
		fprintf(stderr, "sluice serve: ended\n");
	return CLI_DONE;
}

static int serve(struct serve_server *server)
{
	struct watch watch = { .signal_fd = -1 };
	int code = open_watch(server, &watch);

	if (code == CLI_DONE)
		code = open_listeners(server);
	if (code == CLI_DONE)
		code = serve_site_open(server->config, &server->site);
	if (code == CLI_DONE)
		code = serve_confine(server->config);
	if (code == CLI_DONE) {
		code = start_workers(server);
		if (code == CLI_DONE) {
			say_where(server);
			serve_manager_tell("READY=1\nSTATUS=serving");
		} else {
			begin_drain(server, &watch);
			end_now(server, &watch);
		}
		watch_signals(server, &watch);
		code = code ? code : conclude(server);
	}
	serve_site_put(server->site);
	for (unsigned i = 0; i < SERVE_RETIRED_MAX; i++)
		serve_site_put(server->retired[i]);
	close_listeners(server);
	if (watch.signal_fd >= 0)
		close(watch.signal_fd);
	if (server->ended_fd >= 0)
		close(server->ended_fd);
	return code;
}

int serve_server_run(const struct serve_config *config)
{
	struct serve_server *server = calloc(1, sizeof(*server));
	int code = CLI_MACHINE;

	if (!server)
		return cli_fail_errno("memory", ENOMEM, NULL);
	server->config = config;
	server->ended_fd = -1;
	server->workers = (unsigned)config->workers;
	server->worker = calloc(server->workers, sizeof(*server->worker));
	if (server->worker && serve_clients_init(&server->clients, config->client_max) == 0)
		code = serve(server);
	serve_clients_fini(&server->clients);
	free(server->worker);
	free(server);
	return code;
}
