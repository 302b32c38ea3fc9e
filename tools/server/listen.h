/* listen.h: where a server listens, with a socket for each of its workers. */
#ifndef SLUICE_TOOLS_SERVER_LISTEN_H
#define SLUICE_TOOLS_SERVER_LISTEN_H

#include <stdbool.h>

#include <sluice/sock.h>

#include "tools/cli.h"

#define SERVER_WORKERS_MAX   64
#define SERVER_LISTENERS_MAX 48

struct server_listener {
	struct sl_sock_addr addr;
	int fd[SERVER_WORKERS_MAX]; /* one for each worker; the same one where it cannot be shared
				      out */
	bool closed[SERVER_WORKERS_MAX];
	uint32_t left; /* workers that have done with it; atomic */
	bool admin;    /* of /metrics, at the first worker only */
};

struct server_listeners {
	struct server_listener listener[SERVER_LISTENERS_MAX];
	unsigned nr;
};

/**
 * server_listen() - take the sockets of the service manager, then listen where told.
 * @where: addresses as sl_sock_addr_parse() takes them.
 * @otherwise: where to listen when that gives none; NULL: that is wrong usage.
 * @metrics: where the metrics are; NULL: nowhere. A passed socket named metrics is for them, too.
 *
 * Return: an exit code, after a message unless CLI_DONE; server_unlisten() ends it in any case.
 */
int server_listen(struct server_listeners *listeners, unsigned workers,
		  const struct cli_list *where, const char *otherwise, const char *metrics);
void server_unlisten(struct server_listeners *listeners);

/* A worker accepts no more: its socket is closed, one of all workers by the last of them. From then
 * on connections are refused instead of waiting for nobody. */
void server_leave(struct server_listener *listener, unsigned worker);

/* A line for each on stderr: "sluice COMMAND: WHAT on ADDRESS". */
void server_say_where(const struct server_listeners *listeners, const char *command,
		      const char *what);

#endif
