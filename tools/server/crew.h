/*
 * crew.h: worker threads with a ring each, and the orders the main thread posts to their rings.
 *
 *	open --> running --order: drain--> draining --nothing left--> told so --+
 *	            |                         |                                 |
 *	            +-------------------------+--order: end---------------------+--> closed
 *
 * One that has nothing left to do runs on until it is ordered to end, when all have told so: what
 * it closed goes on closing, and its metrics are shown. The main thread has no ring while workers
 * run: it waits for signals, and posts.
 */
#ifndef SLUICE_TOOLS_SERVER_CREW_H
#define SLUICE_TOOLS_SERVER_CREW_H

#include <pthread.h>
#include <sluice/sluice.h>

#include "tools/server/watch.h"
#include "tools/server/writer.h"

struct server_crew;

/* One of the threads, which alone looks at what is here. */
struct server_hand {
	struct server_crew *crew;
	void *worker; /* what the server makes of it */
	unsigned idx;
	struct sl_ring *ring;

	/* private: */
	pthread_t thread;
	int err;
	char said[256]; /* the last that its ring had to say of what does not work; "" : nothing */
	bool ready;
	bool told;	      /* that it has nothing left to do */
	bool ended;	      /* ordered to end */
	unsigned cut_nr;      /* what that order has cut */
	uint8_t reload_asked; /* atomic: the order is on its way */
	struct sl_op reload;  /* this and the next two are posted by the main thread */
	struct sl_op drain;
	struct sl_op end;
};

/* What a server does on the thread of a hand. */
struct server_crew_ops {
	/* On its ring. Return: 0 or -errno; close() follows in any case. */
	int (*open)(struct server_hand *hand);
	/* Cuts what is left. The ring may be run, and is closed here, not after. */
	void (*close)(struct server_hand *hand);
	void (*turned)(struct server_hand *hand); /* after each turn; NULL: nothing is to be done */
	void (*reload)(struct server_hand *hand);
	void (*drain)(struct server_hand *hand); /* once */
	/* Whether drain() was called, nothing is left, and nobody new can come. */
	bool (*is_drained)(const struct server_hand *hand);
	/* How many an order to end cuts now. */
	unsigned (*left)(const struct server_hand *hand);
};

struct server_crew {
	const char *name;   /* of the command, as messages have it: "serve" */
	const char *status; /* for the service manager: "serving" */
	const struct server_crew_ops *ops;
	/* On the main thread: makes what reload() will take. Return: whether there is something. */
	bool (*renew)(struct server_crew *crew);
	uint64_t drain_ns;   /* longest time that a drain may take */
	const char *backend; /* of the rings, this one alone; NULL: the best that works */
	unsigned workers;
	uint64_t reloads; /* atomic */

	/* private: */
	struct server_hand *hand;
	struct server_watch watch;
	unsigned conns_each;
	bool started;
	bool ending;		  /* the order has been posted */
	pthread_barrier_t opened; /* all hands have, and the main thread looks at them */
	pthread_barrier_t over;	  /* none runs any more */
};

/* Connections at a time, unless somebody asks for another number or descriptors are too few. */
#define SERVER_CONNECTIONS 10000

/* As many hands as there are processors, unless somebody knows better. */
uint64_t server_processors(void);

/* Before any thread is started and after the fields above private are set. Return: an exit code;
 * server_crew_close() follows in any case. */
int server_crew_open(struct server_crew *crew);
void server_crew_close(struct server_crew *crew);

/**
 * server_crew_start() - start the threads, wait until all are open.
 * @crew: opened.
 * @workers: an array of what the hands work on, one after the other.
 * @bytes: of each.
 * @conns_each: connections of each, by which its ring is made: two ops for each, and for files.
 *
 * Return: an exit code, which server_crew_run() takes.
 */
int server_crew_start(struct server_crew *crew, void *workers, size_t bytes, unsigned conns_each);

/* How many rings run on which backend. */
void server_crew_put_metrics(const struct server_crew *crew, struct server_writer *out,
			     const char *prefix);

/* Until all that were started have ended, by signals or because one broke; at once if the code of
 * the start is one of a failure. Return: an exit code, having said what there is to be said. */
int server_crew_run(struct server_crew *crew, int code);

#endif
