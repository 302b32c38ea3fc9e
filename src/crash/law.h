/* SPDX-License-Identifier: MIT */
/* law.h - why a profile lets a kind of op be lost, and what was measured: sentences for people. */
#ifndef SLUICE_CRASH_LAW_H
#define SLUICE_CRASH_LAW_H

#include "crash/trace.h"
#include "model/profile.h"

struct law_case {
	const struct crash_op *op;
	bool torn;	 /* a part of its sectors is lost */
	bool is_size;	 /* its size alone is, not its data */
	bool is_data;	 /* its data alone is, not its size */
	bool later_kept; /* something that was done after it survives */
};

/* The rule, then the row of what real file systems were seen to leave. */
const char *law_of(const struct model_profile *profile, const struct law_case *law_case);
/* ... where nothing needs to be lost. */
const char *law_of_prefix(void);
const char *law_of_garbage(void);
/* ... and nothing was done yet. */
const char *law_of_base(void);
/* ... after an injected fault, of which op is the trace. */
const char *law_of_fault(const struct crash_op *op);

#endif
