/* stream.h - the chunks of a reader or writer: a ring of buffers, each with a request. */
#ifndef SLUICE_FILE_STREAM_H
#define SLUICE_FILE_STREAM_H

#include <stdbool.h>
#include <sluice/buf.h>
#include <sluice/file.h>

struct stream_chunk {
	struct sl_file_req req;
	unsigned char *buf;
	uint32_t done; /* bytes consumed or filled */
};

struct stream {
	struct sl_file *file;
	struct sl_buf_pool *pool;
	void *memory; /* own buffers, or NULL */
	struct stream_chunk *chunks;
	uint32_t depth;
	uint32_t chunk_bytes;
	uint32_t busy; /* requests in flight */
};

/* What both kinds of options say. */
struct stream_shape {
	struct sl_buf_pool *pool;
	uint32_t depth;
	uint32_t depth_min;
	uint32_t chunk_bytes;
	uint32_t block; /* chunks are multiples of it */
};

/* 0, -EINVAL or -ENOMEM; on failure it owns nothing. */
int sl_stream_init(struct stream *stream, struct sl_file *file, const struct stream_shape *shape);

/* Nothing is in flight any more. */
void sl_stream_fini(struct stream *stream);

/* Runs the ring until no request is in flight; false: see sl_requests_end(). */
bool sl_stream_drain(struct stream *stream);

static inline struct stream_chunk *sl_stream_chunk(struct stream *stream, uint64_t nr)
{
	return &stream->chunks[nr % stream->depth];
}

#endif
