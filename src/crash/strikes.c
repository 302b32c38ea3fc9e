/* SPDX-License-Identifier: MIT */
/* strikes.c - the faults among a trace's ops; see strikes.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/fault.h"
#include "crash/law.h"
#include "crash/strikes.h"

#define LISTED_MAX 8 /* further ones are counted */
#define LINE_BYTES 4600

static uint64_t count(const struct crash_trace *trace, uint64_t point)
{
	uint64_t nr = 0;

	for (uint64_t i = 0; i < point; i++)
		nr += !!(crash_trace_op(trace, i)->flags & CRASH_FAULT);
	return nr;
}

static int add(struct crash_failure *failure, char *line)
{
	if (!line)
		return -ENOMEM;
	failure->faults[failure->faults_nr++] = line;
	return 0;
}

int strikes_list(const struct explorer *explorer, struct crash_failure *failure)
{
	uint64_t nr = count(explorer->trace, failure->point), left = LISTED_MAX;
	char line[LINE_BYTES], *more;
	int err = 0;

	failure->faults = calloc(LISTED_MAX + 1, sizeof(char *));
	if (!failure->faults)
		return -ENOMEM;
	for (uint64_t i = 0; i < failure->point && left && !err; i++) {
		if (!(crash_trace_op(explorer->trace, i)->flags & CRASH_FAULT))
			continue;
		crash_words_of(explorer->words, i + 1, line, sizeof(line));
		err = add(failure, strdup(line));
		left--;
	}
	if (!err && nr > LISTED_MAX) {
		if (asprintf(&more, "and %" PRIu64 " more", nr - LISTED_MAX) < 0)
			more = NULL;
		err = add(failure, more);
	}
	return err;
}

/* A failed sync explains most: the program may have heard of nothing. Else the last one does. */
const char *strikes_law(const struct crash_trace *trace, uint64_t point)
{
	const struct crash_op *struck = NULL;

	for (uint64_t i = 0; i < point; i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		if (!(op->flags & CRASH_FAULT))
			continue;
		struck = op;
		if (op->code == CRASH_SYNC || op->code == CRASH_SYNC_ALL)
			break;
	}
	return struck ? law_of_fault(struck) : law_of_prefix();
}
