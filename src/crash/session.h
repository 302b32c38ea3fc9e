/* SPDX-License-Identifier: MIT */
/*
 * session.h - one recording on a copy: what the seccomp and the ring recorder share.
 *
 *	copy --> init in namespaces --RUN_READY--> go --> the command runs --> all has ended
 *	              | refused
 *	              v
 *	         init without: the command sees the copy at another path
 *
 * In the second case the path is in $SLUICE_DIR, the working directory is that of the copy, and
 * arguments and variables that are the directory's absolute path, or begin with it, are changed;
 * a note says so.
 */
#ifndef SLUICE_CRASH_SESSION_H
#define SLUICE_CRASH_SESSION_H

#include "crash/copy.h"
#include "crash/record.h"
#include "crash/run.h"

#define SESSION_DIR_VARIABLE "SLUICE_DIR"
#define SESSION_TICK_MS	     50

struct session {
	const struct crash_record_opts *opts;
	struct crash_trace *trace;
	struct crash_record_report *report;
	struct crash_copy copy;
	struct run run;
	const struct sock_fprog *filter;
	const char *shown; /* the path of the copy that the command sees */
	char cwd[TREE_PATH_MAX];
	char **argv, **envp; /* of the command; to be freed */
	int64_t deadline_ns;
	uint64_t out_off; /* of standard output: passed on */
	int listener;	  /* that came, or -1 */
	bool failed_exec;
	bool over;
	int err;
};

/* A variable more for the command: its value by what the command sees, to be freed. */
typedef char *session_variable(const struct session *session, void *ctx);

int session_prepare(struct session *session, const struct crash_record_opts *opts,
		    struct crash_trace *trace, struct crash_record_report *report);
/* Until RUN_READY. name and value: a variable more, or NULL. -EPERM with why. */
int session_start(struct session *session, const char *name, session_variable *value, void *ctx);
int session_go(struct session *session);
/* What is to be done from time to time, and when the socket is readable: session->over. */
void session_tick(struct session *session);
void session_take_message(struct session *session);
/* To the caller's standard output. */
void session_print(const char *text, size_t len);
/* Kills what is left, and waits for it; serve is called meanwhile. */
void session_end(struct session *session, void (*serve)(void *ctx), void *ctx);
void session_fini(struct session *session);

#endif
