/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - a program in namespaces of its own, with another file system over its directory.
 *
 *	recorder --clone--> init (pid 1 of a pid namespace) --fork--> the program, the washer
 *
 * Init maps the user (but for root), mounts, and reaps: whatever the program leaves behind
 * becomes its child. It ends when it has none. It dies with the recorder (PR_SET_PDEATHSIG), and
 * with it, by the kernel's doing, everything in its namespaces, the mount too.
 *
 * They talk by messages on a socket, which carry descriptors. On another one the washer is
 * sent the numbers of files whose dirty pages the kernel shall write back, and answers each
 * list with a byte. It has no descriptor of /dev/fuse: if the recorder is killed, the last of them
 * is closed with it, and whoever waits for an answer gets an error.
 */
#ifndef SLUICE_CRASH_SANDBOX_H
#define SLUICE_CRASH_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "crash/init.h"

#define SANDBOX_WASH_MAX 256 /* numbers in one list */

enum sandbox_step {
	SANDBOX_START,
	SANDBOX_MAP_USER,
	SANDBOX_OPEN_FUSE,
	SANDBOX_PRIVATE,
	SANDBOX_MOUNT,
	SANDBOX_STDOUT,
	SANDBOX_CHDIR,
	SANDBOX_EXEC,
	SANDBOX_STEPS
};

enum sandbox_kind {
	SANDBOX_FUSE_CLONE = INIT_KINDS, /* with a descriptor of /dev/fuse that does not wait */
	SANDBOX_FUSE,			 /* then with one that does */
	SANDBOX_MOUNTED,  /* value: 1 when /proc shows the new namespace; mount: its id */
	SANDBOX_LISTENER, /* with the supervisor's descriptor; value < 0: there is none */
};

struct sandbox_opts {
	const char *dir; /* absolute */
	const char *cwd;
	char *const *argv;
	char *const *envp;
	bool stdout_file; /* standard output is DIR/.sluice/stdout */
	int cpu;	  /* the one processor of the program, or -1: any */
	struct rlimit files;
	uid_t uid; /* effective, of the caller */
	gid_t gid;
	int locked_fd; /* closed at once: its lock ends with the recorder */
};

struct sandbox {
	pid_t pid; /* of init, as seen from here; 0: not started */
	int control;
	int wash;
	bool user_namespace;
};

/* Clones init; from now on messages come on sandbox->control, and after SANDBOX_MOUNTED
 * init_go() lets the program start. 0 or -errno: -EPERM, -ENOSPC, -EINVAL where
 * namespaces are refused. opts is copied by the clone. */
int sandbox_start(struct sandbox *sandbox, const struct sandbox_opts *opts);
/* Kills init and with it all others. False: they have not ended yet, ask again: who waits for an
 * answer of the file system cannot die before it has it. */
bool sandbox_kill(struct sandbox *sandbox);
/* Once it was killed, or never started. */
void sandbox_fini(struct sandbox *sandbox);

/* In words: "open /dev/fuse". */
const char *sandbox_step_name(uint32_t step);

#endif
