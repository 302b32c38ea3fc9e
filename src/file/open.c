/* open.c - opening and closing a file, and what is known of it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "file/file.h"
#include "file/memory.h"
#include "file/mode.h"
#include "file/path.h"
#include "sys/statx.h"

#define BOUNCE_COUNT  4
#define BOUNCE_BYTES  65536
#define REQUESTS_MAX  256
#define REFUSED_FLAGS (O_APPEND | O_PATH | O_DIRECT | O_DIRECTORY)

static int resolve(const struct sl_file_opts *opts, struct sl_file_opts *ret)
{
	*ret = (struct sl_file_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if (!ret->bounce_count)
		ret->bounce_count = BOUNCE_COUNT;
	if (!ret->bounce_bytes)
		ret->bounce_bytes = BOUNCE_BYTES;
	if (!ret->requests_max)
		ret->requests_max = REQUESTS_MAX;
	if (!ret->permissions)
		ret->permissions = 0666;
	if ((ret->flags & ~(uint32_t)SL_FILE_REQUIRE) || ret->io > SL_FILE_DONTCACHE ||
	    (ret->open_flags & REFUSED_FLAGS) || (ret->permissions & ~07777u) ||
	    ret->bounce_count > 64 || ret->bounce_bytes > 16 << 20 || ret->requests_max > 65536)
		return -EINVAL;
	if ((ret->flags & SL_FILE_REQUIRE) && ret->io == SL_FILE_BUFFERED)
		return -EINVAL;
	return 0;
}

static int open_path(struct sl_ring *ring, int dirfd, const char *path, uint64_t flags,
		     uint32_t permissions)
{
	struct sl_open_how how = { .flags = flags | O_CLOEXEC };
	struct sl_op op = { 0 };

	if (flags & O_CREAT)
		how.mode = permissions;
	return (int)sl_ring_do(ring, sl_op_open(&op, dirfd, path, &how));
}

static void close_fd(struct sl_ring *ring, int fd)
{
	struct sl_op op = { 0 };

	if (fd >= 0)
		sl_ring_do(ring, sl_op_close(&op, fd));
}

static bool may_not(int err)
{
	return err == -EACCES || err == -EPERM || err == -EROFS;
}

/* O_DIRECT is refused with -EINVAL, after O_CREAT has made the file. */
static int open_without_direct(struct sl_file *file, int dirfd, const char *path,
			       const struct sl_file_opts *opts)
{
	uint64_t flags = opts->open_flags;

	if (flags & O_EXCL)
		flags &= ~(uint64_t)(O_CREAT | O_EXCL);
	file->io = SL_FILE_BUFFERED;
	return open_path(file->ring, dirfd, path, flags, opts->permissions);
}

static int open_direct(struct sl_file *file, int dirfd, const char *path,
		       const struct sl_file_opts *opts)
{
	uint64_t flags = opts->open_flags | O_DIRECT;
	uint64_t both = (flags & ~(uint64_t)O_ACCMODE) | O_RDWR;
	int fd = -EACCES;

	file->edges_readable = true;
	if ((flags & O_ACCMODE) == O_WRONLY)
		fd = open_path(file->ring, dirfd, path, both, opts->permissions);
	if (may_not(fd)) {
		file->edges_readable = (flags & O_ACCMODE) != O_WRONLY;
		fd = open_path(file->ring, dirfd, path, flags, opts->permissions);
	}
	if (fd == -EINVAL && !file->require)
		fd = open_without_direct(file, dirfd, path, opts);
	return fd == -EINVAL && file->require ? -EOPNOTSUPP : fd;
}

static int open_fd(struct sl_file *file, int dirfd, const char *path,
		   const struct sl_file_opts *opts)
{
	if (sl_file_is_direct(file))
		return open_direct(file, dirfd, path, opts);
	return open_path(file->ring, dirfd, path, opts->open_flags, opts->permissions);
}

static int check_kind(const struct sl_desc *desc)
{
	if (desc->kind == SL_DESC_DIRECTORY)
		return -EISDIR;
	if (desc->kind != SL_DESC_REGULAR && desc->kind != SL_DESC_BLOCK)
		return -EOPNOTSUPP;
	return 0;
}

/* The file system's preferred block; 0 where it cannot be asked. */
static uint32_t block_bytes(struct sl_file *file)
{
	struct sl_sys_statx stx = { 0 };
	struct sl_op op = { 0 };

	sl_op_stat(&op, file->fd, "", AT_EMPTY_PATH, SL_STATX_BASIC, (struct statx *)&stx);
	return sl_ring_do(file->ring, &op) < 0 ? 0 : stx.blksize;
}

static int prepare_direct(struct sl_file *file, int dirfd, const char *path,
			  const struct sl_file_opts *opts)
{
	char dir[SL_PATH_BYTES];
	uint32_t block;

	sl_file_align(file, file->found.write_align ? 0 : block_bytes(file));
	block = file->read_align > file->write_align ? file->read_align : file->write_align;
	if (file->found.kind == SL_DESC_REGULAR && sl_path_dir(path, dir) == 0)
		file->dir_fd = open_path(file->ring, dirfd, dir, O_PATH | O_DIRECTORY, 0);
	return sl_bounce_init(&file->bounce, file->ring, opts->bounce_count,
			      sl_round_up(opts->bounce_bytes, block), file->mem_align);
}

static int check_required(struct sl_file *file)
{
	struct sl_file_mode mode;
	int rc = sl_file_mode(file, &mode);

	if (rc < 0)
		return rc;
	if ((file->readable && mode.read != SL_FILE_WAY_DIRECT) ||
	    (file->writable && mode.write != SL_FILE_WAY_DIRECT))
		return -EOPNOTSUPP;
	return 0;
}

/* One byte read the way it was asked for; a write-only file shows at its first write. */
static int check_dontcache(struct sl_file *file)
{
	char byte;
	struct sl_op op = { 0 };
	int64_t res;

	if (!file->readable)
		return 0;
	sl_op_read(&op, file->fd, &byte, 1, 0)->flags |= SL_OP_DONTCACHE;
	res = sl_ring_do(file->ring, &op);
	if (res == -EOPNOTSUPP && !file->require)
		file->io = SL_FILE_BUFFERED;
	return res < 0 && file->require ? (int)res : 0;
}

static int prepare(struct sl_file *file, int dirfd, const char *path,
		   const struct sl_file_opts *opts)
{
	int rc = sl_ring_describe(file->ring, file->fd, &file->found);

	if (rc == 0)
		rc = check_kind(&file->found);
	if (rc < 0)
		return rc;
	if (file->io == SL_FILE_DONTCACHE)
		return check_dontcache(file);
	if (file->io == SL_FILE_BUFFERED)
		return 0;
	rc = prepare_direct(file, dirfd, path, opts);
	if (rc == 0 && file->require)
		rc = check_required(file);
	return rc;
}

static void init(struct sl_file *file, struct sl_ring *ring, const struct sl_file_opts *opts)
{
	unsigned access = opts->open_flags & O_ACCMODE;

	file->ring = ring;
	file->fd = -1;
	file->dir_fd = -1;
	file->io = (uint8_t)opts->io;
	file->require = opts->flags & SL_FILE_REQUIRE;
	file->readable = access != O_WRONLY;
	file->writable = access != O_RDONLY;
	file->dsync = opts->open_flags & O_DSYNC;
	file->requests_max = opts->requests_max;
	file->mem_align = 1;
	file->read_align = 1;
	file->write_align = 1;
	file->runnable.tail = &file->runnable.head;
	file->finished.tail = &file->finished.head;
	sl_range_lock_init(&file->lock);
}

int sl_file_open(struct sl_ring *ring, int dirfd, const char *path, const struct sl_file_opts *opts,
		 struct sl_file **ret_file)
{
	struct sl_file_opts resolved;
	struct sl_file *file;
	int rc = resolve(opts, &resolved);

	if (rc < 0)
		return rc;
	file = sl_file_alloc(ring, 1, sizeof(*file), 0);
	if (!file)
		return -ENOMEM;
	init(file, ring, &resolved);
	file->fd = open_fd(file, dirfd, path, &resolved);
	rc = file->fd < 0 ? file->fd : prepare(file, dirfd, path, &resolved);
	if (rc < 0) {
		sl_file_close(file);
		return rc;
	}
	*ret_file = file;
	return 0;
}

void sl_file_forget_dir(struct sl_file *file)
{
	close_fd(file->ring, file->dir_fd);
	file->dir_fd = -1;
}

void sl_file_close(struct sl_file *file)
{
	if (!file)
		return;
	if (!sl_requests_end(file->ring, &file->requests))
		return;
	sl_file_forget_dir(file);
	close_fd(file->ring, file->fd);
	sl_bounce_fini(&file->bounce);
	sl_file_free(file->ring, file, 1, sizeof(*file));
}

int sl_file_fd(const struct sl_file *file)
{
	return file->fd;
}

int sl_file_size(struct sl_file *file, uint64_t *ret_bytes)
{
	struct sl_desc desc;
	int rc = sl_ring_describe(file->ring, file->fd, &desc);

	if (rc == 0)
		*ret_bytes = desc.size;
	return rc;
}

void sl_file_info(const struct sl_file *file, struct sl_file_info *ret_info)
{
	*ret_info = (struct sl_file_info){
		.io = file->io,
		.mem_align = file->mem_align,
		.read_align = file->read_align,
		.write_align = file->write_align,
		.found_mem = file->found.mem_align,
		.found_read = file->found.read_align,
		.found_write = file->found.write_align,
		.align_source = file->found.read_align ? file->found.align_source : "assumed",
		.requests = file->requests,
		.waiting = file->waiting,
		.bounced = file->bounced,
		.edges = file->edges,
	};
}
