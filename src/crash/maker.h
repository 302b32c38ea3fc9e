/* SPDX-License-Identifier: MIT */
/* maker.h - makes the state of a spec: goes to its point, chooses, builds the tree. */
#ifndef SLUICE_CRASH_MAKER_H
#define SLUICE_CRASH_MAKER_H

#include "crash/materialise.h"
#include "crash/spec.h"
#include "crash/state.h"

struct maker {
	struct replay *replay;
	struct view view;
	struct crash_state state;
	const char *const *ignore;
	bool is_viewed; /* view is of the replay as it stands */
};

/* Everything is zero before. The answers of replay_create(). */
int maker_init(struct maker *maker, const struct replay_opts *opts, const char *const *ignore);
void maker_fini(struct maker *maker);

/* The volume at a point, with a sync dropped (0: none); earlier points begin again. */
int maker_seek(struct maker *maker, uint64_t dropped, uint64_t point);
/* What is chosen in the volume now, as a state. */
int maker_build(struct maker *maker, bool garbage);
/* All of it. -ERANGE: there is no such state. */
int maker_make(struct maker *maker, const struct spec *spec);

static inline struct model_volume *maker_volume(const struct maker *maker)
{
	return maker->replay->volume;
}

#endif
