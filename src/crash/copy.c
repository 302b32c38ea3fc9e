/* SPDX-License-Identifier: MIT */
/* copy.c - makes the copy by the tree of the directory, and removes it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/base.h"
#include "crash/copy.h"
#include "crash/pieces.h"
#include "sys/clone.h"

#define COPY_MARK      "copy"
#define FILES_OPEN_MAX 16

/* ---- removing ----------------------- */

static int unlock_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (kind == FTW_DNR || kind == FTW_D)
		chmod(path, 0700); /* the program may have closed it to itself */
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	remove(path);
	return 0;
}

static void remove_tree(const char *path)
{
	nftw(path, unlock_entry, FILES_OPEN_MAX, FTW_PHYS | FTW_MOUNT);
	nftw(path, remove_entry, FILES_OPEN_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* A copy of ours whose owner was killed: its lock can be had. What scratch.h leaves to us, because
 * there is more in it than objects. */
static void sweep_one(const char *parent, const char *name)
{
	char path[TREE_PATH_MAX + CRASH_NAME_MAX];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !faccessat(fd, COPY_MARK, F_OK, 0) &&
	    !flock(fd, LOCK_EX | LOCK_NB))
		remove_tree(path);
	close(fd);
}

static void sweep(const char *parent)
{
	const struct dirent *entry;
	DIR *dir;

	if (!parent)
		parent = getenv("TMPDIR");
	if (!parent || !*parent)
		parent = "/var/tmp";
	dir = opendir(parent);
	while (dir && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)))
			sweep_one(parent, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

/* ---- making ----------------------- */

static int make_empty(int dir_fd, const char *name, mode_t mode)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int copy_file(const struct crash_copy *copy, const struct tree_node *node, const char *path)
{
	int source = openat(copy->scratch.base_fd, node->base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int target, err;

	if (source < 0 && errno == EACCES && node->ignored)
		return make_empty(copy->data_fd, path, 0600);
	if (source < 0)
		return -errno;
	target = openat(copy->data_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (target < 0) {
		err = -errno;
	} else {
		err = sl_sys_clone(target, source);
		if (err)
			err = pieces_copy(target, source, node->size);
		if (err == -ESTALE)
			err = 0; /* it has become shorter meanwhile */
		if (!err && ftruncate(target, (off_t)node->size) < 0)
			err = -errno;
		close(target);
	}
	close(source);
	return err;
}

static int copy_first(const struct crash_copy *copy, const struct tree_node *node, const char *path)
{
	switch (node->mode & S_IFMT) {
	case S_IFREG:
		return copy_file(copy, node, path);
	case S_IFDIR:
		return mkdirat(copy->data_fd, path, 0700) < 0 ? -errno : 0;
	case S_IFLNK:
		return symlinkat(node->target, copy->data_fd, path) < 0 ? -errno : 0;
	default:
		return mknodat(copy->data_fd, path, node->mode, node->rdev) < 0 ? -errno : 0;
	}
}

static int remember(struct crash_copy *copy, const struct tree_node *node, const char *path)
{
	struct inode *inode;
	struct stat st;

	if (fstatat(copy->data_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	inode = inodes_add(&copy->inodes, st.st_ino, node->number);
	if (!inode)
		return -ENOMEM;
	inode->links = node->nr_names;
	inode->ignored = node->ignored;
	return 0;
}

/* All names of a node; the first makes it, the others link to it. */
static int copy_node(struct crash_copy *copy, const struct tree_node *node)
{
	char first[TREE_PATH_MAX] = "", path[TREE_PATH_MAX];
	const struct tree_name *name;
	int err = 0;

	TAILQ_FOREACH(name, &node->names, of_node)
	{
		err = tree_path(&copy->tree, name->dir, name->text, path);
		if (err)
			return err;
		if (!*first)
			err = copy_first(copy, node, strcpy(first, path));
		else if (linkat(copy->data_fd, first, copy->data_fd, path, 0) < 0)
			err = -errno;
		if (err)
			return err;
	}
	return *first ? remember(copy, node, first) : 0;
}

/* Modes last, and children before their directories: one may forbid to write into it. */
static int set_modes(const struct crash_copy *copy)
{
	char path[TREE_PATH_MAX];

	for (uint64_t i = copy->tree.nodes_nr; i-- > CRASH_ROOT + 1;) {
		const struct tree_node *node = copy->tree.nodes[i];

		if (!node || S_ISLNK(node->mode) || tree_path(&copy->tree, node, NULL, path))
			continue;
		if (!geteuid() && fchownat(copy->data_fd, path, node->uid, node->gid, 0) < 0)
			return -errno;
		if (fchmodat(copy->data_fd, path, node->mode & 07777, 0) < 0)
			return -errno;
	}
	if (!geteuid() && fchown(copy->data_fd, copy->tree.root->uid, copy->tree.root->gid) < 0)
		return -errno;
	return fchmod(copy->data_fd, copy->tree.root->mode & 07777) < 0 ? -errno : 0;
}

/* All directories, or all that is none: a file may have names in several of them. */
static int copy_kind(struct crash_copy *copy, bool dirs, uint64_t bytes_max)
{
	int err = 0;

	for (uint64_t i = CRASH_ROOT + 1; !err && i < copy->tree.nodes_nr; i++) {
		const struct tree_node *node = copy->tree.nodes[i];

		if (!node || S_ISDIR(node->mode) != dirs)
			continue;
		if (S_ISREG(node->mode))
			copy->bytes += node->blocks * 512;
		err = copy->bytes > bytes_max ? -ENOSPC : copy_node(copy, node);
	}
	return err;
}

static int copy_all(struct crash_copy *copy, uint64_t bytes_max)
{
	int err = remember(copy, copy->tree.root, ".");

	if (!err)
		err = copy_kind(copy, true, bytes_max);
	if (!err)
		err = copy_kind(copy, false, bytes_max);
	return err ? err : set_modes(copy);
}

static int make_places(struct crash_copy *copy)
{
	struct stat st;

	if (make_empty(copy->scratch.dir_fd, COPY_MARK, 0600))
		return -EIO;
	if (mkdirat(copy->scratch.dir_fd, "data", 0700) < 0)
		return -errno;
	copy->data_fd = openat(copy->scratch.dir_fd, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy->data_fd < 0 || fstat(copy->data_fd, &st) < 0)
		return -errno;
	copy->dev = st.st_dev;
	if (snprintf(copy->data, sizeof(copy->data), "%s/data", copy->scratch.path) >=
		    TREE_PATH_MAX ||
	    snprintf(copy->out, sizeof(copy->out), "%s/out", copy->scratch.path) >= TREE_PATH_MAX)
		return -ENAMETOOLONG;
	if (snprintf(copy->ack, sizeof(copy->ack), "%s/ack", copy->scratch.path) >= TREE_PATH_MAX)
		return -ENAMETOOLONG;
	if (make_empty(copy->scratch.dir_fd, "ack", 0666))
		return -EIO;
	return make_empty(copy->scratch.dir_fd, "out", 0600);
}

int crash_copy_make(struct crash_copy *copy, const struct crash_record_opts *opts,
		    struct crash_record_report *report)
{
	int err;

	*copy = (struct crash_copy){ .data_fd = -1 };
	copy->scratch = (struct scratch){ .dir_fd = -1, .base_fd = -1 };
	if (!realpath(opts->dir ? opts->dir : ".", copy->dir))
		return -errno;
	sweep(opts->scratch_dir);
	err = tree_init(&copy->tree);
	if (!err)
		err = inodes_init(&copy->inodes);
	if (!err)
		err = scratch_open(&copy->scratch, opts->scratch_dir, copy->dir, &copy->tree,
				   opts->bytes_max);
	if (!err)
		err = crash_base_load(&copy->tree, copy->scratch.base_fd, opts, report);
	if (!err)
		err = make_places(copy);
	return err ? err : copy_all(copy, copy->scratch.bytes_max);
}

void crash_copy_remove(struct crash_copy *copy)
{
	if (copy->data[0])
		remove_tree(copy->data);
	if (copy->data_fd >= 0)
		close(copy->data_fd);
	scratch_close(&copy->scratch);
	inodes_fini(&copy->inodes);
	if (copy->tree.nodes)
		tree_fini(&copy->tree);
	*copy = (struct crash_copy){ .data_fd = -1 };
}
