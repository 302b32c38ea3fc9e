/* session.c: one connection of a client, and the one to its upstream; see session.h. */
#include "tools/proxy/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/proxy/health.h"
#include "tools/proxy/hello.h"
#include "tools/proxy/logline.h"
#include "tools/proxy/worker.h"
#include "tools/server/address.h"
#include "tools/server/clients.h"

#define BUF_FIRST 2048
/* A PROXY header, a ClientHello and the heads of its records, however small. */
#define BUF_MAX	    (SL_SOCK_PROXY_MAX + 2 * PROXY_HELLO_MAX)
#define HEADER_ROOM (232 + 3 + PROXY_NAME_MAX)

enum session_state {
	SESSION_WAIT = 0,
	SESSION_HEAR,
	SESSION_CONNECT,
	SESSION_SEND,
	SESSION_RELAY,
	SESSION_CLOSE,
};

static void try_next(struct proxy_session *session);

/* ---- the end ----------------------------------------------------------------------------- */

static void free_opening(struct proxy_session *session)
{
	if (session->opening)
		free(session->opening->buf);
	free(session->opening);
	session->opening = NULL;
}

static void leave_upstream(struct proxy_session *session)
{
	if (session->upstream)
		__atomic_fetch_sub(&session->upstream->state->active, 1, __ATOMIC_RELAXED);
}

static void free_session(struct proxy_session *session)
{
	proxy_plan_put(session->plan);
	free(session->name);
	free(session);
}

static void close_step(struct proxy_session *session);

static void on_closed(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	close_step(op->user);
}

/* Each side: perhaps a reset instead of an end, then the close. */
static void close_step(struct proxy_session *session)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct proxy_worker *worker = session->worker;
	unsigned side = session->closing / 2, closes = session->closing & 1;
	bool reset = session->end != PROXY_END_DONE && session->fd[1] >= 0;

	session->closing++;
	if (side == 2) {
		proxy_worker_forget(worker, session);
		free_session(session);
		return;
	}
	if (session->fd[side] < 0 || (!closes && !reset)) {
		close_step(session);
		return;
	}
	if (closes)
		sl_op_close(&session->op, session->fd[side]);
	else
		sl_op_setsockopt(&session->op, session->fd[side], SOL_SOCKET, SO_LINGER, &at_once,
				 sizeof(at_once));
	session->op.flags = SL_OP_PARK;
	if (sl_ring_submit(worker->ring, &session->op) < 0)
		close_step(session); /* the ring is broken, and so is the worker */
}

static void end(struct proxy_session *session, enum proxy_end why)
{
	struct proxy_worker *worker = session->worker;

	session->end = session->cut ? PROXY_END_CUT : why;
	server_count(&worker->counters.ends[session->end], 1);
	proxy_log_session(session);
	if (session->counted) {
		struct sl_sock_addr addr;

		proxy_peer_addr(&session->client, &addr);
		server_clients_leave(worker->clients, &addr);
	}
	leave_upstream(session);
	free_opening(session);
	session->state = SESSION_CLOSE;
	memset(&session->op, 0, sizeof(session->op));
	session->op.done = on_closed;
	session->op.user = session;
	close_step(session);
}

/* ---- the relay --------------------------------------------------------------------------- */

static enum proxy_end end_of(const struct sl_relay *relay)
{
	switch (relay->res) {
	case 0:
		return PROXY_END_DONE;
	case -ETIMEDOUT:
		return PROXY_END_TIMEOUT;
	case -ECANCELED:
		return PROXY_END_CUT;
	case -EAGAIN:
	case -ENOMEM:
		return PROXY_END_OVERLOAD;
	default:
		return relay->side ? PROXY_END_UPSTREAM_ERROR : PROXY_END_CLIENT_ERROR;
	}
}

static void on_relayed(struct sl_relay *relay)
{
	struct proxy_session *session = relay->user;

	session->bytes[0] += relay->bytes[0];
	session->bytes[1] += relay->bytes[1];
	end(session, end_of(relay));
}

static void start_relay(struct proxy_session *session)
{
	const struct proxy_config *config = session->worker->config;

	free_opening(session);
	memset(&session->relay, 0, sizeof(session->relay));
	session->relay.fd[0] = session->fd[0];
	session->relay.fd[1] = session->fd[1];
	session->relay.idle_ns = (int64_t)config->idle_ns;
	session->relay.half_ns = (int64_t)config->half_ns;
	session->relay.done = on_relayed;
	session->relay.user = session;
	session->state = SESSION_RELAY;
	if (session->cut || sl_relay_start(session->worker->relays, &session->relay) < 0)
		end(session, PROXY_END_OVERLOAD);
}

/* ---- what goes ahead of it ---------------------------------------------------------------- */

static void use_op(struct proxy_session *session, sl_op_fn *done, enum session_state state)
{
	memset(&session->op, 0, sizeof(session->op));
	session->op.done = done;
	session->op.user = session;
	session->state = (uint8_t)state;
}

static void submit(struct proxy_session *session, int64_t deadline_ns)
{
	session->op.deadline_ns = deadline_ns;
	session->op.flags |= SL_OP_PARK;
	if (sl_ring_submit(session->worker->ring, &session->op) < 0)
		end(session, PROXY_END_OVERLOAD);
}

static void on_sent(struct sl_ring *ring, struct sl_op *op);

static void send_ahead(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;

	if (opening->at == opening->len) {
		start_relay(session);
		return;
	}
	use_op(session, on_sent, SESSION_SEND);
	sl_op_send(&session->op, session->fd[1], opening->buf + opening->at,
		   opening->len - opening->at, 0);
	submit(session,
	       sl_ring_now(session->worker->ring) + (int64_t)session->worker->config->connect_ns);
}

static void on_sent(struct sl_ring *ring, struct sl_op *op)
{
	struct proxy_session *session = op->user;

	(void)ring;
	if (op->res == -ETIMEDOUT)
		end(session, PROXY_END_TIMEOUT);
	else if (op->res <= 0 || session->cut)
		end(session, PROXY_END_UPSTREAM_ERROR);
	else {
		session->opening->at += (size_t)op->res;
		send_ahead(session);
	}
}

/* Bytes of a PROXY header for the upstream; the name asked for goes along in version 2. */
static int write_header(struct proxy_session *session, uint8_t *buf, size_t bytes)
{
	struct proxy_opening *opening = session->opening;
	struct sl_sock_proxy proxy = {
		.version = (uint8_t)session->worker->config->send_proxy,
		.source = opening->source,
		.target = opening->target,
	};
	uint8_t tlv[3 + PROXY_NAME_MAX];
	size_t len = session->name ? strlen(session->name) : 0;

	if (len && proxy.version == 2) {
		tlv[0] = 2; /* PP2_TYPE_AUTHORITY */
		tlv[1] = 0;
		tlv[2] = (uint8_t)len;
		memcpy(tlv + 3, session->name, len);
		proxy.tlv = tlv;
		proxy.tlv_len = (uint32_t)(3 + len);
	}
	return sl_sock_proxy_write(&proxy, buf, bytes);
}

/* Puts a header ahead of what was heard. Return: false without memory. */
static bool put_header(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	size_t heard = opening->len - opening->at;
	uint8_t *buf = malloc(HEADER_ROOM + heard);
	int len;

	if (!buf)
		return false;
	if (!opening->target.len)
		server_address_of(session->worker->ring, session->fd[0], 0, &opening->target);
	len = write_header(session, buf, HEADER_ROOM);
	if (len < 0) {
		free(buf);
		return false;
	}
	if (heard)
		memcpy(buf + len, opening->buf + opening->at, heard);
	free(opening->buf);
	opening->buf = buf;
	opening->at = 0;
	opening->len = (size_t)len + heard;
	return true;
}

/* ---- connecting -------------------------------------------------------------------------- */

static void connect_failed(struct proxy_session *session, int64_t err)
{
	struct proxy_worker *worker = session->worker;

	if (!proxy_is_own_failure(err))
		proxy_health_failed(worker, session->upstream->state);
	leave_upstream(session);
	session->upstream = NULL;
	if ((err == -EMFILE || err == -ENFILE) && !session->cut && worker->running > 1) {
		session->opening->tried = 0;
		session->state = SESSION_WAIT;
		proxy_worker_wait(worker, session);
	} else if (session->cut || proxy_is_own_failure(err)) {
		end(session, PROXY_END_OVERLOAD);
	} else if (session->tries > worker->config->retries) {
		end(session, PROXY_END_NO_UPSTREAM);
	} else {
		try_next(session);
	}
}

static void on_connected(struct sl_sock_connect *req)
{
	struct proxy_session *session = req->user;
	struct proxy_worker *worker = session->worker;
	const struct proxy_upstream *upstream = session->upstream;

	if (req->res < 0) {
		connect_failed(session, req->res);
		return;
	}
	session->fd[1] = (int)req->res;
	proxy_health_passed(worker, upstream->state);
	__atomic_fetch_add(&upstream->state->connections, 1, __ATOMIC_RELAXED);
	session->bytes[0] = session->opening->len - session->opening->at;
	if (worker->config->send_proxy && !put_header(session))
		end(session, PROXY_END_OVERLOAD);
	else
		send_ahead(session);
}

static void connect_to(struct proxy_session *session, const struct proxy_upstream *upstream)
{
	struct proxy_worker *worker = session->worker;
	int64_t each_ns = (int64_t)worker->config->connect_ns;

	session->upstream = upstream;
	__atomic_fetch_add(&upstream->state->active, 1, __ATOMIC_RELAXED);
	if (session->tries++)
		server_count(&worker->counters.retries, 1);
	session->state = SESSION_CONNECT;
	session->connect = (struct sl_sock_connect){ .nr = upstream->nr,
						     .addrs = upstream->addrs,
						     .try_ns = each_ns,
						     .done = on_connected,
						     .user = session };
	if (sl_sock_connect(worker->ring, &session->connect) < 0)
		end(session, PROXY_END_OVERLOAD);
}

/* All are down: rather an attempt than a certain refusal, so health does not count then. */
static int choose(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	struct proxy_choice choice[PROXY_UPSTREAMS_MAX];
	const struct proxy_group *group = opening->group;
	struct proxy_worker *worker = session->worker;
	int idx = -1;

	for (unsigned any = 0; any < 2 && idx < 0; any++) {
		for (unsigned i = 0; i < group->nr; i++) {
			const struct proxy_upstream *upstream = &group->upstream[i];

			choice[i].id = upstream->id;
			choice[i].weight = upstream->weight;
			choice[i].active =
				__atomic_load_n(&upstream->state->active, __ATOMIC_RELAXED);
			choice[i].out = opening->tried >> i & 1 ||
					(!any && !proxy_health_is_up(worker, upstream->state));
		}
		idx = proxy_choose(worker->config->balance, choice, group->nr, opening->turn,
				   proxy_peer_key(&session->client));
	}
	return idx;
}

static void try_next(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	int idx = choose(session);

	if (idx < 0) {
		end(session, PROXY_END_NO_UPSTREAM);
		return;
	}
	opening->tried |= UINT64_C(1) << idx;
	connect_to(session, &opening->group->upstream[idx]);
}

/* The client and the name are known. */
static void settle(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	struct proxy_worker *worker = session->worker;

	proxy_peer_set(&session->client, &opening->source);
	if (worker->config->client_max) {
		session->counted = server_clients_enter(worker->clients, &opening->source);
		if (!session->counted) {
			end(session, PROXY_END_CLIENT_LIMIT);
			return;
		}
	}
	opening->group = proxy_plan_route(session->plan, session->name ? session->name : "");
	if (!opening->group) {
		end(session, PROXY_END_NO_ROUTE);
		return;
	}
	opening->turn = __atomic_fetch_add(&opening->group->turn, 1, __ATOMIC_RELAXED);
	try_next(session);
}

/* ---- hearing what comes before ------------------------------------------------------------- */

static void hear(struct proxy_session *session);

/* Return: 1: read, 0: more is needed, -1: it ended. */
static int look_at_header(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	struct sl_sock_proxy proxy;
	int len = sl_sock_proxy_parse(opening->buf, opening->len, &proxy);

	if (len == -EAGAIN)
		return 0;
	if (len < 0) {
		end(session, PROXY_END_BAD_HEADER);
		return -1;
	}
	if (!proxy.local && proxy.source.len) {
		opening->source = proxy.source;
		opening->target = proxy.target;
		server_address_unmap(&opening->source);
		server_address_unmap(&opening->target);
	}
	opening->at = (size_t)len;
	opening->wants_header = false;
	return 1;
}

static int look_at_hello(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	char name[PROXY_NAME_MAX + 1];
	int len = proxy_hello_parse(opening->buf + opening->at, opening->len - opening->at, name);

	if (len == -EAGAIN)
		return 0;
	if (len < 0) {
		end(session, PROXY_END_BAD_HELLO);
		return -1;
	}
	opening->wants_hello = false;
	if (len && !(session->name = strdup(name))) {
		end(session, PROXY_END_OVERLOAD);
		return -1;
	}
	return 1;
}

static void look(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	int rc = 1;

	if (opening->wants_header)
		rc = look_at_header(session);
	if (rc == 1 && opening->wants_hello)
		rc = look_at_hello(session);
	if (rc == 1)
		settle(session);
	else if (rc == 0)
		hear(session);
}

static void on_heard(struct sl_ring *ring, struct sl_op *op)
{
	struct proxy_session *session = op->user;

	(void)ring;
	if (op->res == -ETIMEDOUT) {
		end(session, PROXY_END_SLOW_HELLO);
	} else if (op->res <= 0 || session->cut) {
		end(session, op->res ? PROXY_END_CLIENT_ERROR : PROXY_END_CLIENT_LEFT);
	} else {
		session->opening->len += (size_t)op->res;
		look(session);
	}
}

/* Return: false when there is no memory, or more than any client needs to say. */
static bool make_room(struct proxy_opening *opening)
{
	size_t cap = opening->cap ? 2 * opening->cap : BUF_FIRST;
	uint8_t *buf;

	if (opening->len < opening->cap)
		return true;
	if (opening->cap == BUF_MAX)
		return false;
	cap = cap < BUF_MAX ? cap : BUF_MAX;
	buf = realloc(opening->buf, cap);
	if (!buf)
		return false;
	opening->buf = buf;
	opening->cap = cap;
	return true;
}

static void hear(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;

	if (!make_room(opening)) {
		end(session, PROXY_END_BAD_HELLO);
		return;
	}
	use_op(session, on_heard, SESSION_HEAR);
	sl_op_recv(&session->op, session->fd[0], opening->buf + opening->len,
		   opening->cap - opening->len, 0);
	submit(session, opening->heard_by_ns);
}

/* ---- the calls --------------------------------------------------------------------------- */

void proxy_session_start(struct proxy_worker *worker, int fd)
{
	struct proxy_session *session = calloc(1, sizeof(*session));
	struct proxy_opening *opening = calloc(1, sizeof(*opening));

	if (!session || !opening) {
		free(session);
		free(opening);
		proxy_worker_refuse(worker, fd);
		return;
	}
	session->worker = worker;
	session->plan = proxy_plan_get(worker->plan);
	session->opening = opening;
	session->started_ns = sl_ring_now(worker->ring);
	session->fd[0] = fd;
	session->fd[1] = -1;
	proxy_worker_note(worker, session);
	server_address_of(worker->ring, fd, 1, &opening->source);
	proxy_peer_set(&session->client, &opening->source);
	opening->wants_header = proxy_worker_trusts(worker, &opening->source);
	opening->wants_hello = session->plan->by_name;
	proxy_worker_wait(worker, session);
}

void proxy_session_go_on(struct proxy_session *session)
{
	struct proxy_opening *opening = session->opening;
	struct proxy_worker *worker = session->worker;

	opening->heard_by_ns = sl_ring_now(worker->ring) + (int64_t)worker->config->hello_ns;
	if (opening->group)
		try_next(session);
	else if (opening->wants_header || opening->wants_hello)
		hear(session);
	else
		settle(session);
}

void proxy_session_cut(struct proxy_session *session)
{
	if (session->state == SESSION_CLOSE)
		return;
	session->cut = true;
	if (session->state == SESSION_RELAY)
		sl_relay_stop(&session->relay);
	else if (session->state == SESSION_CONNECT)
		sl_sock_connect_stop(&session->connect);
	else if (session->state == SESSION_WAIT)
		end(session, PROXY_END_CUT);
	else
		sl_ring_cancel(session->worker->ring, &session->op);
}
