/* SPDX-License-Identifier: MIT */
/*
 * trace_image.h - an op as the bytes of its record, for all who append to a trace.
 *
 * Those are trace.c and, in programs on a ring, backend/record: a header of its own, so
 * that the library needs nothing else of the crash tester.
 */
#ifndef SLUICE_CRASH_TRACE_IMAGE_H
#define SLUICE_CRASH_TRACE_IMAGE_H

#include <stddef.h>
#include <string.h>

#include "base/crc32c.h"
#include "crash/trace_format.h"

/* A record, its names with their zeros, its payload's zeros. */
struct trace_image {
	struct trace_record record;
	char names[2 * CRASH_NAME_MAX + 2 + TRACE_ALIGN];
	char zeros[TRACE_ALIGN];
};

static inline void trace_header_fill(struct trace_header *header, uint64_t id, uint32_t sector)
{
	*header = (struct trace_header){
		.magic = TRACE_MAGIC,
		.version = TRACE_VERSION,
		.sector = sector,
		.id = id,
	};
	header->crc = sl_crc32c_update(trace_seed(id), header, offsetof(struct trace_header, crc));
}

/* Everything but the checksums. */
static inline void trace_image_fill(struct trace_image *image, const struct crash_op *op)
{
	struct trace_record *record = &image->record;

	memset(image, 0, sizeof(*image));
	*record = (struct trace_record){
		.magic = TRACE_RECORD_MAGIC,
		.data_len = op->data_len,
		.seq = op->seq,
		.begin = op->begin,
		.inode = op->inode,
		.dir = op->dir,
		.dir2 = op->dir2,
		.off = op->off,
		.len = op->len,
		.code = op->code,
		.flags = op->flags,
		.res = op->res,
		.mode = op->mode,
		.flags2 = op->flags2,
		.pid = op->pid,
		.name_len = (uint16_t)(op->name ? strlen(op->name) : 0),
		.name2_len = (uint16_t)(op->name2 ? strlen(op->name2) : 0),
	};
	if (record->name_len)
		memcpy(image->names, op->name, record->name_len);
	if (record->name2_len)
		memcpy(image->names + record->name_len, op->name2, record->name2_len);
}

/* The checksums; data_crc: of the payload, its register begun with seed. */
static inline void trace_image_seal(struct trace_image *image, uint32_t seed, uint32_t data_crc)
{
	struct trace_record *record = &image->record;
	size_t from = offsetof(struct trace_record, data_crc);
	uint32_t crc;

	record->data_crc = sl_crc32c_update(data_crc, image->zeros,
					    trace_data_bytes(record) - record->data_len);
	crc = sl_crc32c_update(seed, (char *)record + from, sizeof(*record) - from);
	record->crc = sl_crc32c_update(crc, image->names, trace_names_bytes(record));
}

#endif
