/* SPDX-License-Identifier: MIT */
/*
 * init.h - the first process of a recording: how it is born, talks, reaps and ends.
 *
 * Both kinds of it (run.h, sandbox.h) are children of a recorder that may have threads: what runs
 * in them before exec is only what a signal handler may call. They talk to the recorder by
 * messages on a socket of whole packets, one descriptor each at most.
 */
#ifndef SLUICE_CRASH_INIT_H
#define SLUICE_CRASH_INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define INIT_EXIT_NONE 127 /* of one that could not begin, or has no recorder any more */

enum init_kind {
	INIT_FAILED = 1, /* step, value: -errno */
	INIT_ENDED,	 /* value: wait status of the command */
	INIT_KINDS	 /* the first of its user's own */
};

struct init_message {
	uint32_t kind;
	uint32_t step; /* the user's own */
	int32_t value;
	uint32_t mount;
};

/* ---- the recorder's side ---- */

/* Two ends of a socket for messages, closed by exec. 0 or -errno. */
int init_socket(int ret_pair[2]);
/* fork(2), into namespaces of its own if asked for: a user namespace too
 * where nothing else is allowed. The pid, 0 in the child, or -errno. */
int64_t init_clone(bool namespaces, bool *ret_user_namespace);
/* 1 and a message, with its descriptor or -1; 0: init has ended; -errno. */
int init_receive(int control, struct init_message *ret_message, int *ret_fd);
/* Lets an init go on that waits for it. 0 or -errno. */
int init_go(int control);
/* Whether it has ended, which clears the pid. */
bool init_has_ended(pid_t *pid);

/* ---- its own side ---- */

/* 0 or -errno. fd -1: none. */
int init_send(int control, const struct init_message *message, int fd);
/* Tells errno, and ends. */
_Noreturn void init_fail(int control, uint32_t step);
/* Maps the one user and group of a new user namespace, or fails with step. */
void init_map_user(int control, uint32_t step, unsigned uid, unsigned gid);
/* Handlers are the recorder's; what is ignored stays so. */
void init_default_signals(void);
/* Waits for init_go(); ends if there is no recorder any more. */
void init_await_go(int control);
/* The command, forked into no further namespaces: 0 in the child; fails with step. */
pid_t init_fork(int control, uint32_t step);
/* Reaps all there is, tells the command's end, and ends. */
_Noreturn void init_reap(int control, pid_t command);

#endif
