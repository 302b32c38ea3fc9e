/*
 * stream.h: the bytes of one connection, both ways.
 *
 * The one place where the server touches the connection's socket: what stands between the socket
 * and HTTP, such as TLS, belongs behind these calls.
 */
#ifndef SLUICE_TOOLS_SERVE_STREAM_H
#define SLUICE_TOOLS_SERVE_STREAM_H

#include <stdbool.h>
#include <sluice/sock.h>

struct serve_secure;
struct serve_secures;
struct serve_stream;
struct server_tls;

/* What the streams of a worker share. */
struct serve_streams {
	struct sl_ring *ring;
	struct sl_buf_pool *pool; /* of receive buffers */
	struct sl_sock_pump *pump;
	struct serve_secures *secures; /* NULL: no stream is secure */
};

struct serve_stream_events {
	/* Bytes arrived, borrowed during the call. */
	void (*received)(struct serve_stream *stream, const char *data, size_t len);
	/* Nothing more will: 0 the peer has finished, else the error. */
	void (*ended)(struct serve_stream *stream, int err);
	/* All that was queued has been handed to the kernel, or has failed. */
	void (*drained)(struct serve_stream *stream, int err);
	/* With TLS: 0: the handshake is done; else nothing that arrives counts any more, and when
	 * all is sent it remains to finish. */
	void (*secured)(struct serve_stream *stream, int err);
	/* After serve_stream_close(): the memory is the caller's. */
	void (*closed)(struct serve_stream *stream);
};

struct serve_stream {
	const struct serve_streams *shared;
	const struct serve_stream_events *events;

	/* private: */
	struct sl_sock_receiver in;
	struct sl_sock_sender out;
	struct sl_op op;
	struct serve_secure *secure; /* NULL: in the clear */
	uint64_t raw_sent;	     /* not by the sender */
	bool hearing;
	bool closing;
	bool resetting;
};

/* Zeroed before; begins to receive. The descriptor becomes its own, unless it fails. With
 * certificates it speaks TLS. */
int serve_stream_open(struct serve_stream *stream, const struct serve_streams *shared,
		      const struct serve_stream_events *events, struct server_tls *tls, int fd);

static inline int serve_stream_fd(const struct serve_stream *stream)
{
	return stream->out.fd;
}

/* Receives no more until told to go on; a few buffers may follow. */
void serve_stream_pause(struct serve_stream *stream);
void serve_stream_resume(struct serve_stream *stream);

/* Queues a piece, which ends as sl_sock_send() says; < 0: it was not taken. */
int serve_stream_send(struct serve_stream *stream, struct sl_sock_piece *piece);

/* Begins to send what is queued. */
int serve_stream_flush(struct serve_stream *stream);

/* Bytes handed to the kernel so far. */
static inline uint64_t serve_stream_sent(const struct serve_stream *stream)
{
	return stream->out.sent_bytes + stream->raw_sent;
}

/* Bytes of these that the peer has not acknowledged yet. */
uint64_t serve_stream_untaken(const struct serve_stream *stream);

/* Tells the peer that nothing more comes; what it sends still arrives. */
void serve_stream_finish(struct serve_stream *stream);

/* When it is closed, what the peer has not taken is dropped, and the peer told so. */
static inline void serve_stream_reset(struct serve_stream *stream)
{
	stream->resetting = true;
}

/* Ends everything, pieces too; closed follows, never from within this call. */
void serve_stream_close(struct serve_stream *stream);

/* For secure.c: ends what is sent; goes on closing, when something is not busy any more. */
void serve_stream_shut(struct serve_stream *stream);
void serve_stream_go_on_closing(struct serve_stream *stream);

#endif
