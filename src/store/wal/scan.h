/* SPDX-License-Identifier: MIT */
/*
 * scan.h - walks over a whole log, and judges it: recovery, sl_wal_check() and the fuzzer use it.
 *
 * Reads through a function, so that the log may be a file or bytes in memory.
 */
#ifndef SLUICE_STORE_WAL_SCAN_H
#define SLUICE_STORE_WAL_SCAN_H

#include <sluice/ring.h>

#include "store/wal/format.h"

struct wal_source {
	/* Up to len bytes at off: how many (fewer: the end), or -errno. */
	int64_t (*read)(void *ctx, void *buf, uint64_t len, uint64_t off);
	void *ctx;
	uint64_t size;
};

/* A segment of the file: seq 0 means that it holds no header. */
struct wal_slot {
	uint64_t seq;
	uint64_t first_seq;
	uint32_t slots;
};

struct wal_scan {
	const struct sl_allocator *allocator;
	const struct wal_source *source;
	struct sl_wal_report *report;
	struct wal_shape shape;
	struct wal_slot *slots;
	uint32_t nr_slots;
	uint64_t first_seq; /* the oldest segment that is part of the log */
	uint64_t newest_seq;
	struct wal_cursor cursor;
	bool torn;
	unsigned char *window;
	size_t window_bytes;
	uint64_t window_off; /* where in the file it is */
	uint64_t window_len;
};

/* Reads the headers. 0, what sl_wal_check() says with the report filled in,
 * -ENOMEM or what reading answered. End it with wal_scan_fini() in any case. */
int wal_scan_init(struct wal_scan *scan, const struct wal_source *source,
		  const struct sl_allocator *allocator, struct sl_wal_report *report);

/* From the first record to the end of the log, which cursor.pos then is. */
int wal_scan_run(struct wal_scan *scan, sl_wal_record_fn *fn, void *ctx);

void wal_scan_fini(struct wal_scan *scan);

#endif
