/* SPDX-License-Identifier: MIT */
/*
 * create.c - a new log: made under another name, durable, then renamed, so that it is whole or not
 *there.
 *
 *	NAME.new: open -> lock -> is NAME there now? -> cut to nothing -> zeros
 *	          -> first segment's header -> file header -> sync
 *	          -> rename to NAME, if that is free -> sync of the directory
 *
 * What a crash leaves under the other name is made anew by the next attempt. The lock is
 * held until the file has its name: whoever opened NAME.new meanwhile has the finished
 * log in hand when it gets the lock, and finds that NAME is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "store/wal/log.h"
#include "sys/statx.h"

#define RENAME_NEW 1	     /* RENAME_NOREPLACE of renameat2(2) */
#define LOCK_NS	   250000000 /* a ring may keep a dead process's lock for a moment */

int64_t wal_file_read(void *file, void *buf, uint64_t len, uint64_t off)
{
	struct sl_file_req req = { .buf = buf, .len = len, .off = off };

	return sl_file_do(file, SL_FILE_READ, &req);
}

int wal_lock(struct sl_ring *ring, const struct sl_file *file)
{
	struct sl_op op = { 0 };
	int64_t res;

	sl_op_lock(&op, sl_file_fd(file), F_WRLCK, 0, 0);
	op.deadline_ns = sl_ring_clock(ring) + LOCK_NS;
	res = sl_ring_do(ring, &op);
	if (res == -ETIMEDOUT || res == -EAGAIN || res == -EACCES)
		return -EBUSY;
	/* A world without locks has none. */
	return res < 0 && res != -EOPNOTSUPP && res != -ENOLCK ? (int)res : 0;
}

static int dir_of(const char *path, char ret_dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;

	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(ret_dir, len ? path : ".", len ? len : 1);
	ret_dir[len ? len : 1] = '\0';
	return 0;
}

int wal_sync_dir(struct sl_ring *ring, int dirfd, const char *path)
{
	struct sl_open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
	struct sl_op op = { 0 };
	char dir[PATH_MAX];
	int64_t fd = dir_of(path, dir);
	int64_t res;

	if (fd == 0)
		fd = sl_ring_do(ring, sl_op_open(&op, dirfd, dir, &how));
	if (fd < 0)
		return (int)fd;
	res = sl_ring_do(ring, sl_op_sync_dir(&op, (int)fd));
	sl_ring_do(ring, sl_op_close(&op, (int)fd));
	/* Names are never durable there: the log still is what it is. */
	return res < 0 && res != -EOPNOTSUPP ? (int)res : 0;
}

static void shape_from(struct wal_shape *shape, const struct sl_wal_opts *opts,
		       struct sl_ring *ring)
{
	*shape = (struct wal_shape){
		.block_bytes = opts->block_bytes,
		.buffer_bytes = opts->buffer_bytes,
		.segment_bytes = opts->segment_bytes,
		.log_id = opts->log_id,
	};
	if (!shape->log_id) {
		/* Two logs made in the same nanosecond of the same ring address are alike. */
		uint64_t mix = (uint64_t)sl_ring_clock(ring) * UINT64_C(0x9e3779b97f4a7c15);

		shape->log_id = mix ^ (mix >> 29) ^ (uint64_t)(uintptr_t)ring;
	}
	wal_shape_seed(shape);
}

static int write_block(struct sl_file *file, void *block, const struct wal_shape *shape,
		       uint64_t off)
{
	struct sl_file_req req = { .buf = block, .len = shape->block_bytes, .off = off };
	int64_t res = sl_file_do(file, SL_FILE_WRITE, &req);

	return res < 0 ? (int)res : 0;
}

static int fill(struct sl_file *file, const struct wal_shape *shape, void *block)
{
	struct wal_segment_header header = { .seq = 1, .first_seq = 1, .epoch = 0, .slots = 1 };
	struct sl_file_req zeros = { .len = wal_slot_off(shape, 1), .flags = SL_FILE_ZEROED };
	struct sl_file_req sync = { 0 };
	int64_t res = sl_file_do(file, SL_FILE_ALLOCATE, &zeros);

	wal_segment_header_put(block, shape, &header);
	if (res >= 0)
		res = write_block(file, block, shape, wal_slot_off(shape, 0));
	wal_file_header_put(block, shape);
	if (res >= 0)
		res = write_block(file, block, shape, 0);
	if (res >= 0)
		res = sl_file_do(file, SL_FILE_SYNC, &sync);
	return res < 0 ? (int)res : 0;
}

static int fill_file(struct sl_ring *ring, struct sl_file *file, const struct sl_wal_opts *opts)
{
	const struct sl_allocator *allocator = sl_ring_allocator(ring);
	struct wal_shape shape;
	void *block;
	int rc;

	shape_from(&shape, opts, ring);
	block = allocator->alloc(allocator->ctx, shape.block_bytes, WAL_BLOCK_MIN);
	if (!block)
		return -ENOMEM;
	rc = fill(file, &shape, block);
	allocator->free(allocator->ctx, block, shape.block_bytes);
	return rc;
}

static int rename_new(struct sl_ring *ring, int dirfd, const char *from, const char *to)
{
	struct sl_name_pair pair = { from, to, dirfd, RENAME_NEW };
	struct sl_op op = { 0 };

	return (int)sl_ring_do(ring, sl_op_rename(&op, dirfd, &pair));
}

/* With the lock, is it still ours to make? Then it is emptied. */
static int claim(struct sl_ring *ring, struct sl_file *file, int dirfd, const char *path)
{
	struct sl_file_req cut = { 0 };
	struct sl_sys_statx found;
	struct sl_op op = { 0 };
	int rc = wal_lock(ring, file);

	if (rc < 0)
		return rc;
	sl_op_stat(&op, dirfd, path, AT_SYMLINK_NOFOLLOW, SL_STATX_BASIC, (struct statx *)&found);
	rc = (int)sl_ring_do(ring, &op);
	if (rc != -ENOENT)
		return rc < 0 ? rc : -EEXIST;
	rc = (int)sl_file_do(file, SL_FILE_TRUNCATE, &cut);
	return rc < 0 ? rc : 0;
}

static int make(struct sl_ring *ring, struct sl_file *file, int dirfd, const char *temp,
		const char *path, const struct sl_wal_opts *opts)
{
	int rc = fill_file(ring, file, opts);
	struct sl_op op = { 0 };

	if (rc == 0)
		rc = rename_new(ring, dirfd, temp, path);
	if (rc < 0)
		sl_ring_do(ring, sl_op_unlink(&op, dirfd, temp, 0));
	return rc;
}

int wal_create(struct sl_ring *ring, int dirfd, const char *path, const struct sl_wal_opts *opts)
{
	struct sl_file_opts file_opts = {
		.io = opts->flags & SL_WAL_BUFFERED ? SL_FILE_BUFFERED : SL_FILE_DIRECT,
		.open_flags = O_RDWR | O_CREAT,
		.permissions = opts->permissions,
		.bounce_bytes = 1 << 20,
		.bounce_count = 1,
	};
	struct sl_file *file;
	char temp[PATH_MAX];
	int rc;

	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	rc = sl_file_open(ring, dirfd, temp, &file_opts, &file);
	if (rc < 0)
		return rc;
	rc = claim(ring, file, dirfd, path);
	if (rc == 0)
		rc = make(ring, file, dirfd, temp, path, opts);
	sl_file_close(file);
	return rc < 0 ? rc : wal_sync_dir(ring, dirfd, path);
}
