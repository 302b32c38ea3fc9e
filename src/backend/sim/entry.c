/* SPDX-License-Identifier: MIT */
/* entry.c - OPEN, LINK, SYMLINK, RENAME, UNLINK, MKDIR and READDIR in the names of a disk. */
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/sim/world.h"
#include "base/bits.h"

#define RESOLVE_KNOWN                                                                      \
	(RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | \
	 RESOLVE_NO_XDEV)
#define OPEN_KNOWN                                                                                 \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC |     \
	 O_SYNC | O_DIRECT | O_LARGEFILE_BITS | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
	 O_PATH)
/* What the C library calls 0 where files are large anyway. */
#define O_LARGEFILE_BITS 0100000

static struct model_volume *volume_of(const struct sim_task *task)
{
	return task->ring->machine->volume;
}

/* A path of a task, without following a link at its end. */
static int find(const struct sim_task *task, int dirfd, const char *name, char *buf,
		struct sim_path *ret_path)
{
	const struct sim_path_request request = { .dirfd = dirfd, .path = name };

	return sim_path_find(task->ring->machine, &request, buf, ret_path);
}

/* Whether a path ends in a name that can be made, or removed. */
static int check_new(const struct sim_task *task, const struct sim_path *path)
{
	if (path->inode)
		return -EEXIST;
	return sim_fault(task, SL_SIM_NO_SPACE) ? -ENOSPC : 0;
}

/* Names a new inode, which goes if that fails. */
static int add_new(const struct sim_task *task, const struct sim_path *path,
		   struct model_inode *inode)
{
	int err;

	if (!inode)
		return -ENOMEM;
	inode->changed_ns = task->ring->sim->now_ns;
	err = model_add(volume_of(task), path->dir, path->name, path->len, inode);
	model_inode_drop(volume_of(task), inode);
	return err;
}

/* ---- open --------------------------------------------------------------------------- */

static int check_how(const struct sl_open_how *how)
{
	/* As file systems say it that know no files without a name. */
	if ((how->flags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	if (how->flags & ~(uint64_t)OPEN_KNOWN || how->mode & ~07777ull ||
	    how->resolve & ~(uint64_t)(RESOLVE_KNOWN | RESOLVE_CACHED))
		return -EINVAL;
	if (how->mode && !(how->flags & O_CREAT))
		return -EINVAL;
	if ((how->flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	return how->resolve & RESOLVE_CACHED ? -EAGAIN : 0;
}

static int check_found(const struct sl_open_how *how, const struct sim_path *path)
{
	const struct model_inode *inode = path->inode;
	bool writes = (how->flags & O_ACCMODE) != O_RDONLY || how->flags & (O_TRUNC | O_CREAT);

	if ((how->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (S_ISLNK(inode->mode) && !(how->flags & O_PATH))
		return -ELOOP;
	if (S_ISDIR(inode->mode))
		return writes && !(how->flags & O_PATH) ? -EISDIR : 0;
	return how->flags & O_DIRECTORY ? -ENOTDIR : 0;
}

/* The file a path names, made if that was asked for. */
static int find_or_make(const struct sim_task *task, const struct sl_open_how *how,
			struct sim_path *path)
{
	int err;

	if (path->inode)
		return check_found(how, path);
	if (!(how->flags & O_CREAT))
		return -ENOENT;
	if (path->must_be_dir)
		return -EISDIR;
	err = check_new(task, path);
	if (err)
		return err;
	path->inode = model_inode_create(volume_of(task), S_IFREG | (uint32_t)how->mode);
	return add_new(task, path, path->inode);
}

static int64_t open_found(const struct sim_task *task, const struct sl_open_how *how,
			  struct model_inode *inode)
{
	bool is_dir = S_ISDIR(inode->mode);
	struct sim_handle *handle;
	int number, err = 0;

	number = sim_handle_create(task->ring->machine, is_dir ? SIM_DIRECTORY : SIM_FILE, &handle);
	if (number < 0)
		return number;
	handle->inode = model_inode_hold(inode);
	handle->flags = how->flags;
	if (how->flags & O_TRUNC && !is_dir && !(how->flags & O_PATH))
		err = model_truncate(volume_of(task), inode, 0);
	if (err)
		sim_handle_close(handle);
	return err ? err : number;
}

int64_t sim_name_open(struct sim_task *task)
{
	const struct sl_open_how *how = task->slot->op->arg;
	struct sim_path_request request = {
		.dirfd = task->slot->fd,
		.path = task->slot->buf,
		.resolve = how->resolve,
	};
	struct sim_path path = { 0 };
	char buf[PATH_MAX];
	int err = check_how(how);

	if (!(how->flags & O_NOFOLLOW) && (how->flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		request.flags = SIM_PATH_FOLLOW;
	if (!err)
		err = sim_path_find(task->ring->machine, &request, buf, &path);
	if (!err)
		err = find_or_make(task, how, &path);
	return err ? err : open_found(task, how, path.inode);
}

/* ---- link, symlink, mkdir ------------------------------------------------------- */

int64_t sim_name_link(const struct sim_task *task)
{
	const struct sl_name_pair *pair = task->slot->buf;
	struct sim_path_request request = { .dirfd = task->slot->fd, .path = pair->source };
	char source_buf[PATH_MAX], target_buf[PATH_MAX];
	struct sim_path source, target;
	int err;

	if (pair->flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (pair->flags & AT_SYMLINK_FOLLOW)
		request.flags |= SIM_PATH_FOLLOW;
	if (pair->flags & AT_EMPTY_PATH)
		request.flags |= SIM_PATH_EMPTY;
	err = sim_path_find(task->ring->machine, &request, source_buf, &source);
	if (!err)
		err = source.inode ?
			      find(task, pair->target_dirfd, pair->target, target_buf, &target) :
			      -ENOENT;
	if (!err)
		err = check_new(task, &target);
	if (!err && (S_ISDIR(source.inode->mode)))
		err = -EPERM;
	if (!err && !source.inode->links)
		err = -ENOENT;
	if (err)
		return err;
	return model_add(volume_of(task), target.dir, target.name, target.len, source.inode);
}

int64_t sim_name_symlink(const struct sim_task *task)
{
	const char *to = task->slot->op->arg;
	struct model_inode *inode;
	struct sim_path path;
	char buf[PATH_MAX];
	int err;

	if (!*to)
		return -ENOENT;
	if (strnlen(to, PATH_MAX) == PATH_MAX)
		return -ENAMETOOLONG;
	err = find(task, task->slot->fd, task->slot->buf, buf, &path);
	if (!err)
		err = path.must_be_dir && !path.inode ? -ENOENT : check_new(task, &path);
	if (err)
		return err;
	inode = model_inode_create(volume_of(task), S_IFLNK | 0777);
	if (inode && !(inode->target = strdup(to))) {
		model_inode_drop(volume_of(task), inode);
		return -ENOMEM;
	}
	return add_new(task, &path, inode);
}

int64_t sim_name_mkdir(const struct sim_task *task)
{
	struct sim_path path;
	char buf[PATH_MAX];
	int err = find(task, task->slot->fd, task->slot->buf, buf, &path);

	if (!err)
		err = check_new(task, &path);
	if (err)
		return err == -ENOTDIR && path.inode ? -EEXIST : err;
	return add_new(task, &path,
		       model_inode_create(volume_of(task),
					  S_IFDIR | ((uint32_t)task->slot->off & 01777)));
}

/* ---- rename, unlink ------------------------------------------------------------- */

static bool is_empty(struct model_inode *dir)
{
	return !model_entry_from(dir, 0);
}

static bool is_below(const struct model_inode *dir, const struct model_inode *above)
{
	for (; dir; dir = dir->parent)
		if (dir == above)
			return true;
	return false;
}

static int check_rename(const struct sim_path *source, const struct sim_path *target,
			unsigned flags)
{
	bool is_dir;

	if (!source->entry)
		return source->inode ? -EBUSY : -ENOENT;
	is_dir = S_ISDIR(source->inode->mode);
	if (is_dir && is_below(target->dir, source->inode))
		return -EINVAL;
	if (target->must_be_dir && !is_dir)
		return -ENOTDIR;
	if (flags & RENAME_EXCHANGE)
		return target->entry ? 0 : -ENOENT;
	if (!target->inode)
		return 0;
	if (flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!target->entry)
		return -EBUSY;
	if (S_ISDIR(target->inode->mode) != is_dir)
		return is_dir ? -ENOTDIR : -EISDIR;
	return is_dir && !is_empty(target->inode) ? -ENOTEMPTY : 0;
}

int64_t sim_name_rename(const struct sim_task *task)
{
	const struct sl_name_pair *pair = task->slot->buf;
	char source_buf[PATH_MAX], target_buf[PATH_MAX];
	bool exchange = pair->flags & RENAME_EXCHANGE;
	struct sim_path source = { 0 }, target = { 0 };
	int err;

	if (pair->flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    pair->flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = find(task, task->slot->fd, pair->source, source_buf, &source);
	if (!err)
		err = find(task, pair->target_dirfd, pair->target, target_buf, &target);
	if (!err)
		err = check_rename(&source, &target, pair->flags);
	if (err || source.inode == target.inode)
		return err; /* two names of one file: nothing is to be done */
	return model_rename(volume_of(task), source.entry, target.dir, target.name, target.len,
			    exchange);
}

int64_t sim_name_unlink(const struct sim_task *task)
{
	int flags = (int)task->slot->off;
	struct sim_path path;
	char buf[PATH_MAX];
	bool is_dir;
	int err = find(task, task->slot->fd, task->slot->buf, buf, &path);

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	if (err)
		return err;
	if (!path.entry)
		return path.inode ? (flags ? -EINVAL : -EISDIR) : -ENOENT;
	is_dir = S_ISDIR(path.inode->mode);
	if (is_dir != (flags == AT_REMOVEDIR))
		return is_dir ? -EISDIR : -ENOTDIR;
	if (is_dir && !is_empty(path.inode))
		return -ENOTEMPTY;
	return model_remove(volume_of(task), path.entry);
}

/* ---- readdir -------------------------------------------------------------------- */

/* What getdents64(2) fills in. */
struct record {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* One record at the end of the buffer, however that is aligned; false when it
 * does not fit. */
static bool put_record(const struct sl_slot *slot, int64_t *done, const struct record *like,
		       const char *name, size_t name_len)
{
	size_t head_len = offsetof(struct record, name);
	size_t len = sl_round_up(head_len + name_len + 1, 8);
	char *to = (char *)slot->buf + *done;
	struct record head = *like;

	if ((uint64_t)*done + len > slot->len)
		return false;
	head.len = (uint16_t)len;
	memset(to, 0, len);
	memcpy(to, &head, head_len);
	memcpy(to + head_len, name, name_len);
	*done += (int64_t)len;
	return true;
}

static bool put_entry(const struct sl_slot *slot, int64_t *done, const struct model_entry *entry)
{
	const struct record head = {
		.ino = entry->cache->number,
		.off = (int64_t)entry->position + 1,
		.type = (uint8_t)(entry->cache->mode >> 12),
	};

	return put_record(slot, done, &head, entry->name, entry->len);
}

/* "." at position 0, ".." at 1, names from 2 on. */
int64_t sim_name_readdir(const struct sim_task *task, struct sim_handle *handle)
{
	struct model_inode *dir = handle->inode;
	int64_t done = 0;

	if (handle->kind != SIM_DIRECTORY)
		return -ENOTDIR;
	while (handle->position < 2) {
		const struct record head = { dir->number, (int64_t)handle->position + 1, 0, 4 };

		if (!put_record(task->slot, &done, &head, "..", handle->position + 1))
			return done ? done : -EINVAL;
		handle->position++;
	}
	for (;;) {
		const struct model_entry *entry = model_entry_from(dir, handle->position);

		if (!entry)
			return done;
		if (!put_entry(task->slot, &done, entry))
			return done ? done : -EINVAL;
		handle->position = entry->position + 1;
	}
}
