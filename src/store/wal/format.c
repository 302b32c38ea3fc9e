/* SPDX-License-Identifier: MIT */
/* format.c - headers, records and the walk from one to the next; see format.h. */
#include "store/wal/format.h"

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"

/* Not zero, so that a header of zeros does not check. */
#define HEADER_SEED UINT32_C(0x5a17ed00)

bool wal_shape_ok(const struct wal_shape *shape)
{
	uint32_t block = shape->block_bytes;

	return sl_is_pow2(block) && block >= WAL_BLOCK_MIN && block <= WAL_BLOCK_MAX &&
	       shape->buffer_bytes >= block && shape->buffer_bytes <= WAL_BUFFER_MAX &&
	       shape->segment_bytes >= 2 * (uint64_t)block &&
	       shape->segment_bytes <= WAL_SEGMENT_MAX && !(shape->buffer_bytes % block) &&
	       !(shape->segment_bytes % block);
}

void wal_shape_seed(struct wal_shape *shape)
{
	shape->seed = sl_crc32c_update(~UINT32_C(0), &shape->log_id, sizeof(shape->log_id));
	if (!shape->seed)
		shape->seed = 1;
}

static uint32_t header_crc(const void *header, size_t len)
{
	return sl_crc32c_update(HEADER_SEED, header, len);
}

void wal_file_header_put(void *block, const struct wal_shape *shape)
{
	struct wal_file_header header = {
		.magic = WAL_FILE_MAGIC,
		.version = WAL_VERSION,
		.block_bytes = shape->block_bytes,
		.segment_bytes = shape->segment_bytes,
		.log_id = shape->log_id,
		.buffer_bytes = shape->buffer_bytes,
	};

	SL_ASSERT(wal_shape_ok(shape));
	header.crc = header_crc(&header, offsetof(struct wal_file_header, crc));
	memset(block, 0, shape->block_bytes);
	memcpy(block, &header, sizeof(header));
}

int wal_file_header_get(const void *block, struct wal_shape *ret_shape, uint32_t *ret_version)
{
	struct wal_file_header header;
	struct wal_shape shape = { 0 };

	memcpy(&header, block, sizeof(header));
	if (memcmp(header.magic, WAL_FILE_MAGIC, sizeof(header.magic)) != 0)
		return -EILSEQ;
	*ret_version = header.version;
	if (header.version > WAL_VERSION)
		return -EOPNOTSUPP;
	if (header.crc != header_crc(&header, offsetof(struct wal_file_header, crc)))
		return -EBADMSG;
	shape.block_bytes = header.block_bytes;
	shape.buffer_bytes = header.buffer_bytes;
	shape.segment_bytes = header.segment_bytes;
	shape.log_id = header.log_id;
	if (header.flags || header.version != WAL_VERSION)
		return -EOPNOTSUPP;
	if (!wal_shape_ok(&shape))
		return -EILSEQ;
	wal_shape_seed(&shape);
	*ret_shape = shape;
	return 0;
}

void wal_segment_header_put(void *block, const struct wal_shape *shape,
			    const struct wal_segment_header *header)
{
	struct wal_segment_header full = *header;

	SL_ASSERT(full.seq > 0 && full.first_seq > 0 && full.first_seq <= full.seq);
	memcpy(full.magic, WAL_SEGMENT_MAGIC, sizeof(full.magic));
	full.log_id = shape->log_id;
	full.crc = header_crc(&full, offsetof(struct wal_segment_header, crc));
	memset(block, 0, shape->block_bytes);
	memcpy(block, &full, sizeof(full));
}

bool wal_segment_header_get(const void *block, const struct wal_shape *shape, uint32_t slot,
			    struct wal_segment_header *ret_header)
{
	struct wal_segment_header header;

	memcpy(&header, block, sizeof(header));
	if (memcmp(header.magic, WAL_SEGMENT_MAGIC, sizeof(header.magic)) != 0 ||
	    header.crc != header_crc(&header, offsetof(struct wal_segment_header, crc)))
		return false;
	if (header.log_id != shape->log_id || header.slot != slot || !header.seq ||
	    !header.first_seq || header.first_seq > header.seq ||
	    header.seq >= UINT64_MAX / shape->segment_bytes - 1)
		return false;
	*ret_header = header;
	return true;
}

/* ---- records ------------------------------------------------------------------------ */

static uint32_t record_crc(const void *at, uint64_t extent, const struct wal_shape *shape)
{
	const size_t skip = sizeof(uint32_t);

	return sl_crc32c_update(shape->seed, (const char *)at + skip, extent - skip);
}

void wal_record_seal(void *at, const struct wal_shape *shape,
		     const struct wal_record_header *header)
{
	struct wal_record_header full = *header;
	uint64_t extent = wal_extent(full.len);
	uint64_t used = sizeof(full) + full.len;

	memcpy(at, &full, sizeof(full));
	memset((char *)at + used, 0, extent - used);
	full.crc = record_crc(at, extent, shape);
	memcpy(at, &full.crc, sizeof(full.crc));
}

static bool kind_known(uint8_t kind)
{
	return kind >= SL_WAL_DATA && kind <= SL_WAL_EPOCH;
}

int wal_record_get(const void *at, uint64_t avail, uint64_t lsn, const struct wal_shape *shape,
		   struct wal_record_header *ret_header)
{
	struct wal_record_header header;
	uint64_t extent;

	if (avail < sizeof(header))
		return -EMSGSIZE;
	memcpy(&header, at, sizeof(header));
	if (header.lsn != lsn || !kind_known(header.kind) || header.durable > lsn)
		return -ENODATA;
	extent = wal_extent(header.len);
	if (extent > shape->buffer_bytes || extent > wal_segment_end(shape, lsn) - lsn)
		return -ENODATA;
	if (extent > avail)
		return -EMSGSIZE;
	if (header.crc != record_crc(at, extent, shape))
		return -ENODATA;
	*ret_header = header;
	return 0;
}

/* ---- from record to record ---------------------------------------------------------- */

/* Whether the record may follow what the cursor has seen. */
static bool follows(const struct wal_cursor *cursor, const struct wal_record_header *header)
{
	uint64_t ended = cursor->from ? cursor->from : cursor->pos;

	if (!cursor->epoch)
		return !cursor->from && header->epoch;
	if (header->kind == SL_WAL_EPOCH)
		return header->epoch > cursor->epoch && header->durable == ended;
	return !cursor->from && header->epoch == cursor->epoch;
}

int wal_cursor_broken(struct wal_cursor *cursor, const struct wal_shape *shape)
{
	uint64_t block = wal_normal(shape, sl_round_up(cursor->pos, shape->block_bytes));

	if (cursor->from || block == cursor->pos) {
		wal_cursor_end(cursor);
		return -ENODATA;
	}
	cursor->from = cursor->pos;
	cursor->pos = block;
	return WAL_CURSOR_JUMPED;
}

int wal_cursor_step(struct wal_cursor *cursor, const struct wal_shape *shape, const void *at,
		    uint64_t avail, struct wal_record_header *ret_header)
{
	struct wal_record_header header;
	int rc = wal_record_get(at, avail, cursor->pos, shape, &header);

	if (rc == -EMSGSIZE)
		return rc;
	if (rc < 0 || !follows(cursor, &header))
		return wal_cursor_broken(cursor, shape);
	cursor->epoch = header.epoch;
	cursor->from = 0;
	if (header.kind == SL_WAL_END)
		cursor->pos = wal_segment_end(shape, header.lsn);
	else
		cursor->pos += wal_extent(header.len);
	cursor->pos = wal_normal(shape, cursor->pos);
	*ret_header = header;
	return WAL_CURSOR_RECORD;
}

void wal_cursor_end(struct wal_cursor *cursor)
{
	if (cursor->from)
		cursor->pos = cursor->from;
	cursor->from = 0;
}
