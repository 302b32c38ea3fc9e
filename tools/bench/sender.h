/*
 * sender.h: what every contender that sends a file to a socket shares.
 *
 * An operation sends one file, which is a part of the file under test, over a connection that
 * stays; a block ends when the receiver has everything. The receiver's CPU is kept apart. Loopback
 * is not a network card: it copies what zero-copy sends hand it, and says so, and so do we.
 */
#ifndef SLUICE_TOOLS_BENCH_SENDER_H
#define SLUICE_TOOLS_BENCH_SENDER_H

#include "mechanisms.h"
#include "sink.h"

/* Zero-copy sends hold their buffer until the kernel lets go of it: so many are rotated. */
#define SENDER_BUFFERS 4
/* Who fills a buffer fills so much of it at a time: more does not fit the processor's caches. */
#define SENDER_CHUNK (256u << 10)

/**
 * struct sender - the state of a contender that sends.
 *
 * @chunk_bytes: sent by each call of sender_fn at most.
 * @area: SENDER_BUFFERS buffers of @buffer_bytes; NULL for those who need none.
 * @map: the file, for those that map it.
 * @pipe: for those that splice.
 * @next_buffer: which buffer of @area is filled next.
 * @held: zero-copy sends whose buffer the kernel still holds.
 * @sends, @copied: zero-copy sends that were notified, and those of them that were copied; of a
 *                  ring's sendfile bytes, and those of them that were read and sent.
 * @executor: whatever else the contender needs.
 */
struct sender {
	size_t chunk_bytes, buffer_bytes;
	unsigned char *area;
	size_t area_bytes;
	unsigned char *map;
	int pipe[2];
	unsigned next_buffer;
	unsigned held;
	uint64_t sends, copied;
	void *executor;
};

/**
 * struct sender_opts - what a contender that sends needs.
 *
 * @copies: how often the CPU copies each byte.
 * @buffered: the file, or what is not cached of it, passes through its own buffers.
 * @whole: it sends a file at once, whatever its buffers hold.
 * @tls: its connection is encrypted by the kernel.
 * @nonblocking: its socket never waits.
 */
struct sender_opts {
	double copies;
	bool buffered;
	bool whole;
	bool tls;
	bool nonblocking;
};

/**
 * sender_open - open the file and the connection, make the buffers.
 * @c: its state becomes a struct sender.
 * @opts: borrowed.
 *
 * Return: 0, or -errno with contender_lacks() called.
 */
int sender_open(struct contender *c, const struct sender_opts *opts);

/* sender_shut - for the mechanism's table; frees @executor as well. */
void sender_shut(struct contender *c);

/**
 * sender_read - read a chunk of the file, and check it.
 * @c: the contender; its call is counted.
 * @buf: receives it.
 * @off: where it lies.
 * @len: bytes.
 *
 * Return: 0 or -errno.
 */
int sender_read(struct contender *c, unsigned char *buf, uint64_t off, size_t len);

/**
 * sender_account - let what the kernel reported decide what the copies column says.
 * @c: the contender, after a block of zero-copy sends.
 */
void sender_account(struct contender *c);

/* sender_buffer - the chunk to fill next. */
static inline unsigned char *sender_buffer(const struct sender *s)
{
	return s->area + s->next_buffer * s->buffer_bytes;
}

/* Moves one chunk at an offset to the socket; 0 or -errno. */
typedef int sender_fn(struct contender *c, struct sender *s, uint64_t off, size_t len);

/* One operation: a whole file. */
static inline __attribute__((always_inline)) int sender_file(struct contender *c, struct sender *s,
							     uint64_t off, sender_fn *send_chunk)
{
	int err = 0;

	for (size_t left = c->work->block_bytes; !err && left;) {
		size_t len = left < s->chunk_bytes ? left : s->chunk_bytes;

		err = send_chunk(c, s, off, len);
		s->next_buffer = (s->next_buffer + 1) % SENDER_BUFFERS;
		off += len;
		left -= len;
	}
	return err;
}

/**
 * sender_run - send the files of the stream and wait until they have arrived.
 * @c: the contender.
 * @nr: how many.
 * @send_chunk: of the mechanism; inlined.
 *
 * Return: 0 or the first -errno.
 */
static inline __attribute__((always_inline)) int sender_run(struct contender *c, uint64_t nr,
							    sender_fn *send_chunk)
{
	struct sender *s = c->state;

	for (uint64_t i = 0; i < nr; i++) {
		struct stream_op op = stream_at(c->env->stream, i);
		int err;

		contender_start(c, 0);
		err = sender_file(c, s, op.off, send_chunk);
		contender_finish(c, 0);
		if (err)
			return err;
	}
	return sink_expect(c->sink, nr * c->work->block_bytes);
}

#endif
