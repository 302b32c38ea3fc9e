/* trial.h: one scene on one kind of file system: what a power cut leaves of it, and what the
 * profile allows. */
#ifndef SLUICE_TOOLS_CRASH_TRIAL_H
#define SLUICE_TOOLS_CRASH_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/crash/scene.h"

#define TRIAL_STATES	  4
#define TRIAL_OPTIONS_MAX 255

struct trial {
	const char *area; /* a directory of its own, with base/disk, an image of the file system,
			     and mounted/ */
	const char *fs;
	const char *options; /* of mount; "": the default ones */
	const struct scene *scene;

	/* what comes of it */
	char seen[TRIAL_STATES][SCENE_SEEN]; /* of the kernel; the first is the least. "!": it
						cannot be mounted */
	size_t nr_seen;
	struct scene_answer allowed;
	bool differs; /* something was seen that is not allowed */
	bool kinder;  /* no, but the least that is allowed is less than what was seen */
};

/* 0, or -errno after what the recorder lacks was said; -ECANCELED by a signal. */
int trial_run(struct trial *trial);

/* The copy of this command that plays under the recorder is told so by the environment: true, and
 * an exit code. */
bool trial_is_player(int *ret_exit);

void trial_remove_tree(const char *path);

#endif
