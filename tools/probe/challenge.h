/* The puzzle: what can an aligned 4096-byte O_DIRECT read return, other than 0 and 4096? */
#ifndef PROBE_CHALLENGE_H
#define PROBE_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tools/probe/place.h"

#define CHALLENGE_MAX 48

/**
 * struct answer - one way to get a value, or a way that is known to give none.
 * @produced: it was made to happen here, and @returned is what read(2) returned.
 * @returned: bytes; meaningless unless @produced.
 * @values: what can come back this way, in words: "100", "any of 1 to 4095", "none".
 * @how: the steps.
 * @why: the mechanism.
 * @file_system: where.
 */
struct answer {
	bool produced;
	long returned;
	char values[64];
	char how[224];
	char why[288];
	char file_system[48];
};

/**
 * struct challenge - the answers; what could not be tried, with the reason; and what was tried in
 * vain: it is a matter of chance.
 */
struct challenge {
	size_t nr;
	struct answer v[CHALLENGE_MAX];
	size_t missing_nr;
	char missing[8][160];
	size_t unseen_nr;
	char unseen[12][160];
};

/* Note what a read returned here. */
void challenge_produced(struct challenge *challenge, const char *file_system, long returned,
			const char *how, const char *why);

/* Note what is known from the kernel's source. */
void challenge_known(struct challenge *challenge, const char *file_system, const char *values,
		     const char *how, const char *why);

/* Note what could not be tried, and why. */
void challenge_missing(struct challenge *challenge, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Note what was tried and did not happen this time. */
void challenge_unseen(struct challenge *challenge, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Let a thread truncate a file to short_size and to two blocks in turn while the second block
 * is read: fd and direct are two descriptions of a scratch file. Notes the first new value seen.
 */
void challenge_race(struct challenge *challenge, const char *fs, int fd, int direct,
		    off_t short_size);

/* Try all this machine can; at most a few seconds. Leaves nothing behind, even when killed. */
void challenge_run(struct challenge *challenge, const struct place *place);

#endif
