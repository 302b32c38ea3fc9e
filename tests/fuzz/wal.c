/*
 * wal.c: whatever bytes a log file holds, walking over it ends, stays within them, and answers.
 *
 * The first byte of an input says which checksums are made right before the walk,
 * so that changes behind a checksum are reached; the rest is the file.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "store/wal/scan.h"

#define FIX_FILE    1
#define FIX_SEGMENT 2
#define FIX_RECORD  4
#define BLOCK	    4096
#define SEGMENT	    16384
#define FILE_BYTES  (BLOCK + 3 * SEGMENT)

struct image {
	const unsigned char *bytes;
	uint64_t len;
	uint64_t sum;
};

static void *image_alloc(void *ctx, size_t bytes, size_t align)
{
	(void)ctx;
	(void)align;
	return malloc(bytes);
}

static void image_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

static int64_t image_read(void *ctx, void *buf, uint64_t len, uint64_t off)
{
	struct image *image = ctx;

	if (off >= image->len)
		return 0;
	if (len > image->len - off)
		len = image->len - off;
	memcpy(buf, image->bytes + off, len);
	return (int64_t)len;
}

/* Every byte that is handed out is looked at. */
static int look(void *ctx, const struct sl_wal_record *record)
{
	const unsigned char *data = record->data;
	struct image *image = ctx;

	for (uint32_t i = 0; i < record->len; i++)
		image->sum += data[i];
	if (record->next_lsn <= record->lsn || record->off + record->len > image->len)
		abort();
	return 0;
}

static void fix_header(unsigned char *at)
{
	uint32_t crc = sl_crc32c_update(0x5a17ed00, at, 60);

	memcpy(at + 60, &crc, sizeof(crc));
}

static void fix_record(unsigned char *at, uint64_t room, const struct wal_shape *shape)
{
	struct wal_record_header header;

	memcpy(&header, at, sizeof(header));
	if (wal_extent(header.len) <= room)
		wal_record_seal(at, shape, &header);
}

static void fix(unsigned char *bytes, size_t len, unsigned what)
{
	struct wal_shape shape = { .log_id = 42 };

	wal_shape_seed(&shape);
	if ((what & FIX_FILE) && len >= 64)
		fix_header(bytes);
	for (size_t off = BLOCK; off + 64 <= len; off += BLOCK) {
		if ((off - BLOCK) % SEGMENT == 0 && (what & FIX_SEGMENT))
			fix_header(bytes + off);
		else if (what & FIX_RECORD)
			fix_record(bytes + off, len - off, &shape);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sl_allocator allocator = { image_alloc, image_free, NULL };
	struct image image = { .len = size ? size - 1 : 0 };
	struct wal_source source = { image_read, &image, image.len };
	struct sl_wal_report report;
	struct wal_scan scan;
	unsigned char *bytes = malloc(size + 1);
	int rc;

	if (!bytes)
		return 0;
	if (size) {
		memcpy(bytes, data + 1, size - 1);
		fix(bytes, size - 1, data[0]);
	}
	image.bytes = bytes;
	rc = wal_scan_init(&scan, &source, &allocator, &report);
	if (rc == 0)
		rc = wal_scan_run(&scan, look, &image);
	if (rc == 0 && report.end_lsn < report.first_lsn)
		abort();
	if (rc < 0 && rc != -ENOMEM && !report.why[0])
		abort();
	wal_scan_fini(&scan);
	free(bytes);
	return 0;
}

static uint64_t put(unsigned char *bytes, const struct wal_shape *shape, uint64_t lsn,
		    unsigned kind, uint32_t len)
{
	struct wal_record_header header = {
		.lsn = lsn,
		.len = len,
		.kind = (uint8_t)kind,
		.epoch = 1,
		.durable = lsn,
	};

	wal_record_seal(bytes + BLOCK + lsn - SEGMENT, shape, &header);
	return lsn + wal_extent(len);
}

/* Two segments in use and one without a header; records, padding, an end. */
size_t fuzz_seed(uint8_t *buf, size_t bytes)
{
	struct wal_shape shape = {
		.block_bytes = BLOCK,
		.buffer_bytes = 2 * BLOCK,
		.segment_bytes = SEGMENT,
		.log_id = 42,
	};
	unsigned char *file = buf + 1;
	uint64_t lsn = SEGMENT + BLOCK;

	if (bytes < FILE_BYTES + 1)
		return 0;
	memset(buf, 0, FILE_BYTES + 1);
	wal_shape_seed(&shape);
	wal_file_header_put(file, &shape);
	for (uint32_t slot = 0; slot < 2; slot++) {
		struct wal_segment_header header = { .seq = slot + 1,
						     .first_seq = 1,
						     .slot = slot };

		wal_segment_header_put(file + wal_slot_off(&shape, slot), &shape, &header);
	}
	lsn = put(file, &shape, lsn, SL_WAL_EPOCH, 0);
	lsn = put(file, &shape, lsn, SL_WAL_PAD, BLOCK - 64);
	lsn = put(file, &shape, lsn, SL_WAL_DATA, 5000);
	put(file, &shape, lsn, SL_WAL_END, (uint32_t)(2 * BLOCK - wal_extent(5000) - 32));
	lsn = put(file, &shape, 2 * SEGMENT + BLOCK, SL_WAL_DATA, 100);
	put(file, &shape, lsn, SL_WAL_DATA, 200);
	return FILE_BYTES + 1;
}
