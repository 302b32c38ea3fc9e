/* stream.c - the chunks of a reader or writer: a ring of buffers, each with a request. */
#include "file/stream.h"

#include <errno.h>

#include "base/bits.h"
#include "file/file.h"
#include "file/memory.h"

#define DEPTH	    4
#define DEPTH_MAX   256
#define CHUNK_BYTES (128u << 10)
#define CHUNK_MAX   (64u << 20)

static int take_from_pool(struct stream *stream)
{
	for (uint32_t i = 0; i < stream->depth; i++) {
		stream->chunks[i].buf = sl_buf_get(stream->pool);
		if (!stream->chunks[i].buf)
			return -ENOMEM;
	}
	return 0;
}

static int take_own(struct stream *stream)
{
	size_t align = stream->file->mem_align > 4096 ? stream->file->mem_align : 4096;

	stream->memory =
		sl_file_alloc(stream->file->ring, stream->depth, stream->chunk_bytes, align);
	if (!stream->memory)
		return -ENOMEM;
	for (uint32_t i = 0; i < stream->depth; i++)
		stream->chunks[i].buf =
			(unsigned char *)stream->memory + (size_t)i * stream->chunk_bytes;
	return 0;
}

static int shape_up(struct stream *stream, const struct stream_shape *shape)
{
	struct sl_buf_pool_info info;
	uint32_t chunk = shape->chunk_bytes ? shape->chunk_bytes : CHUNK_BYTES;

	stream->depth = shape->depth ? shape->depth : DEPTH;
	if (stream->depth < shape->depth_min || stream->depth > DEPTH_MAX || chunk > CHUNK_MAX)
		return -EINVAL;
	stream->chunk_bytes = (uint32_t)sl_round_up(chunk, shape->block);
	if (shape->pool) {
		sl_buf_pool_info(shape->pool, &info);
		stream->chunk_bytes = (uint32_t)sl_round_down(info.buf_bytes, shape->block);
	}
	return stream->chunk_bytes ? 0 : -EINVAL;
}

int sl_stream_init(struct stream *stream, struct sl_file *file, const struct stream_shape *shape)
{
	int rc;

	*stream = (struct stream){ .file = file, .pool = shape->pool };
	rc = shape_up(stream, shape);
	if (rc < 0)
		return rc;
	stream->chunks = sl_file_alloc(file->ring, stream->depth, sizeof(*stream->chunks), 0);
	if (!stream->chunks)
		return -ENOMEM;
	rc = stream->pool ? take_from_pool(stream) : take_own(stream);
	if (rc < 0)
		sl_stream_fini(stream);
	return rc;
}

void sl_stream_fini(struct stream *stream)
{
	struct sl_ring *ring = stream->file->ring;

	for (uint32_t i = 0; stream->pool && i < stream->depth; i++)
		sl_buf_put(stream->pool, stream->chunks[i].buf);
	sl_file_free(ring, stream->chunks, stream->depth, sizeof(*stream->chunks));
	sl_file_free(ring, stream->memory, stream->depth, stream->chunk_bytes);
	*stream = (struct stream){ 0 };
}

bool sl_stream_drain(struct stream *stream)
{
	return sl_requests_end(stream->file->ring, &stream->busy);
}
