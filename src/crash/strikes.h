/* SPDX-License-Identifier: MIT */
/* strikes.h - injected faults that had struck before a power cut: a failure's part of its story. */
#ifndef SLUICE_CRASH_STRIKES_H
#define SLUICE_CRASH_STRIKES_H

#include "crash/explorer.h"

/* Those up to the failure's point, in words. -ENOMEM. */
int strikes_list(const struct explorer *explorer, struct crash_failure *failure);
/* Why a state may be in which nothing is lost. */
const char *strikes_law(const struct crash_trace *trace, uint64_t point);

#endif
