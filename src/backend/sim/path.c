/* SPDX-License-Identifier: MIT */
/*
 * path.c - where a path leads: components, "..", symbolic links, and how far it may go.
 *
 * The walk keeps one string, what is still to be walked; a symbolic link puts
 * its target before the rest. No recursion: 40 links are the bound, as in Linux.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/sim/world.h"

#define LINKS_MAX 40

struct walk {
	struct sim_machine *machine;
	const struct sim_path_request *request;
	struct model_inode *start; /* nothing above it with RESOLVE_BENEATH */
	char *rest;
	unsigned links;
};

static struct model_inode *start_of(struct sim_machine *machine, int dirfd, int *ret_err)
{
	struct sim_handle *handle;

	*ret_err = 0;
	if (dirfd == AT_FDCWD)
		return machine->volume->root;
	handle = sim_handle_find(machine, dirfd);
	if (!handle)
		*ret_err = -EBADF;
	else if (!handle->inode)
		*ret_err = -ENOTDIR;
	return *ret_err ? NULL : handle->inode;
}

static int go_up(const struct walk *walk, struct sim_path *path)
{
	if (walk->request->resolve & RESOLVE_BENEATH && path->dir == walk->start)
		return -EXDEV;
	path->inode = path->dir->parent ? path->dir->parent : path->dir;
	if (walk->request->resolve & RESOLVE_IN_ROOT && path->dir == walk->start)
		path->inode = path->dir;
	return 0;
}

/* Finds the name of one component; path->dir is where to look. */
static int look(const struct walk *walk, struct sim_path *path)
{
	path->entry = NULL;
	path->inode = path->dir;
	if (!S_ISDIR(path->dir->mode))
		return -ENOTDIR;
	if (path->len > MODEL_NAME_MAX)
		return -ENAMETOOLONG;
	if (path->len == 1 && path->name[0] == '.')
		return 0;
	if (path->len == 2 && memcmp(path->name, "..", 2) == 0)
		return go_up(walk, path);
	path->entry = model_lookup(walk->machine->volume, path->dir, path->name, path->len);
	path->inode = path->entry ? path->entry->cache : NULL;
	return 0;
}

/* Puts the target of a symbolic link before what is left to walk. */
static int follow(struct walk *walk, struct sim_path *path)
{
	const char *target = path->inode->target;
	size_t len = strlen(target), rest = strlen(walk->rest);
	char buf[PATH_MAX];

	if (walk->request->resolve & RESOLVE_NO_SYMLINKS || ++walk->links > LINKS_MAX)
		return -ELOOP;
	if (len + rest + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(buf, target, len);
	buf[len] = '/';
	memcpy(buf + len + 1, walk->rest, rest + 1);
	if (!rest && !path->must_be_dir)
		buf[len] = '\0';
	if (target[0] == '/' && walk->request->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	if (target[0] == '/')
		path->dir = walk->request->resolve & RESOLVE_IN_ROOT ? walk->start :
								       walk->machine->volume->root;
	memcpy(walk->rest, buf, strlen(buf) + 1);
	return 1;
}

/* Cuts the next component off the rest; false at the end. */
static bool next_component(struct walk *walk, struct sim_path *path)
{
	walk->rest += strspn(walk->rest, "/");
	if (!*walk->rest)
		return false;
	path->name = walk->rest;
	path->len = strcspn(walk->rest, "/");
	walk->rest += path->len;
	path->must_be_dir = *walk->rest == '/';
	walk->rest += strspn(walk->rest, "/");
	return true;
}

/* The string is walked in place: a link's target needs the room of the buffer's
 * begin, so names found so far are not looked at again. */
static int walk_all(struct walk *walk, struct sim_path *path, char *buf)
{
	while (next_component(walk, path)) {
		bool last = !*walk->rest;
		int err = look(walk, path);

		if (err)
			return err;
		if (path->inode && S_ISLNK(path->inode->mode) &&
		    (!last || path->must_be_dir || walk->request->flags & SIM_PATH_FOLLOW)) {
			size_t rest = strlen(walk->rest);

			memmove(buf, walk->rest, rest + 1);
			walk->rest = buf;
			err = follow(walk, path);
			if (err < 0)
				return err;
			continue;
		}
		if (last)
			break;
		if (!path->inode)
			return -ENOENT;
		path->dir = path->inode;
	}
	if (path->inode && path->must_be_dir && !S_ISDIR(path->inode->mode))
		return -ENOTDIR;
	return 0;
}

int sim_path_find(struct sim_machine *machine, const struct sim_path_request *request, char *buf,
		  struct sim_path *ret_path)
{
	struct walk walk = { .machine = machine, .request = request, .rest = buf };
	size_t len = strnlen(request->path, PATH_MAX);
	int err = 0;

	if (len == PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(buf, request->path, len + 1);
	*ret_path = (struct sim_path){ .dir = machine->volume->root };
	if (buf[0] != '/')
		ret_path->dir = start_of(machine, request->dirfd, &err);
	else if (request->resolve & RESOLVE_BENEATH)
		err = -EXDEV;
	else if (request->resolve & RESOLVE_IN_ROOT)
		ret_path->dir = start_of(machine, request->dirfd, &err);
	if (err)
		return err;
	walk.start = ret_path->inode = ret_path->dir;
	if (!len)
		return request->flags & SIM_PATH_EMPTY ? 0 : -ENOENT;
	return walk_all(&walk, ret_path, buf);
}
