/* The puzzle: what can an aligned 4096-byte O_DIRECT read return, other than 0 and 4096? */
#ifndef PROBE_CHALLENGE_H
#define PROBE_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

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
 * struct challenge - the answers, and what could not be tried with the reason.
 */
struct challenge {
	size_t nr;
	struct answer v[CHALLENGE_MAX];
	size_t missing_nr;
	char missing[8][160];
};

/* Try all this machine can; at most a few seconds. Leaves nothing behind, even when killed. */
void challenge_run(struct challenge *challenge, const struct place *place);

#endif
