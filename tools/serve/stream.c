/*
 * stream.c: the bytes of one connection, in the clear or by way of secure.c.
 *
 *	open --> receiving and sending --close--> stopping both --> closing the descriptor -->
 *closed
 *
 * One op serves finish and close: it is idle while data moves. closed is told from a callback of
 *the ring, when neither receiver nor sender nor op is in flight.
 */
#include "tools/serve/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <sluice/ring.h>

#include "tools/serve/secure.h"

static void on_received(struct sl_sock_receiver *receiver, void *data, int64_t res)
{
	struct serve_stream *stream = receiver->user;

	if (res > 0) {
		if (stream->secure && !stream->closing)
			serve_secure_received(stream->secure, data, (size_t)res);
		else if (!stream->closing)
			stream->events->received(stream, data, (size_t)res);
		sl_sock_recv_put(receiver, data);
		return;
	}
	stream->hearing = false;
	if (stream->closing)
		serve_stream_go_on_closing(stream);
	else if (stream->secure)
		serve_secure_ended(stream->secure, (int)res);
	else
		stream->events->ended(stream, (int)res);
}

static void on_drained(struct sl_sock_sender *sender)
{
	struct serve_stream *stream = sender->user;

	if (stream->closing)
		serve_stream_go_on_closing(stream);
	else
		stream->events->drained(stream, sender->err);
}

static void end(struct serve_stream *stream)
{
	serve_secure_free(stream->secure);
	stream->secure = NULL;
	stream->events->closed(stream);
}

static void on_closed(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	end(op->user);
}

static void on_finished(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_stream *stream = op->user;

	(void)ring;
	if (stream->closing)
		serve_stream_go_on_closing(stream);
}

static bool is_busy(const struct serve_stream *stream)
{
	return stream->hearing || sl_sock_sender_busy(&stream->out) || sl_op_busy(&stream->op) ||
	       (stream->secure && serve_secure_busy(stream->secure));
}

static const struct linger none = { .l_onoff = 1 };

/* Closes the descriptor once nothing uses it. */
void serve_stream_go_on_closing(struct serve_stream *stream)
{
	if (is_busy(stream))
		return;
	if (stream->resetting) {
		stream->resetting = false;
		sl_op_setsockopt(&stream->op, stream->out.fd, SOL_SOCKET, SO_LINGER, &none,
				 sizeof(none))
			->flags = SL_OP_PARK;
		stream->op.done = on_finished;
		if (sl_ring_submit(stream->shared->ring, &stream->op) == 0)
			return;
	}
	if (stream->secure)
		serve_secure_drop(stream->secure);
	sl_op_close(&stream->op, stream->out.fd)->flags = SL_OP_PARK;
	stream->op.done = on_closed;
	if (sl_ring_submit(stream->shared->ring, &stream->op) < 0) {
		/* Not even room to wait, or the ring drains: nothing is in flight. */
		close(stream->out.fd);
		end(stream);
	}
}

int serve_stream_open(struct serve_stream *stream, const struct serve_streams *shared,
		      const struct serve_stream_events *events, struct server_tls *tls, int fd)
{
	int err;

	if (tls) {
		stream->secure = serve_secure_new(stream, tls);
		if (!stream->secure)
			return -ENOMEM;
	}
	stream->shared = shared;
	stream->events = events;
	stream->op.user = stream;
	stream->out = (struct sl_sock_sender){
		.fd = fd,
		.pump = shared->pump,
		.drained = on_drained,
		.user = stream,
	};
	sl_sock_sender_init(&stream->out);
	stream->in = (struct sl_sock_receiver){
		.fd = fd,
		.pool = shared->pool,
		.received = on_received,
		.user = stream,
	};
	err = sl_sock_recv(shared->ring, &stream->in);
	stream->hearing = err == 0;
	if (err)
		serve_secure_free(stream->secure);
	return err;
}

void serve_stream_pause(struct serve_stream *stream)
{
	if (stream->hearing)
		sl_sock_recv_pause(&stream->in);
}

void serve_stream_resume(struct serve_stream *stream)
{
	if (stream->hearing)
		sl_sock_recv_resume(&stream->in);
}

int serve_stream_send(struct serve_stream *stream, struct sl_sock_piece *piece)
{
	if (stream->secure)
		return serve_secure_send(stream->secure, piece);
	return sl_sock_send(&stream->out, piece);
}

int serve_stream_flush(struct serve_stream *stream)
{
	if (stream->secure)
		return serve_secure_flush(stream->secure);
	return sl_sock_flush(&stream->out);
}

/* No op of the ring asks for it; in a simulated world there is no such descriptor, and none. */
uint64_t serve_stream_untaken(const struct serve_stream *stream)
{
	int bytes;

	return ioctl(stream->out.fd, SIOCOUTQ, &bytes) < 0 || bytes < 0 ? 0 : (uint64_t)bytes;
}

void serve_stream_shut(struct serve_stream *stream)
{
	if (sl_op_busy(&stream->op))
		return;
	sl_op_shutdown(&stream->op, stream->out.fd, SHUT_WR)->flags = SL_OP_PARK;
	stream->op.done = on_finished;
	sl_ring_submit(stream->shared->ring, &stream->op);
}

void serve_stream_finish(struct serve_stream *stream)
{
	if (stream->secure)
		serve_secure_finish(stream->secure);
	else
		serve_stream_shut(stream);
}

/* Something that is told from the ring, when nothing else will be. */
static void on_nothing(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	serve_stream_go_on_closing(op->user);
}

void serve_stream_close(struct serve_stream *stream)
{
	if (stream->closing)
		return;
	stream->closing = true;
	if (stream->hearing)
		sl_sock_recv_stop(&stream->in);
	if (sl_sock_sender_busy(&stream->out))
		sl_sock_sender_stop(&stream->out);
	if (stream->secure)
		serve_secure_close(stream->secure);
	if (is_busy(stream))
		return;
	sl_op_nop(&stream->op)->flags = SL_OP_PARK;
	stream->op.done = on_nothing;
	if (sl_ring_submit(stream->shared->ring, &stream->op) < 0)
		serve_stream_go_on_closing(stream);
}
