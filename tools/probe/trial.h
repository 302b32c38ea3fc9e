/* Trials of ring operations: a table of steps, run one after the other. */
#ifndef PROBE_TRIAL_H
#define PROBE_TRIAL_H

#include "tools/probe/ringbox.h"
#include "tools/probe/topics.h"

/**
 * struct trial_env - what a step may use.
 * @probe: the run.
 * @box: an open ring, fresh for each step.
 * @file: a scratch file, on the place probed where that can be written, else in memory.
 */
struct trial_env {
	struct probe *probe;
	struct ringbox *box;
	int file;
};

/**
 * struct trial - one operation or registration.
 * @id: check id.
 * @title: check title.
 * @since: first Linux release that has it.
 * @step: tries it; >= 0 worked, else -errno. It may say more, or set the status itself.
 */
struct trial {
	const char *id;
	const char *title;
	const char *since;
	int64_t (*step)(struct trial_env *env, struct check *check);
};

extern const struct trial trial_file_ops[];	 /* ring_file.c; ends with a NULL id */
extern const struct trial trial_core_ops[];	 /* ring_core.c */
extern const struct trial trial_net_ops[];	 /* ring_net.c */
extern const struct trial trial_registrations[]; /* ring_register.c */

#endif
