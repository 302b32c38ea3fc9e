/* writelog.h: reads what dm-log-writes recorded, and puts it on a device as a power cut might leave
 * it. */
#ifndef SLUICE_TESTS_VM_WRITELOG_H
#define SLUICE_TESTS_VM_WRITELOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITELOG_MARK_MAX 32

/* Of an entry; see dm-log-writes in the kernel's documentation. */
enum writelog_flag {
	WRITELOG_FLUSH = 1 << 0, /* what completed before is durable */
	WRITELOG_FUA = 1 << 1,	 /* durable itself */
	WRITELOG_DISCARD = 1 << 2,
	WRITELOG_MARK = 1 << 3,
};

struct writelog_entry {
	uint64_t off;	   /* on the device, in bytes */
	uint64_t len;	   /* bytes written or discarded */
	uint64_t data_off; /* in the log */
	uint64_t flags;
	char mark[WRITELOG_MARK_MAX];
};

struct writelog {
	int fd;
	struct writelog_entry *entries;
	size_t nr;
};

/* Reads a log device; fails the test when there is none on it. */
void writelog_open(struct writelog *log, const char *device);
void writelog_close(struct writelog *log);

/* Writes one entry to a device; a mark or an empty flush does nothing. */
void writelog_apply(const struct writelog *log, size_t idx, int device);

/* Writes of one entry what chance (support_random()) lets through: whole blocks of 4096 bytes, for
 * all three file systems count on blocks of their own that are never torn. */
void writelog_tear(const struct writelog *log, size_t idx, int device, uint64_t *chance);

/* The entry that has this mark; fails the test. */
size_t writelog_find(const struct writelog *log, const char *mark);

#endif
