/* SPDX-License-Identifier: MIT */
/* record_seccomp.c - the supervisor: takes calls as they come, and answers each; see seccomp.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "crash/base.h"
#include "crash/seccomp.h"
#include "sys/clock.h"

/* The kernel may know of more than our headers do. */
union notification {
	struct seccomp_notif notif;
	char room[512];
};

/* ---- one call ----------------------- */

static void answer(struct watch *watch, uint64_t id, int64_t res)
{
	union {
		struct seccomp_notif_resp resp;
		char room[512];
	} answer = { .room = { 0 } };

	answer.resp.id = id;
	if (res == CALL_CONTINUE)
		answer.resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (res < 0)
		answer.resp.error = (int)res;
	else
		answer.resp.val = res;
	sl_sys_seccomp_answer(watch->listener, &answer.resp); /* or the caller is dead */
}

static void serve(struct watch *watch)
{
	union notification notification = { .room = { 0 } };
	struct call call = { .watch = watch, .notif = &notification.notif };
	call_handler *handler;
	int64_t res;

	if (sl_sys_seccomp_receive(watch->listener, &notification.notif))
		return;
	watch_closes(watch);
	call.tid = (pid_t)notification.notif.pid;
	call.args = (const uint64_t *)notification.notif.data.args;
	handler = watch_handler(notification.notif.data.nr);
	res = handler ? handler(&call) : CALL_CONTINUE;
	if (res != CALL_ANSWERED)
		answer(watch, notification.notif.id, res);
}

int64_t call_refuse_original(struct call *call)
{
	struct watch *watch = call->watch;

	if (!watch->original_told)
		crash_record_note(
			watch->session->report, watch->session->trace,
			"the command would have changed %s itself, which it sees beside its "
			"copy: refused (EROFS). Give it paths by $" SESSION_DIR_VARIABLE,
			watch->session->copy.dir);
	watch->original_told = true;
	return -EROFS;
}

/* ---- the recording ----------------------- */

static int find_magic(struct watch *watch)
{
	const struct crash_copy *copy = &watch->session->copy;
	struct stat st;

	if (fstatat(copy->scratch.dir_fd, "ack", &st, 0) < 0)
		return -errno;
	watch->ack_ino = st.st_ino;
	if (fstatat(copy->scratch.dir_fd, "out", &st, 0) < 0)
		return -errno;
	watch->out_ino = st.st_ino;
	watch->out_dev = st.st_dev;
	return 0;
}

/* Reads are not seen, and what a disk does behind a success is a file system's to do. */
static int check_faults(const struct crash_record_opts *opts, struct crash_record_report *report)
{
	for (uint32_t i = 0; i < opts->nr_faults; i++) {
		const struct crash_fault *fault = &opts->faults[i];

		if (fault->call != CRASH_FAULT_READ && fault->kind != CRASH_FAULT_ROT &&
		    fault->kind != CRASH_FAULT_ASTRAY)
			continue;
		crash_record_why(report,
				 "seccomp: read faults, rot and astray writes need the fuse "
				 "recorder");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int prepare(struct watch *watch)
{
	watch->bytes = watch->session->copy.bytes;
	watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->inotify < 0)
		return -errno;
	watch->buf = aligned_alloc(WATCH_ALIGN, WATCH_ALIGN + WATCH_BYTES);
	return watch->buf ? find_magic(watch) : -ENOMEM;
}

static void take_listener(struct watch *watch)
{
	if (watch->listener >= 0 || watch->session->listener < 0)
		return;
	watch->listener = watch->session->listener;
	sl_sys_seccomp_sync_wakeup(watch->listener); /* older kernels are slower without */
}

static void keep(struct watch *watch)
{
	struct session *session = watch->session;
	struct pollfd fds[2];
	int64_t tick_ns = 0;

	while (!session->over) {
		fds[0] = (struct pollfd){ session->run.control, POLLIN, 0 };
		fds[1] = (struct pollfd){ watch->listener, POLLIN, 0 };
		poll(fds, 2, SESSION_TICK_MS);
		if (fds[1].revents & POLLIN)
			serve(watch);
		else if (fds[0].revents)
			session_take_message(session);
		take_listener(watch);
		if (sl_sys_clock_ns() < tick_ns && !crash_trace_error(session->trace))
			continue;
		session_tick(session);
		tick_ns = sl_sys_clock_ns() + SESSION_TICK_MS * INT64_C(1000000);
	}
}

/* Those that die may wait for an answer; deadly signals do not. */
static void end(struct watch *watch)
{
	session_end(watch->session, NULL, NULL);
	watch->listener = -1;
	watch_closes(watch);
}

/* What the program leaves without an end is a line all the same. */
static void tell_last_line(struct watch *watch, const struct watch_line *line)
{
	struct crash_op op = {
		.code = CRASH_ACK,
		.begin = crash_trace_now(watch->session->trace),
		.data_len = line->len,
	};

	if (!line->len)
		return;
	watch->session->report->nr_acks++;
	crash_trace_append(watch->session->trace, &op, line->text);
}

static void fini(struct watch *watch)
{
	for (size_t i = 0; i < watch->session->copy.inodes.room; i++) {
		const struct inode *inode = &watch->session->copy.inodes.table[i];

		if (inode->ino && inode->path_fd >= 0)
			close(inode->path_fd);
	}
	if (watch->inotify >= 0)
		close(watch->inotify);
	if (watch->pidfd >= 0)
		close(watch->pidfd);
	free(watch->watched);
	free(watch->buf);
}

static int record(struct watch *watch)
{
	struct session *session = watch->session;
	int err = prepare(watch);

	if (!err)
		err = session_start(session, NULL, NULL, NULL);
	if (!err)
		err = crash_base_tell(&session->copy.tree, session->trace);
	if (!err)
		err = session_go(session);
	if (err)
		return err;
	keep(watch);
	end(watch);
	tell_last_line(watch, &watch->ack);
	tell_last_line(watch, &watch->out);
	return session->err;
}

int crash_record_seccomp(const struct crash_record_opts *opts, struct crash_trace *trace,
			 struct crash_record_report *ret_report)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct session *session = calloc(1, sizeof(*session));
	int err = watch && session ? 0 : -ENOMEM;

	if (!err) {
		watch->session = session;
		watch->listener = watch->inotify = watch->pidfd = -1;
		session->filter = watch_filter();
		err = session_prepare(session, opts, trace, ret_report);
		if (!err)
			err = check_faults(opts, ret_report);
		if (!err)
			err = record(watch);
		session_end(session, NULL, NULL);
		fini(watch);
		session_fini(session);
	}
	free(watch);
	free(session);
	return err;
}
