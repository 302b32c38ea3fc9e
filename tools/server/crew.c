/* crew.c: worker threads with a ring each; see crew.h. */
#include "tools/server/crew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/server/listen.h"
#include "tools/server/manager.h"
#include "tools/server/metrics.h"

#define DEPTH_MAX 32768

/* ---- a hand, on its thread -------------------------------------------------------------- */

static void on_reload(struct sl_ring *ring, struct sl_op *op)
{
	struct server_hand *hand = op->user;

	(void)ring;
	if (op->res < 0)
		return;
	/* Pairs with the exchange in post_reload(): the op is idle again. */
	__atomic_store_n(&hand->reload_asked, 0, __ATOMIC_RELEASE);
	hand->crew->ops->reload(hand);
}

static void on_drain(struct sl_ring *ring, struct sl_op *op)
{
	struct server_hand *hand = op->user;

	(void)ring;
	if (op->res >= 0)
		hand->crew->ops->drain(hand);
}

static void on_end(struct sl_ring *ring, struct sl_op *op)
{
	struct server_hand *hand = op->user;

	(void)ring;
	if (op->res < 0)
		return;
	hand->cut_nr = hand->crew->ops->left(hand);
	hand->ended = true;
}

static void prepare_order(struct server_hand *hand, struct sl_op *op, sl_op_fn *done)
{
	op->user = hand;
	op->done = done;
}

static void tell(struct server_hand *hand)
{
	if (!hand->told)
		server_watch_tell(&hand->crew->watch);
	hand->told = true;
}

static int run_ring(struct server_hand *hand)
{
	const struct server_crew_ops *ops = hand->crew->ops;
	int rc = 0;

	while (rc >= 0 && !hand->ended) {
		rc = sl_ring_run(hand->ring, 0);
		if (ops->turned)
			ops->turned(hand);
		if (ops->is_drained(hand))
			tell(hand);
	}
	return rc < 0 ? rc : 0;
}

/* The main thread says it, when all have opened theirs. */
static void note(void *ctx, int level, const char *text)
{
	struct server_hand *hand = ctx;

	if (level <= SL_LOG_WARN && !hand->ready)
		snprintf(hand->said, sizeof(hand->said), "%s", text);
}

static int open_ring(struct server_hand *hand, unsigned conns)
{
	struct sl_ring_opts opts = { .depth = 2 * conns + 1024,
				     .park_max = 4 * conns + 4096,
				     .flags = SL_RING_SIGPIPE_IGNORED,
				     .backend = hand->crew->backend,
				     .log = note,
				     .log_ctx = hand };

	/* What was asked for by name is not what another one does in its place. */
	if (opts.backend)
		opts.flags |= SL_RING_NO_FALLBACK;
	if (opts.depth > DEPTH_MAX)
		opts.depth = DEPTH_MAX;
	return sl_ring_open(&opts, &hand->ring);
}

static void *run_hand(void *ctx)
{
	struct server_hand *hand = ctx;
	struct server_crew *crew = hand->crew;

	hand->err = open_ring(hand, crew->conns_each);
	if (hand->err == 0)
		hand->err = crew->ops->open(hand);
	hand->ready = hand->err == 0;
	pthread_barrier_wait(&crew->opened);
	if (hand->ready)
		hand->err = run_ring(hand);
	tell(hand);
	/* Others look at what this one has counted, and the main thread posts to its ring, until
	 * all have ended. */
	pthread_barrier_wait(&crew->over);
	if (hand->ring)
		crew->ops->close(hand);
	return NULL;
}

/* ---- orders, on the main thread --------------------------------------------------------- */

/* Each of these is given once; see post_reload() for the other. */
static void post(struct server_crew *crew, size_t order)
{
	for (unsigned i = 0; i < crew->workers; i++) {
		struct server_hand *hand = &crew->hand[i];

		if (hand->ready)
			sl_ring_post(hand->ring, (struct sl_op *)(void *)((char *)hand + order));
	}
}

#define POST(crew, member) post(crew, offsetof(struct server_hand, member))

/* Pairs with the release in on_reload(): the op is idle again. One still on its way will do. */
static void post_reload(struct server_crew *crew)
{
	for (unsigned i = 0; i < crew->workers; i++) {
		struct server_hand *hand = &crew->hand[i];

		if (hand->ready && !__atomic_exchange_n(&hand->reload_asked, 1, __ATOMIC_ACQ_REL))
			sl_ring_post(hand->ring, &hand->reload);
	}
}

static void tell_manager(const struct server_crew *crew)
{
	char text[64];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", crew->status);
	server_manager_tell(text);
}

static void reload(void *ctx)
{
	struct server_crew *crew = ctx;

	server_manager_tell("RELOADING=1\nSTATUS=reloading");
	if (crew->renew(crew)) {
		post_reload(crew);
		__atomic_fetch_add(&crew->reloads, 1, __ATOMIC_RELAXED);
		fprintf(stderr, "sluice %s: reloaded\n", crew->name);
	} else {
		fprintf(stderr, "sluice %s: not reloaded, going on as before\n", crew->name);
	}
	tell_manager(crew);
}

static void drain(void *ctx)
{
	POST((struct server_crew *)ctx, drain);
}

/* Once: by a second signal, at the limit of a drain, or when all have drained. */
static void end(void *ctx)
{
	struct server_crew *crew = ctx;

	if (!crew->ending)
		POST(crew, end);
	crew->ending = true;
}

/* ---- the crew --------------------------------------------------------------------------- */

uint64_t server_processors(void)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN);

	if (nr < 1)
		return 1;
	return nr < SERVER_WORKERS_MAX ? (uint64_t)nr : SERVER_WORKERS_MAX;
}

int server_crew_open(struct server_crew *crew)
{
	int err;

	crew->watch = (struct server_watch){ .reload = reload,
					     .drain = drain,
					     .cut = end,
					     .ctx = crew,
					     .drain_ns = crew->drain_ns,
					     .workers = crew->workers,
					     .signal_fd = -1,
					     .ended_fd = -1 };
	crew->hand = calloc(crew->workers, sizeof(*crew->hand));
	if (!crew->hand)
		return cli_fail_errno("memory", ENOMEM, NULL);
	err = server_watch_open(&crew->watch);
	return err ? cli_fail_errno("signals", err, NULL) : CLI_DONE;
}

void server_crew_close(struct server_crew *crew)
{
	server_watch_close(&crew->watch);
	free(crew->hand);
	crew->hand = NULL;
}

static int fail_ring(const struct server_hand *hand)
{
	if (hand->said[0])
		return cli_fail(hand->err == -EINVAL ? CLI_USAGE : CLI_MACHINE, "a worker's ring",
				hand->said, "see `sluice probe`");
	return cli_fail_errno("a worker's ring", hand->err,
			      "see `sluice probe`, try a smaller --max-connections");
}

/* Why it is not the ring it might be; once for all workers that have it alike. */
static void say_ring(const struct server_hand *hand)
{
	const struct server_hand *first = hand->crew->hand;
	const struct sl_caps *caps = sl_ring_caps(hand->ring);

	if (!hand->said[0] || (hand != first && strcmp(hand[-1].said, hand->said) == 0))
		return;
	fprintf(stderr, "sluice %s: on %s, not as well as it might: %s\n", hand->crew->name,
		caps->backend, caps->why);
}

static void start_hand(struct server_hand *hand)
{
	int err;

	prepare_order(hand, &hand->reload, on_reload);
	prepare_order(hand, &hand->drain, on_drain);
	prepare_order(hand, &hand->end, on_end);
	err = pthread_create(&hand->thread, NULL, run_hand, hand);
	if (err) {
		cli_fail_errno("worker threads", err, "try fewer --workers");
		_exit(CLI_MACHINE); /* those that run wait for this one */
	}
}

int server_crew_start(struct server_crew *crew, void *workers, size_t bytes, unsigned conns_each)
{
	crew->conns_each = conns_each;
	pthread_barrier_init(&crew->opened, NULL, crew->workers + 1);
	pthread_barrier_init(&crew->over, NULL, crew->workers + 1);
	for (unsigned i = 0; i < crew->workers; i++) {
		crew->hand[i].crew = crew;
		crew->hand[i].idx = i;
		crew->hand[i].worker = (char *)workers + i * bytes;
		start_hand(&crew->hand[i]);
	}
	crew->started = true;
	pthread_barrier_wait(&crew->opened);
	for (unsigned i = 0; i < crew->workers; i++) {
		if (crew->hand[i].err)
			return fail_ring(&crew->hand[i]);
		say_ring(&crew->hand[i]);
	}
	return CLI_DONE;
}

static const char *backend_of(const struct server_hand *hand)
{
	return sl_ring_caps(hand->ring)->backend;
}

void server_crew_put_metrics(const struct server_crew *crew, struct server_writer *out,
			     const char *prefix)
{
	char name[64];

	snprintf(name, sizeof(name), "%srings", prefix);
	server_put_metric_head(out, &(struct server_metric){ name, "gauge",
							     "Rings by what they run on", 0 });
	for (unsigned i = 0; crew->hand && i < crew->workers; i++) {
		const char *backend = backend_of(&crew->hand[i]);
		unsigned before = 0, nr = 0;

		for (unsigned k = 0; k < crew->workers; k++) {
			bool same = strcmp(backend_of(&crew->hand[k]), backend) == 0;

			before += same && k < i;
			nr += same;
		}
		if (before)
			continue; /* it has its line */
		server_put_string(out, name);
		server_put_string(out, "{backend=\"");
		server_put_string(out, backend);
		server_put_string(out, "\"} ");
		server_put_number(out, nr);
		server_put(out, "\n", 1);
	}
}

static int join(struct server_crew *crew, unsigned *cut_nr)
{
	int err = 0;

	for (unsigned i = 0; i < crew->workers; i++) {
		pthread_join(crew->hand[i].thread, NULL);
		*cut_nr += crew->hand[i].cut_nr;
		if (crew->hand[i].err)
			err = crew->hand[i].err;
	}
	return err;
}

int server_crew_run(struct server_crew *crew, int code)
{
	unsigned cut_nr = 0;
	int err;

	if (!crew->started)
		return code;
	if (code == CLI_DONE)
		tell_manager(crew);
	else
		server_watch_give_up(&crew->watch);
	server_watch_run(&crew->watch);
	end(crew);
	pthread_barrier_wait(&crew->over);
	err = join(crew, &cut_nr);
	if (code != CLI_DONE)
		return code; /* it has been told why */
	if (err)
		return cli_fail_errno("a worker's ring", err, NULL);
	if (cut_nr)
		fprintf(stderr, "sluice %s: ended with %u connection%s cut\n", crew->name, cut_nr,
			cut_nr == 1 ? "" : "s");
	else
		fprintf(stderr, "sluice %s: ended\n", crew->name);
	return CLI_DONE;
}
