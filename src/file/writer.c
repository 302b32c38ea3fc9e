/*
 * writer.c - a file from front to back, written behind by a bounded number of chunks.
 *
 * Invariants:
 *  T1. Chunk head is the one being filled; its slot's request is idle while it
 *      has bytes. The others are in flight or free.
 *  T2. The first chunk is short if off is inside a block, so that all others
 *      start at one: only the first and the last write have an edge.
 *  T3. After the first error nothing more is written.
 */
#include <errno.h>

#include "base/assert.h"
#include "base/bits.h"
#include "file/file.h"
#include "file/memory.h"
#include "file/stream.h"

struct sl_file_writer {
	struct stream stream;
	uint64_t base; /* off rounded down to a block */
	uint64_t off;
	uint64_t head;
	uint64_t written; /* bytes of completed writes */
	int64_t failed;	  /* the first error */
	bool finished;
	bool closing;
	void (*ready)(struct sl_file_writer *writer, void *ctx);
	void *ctx;
};

static int resolve(const struct sl_file_writer_opts *opts, struct sl_file_writer_opts *ret)
{
	*ret = (struct sl_file_writer_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	return ret->off > INT64_MAX ? -EINVAL : 0;
}

/* Bytes at the start of the chunk that come before the first one written. */
static uint32_t chunk_skip(const struct sl_file_writer *writer, uint64_t nr)
{
	return nr == 0 ? (uint32_t)(writer->off - writer->base) : 0;
}

static void chunk_done(struct sl_file *file, struct sl_file_req *req)
{
	struct sl_file_writer *writer = req->user;

	(void)file;
	writer->stream.busy--;
	writer->written += req->done_len;
	if (req->res < 0 && !writer->failed)
		writer->failed = req->res;
	if (writer->ready && !writer->closing && !writer->finished)
		writer->ready(writer, writer->ctx);
}

/* Starts the write of what the head chunk holds. */
static int push_out(struct sl_file_writer *writer)
{
	struct stream_chunk *chunk = sl_stream_chunk(&writer->stream, writer->head);
	uint32_t skip = chunk_skip(writer, writer->head);
	int rc;

	chunk->req.buf = chunk->buf + skip;
	chunk->req.off = writer->base + writer->head * writer->stream.chunk_bytes + skip;
	chunk->req.len = chunk->done - skip;
	chunk->req.done = chunk_done;
	chunk->req.user = writer;
	rc = sl_file_write(writer->stream.file, &chunk->req);
	if (rc < 0)
		return rc;
	writer->stream.busy++;
	writer->head++;
	sl_stream_chunk(&writer->stream, writer->head)->done = 0;
	return 0;
}

static bool is_full(struct sl_file_writer *writer)
{
	struct stream_chunk *chunk = sl_stream_chunk(&writer->stream, writer->head);

	return !chunk->req.busy && chunk->done == writer->stream.chunk_bytes;
}

/* One turn while waiting for a chunk; -EAGAIN at the deadline. */
static int wait_once(struct sl_file_writer *writer, int64_t deadline_ns)
{
	struct sl_ring *ring = writer->stream.file->ring;
	int rc = deadline_ns == SL_RING_POLL ? -EAGAIN : sl_ring_run(ring, deadline_ns);

	if (rc == 0 && deadline_ns && sl_ring_clock(ring) >= deadline_ns)
		return -EAGAIN;
	return rc < 0 ? rc : 0;
}

int sl_file_writer_open(struct sl_file *file, const struct sl_file_writer_opts *opts,
			struct sl_file_writer **ret_writer)
{
	struct sl_file_writer_opts resolved;
	struct stream_shape shape;
	struct sl_file_writer *writer;
	int rc = resolve(opts, &resolved);

	if (rc < 0)
		return rc;
	if (!file->writable)
		return -EBADF;
	writer = sl_file_alloc(file->ring, 1, sizeof(*writer), 0);
	if (!writer)
		return -ENOMEM;
	shape = (struct stream_shape){ resolved.pool, resolved.depth, 2, resolved.chunk_bytes,
				       file->write_align };
	rc = sl_stream_init(&writer->stream, file, &shape);
	if (rc < 0) {
		sl_file_free(file->ring, writer, 1, sizeof(*writer));
		return rc;
	}
	writer->off = resolved.off;
	writer->base = sl_round_down(resolved.off, file->write_align);
	writer->ready = resolved.ready;
	writer->ctx = resolved.ctx;
	sl_stream_chunk(&writer->stream, 0)->done = chunk_skip(writer, 0);
	*ret_writer = writer;
	return 0;
}

int64_t sl_file_writer_reserve(struct sl_file_writer *writer, int64_t deadline_ns, void **ret_space)
{
	struct stream_chunk *chunk;
	int rc;

	for (;;) {
		if (writer->finished)
			return -EINVAL;
		if (writer->failed)
			return writer->failed;
		/* A full chunk is still here when the ring had no room for it. */
		rc = is_full(writer) ? push_out(writer) : 0;
		if (rc < 0 && rc != -EAGAIN)
			return rc;
		chunk = sl_stream_chunk(&writer->stream, writer->head);
		if (rc == 0 && !chunk->req.busy)
			break;
		rc = wait_once(writer, deadline_ns);
		if (rc < 0)
			return rc;
	}
	*ret_space = chunk->buf + chunk->done;
	return (int64_t)(writer->stream.chunk_bytes - chunk->done);
}

int sl_file_writer_commit(struct sl_file_writer *writer, size_t len)
{
	struct stream_chunk *chunk = sl_stream_chunk(&writer->stream, writer->head);
	int rc;

	if (writer->failed)
		return (int)writer->failed;
	if (writer->finished || chunk->req.busy || len > writer->stream.chunk_bytes - chunk->done)
		return -EINVAL;
	chunk->done += (uint32_t)len;
	if (!is_full(writer))
		return 0;
	rc = push_out(writer);
	if (rc < 0 && rc != -EAGAIN)
		writer->failed = rc;
	return rc == -EAGAIN ? 0 : rc;
}

/* Writes the rest, waiting for room in the ring where there is none. */
static int push_rest(struct sl_file_writer *writer)
{
	struct stream_chunk *chunk = sl_stream_chunk(&writer->stream, writer->head);
	int rc = 0;

	while (!chunk->req.busy && chunk->done > chunk_skip(writer, writer->head)) {
		rc = push_out(writer);
		if (rc != -EAGAIN || !writer->stream.busy)
			break;
		rc = wait_once(writer, 0);
		if (rc < 0)
			break;
	}
	return rc;
}

static int sync_file(struct sl_file_writer *writer)
{
	struct sl_file_req req = { 0 };

	return (int)sl_file_do(writer->stream.file, SL_FILE_SYNC, &req);
}

int64_t sl_file_writer_finish(struct sl_file_writer *writer, int sync)
{
	int rc = sl_ring_run(writer->stream.file->ring, SL_RING_POLL);

	if (rc < 0)
		return rc;
	if (!writer->failed && !writer->finished)
		writer->failed = push_rest(writer);
	writer->finished = true;
	if (!sl_stream_drain(&writer->stream))
		return sl_ring_error(writer->stream.file->ring);
	if (!writer->failed && sync)
		writer->failed = sync_file(writer);
	return writer->failed ? writer->failed : (int64_t)writer->written;
}

void sl_file_writer_close(struct sl_file_writer *writer)
{
	struct sl_ring *ring;

	if (!writer)
		return;
	writer->closing = true;
	ring = writer->stream.file->ring;
	if (!sl_stream_drain(&writer->stream))
		return;
	sl_stream_fini(&writer->stream);
	sl_file_free(ring, writer, 1, sizeof(*writer));
}
