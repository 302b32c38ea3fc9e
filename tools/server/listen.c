/* listen.c: where a server listens, with a socket for each of its workers; see listen.h. */
#include "tools/server/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sluice/ring.h>

void server_unlisten(struct server_listeners *listeners)
{
	for (unsigned i = 0; i < listeners->nr; i++) {
		for (unsigned w = 0; w < SERVER_WORKERS_MAX; w++) {
			int fd = listeners->listener[i].fd[w];

			if (fd >= 0 && !listeners->listener[i].closed[w] &&
			    (w == 0 || fd != listeners->listener[i].fd[0]))
				close(fd);
		}
	}
	listeners->nr = 0;
}

void server_leave(struct server_listener *listener, unsigned worker)
{
	unsigned users = 0, sharers = 0;

	for (unsigned w = 0; w < SERVER_WORKERS_MAX && listener->fd[w] >= 0; w++) {
		users++;
		sharers += listener->fd[w] == listener->fd[0];
	}
	if (sharers == 1) {
		close(listener->fd[worker]);
		/* Not -1: others count; what is closed here is not closed again. */
		listener->closed[worker] = true;
	} else if (__atomic_add_fetch(&listener->left, 1, __ATOMIC_ACQ_REL) == users) {
		close(listener->fd[0]);
		listener->closed[0] = true;
	}
}

static struct server_listener *add_listener(struct server_listeners *listeners, bool admin)
{
	struct server_listener *listener = &listeners->listener[listeners->nr++];

	listener->admin = admin;
	for (unsigned i = 0; i < SERVER_WORKERS_MAX; i++)
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

/*
 * One socket for each worker where the kernel can spread connections, else one for all of them. No
 * workers: of the metrics.
 */
/* What a process that was killed leaves is let go of a moment later, rings last of all. */
static int listen_patiently(struct sl_ring *ring, const struct sl_sock_addr *addr)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	int fd = sl_sock_listen(ring, addr, NULL);

	for (unsigned i = 0; fd == -EADDRINUSE && i < 20; i++) {
		nanosleep(&pause, NULL);
		fd = sl_sock_listen(ring, addr, NULL);
	}
	return fd;
}

/* Sockets that share a port with each other would share it with another server, too: so the first
 * one is made alone, which tells whether the port is taken, and makes way for those that share. */
static int listen_first(struct sl_ring *ring, struct sl_sock_addr *addr,
			const struct sl_sock_listen_opts *opts)
{
	int fd = listen_patiently(ring, addr), err;

	if (fd < 0 || !opts->flags)
		return fd;
	err = sl_sock_addr_of(ring, fd, 0, addr);
	close(fd);
	return err ? err : sl_sock_listen(ring, addr, opts);
}

static int listen_at(struct server_listeners *listeners, unsigned workers, struct sl_ring *ring,
		     const char *where)
{
	struct sl_sock_listen_opts opts = { 0 };
	struct server_listener *listener;
	struct sl_sock_addr addr;
	unsigned nr = workers ? workers : 1;
	bool spread;
	int err = sl_sock_addr_parse(where, &addr), fd;

	if (err)
		return fail_listen(where, err);
	if (listeners->nr == SERVER_LISTENERS_MAX)
		return cli_usage(where, "is one address too many");
	spread = addr.any.sa_family != AF_UNIX && nr > 1;
	opts.flags = spread ? SL_SOCK_REUSEPORT : 0;
	fd = listen_first(ring, &addr, &opts);
	if (fd < 0)
		return fail_listen(where, fd);
	listener = add_listener(listeners, !workers);
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
static int inherit(struct server_listeners *listeners, unsigned workers, struct sl_ring *ring)
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
		struct server_listener *listener;

		if (!passed[i].listening || passed[i].type != SOCK_STREAM)
			return cli_fail(CLI_USAGE, "sockets passed by the service manager",
					"one of them is no stream socket that listens",
					"want ListenStream= and Accept=no, see systemd.socket(5)");
		listener = add_listener(listeners, admin);
		listener->addr = passed[i].addr;
		for (unsigned w = 0; w < (admin ? 1 : workers); w++)
			listener->fd[w] = passed[i].fd;
	}
	return CLI_DONE;
}

static bool any_served(const struct server_listeners *listeners)
{
	for (unsigned i = 0; i < listeners->nr; i++) {
		if (!listeners->listener[i].admin)
			return true;
	}
	return false;
}

int server_listen(struct server_listeners *listeners, unsigned workers,
		  const struct cli_list *where, const char *otherwise, const char *metrics)
{
	struct sl_ring *ring;
	int err = sl_ring_open(NULL, &ring), code;

	if (err)
		return cli_fail_errno("the ring", err, "see `sluice probe`");
	code = inherit(listeners, workers, ring);
	for (uint32_t i = 0; i < where->nr && code == CLI_DONE; i++)
		code = listen_at(listeners, workers, ring, where->value[i]);
	if (code == CLI_DONE && !any_served(listeners))
		code = otherwise ?
			       listen_at(listeners, workers, ring, otherwise) :
			       cli_usage("--listen", "missing; want 127.0.0.1:8080 or the like");
	if (code == CLI_DONE && metrics)
		code = listen_at(listeners, 0, ring, metrics);
	sl_ring_close(ring);
	return code;
}

void server_say_where(const struct server_listeners *listeners, const char *command,
		      const char *what)
{
	char text[SL_SOCK_ADDR_TEXT];

	for (unsigned i = 0; i < listeners->nr; i++) {
		const struct server_listener *listener = &listeners->listener[i];

		sl_sock_addr_format(&listener->addr, text, sizeof(text));
		fprintf(stderr, "sluice %s: %s on %s\n", command,
			listener->admin ? "metrics" : what, text);
	}
}
