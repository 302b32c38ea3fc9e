/* SPDX-License-Identifier: MIT */
/*
 * record_ring.c - the recorder of programs on a ring: they record themselves.
 *
 * $SLUICE_BACKEND puts src/backend/record around whatever backend the command would have used. It
 * writes a trace of its own beside the copy; what is in it is then told to the caller's, without
 * what is no part of the state. Sequence numbers change by that, and begins with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sluice/ring.h>

#include "crash/base.h"
#include "crash/names.h"
#include "crash/session.h"

#define BACKEND_VARIABLE "SLUICE_BACKEND"

/* ---- the command's own trace ----------------------- */

static char *backend_around(const char *inner, const struct session *session)
{
	char *name;
	int n;

	/* What it may write is what its trace may hold. */
	n = asprintf(&name, "record:%s,trace=%s/trace,dir=%s,bytes=%llu,acks=%s%s%s", inner,
		     session->copy.scratch.path, session->shown,
		     (unsigned long long)session->copy.scratch.bytes_max, session->copy.ack,
		     session->opts->stdout_plain ? "" : ",out=",
		     session->opts->stdout_plain ? "" : session->copy.out);
	return n < 0 ? NULL : name;
}

static char *backend_of(const struct session *session, void *ctx)
{
	const char *inner = getenv(BACKEND_VARIABLE);

	(void)ctx;
	return backend_around(inner ? inner : "", session);
}

/* ---- telling it to the caller's ----------------------- */

struct import {
	struct session *session;
	struct crash_trace *from;
	struct crash_names *names;
	uint64_t *told;	  /* of the first n ops: how many were told */
	uint8_t *dropped; /* by inode */
	uint64_t inodes;  /* places in it */
	char *data;
	size_t room;
};

static bool is_dropped(const struct import *import, uint64_t inode)
{
	return inode < import->inodes && import->dropped[inode];
}

/* Whether what an op makes is no part of the state: below something that is not, or ignored. */
static bool makes_ignored(const struct import *import, const struct crash_op *op)
{
	char path[TREE_PATH_MAX];

	if (is_dropped(import, op->dir) ||
	    (op->dir == CRASH_ROOT && !strcmp(op->name, CRASH_MAGIC_DIR)))
		return true;
	if (!import->session->opts->nr_ignore)
		return false;
	crash_names_path(crash_names_node(import->names, op->inode), path, sizeof(path));
	return crash_record_ignored(import->session->opts, path + (path[0] == '/'));
}

static bool makes(const struct crash_op *op)
{
	return op->res >= 0 && (op->code == CRASH_BASE || op->code == CRASH_CREATE ||
				op->code == CRASH_MKDIR || op->code == CRASH_SYMLINK);
}

static int load_data(struct import *import, const struct crash_op *op)
{
	if (op->data_len > import->room) {
		char *data = realloc(import->data, op->data_len);

		if (!data)
			return -ENOMEM;
		import->data = data;
		import->room = op->data_len;
	}
	return crash_trace_data(import->from, op, 0, import->data, op->data_len);
}

static int import_op(struct import *import, const struct crash_op *op)
{
	struct crash_op copy = *op;
	const char *why;
	int err = crash_names_apply(import->names, op, &why);

	if (err)
		return err;
	if (makes(op) && op->inode < import->inodes && makes_ignored(import, op))
		import->dropped[op->inode] = 1;
	if (is_dropped(import, op->inode))
		return 0;
	err = load_data(import, op);
	if (err)
		return err;
	copy.begin = import->told[op->begin];
	import->session->report->nr_acks += op->code == CRASH_ACK;
	return crash_trace_append(import->session->trace, &copy, import->data);
}

static uint64_t largest_inode(const struct crash_trace *trace)
{
	uint64_t largest = CRASH_ROOT;

	for (uint64_t i = 0; i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		largest = op->inode > largest ? op->inode : largest;
	}
	return largest;
}

static int import_all(struct import *import)
{
	uint64_t nr = crash_trace_nr(import->from);
	int err = crash_names_create(&import->names);

	import->inodes = largest_inode(import->from) + 1;
	import->told = calloc(nr + 1, sizeof(*import->told));
	import->dropped = calloc(import->inodes, 1);
	if (!import->told || !import->dropped)
		err = -ENOMEM;
	for (uint64_t i = 0; !err && i < nr; i++) {
		err = import_op(import, crash_trace_op(import->from, i));
		import->told[i + 1] = crash_trace_now(import->session->trace);
	}
	return err;
}

/* A last line without an end is one all the same. */
static void end_last_line(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDWR | O_APPEND | O_CLOEXEC);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n' &&
	    write(fd, "\n", 1) != 1)
		last = '\n'; /* the copy is full: the line is lost with it */
	if (fd >= 0)
		close(fd);
}

/* What was acknowledged after the last op: a ring that records takes it in when it closes. Its
 * refusal to open tells of an error that ended the command's own. */
static int take_last_acks(struct session *session)
{
	char *backend;
	struct sl_ring_opts opts = { .size = sizeof(opts), .depth = 1, .workers = 1 };
	struct sl_ring *ring;
	int err;

	end_last_line(session->copy.scratch.dir_fd, "ack");
	end_last_line(session->copy.scratch.dir_fd, "out");
	session->shown = session->copy.data; /* no namespace of the command's is left */
	backend = backend_around("", session);
	if (!backend)
		return -ENOMEM;
	opts.backend = backend;
	err = sl_ring_open(&opts, &ring);
	if (!err)
		sl_ring_close(ring);
	free(backend);
	if (err && err != -EFBIG)
		crash_record_why(session->report, "ring: the command's own trace ended early: %s",
				 strerror(-err));
	if (err == -EFBIG)
		session->report->limits |= CRASH_LIMIT_TRACE;
	return err == -EFBIG ? 0 : err;
}

static int tell(struct session *session)
{
	struct import import = { .session = session };
	char path[TREE_PATH_MAX + 16];
	int err;

	snprintf(path, sizeof(path), "%s/trace", session->copy.scratch.path);
	if (access(path, F_OK) < 0) {
		crash_record_why(session->report,
				 "ring: the command opened no ring, or asked for a backend by its "
				 "name, which is not recorded");
		return -EOPNOTSUPP;
	}
	err = take_last_acks(session);
	if (!err)
		err = crash_trace_open(path, &import.from);
	if (err)
		return err;
	err = import_all(&import);
	crash_trace_close(import.from);
	if (import.names)
		crash_names_destroy(import.names);
	free(import.told);
	free(import.dropped);
	free(import.data);
	if (err == -EFBIG)
		session->report->limits |= CRASH_LIMIT_TRACE;
	return err == -EFBIG ? 0 : err;
}

/* ---- the recording ----------------------- */

static void keep(struct session *session)
{
	while (!session->over) {
		struct pollfd control = { session->run.control, POLLIN, 0 };

		if (poll(&control, 1, SESSION_TICK_MS) > 0)
			session_take_message(session);
		session_tick(session);
	}
	session_end(session, NULL, NULL);
}

int crash_record_ring(const struct crash_record_opts *opts, struct crash_trace *trace,
		      struct crash_record_report *ret_report)
{
	struct session *session = calloc(1, sizeof(*session));
	int err;

	if (!session)
		return -ENOMEM;
	err = session_prepare(session, opts, trace, ret_report);
	if (!err && opts->nr_faults) {
		crash_record_why(ret_report, "ring: injects no faults; the simulator does");
		err = -EOPNOTSUPP;
	}
	if (!err)
		err = session_start(session, BACKEND_VARIABLE, backend_of, NULL);
	if (!err)
		err = session_go(session);
	if (!err) {
		keep(session);
		err = session->err;
		if (!err || err == -ECANCELED) {
			int told = tell(session);

			err = told ? told : err;
		}
	}
	session_end(session, NULL, NULL);
	session_fini(session);
	free(session);
	return err;
}
