/* SPDX-License-Identifier: MIT */
/* seccomp_open.c - opening for writing: done here, and the descriptor handed over. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crash/seccomp.h"
#include "sys/name.h"

#define LINKS_MAX 40

/* What is asked for. */
struct wish {
	int dirfd;
	uint64_t flags;
	mode_t mode;
	char path[2 * TREE_PATH_MAX];
};

/* The path is that of a directory; the name in it is ".". */
static bool is_nameless(const struct wish *wish)
{
	return (wish->flags & O_TMPFILE) == O_TMPFILE;
}

static int64_t tell_opened(struct call *call, const struct wish *wish,
			   const struct call_place *place, bool existed, int fd)
{
	bool named = !is_nameless(wish);
	struct crash_op op = { .code = existed && named ? CRASH_TRUNCATE : CRASH_CREATE };
	struct watch *watch = call->watch;
	struct inode *inode;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (existed && named) {
		inode = call_inode(call, &st);
	} else {
		inode = inodes_add(&watch->session->copy.inodes, st.st_ino, 0);
		if (!inode)
			return -ENOMEM;
		inode->ignored = named ? call_is_ignored(call, place) : place->dir_ignored;
		inode->links = named;
		op.mode = st.st_mode;
		op.dir = named ? place->dir_number : 0;
		op.name = named ? place->name : "";
	}
	if (!inode)
		return 0;
	op.inode = inode->number;
	if (!inode->ignored && (op.code == CRASH_CREATE || wish->flags & O_TRUNC))
		call_tell(call, &op, NULL);
	if (S_ISREG(st.st_mode) && (wish->flags & O_ACCMODE) != O_RDONLY)
		watch_writer(watch, inode, fd);
	return 0;
}

/* With the caller's umask; a default ACL may overrule it. */
static int open_here(struct call *call, const struct wish *wish, const struct call_place *place)
{
	mode_t mask = umask(wish->flags & O_CREAT ? call_umask(call) : 0);
	int fd = (int)sl_sys_answer(openat(place->fd, place->name,
					   (int)wish->flags | O_NOFOLLOW | O_CLOEXEC, wish->mode));

	umask(mask);
	return fd;
}

/* Follows a link that the path ends in: the wish is another one then. */
static int64_t follow(struct wish *wish, const struct call_place *place)
{
	char target[TREE_PATH_MAX];
	ssize_t n = readlinkat(place->fd, place->name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	wish->path[0] = '\0';
	if (*target != '/') {
		call_read_path(place->fd, wish->path);
		strcat(wish->path, "/");
	}
	if (strlen(wish->path) + (size_t)n >= TREE_PATH_MAX)
		return -ENAMETOOLONG;
	strcat(wish->path, target);
	return 0;
}

static int64_t open_at(struct call *call, struct wish *wish, const struct call_place *place,
		       bool *ret_again)
{
	bool exclusive = (wish->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
	struct stat st = { 0 };
	bool exists = !fstatat(place->fd, place->name, &st, AT_SYMLINK_NOFOLLOW);
	int64_t err;
	int fd;

	if (place->in_original)
		return call_refuse_original(call);
	if (exists && S_ISLNK(st.st_mode) && !exclusive && !(wish->flags & O_NOFOLLOW)) {
		*ret_again = true;
		return follow(wish, place);
	}
	if (exists && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return CALL_CONTINUE; /* a FIFO may wait for its other end */
	if (call_is_late(call))
		return -EIO;
	fd = open_here(call, wish, place);
	if (fd < 0)
		return fd;
	err = tell_opened(call, wish, place, exists, fd);
	if (err)
		close(fd);
	return err ? err : fd;
}

/* DIR/.sluice/ack, which is not there: nobody finds it in a listing. 0: that is not meant. */
static int64_t open_ack(struct call *call, const struct wish *wish)
{
	const struct crash_copy *copy = &call->watch->session->copy;
	size_t len = strlen(wish->path), suffix = strlen(CRASH_MAGIC_ACK);
	char path[2 * TREE_PATH_MAX + 8];
	struct call_place place;
	int64_t res;

	if (len < suffix || strcmp(wish->path + len - suffix, CRASH_MAGIC_ACK) != 0 ||
	    (len > suffix && wish->path[len - suffix - 1] != '/'))
		return 0;
	snprintf(path, sizeof(path), "%.*s.", (int)(len - suffix), wish->path);
	strcat(path, "/x");
	res = call_locate(call, wish->dirfd, path, &place);
	call_leave(&place);
	if (res || place.dir_number != CRASH_ROOT)
		return 0;
	return sl_sys_answer(openat(copy->scratch.dir_fd, "ack", O_WRONLY | O_APPEND | O_CLOEXEC));
}

/* A descriptor of ours, CALL_CONTINUE or -errno. */
static int64_t open_wish(struct call *call, struct wish *wish)
{
	struct call_place place;
	int64_t res = wish->flags & O_PATH ? CALL_CONTINUE : open_ack(call, wish);

	if (res)
		return res;
	res = -ELOOP;
	if (is_nameless(wish))
		strcat(wish->path, "/.");
	for (unsigned i = 0; i < LINKS_MAX; i++) {
		bool again = false;

		res = call_locate(call, wish->dirfd, wish->path, &place);
		if (!res)
			res = open_at(call, wish, &place, &again);
		call_leave(&place);
		if (!again || res)
			return res;
		res = -ELOOP;
	}
	return res;
}

int64_t call_open_path(struct call *call, uint64_t path, int flags, int *ret_fd)
{
	struct wish wish = { .dirfd = AT_FDCWD, .flags = (uint64_t)flags };
	int64_t res = call_string(call, path, wish.path);

	if (!res)
		res = open_wish(call, &wish);
	if (res < 0)
		return res;
	*ret_fd = (int)res;
	return 0;
}

static int64_t open_for(struct call *call, struct wish *wish)
{
	int64_t res = open_wish(call, wish);
	int fd = (int)res;

	if (res < 0)
		return res;
	res = sl_sys_seccomp_answer_fd(call->watch->listener, call->notif->id, fd,
				       wish->flags & O_CLOEXEC);
	close(fd);
	return res < 0 && res != -ENOENT ? res : CALL_ANSWERED;
}

static int64_t open_with(struct call *call, int dirfd, uint64_t path, struct wish *wish)
{
	int err = call_string(call, path, wish->path);

	wish->dirfd = dirfd;
	return err ? err : open_for(call, wish);
}

int64_t call_open(struct call *call)
{
	struct wish wish = { .flags = (uint32_t)call->args[1], .mode = (mode_t)call->args[2] };

	return open_with(call, AT_FDCWD, call->args[0], &wish);
}

int64_t call_creat(struct call *call)
{
	struct wish wish = {
		.flags = O_CREAT | O_WRONLY | O_TRUNC,
		.mode = (mode_t)call->args[1],
	};

	return open_with(call, AT_FDCWD, call->args[0], &wish);
}

int64_t call_openat(struct call *call)
{
	struct wish wish = { .flags = (uint32_t)call->args[2], .mode = (mode_t)call->args[3] };

	return open_with(call, (int)call->args[0], call->args[1], &wish);
}

int64_t call_openat2(struct call *call)
{
	const uint64_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
	struct sl_sys_open_how how;
	struct wish wish = { 0 };
	int err;

	if (call->args[3] < sizeof(how))
		return CALL_CONTINUE; /* the kernel says what is wrong with it */
	err = call_memory(call, call->args[2], &how, sizeof(how));
	if (err)
		return err;
	if (!(how.flags & writing))
		return CALL_CONTINUE;
	wish.flags = how.flags;
	wish.mode = (mode_t)how.mode;
	return open_with(call, (int)call->args[0], call->args[1], &wish);
}
