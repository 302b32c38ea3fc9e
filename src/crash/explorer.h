/* SPDX-License-Identifier: MIT */
/*
 * explorer.h - one exploration under way: what explore.c, explain.c, mutate.c and recover.c share.
 *
 *	explorer_offer()  a state into the next free lane, unless it was seen
 *	explorer_settle() every lane's verdict is known
 *	explorer_test()   a state's verdict at once: remembered, or by a run
 */
#ifndef SLUICE_CRASH_EXPLORER_H
#define SLUICE_CRASH_EXPLORER_H

#include "crash/check.h"
#include "crash/explore.h"
#include "crash/maker.h"
#include "crash/words.h"

#define LANES_MAX    16
#define TIMEOUTS_MAX 20
#define RAW_MAX	     4096 /* failing states that are remembered, the others are counted */

/* A failing state. */
struct raw {
	uint64_t order; /* in which it was made: answers come in any */
	struct spec spec;
};

/* A place, and the checker that looks at it. */
struct lane {
	struct place *place;
	struct checker *checker;
	struct spec spec;
	uint64_t slot; /* in seen */
	uint64_t lone; /* in failures; 0: no one op alone */
	uint64_t order;
};

enum seen_verdict {
	SEEN_PENDING = 1,
	SEEN_FINE,
	SEEN_FAILED
};

/* States by hash, with what their check said. Open addressing; never shrinks. */
struct seen {
	uint64_t (*keys)[2];
	uint8_t *verdicts; /* 0: free */
	uint64_t mask, nr;
};

struct explorer {
	const struct crash_trace *trace;
	const char *base_dir;
	struct crash_explore_opts opts; /* defaults filled in */
	const struct model_profile *profile;
	struct crash_result *result;
	struct maker maker;
	struct acks acks;
	bool acks_are_fixed; /* those of the state whose recovery is explored */
	const char *outer_id;
	struct crash_words *words;
	struct lane lanes[LANES_MAX];
	uint32_t lanes_nr;
	char scratch[4096]; /* directory of ours; "" none */
	struct seen seen;

	struct raw *raw; /* failing states, in the order in which answers came */
	size_t raw_nr, raw_room;

	uint64_t first; /* point: the directory as it was */
	uint64_t last;
	uint8_t *interesting; /* of each point */
	uint32_t *elements;   /* at each interesting point */
	uint32_t *fresh;      /* of the op before each point */
	/* Of states that have lost each op alone, then of those that have kept it alone: after a
	 * few it is left alone. */
	uint8_t *failures;
	unsigned timeouts; /* of the checker; after some, it is given up */

	uint64_t start_ns, progress_ns;
	uint64_t until_ns; /* the end of this phase; 0: none */
	const char *phase;
	uint64_t phase_done, phase_total;
	int error; /* of a lane: ends everything */
};

/* ---- explorer.c ---- */

int explorer_init(struct explorer *explorer, const struct crash_trace *trace, const char *base_dir,
		  const struct crash_explore_opts *opts, struct crash_result *result);
void explorer_fini(struct explorer *explorer);

uint64_t explorer_acks(const struct explorer *explorer, uint64_t point);
bool explorer_may_go_on(struct explorer *explorer);
/* Of the time alone, of this phase: explaining has states of its own. */
bool explorer_has_time(struct explorer *explorer);
/* A phase ends when so many hundredths of the budget of time are over. */
void explorer_share_time(struct explorer *explorer, unsigned hundredths);
void explorer_tell_progress(struct explorer *explorer);

/* 0, also for a state that was seen or does not exist. */
int explorer_offer(struct explorer *explorer, const struct spec *spec);
int explorer_settle(struct explorer *explorer);
/* The state that the maker built, with so many acks. ret_verdict (NULL: not wanted): it runs
 * whatever is remembered, and by a fresh process. */
int explorer_test(struct explorer *explorer, uint64_t acks_nr, bool *ret_failed,
		  struct check_verdict *ret_verdict);

/* spec_id() with the numbers that people see. */
const char *explorer_id(const struct explorer *explorer, const struct spec *spec, char *buf,
			size_t bytes);

/* A sentence for the result; or what an error is. Return err. */
void explorer_note(struct explorer *explorer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int explorer_fail(struct explorer *explorer, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- passes.c: the classes ---- */

int explore_count(struct explorer *explorer);
int explore_classes(struct explorer *explorer);

/* ---- explain.c ---- */

int explain_all(struct explorer *explorer);

/* ---- mutate.c ---- */

bool is_sync_op(const struct crash_op *op);
int mutate_all(struct explorer *explorer);

/* ---- recover.c ---- */

int recover_all(struct explorer *explorer);

#endif
