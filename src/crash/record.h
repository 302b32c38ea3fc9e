/* SPDX-License-Identifier: MIT */
/*
 * record.h - runs a program on a copy of its directory, and records what it did to it.
 *
 * The program sees its directory at the same path; what is there is a copy, which is gone
 * afterwards. The directory itself is only read, and must not change meanwhile: it is the
 * base of the trace. Three recorders, best first:
 *
 *	fuse     an own FUSE server over the directory, in a mount namespace (root) or a user
 *	         and mount namespace (everybody): every system call, O_DIRECT, io_uring, mmap
 *	seccomp  the system calls of an unprivileged program; neither io_uring nor mmap
 *	ring     a program on sluice's ring: its own ring says what it did
 *
 * The program runs until it and all that it started have ended, daemons too, or a limit is
 * reached; then what is left of it is killed. Whatever happens (a signal, the death of the
 * caller too) no process, no mount, and but for kill -9 no directory remains.
 *
 * What is an acknowledgement (CRASH_ACK): each line on standard output, each line written to
 * DIR/.sluice/ack, and sl_crash_ack(). Its place in the trace is the moment in which the
 * program wrote the line's end: never earlier; later only if something between (a pipe of
 * the program's own) held it. DIR/.sluice is no part of the state.
 */
#ifndef SLUICE_CRASH_RECORD_H
#define SLUICE_CRASH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/fault.h"
#include "crash/trace.h"

#define CRASH_MAGIC_DIR	   ".sluice"
#define CRASH_MAGIC_ACK	   ".sluice/ack"
#define CRASH_ACK_VARIABLE "SLUICE_CRASH_ACK" /* the absolute path of DIR/.sluice/ack */
#define CRASH_ACK_MAX	   4096 /* bytes of one line; the rest is dropped, with a note */

/* Zero is the default of everything but argv. Everything is borrowed. */
struct crash_record_opts {
	const char *dir;	    /* the program's data; NULL: "." */
	char *const *argv;	    /* NULL-terminated; the command is looked up in $PATH */
	const char *recorder;	    /* "fuse", "seccomp", "ring"; NULL: the best that works here */
	const char *scratch_dir;    /* where the copy is made; NULL: $TMPDIR, else /var/tmp */
	uint64_t bytes_max;	    /* of the copy, then the program sees ENOSPC; 0: 8 GiB */
	int64_t timeout_ns;	    /* of the recording; 0: 10 minutes, < 0: none */
	struct crash_fault *faults; /* their counters go on */
	uint32_t nr_faults;
	bool stdout_plain; /* standard output is no acknowledgement, and the caller's own */
	bool stdout_quiet; /* what it writes there is not passed on to the caller's */
	bool spread; /* the command may use all processors; else "fuse" keeps to one with it */
	const char *const *ignore; /* globs of paths below dir that are left out of the trace */
	uint32_t nr_ignore;
	/* Looked at ten times a second at least; non-zero ends the recording: -ECANCELED. A signal
	 * handler may set it. */
	const volatile int *stop;
};

enum crash_limit {
	CRASH_LIMIT_BYTES = 1 << 0, /* the copy was full: the program has seen ENOSPC */
	CRASH_LIMIT_TRACE = 1 << 1, /* the trace was full: the program was killed there */
	CRASH_LIMIT_TIME = 1 << 2,  /* it did not end in time: killed */
	CRASH_LIMIT_TREE = 1 << 3,  /* too many files: the program has seen ENOSPC */
};

struct crash_record_report {
	const char *recorder; /* that did it; NULL: none could. Never freed */
	int status;	      /* of the command, as wait(2) gives it; -1: it was still running */
	uint32_t limits;      /* enum crash_limit */
	uint64_t nr_acks;
	char unreadable[4096]; /* of -EACCES: what may not be read, below dir; or "" */
	char why[1024];	  /* why the recorders that were tried before, or all, could not: lines */
	char notes[4096]; /* what the reader of the trace should know: lines; in the trace too */
};

/**
 * crash_record() - run a program and append what it does to a trace.
 * @opts: borrowed.
 * @trace: new and empty.
 * @ret_report: filled in on failure too.
 *
 * That the program fails or is killed is no failure of the recording. Blocks signals for no
 * longer than it needs to fork; the caller's handlers should set *opts->stop.
 *
 * Context: the thread that calls must live until it returns. Other threads may run.
 * Return: 0. -EPERM: no recorder may work here, why says what is missing. -ENOENT: no such
 *   directory or command, -ENOTDIR, -EACCES (of the command, or of what unreadable names);
 *   -EINVAL: unknown recorder, scratch below dir.
 *   -ECANCELED: *opts->stop. Else -errno of the scratch copy or of the trace; the trace then
 *   ends where the error was.
 */
int crash_record(const struct crash_record_opts *opts, struct crash_trace *trace,
		 struct crash_record_report *ret_report);

/* One recorder each, behind crash_record(); the same contract, but -EPERM, -ENOSYS and
 * -EOPNOTSUPP mean that it cannot work here: why (a line is appended) says what is missing,
 * the trace is as it was, and the next one is tried. */
int crash_record_fuse(const struct crash_record_opts *opts, struct crash_trace *trace,
		      struct crash_record_report *ret_report);

int crash_record_seccomp(const struct crash_record_opts *opts, struct crash_trace *trace,
			 struct crash_record_report *ret_report);
int crash_record_ring(const struct crash_record_opts *opts, struct crash_trace *trace,
		      struct crash_record_report *ret_report);

/* Appends a line to why or to notes, and to the trace as CRASH_NOTE if one is given. */
void crash_record_why(struct crash_record_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void crash_record_note(struct crash_record_report *report, struct crash_trace *trace,
		       const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
