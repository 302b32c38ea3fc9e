/* SPDX-License-Identifier: MIT */
/* seccomp_call.c - what all handlers need of a waiting call: its descriptors, memory, umask, trace.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash/seccomp.h"

#define PAGE_BYTES 4096

/* A number behind "key:" in /proc/TID/status; 0 if there is none. */
static unsigned long status_number(pid_t tid, const char *key, int base)
{
	char path[64], text[4096];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, key);
	return at ? strtoul(at + strlen(key), NULL, base) : 0;
}

/* By the thread itself; or by its process, for one that is not its first, before Linux 6.9. Only
 * what is of the thread may be kept: its number may come again in another process. */
static int open_process(pid_t tid, bool *ret_keep)
{
	int pidfd = sl_sys_pidfd_open(tid, SL_SYS_PIDFD_THREAD);

	*ret_keep = true;
	if (pidfd == -EINVAL)
		pidfd = sl_sys_pidfd_open(tid, 0);
	if (pidfd < 0 && pidfd != -ESRCH) {
		*ret_keep = false;
		pidfd = sl_sys_pidfd_open((pid_t)status_number(tid, "Tgid:", 10), 0);
	}
	return pidfd;
}

static int get_fd(struct call *call, int fd)
{
	struct watch *watch = call->watch;
	bool keep;
	int pidfd, copy = -ESRCH;

	if (watch->pidfd >= 0 && watch->pidfd_tid == call->tid)
		copy = sl_sys_pidfd_getfd(watch->pidfd, fd);
	if (copy != -ESRCH)
		return copy;
	pidfd = open_process(call->tid, &keep);
	if (pidfd < 0)
		return pidfd;
	copy = sl_sys_pidfd_getfd(pidfd, fd);
	if (keep) {
		if (watch->pidfd >= 0)
			close(watch->pidfd);
		watch->pidfd = pidfd;
		watch->pidfd_tid = call->tid;
	} else {
		close(pidfd);
	}
	return copy;
}

/* One that made itself undumpable, or runs as another user. */
static void tell_unreadable(const struct call *call)
{
	struct watch *watch = call->watch;

	if (!watch->unreadable_told)
		crash_record_note(watch->session->report, watch->session->trace,
				  "process %d does not let itself be looked at (prctl(2), "
				  "PR_SET_DUMPABLE): what it does is not in the trace",
				  call->tid);
	watch->unreadable_told = true;
}

int call_fd(struct call *call, int fd)
{
	int copy = get_fd(call, fd);

	if (copy == -EPERM)
		tell_unreadable(call);
	return copy;
}

int call_memory(const struct call *call, uint64_t from, void *to, size_t len)
{
	int64_t n = len ? sl_sys_read_memory(call->tid, from, to, len) : 0;

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EFAULT;
}

/* Page by page: the string may end at one behind which there is nothing. */
int call_string(const struct call *call, uint64_t from, char text[TREE_PATH_MAX])
{
	size_t len = 0;

	while (len < TREE_PATH_MAX) {
		size_t piece = PAGE_BYTES - (from + len) % PAGE_BYTES;
		int err;

		if (piece > TREE_PATH_MAX - len)
			piece = TREE_PATH_MAX - len;
		err = call_memory(call, from + len, text + len, piece);
		if (err)
			return err;
		if (memchr(text + len, '\0', piece))
			return 0;
		len += piece;
	}
	return -ENAMETOOLONG;
}

mode_t call_umask(const struct call *call)
{
	return (mode_t)status_number(call->tid, "Umask:", 8);
}

/* Made by what the filter does not see. */
static void tell_unknown(struct watch *watch)
{
	if (watch->outside_told)
		return;
	watch->outside_told = true;
	crash_record_note(watch->session->report, watch->session->trace,
			  "a file of the directory was made by a call that this recorder does not "
			  "see; what is done to it is not in the trace");
}

struct inode *call_inode(const struct call *call, const struct stat *st)
{
	struct watch *watch = call->watch;
	struct inode *inode;

	if (st->st_dev != watch->session->copy.dev ||
	    (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)))
		return NULL;
	inode = inodes_find(&watch->session->copy.inodes, st->st_ino);
	if (!inode && !st->st_nlink)
		tell_unknown(watch);
	return inode;
}

void call_tell(const struct call *call, struct crash_op *op, const void *data)
{
	struct crash_trace *trace = call->watch->session->trace;

	op->pid = (uint32_t)call->tid;
	op->begin = crash_trace_now(trace);
	crash_trace_append(trace, op, data); /* its error stays with the trace, and ends this */
}

bool call_is_late(const struct call *call)
{
	return crash_trace_error(call->watch->session->trace) != 0;
}

bool call_reserve(const struct call *call, uint64_t old_size, uint64_t end)
{
	struct watch *watch = call->watch;
	uint64_t more = end > old_size ? end - old_size : 0;

	if (watch->bytes + more > watch->session->copy.scratch.bytes_max) {
		watch->session->report->limits |= CRASH_LIMIT_BYTES;
		return false;
	}
	watch->bytes += more;
	return true;
}
