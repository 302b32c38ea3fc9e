/* SPDX-License-Identifier: MIT */
/* inode.c - which file of the file system is which inode of the trace: an open-addressed table. */
#include <errno.h>

#include "backend/record/log.h"

#define FILL_MAX (LOG_INODES / 4 * 3)

/* Its place, or the free one where it would be. */
static struct log_inode *probe(struct log *log, const struct sl_sys_statx *st)
{
	uint64_t dev = log_dev(st);
	uint64_t at = (st->ino ^ dev << 17) * UINT64_C(0x9e3779b97f4a7c15);
	struct log_inode *entry;

	for (at >>= 32;; at++) {
		entry = &log->state->table[at & (LOG_INODES - 1)];
		if (entry->kind == LOG_FREE || (entry->ino == st->ino && entry->dev == dev))
			return entry;
	}
}

struct log_inode *log_find(struct log *log, const struct sl_sys_statx *st)
{
	struct log_inode *entry = probe(log, st);

	return entry->kind == LOG_FREE ? NULL : entry;
}

static struct log_inode *take(struct log *log, const struct sl_sys_statx *st, enum log_kind kind)
{
	struct log_inode *entry = probe(log, st);

	if (entry->kind == LOG_FREE) {
		if (log->state->inodes >= FILL_MAX) {
			log_fail(log, -ENFILE);
			return NULL;
		}
		log->state->inodes++;
	}
	*entry = (struct log_inode){
		.ino = st->ino,
		.dev = log_dev(st),
		.kind = (uint16_t)kind,
	};
	return entry;
}

struct log_inode *log_new(struct log *log, const struct sl_sys_statx *st)
{
	struct log_inode *entry = take(log, st, LOG_LIVE);

	if (entry) {
		entry->inode = log->state->next_inode++;
		entry->links = 1;
	}
	return entry;
}

void log_outside(struct log *log, const struct sl_sys_statx *st)
{
	take(log, st, LOG_OUTSIDE);
}
