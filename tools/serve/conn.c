/* conn.c: one connection: requests in, answers out; see conn.h for the states. */
#include "tools/serve/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/serve/intake.h"
#include "tools/serve/server.h"
#include "tools/serve/task.h"
#include "tools/serve/upload.h"
#include "tools/server/address.h"
#include "tools/server/clients.h"

#define PAUSE_LEN HTTP_HEAD_MAX

/* ---- pieces out ------------------------------------------------------------------------- */

static struct serve_piece *new_piece(struct serve_conn *conn)
{
	struct serve_piece *piece = conn->worker->free_pieces;

	if (piece)
		conn->worker->free_pieces = piece->next;
	else
		piece = calloc(1, sizeof(*piece));
	if (piece)
		piece->conn = conn;
	return piece;
}

static void free_piece(struct serve_worker *worker, struct serve_piece *piece)
{
	serve_wire_put(piece->wire);
	serve_content_put(piece->content);
	piece->wire = NULL;
	piece->content = NULL;
	piece->next = worker->free_pieces;
	worker->free_pieces = piece;
}

static void on_sent(struct sl_sock_sender *sender, struct sl_sock_piece *sent)
{
	struct serve_piece *piece = sl_op_of(sent, struct serve_piece, piece);
	struct serve_conn *conn = piece->conn;

	(void)sender;
	/* The file became shorter, or its disk failed: what was sent is a beginning, and the end
	 * must be seen. All pieces behind it end with the same. */
	if (!conn->closing && (sent->res == -ENODATA || sent->res == -EIO))
		server_count(&conn->worker->counters.files_changed, 1);
	if (piece->content)
		serve_content_sent_direct(piece->content, sent->direct_len);
	if (sent->res < 0)
		serve_conn_cut(conn);
	conn->pieces--;
	free_piece(conn->worker, piece);
}

static void send_piece(struct serve_conn *conn, struct serve_piece *piece)
{
	piece->piece.done = on_sent;
	conn->pieces++;
	conn->sending = true;
	if (!conn->closing && serve_stream_send(&conn->stream, &piece->piece) == 0)
		return;
	conn->pieces--;
	free_piece(conn->worker, piece);
	serve_conn_cut(conn);
}

void serve_conn_send_wire(struct serve_conn *conn, struct serve_wire *wire, uint64_t off,
			  uint64_t len)
{
	struct serve_piece *piece = new_piece(conn);

	if (!piece) {
		serve_wire_put(wire);
		serve_conn_cut(conn);
		return;
	}
	piece->wire = wire;
	piece->piece.flags = 0;
	piece->piece.data = wire->bytes + off;
	piece->piece.off = 0;
	piece->piece.len = len;
	send_piece(conn, piece);
}

void serve_conn_send_file(struct serve_conn *conn, struct serve_content *content, uint64_t off,
			  uint64_t len)
{
	struct serve_piece *piece = new_piece(conn);

	if (!piece) {
		serve_content_put(content);
		serve_conn_cut(conn);
		return;
	}
	piece->content = content;
	piece->piece.flags = SL_SOCK_PIECE_FILE;
	piece->piece.file_fd = content->fd;
	piece->piece.direct_fd = serve_content_direct(content);
	piece->piece.data = NULL;
	piece->piece.off = off;
	piece->piece.len = len;
	send_piece(conn, piece);
}

/* ---- between requests ------------------------------------------------------------------- */

static void pause_if_full(struct serve_conn *conn)
{
	bool full = conn->in_len > PAUSE_LEN;

	if (full == conn->paused)
		return;
	conn->paused = full;
	if (full)
		serve_stream_pause(&conn->stream);
	else
		serve_stream_resume(&conn->stream);
}

/* All is answered and nothing more will be: say so, and leave the peer a moment to read it. */
static void finish(struct serve_conn *conn)
{
	if (conn->ended) {
		serve_conn_cut(conn);
		return;
	}
	serve_intake_drop(conn);
	pause_if_full(conn);
	conn->lingering = true;
	conn->got_mark = conn->got;
	serve_stream_finish(&conn->stream);
	serve_worker_wait(conn->worker, conn, SERVE_WAIT_LINGER);
}

/* What has a limit in time is measured from its beginning: a byte now and then is no progress. */
static void wait_on(struct serve_conn *conn, enum serve_wait what)
{
	if (!conn->listed || conn->wait != what)
		serve_worker_wait(conn->worker, conn, what);
}

/* What it waits for now. */
static void settle(struct serve_conn *conn)
{
	struct serve_worker *worker = conn->worker;

	if (conn->closing || conn->lingering)
		return;
	if (conn->sending && serve_stream_flush(&conn->stream) < 0) {
		serve_conn_cut(conn);
		return;
	}
	pause_if_full(conn);
	conn->untaken = 0;
	if (conn->sending)
		wait_on(conn, SERVE_WAIT_PEER);
	else if (serve_conn_is_busy(conn))
		serve_worker_wait(worker, conn, SERVE_WAIT_DISK);
	else if (conn->last && (!conn->body || conn->body == SERVE_BODY_SKIP))
		finish(conn);
	else if (conn->ended)
		serve_conn_cut(conn);
	else if (conn->body)
		wait_on(conn, SERVE_WAIT_BODY);
	else if (!conn->in_len)
		serve_worker_wait(worker, conn, SERVE_WAIT_REQUEST);
	else
		wait_on(conn, SERVE_WAIT_HEAD);
}

void serve_conn_go_on(struct serve_conn *conn)
{
	if (conn->consuming)
		return;
	serve_intake_go_on(conn);
	settle(conn);
}

static void on_received(struct serve_stream *stream, const char *data, size_t len)
{
	struct serve_conn *conn = sl_op_of(stream, struct serve_conn, stream);

	serve_worker_now(conn->worker);
	conn->got += len;
	if (conn->lingering) {
		if (conn->got - conn->got_mark > SERVE_LINGER_BYTES)
			serve_conn_cut(conn);
		return;
	}
	if (serve_intake_take(conn, data, len) < 0)
		serve_conn_cut(conn);
	else
		settle(conn);
}

static void on_drained(struct serve_stream *stream, int err)
{
	struct serve_conn *conn = sl_op_of(stream, struct serve_conn, stream);

	serve_worker_now(conn->worker);
	conn->sending = false;
	if (err) {
		serve_conn_cut(conn);
		return;
	}
	serve_pace_drained(conn);
	serve_conn_go_on(conn);
}

static void on_ended(struct serve_stream *stream, int err)
{
	struct serve_conn *conn = sl_op_of(stream, struct serve_conn, stream);

	conn->ended = true;
	/* A peer that has finished may still want its answers; one that sent half a request or half
	 * a body wants nothing that could be given. */
	if (err || conn->lingering || conn->body == SERVE_BODY_UPLOAD)
		serve_conn_cut(conn);
	else
		settle(conn);
}

static void on_secured(struct serve_stream *stream, int err)
{
	struct serve_conn *conn = sl_op_of(stream, struct serve_conn, stream);

	if (err && conn->body == SERVE_BODY_UPLOAD) {
		serve_conn_cut(conn);
	} else if (err) {
		conn->last = true;
		settle(conn);
	} else if (conn->wait == SERVE_WAIT_HANDSHAKE) {
		serve_worker_wait(conn->worker, conn, SERVE_WAIT_REQUEST);
	}
}

/* ---- beginning and end ------------------------------------------------------------------ */

void serve_conn_release(struct serve_conn *conn)
{
	struct serve_worker *worker = conn->worker;

	if (!conn->closed || sl_op_busy(&conn->pace.timer))
		return; /* the other of the two comes later */
	if (conn->counted)
		server_clients_leave(&worker->server->clients, conn->addr);
	free(conn->addr);
	serve_intake_drop(conn);
	conn->next = worker->free_conns;
	worker->free_conns = conn;
	serve_worker_conn_ended(worker);
}

static void on_closed(struct serve_stream *stream)
{
	struct serve_conn *conn = sl_op_of(stream, struct serve_conn, stream);

	conn->closed = true;
	serve_conn_release(conn);
}

void serve_conn_cut(struct serve_conn *conn)
{
	if (conn->closing)
		return;
	conn->closing = true;
	serve_worker_forget(conn->worker, conn);
	if (conn->upload)
		serve_upload_abandon(conn->upload);
	if (conn->task)
		conn->task->conn = NULL;
	conn->task = NULL;
	conn->upload = NULL;
	serve_pace_stop(conn);
	serve_stream_close(&conn->stream);
}

void serve_conn_drain(struct serve_conn *conn)
{
	bool idle = !conn->sending && !serve_conn_is_busy(conn) && !conn->body && !conn->in_len;

	if (conn->admin && !idle)
		return;
	conn->last = true;
	if (idle && !conn->lingering)
		serve_conn_cut(conn);
}

/* What it did not take must not wait for it in the kernel either. */
static void drop(struct serve_conn *conn)
{
	server_count(&conn->worker->counters.connections_timed_out, 1);
	serve_stream_reset(&conn->stream);
	serve_conn_cut(conn);
}

static void time_out(struct serve_conn *conn)
{
	struct http_request none = { .minor = 1 };

	server_count(&conn->worker->counters.connections_timed_out, 1);
	serve_intake_refuse(conn, &none, -408);
	serve_intake_drop(conn);
	settle(conn);
}

/* 1 KiB a second is slow, and not a trick. */
static bool gets_on(const struct serve_conn *conn, uint64_t bytes)
{
	int64_t limit_ms = serve_worker_limit(conn->worker, conn->wait) / 1000000;

	return bytes && bytes >= (uint64_t)limit_ms * 1024 / 1000;
}

/* All is with the kernel, and no request comes: the peer may still be at what was sent last. */
static void idle_out(struct serve_conn *conn)
{
	uint64_t left = serve_stream_untaken(&conn->stream), before = conn->untaken;

	conn->untaken = left;
	if (!left)
		serve_conn_cut(conn);
	else if (before && !gets_on(conn, before > left ? before - left : 0))
		drop(conn);
	else
		serve_worker_wait(conn->worker, conn, conn->wait);
}

void serve_conn_due(struct serve_conn *conn)
{
	uint64_t moved = serve_stream_sent(&conn->stream) - conn->sent_mark;

	switch (conn->wait) {
	case SERVE_WAIT_REQUEST:
	case SERVE_WAIT_LINGER:
		idle_out(conn);
		return;
	case SERVE_WAIT_HEAD:
		time_out(conn);
		return;
	case SERVE_WAIT_BODY:
		moved = conn->got - conn->got_mark;
	}
	if (gets_on(conn, moved))
		serve_worker_wait(conn->worker, conn, conn->wait);
	else
		drop(conn);
}

struct http_text serve_conn_peer(struct serve_conn *conn)
{
	char buf[SL_SOCK_ADDR_TEXT], *text = buf, *end;
	struct sl_sock_addr addr;

	if (conn->peer_len)
		return (struct http_text){ conn->peer, conn->peer_len };
	snprintf(conn->peer, sizeof(conn->peer), "-");
	if (conn->addr ||
	    server_address_of(conn->worker->ring, serve_stream_fd(&conn->stream), 1, &addr) == 0) {
		if (conn->addr)
			addr = *conn->addr;
		sl_sock_addr_format(&addr, buf, sizeof(buf));
		/* Without the port, and the brackets that part it from IPv6. */
		text += buf[0] == '[';
		end = strrchr(text, buf[0] == '[' ? ']' : ':');
		if (end && addr.any.sa_family != AF_UNIX)
			*end = '\0';
		snprintf(conn->peer, sizeof(conn->peer), "%.55s",
			 addr.any.sa_family == AF_UNIX ? "unix" : text);
	}
	conn->peer_len = (uint32_t)strlen(conn->peer);
	return (struct http_text){ conn->peer, conn->peer_len };
}

/* Counts the connection among those of its address. Return: whether there is room. */
static bool admit(struct serve_conn *conn, int fd)
{
	struct serve_worker *worker = conn->worker;
	struct sl_sock_addr addr;

	if (!worker->config->client_max || conn->admin ||
	    server_address_of(worker->ring, fd, 1, &addr) < 0 || addr.any.sa_family == AF_UNIX)
		return true;
	conn->addr = malloc(sizeof(addr));
	if (!conn->addr)
		return true;
	*conn->addr = addr;
	conn->counted = server_clients_enter(&worker->server->clients, &addr);
	return conn->counted;
}

static const struct serve_stream_events events = {
	.received = on_received,
	.ended = on_ended,
	.drained = on_drained,
	.secured = on_secured,
	.closed = on_closed,
};

void serve_conn_start(struct serve_worker *worker, struct serve_door *door, int fd)
{
	struct serve_conn *conn = worker->free_conns;
	struct http_request none = { .minor = 1 };
	struct server_tls *tls;

	if (conn)
		worker->free_conns = conn->next;
	else
		conn = malloc(sizeof(*conn));
	if (!conn) {
		close(fd);
		serve_worker_conn_ended(worker);
		return;
	}
	memset(conn, 0, sizeof(*conn));
	conn->worker = worker;
	conn->admin = door->admin;
	tls = door->admin ? NULL : worker->site->tls;
	if (serve_stream_open(&conn->stream, &worker->streams, &events, tls, fd) < 0) {
		close(fd);
		conn->next = worker->free_conns;
		worker->free_conns = conn;
		serve_worker_conn_ended(worker);
		return;
	}
	serve_worker_now(worker);
	if (admit(conn, fd)) {
		serve_worker_wait(worker, conn, tls ? SERVE_WAIT_HANDSHAKE : SERVE_WAIT_REQUEST);
		return;
	}
	server_count(&worker->counters.connections_refused, 1);
	if (tls) {
		serve_conn_cut(conn); /* a handshake is what such a client must not have */
		return;
	}
	serve_intake_refuse(conn, &none, -503);
	settle(conn);
}

void serve_conn_free_all(struct serve_worker *worker)
{
	struct serve_piece *piece;
	struct serve_conn *conn;

	while ((conn = worker->free_conns)) {
		worker->free_conns = conn->next;
		free(conn);
	}
	while ((piece = worker->free_pieces)) {
		worker->free_pieces = piece->next;
		free(piece);
	}
}
