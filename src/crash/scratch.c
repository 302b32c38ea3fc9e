/* SPDX-License-Identifier: MIT */
/* scratch.c - the temporary directory, its objects, and how much they hold. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/pieces.h"
#include "crash/scratch.h"
#include "sys/clone.h"

#define CHANCE	     "XXXXXX"
#define SLACK_BYTES  (UINT64_C(1) << 20) /* as good as full: counting anew each time is dear */
#define TRIES_MAX    16
#define OBJECT_FLAGS (O_RDWR | O_CLOEXEC | O_NOFOLLOW)

/* ---- the directory ------------------------------------------------------------------ */

/* Whether a name is one of an object: a number. */
static bool is_object(const char *name)
{
	return *name && !name[strspn(name, "0123456789")];
}

/* Removes the objects, if nothing else is there: who has called a directory of his own as
 * ours are called keeps it. */
static void remove_files(int dir_fd, bool only_objects)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool foreign = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (only_objects && (entry = readdir(dir)))
		foreign |= strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
			   !is_object(entry->d_name);
	rewinddir(dir);
	while (!foreign && (entry = readdir(dir)))
		unlinkat(dir_fd, entry->d_name, 0); /* . and .. it refuses */
	closedir(dir);
}

/* Removes a directory of ours whose owner is gone: its lock can be had. */
static void sweep_one(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !flock(fd, LOCK_EX | LOCK_NB)) {
		remove_files(fd, true);
		unlinkat(parent_fd, name, AT_REMOVEDIR);
	}
	close(fd);
}

static bool is_ours(const char *name)
{
	return !strncmp(name, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)) &&
	       strlen(name) == strlen(SCRATCH_PREFIX CHANCE);
}

static void sweep(const char *parent)
{
	DIR *dir = opendir(parent);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (is_ours(entry->d_name))
			sweep_one(dirfd(dir), entry->d_name);
	}
	closedir(dir);
}

static int is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (!strcmp(dir, "/"))
		return 1;
	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

static int make_dir(struct scratch *scratch, const char *parent, const char *base)
{
	char *real = realpath(parent, NULL);
	int err = 0, len;

	if (!real)
		return -errno;
	sweep(real);
	len = snprintf(scratch->path, sizeof(scratch->path), "%s/" SCRATCH_PREFIX CHANCE, real);
	if (is_below(real, base))
		err = -EINVAL;
	else if (len >= (int)sizeof(scratch->path))
		err = -ENAMETOOLONG;
	else if (!mkdtemp(scratch->path))
		err = -errno;
	if (err)
		scratch->path[0] = '\0';
	free(real);
	return err;
}

/* False: a sweeper was quicker, and has removed it. */
static bool lock_dir(struct scratch *scratch)
{
	struct stat st;
	int fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_SH) < 0 || fstat(fd, &st) < 0 || !st.st_nlink) {
		close(fd);
		return false;
	}
	scratch->dir_fd = fd;
	return true;
}

int scratch_open(struct scratch *scratch, const char *parent, const char *base,
		 const struct tree *tree, uint64_t bytes_max)
{
	int err;

	if (!parent)
		parent = getenv("TMPDIR");
	if (!parent || !*parent)
		parent = "/var/tmp";
	*scratch = (struct scratch){ .dir_fd = -1, .base_fd = -1, .tree = tree };
	scratch->bytes_max = bytes_max ? bytes_max : SCRATCH_BYTES_MAX;
	scratch->base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = scratch->base_fd < 0 ? -errno : make_dir(scratch, parent, base);
	for (int i = 0; !err && !lock_dir(scratch) && i < TRIES_MAX; i++)
		err = make_dir(scratch, parent, base);
	if (!err && scratch->dir_fd < 0)
		err = -EBUSY;
	if (err)
		scratch_close(scratch);
	return err;
}

void scratch_close(struct scratch *scratch)
{
	if (scratch->dir_fd >= 0) {
		remove_files(scratch->dir_fd, false);
		close(scratch->dir_fd);
	}
	if (scratch->path[0])
		rmdir(scratch->path);
	if (scratch->base_fd >= 0)
		close(scratch->base_fd);
	*scratch = (struct scratch){ .dir_fd = -1, .base_fd = -1 };
}

/* ---- how much there is -------------------------------------------------------------- */

static uint64_t blocks_of(int fd)
{
	struct stat st = { 0 };

	return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_blocks;
}

static uint64_t bytes_of(const struct tree_node *node)
{
	if (!node || !node->copied)
		return 0;
	return 512 * (node->fd >= 0 ? blocks_of(node->fd) : node->blocks);
}

uint64_t scratch_left(const struct scratch *scratch)
{
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < scratch->tree->nodes_nr; i++)
		bytes += bytes_of(scratch->tree->nodes[i]);
	return bytes < scratch->bytes_max ? scratch->bytes_max - bytes : 0;
}

int scratch_reserve(struct scratch *scratch, uint64_t len)
{
	uint64_t left;

	if (len > scratch->budget) {
		left = scratch_left(scratch);
		if (left < SLACK_BYTES || left < len)
			return -ENOSPC;
		scratch->budget = left / 2 > len ? left / 2 : len;
	}
	scratch->budget -= len;
	return 0;
}

/* ---- objects ------------------------------------------------------------------------ */

static int open_object(const struct scratch *scratch, const struct tree_node *node, int flags)
{
	char name[24];
	int fd;

	snprintf(name, sizeof(name), "%llu", (unsigned long long)node->number);
	fd = openat(scratch->dir_fd, name, OBJECT_FLAGS | flags, 0600);
	return fd < 0 ? -errno : fd;
}

static int open_base(const struct scratch *scratch, const struct tree_node *node)
{
	int fd = openat(scratch->base_fd, node->base,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != node->size) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int make_object(const struct scratch *scratch, struct tree_node *node)
{
	int fd = open_object(scratch, node, O_CREAT | O_EXCL);

	if (fd < 0)
		return fd;
	node->fd = fd;
	node->copied = true;
	node->blank = false;
	return 0;
}

int scratch_open_node(const struct scratch *scratch, struct tree_node *node)
{
	int fd;

	if (node->fd >= 0)
		return 0;
	if (node->blank)
		return make_object(scratch, node);
	fd = node->copied ? open_object(scratch, node, 0) : open_base(scratch, node);
	if (fd < 0)
		return fd;
	node->fd = fd;
	return 0;
}

void scratch_shut(struct tree_node *node)
{
	if (node->fd < 0)
		return;
	node->blocks = blocks_of(node->fd);
	close(node->fd);
	node->fd = -1;
}

void scratch_drop(const struct scratch *scratch, struct tree_node *node)
{
	char name[24];

	scratch_shut(node);
	if (!node->copied || node->blank)
		return;
	snprintf(name, sizeof(name), "%llu", (unsigned long long)node->number);
	unlinkat(scratch->dir_fd, name, 0);
	node->copied = false;
}

void scratch_create(struct tree_node *node)
{
	node->copied = true;
	node->blank = true;
}

/* ---- copying ------------------------------------------------------------------------ */

/* The bytes below end, without holes. */
static int copy_bytes(struct scratch *scratch, int target, int source, uint64_t end)
{
	struct piece piece = { 0 };
	int err = 0;

	while (!err && piece_next(source, end, &piece)) {
		err = scratch_reserve(scratch, piece.end - piece.off);
		if (!err)
			err = piece_copy(target, source, piece.off, piece.end - piece.off);
	}
	return !err && ftruncate(target, (off_t)end) < 0 ? -errno : err;
}

static int fill_object(struct scratch *scratch, int target, int source, uint64_t end)
{
	int err = sl_sys_clone(target, source);

	if (err)
		err = copy_bytes(scratch, target, source, end);
	else if (ftruncate(target, (off_t)end) < 0)
		err = -errno;
	return err;
}

int scratch_own(struct scratch *scratch, struct tree_node *node, uint64_t keep)
{
	int err, source;

	err = scratch_open_node(scratch, node);
	if (err || node->copied)
		return err;
	source = node->fd;
	err = make_object(scratch, node);
	if (!err)
		err = fill_object(scratch, node->fd, source, keep < node->size ? keep : node->size);
	if (!err) {
		close(source);
		return 0;
	}
	if (node->fd != source)
		scratch_drop(scratch, node);
	node->fd = source;
	return err;
}
