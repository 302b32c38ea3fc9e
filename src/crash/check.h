/* SPDX-License-Identifier: MIT */
/*
 * check.h - the user's checker, run on one state after the other by a server of its own.
 *
 * The server is a small process, forked early. It runs the command anew for each state, or
 * keeps one process that calls the function of a shared object for many. It sees that a run
 * ends in time, and that nothing of it remains: its process group is killed, and so is
 * what left the group, since orphans become children of the server (prctl(2),
 * PR_SET_CHILD_SUBREAPER). When its client goes away it kills what runs and removes the place.
 */
#ifndef SLUICE_CRASH_CHECK_H
#define SLUICE_CRASH_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_OUTPUT_MAX 4096

struct checker_opts {
	const char *check; /* for sh -c, or */
	const char *check_so;
	uint64_t timeout_ns;
	const char *dir;  /* of every state */
	const char *acks; /* the file */
	const char *top;  /* removed with the server if the client dies; NULL: nothing is */
};

enum check_kind {
	CHECK_FINE,
	CHECK_EXIT,   /* status: its exit status, or what the function answered */
	CHECK_SIGNAL, /* status: the signal */
	CHECK_TIMEOUT,
	CHECK_BROKEN, /* it could not be run; status: -errno, output: why */
};

struct check_verdict {
	int kind; /* enum check_kind */
	int status;
	bool worn; /* by a process that has called the function before */
	uint32_t output_len;
	char output[CHECK_OUTPUT_MAX + 1]; /* the first bytes; ends in 0 */
};

struct checker;

/* 0; -ENOENT, why in ret_why: the shared object or its function is not there; -errno. */
int checker_create(const struct checker_opts *opts, struct checker **ret_checker, char *ret_why,
		   size_t why_bytes);
void checker_destroy(struct checker *checker);

/* Begins a run on what dir holds now; fresh: by a process that called the function never. */
int checker_start(struct checker *checker, bool fresh);
bool checker_is_running(const struct checker *checker);
/* Readable when the run is over. */
int checker_fd(const struct checker *checker);
/* Waits for the end of the run. */
int checker_answer(struct checker *checker, struct check_verdict *ret_verdict);

/* "exit 1", "killed by SIGSEGV", "no answer within 10 s". */
const char *check_words(const struct check_verdict *verdict, uint64_t timeout_ns, char *buf,
			size_t bytes);

/* In check_server.c: serves requests on a socket until it is closed, and exits. */
void check_serve(const struct checker_opts *opts, int socket_fd) __attribute__((noreturn));

#endif
