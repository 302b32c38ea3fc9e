/*
 * reader.c - a file from front to back, read ahead by a bounded number of chunks.
 *
 *	chunk numbers:  0 ..... head ............. tail .....
 *	                used up | in flight or there | not asked for yet
 *
 * Invariants:
 *  R1. head <= tail <= head + depth; chunk n lives in slot n % depth.
 *  R2. Chunk n covers [base + n * chunk_bytes, + chunk_bytes), base being off
 *      rounded down to a block: only the first and the last are cut short.
 *  R3. Once a chunk met the end of the file or an error nothing behind it is
 *      shown, whatever the reads in flight behind it bring.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/bits.h"
#include "file/file.h"
#include "file/memory.h"
#include "file/stream.h"

struct sl_file_reader {
	struct stream stream;
	uint64_t base;
	uint64_t end; /* where to stop; UINT64_MAX: at the end of the file */
	uint64_t head;
	uint64_t tail;
	bool closing;
	void (*ready)(struct sl_file_reader *reader, void *ctx);
	void *ctx;
};

static int resolve(const struct sl_file_reader_opts *opts, struct sl_file_reader_opts *ret)
{
	*ret = (struct sl_file_reader_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	return ret->off > INT64_MAX || ret->len > INT64_MAX - ret->off ? -EINVAL : 0;
}

static uint64_t chunk_off(const struct sl_file_reader *reader, uint64_t nr)
{
	return reader->base + nr * reader->stream.chunk_bytes;
}

static void chunk_done(struct sl_file *file, struct sl_file_req *req)
{
	struct sl_file_reader *reader = req->user;

	(void)file;
	reader->stream.busy--;
	if (reader->ready && !reader->closing &&
	    req == &sl_stream_chunk(&reader->stream, reader->head)->req)
		reader->ready(reader, reader->ctx);
}

/* How much of chunk nr to ask for: to the end that was named, in whole blocks. */
static uint64_t chunk_len(const struct sl_file_reader *reader, uint64_t nr)
{
	uint64_t off = chunk_off(reader, nr);
	uint64_t len = reader->stream.chunk_bytes;

	if (reader->end == UINT64_MAX)
		return off + len <= INT64_MAX ? len : 0;
	if (off >= reader->end)
		return 0;
	if (reader->end - off < len)
		len = sl_round_up(reader->end - off, reader->stream.file->read_align);
	return off + len <= INT64_MAX ? len : reader->end - off;
}

static int ask(struct sl_file_reader *reader, uint64_t nr)
{
	struct stream_chunk *chunk = sl_stream_chunk(&reader->stream, nr);
	int rc;

	chunk->done = 0;
	chunk->req.buf = chunk->buf;
	chunk->req.off = chunk_off(reader, nr);
	chunk->req.len = chunk_len(reader, nr);
	chunk->req.done = chunk_done;
	chunk->req.user = reader;
	rc = sl_file_read(reader->stream.file, &chunk->req);
	if (rc == 0)
		reader->stream.busy++;
	return rc;
}

/* Whether the stream ends with this chunk, which has completed. */
static bool is_last(const struct sl_file_reader *reader, const struct stream_chunk *chunk)
{
	return chunk->req.res < (int64_t)chunk->req.len ||
	       chunk->req.off + chunk->req.len >= reader->end;
}

/* Asks for as much as there is room for. When the ring is full the next peek
 * tries again; an empty reader has nothing in flight to wait for and says so. */
static int ask_ahead(struct sl_file_reader *reader)
{
	int rc = 0;

	while (reader->tail - reader->head < reader->stream.depth &&
	       chunk_len(reader, reader->tail)) {
		rc = ask(reader, reader->tail);
		if (rc < 0)
			break;
		reader->tail++;
	}
	return rc;
}

/* The bytes of the chunk that may be shown, from its start. */
static uint64_t shown(const struct sl_file_reader *reader, const struct stream_chunk *chunk)
{
	uint64_t len = chunk->req.done_len;

	if (chunk->req.off + len > reader->end)
		len = reader->end - chunk->req.off;
	return len;
}

int sl_file_reader_open(struct sl_file *file, const struct sl_file_reader_opts *opts,
			struct sl_file_reader **ret_reader)
{
	struct sl_file_reader_opts resolved;
	struct stream_shape shape;
	struct sl_file_reader *reader;
	int rc = resolve(opts, &resolved);

	if (rc < 0)
		return rc;
	if (!file->readable)
		return -EBADF;
	reader = sl_file_alloc(file->ring, 1, sizeof(*reader), 0);
	if (!reader)
		return -ENOMEM;
	shape = (struct stream_shape){ resolved.pool, resolved.depth, 1, resolved.chunk_bytes,
				       file->read_align };
	rc = sl_stream_init(&reader->stream, file, &shape);
	if (rc < 0) {
		sl_file_free(file->ring, reader, 1, sizeof(*reader));
		return rc;
	}
	reader->base = sl_round_down(resolved.off, file->read_align);
	reader->end = resolved.len ? resolved.off + resolved.len : UINT64_MAX;
	reader->ready = resolved.ready;
	reader->ctx = resolved.ctx;
	rc = ask_ahead(reader);
	if (rc < 0 && reader->tail == 0) {
		sl_file_reader_close(reader);
		return rc;
	}
	sl_stream_chunk(&reader->stream, 0)->done = (uint32_t)(resolved.off - reader->base);
	*ret_reader = reader;
	return 0;
}

/* Runs the ring until the first chunk is there; 0 or -EAGAIN at the deadline. */
static int await_head(struct sl_file_reader *reader, int64_t deadline_ns)
{
	struct sl_ring *ring = reader->stream.file->ring;
	struct stream_chunk *chunk = sl_stream_chunk(&reader->stream, reader->head);

	while (chunk->req.busy) {
		int rc = deadline_ns == SL_RING_POLL ? -EAGAIN : sl_ring_run(ring, deadline_ns);

		if (rc < 0)
			return rc;
		if (rc == 0 && deadline_ns && chunk->req.busy && sl_ring_clock(ring) >= deadline_ns)
			return -EAGAIN;
	}
	return 0;
}

/* The end of the file may be ahead of the first byte asked for. */
static uint64_t available(const struct sl_file_reader *reader, const struct stream_chunk *chunk)
{
	uint64_t len = shown(reader, chunk);

	return len > chunk->done ? len - chunk->done : 0;
}

int64_t sl_file_reader_peek(struct sl_file_reader *reader, int64_t deadline_ns,
			    const void **ret_data)
{
	struct stream_chunk *chunk = sl_stream_chunk(&reader->stream, reader->head);
	int rc;

	if (reader->tail == reader->head) {
		rc = ask_ahead(reader);
		if (reader->tail == reader->head)
			return rc;
	}
	rc = await_head(reader, deadline_ns);
	if (rc < 0)
		return rc;
	if (available(reader, chunk)) {
		*ret_data = chunk->buf + chunk->done;
		return (int64_t)available(reader, chunk);
	}
	return chunk->req.res < 0 ? chunk->req.res : 0;
}

int sl_file_reader_consume(struct sl_file_reader *reader, size_t len)
{
	struct stream_chunk *chunk = sl_stream_chunk(&reader->stream, reader->head);

	if (len == 0)
		return 0;
	if (reader->tail == reader->head || chunk->req.busy || len > available(reader, chunk))
		return -EINVAL;
	chunk->done += (uint32_t)len;
	if (available(reader, chunk) || is_last(reader, chunk))
		return 0;
	reader->head++;
	ask_ahead(reader);
	return 0;
}

void sl_file_reader_close(struct sl_file_reader *reader)
{
	struct sl_ring *ring;

	if (!reader)
		return;
	reader->closing = true;
	ring = reader->stream.file->ring;
	if (!sl_stream_drain(&reader->stream))
		return;
	sl_stream_fini(&reader->stream);
	sl_file_free(ring, reader, 1, sizeof(*reader));
}
