/* SPDX-License-Identifier: MIT */
/* trace_op.c - what an op of a trace must be by itself, and what it is called. */
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>

#include "crash/trace_format.h"

#define OFF_MAX	       ((uint64_t)INT64_MAX)
#define LINE_MAX_BYTES 65536

enum need {
	INODE = 1 << 0,
	NAME = 1 << 1,
	NAME2 = 1 << 2,
	DATA = 1 << 3, /* may have a payload */
	RANGE = 1 << 4,
};

struct shape {
	const char *name;
	unsigned need;
	unsigned flags; /* those it may have, besides CRASH_FAULT */
};

static const struct shape shapes[CRASH_CODES] = {
	[CRASH_BASE] = { "base", INODE | NAME | DATA, 0 },
	[CRASH_CREATE] = { "create", INODE | NAME, 0 },
	[CRASH_MKDIR] = { "mkdir", INODE | NAME, 0 },
	[CRASH_SYMLINK] = { "symlink", INODE | NAME | DATA, 0 },
	[CRASH_LINK] = { "link", INODE | NAME, 0 },
	[CRASH_UNLINK] = { "unlink", INODE | NAME, 0 },
	[CRASH_RMDIR] = { "rmdir", INODE | NAME, 0 },
	[CRASH_RENAME] = { "rename", INODE | NAME | NAME2, CRASH_EXCHANGE },
	[CRASH_WRITE] = { "write", INODE | DATA | RANGE,
			  CRASH_DSYNC | CRASH_MAPPED | CRASH_DIRECT },
	[CRASH_TRUNCATE] = { "truncate", INODE | RANGE, 0 },
	[CRASH_ALLOCATE] = { "allocate", INODE | RANGE, 0 },
	[CRASH_CLOSE] = { "close", INODE, 0 },
	[CRASH_SYNC] = { "sync", INODE, CRASH_DATA_ONLY },
	[CRASH_SYNC_ALL] = { "sync all", 0, 0 },
	[CRASH_CHMOD] = { "chmod", INODE, 0 },
	[CRASH_ACK] = { "ack", DATA, 0 },
	[CRASH_NOTE] = { "note", DATA, 0 },
};

const char *crash_code_name(uint32_t code)
{
	return code && code < CRASH_CODES ? shapes[code].name : "?";
}

static bool is_name(const char *name)
{
	size_t len = name ? strnlen(name, CRASH_NAME_MAX + 1) : 0;

	return len && len <= CRASH_NAME_MAX && !memchr(name, '/', len) && strcmp(name, ".") &&
	       strcmp(name, "..");
}

/* A file of O_TMPFILE has no name yet. */
static bool is_unnamed(const struct crash_op *op)
{
	return op->code == CRASH_CREATE && S_ISREG(op->mode) && !op->dir &&
	       (!op->name || !*op->name);
}

static const char *names_wrong(const struct crash_op *op, unsigned need)
{
	if (is_unnamed(op))
		need &= ~(unsigned)NAME;
	if (need & NAME ? !is_name(op->name) || !op->dir : (op->name && *op->name) || op->dir)
		return "its name or directory";
	if (need & NAME2 ? !is_name(op->name2) || !op->dir2 : (op->name2 && *op->name2) || op->dir2)
		return "its second name or directory";
	return NULL;
}

static const char *mode_wrong(const struct crash_op *op)
{
	uint32_t type = op->mode & S_IFMT;

	switch (op->code) {
	case CRASH_BASE:
		return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFIFO ||
				       type == S_IFSOCK || type == S_IFCHR || type == S_IFBLK ?
			       NULL :
			       "its kind of file";
	case CRASH_CREATE:
		return type == S_IFREG || type == S_IFIFO || type == S_IFSOCK || type == S_IFCHR ||
				       type == S_IFBLK ?
			       NULL :
			       "its kind of file";
	default:
		return NULL;
	}
}

/* Those modes of fallocate(2) whose outcome is told by a range: not the two that move bytes. */
static bool is_allocation(uint32_t mode)
{
	const uint32_t punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return mode == 0 || mode == FALLOC_FL_KEEP_SIZE || mode == punch ||
	       (mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE ||
	       (mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE) == FALLOC_FL_UNSHARE_RANGE;
}

static const char *range_wrong(const struct crash_op *op)
{
	if (op->len > OFF_MAX || op->off > OFF_MAX - op->len)
		return "its range";
	if (op->code == CRASH_WRITE && op->len != op->data_len)
		return "its length and that of its data";
	if (op->code == CRASH_ALLOCATE && !is_allocation(op->flags2))
		return "its mode of allocation";
	return NULL;
}

static const char *data_wrong(const struct crash_op *op, unsigned need)
{
	if (op->data_len > CRASH_DATA_MAX || (op->data_len && !(need & DATA)))
		return "its payload";
	if ((op->code == CRASH_ACK || op->code == CRASH_NOTE) && op->data_len > LINE_MAX_BYTES)
		return "the length of its line";
	if (op->code == CRASH_SYMLINK && (!op->data_len || op->data_len > 4095))
		return "its target";
	return NULL;
}

const char *trace_op_wrong(const struct crash_op *op)
{
	const struct shape *shape;
	const char *wrong;

	if (!op->code || op->code >= CRASH_CODES)
		return "its code";
	shape = &shapes[op->code];
	if (op->flags & ~(shape->flags | CRASH_FAULT))
		return "its flags";
	if (shape->need & INODE ? !op->inode && op->res >= 0 : op->inode != 0)
		return "its inode";
	wrong = names_wrong(op, shape->need);
	if (!wrong)
		wrong = mode_wrong(op);
	if (!wrong && shape->need & RANGE)
		wrong = range_wrong(op);
	return wrong ? wrong : data_wrong(op, shape->need);
}
