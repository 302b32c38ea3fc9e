/* SPDX-License-Identifier: MIT */
/*
 * note.c - from the transfers of a ring to ops of the trace.
 *
 * Descriptors are asked which file they are at every transfer: the program may have got
 * them anywhere, and a number is soon another file. Names are looked up when their op
 * begins, while they still are what they are about to lose.
 */
#include "backend/record/note.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

/* One end of a transfer, while the log is locked. */
struct ending {
	struct log *log;
	const struct sl_slot *slot;
	const struct sl_op *op; /* of the ring */
	const struct record_mark *mark;
	int64_t res;
};

static struct record_mark *mark_of(struct recorder *rec, const struct sl_slot *slot)
{
	return &rec->marks[(uint32_t)slot->id];
}

/* ---- which file ----------------------- */

static bool is_ours(const struct log_inode *entry)
{
	return entry && entry->kind != LOG_OUTSIDE;
}

/* The file behind a descriptor if it is one of the directory, else NULL. */
static struct log_inode *entry_of_fd(struct log *log, int fd, struct sl_sys_statx *ret_st)
{
	struct log_inode *entry;

	if (sl_sys_fstatx(fd, SL_STATX_BASIC, ret_st) ||
	    (!S_ISREG(ret_st->mode) && !S_ISDIR(ret_st->mode)))
		return NULL;
	entry = log_find(log, ret_st);
	if (!entry)
		entry = log_adopt(log, fd, ret_st);
	return is_ours(entry) ? entry : NULL;
}

/* What a name stands for; the last component is followed only with AT_SYMLINK_FOLLOW. */
static struct log_inode *entry_of_name(struct log *log, int dirfd, const char *path, unsigned flags)
{
	int how = O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW);
	struct log_inode *entry = NULL;
	struct sl_sys_statx st;
	int fd = flags & AT_EMPTY_PATH && !*path ? dup(dirfd) : openat(dirfd, path, how);

	if (fd < 0)
		return NULL;
	if (!sl_sys_fstatx(fd, SL_STATX_BASIC, &st)) {
		entry = log_find(log, &st);
		if (!entry)
			entry = log_adopt(log, fd, &st);
	}
	close(fd);
	return entry;
}

/* ---- beginnings ----------------------- */

static void began_unlink(struct log *log, const struct sl_op *op, struct record_mark *mark)
{
	struct log_place place;

	log_locate(log, op->fd, op->buf, &place);
	mark->dir = place.dir;
	if (place.dir)
		mark->entry = entry_of_name(log, op->fd, op->buf, 0);
}

static void began_rename(struct log *log, const struct sl_op *op, struct record_mark *mark)
{
	const struct sl_name_pair *pair = op->buf;
	struct log_place place;

	log_locate(log, op->fd, pair->source, &place);
	mark->dir = place.dir;
	log_locate(log, pair->target_dirfd, pair->target, &place);
	mark->dir2 = place.dir;
	if (!mark->dir && !mark->dir2)
		return;
	mark->entry = entry_of_name(log, op->fd, pair->source, 0);
	if (mark->dir2)
		mark->entry2 = entry_of_name(log, pair->target_dirfd, pair->target, 0);
}

static void began_link(struct log *log, const struct sl_op *op, struct record_mark *mark)
{
	const struct sl_name_pair *pair = op->buf;
	struct log_place place;

	log_locate(log, pair->target_dirfd, pair->target, &place);
	mark->dir2 = place.dir;
	if (place.dir)
		mark->entry = entry_of_name(log, op->fd, pair->source, pair->flags);
}

static void began_close(struct log *log, const struct sl_op *op, struct record_mark *mark)
{
	int status = sl_sys_get_status(op->fd);
	struct sl_sys_statx st;

	if (status < 0 || (status & O_ACCMODE) == O_RDONLY ||
	    sl_sys_fstatx(op->fd, SL_STATX_BASIC, &st) || !S_ISREG(st.mode))
		return;
	mark->entry = log_find(log, &st);
}

#define CODE(name)    ((uint64_t)1 << SL_OP_##name)
#define LOOKS_AT_ONCE (CODE(UNLINK) | CODE(RENAME) | CODE(LINK) | CODE(CLOSE))

void recorder_began(struct recorder *rec, const struct sl_slot *slot)
{
	struct record_mark *mark = mark_of(rec, slot);

	*mark = (struct record_mark){ .begin = log_now(&rec->log) };
	if (!(LOOKS_AT_ONCE >> slot->code & 1) || !log_lock(&rec->log))
		return;
	switch (slot->code) {
	case SL_OP_UNLINK:
		began_unlink(&rec->log, slot->op, mark);
		break;
	case SL_OP_RENAME:
		began_rename(&rec->log, slot->op, mark);
		break;
	case SL_OP_LINK:
		began_link(&rec->log, slot->op, mark);
		break;
	default:
		began_close(&rec->log, slot->op, mark);
	}
	log_unlock(&rec->log);
}

/* ---- ends ----------------------- */

static void append(const struct ending *end, struct crash_op *op)
{
	op->begin = end->mark->begin;
	log_append(end->log, op, NULL);
}

static uint64_t offset_of(const struct ending *end, int status, const struct sl_sys_statx *st)
{
	int64_t at;

	if (status & O_APPEND)
		return st->size - (uint64_t)end->res;
	if (end->slot->off != SL_OFF_CURRENT)
		return end->slot->off;
	at = sl_sys_answer(lseek(end->slot->fd, 0, SEEK_CUR));
	return at < end->res ? 0 : (uint64_t)(at - end->res);
}

static void ended_write(const struct ending *end)
{
	const struct sl_slot *slot = end->slot;
	const struct iovec one = { slot->buf, slot->len };
	bool vector = slot->flags & SL_OP_VEC;
	struct sl_sys_statx st;
	const struct log_inode *entry = end->res > 0 ? entry_of_fd(end->log, slot->fd, &st) : NULL;
	struct crash_op op = { .code = CRASH_WRITE, .begin = end->mark->begin };
	int status;

	if (!entry)
		return;
	status = sl_sys_get_status(slot->fd);
	if (slot->flags & SL_OP_DSYNC || status & O_DSYNC)
		op.flags |= CRASH_DSYNC;
	if (status & O_DIRECT)
		op.flags |= CRASH_DIRECT;
	op.inode = entry->inode;
	op.off = offset_of(end, status, &st);
	op.len = op.data_len = (uint32_t)end->res;
	op.res = (int32_t)end->res;
	log_append(end->log, &op, vector ? slot->buf : &one);
}

/* What went from a pipe into a file is in nobody's memory: it is read back. */
static void ended_splice(const struct ending *end)
{
	const struct sl_splice_ends *ends = end->op->buf;
	struct sl_sys_statx st;
	const struct log_inode *entry = end->res > 0 ? entry_of_fd(end->log, end->op->fd, &st) :
						       NULL;
	int64_t at = (int64_t)ends->target_off;

	if (!entry)
		return;
	if (ends->target_off == SL_OFF_CURRENT)
		at = sl_sys_answer(lseek(end->op->fd, 0, SEEK_CUR)) - end->res;
	log_read_back(end->log, end->op->fd, entry->inode, (uint64_t)at, (uint64_t)end->res);
}

/* A file that open has made, where path says; NULL: it was reached by a link. */
static struct log_inode *made(const struct ending *end, const struct sl_sys_statx *st)
{
	struct crash_op op = { .code = CRASH_CREATE, .mode = st->mode };
	struct log_inode *entry = NULL;
	struct sl_sys_statx there;
	struct log_place place;

	log_locate(end->log, end->op->fd, end->op->buf, &place);
	if (!place.dir ||
	    sl_sys_statx(end->op->fd, end->op->buf, AT_SYMLINK_NOFOLLOW, SL_STATX_BASIC, &there) ||
	    there.ino != st->ino || log_dev(&there) != log_dev(st))
		return NULL;
	entry = log_new(end->log, st);
	if (!entry)
		return NULL;
	op.inode = entry->inode;
	op.dir = place.dir;
	op.name = place.name;
	append(end, &op);
	return entry;
}

/* O_TMPFILE: the path is that of a directory, and the file has no name until it is linked. */
static struct log_inode *made_nameless(const struct ending *end, const struct sl_sys_statx *st)
{
	struct crash_op op = { .code = CRASH_CREATE, .mode = st->mode };
	struct log_inode *dir, *entry = NULL;
	struct sl_sys_statx dir_st;

	if (sl_sys_statx(end->op->fd, end->op->buf, 0, SL_STATX_BASIC, &dir_st))
		return NULL;
	dir = log_find(end->log, &dir_st);
	if (is_ours(dir))
		entry = log_new(end->log, st);
	if (!entry)
		return NULL;
	entry->links = 0;
	op.inode = entry->inode;
	append(end, &op);
	return entry;
}

static void ended_open(const struct ending *end)
{
	const struct sl_open_how *how = end->op->arg;
	bool writes = (how->flags & O_ACCMODE) != O_RDONLY;
	struct log_inode *entry;
	struct sl_sys_statx st;

	if ((!writes && !(how->flags & (O_CREAT | O_TRUNC))) || how->flags & O_PATH ||
	    sl_sys_fstatx((int)end->res, SL_STATX_BASIC, &st) || !S_ISREG(st.mode))
		return;
	entry = log_find(end->log, &st);
	if ((how->flags & O_TMPFILE) == O_TMPFILE) {
		entry = made_nameless(end, &st);
	} else if (entry && entry->kind == LOG_LIVE) {
		struct crash_op op = { .code = CRASH_TRUNCATE, .inode = entry->inode };

		if (how->flags & O_TRUNC)
			append(end, &op);
	} else {
		/* What an earlier file with its number was does not count. */
		entry = how->flags & O_CREAT ? made(end, &st) : NULL;
		if (!entry)
			entry = log_adopt(end->log, (int)end->res, &st);
	}
	if (is_ours(entry) && writes && entry->writers < UINT16_MAX)
		entry->writers++;
}

static void ended_close(const struct ending *end)
{
	struct log_inode *entry = end->mark->entry;
	struct crash_op op = { .code = CRASH_CLOSE };

	if (!is_ours(entry) || !entry->writers || --entry->writers)
		return;
	op.inode = entry->inode;
	append(end, &op);
}

static void ended_size(const struct ending *end)
{
	struct crash_op op = { .len = end->op->len };
	const struct log_inode *entry;
	struct sl_sys_statx st;

	entry = entry_of_fd(end->log, end->op->fd, &st);
	if (!entry)
		return;
	op.inode = entry->inode;
	if (end->op->code == SL_OP_TRUNCATE) {
		op.code = CRASH_TRUNCATE;
	} else {
		op.code = CRASH_ALLOCATE;
		op.flags2 = (uint32_t)(uintptr_t)end->op->arg;
		op.off = end->op->off;
	}
	append(end, &op);
}

static void ended_sync(const struct ending *end)
{
	struct crash_op op = { .code = CRASH_SYNC, .res = (int32_t)end->res };
	const struct log_inode *entry;
	struct sl_sys_statx st;

	entry = entry_of_fd(end->log, end->op->fd, &st);
	if (!entry)
		return;
	op.inode = entry->inode;
	op.flags = end->op->code == SL_OP_FDATASYNC ? CRASH_DATA_ONLY : 0;
	append(end, &op);
}

static void lose_link(struct log_inode *entry)
{
	if (is_ours(entry) && entry->links && !--entry->links)
		entry->kind = LOG_DEAD;
}

static void ended_unlink(const struct ending *end)
{
	bool dir = end->op->off & AT_REMOVEDIR;
	struct crash_op op = { .code = dir ? CRASH_RMDIR : CRASH_UNLINK, .dir = end->mark->dir };
	struct log_place place;

	if (!end->mark->dir || !is_ours(end->mark->entry))
		return;
	log_split_name(end->op->buf, place.name);
	op.inode = end->mark->entry->inode;
	op.name = place.name;
	append(end, &op);
	lose_link(end->mark->entry);
}

/* A name that a file got in the directory and that no op of the trace can say: it came from
 * outside, or by a link of a file without a name. */
static void came_in(const struct ending *end, const struct sl_name_pair *pair,
		    const struct log_place *place)
{
	struct sl_sys_statx st;
	int fd = openat(pair->target_dirfd, pair->target, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!sl_sys_fstatx(fd, SL_STATX_BASIC, &st))
		log_adopt_at(end->log, fd, &st, place);
	close(fd);
}

static void replaced(const struct ending *end, const char *name)
{
	struct crash_op op = { .code = CRASH_UNLINK, .dir = end->mark->dir2, .name = name };

	if (!is_ours(end->mark->entry2))
		return;
	op.inode = end->mark->entry2->inode;
	append(end, &op);
	lose_link(end->mark->entry2);
}

/* Out of the directory: the name is gone, and the file is none of ours any more. */
static void went_out(const struct ending *end, const char *name)
{
	struct crash_op op = { .code = CRASH_UNLINK, .dir = end->mark->dir, .name = name };

	if (!is_ours(end->mark->entry))
		return;
	op.inode = end->mark->entry->inode;
	append(end, &op);
	lose_link(end->mark->entry);
}

static void moved(const struct ending *end, unsigned flags, const struct log_place *source,
		  const struct log_place *target)
{
	struct crash_op op = {
		.code = CRASH_RENAME,
		.dir = end->mark->dir,
		.dir2 = end->mark->dir2,
		.name = source->name,
		.name2 = target->name,
	};

	if (!is_ours(end->mark->entry) || end->mark->entry == end->mark->entry2)
		return; /* rename(2) of two names of one file does nothing */
	op.inode = end->mark->entry->inode;
	if (flags & RENAME_EXCHANGE)
		op.flags |= CRASH_EXCHANGE;
	append(end, &op);
	if (!(flags & RENAME_EXCHANGE))
		lose_link(end->mark->entry2);
}

static void ended_rename(const struct ending *end)
{
	const struct sl_name_pair *pair = end->op->buf;
	struct log_place source, target = { .dir = end->mark->dir2 };

	if (!end->mark->dir && !end->mark->dir2)
		return;
	log_split_name(pair->source, source.name);
	log_split_name(pair->target, target.name);
	if (pair->flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    (pair->flags & RENAME_EXCHANGE && (!end->mark->dir || !end->mark->dir2))) {
		log_fail(end->log, -EOPNOTSUPP);
	} else if (!end->mark->dir) {
		replaced(end, target.name);
		came_in(end, pair, &target);
	} else if (!end->mark->dir2) {
		went_out(end, source.name);
	} else {
		moved(end, pair->flags, &source, &target);
	}
}

static void ended_link(const struct ending *end)
{
	const struct sl_name_pair *pair = end->op->buf;
	struct log_inode *entry = end->mark->entry;
	struct crash_op op = { .code = CRASH_LINK, .dir = end->mark->dir2 };
	struct log_place target = { .dir = end->mark->dir2 };

	if (!end->mark->dir2)
		return;
	log_split_name(pair->target, target.name);
	if (!entry || entry->kind != LOG_LIVE) {
		came_in(end, pair, &target);
		return;
	}
	op.inode = entry->inode;
	op.name = target.name;
	append(end, &op);
	entry->links++;
}

static void ended_new_name(const struct ending *end)
{
	struct crash_op op = {
		.code = end->op->code == SL_OP_MKDIR ? CRASH_MKDIR : CRASH_SYMLINK,
		.begin = end->mark->begin,
	};
	struct iovec data = { NULL, 0 };
	struct log_inode *entry;
	struct sl_sys_statx st;
	struct log_place place;

	log_locate(end->log, end->op->fd, end->op->buf, &place);
	if (!place.dir ||
	    sl_sys_statx(end->op->fd, end->op->buf, AT_SYMLINK_NOFOLLOW, SL_STATX_BASIC, &st))
		return;
	entry = log_new(end->log, &st);
	if (!entry)
		return;
	op.inode = entry->inode;
	op.mode = st.mode;
	op.dir = place.dir;
	op.name = place.name;
	if (op.code == CRASH_SYMLINK) {
		data = (struct iovec){ end->op->arg, strlen(end->op->arg) };
		op.data_len = (uint32_t)data.iov_len;
	}
	log_append(end->log, &op, &data);
}

/* A table: one case per operation that changes files. */
static void note_end(const struct ending *end)
{
	switch (end->slot->code) {
	case SL_OP_WRITE:
		ended_write(end);
		break;
	case SL_OP_SPLICE:
		ended_splice(end);
		break;
	case SL_OP_OPEN:
		ended_open(end);
		break;
	case SL_OP_CLOSE:
		ended_close(end);
		break;
	case SL_OP_TRUNCATE:
	case SL_OP_ALLOCATE:
		ended_size(end);
		break;
	case SL_OP_FSYNC:
	case SL_OP_FDATASYNC:
	case SL_OP_SYNC_DIR:
		ended_sync(end);
		break;
	case SL_OP_UNLINK:
		ended_unlink(end);
		break;
	case SL_OP_RENAME:
		ended_rename(end);
		break;
	case SL_OP_LINK:
		ended_link(end);
		break;
	default:
		ended_new_name(end);
	}
}

#define SYNCS (CODE(FSYNC) | CODE(FDATASYNC) | CODE(SYNC_DIR))
#define NOTED                                                                               \
	(SYNCS | LOOKS_AT_ONCE | CODE(WRITE) | CODE(SPLICE) | CODE(OPEN) | CODE(TRUNCATE) | \
	 CODE(ALLOCATE) | CODE(MKDIR) | CODE(SYMLINK))

/* Says once that the trace has ended, and why. */
static void tell_error(struct recorder *rec)
{
	int err = (int)__atomic_load_n(&rec->log.state->error, __ATOMIC_RELAXED);

	if (!err || rec->told)
		return;
	rec->told = true;
	sl_report(rec->ring, SL_LOG_ERROR,
		  "the trace ends here, and what comes is not recorded: %s: %s", sl_err_name(err),
		  sl_err_text(err));
}

void recorder_ended(struct recorder *rec, const struct sl_slot *slot, int64_t res)
{
	const struct ending end = {
		.log = &rec->log,
		.slot = slot,
		.op = slot->op,
		.mark = mark_of(rec, slot),
		.res = res,
	};

	if (!(NOTED >> slot->code & 1) || (res < 0 && !(SYNCS >> slot->code & 1)))
		return;
	if (log_lock(&rec->log)) {
		note_end(&end);
		log_unlock(&rec->log);
	}
	tell_error(rec);
}
