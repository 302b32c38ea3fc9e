/* SPDX-License-Identifier: MIT */
/*
 * adopt.c - files that no ring has made: those there from the start, and those that the program
 * makes by system calls of its own.
 *
 * The first are CRASH_BASE, and durable. The others come into the trace when a ring first uses
 * them, as if they were made and written just then; a note says so. That is late, never early:
 * what was promised about them before is then not found to be broken.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sluice/err.h>

#include "backend/record/log.h"
#include "sys/call.h"

#define DEPTH_MAX 64

/* ---- from the start ----------------------- */

/* The directories from the root to where the scan is. */
struct scan {
	struct log *log;
	char *why;
	struct {
		DIR *dir;
		uint64_t inode;
	} at[DEPTH_MAX];
	unsigned depth;
};

static int append_base(struct scan *scan, const char *name, const struct sl_sys_statx *st,
		       uint64_t inode)
{
	struct crash_op op = {
		.code = CRASH_BASE,
		.begin = scan->log->state->nr,
		.mode = st->mode,
		.inode = inode,
		.dir = scan->at[scan->depth - 1].inode,
		.len = S_ISREG(st->mode) ? st->size : 0,
		.name = name,
	};
	char target[PATH_MAX];
	int64_t len = 0;

	if (S_ISLNK(st->mode)) {
		len = sl_sys_answer(readlinkat(dirfd(scan->at[scan->depth - 1].dir), name, target,
					       sizeof(target)));
		if (len < 0)
			return (int)len;
		op.len = op.data_len = (uint32_t)len;
	}
	log_append(scan->log, &op, &(struct iovec){ target, (size_t)len });
	return (int)scan->log->state->error;
}

static int enter(struct scan *scan, int fd, uint64_t inode)
{
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = scan->depth < DEPTH_MAX ? fdopendir(fd) : NULL;
	if (!dir) {
		int err = scan->depth < DEPTH_MAX ? -errno : -ELOOP;

		close(fd);
		return err;
	}
	scan->at[scan->depth].dir = dir;
	scan->at[scan->depth++].inode = inode;
	return 0;
}

static int scan_entry(struct scan *scan, const char *name)
{
	int fd = dirfd(scan->at[scan->depth - 1].dir);
	struct log_inode *entry;
	struct sl_sys_statx st;
	int err = sl_sys_statx(fd, name, AT_SYMLINK_NOFOLLOW, SL_STATX_BASIC, &st);

	if (err)
		return err;
	entry = log_find(scan->log, &st);
	if (entry)
		entry->links++;
	else
		entry = log_new(scan->log, &st);
	err = entry ? append_base(scan, name, &st, entry->inode) : -ENFILE;
	if (err || !S_ISDIR(st.mode))
		return err;
	return enter(scan,
		     (int)sl_sys_answer(
			     openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
		     entry->inode);
}

static int scan_all(struct scan *scan)
{
	int err = 0;

	while (!err && scan->depth) {
		const struct dirent *found;

		errno = 0;
		found = readdir(scan->at[scan->depth - 1].dir);
		if (!found) {
			err = -errno;
			closedir(scan->at[--scan->depth].dir);
		} else if (strcmp(found->d_name, ".") && strcmp(found->d_name, "..")) {
			err = scan_entry(scan, found->d_name);
			if (err)
				snprintf(scan->why, 256, "record: cannot look at %.100s: %s",
					 found->d_name, sl_err_text(err));
		}
	}
	return err;
}

/* The path that descriptors of the directory's files will show. */
static int find_root_path(struct log *log)
{
	char link[64];
	int64_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", log->root_fd);
	len = sl_sys_answer(readlink(link, log->state->root, PATH_MAX - 1));
	if (len < 0)
		return (int)len;
	log->state->root[len] = '\0';
	return 0;
}

int log_scan(struct log *log, char *why)
{
	struct scan scan = { .log = log, .why = why };
	struct sl_sys_statx st;
	int err = sl_sys_fstatx(log->root_fd, SL_STATX_BASIC, &st);

	if (!err)
		err = find_root_path(log);
	if (err) {
		snprintf(why, 256, "record: cannot look at the directory: %s; is /proc mounted?",
			 sl_err_text(err));
		return err;
	}
	log_new(log, &st); /* CRASH_ROOT */
	err = enter(&scan, (int)sl_sys_answer(openat(log->root_fd, ".", O_RDONLY | O_CLOEXEC)),
		    CRASH_ROOT);
	if (!err)
		err = scan_all(&scan);
	while (scan.depth)
		closedir(scan.at[--scan.depth].dir);
	return err;
}

/* ---- later ----------------------- */

/* Opened anew: the descriptor at hand may be for writing only, or O_PATH. */
void log_read_back(struct log *log, int fd, uint64_t inode, uint64_t off, uint64_t len)
{
	uint64_t end = off;
	char link[64];
	int again;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = (int)sl_sys_answer(open(link, O_RDONLY | O_CLOEXEC));
	if (again < 0 || __builtin_add_overflow(off, len, &end))
		log_fail(log, again < 0 ? again : -EFBIG);
	while (!log->state->error && off < end) {
		size_t want = end - off < LOG_CHUNK_BYTES ? end - off : LOG_CHUNK_BYTES;
		int64_t n = sl_sys_answer(pread(again, log->chunk, want, (off_t)off));
		struct crash_op op = {
			.code = CRASH_WRITE,
			.begin = log->state->nr,
			.inode = inode,
			.off = off,
			.len = (uint64_t)n,
			.data_len = (uint32_t)n,
			.res = (int32_t)n,
		};

		if (n < 0)
			log_fail(log, (int)n);
		if (n <= 0)
			break;
		log_append(log, &op, &(struct iovec){ log->chunk, (size_t)n });
		off += (uint64_t)n;
	}
	if (again >= 0)
		close(again);
}

static void append_link(struct log *log, int fd, struct crash_op *op)
{
	char target[PATH_MAX];
	int64_t len = sl_sys_answer(readlinkat(fd, "", target, sizeof(target)));

	if (len <= 0) {
		log_fail(log, len ? (int)len : -EIO);
		return;
	}
	op->code = CRASH_SYMLINK;
	op->data_len = (uint32_t)len;
	log_append(log, op, &(struct iovec){ target, (size_t)len });
}

struct log_inode *log_adopt_at(struct log *log, int fd, const struct sl_sys_statx *st,
			       const struct log_place *place)
{
	struct log_inode *entry = log_new(log, st);
	struct crash_op op = {
		.code = S_ISDIR(st->mode) ? CRASH_MKDIR : CRASH_CREATE,
		.begin = log->state->nr,
		.mode = st->mode,
		.dir = place->dir,
		.name = place->name,
	};

	if (!entry)
		return NULL;
	op.inode = entry->inode;
	if (S_ISLNK(st->mode))
		append_link(log, fd, &op);
	else
		log_append(log, &op, NULL);
	log_note(log,
		 "%s came without a ring: it is in the trace from its first use by one on, as if "
		 "it were made then",
		 place->name);
	if (S_ISREG(st->mode))
		log_read_back(log, fd, entry->inode, 0, st->size);
	return entry;
}

/* The file at path below the root and, before it, the directories that lead to it. */
static struct log_inode *adopt_path(struct log *log, char *path)
{
	struct log_place place = { .dir = CRASH_ROOT };
	struct log_inode *entry = NULL;
	char *name = path;

	for (;;) {
		char *end = name + strcspn(name, "/");
		bool last = !*end;
		struct sl_sys_statx st;
		int fd;

		*end = '\0';
		snprintf(place.name, sizeof(place.name), "%s", name);
		fd = openat(log->root_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || sl_sys_fstatx(fd, SL_STATX_BASIC, &st)) {
			log_fail(log, -errno);
			entry = NULL;
		} else {
			entry = log_find(log, &st);
			if (!entry || entry->kind != LOG_LIVE)
				entry = log_adopt_at(log, fd, &st, &place);
		}
		if (fd >= 0)
			close(fd);
		if (!entry || last)
			return entry;
		place.dir = entry->inode;
		*end = '/';
		name = end + 1;
	}
}

struct log_inode *log_adopt(struct log *log, int fd, const struct sl_sys_statx *st)
{
	size_t root_len = strlen(log->state->root);
	char link[64], path[PATH_MAX];
	int64_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = sl_sys_answer(readlink(link, path, sizeof(path) - 1));
	if (len < 0) {
		log_fail(log, (int)len);
		return NULL;
	}
	path[len] = '\0';
	if ((size_t)len <= root_len || strncmp(path, log->state->root, root_len) != 0 ||
	    path[root_len] != '/' || !st->nlink) {
		log_outside(log, st); /* one without a name may get it by a link later */
		return NULL;
	}
	return adopt_path(log, path + root_len + 1);
}
