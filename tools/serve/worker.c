/* worker.c: one thread with a ring of its own: accepts, keeps time, takes orders. */
#include "tools/serve/worker.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tools/serve/conn.h"
#include "tools/serve/server.h"

#define TICK_NS	     500000000
#define RECV_BUFFERS 512
#define RECV_BYTES   16384
#define STARVED_IDLE 8 /* idle connections closed when descriptors run out */
#define IDLE_MIN_NS  INT64_C(100000000)

/* ---- time ------------------------------------------------------------------------------- */

void serve_worker_look_at_clock(struct serve_worker *worker)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	worker->second_due_ns = sl_ring_now(worker->ring) + 1000000000 - now.tv_nsec;
	if (worker->second == now.tv_sec)
		return;
	worker->second = now.tv_sec;
	http_date(worker->second, worker->date);
	http_log_date(worker->second, worker->log_date);
	http_stamp(worker->second, worker->stamp);
}

int64_t serve_worker_limit(const struct serve_worker *worker, enum serve_wait what)
{
	const struct serve_config *config = worker->config;

	switch (what) {
	case SERVE_WAIT_REQUEST:
		return (int64_t)config->idle_ns;
	case SERVE_WAIT_HEAD:
	case SERVE_WAIT_HANDSHAKE:
		return (int64_t)config->header_ns;
	case SERVE_WAIT_BODY:
	case SERVE_WAIT_PEER:
		return (int64_t)config->stall_ns;
	case SERVE_WAIT_LINGER:
		return INT64_C(2000000000);
	default:
		return INT64_MAX / 2;
	}
}

void serve_worker_forget(struct serve_worker *worker, struct serve_conn *conn)
{
	struct serve_waiting *list = &worker->waiting[conn->wait];

	if (!conn->listed)
		return;
	*(conn->prev ? &conn->prev->next : &list->first) = conn->next;
	*(conn->next ? &conn->next->prev : &list->last) = conn->prev;
	conn->listed = false;
}

void serve_worker_wait(struct serve_worker *worker, struct serve_conn *conn, enum serve_wait what)
{
	struct serve_waiting *list = &worker->waiting[what];

	serve_worker_forget(worker, conn);
	conn->wait = (uint8_t)what;
	conn->due_ns = sl_ring_now(worker->ring) + serve_worker_limit(worker, what);
	conn->sent_mark = serve_stream_sent(&conn->stream);
	conn->got_mark = conn->got;
	conn->next = NULL;
	conn->prev = list->last;
	*(list->last ? &list->last->next : &list->first) = conn;
	list->last = conn;
	conn->listed = true;
}

/* ---- accepting -------------------------------------------------------------------------- */

/* Makes room by closing what has been idle longest: those that do not get on with their handshake
 * first. One that has come just now is not idle yet; who wants to look at the numbers is not in the
 * way of those that are counted. Return: whether there was one. */
static bool evict_idle(struct serve_worker *worker)
{
	bool shaking = worker->waiting[SERVE_WAIT_HANDSHAKE].first;
	enum serve_wait what = shaking ? SERVE_WAIT_HANDSHAKE : SERVE_WAIT_REQUEST;
	struct serve_conn *conn = worker->waiting[what].first;
	int64_t began;

	while (conn && conn->admin)
		conn = conn->next;
	began = conn ? conn->due_ns - serve_worker_limit(worker, what) : 0;
	if (!conn || began + IDLE_MIN_NS > sl_ring_now(worker->ring))
		return false;
	server_count(&worker->counters.connections_evicted, 1);
	serve_conn_cut(conn);
	return true;
}

static void pause_doors(struct serve_worker *worker, bool full)
{
	if (worker->full == full)
		return;
	worker->full = full;
	if (full)
		server_count(&worker->counters.accept_pauses, 1);
	for (unsigned i = 0; i < worker->doors; i++) {
		if (worker->door[i].admin || !worker->door[i].open)
			continue;
		if (full)
			sl_sock_accept_pause(&worker->door[i].acceptor);
		else
			sl_sock_accept_resume(&worker->door[i].acceptor);
	}
}

static void on_accepted(struct sl_sock_acceptor *acceptor, int fd)
{
	struct serve_door *door = acceptor->user;
	struct serve_worker *worker = door->worker;

	worker->conns++;
	server_count(&worker->counters.connections, 1);
	server_count(&worker->counters.connections_now, 1);
	serve_conn_start(worker, door, fd);
	if (worker->conns >= worker->conns_max && !evict_idle(worker))
		pause_doors(worker, true);
}

static void on_door_ended(struct sl_sock_acceptor *acceptor, int err)
{
	struct serve_door *door = acceptor->user;

	(void)err;
	door->open = false;
	server_leave(door->listener, door->worker->idx);
}

void serve_worker_conn_ended(struct serve_worker *worker)
{
	worker->conns--;
	server_count(&worker->counters.connections_now, (uint64_t)-1);
	if (worker->full && worker->conns < worker->conns_max && !worker->draining)
		pause_doors(worker, false);
}

static uint64_t starved_nr(const struct serve_worker *worker)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < worker->doors; i++)
		nr += worker->door[i].acceptor.starved_nr;
	return nr;
}

/* Where descriptors ran out in accept, idle connections give theirs. */
void serve_worker_turned(struct serve_worker *worker)
{
	uint64_t nr = starved_nr(worker);

	if (nr == worker->counters.accept_starved)
		return;
	server_count(&worker->counters.accept_starved, nr - worker->counters.accept_starved);
	for (unsigned i = 0; i < STARVED_IDLE && evict_idle(worker); i++)
		;
}

/* ---- ticks ------------------------------------------------------------------------------ */

static void on_tick(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_worker *worker = op->user;
	int64_t now = serve_worker_now(worker);

	(void)ring;
	if (op->res < 0)
		return;
	for (unsigned i = 0; i < SERVE_WAITS; i++) {
		struct serve_conn *conn;

		/* Each moves to the end of a list, or out of all of them. */
		while ((conn = worker->waiting[i].first) && conn->due_ns <= now)
			serve_conn_due(conn);
	}
	if (worker->full)
		evict_idle(worker);
	server_log_flush(&worker->log);
}

/* ---- orders ----------------------------------------------------------------------------- */

void serve_worker_reload(struct serve_worker *worker)
{
	server_log_flush(&worker->log);
	serve_site_put(worker->site);
	worker->site = serve_site_get(__atomic_load_n(&worker->server->site, __ATOMIC_ACQUIRE));
	worker->log.fd = worker->site->log_fd;
	serve_cache_clear(&worker->cache);
}

/* Each is taken out of its list, or stays there as it is and is passed. */
static void for_all(struct serve_worker *worker, void (*deed)(struct serve_conn *conn))
{
	for (unsigned i = 0; i < SERVE_WAITS; i++) {
		struct serve_conn *conn = worker->waiting[i].first, *next;

		for (; conn; conn = next) {
			next = conn->next;
			deed(conn);
		}
	}
}

void serve_worker_drain(struct serve_worker *worker)
{
	worker->draining = true;
	for (unsigned i = 0; i < worker->doors; i++) {
		if (worker->door[i].open && !worker->door[i].admin)
			sl_sock_accept_stop(&worker->door[i].acceptor);
	}
	for_all(worker, serve_conn_drain);
}

/* Lingering ones have been sent all, which need not have arrived. */
static unsigned served_conns(const struct serve_worker *worker, bool lingering)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < SERVE_WAITS; i++) {
		for (const struct serve_conn *conn = worker->waiting[i].first; conn;
		     conn = conn->next)
			nr += !conn->admin && (lingering || !conn->lingering);
	}
	return nr;
}

bool serve_worker_is_drained(const struct serve_worker *worker)
{
	if (!worker->draining)
		return false;
	for (unsigned i = 0; i < worker->doors; i++) {
		if (worker->door[i].open && !worker->door[i].admin)
			return false;
	}
	return served_conns(worker, true) == 0;
}

unsigned serve_worker_left(const struct serve_worker *worker)
{
	return served_conns(worker, false);
}

/* ---- the life of a worker --------------------------------------------------------------- */

static int open_streams(struct serve_worker *worker)
{
	struct sl_buf_pool_opts pool = {
		.flags = SL_BUF_RECV,
		.count = RECV_BUFFERS,
		.buf_bytes = RECV_BYTES,
	};
	int err = sl_buf_pool_create(worker->ring, &pool, &worker->streams.pool);

	if (err == 0)
		err = sl_sock_pump_create(worker->ring, NULL, &worker->streams.pump);
	worker->streams.ring = worker->ring;
	worker->streams.secures = &worker->secures;
	return err;
}

static int open_doors(struct serve_worker *worker)
{
	struct serve_server *server = worker->server;

	for (unsigned i = 0; i < server->listeners.nr; i++) {
		struct server_listener *listener = &server->listeners.listener[i];
		struct serve_door *door = &worker->door[worker->doors];
		int err;

		if (listener->fd[worker->idx] < 0)
			continue;
		*door = (struct serve_door){
			.acceptor = { .fd = listener->fd[worker->idx],
				      .accepted = on_accepted,
				      .ended = on_door_ended,
				      .user = door },
			.worker = worker,
			.listener = listener,
			.admin = listener->admin,
			.open = true,
		};
		err = sl_sock_accept(worker->ring, &door->acceptor);
		if (err)
			return err;
		worker->doors++;
	}
	return 0;
}

int serve_worker_open(struct serve_worker *worker)
{
	const struct serve_config *config = worker->config;
	int err;

	worker->site = serve_site_get(worker->server->site);
	worker->log.fd = worker->site->log_fd;
	err = open_streams(worker);
	if (err == 0)
		err = serve_cache_init(&worker->cache, config->cache_files, config->cache_bytes,
				       (int64_t)config->cache_valid_ns);
	if (err == 0)
		err = server_log_open(&worker->log, worker->ring);
	if (err)
		return err;
	serve_worker_look_at_clock(worker);
	sl_op_timer(&worker->tick, sl_ring_now(worker->ring) + TICK_NS, TICK_NS);
	worker->tick.flags = SL_OP_MULTI;
	worker->tick.done = on_tick;
	worker->tick.user = worker;
	err = sl_ring_submit(worker->ring, &worker->tick);
	return err ? err : open_doors(worker);
}

void serve_worker_close(struct serve_worker *worker)
{
	for_all(worker, serve_conn_cut);
	while (worker->conns && sl_ring_run(worker->ring, 0) >= 0)
		for_all(worker, serve_conn_cut);
	server_log_close(&worker->log);
	serve_cache_fini(&worker->cache);
	sl_ring_drain(worker->ring, 0);
	sl_sock_pump_destroy(worker->streams.pump);
	sl_buf_pool_destroy(worker->streams.pool);
	sl_ring_close(worker->ring);
	serve_conn_free_all(worker);
	serve_site_put(worker->site);
}
