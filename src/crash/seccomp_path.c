/* SPDX-License-Identifier: MIT */
/*
 * seccomp_path.c - where a path leads, for the program that names it.
 *
 * Its root, working directory and mounts may be others than ours. An absolute path is walked from
 * /proc/TID/root, a relative one from the directory that it begins in, by its name below that root,
 * so that absolute links on the way are the program's too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crash/base.h"
#include "crash/seccomp.h"
#include "sys/name.h"

/* The last component into name; what is before it stays in path, "" for nothing. */
static int split(char *path, char *name)
{
	size_t end = strlen(path), begin;

	if (!end)
		return -ENOENT;
	while (end > 1 && path[end - 1] == '/')
		end--;
	for (begin = end; begin && path[begin - 1] != '/';)
		begin--;
	if (end - begin > CRASH_NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, path + begin, end - begin);
	name[end - begin] = '\0';
	path[begin] = '\0';
	return 0;
}

/* Where a relative path begins, as a path. */
static int read_begin(const struct call *call, int dirfd, char *ret_path)
{
	char link[64];
	ssize_t n;

	if (dirfd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", call->tid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", call->tid, dirfd);
	n = readlink(link, ret_path, TREE_PATH_MAX - 1);
	if (n < 0)
		return errno == ENOENT ? -EBADF : -errno;
	ret_path[n] = '\0';
	return *ret_path == '/' ? 0 : -ENOTDIR; /* a pipe or so */
}

static int open_in_root(const struct call *call, const char *path)
{
	const struct sl_sys_open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = SL_SYS_RESOLVE_IN_ROOT,
	};
	char root[64];
	int fd, root_fd;

	snprintf(root, sizeof(root), "/proc/%d/root", call->tid);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = sl_sys_openat2(root_fd, path, &how);
	close(root_fd);
	return fd;
}

/* The directory in which path names something. */
static int open_parent(const struct call *call, int dirfd, const char *path)
{
	char whole[2 * TREE_PATH_MAX];
	int err;

	if (*path == '/')
		return open_in_root(call, path);
	err = read_begin(call, dirfd, whole);
	if (err)
		return err;
	strcat(whole, "/");
	strcat(whole, path);
	return open_in_root(call, whole);
}

void call_read_path(int fd, char path[TREE_PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, TREE_PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

static int64_t look_at_parent(struct call *call, struct call_place *place)
{
	const struct session *session = call->watch->session;
	char path[TREE_PATH_MAX];
	struct stat st;

	if (fstat(place->fd, &st) < 0)
		return -errno;
	place->dir = call_inode(call, &st);
	if (place->dir) {
		place->dir_number = place->dir->number;
		place->dir_ignored = place->dir->ignored;
		return 0;
	}
	if (session->run.hidden)
		return CALL_CONTINUE; /* the directory itself is out of reach */
	call_read_path(place->fd, path);
	place->in_original = is_below(path, session->copy.dir);
	return place->in_original ? 0 : CALL_CONTINUE;
}

/* Not to be found: said at once, for if the call went on another thread might meanwhile have made
 * it. What /proc and /dev show depends on who looks. */
static bool is_final(int err, const char *path)
{
	if (!strncmp(path, "/proc/", 6) || !strncmp(path, "/dev/", 5))
		return false;
	return err == -ENOENT || err == -ENOTDIR || err == -EACCES || err == -ELOOP ||
	       err == -EBADF || err == -ENAMETOOLONG;
}

int64_t call_locate(struct call *call, int dirfd, const char *path, struct call_place *ret_place)
{
	char parent[TREE_PATH_MAX];
	int err;

	*ret_place = (struct call_place){ .fd = -1 };
	if (strlen(path) >= sizeof(parent))
		return -ENAMETOOLONG;
	strcpy(parent, path);
	err = split(parent, ret_place->name);
	if (!err) {
		ret_place->fd = open_parent(call, dirfd, parent);
		err = ret_place->fd < 0 ? ret_place->fd : 0;
	}
	if (!err)
		return look_at_parent(call, ret_place);
	return is_final(err, path) ? err : CALL_CONTINUE;
}

void call_leave(struct call_place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	place->fd = -1;
}

/* Below the copy, or below the directory where the copy is shown at its path. */
static const char *below(const struct session *session, const char *path)
{
	if (is_below(path, session->copy.data))
		return path + strlen(session->copy.data);
	return is_below(path, session->copy.dir) ? path + strlen(session->copy.dir) : "";
}

void call_path(const struct call *call, int fd, char path[TREE_PATH_MAX])
{
	char whole[TREE_PATH_MAX];
	const char *rest;

	call_read_path(fd, whole);
	rest = below(call->watch->session, whole);
	strcpy(path, rest + (*rest == '/'));
}

bool call_is_ignored(const struct call *call, const struct call_place *place)
{
	const struct session *session = call->watch->session;
	char path[TREE_PATH_MAX], whole[TREE_PATH_MAX + CRASH_NAME_MAX + 2];

	if (place->dir_ignored ||
	    (place->dir_number == CRASH_ROOT && !strcmp(place->name, CRASH_MAGIC_DIR)))
		return true;
	if (!session->opts->nr_ignore)
		return false;
	call_path(call, place->fd, path);
	snprintf(whole, sizeof(whole), "%s%s%s", path, *path ? "/" : "", place->name);
	return crash_record_ignored(session->opts, whole);
}
