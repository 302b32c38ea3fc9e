/* SPDX-License-Identifier: MIT */
/*
 * loss.h - what a state has lost, element by element, and the smallest part of it that still fails.
 */
#ifndef SLUICE_CRASH_LOSS_H
#define SLUICE_CRASH_LOSS_H

#include "crash/explorer.h"

/* An unsynced op or sector. */
struct element {
	uint64_t number; /* at the point */
	uint64_t seq;	 /* of the trace's op */
	uint8_t kind;	 /* enum model_kind */
	uint8_t sector;	 /* of DATA: within its page */
	bool lost;
};

/* All that is unsynced at a point, oldest first. */
struct loss {
	struct element *elements;
	size_t nr;
	uint64_t *numbers; /* room for nr */
	uint64_t point;
	uint64_t acks_nr;
	unsigned tests_left;
};

/* Of what is chosen in the maker's volume now. -ENOMEM. */
int loss_make(struct loss *loss, struct explorer *explorer, uint64_t point);
void loss_release(struct loss *loss);

/* How many elements are lost, and whether of an op all that is unsynced is. */
size_t loss_nr(const struct loss *loss);
bool loss_is_whole(const struct loss *loss, uint64_t seq);
uint64_t loss_last_seq(const struct loss *loss);

/* Whether the state fails that has lost what is marked, and all of the ops after cut, and saw so
 * many acks. Builds it. */
int loss_test(struct loss *loss, struct explorer *explorer, uint64_t cut, uint64_t acks_nr,
	      bool *ret_failed);

/* Marks as few as possible of what is marked so that it still fails; by whole ops where
 * that does. It fails as it is. Gives up where it takes too many runs. */
int loss_shrink(struct loss *loss, struct explorer *explorer);

#endif
