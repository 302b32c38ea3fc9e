/* SPDX-License-Identifier: MIT */
/* words.c - the paths of every op, kept once each, and sentences made of them. */
#include <errno.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/fault.h"
#include "crash/names.h"
#include "crash/words.h"

#define PATH_BYTES 4096

/* Offsets in text. */
struct paths {
	uint32_t path, dir, dir2;
};

struct crash_words {
	const struct crash_trace *trace;
	struct paths *paths; /* of each op */
	char *text;	     /* begins with an empty string */
	size_t nr, room;
	uint64_t base_nr;
	struct last *last; /* of recent inodes, so that a file's writes share one path */
};

struct last {
	uint64_t inode;
	uint32_t path;
};

#define LAST 64

static int keep_text(struct crash_words *words, const char *text, uint32_t *ret_at)
{
	size_t len = strlen(text) + 1;
	char *more;

	if (words->nr + len > UINT32_MAX)
		return -ENOMEM;
	if (words->nr + len > words->room) {
		size_t room = 2 * (words->room + len);

		more = realloc(words->text, room);
		if (!more)
			return -ENOMEM;
		words->text = more;
		words->room = room;
	}
	memcpy(words->text + words->nr, text, len);
	*ret_at = (uint32_t)words->nr;
	words->nr += len;
	return 0;
}

/* The path of an inode as it is now. */
static int note_path(struct crash_words *words, const struct crash_names *names, uint64_t inode,
		     uint32_t *ret_at)
{
	const struct crash_node *node = inode ? crash_names_node(names, inode) : NULL;
	struct last *last = &words->last[inode % LAST];
	char path[PATH_BYTES];
	int err;

	*ret_at = 0;
	if (!node)
		return 0;
	crash_names_path(node, path, sizeof(path));
	if (last->inode == inode && strcmp(words->text + last->path, path) == 0) {
		*ret_at = last->path;
		return 0;
	}
	err = keep_text(words, path, ret_at);
	*last = (struct last){ inode, *ret_at };
	return err;
}

/* The name that an op is about, whether the inode was given another since or not. */
static int note_name(struct crash_words *words, const struct crash_op *op, struct paths *paths)
{
	char path[PATH_BYTES + CRASH_NAME_MAX + 2];
	const char *dir = words->text + paths->dir;

	snprintf(path, sizeof(path), "%s/%s", strcmp(dir, "/") ? dir : "", op->name);
	return keep_text(words, path, &paths->path);
}

static int note_op(struct crash_words *words, struct crash_names *names, const struct crash_op *op)
{
	struct paths *paths = &words->paths[op->seq - 1];
	int err = note_path(words, names, op->dir, &paths->dir);
	const char *why;

	if (!err)
		err = note_path(words, names, op->dir2, &paths->dir2);
	if (!err && *op->name)
		err = note_name(words, op, paths);
	else if (!err)
		err = note_path(words, names, op->inode, &paths->path);
	return err ? err : crash_names_apply(names, op, &why);
}

uint64_t crash_base_nr(const struct crash_trace *trace)
{
	uint64_t nr = 0;

	while (nr < crash_trace_nr(trace) && crash_trace_op(trace, nr)->code == CRASH_BASE)
		nr++;
	return nr;
}

uint64_t crash_words_number(const struct crash_words *words, uint64_t seq)
{
	return seq > words->base_nr ? seq - words->base_nr : 0;
}

int crash_words_create(const struct crash_trace *trace, struct crash_words **ret_words)
{
	struct crash_words *words = calloc(1, sizeof(*words));
	struct crash_names *names = NULL;
	uint32_t empty;
	int err = words ? crash_names_create(&names) : -ENOMEM;

	if (!err) {
		words->trace = trace;
		words->base_nr = crash_base_nr(trace);
		words->paths = calloc(crash_trace_nr(trace) + 1, sizeof(*words->paths));
		words->last = calloc(LAST, sizeof(*words->last));
		err = words->paths && words->last ? keep_text(words, "", &empty) : -ENOMEM;
	}
	for (uint64_t i = 0; !err && i < crash_trace_nr(trace); i++)
		err = note_op(words, names, crash_trace_op(trace, i));
	crash_names_destroy(names);
	if (err) {
		crash_words_destroy(words);
		return err;
	}
	*ret_words = words;
	return 0;
}

void crash_words_destroy(struct crash_words *words)
{
	if (!words)
		return;
	free(words->paths);
	free(words->text);
	free(words->last);
	free(words);
}

const char *crash_words_path(const struct crash_words *words, uint64_t seq)
{
	return words->text + words->paths[seq - 1].path;
}

const char *crash_words_dir(const struct crash_words *words, uint64_t seq)
{
	return words->text + words->paths[seq - 1].dir;
}

const char *crash_words_dir2(const struct crash_words *words, uint64_t seq)
{
	return words->text + words->paths[seq - 1].dir2;
}

static void line_of(const struct crash_words *words, const struct crash_op *op, char *buf,
		    size_t bytes)
{
	uint32_t len = op->data_len < bytes - 1 ? op->data_len : (uint32_t)bytes - 1;

	if (crash_trace_data(words->trace, op, 0, buf, len))
		len = 0;
	buf[len] = '\0';
	for (uint32_t i = 0; i < len; i++) {
		if ((unsigned char)buf[i] < ' ')
			buf[i] = '?';
	}
}

/* What did not go well of it, and whether that was injected. */
static void say_outcome(const struct crash_op *op, char *buf, size_t bytes)
{
	size_t at = strlen(buf);

	if (op->res < 0)
		snprintf(buf + at, bytes - at, ", which failed: %s", strerror(-op->res));
	else if (crash_fault_kind_of(op) == CRASH_FAULT_SHORT && op->code == CRASH_WRITE)
		snprintf(buf + at, bytes - at, ", cut short");
	else if (crash_fault_kind_of(op) == CRASH_FAULT_ROT && !crash_fault_is_rot(op))
		snprintf(buf + at, bytes - at, ", with a bit flipped");
	else if (crash_fault_kind_of(op) == CRASH_FAULT_ASTRAY)
		snprintf(buf + at, bytes - at, ", meant for another place");
	at = strlen(buf);
	if (op->flags & CRASH_FAULT)
		snprintf(buf + at, bytes - at, " (--fault)");
}

static void say_write(const struct crash_op *op, const char *path, char *buf, size_t bytes)
{
	if (crash_fault_is_rot(op)) {
		snprintf(buf, bytes,
			 "the disk flips a bit of byte %" PRIu64 " of %s, as it is read", op->off,
			 path);
		return;
	}
	snprintf(buf, bytes, "%swrite %" PRIu64 " bytes at %" PRIu64 " of %s%s",
		 op->flags & CRASH_MAPPED ? "mapped " : "", op->len, op->off, path,
		 op->flags & CRASH_DSYNC ? " with O_DSYNC" : "");
}

static void say_rename(const struct crash_words *words, const struct crash_op *op, char *buf,
		       size_t bytes)
{
	const char *dir2 = crash_words_dir2(words, op->seq);

	snprintf(buf, bytes, "%s %s %s %s/%s", op->flags & CRASH_EXCHANGE ? "exchange" : "rename",
		 crash_words_path(words, op->seq), op->flags & CRASH_EXCHANGE ? "with" : "to",
		 strcmp(dir2, "/") ? dir2 : "", op->name2);
}

static const char *allocation(uint32_t mode)
{
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return "punch";
	if (mode & FALLOC_FL_ZERO_RANGE)
		return "zero";
	return "allocate";
}

const char *crash_words_deed(const struct crash_words *words, uint64_t seq, char *buf, size_t bytes)
{
	const struct crash_op *op = crash_trace_op(words->trace, seq - 1);
	const char *path = crash_words_path(words, seq);
	char line[80];

	switch (op->code) {
	case CRASH_WRITE:
		say_write(op, path, buf, bytes);
		break;
	case CRASH_RENAME:
		say_rename(words, op, buf, bytes);
		break;
	case CRASH_TRUNCATE:
		snprintf(buf, bytes, "truncate %s to %" PRIu64 " bytes", path, op->len);
		break;
	case CRASH_ALLOCATE:
		snprintf(buf, bytes, "%s %" PRIu64 " bytes at %" PRIu64 " of %s",
			 allocation(op->flags2), op->len, op->off, path);
		break;
	case CRASH_SYNC:
		snprintf(buf, bytes, "%s of %s",
			 op->flags & CRASH_DATA_ONLY ? "fdatasync" : "fsync", path);
		break;
	case CRASH_SYNC_ALL:
		snprintf(buf, bytes, "sync of everything");
		break;
	case CRASH_ACK:
	case CRASH_NOTE:
		if (op->flags & CRASH_FAULT) {
			line_of(words, op, buf, bytes);
			break;
		}
		line_of(words, op, line, sizeof(line));
		snprintf(buf, bytes, "%s \"%s\"", crash_code_name(op->code), line);
		break;
	default:
		snprintf(buf, bytes, "%s %s", crash_code_name(op->code), path);
	}
	say_outcome(op, buf, bytes);
	return buf;
}

const char *crash_words_of(const struct crash_words *words, uint64_t seq, char *buf, size_t bytes)
{
	const struct crash_op *op = crash_trace_op(words->trace, seq - 1);
	size_t at;

	crash_words_deed(words, seq, buf, bytes);
	at = strlen(buf);
	seq = crash_words_number(words, seq);
	if (op->pid)
		snprintf(buf + at, bytes - at, " (op %" PRIu64 ", pid %" PRIu32 ")", seq, op->pid);
	else
		snprintf(buf + at, bytes - at, " (op %" PRIu64 ")", seq);
	return buf;
}
