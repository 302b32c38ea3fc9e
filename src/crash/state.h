/* SPDX-License-Identifier: MIT */
/*
 * state.h - one state that a crash may leave: the tree of what is chosen, and a hash of all of it.
 *
 * Two states with the same hash have the same names, kinds, permissions, contents and hard
 * links. Nothing is written to make one: bytes are read through the view when they are
 * wanted. Valid until the choice, the view or the volume changes.
 */
#ifndef SLUICE_CRASH_STATE_H
#define SLUICE_CRASH_STATE_H

#include "crash/view.h"

#define STATE_NONE UINT32_MAX

struct state_entry {
	uint32_t path; /* in text: "a/f"; the root's is "" */
	uint32_t path_len;
	uint32_t first; /* the first entry of the same file: hard links */
	uint32_t links; /* how many entries it has; of the first */
	uint32_t mode;
	struct model_inode *inode;
	uint64_t size;
	uint64_t content; /* a hash */
};

struct crash_state {
	struct state_entry *entries; /* a directory before what is in it */
	uint32_t nr, room;
	char *text;
	uint32_t text_nr, text_room;
	uint64_t pass;
	uint64_t hash[2];
	bool cut; /* something lay too deep to be made */
};

/* ignore: globs of paths that are left out, NULL ends it; or NULL. -ENOMEM. */
int state_make(struct crash_state *state, struct view *view, const char *const *ignore);
void state_release(struct crash_state *state);

static inline const char *state_path(const struct crash_state *state,
				     const struct state_entry *entry)
{
	return state->text + entry->path;
}

/* Whether a path, or a directory above it, matches one of the globs. */
bool state_ignores(const char *const *ignore, const char *path);

#endif
