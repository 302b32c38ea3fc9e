/* SPDX-License-Identifier: MIT */
/* place.c - where a path leads: the directory that it names something in, and the name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backend/record/log.h"
#include "sys/call.h"

/* The last component into name and where the rest ends; false: it names nothing that could be
 * made, moved or removed. */
static bool split(const char *path, size_t *ret_dir_len, char *ret_name)
{
	size_t end = strlen(path), begin;

	while (end && path[end - 1] == '/')
		end--;
	for (begin = end; begin && path[begin - 1] != '/';)
		begin--;
	if (begin == end || end - begin > CRASH_NAME_MAX)
		return false;
	memcpy(ret_name, path + begin, end - begin);
	ret_name[end - begin] = '\0';
	*ret_dir_len = begin;
	return strcmp(ret_name, ".") != 0 && strcmp(ret_name, "..") != 0;
}

bool log_split_name(const char *path, char ret_name[CRASH_NAME_MAX + 1])
{
	size_t dir_len;

	return split(path, &dir_len, ret_name);
}

/* The directory itself; O_PATH needs no right to read it. */
static int open_dir(int dirfd, const char *path, size_t len)
{
	char dir[PATH_MAX] = ".";

	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	if (len) {
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	return (int)sl_sys_answer(openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

void log_locate(struct log *log, int dirfd, const char *path, struct log_place *ret_place)
{
	struct log_inode *entry = NULL;
	struct sl_sys_statx st;
	size_t dir_len;
	int fd;

	ret_place->dir = 0;
	if (!split(path, &dir_len, ret_place->name))
		return;
	fd = open_dir(dirfd, path, dir_len);
	if (fd < 0)
		return;
	if (!sl_sys_fstatx(fd, SL_STATX_BASIC, &st)) {
		entry = log_find(log, &st);
		if (!entry)
			entry = log_adopt(log, fd, &st);
	}
	close(fd);
	if (entry && entry->kind != LOG_OUTSIDE)
		ret_place->dir = entry->inode;
}
