/* SPDX-License-Identifier: MIT */
/*
 * materialise.h - a state as a directory: made anew, or out of the one that was there before.
 *
 * A place is a directory in which one state after the other is made. What was made is
 * remembered, page by page, and only what differs is written. That holds as long as nobody
 * else changes it: every change is watched for by inotify (changes through mappings
 * too: a file that was open for writing is reported when it is closed), and one seen, or
 * a watch that cannot be had, means that the next state is made from nothing.
 */
#ifndef SLUICE_CRASH_MATERIALISE_H
#define SLUICE_CRASH_MATERIALISE_H

#include "crash/state.h"

struct place;

/* The acks of a trace, one a line; those so far are a beginning of text. */
struct acks {
	char *text;
	uint64_t *ends; /* of the first nr + 1 */
	uint64_t *seqs; /* of the acks */
	uint64_t nr;
};

int acks_read(struct acks *acks, const struct crash_trace *trace);
void acks_release(struct acks *acks);
/* How many have seq at most `seq`. */
uint64_t acks_until(const struct acks *acks, uint64_t seq);

/* A new directory parent/name for states, as parent/name/state, and the file parent/name/acks. */
int place_create(const char *parent, const char *name, struct place **ret_place);
/* A state in a directory that is empty and stays; nothing is watched. acks_path: NULL: none. */
int place_create_at(const char *dir, const char *acks_path, struct place **ret_place);
/* Removes what place_create() made, with all that is in it. */
void place_destroy(struct place *place);

const char *place_dir(const struct place *place);
const char *place_acks(const struct place *place);

/* Makes the state that is built, and the first acks_nr acks. After an error nothing is
 * known of the place, and it can be used on. ignore: of still files too. */
int place_make(struct place *place, const struct crash_state *state, struct view *view,
	       const struct acks *acks, uint64_t acks_nr, const char *const *ignore);
/* The next state is made from nothing. */
void place_forget(struct place *place);
/* How often states were made from nothing, and how many bytes were written: for benchmarks. */
uint64_t place_fresh_nr(const struct place *place);

/* Removes a directory and all below it; 0 if it is not there. */
int remove_tree(const char *path);

#endif
