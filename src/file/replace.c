/*
 * replace.c - new content under a name: temporary file, sync, rename, sync of the directory.
 *
 *	open dir -> create temp -> write -> fdatasync -> close -> rename -> sync dir
 *	                 |           |          |          |        |
 *	                 +-----------+----------+----------+--------+--> unlink temp
 *
 * Up to the rename a failure leaves the old file as it was; from there on the
 * new one is in place, and only the durability of its name is in doubt.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "file/file.h"
#include "file/path.h"
#include "sys/statx.h"

#define NAME_TRIES    16
#define NAME_BYTES    (NAME_MAX + 1)
#define BASE_KEPT_MAX 200 /* what is kept of a long name in the temporary one */
#define RENAME_NEW    1	  /* RENAME_NOREPLACE of renameat2(2) */

struct replacement {
	struct sl_ring *ring;
	struct sl_file_replace_opts opts;
	const char *name;
	int dir_fd;
	int fd; /* of the temporary file, or -1 */
	char temp[NAME_BYTES + 48];
};

static int resolve(const struct sl_file_replace_opts *opts, struct sl_file_replace_opts *ret)
{
	*ret = (struct sl_file_replace_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if ((ret->flags & ~(uint32_t)SL_FILE_REPLACE_NEW) || (ret->permissions & ~07777u))
		return -EINVAL;
	return 0;
}

static int open_at(struct replacement *new, int dirfd, const char *path,
		   const struct sl_open_how *how)
{
	struct sl_op op = { 0 };

	return (int)sl_ring_do(new->ring, sl_op_open(&op, dirfd, path, how));
}

static int close_fd(struct replacement *new, int *fd)
{
	struct sl_op op = { 0 };
	int rc = 0;

	if (*fd >= 0)
		rc = (int)sl_ring_do(new->ring, sl_op_close(&op, *fd));
	*fd = -1;
	return rc;
}

static int open_dir(struct replacement *new, int dirfd, const char *path)
{
	struct sl_open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
	char dir[SL_PATH_BYTES];
	int rc = sl_path_dir(path, dir);

	if (rc < 0)
		return rc;
	new->dir_fd = open_at(new, dirfd, dir, &how);
	return new->dir_fd < 0 ? new->dir_fd : 0;
}

/* Those asked for, else those of the old file, else the usual ones. */
static uint32_t permissions(struct replacement *new)
{
	struct sl_sys_statx stx = { 0 };
	struct sl_op op = { 0 };

	if (new->opts.permissions)
		return new->opts.permissions;
	sl_op_stat(&op, new->dir_fd, new->name, AT_SYMLINK_NOFOLLOW, SL_STATX_BASIC,
		   (struct statx *)&stx);
	if (sl_ring_do(new->ring, &op) == 0 && S_ISREG(stx.mode))
		return stx.mode & 07777;
	return 0666;
}

/* Tells two programs apart that replace a file at the same moment; in a world of its own a
 * ring is alone, and a number of this world would make two runs differ. */
static long writer_id(const struct sl_ring *ring)
{
	return sl_ring_caps(ring)->caps & SL_CAP_OWN_WORLD ? 0 : (long)getpid();
}

static int create_temp(struct replacement *new)
{
	struct sl_open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				   .mode = permissions(new) };

	for (unsigned i = 0; i < NAME_TRIES; i++) {
		snprintf(new->temp, sizeof(new->temp), ".%.*s.%lx-%llx.new", BASE_KEPT_MAX,
			 new->name, writer_id(new->ring),
			 (unsigned long long)sl_ring_clock(new->ring) + i);
		new->fd = open_at(new, new->dir_fd, new->temp, &how);
		if (new->fd != -EEXIST)
			break;
	}
	return new->fd < 0 ? new->fd : 0;
}

static int write_temp(struct replacement *new, const void *data, size_t len)
{
	struct sl_op op = { 0 };
	int64_t res = 0;

	if (len)
		res = sl_ring_do(new->ring, sl_op_write(&op, new->fd, data, len, 0));
	if (res < 0)
		return (int)res;
	if ((uint64_t)res != len)
		return -EIO;
	return (int)sl_ring_do(new->ring, sl_op_fdatasync(&op, new->fd));
}

static int rename_temp(struct replacement *new)
{
	struct sl_name_pair pair = {
		.source = new->temp,
		.target = new->name,
		.target_dirfd = new->dir_fd,
		.flags = new->opts.flags &SL_FILE_REPLACE_NEW ? RENAME_NEW : 0,
	};
	struct sl_op op = { 0 };

	return (int)sl_ring_do(new->ring, sl_op_rename(&op, new->dir_fd, &pair));
}

static void unlink_temp(struct replacement *new)
{
	struct sl_op op = { 0 };

	sl_ring_do(new->ring, sl_op_unlink(&op, new->dir_fd, new->temp, 0));
}

static int sync_dir(struct replacement *new)
{
	struct sl_op op = { 0 };

	return (int)sl_ring_do(new->ring, sl_op_sync_dir(&op, new->dir_fd));
}

/* From the temporary file to the name; the file is gone if it fails. */
static int put_in_place(struct replacement *new, const void *data, size_t len)
{
	int rc = write_temp(new, data, len);
	int closed = close_fd(new, &new->fd);

	/* NFS may tell at the close what the write could not. */
	if (rc >= 0)
		rc = closed;
	if (rc >= 0)
		rc = rename_temp(new);
	if (rc < 0)
		unlink_temp(new);
	return rc;
}

int sl_file_replace(struct sl_ring *ring, int dirfd, const char *path, const void *data, size_t len,
		    const struct sl_file_replace_opts *opts)
{
	struct replacement new = {
		.ring = ring, .name = sl_path_name(path), .dir_fd = -1, .fd = -1
	};
	int rc = resolve(opts, &new.opts);

	if (rc < 0)
		return rc;
	if (!*new.name || !strcmp(new.name, ".") || !strcmp(new.name, ".."))
		return -EINVAL;
	if (strlen(new.name) > NAME_MAX)
		return -ENAMETOOLONG;
	rc = open_dir(&new, dirfd, path);
	if (rc == 0)
		rc = create_temp(&new);
	if (rc == 0)
		rc = put_in_place(&new, data, len);
	if (rc >= 0)
		rc = sync_dir(&new);
	close_fd(&new, &new.dir_fd);
	return rc < 0 ? rc : 0;
}
