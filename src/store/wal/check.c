/* SPDX-License-Identifier: MIT */
/* check.c - a log looked at from outside: nothing is locked, synced or written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "store/wal/log.h"

static int open_for_reading(struct sl_ring *ring, int dirfd, const char *path,
			    struct sl_file **ret_file)
{
	struct sl_file_opts opts = { .io = SL_FILE_BUFFERED, .open_flags = O_RDONLY };

	return sl_file_open(ring, dirfd, path, &opts, ret_file);
}

static int check_file(struct sl_ring *ring, struct sl_file *file, sl_wal_record_fn *fn, void *ctx,
		      struct sl_wal_report *report)
{
	struct wal_source source = { .read = wal_file_read, .ctx = file };
	struct wal_scan scan;
	int rc = sl_file_size(file, &source.size);

	if (rc < 0)
		return rc;
	rc = wal_scan_init(&scan, &source, sl_ring_allocator(ring), report);
	if (rc == 0)
		rc = wal_scan_run(&scan, fn, ctx);
	wal_scan_fini(&scan);
	return rc;
}

int sl_wal_check(struct sl_ring *ring, int dirfd, const char *path, sl_wal_record_fn *fn, void *ctx,
		 struct sl_wal_report *ret_report)
{
	struct sl_file *file;
	int rc = open_for_reading(ring, dirfd, path, &file);

	*ret_report = (struct sl_wal_report){ 0 };
	if (rc == -EOPNOTSUPP) {
		ret_report->verdict = SL_WAL_FOREIGN;
		snprintf(ret_report->why, sizeof(ret_report->why),
			 "neither a regular file nor a block device");
		return -EILSEQ;
	}
	if (rc < 0)
		return rc;
	rc = check_file(ring, file, fn, ctx, ret_report);
	sl_file_close(file);
	return rc;
}
