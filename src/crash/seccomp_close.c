/* SPDX-License-Identifier: MIT */
/*
 * seccomp_close.c - when the last descriptor that could write to a file is gone.
 *
 * Descriptors are closed in many ways (close, dup2, exec, exit, a signal), and copied in as
 * many. The kernel knows, and tells by inotify(7), before the one who closed it comes to his next
 * call; whether it was the last is asked by a read lease (fcntl(2)): it is refused while anybody
 * can write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "crash/seccomp.h"

#define WATCHED_FIRST 256

static bool make_room(struct watch *watch, size_t idx)
{
	size_t room = watch->nr_watched ? watch->nr_watched : WATCHED_FIRST;
	uint64_t *watched;

	if (idx < watch->nr_watched)
		return true;
	while (room <= idx)
		room *= 2;
	watched = reallocarray(watch->watched, room, sizeof(*watched));
	if (!watched)
		return false;
	for (size_t i = watch->nr_watched; i < room; i++)
		watched[i] = 0;
	watch->watched = watched;
	watch->nr_watched = room;
	return true;
}

void watch_writer(struct watch *watch, struct inode *inode, int fd)
{
	char link[64];
	int wd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!inode->writers)
		inode->path_fd = open(link, O_PATH | O_CLOEXEC);
	inode->writers++;
	if (inode->watch >= 0)
		return;
	wd = inotify_add_watch(watch->inotify, link, IN_CLOSE_WRITE);
	if (wd < 0 || !make_room(watch, (size_t)wd)) {
		crash_record_note(watch->session->report, watch->session->trace,
				  "not all files could be watched for their close: raise "
				  "fs.inotify.max_user_watches");
		return;
	}
	inode->watch = wd;
	watch->watched[wd] = inode->ino;
}

/* Whether the event was that of the last one. */
static bool was_last(const struct inode *inode)
{
	char link[64];
	int fd, err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", inode->path_fd);
	fd = open(link, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return inode->writers == 1;
	err = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 ? errno : 0;
	close(fd); /* and with it the lease */
	if (err && err != EAGAIN)
		return inode->writers == 1; /* no leases here */
	return !err;
}

static void tell_close(struct watch *watch, struct inode *inode)
{
	struct crash_op op = {
		.code = CRASH_CLOSE,
		.inode = inode->number,
		.begin = crash_trace_now(watch->session->trace),
	};

	inode->writers = 0;
	close(inode->path_fd);
	inode->path_fd = -1;
	if (!inode->ignored)
		crash_trace_append(watch->session->trace, &op, NULL);
}

static void take_event(struct watch *watch, const struct inotify_event *event)
{
	struct inode *inode;
	size_t idx = (size_t)event->wd;

	if (event->mask & IN_Q_OVERFLOW)
		crash_record_note(watch->session->report, watch->session->trace,
				  "some closes of files are not in the trace: there were too many "
				  "at once");
	if (event->wd < 0 || idx >= watch->nr_watched || !watch->watched[idx])
		return;
	inode = inodes_find(&watch->session->copy.inodes, watch->watched[idx]);
	if (!inode || inode->watch != event->wd)
		return;
	if (event->mask & IN_IGNORED) { /* the file itself is gone */
		inode->watch = -1;
		watch->watched[idx] = 0;
	} else if (event->mask & IN_CLOSE_WRITE && inode->writers) {
		if (was_last(inode))
			tell_close(watch, inode);
		else if (inode->writers > 1)
			inode->writers--;
	}
}

void watch_closes(struct watch *watch)
{
	_Alignas(struct inotify_event) char bytes[4096];
	ssize_t n;

	while ((n = read(watch->inotify, bytes, sizeof(bytes))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event = (const void *)(bytes + at);

			take_event(watch, event);
			at += (ssize_t)sizeof(*event) + event->len;
		}
	}
}
