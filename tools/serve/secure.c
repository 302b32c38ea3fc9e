/* secure.c: TLS between a stream and its socket; see secure.h for the states. */
#include "tools/serve/secure.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/ring.h>

#include "tools/serve/stream.h"

/* <linux/tls.h> has these but for the first; a build without TLS need not have it. */
#define LEVEL_TLS	282 /* SOL_TLS */
#define KEYS_TO_SEND	1   /* TLS_TX */
#define SET_RECORD_TYPE 1   /* TLS_SET_RECORD_TYPE */

#define ALERT_WARNING 1
#define ALERT_FATAL   2
#define ALERT_RECORD  21 /* the type of a record that holds an alert */

enum secure_state {
	SECURE_SHAKE = 0,
	SECURE_ULP,
	SECURE_KEYS,
	SECURE_KERNEL,
	SECURE_USER,
	SECURE_OVER,
};

/* Linked by the user pointers of the pieces. */
struct pieces {
	struct sl_sock_piece *first;
	struct sl_sock_piece *last;
};

/* An alert, where the kernel makes the records. */
struct words {
	struct msghdr msg;
	struct iovec iov;
	unsigned char alert[2];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(1)];
};

struct serve_secure {
	struct serve_stream *stream;
	struct server_tls_session *session;
	struct serve_secure *next; /* in the line */
	struct sl_op op;
	uint8_t state;
	bool fed;	/* something arrived at all */
	bool deaf;	/* nothing that arrives counts any more */
	bool told_end;	/* of what arrives */
	bool told_over; /* that the handshake failed */
	bool untold;	/* that all that was queued is sent */
	bool waits;	/* in the line */
	bool finishing;
	bool said; /* close_notify */
	bool shut;
	bool telling;
	int err; /* the first failure of the socket or a file */
	struct pieces queue;
	struct pieces ended;
	struct server_tls_bytes flight; /* sealed; sent from flight_at on */
	size_t flight_at;
	char *chunk; /* of a file, while it is read */
	struct words words;
	struct server_tls_keys keys;
};

static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
			      "Content-Length: 34\r\nConnection: close\r\n\r\n"
			      "This port speaks HTTPS, not HTTP.\n";

static void move_on(struct serve_secure *secure, int64_t res);
static void tell(struct serve_secure *secure);
static int begin_read(struct serve_secure *secure);

static struct serve_secures *shared(const struct serve_secure *secure)
{
	return secure->stream->shared->secures;
}

#define COUNT(secure, member, value) server_count(&shared(secure)->member, (value))

/* ---- pieces ------------------------------------------------------------------------------- */

static void push(struct pieces *pieces, struct sl_sock_piece *piece)
{
	piece->user = NULL;
	if (pieces->last)
		pieces->last->user = piece;
	else
		pieces->first = piece;
	pieces->last = piece;
}

static struct sl_sock_piece *pop(struct pieces *pieces)
{
	struct sl_sock_piece *piece = pieces->first;

	if (!piece)
		return NULL;
	pieces->first = piece->user;
	if (!pieces->first)
		pieces->last = NULL;
	piece->user = NULL;
	return piece;
}

static void leave(struct serve_secure *secure, int res)
{
	struct sl_sock_piece *piece = pop(&secure->queue);

	piece->res = res;
	push(&secure->ended, piece);
}

static void fail(struct serve_secure *secure, int64_t err)
{
	if (!secure->err)
		secure->err = err == -ESHUTDOWN ? -ECANCELED : (int)err;
	while (secure->queue.first)
		leave(secure, secure->err);
}

/* The same for the socket, as the sender would say it. */
static void fail_socket(struct serve_secure *secure, int64_t err)
{
	fail(secure, err);
	if (!secure->stream->out.err)
		secure->stream->out.err = secure->err;
}

static bool is_sent(const struct serve_secure *secure)
{
	return secure->flight_at == secure->flight.len &&
	       (secure->state == SECURE_KERNEL || !server_tls_waiting(secure->session));
}

static bool is_idle(const struct serve_secure *secure)
{
	return !sl_op_busy(&secure->op) && !secure->waits && !secure->queue.first &&
	       (is_sent(secure) || secure->err);
}

/* ---- out: sending -------------------------------------------------------------------------- */

static int submit(struct serve_secure *secure, sl_op_fn *done)
{
	secure->op.flags |= SL_OP_PARK;
	secure->op.done = done;
	return sl_ring_submit(secure->stream->shared->ring, &secure->op);
}

/* All of it is with the socket. */
static void land(struct serve_secure *secure)
{
	free(secure->flight.at);
	secure->flight = (struct server_tls_bytes){ 0 };
	secure->flight_at = 0;
}

static void on_flown(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_secure *secure = sl_op_of(op, struct serve_secure, op);

	(void)ring;
	if (op->res > 0) {
		secure->flight_at += (size_t)op->res;
		secure->stream->raw_sent += (uint64_t)op->res;
	}
	if (secure->flight_at == secure->flight.len)
		land(secure);
	move_on(secure, op->res);
}

static int fly(struct serve_secure *secure, int flags)
{
	if (!secure->flight.len)
		server_tls_take(secure->session, &secure->flight);
	sl_op_send(&secure->op, secure->stream->out.fd, secure->flight.at + secure->flight_at,
		   secure->flight.len - secure->flight_at,
		   flags | (secure->queue.first ? MSG_MORE : 0));
	return submit(secure, on_flown);
}

/* ---- out: sealing -------------------------------------------------------------------------- */

static uint64_t left_of(const struct sl_sock_piece *piece)
{
	return piece->len - piece->done_len;
}

/* Seals bytes of the first piece. */
static int seal(struct serve_secure *secure, const char *data, size_t len)
{
	struct sl_sock_piece *piece = secure->queue.first;
	int err = server_tls_write(secure->session, data, len);

	if (err)
		return err;
	COUNT(secure, user_bytes, len);
	piece->done_len += len;
	if (!left_of(piece))
		leave(secure, 0);
	return 0;
}

static void end_read(struct serve_secure *secure)
{
	struct serve_secures *all = shared(secure);
	struct serve_secure *first;

	free(secure->chunk);
	secure->chunk = NULL;
	all->reads--;
	while ((first = all->line) && all->reads < SERVE_SECURE_READS) {
		all->line = first->next;
		first->waits = false;
		move_on(first, begin_read(first));
	}
}

/* What was read is sealed and sent; no second read for the sake of a fuller record. */
static void on_read(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_secure *secure = sl_op_of(op, struct serve_secure, op);
	int64_t err = op->res < 0 ? op->res : 0;

	(void)ring;
	if (secure->queue.first && !secure->stream->closing) {
		if (op->res == 0)
			err = -ENODATA; /* the file ends before the piece does */
		if (err == 0)
			err = seal(secure, secure->chunk, (size_t)op->res);
		if (err)
			fail(secure, err);
		else if ((err = fly(secure, 0)))
			fail_socket(secure, err);
	}
	end_read(secure);
	move_on(secure, 0);
}

static int begin_read(struct serve_secure *secure)
{
	const struct sl_sock_piece *piece = secure->queue.first;
	uint64_t len = left_of(piece) < SERVE_SECURE_CHUNK ? left_of(piece) : SERVE_SECURE_CHUNK;
	int err = -ENOMEM;

	secure->chunk = malloc(SERVE_SECURE_CHUNK);
	if (secure->chunk) {
		sl_op_read(&secure->op, piece->file_fd, secure->chunk, len,
			   piece->off + piece->done_len);
		err = submit(secure, on_read);
	}
	if (err == 0) {
		shared(secure)->reads++;
		return 0;
	}
	free(secure->chunk);
	secure->chunk = NULL;
	return err;
}

static int read_or_line_up(struct serve_secure *secure)
{
	struct serve_secures *all = shared(secure);

	if (all->reads < SERVE_SECURE_READS)
		return begin_read(secure);
	secure->waits = true;
	secure->next = NULL;
	*(all->line ? &all->line_last->next : &all->line) = secure;
	all->line_last = secure;
	return 0;
}

static void leave_line(struct serve_secure *secure)
{
	struct serve_secures *all = shared(secure);
	struct serve_secure **at = &all->line, *before = NULL;

	while (*at != secure) {
		before = *at;
		at = &before->next;
	}
	*at = secure->next;
	if (all->line_last == secure)
		all->line_last = before;
	secure->waits = false;
}

/* Seals what is queued, as much as goes out at once; a file in the queue is read first. */
static int seal_all(struct serve_secure *secure)
{
	const struct sl_sock_piece *piece;
	int err = 0;

	while (err == 0 && (piece = secure->queue.first) &&
	       server_tls_waiting(secure->session) < SERVE_SECURE_CHUNK) {
		uint64_t len = left_of(piece);

		if (piece->flags & SL_SOCK_PIECE_FILE && len)
			return read_or_line_up(secure);
		len = len < SERVE_SECURE_CHUNK ? len : SERVE_SECURE_CHUNK;
		err = seal(secure, (const char *)piece->data + piece->done_len, (size_t)len);
	}
	return err;
}

/* ---- out: handing over to the kernel ------------------------------------------------------- */

static int stay_here(struct serve_secure *secure)
{
	secure->state = SECURE_USER;
	COUNT(secure, user, 1);
	return 0;
}

/* What the peer wants now, such as new keys, OpenSSL cannot do: it has not got the connection any
 * more. What is under way is finished, and the peer told that nothing follows. */
static void mind_kernel(struct serve_secure *secure)
{
	if (secure->deaf ||
	    (!server_tls_waiting(secure->session) && !server_tls_owes_update(secure->session)))
		return;
	COUNT(secure, rekeys_refused, 1);
	secure->deaf = true;
	secure->stream->events->secured(secure->stream, -EOPNOTSUPP);
}

/* From now on the sender has the pieces. */
static int hand_over(struct serve_secure *secure)
{
	struct sl_sock_piece *piece;
	int err = 0;

	secure->state = SECURE_KERNEL;
	secure->untold = false;
	COUNT(secure, kernel, 1);
	while ((piece = pop(&secure->queue))) {
		err = sl_sock_send(&secure->stream->out, piece);
		if (err) {
			piece->res = err;
			push(&secure->ended, piece);
		}
	}
	secure->telling = true;
	mind_kernel(secure);
	secure->telling = false;
	return secure->stream->closing ? 0 : sl_sock_flush(&secure->stream->out);
}

static void on_keys(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_secure *secure = sl_op_of(op, struct serve_secure, op);

	(void)ring;
	explicit_bzero(&secure->keys, sizeof(secure->keys));
	if (secure->stream->closing)
		move_on(secure, 0);
	else
		move_on(secure, op->res < 0 ? stay_here(secure) : hand_over(secure));
}

/* With the protocol's layer in place, and no keys yet, the socket is as it was. */
static void on_ulp(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_secure *secure = sl_op_of(op, struct serve_secure, op);

	(void)ring;
	if (secure->stream->closing) {
		move_on(secure, 0);
		return;
	}
	if (op->res < 0 || server_tls_waiting(secure->session) ||
	    server_tls_keys(secure->session, &secure->keys) < 0) {
		move_on(secure, stay_here(secure));
		return;
	}
	secure->state = SECURE_KEYS;
	sl_op_setsockopt(&secure->op, secure->stream->out.fd, LEVEL_TLS, KEYS_TO_SEND,
			 secure->keys.info, secure->keys.len);
	move_on(secure, submit(secure, on_keys));
}

static int ask_kernel(struct serve_secure *secure)
{
	sl_op_setsockopt(&secure->op, secure->stream->out.fd, IPPROTO_TCP, TCP_ULP, "tls",
			 sizeof("tls"));
	return submit(secure, on_ulp);
}

/* ---- out: last words ----------------------------------------------------------------------- */

static void on_said(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	/* Who does not take it will notice the end all the same. */
	move_on(sl_op_of(op, struct serve_secure, op), 0);
}

static int say_by_kernel(struct serve_secure *secure, int flags)
{
	struct words *words = &secure->words;
	unsigned alert = server_tls_alert(secure->session);
	struct cmsghdr *head;

	words->alert[0] = alert ? ALERT_FATAL : ALERT_WARNING;
	words->alert[1] = (unsigned char)alert;
	words->iov = (struct iovec){ words->alert, sizeof(words->alert) };
	words->msg = (struct msghdr){ .msg_iov = &words->iov,
				      .msg_iovlen = 1,
				      .msg_control = words->control,
				      .msg_controllen = sizeof(words->control) };
	head = CMSG_FIRSTHDR(&words->msg);
	head->cmsg_level = LEVEL_TLS;
	head->cmsg_type = SET_RECORD_TYPE;
	head->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(head) = ALERT_RECORD;
	sl_op_sendmsg(&secure->op, secure->stream->out.fd, &words->msg, flags);
	return submit(secure, on_said);
}

/* close_notify, or the alert that is there. */
static int say(struct serve_secure *secure, int flags)
{
	secure->said = true;
	if (secure->state == SECURE_KERNEL)
		return say_by_kernel(secure, flags);
	if (!server_tls_waiting(secure->session))
		server_tls_finish(secure->session);
	return server_tls_waiting(secure->session) ? fly(secure, flags) : 0;
}

/* ---- moving on ----------------------------------------------------------------------------- */

/* Begins what comes next, unless something is under way. */
static int begin(struct serve_secure *secure)
{
	int err = 0;

	if (sl_op_busy(&secure->op) || secure->waits || secure->err)
		return 0;
	if (secure->state == SECURE_KERNEL)
		return 0;
	if (secure->flight_at < secure->flight.len)
		return fly(secure, 0);
	if (secure->state == SECURE_USER)
		err = seal_all(secure);
	if (err || sl_op_busy(&secure->op) || secure->waits)
		return err;
	if (server_tls_waiting(secure->session))
		return fly(secure, 0);
	return secure->state == SECURE_ULP ? ask_kernel(secure) : 0;
}

/* Callbacks, and after the last of them nothing here is touched, if it is to end. */
static void tell(struct serve_secure *secure)
{
	struct serve_stream *stream = secure->stream;
	struct sl_sock_piece *piece;

	if (secure->telling)
		return;
	secure->telling = true;
	while ((piece = pop(&secure->ended))) {
		if (piece->done)
			piece->done(&stream->out, piece);
	}
	if (!stream->closing && secure->untold && is_idle(secure)) {
		secure->untold = false;
		stream->events->drained(stream, secure->err);
	}
	if (!stream->closing && secure->err && !secure->told_end) {
		secure->told_end = secure->deaf = true;
		stream->events->ended(stream, secure->err);
	}
	if (!stream->closing && secure->state == SECURE_OVER && !secure->told_over &&
	    is_idle(secure)) {
		secure->told_over = true;
		stream->events->secured(stream, -EPROTO);
	}
	if (!stream->closing && secure->finishing && !secure->shut && is_idle(secure)) {
		secure->shut = true;
		serve_stream_shut(stream);
	}
	secure->telling = false;
	if (stream->closing)
		serve_stream_go_on_closing(stream);
}

/* From a callback of the ring. */
static void move_on(struct serve_secure *secure, int64_t res)
{
	int64_t err = res < 0 ? res : 0;

	if (err == 0 && !secure->stream->closing)
		err = begin(secure);
	if (err)
		fail_socket(secure, err);
	tell(secure);
}

/* ---- in ------------------------------------------------------------------------------------- */

static void refuse(struct serve_secure *secure, int err)
{
	COUNT(secure, failed, 1);
	secure->state = SECURE_OVER;
	secure->deaf = true;
	if (err != -EBADMSG)
		return;
	COUNT(secure, plain, 1);
	secure->flight.at = strdup(refusal);
	if (secure->flight.at)
		secure->flight.len = sizeof(refusal) - 1;
}

static void shake(struct serve_secure *secure)
{
	int err = server_tls_shake(secure->session);

	if (err == -EAGAIN)
		return;
	if (err) {
		refuse(secure, err);
		return;
	}
	COUNT(secure, handshakes, 1);
	if (server_tls_is_resumed(secure->session))
		COUNT(secure, resumed, 1);
	if (server_tls_suits_kernel(secure->session))
		secure->state = SECURE_ULP;
	else
		stay_here(secure);
	secure->stream->events->secured(secure->stream, 0);
}

static void hear(struct serve_secure *secure)
{
	struct serve_stream *stream = secure->stream;
	char buf[SERVER_TLS_RECORD];
	int64_t res = 0;

	while (!stream->closing && !secure->deaf) {
		res = server_tls_read(secure->session, buf, sizeof(buf));
		if (res <= 0)
			break;
		stream->events->received(stream, buf, (size_t)res);
	}
	if (stream->closing || secure->deaf)
		return;
	if (res != -EAGAIN) {
		if (res)
			COUNT(secure, broken, 1);
		secure->deaf = secure->told_end = true;
		stream->events->ended(stream, (int)res);
	} else if (secure->state == SECURE_KERNEL) {
		mind_kernel(secure);
	}
}

void serve_secure_received(struct serve_secure *secure, const void *data, size_t len)
{
	secure->fed = true;
	if (secure->deaf)
		return;
	/* Nobody ends it under our feet: see tell(). */
	secure->telling = true;
	server_tls_feed(secure->session, data, len);
	if (secure->state == SECURE_SHAKE)
		shake(secure);
	if (secure->state != SECURE_SHAKE)
		hear(secure);
	secure->telling = false;
	move_on(secure, 0);
}

void serve_secure_ended(struct serve_secure *secure, int err)
{
	bool early = secure->state == SECURE_SHAKE;

	if (secure->told_end)
		return;
	secure->deaf = secure->told_end = true;
	if (early && secure->fed)
		COUNT(secure, failed, 1);
	if (!early && secure->state != SECURE_OVER && !secure->said && err != -ECANCELED)
		COUNT(secure, truncated, 1);
	if (err == 0 && secure->state != SECURE_OVER && !secure->said)
		err = -ECONNABORTED;
	secure->stream->events->ended(secure->stream, err);
}

/* ---- as a stream ---------------------------------------------------------------------------- */

struct serve_secure *serve_secure_new(struct serve_stream *stream, struct server_tls *tls)
{
	struct serve_secure *secure = calloc(1, sizeof(*secure));

	if (!secure)
		return NULL;
	secure->stream = stream;
	secure->session = server_tls_session_new(tls);
	if (secure->session)
		return secure;
	free(secure);
	return NULL;
}

void serve_secure_free(struct serve_secure *secure)
{
	if (!secure)
		return;
	server_tls_session_free(secure->session);
	free(secure->flight.at);
	free(secure);
}

int serve_secure_send(struct serve_secure *secure, struct sl_sock_piece *piece)
{
	if (secure->state == SECURE_KERNEL)
		return sl_sock_send(&secure->stream->out, piece);
	if (secure->err)
		return secure->err;
	piece->res = 0;
	piece->done_len = 0;
	push(&secure->queue, piece);
	secure->untold = true;
	return 0;
}

int serve_secure_flush(struct serve_secure *secure)
{
	if (secure->state == SECURE_KERNEL)
		return sl_sock_flush(&secure->stream->out);
	return begin(secure);
}

void serve_secure_finish(struct serve_secure *secure)
{
	bool spoken = secure->state == SECURE_KERNEL || secure->state == SECURE_USER;

	if (secure->finishing)
		return;
	secure->finishing = true;
	if (spoken && !secure->said && !secure->err && !sl_op_busy(&secure->op) &&
	    say(secure, 0) == 0 && sl_op_busy(&secure->op))
		return; /* then tell() does it */
	secure->shut = true;
	serve_stream_shut(secure->stream);
}

void serve_secure_close(struct serve_secure *secure)
{
	bool spoken = secure->state == SECURE_KERNEL || secure->state == SECURE_USER;

	if (secure->waits)
		leave_line(secure);
	if (sl_op_busy(&secure->op)) {
		sl_ring_cancel(secure->stream->shared->ring, &secure->op);
		return;
	}
	/* In the middle of something there is nothing to say: the peer shall see that it is cut. */
	if (spoken && !secure->said && !secure->err && !secure->queue.first &&
	    secure->flight_at == secure->flight.len && !sl_sock_sender_busy(&secure->stream->out))
		say(secure, MSG_DONTWAIT);
}

void serve_secure_drop(struct serve_secure *secure)
{
	struct sl_sock_piece *piece;

	fail(secure, -ECANCELED);
	while ((piece = pop(&secure->ended))) {
		if (piece->done)
			piece->done(&secure->stream->out, piece);
	}
}

bool serve_secure_busy(const struct serve_secure *secure)
{
	return secure->telling || secure->waits || sl_op_busy(&secure->op);
}
