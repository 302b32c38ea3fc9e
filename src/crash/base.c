/* SPDX-License-Identifier: MIT */
/*
 * base.c - walks the base directory, breadth first.
 *
 * Nodes get their numbers as they are found, and are visited by number: so a directory
 * stands before what is in it, and nothing recurses.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "crash/base.h"

#define XATTR_LIST_MAX 65536

struct load {
	struct tree *tree;
	int base_fd;
	const struct crash_record_opts *opts;
	struct crash_record_report *report;
	void *linked; /* files with several names, by device and inode */
};

struct linked {
	dev_t dev;
	ino_t ino;
	struct tree_node *node;
};

struct listing {
	char **names;
	size_t nr, room;
};

bool crash_record_ignored(const struct crash_record_opts *opts, const char *path)
{
	for (uint32_t i = 0; i < opts->nr_ignore; i++) {
		if (!fnmatch(opts->ignore[i], path, FNM_LEADING_DIR))
			return true;
	}
	return false;
}

/* ---- listing ------------------------------------------------------------------------ */

static void free_listing(struct listing *listing)
{
	for (size_t i = 0; i < listing->nr; i++)
		free(listing->names[i]);
	free(listing->names);
	*listing = (struct listing){ 0 };
}

static int add_listed(struct listing *listing, const char *name)
{
	char **names = listing->names;

	if (listing->nr == listing->room) {
		size_t room = listing->room ? 2 * listing->room : 64;

		names = reallocarray(names, room, sizeof(*names));
		if (!names)
			return -ENOMEM;
		listing->names = names;
		listing->room = room;
	}
	names[listing->nr] = strdup(name);
	if (!names[listing->nr])
		return -ENOMEM;
	listing->nr++;
	return 0;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int read_listing(int fd, struct listing *listing)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	errno = 0;
	while (!err && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			err = add_listed(listing, entry->d_name);
	}
	if (!err && errno)
		err = -errno;
	closedir(dir);
	if (listing->nr)
		qsort(listing->names, listing->nr, sizeof(*listing->names), compare_names);
	return err;
}

/* ---- what may not be read ------------------------------------------------------------ */

/* States would lack it, and nobody would know: it is named. What is ignored is no data. */
static int refuse(struct load *load, const char *path)
{
	snprintf(load->report->unreadable, sizeof(load->report->unreadable), "%s", path);
	return -EACCES;
}

static int check_readable(struct load *load, const struct tree_node *node)
{
	if (!S_ISREG(node->mode) || node->ignored ||
	    faccessat(load->base_fd, node->base, R_OK, AT_EACCESS) == 0 || errno != EACCES)
		return 0;
	return refuse(load, node->base);
}

/* ---- one entry ---------------------------------------------------------------------- */

static int compare_linked(const void *left, const void *right)
{
	const struct linked *a = left, *b = right;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino == b->ino ? 0 : a->ino < b->ino ? -1 : 1;
}

/* The node of another name of the same file. */
static struct tree_node *find_linked(struct load *load, const struct stat *st)
{
	const struct linked key = { st->st_dev, st->st_ino, NULL };
	struct linked *const *found;

	if (!S_ISREG(st->st_mode) || st->st_nlink < 2)
		return NULL;
	found = tfind(&key, &load->linked, compare_linked);
	return found ? (*found)->node : NULL;
}

static int keep_linked(struct load *load, const struct stat *st, struct tree_node *node)
{
	struct linked *linked;

	if (!S_ISREG(st->st_mode) || st->st_nlink < 2)
		return 0;
	linked = malloc(sizeof(*linked));
	if (!linked)
		return -ENOMEM;
	*linked = (struct linked){ st->st_dev, st->st_ino, node };
	if (!tsearch(linked, &load->linked, compare_linked)) {
		free(linked);
		return -ENOMEM;
	}
	return 0;
}

static void take_stat(struct tree_node *node, const struct stat *st)
{
	node->uid = st->st_uid;
	node->gid = st->st_gid;
	node->rdev = (uint32_t)st->st_rdev;
	node->size = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size;
	node->blocks = (uint64_t)st->st_blocks;
	node->atime = st->st_atim;
	node->mtime = st->st_mtim;
	node->ctime = st->st_ctim;
}

static int read_target(struct load *load, struct tree_node *node, const char *path)
{
	char target[TREE_PATH_MAX];
	ssize_t len = readlinkat(load->base_fd, path, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	node->size = (uint64_t)len;
	node->target = strdup(target);
	return node->target ? 0 : -ENOMEM;
}

static int new_node(struct load *load, const char *path, const struct stat *st,
		    struct tree_node **ret_node)
{
	int err = 0;
	struct tree_node *node = tree_node_new(load->tree, st->st_mode, &err);

	if (!node)
		return err;
	take_stat(node, st);
	node->ignored = crash_record_ignored(load->opts, path);
	node->base = strdup(path);
	if (!node->base)
		err = -ENOMEM;
	else if (S_ISLNK(st->st_mode))
		err = read_target(load, node, path);
	if (!err)
		err = keep_linked(load, st, node);
	if (err)
		tree_node_free(load->tree, node);
	else
		*ret_node = node;
	return err;
}

static int load_entry(struct load *load, struct tree_node *dir, const char *name)
{
	char path[TREE_PATH_MAX];
	struct tree_node *node;
	struct stat st;
	int err;

	if (dir == load->tree->root && !strcmp(name, CRASH_MAGIC_DIR)) {
		crash_record_note(load->report, NULL, "%s of the directory itself is left out",
				  CRASH_MAGIC_DIR);
		return 0;
	}
	if (snprintf(path, sizeof(path), "%s%s%s", dir->base ? dir->base : "", dir->base ? "/" : "",
		     name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (fstatat(load->base_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : errno == EACCES ? refuse(load, path) : -errno;
	node = find_linked(load, &st);
	err = node ? 0 : new_node(load, path, &st, &node);
	if (!err)
		err = check_readable(load, node);
	return err ? err : tree_add(load->tree, dir, name, node);
}

/* ---- the walk ----------------------------------------------------------------------- */

static int load_dir(struct load *load, struct tree_node *dir)
{
	struct listing listing = { 0 };
	int err, fd = openat(load->base_fd, dir->base ? dir->base : ".",
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && !dir->ignored)
		return refuse(load, dir->base ? dir->base : ".");
	if (fd < 0) {
		crash_record_note(load->report, NULL, "%s: %s; taken to be empty",
				  dir->base ? dir->base : ".", strerror(errno));
		return 0;
	}
	err = read_listing(fd, &listing);
	for (size_t i = 0; !err && i < listing.nr; i++)
		err = load_entry(load, dir, listing.names[i]);
	free_listing(&listing);
	return err;
}

int crash_base_load(struct tree *tree, int base_fd, const struct crash_record_opts *opts,
		    struct crash_record_report *report)
{
	struct load load = { tree, base_fd, opts, report, NULL };
	struct stat st;
	int err = 0;

	if (fstat(base_fd, &st) < 0)
		return -errno;
	take_stat(tree->root, &st);
	tree->root->mode = st.st_mode;
	for (uint64_t i = CRASH_ROOT; !err && i < tree->nodes_nr; i++) {
		if (tree->nodes[i] && S_ISDIR(tree->nodes[i]->mode))
			err = load_dir(&load, tree->nodes[i]);
	}
	tdestroy(load.linked, free);
	return err;
}

static int tell(struct crash_trace *trace, const struct tree_name *name)
{
	const struct tree_node *node = name->node;
	struct crash_op op = {
		.code = CRASH_BASE,
		.begin = crash_trace_now(trace),
		.inode = node->number,
		.dir = name->dir->number,
		.name = name->text,
		.mode = node->mode,
		.len = node->size,
		.data_len = node->target ? (uint32_t)strlen(node->target) : 0,
	};

	return node->ignored ? 0 : crash_trace_append(trace, &op, node->target);
}

int crash_base_tell(const struct tree *tree, struct crash_trace *trace)
{
	const struct tree_name *name;
	int err = 0;

	for (uint64_t i = CRASH_ROOT; i < tree->nodes_nr; i++) {
		if (!tree->nodes[i])
			continue;
		TAILQ_FOREACH(name, &tree->nodes[i]->entries, in_dir)
		{
			err = tell(trace, name);
			if (err)
				return err;
		}
	}
	return 0;
}

/* ---- extended attributes ------------------------------------------------------------ */

static int read_xattr(const char *path, const char *name, struct tree_node *node, char *buf)
{
	ssize_t len = lgetxattr(path, name, buf, XATTR_LIST_MAX);

	return len < 0 ? 0 : tree_xattr_set(node, name, buf, (uint32_t)len, 0);
}

int crash_base_xattrs(int base_fd, struct tree_node *node)
{
	char path[TREE_PATH_MAX + 32];
	char *buf = malloc(2 * XATTR_LIST_MAX);
	ssize_t len;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	/* There is no getxattrat(2) before Linux 6.13. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", base_fd, node->base ? node->base : ".");
	len = llistxattr(path, buf, XATTR_LIST_MAX);
	for (char *name = buf; !err && len > 0 && name < buf + len; name += strlen(name) + 1) {
		if (strncmp(name, "system.", 7) != 0)
			err = read_xattr(path, name, node, buf + XATTR_LIST_MAX);
	}
	free(buf);
	node->xattrs_known = !err;
	return err;
}
