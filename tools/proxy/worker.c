/* worker.c: one thread with a ring of its own: accepts, keeps time, takes orders. */
#include "tools/proxy/worker.h"

#include <stdlib.h>
#include <time.h>

#define TICK_NS 100000000

/* ---- time ------------------------------------------------------------------------------- */

void proxy_worker_look_at_clock(struct proxy_worker *worker)
{
	struct timespec now;

	if (sl_ring_now(worker->ring) < worker->second_due_ns)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	worker->second_due_ns = sl_ring_now(worker->ring) + 1000000000 - now.tv_nsec;
	worker->second = now.tv_sec;
	http_log_date(worker->second, worker->log_date);
	http_stamp(worker->second, worker->stamp);
}

/* ---- accepting -------------------------------------------------------------------------- */

static void pause_doors(struct proxy_worker *worker, bool full)
{
	if (worker->full == full)
		return;
	worker->full = full;
	if (full)
		server_count(&worker->counters.accept_pauses, 1);
	for (unsigned i = 0; i < worker->doors; i++) {
		struct proxy_door *door = &worker->door[i];

		if (door->admin || !door->open)
			continue;
		if (full)
			sl_sock_accept_pause(&door->acceptor);
		else
			sl_sock_accept_resume(&door->acceptor);
	}
}

void proxy_worker_note(struct proxy_worker *worker, struct proxy_session *session)
{
	session->next = worker->sessions;
	if (session->next)
		session->next->prev = session;
	worker->sessions = session;
	worker->conns++;
	server_count(&worker->counters.connections, 1);
	server_count(&worker->counters.connections_now, 1);
	if (worker->conns >= worker->opts.conns_max)
		pause_doors(worker, true);
}

/* Two for each that ended: those whom the lack of descriptors sent to wait come back, too. */
static void let_in(struct proxy_worker *worker)
{
	for (unsigned i = 0; i < 2 && worker->waiting; i++) {
		struct proxy_session *session = worker->waiting;

		if (worker->running >= worker->opts.conns_max)
			return;
		worker->waiting = session->behind;
		session->runs = true;
		worker->running++;
		proxy_session_go_on(session);
	}
}

void proxy_worker_wait(struct proxy_worker *worker, struct proxy_session *session)
{
	if (!session->runs && !worker->waiting && worker->running < worker->opts.conns_max) {
		session->runs = true;
		worker->running++;
		proxy_session_go_on(session);
		return;
	}
	worker->running -= session->runs;
	session->runs = false;
	session->behind = NULL;
	*(worker->waiting ? &worker->waiting_last->behind : &worker->waiting) = session;
	worker->waiting_last = session;
}

/* Out of those that wait, if it does. */
static void stop_waiting(struct proxy_worker *worker, struct proxy_session *session)
{
	struct proxy_session *before = NULL, *at = worker->waiting;

	for (; at && at != session; at = at->behind)
		before = at;
	if (!at)
		return;
	*(before ? &before->behind : &worker->waiting) = session->behind;
	if (worker->waiting_last == session)
		worker->waiting_last = before;
}

void proxy_worker_forget(struct proxy_worker *worker, struct proxy_session *session)
{
	*(session->prev ? &session->prev->next : &worker->sessions) = session->next;
	if (session->next)
		session->next->prev = session->prev;
	worker->conns--;
	if (session->runs)
		worker->running--;
	else
		stop_waiting(worker, session);
	server_count(&worker->counters.connections_now, (uint64_t)-1);
	if (worker->full && worker->conns < worker->opts.conns_max && !worker->draining)
		pause_doors(worker, false);
	if (!worker->closing)
		let_in(worker);
}

/* Ends what it is the memory of. */
static void on_refused(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	free(op);
}

/* Without memory for a session there may be some for this; else the descriptor waits for a better
 * day, counted as an overload. */
void proxy_worker_refuse(struct proxy_worker *worker, int fd)
{
	struct sl_op *op = calloc(1, sizeof(*op));

	server_count(&worker->counters.ends[PROXY_END_OVERLOAD], 1);
	if (!op)
		return;
	sl_op_close(op, fd);
	op->flags = SL_OP_PARK;
	op->done = on_refused;
	if (sl_ring_submit(worker->ring, op) < 0)
		free(op);
}

bool proxy_worker_trusts(const struct proxy_worker *worker, const struct sl_sock_addr *addr)
{
	for (unsigned i = 0; i < worker->opts.trusted_nr; i++) {
		if (proxy_range_has(&worker->opts.trusted[i], addr))
			return true;
	}
	return false;
}

static void on_accepted(struct sl_sock_acceptor *acceptor, int fd)
{
	struct proxy_door *door = acceptor->user;

	if (door->admin)
		proxy_admin_start(door->worker, fd);
	else
		proxy_session_start(door->worker, fd);
}

static void on_door_ended(struct sl_sock_acceptor *acceptor, int err)
{
	struct proxy_door *door = acceptor->user;

	(void)err;
	door->open = false;
	if (door->listener)
		server_leave(door->listener, door->worker->opts.idx);
}

int proxy_worker_accept(struct proxy_worker *worker, int fd, struct server_listener *listener)
{
	struct proxy_door *door = &worker->door[worker->doors];
	int err;

	*door = (struct proxy_door){ .acceptor = { .fd = fd,
						   .accepted = on_accepted,
						   .ended = on_door_ended,
						   .user = door },
				     .worker = worker,
				     .listener = listener,
				     .admin = listener && listener->admin,
				     .open = true };
	err = sl_sock_accept(worker->ring, &door->acceptor);
	if (err == 0)
		worker->doors++;
	return err;
}

static void count_starved(struct proxy_worker *worker)
{
	uint64_t nr = 0;

	for (unsigned i = 0; i < worker->doors; i++)
		nr += worker->door[i].acceptor.starved_nr;
	server_count(&worker->counters.accept_starved, nr - worker->counters.accept_starved);
}

/* ---- orders ----------------------------------------------------------------------------- */

/* The plan before is let go of when its log is not written to any more. */
static void follow_plan(struct proxy_worker *worker)
{
	server_log_flush(&worker->log);
	if (worker->leaving && !sl_op_busy(&worker->log.op)) {
		proxy_plan_put(worker->leaving);
		worker->leaving = NULL;
	}
	if (!worker->reloads || worker->leaving)
		return;
	worker->reloads = false;
	worker->leaving = worker->plan;
	worker->plan = worker->opts.get_plan(worker->opts.ctx);
	worker->log.fd = worker->plan->log_fd;
	if (worker->checks) {
		proxy_checks_stop(worker->checks);
		worker->checks = proxy_checks_start(worker, worker->plan);
	}
}

void proxy_worker_reload(struct proxy_worker *worker)
{
	worker->reloads = true;
	follow_plan(worker);
}

void proxy_worker_drain(struct proxy_worker *worker)
{
	worker->draining = true;
	for (unsigned i = 0; i < worker->doors; i++) {
		if (worker->door[i].open && !worker->door[i].admin)
			sl_sock_accept_stop(&worker->door[i].acceptor);
	}
}

bool proxy_worker_is_drained(const struct proxy_worker *worker)
{
	for (unsigned i = 0; i < worker->doors; i++) {
		if (worker->door[i].open && !worker->door[i].admin)
			return false;
	}
	return worker->draining && !worker->conns;
}

static void on_tick(struct sl_ring *ring, struct sl_op *op)
{
	struct proxy_worker *worker = op->user;

	(void)ring;
	if (op->res < 0)
		return;
	follow_plan(worker);
	count_starved(worker);
	if (worker->checks)
		proxy_checks_tick(worker->checks);
}

/* ---- the life of a worker --------------------------------------------------------------- */

static int start_tick(struct proxy_worker *worker)
{
	sl_op_timer(&worker->tick, sl_ring_now(worker->ring) + TICK_NS, TICK_NS);
	worker->tick.flags = SL_OP_MULTI;
	worker->tick.done = on_tick;
	worker->tick.user = worker;
	return sl_ring_submit(worker->ring, &worker->tick);
}

int proxy_worker_open(struct proxy_worker *worker, const struct proxy_worker_opts *opts,
		      struct sl_ring *ring)
{
	const struct sl_relay_pool_opts relays = {
		.flags = opts->config->copy ? SL_RELAY_NO_SPLICE : 0,
		.pipes_max = opts->pipes_max,
	};
	int err;

	worker->opts = *opts;
	worker->config = opts->config;
	worker->clients = opts->clients;
	worker->ring = ring;
	worker->plan = opts->get_plan(opts->ctx);
	worker->log.fd = worker->plan->log_fd;
	err = sl_relay_pool_create(ring, &relays, &worker->relays);
	if (err == 0)
		err = server_log_open(&worker->log, ring);
	if (err == 0)
		err = start_tick(worker);
	if (err)
		return err;
	if (opts->checks && opts->config->check_ns) {
		worker->checks = proxy_checks_start(worker, worker->plan);
		err = worker->checks ? 0 : -ENOMEM;
	}
	return err;
}

static bool is_busy(const struct proxy_worker *worker)
{
	bool busy = worker->conns || worker->checks_alive || sl_op_busy(&worker->tick);

	for (unsigned i = 0; i < worker->doors; i++)
		busy |= worker->door[i].open;
	return busy || proxy_admin_busy(worker);
}

void proxy_worker_close(struct proxy_worker *worker)
{
	if (!worker->ring)
		return;
	worker->closing = true;
	for (unsigned i = 0; i < worker->doors; i++)
		sl_sock_accept_stop(&worker->door[i].acceptor);
	proxy_checks_stop(worker->checks);
	worker->checks = NULL;
	sl_ring_cancel(worker->ring, &worker->tick);
	for (struct proxy_session *session = worker->sessions; session; session = session->next)
		proxy_session_cut(session);
	proxy_admin_cut(worker);
	while (is_busy(worker) && sl_ring_run(worker->ring, 0) >= 0)
		;
	server_log_close(&worker->log);
	sl_relay_pool_destroy(worker->relays);
	proxy_plan_put(worker->leaving);
	proxy_plan_put(worker->plan);
	worker->relays = NULL;
	worker->leaving = worker->plan = NULL;
}
