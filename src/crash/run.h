/* SPDX-License-Identifier: MIT */
/*
 * run.h - a command on a copy of its directory, and its end with all that it started.
 *
 *	recorder --clone--> init --fork--> the command
 *
 * Where namespaces are allowed the copy is shown at the directory's own path, and init is pid 1 of
 * a pid namespace: with it ends everything. Elsewhere the command sees the copy at another path,
 * and init is a subreaper (prctl(2)): all orphans become its children, and can be found.
 * Init dies with the recorder, and the command with init.
 */
#ifndef SLUICE_CRASH_RUN_H
#define SLUICE_CRASH_RUN_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "crash/init.h"

enum run_kind {
	RUN_READY = INIT_KINDS, /* go may be said */
	RUN_LISTENER,		/* with the supervisor's descriptor */
};

enum run_step {
	RUN_STEP_NAMESPACE,
	RUN_STEP_USER,
	RUN_STEP_MOUNT,
	RUN_STEP_OUT,
	RUN_STEP_CHDIR,
	RUN_STEP_FILTER,
	RUN_STEP_EXEC,
	RUN_STEPS
};

/* Everything is borrowed until init has it (run_start() returned). */
struct run_opts {
	bool hide; /* in namespaces: data is shown at dir */
	const char *dir;
	const char *data;
	const char *cwd;
	char *const *argv;
	char *const *envp;
	const char *out;		 /* a file for standard output, or NULL */
	const struct sock_fprog *filter; /* or NULL */
};

struct run {
	pid_t pid; /* of init; 0: not running */
	int control;
	bool hidden;
	bool user_namespace;
};

/* 0 or -errno of clone(2). Messages come on run->control; after RUN_READY init_go() is due. */
int run_start(struct run *run, const struct run_opts *opts);
/* Kills everything. False: not all has ended yet, ask again. */
bool run_kill(struct run *run);
void run_fini(struct run *run);
const char *run_step_name(uint32_t step);

#endif
