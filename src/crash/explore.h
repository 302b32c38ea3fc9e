/* SPDX-License-Identifier: MIT */
/*
 * explore.h - the states that a crash could leave of a traced program, each one checked.
 *
 *	trace --replay--> a volume at each point --choose--> a legal state
 *	      --hash: seen?--> --materialise--> a directory --check--> fine, or a failure
 *	      --explain--> the smallest loss that fails, why it is legal, the sync that is missing
 *
 * A point is the seq of a trace's op: the power is cut after that op ended and before
 * the next one did. States are tried in the order of enum crash_class, each class at
 * every point that is interesting (before and after each sync and each ack, and
 * the end; CRASH_PREFIX at every op), until a budget is used up. Two states with the
 * same content and the same acks are one.
 *
 * DIR is read where the trace's ops need bytes of it, and never written. The checker runs in
 * processes of its own, led by a server that was forked before anything large was
 * loaded: whatever it does (crash, hang, leave processes), it is one state's verdict.
 */
#ifndef SLUICE_CRASH_EXPLORE_H
#define SLUICE_CRASH_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash/trace.h"

/* Cheapest first. */
enum crash_class {
	CRASH_PREFIX,  /* what kill -9 shows after each op, and within it sector by sector */
	CRASH_OMIT1,   /* all but one unsynced op or sector (and what cannot be without it) */
	CRASH_MIN,     /* only what was made durable */
	CRASH_ONLY1,   /* ... and one more op or sector (with what it requires) */
	CRASH_PAIR,    /* all but two */
	CRASH_RANDOM,  /* by a seed */
	CRASH_GARBAGE, /* posix alone: a size without its data, which reads as garbage */
	CRASH_LOST,    /* ids alone: all but those named; what explaining ends with */
	CRASH_CLASSES
};

/* "prefix", ...; and back: CRASH_CLASSES when there is none of this name. */
const char *crash_class_name(enum crash_class class);
enum crash_class crash_class_find(const char *name);

/*
 * An id says how to make a state from the trace and DIR, and needs no table:
 *
 *	PROFILE-POINT-CLASS[-NUMBER...]		ext4-57-omit1-3, posix-60-pair-2-9, btrfs-8-min
 *	PROFILE~SYNC-POINT-...			the same, had op SYNC made nothing durable
 *	ID:POINT-CLASS[-NUMBER...]		a second crash, in the checker's recovery of ID
 *
 * POINT and SYNC are numbers of ops, 1 being the first that the program did (crash_words_number());
 * POINT 0 is the directory as it was. A further number is that of an unsynced op or sector at the
 *point, counted from the oldest on; for random it is the seed; for prefix, how many survive.
 */
#define CRASH_ID_MAX 2048

struct crash_progress {
	const char *phase; /* "explore", "explain", "recover", "mutate" */
	uint64_t done;	   /* distinct states checked in all; of mutate: syncs judged */
	uint64_t total;	   /* the most it can become; 0: not known */
	uint64_t failed;
	uint64_t elapsed_ns;
};

struct crash_explore_opts {
	const char *profile; /* "posix" (NULL), "ext4", "xfs", "btrfs" */
	unsigned classes;    /* bits 1 << enum crash_class; 0: all that the profile knows */

	/* Exactly one of them. */
	const char *check; /* a command for sh -c; see crash_explore() */
	/* "lib.so:function": int function(const char *dir, const char *acks) */
	const char *check_so;

	uint64_t timeout_ns;  /* for one run of the checker; 0: 10 s */
	uint64_t states_max;  /* distinct states to check; 0: 10000 */
	uint64_t time_ns;     /* ... and how long; 0: as long as it takes */
	uint32_t jobs;	      /* checkers at once; 0: one a processor, at most 16 */
	uint64_t bytes_max;   /* of contents in memory, the rest is in $TMPDIR; 0: 1 GiB */
	uint32_t failing_max; /* failures told in full, the others are counted; 0: 20 */

	bool no_explain; /* failures keep the id they were found by; lost is all that was lost */
	bool recover;	 /* crash the checker's own recovery too; with check_so needs recorder */
	bool mutate;	 /* drop each sync in turn */

	const char *keep;    /* a directory that gets a directory for each failure; or NULL */
	const char *scratch; /* for states; NULL: a tmpfs with room, else $TMPDIR or /var/tmp */
	const char *const *ignore; /* globs of paths that are no part of a state; NULL ends it */
	/* Of recover: argv of what does as the checker would to $SLUICE_STATE, with $SLUICE_ACKS;
	 * NULL: sh -c with check. */
	const char *const *recorder;

	/* A few times a second. */
	void (*progress)(const struct crash_progress *progress, void *ctx);
	void *ctx;
	const volatile int *stop; /* not 0: stop soon, leave nothing behind, say what is known */
};

struct crash_failure {
	char *id;		/* of the state as it is told: the smallest that still fails */
	char *found_id;		/* of the state that was found first */
	enum crash_class class; /* that it was found in */
	uint64_t point;		/* seq of the op after which the power was cut; 0: before all */
	char **lost;		/* in words, oldest first: "unlink /db-journal (op 57, pid 12)" */
	uint64_t *lost_ops;	/* their seqs */
	size_t lost_nr;
	char **faults; /* injected ones that had struck by then, in words, oldest first */
	size_t faults_nr;
	char *why_legal;      /* the rule, and what was measured */
	char *missing_sync;   /* "fsync of / before the ack of op 58"; NULL: none would help */
	uint64_t before_op;   /* ... whose seq this is; 0: none */
	char *checker_output; /* its first bytes, stdout and stderr */
	char *verdict;	      /* "exit 1", "killed by SIGSEGV", "no answer within 10 s" */
	char *dir;	      /* where it is kept, or NULL */
	uint64_t states;      /* how many failing states are told by this one */
};

/* What dropping one sync showed. */
struct crash_verdict {
	uint64_t op;
	char *words;	  /* "fsync of /db (op 12, pid 4)" */
	bool necessary;	  /* else: redundant, or untested */
	bool judged;	  /* false: the budget or the user ended it before */
	char *failing_id; /* of a state that fails without it, or NULL */
	uint64_t states;  /* tried for it */
};

struct crash_result {
	uint64_t points;   /* interesting ones */
	uint64_t acks;	   /* in the trace; without any, durability cannot be checked */
	uint64_t states;   /* legal states made */
	uint64_t distinct; /* of them checked */
	uint64_t failed;   /* of them failing */
	uint64_t elapsed_ns;
	uint64_t recovered; /* states in whose recovery crashes were tried */
	bool complete; /* all states of the classes asked for were made, pairs and random apart */
	bool stopped;  /* by the stop flag */
	struct crash_failure *failing;
	size_t failing_nr;
	struct crash_verdict *syncs; /* with mutate */
	size_t syncs_nr;
	char **notes; /* what limits the answer, a sentence each */
	size_t notes_nr;
	char error[512]; /* of a negative answer: what, why, what to try */
};

/*
 * Explores. trace must not be appended to meanwhile; base_dir is what the program's
 * directory was when it began. Forks: call it before making threads.
 *
 * A check command runs by sh -c in the state's directory, its path also in
 * $SLUICE_STATE; the acks so far are on standard input and in the file $SLUICE_ACKS, a
 * line each. Exit 0: fine. Anything else, a signal or no exit in time: a failure. Its
 * process group is killed then, and whatever else descends from it.
 *
 * A check_so function answers 0 for fine, in a process that calls it for many
 * states in turn; a failure is one only after a fresh process said so too.
 *
 * 0: explored, see ret_result (release it whatever was answered); -EINVAL: opts; -ENOENT:
 * no such checker; -EFBIG: more content than bytes_max and $TMPDIR hold; -EILSEQ: the trace and
 * base_dir do not fit; or -errno of scratch. ret_result->error tells more.
 */
int crash_explore(const struct crash_trace *trace, const char *base_dir,
		  const struct crash_explore_opts *opts, struct crash_result *ret_result);
void crash_result_release(struct crash_result *result);
/* What one failure holds, not itself. */
void crash_failure_release(struct crash_failure *failure);

/*
 * Makes the state of an id in dir, which must not exist or be empty, and writes the
 * acks to acks_path (NULL: nowhere). For a second crash, keep is the directory that was
 * given as opts.keep: the trace of the recovery is there.
 * -EINVAL: no id; -ERANGE: no such point or number in this trace; -ENOTEMPTY.
 */
int crash_replay(const struct crash_trace *trace, const char *base_dir, const char *id,
		 const char *keep, const char *dir, const char *acks_path);

#endif
