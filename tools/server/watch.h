/*
 * watch.h: the main thread while workers run: waits for signals, and says what is to be done.
 *
 *	SIGHUP: reload. SIGTERM, SIGINT: drain; again, or at the limit: cut.
 */
#ifndef SLUICE_TOOLS_SERVER_WATCH_H
#define SLUICE_TOOLS_SERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct server_watch {
	void (*reload)(void *ctx);
	void (*drain)(void *ctx);
	void (*cut)(void *ctx);
	void *ctx;
	uint64_t drain_ns; /* longest time between the two */
	unsigned workers;

	/* private: */
	int signal_fd;
	int ended_fd;
	unsigned ended;
	bool draining;
	bool cutting;
	int64_t limit_ms;
};

/* Before any thread is started: they must not take the signals. Return: 0 or -errno. */
int server_watch_open(struct server_watch *watch);
void server_watch_close(struct server_watch *watch);

/* A worker tells that it has ended; from its thread. */
void server_watch_tell(struct server_watch *watch);

/* Until all workers have ended; one that ends by itself takes the others with it. */
void server_watch_run(struct server_watch *watch);

/* Both at once: for a start that failed half-way. */
void server_watch_give_up(struct server_watch *watch);

#endif
