/* SPDX-License-Identifier: MIT */
/* offspring.h - kills all that a process has started, and what that has. */
#ifndef SLUICE_CRASH_OFFSPRING_H
#define SLUICE_CRASH_OFFSPRING_H

/* Kills and reaps until no child is left. The caller is a subreaper (prctl(2)): the children of
 * those that die become its own. */
void offspring_end(void);

#endif
