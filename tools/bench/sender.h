/*
 * sender.h: what every contender that sends a file to a socket shares.
 *
 * A block ends when the receiver has everything; the receiver's own CPU is left out. Loopback
 * is not a network card: it copies what zero-copy sends hand it, and says so, and so do we.
 */
#ifndef SLUICE_TOOLS_BENCH_SENDER_H
#define SLUICE_TOOLS_BENCH_SENDER_H

#include "mechanisms.h"
#include "sink.h"

/* Zero-copy sends hold their buffer until the kernel lets go of it: so many are rotated. */
#define SENDER_BUFFERS 4

/**
 * struct sender - the state of a contender that sends.
 *
 * @area: SENDER_BUFFERS chunks.
 * @map: the file, for those that map it.
 * @pipe: for those that splice.
 * @next_buffer: which chunk of @area is filled next.
 * @held: zero-copy sends whose buffer the kernel still holds.
 * @sends, @copied: zero-copy sends that were notified, and those of them that were copied.
 * @executor: whatever else the contender needs.
 */
struct sender {
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
 * sender_open - open the file and make the buffers.
 * @c: its state becomes a struct sender.
 * @copies: how often the CPU copies each byte.
 *
 * Return: 0, or -errno with contender_lacks() called.
 */
int sender_open(struct contender *c, double copies);

/* sender_shut - for the mechanism's table; frees @executor as well. */
void sender_shut(struct contender *c);

/**
 * sender_read - read a chunk of the file, and check it.
 * @c: the contender; its call is counted.
 * @buf: receives it.
 * @off: where it lies.
 *
 * Return: 0 or -errno.
 */
int sender_read(struct contender *c, unsigned char *buf, uint64_t off);

/**
 * sender_account - let what the kernel reported decide what the copies column says.
 * @c: the contender, after a block of zero-copy sends.
 */
void sender_account(struct contender *c);

/* sender_buffer - the chunk to fill next. */
static inline unsigned char *sender_buffer(const struct contender *c, const struct sender *s)
{
	return s->area + (size_t)s->next_buffer * c->work->block_bytes;
}

/* Moves one chunk at an offset to the socket; 0 or -errno. */
typedef int sender_fn(struct contender *c, struct sender *s, uint64_t off);

/**
 * sender_run - send chunks of the stream and wait until they have arrived.
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
		err = send_chunk(c, s, op.off);
		contender_finish(c, 0);
		if (err)
			return err;
		s->next_buffer = (s->next_buffer + 1) % SENDER_BUFFERS;
	}
	return sink_expect(c->env->sink, nr * c->work->block_bytes);
}

#endif
