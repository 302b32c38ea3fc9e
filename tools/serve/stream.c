/*
 * stream.c: the bytes of one connection in the clear.
 *
 *	open --> receiving and sending --close--> stopping both --> closing the descriptor -->
 *closed
 *
 * One op serves finish and close: it is idle while data moves. closed is told from a callback of
 *the ring, when neither receiver nor sender nor op is in flight.
 */
#include "tools/serve/stream.h"

#include <unistd.h>
#include <sluice/ring.h>

static void go_on_closing(struct serve_stream *stream);

static void on_received(struct sl_sock_receiver *receiver, void *data, int64_t res)
{
	struct serve_stream *stream = receiver->user;

	if (res > 0) {
		if (!stream->closing)
			stream->events->received(stream, data, (size_t)res);
		sl_sock_recv_put(receiver, data);
		return;
	}
	stream->hearing = false;
	if (stream->closing)
		go_on_closing(stream);
	else
		stream->events->ended(stream, (int)res);
}

static void on_drained(struct sl_sock_sender *sender)
{
	struct serve_stream *stream = sender->user;

	if (stream->closing)
		go_on_closing(stream);
	else
		stream->events->drained(stream, sender->err);
}

static void on_closed(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_stream *stream = op->user;

	(void)ring;
	stream->events->closed(stream);
}

static void on_finished(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_stream *stream = op->user;

	(void)ring;
	if (stream->closing)
		go_on_closing(stream);
}

/* Closes the descriptor once nothing uses it. */
static void go_on_closing(struct serve_stream *stream)
{
	if (stream->hearing || sl_sock_sender_busy(&stream->out) || sl_op_busy(&stream->op))
		return;
	sl_op_close(&stream->op, stream->out.fd)->flags = SL_OP_PARK;
	stream->op.done = on_closed;
	if (sl_ring_submit(stream->shared->ring, &stream->op) < 0) {
		/* Not even room to wait, or the ring drains: nothing is in flight. */
		close(stream->out.fd);
		stream->events->closed(stream);
	}
}

int serve_stream_open(struct serve_stream *stream, const struct serve_streams *shared,
		      const struct serve_stream_events *events, int fd)
{
	int err;

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
	return sl_sock_send(&stream->out, piece);
}

int serve_stream_flush(struct serve_stream *stream)
{
	return sl_sock_flush(&stream->out);
}

void serve_stream_finish(struct serve_stream *stream)
{
	if (sl_op_busy(&stream->op))
		return;
	sl_op_shutdown(&stream->op, stream->out.fd, SHUT_WR)->flags = SL_OP_PARK;
	stream->op.done = on_finished;
	sl_ring_submit(stream->shared->ring, &stream->op);
}

/* Something that is told from the ring, when nothing else will be. */
static void on_nothing(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	go_on_closing(op->user);
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
	if (stream->hearing || sl_sock_sender_busy(&stream->out) || sl_op_busy(&stream->op))
		return;
	sl_op_nop(&stream->op)->flags = SL_OP_PARK;
	stream->op.done = on_nothing;
	if (sl_ring_submit(stream->shared->ring, &stream->op) < 0)
		go_on_closing(stream);
}
