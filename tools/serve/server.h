/* server.h: all workers, what they share, and the signals that tell them what to do. */
#ifndef SLUICE_TOOLS_SERVE_SERVER_H
#define SLUICE_TOOLS_SERVE_SERVER_H

#include "tools/serve/worker.h"
#include "tools/server/clients.h"
#include "tools/server/crew.h"
#include "tools/server/listen.h"

#define SERVE_RETIRED_MAX 8 /* sites that a worker may be about to take or leave */

struct serve_server {
	struct server_crew crew;
	const struct serve_config *config;
	struct serve_confined confined;
	struct serve_site *site;
	struct server_clients clients;
	struct server_listeners listeners;
	struct serve_worker *worker;
	unsigned workers;
	uint32_t changes; /* by PUT and DELETE; this and the next are atomic */
	uint64_t uploads;
	struct serve_site *retired[SERVE_RETIRED_MAX];
	unsigned retired_at;
};

/* Runs it until a signal has ended it. Return: an exit code. */
int serve_server_run(const struct serve_config *config);

#endif
