/* server.h: all workers, what they share, and the signals that tell them what to do. */
#ifndef SLUICE_TOOLS_SERVE_SERVER_H
#define SLUICE_TOOLS_SERVE_SERVER_H

#include "tools/serve/worker.h"
#include "tools/server/clients.h"
#include "tools/server/listen.h"
#include "tools/server/watch.h"

#define SERVE_RETIRED_MAX 8 /* sites that a worker may be about to take or leave */

struct serve_server {
	const struct serve_config *config;
	struct serve_site *site;
	struct server_clients clients;
	struct server_listeners listeners;
	struct server_watch watch;
	struct serve_worker *worker;
	unsigned workers;
	bool ending;	  /* the workers have been ordered to end */
	uint32_t reloads; /* this and the next two are atomic */
	uint32_t changes; /* by PUT and DELETE */
	uint64_t uploads;
	struct serve_site *retired[SERVE_RETIRED_MAX];
	pthread_barrier_t opened; /* all workers have, and the main thread looks at them */
	pthread_barrier_t over;	  /* none runs any more */
};

/* Runs it until a signal has ended it. Return: an exit code. */
int serve_server_run(const struct serve_config *config);

#endif
