/* SPDX-License-Identifier: MIT */
/* seccomp_name.c - calls on names: made, linked, moved, removed here, under the caller's umask. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash/seccomp.h"
#include "sys/name.h"

/* One path of a call. */
struct named {
	struct call_place place;
	char path[TREE_PATH_MAX];
	struct inode *inode; /* what it names now, the last link not followed; or NULL */
	struct stat st;
	bool exists;
};

static int64_t find(struct call *call, int dirfd, uint64_t path, struct named *ret_named)
{
	int64_t res;

	ret_named->place.fd = -1;
	ret_named->inode = NULL;
	ret_named->exists = false;
	res = call_string(call, path, ret_named->path);
	if (res)
		return res;
	res = call_locate(call, dirfd, ret_named->path, &ret_named->place);
	if (res)
		return res;
	if (ret_named->place.in_original)
		return call_refuse_original(call);
	ret_named->exists = !fstatat(ret_named->place.fd, ret_named->place.name, &ret_named->st,
				     AT_SYMLINK_NOFOLLOW);
	if (ret_named->exists && ret_named->st.st_dev == call->watch->session->copy.dev)
		ret_named->inode =
			inodes_find(&call->watch->session->copy.inodes, ret_named->st.st_ino);
	return call_is_late(call) ? -EIO : 0;
}

/* ---- making ----------------------- */

/* Something that has just got its first name. */
static int64_t tell_made(struct call *call, const struct named *named, uint32_t code,
			 const char *target)
{
	struct crash_op op = {
		.code = code,
		.dir = named->place.dir_number,
		.name = named->place.name,
		.data_len = target ? (uint32_t)strlen(target) : 0,
	};
	struct inode *inode;
	struct stat st;

	if (fstatat(named->place.fd, named->place.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	inode = inodes_add(&call->watch->session->copy.inodes, st.st_ino, 0);
	if (!inode)
		return -ENOMEM;
	inode->ignored = call_is_ignored(call, &named->place);
	op.inode = inode->number;
	op.mode = st.st_mode;
	if (!inode->ignored)
		call_tell(call, &op, target);
	return 0;
}

static int64_t make_dir(struct call *call, int dirfd, uint64_t path, mode_t mode)
{
	struct named named;
	int64_t res = find(call, dirfd, path, &named);

	if (!res) {
		mode_t mask = umask(call_umask(call));

		res = sl_sys_mkdirat(named.place.fd, named.place.name, mode);
		umask(mask);
	}
	if (!res)
		res = tell_made(call, &named, CRASH_MKDIR, NULL);
	call_leave(&named.place);
	return res;
}

int64_t call_mkdir(struct call *call)
{
	return make_dir(call, AT_FDCWD, call->args[0], (mode_t)call->args[1]);
}

int64_t call_mkdirat(struct call *call)
{
	return make_dir(call, (int)call->args[0], call->args[1], (mode_t)call->args[2]);
}

static int64_t make_node(struct call *call, int dirfd, const uint64_t *args)
{
	struct named named;
	int64_t res = find(call, dirfd, args[0], &named);

	if (!res) {
		mode_t mask = umask(call_umask(call));

		res = sl_sys_answer(
			mknodat(named.place.fd, named.place.name, (mode_t)args[1], (dev_t)args[2]));
		umask(mask);
	}
	if (!res)
		res = tell_made(call, &named, CRASH_CREATE, NULL);
	call_leave(&named.place);
	return res;
}

int64_t call_mknod(struct call *call)
{
	return make_node(call, AT_FDCWD, call->args);
}

int64_t call_mknodat(struct call *call)
{
	return make_node(call, (int)call->args[0], call->args + 1);
}

static int64_t make_link(struct call *call, uint64_t target, int dirfd, uint64_t path)
{
	char text[TREE_PATH_MAX];
	struct named named;
	int64_t res = find(call, dirfd, path, &named);

	if (!res)
		res = call_string(call, target, text);
	if (!res)
		res = sl_sys_symlinkat(text, named.place.fd, named.place.name);
	if (!res)
		res = tell_made(call, &named, CRASH_SYMLINK, text);
	call_leave(&named.place);
	return res;
}

int64_t call_symlink(struct call *call)
{
	return make_link(call, call->args[0], AT_FDCWD, call->args[1]);
}

int64_t call_symlinkat(struct call *call)
{
	return make_link(call, call->args[0], (int)call->args[1], call->args[2]);
}

/* ---- removing ----------------------- */

static void lose_name(struct inode *inode)
{
	if (inode && inode->links)
		inode->links--;
}

static void tell_removed(struct call *call, const struct named *named, uint32_t code)
{
	struct crash_op op = {
		.code = code,
		.dir = named->place.dir_number,
		.name = named->place.name,
	};

	if (!named->inode)
		return;
	op.inode = named->inode->number;
	if (!named->inode->ignored)
		call_tell(call, &op, NULL);
	lose_name(named->inode);
}

static int64_t remove_name(struct call *call, int dirfd, uint64_t path, int flags)
{
	struct named named;
	int64_t res = find(call, dirfd, path, &named);

	if (!res)
		res = sl_sys_unlinkat(named.place.fd, named.place.name, flags);
	if (!res)
		tell_removed(call, &named, flags & AT_REMOVEDIR ? CRASH_RMDIR : CRASH_UNLINK);
	call_leave(&named.place);
	return res;
}

int64_t call_unlink(struct call *call)
{
	return remove_name(call, AT_FDCWD, call->args[0], 0);
}

int64_t call_rmdir(struct call *call)
{
	return remove_name(call, AT_FDCWD, call->args[0], AT_REMOVEDIR);
}

int64_t call_unlinkat(struct call *call)
{
	return remove_name(call, (int)call->args[0], call->args[1], (int)call->args[2]);
}

/* ---- two names ----------------------- */

struct pair {
	struct named source, target;
};

/* Between the copy and what is not the copy it is as between two file systems: EXDEV. */
static int64_t find_pair(struct call *call, const uint64_t *source, const uint64_t *target,
			 struct pair *ret_pair)
{
	int64_t first = find(call, (int)source[0], source[1], &ret_pair->source);
	int64_t second = find(call, (int)target[0], target[1], &ret_pair->target);

	if (first == CALL_CONTINUE && second == CALL_CONTINUE)
		return CALL_CONTINUE;
	if (first < 0 && first != CALL_CONTINUE)
		return first;
	if (second < 0 && second != CALL_CONTINUE)
		return second;
	return first || second ? -EXDEV : 0;
}

/* What is no part of the state stays so, and what is one too: programs copy then. */
static int64_t check_pair(const struct call *call, const struct pair *pair)
{
	const struct inode *inode = pair->source.inode;

	return inode && inode->ignored != call_is_ignored(call, &pair->target.place) ? -EXDEV : 0;
}

static void leave_pair(struct pair *pair)
{
	call_leave(&pair->source.place);
	call_leave(&pair->target.place);
}

static void tell_renamed(struct call *call, const struct pair *pair, unsigned flags)
{
	struct crash_op op = {
		.code = CRASH_RENAME,
		.flags = flags & RENAME_EXCHANGE ? CRASH_EXCHANGE : 0,
		.dir = pair->source.place.dir_number,
		.dir2 = pair->target.place.dir_number,
		.name = pair->source.place.name,
		.name2 = pair->target.place.name,
	};

	if (!pair->source.inode || pair->source.inode == pair->target.inode)
		return; /* rename(2) of two names of one file does nothing */
	op.inode = pair->source.inode->number;
	if (!pair->source.inode->ignored)
		call_tell(call, &op, NULL);
	if (!(flags & RENAME_EXCHANGE))
		lose_name(pair->target.inode);
}

static int64_t rename_pair(struct call *call, const uint64_t *source, const uint64_t *target,
			   unsigned flags)
{
	struct pair pair;
	int64_t res = find_pair(call, source, target, &pair);

	if (!res && flags & RENAME_WHITEOUT)
		res = -EINVAL;
	if (!res)
		res = check_pair(call, &pair);
	if (!res)
		res = sl_sys_renameat2(pair.source.place.fd, pair.source.place.name,
				       pair.target.place.fd, pair.target.place.name, flags);
	if (!res)
		tell_renamed(call, &pair, flags);
	leave_pair(&pair);
	return res;
}

#define HERE ((uint64_t)(int64_t)AT_FDCWD)

int64_t call_rename(struct call *call)
{
	const uint64_t source[2] = { HERE, call->args[0] }, target[2] = { HERE, call->args[1] };

	return rename_pair(call, source, target, 0);
}

int64_t call_renameat(struct call *call)
{
	return rename_pair(call, call->args, call->args + 2, 0);
}

int64_t call_renameat2(struct call *call)
{
	return rename_pair(call, call->args, call->args + 2, (unsigned)call->args[4]);
}

static void tell_linked(struct call *call, const struct named *target, struct inode *inode)
{
	struct crash_op op = {
		.code = CRASH_LINK,
		.dir = target->place.dir_number,
		.name = target->place.name,
	};

	if (!inode)
		return;
	op.inode = inode->number;
	if (!inode->ignored)
		call_tell(call, &op, NULL);
	inode->links++;
}

/* By the descriptor of a file, AT_EMPTY_PATH. */
static int64_t link_fd(struct call *call, int fd, const uint64_t *target)
{
	struct named named;
	struct stat st;
	char link[64];
	int64_t res = find(call, (int)target[0], target[1], &named);
	int own = res ? -1 : call_fd(call, fd);

	if (!res && (own < 0 || fstat(own, &st) < 0))
		res = -EBADF;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", own);
	if (!res)
		res = sl_sys_linkat(AT_FDCWD, link, named.place.fd, named.place.name,
				    AT_SYMLINK_FOLLOW);
	if (!res)
		tell_linked(call, &named, call_inode(call, &st));
	if (own >= 0)
		close(own);
	call_leave(&named.place);
	return res;
}

/* "/proc/self/fd/N", the other way to name a file without a name; or -1. */
static int linked_fd(const struct call *call, uint64_t path)
{
	static const char begin[] = "/proc/self/fd/";
	char text[TREE_PATH_MAX], *end;
	long fd;

	if (call_string(call, path, text) || strncmp(text, begin, sizeof(begin) - 1) != 0)
		return -1;
	fd = strtol(text + sizeof(begin) - 1, &end, 10);
	return *end || end == text + sizeof(begin) - 1 || fd > INT_MAX ? -1 : (int)fd;
}

static int64_t link_pair(struct call *call, const uint64_t *source, const uint64_t *target,
			 unsigned flags)
{
	struct pair pair;
	struct stat st;
	int64_t res;
	int fd;

	if (flags & AT_EMPTY_PATH)
		return link_fd(call, (int)source[0], target);
	fd = flags & AT_SYMLINK_FOLLOW ? linked_fd(call, source[1]) : -1;
	if (fd >= 0)
		return link_fd(call, fd, target);
	res = find_pair(call, source, target, &pair);
	if (!res)
		res = check_pair(call, &pair);
	if (!res)
		res = sl_sys_linkat(pair.source.place.fd, pair.source.place.name,
				    pair.target.place.fd, pair.target.place.name, flags);
	if (!res &&
	    !fstatat(pair.target.place.fd, pair.target.place.name, &st, AT_SYMLINK_NOFOLLOW))
		tell_linked(call, &pair.target,
			    inodes_find(&call->watch->session->copy.inodes, st.st_ino));
	leave_pair(&pair);
	return res;
}

int64_t call_link(struct call *call)
{
	const uint64_t source[2] = { HERE, call->args[0] }, target[2] = { HERE, call->args[1] };

	return link_pair(call, source, target, 0);
}

int64_t call_linkat(struct call *call)
{
	return link_pair(call, call->args, call->args + 2, (unsigned)call->args[4]);
}

/* ---- modes ----------------------- */

static int64_t change_mode(struct call *call, int dirfd, uint64_t path, mode_t mode)
{
	struct crash_op op = { .code = CRASH_CHMOD };
	struct named named;
	int64_t res = find(call, dirfd, path, &named);

	if (!res && (!named.exists || S_ISLNK(named.st.st_mode)))
		res = CALL_CONTINUE; /* what is behind a link is not told: modes decide nothing here
				      */
	if (!res)
		res = sl_sys_answer(fchmodat(named.place.fd, named.place.name, mode & 07777, 0));
	if (!res && named.inode && !named.inode->ignored) {
		op.inode = named.inode->number;
		op.mode = (named.st.st_mode & S_IFMT) | (mode & 07777);
		call_tell(call, &op, NULL);
	}
	call_leave(&named.place);
	return res;
}

int64_t call_chmod(struct call *call)
{
	return change_mode(call, AT_FDCWD, call->args[0], (mode_t)call->args[1]);
}

int64_t call_fchmodat(struct call *call)
{
	return change_mode(call, (int)call->args[0], call->args[1], (mode_t)call->args[2]);
}
