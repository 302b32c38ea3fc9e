/* SPDX-License-Identifier: MIT */
/*
 * passes.c - the states of each class, one class after the other, within what is left of a budget.
 *
 * A class is a list of candidates: so many at each point. If they are more than its
 * share of the budget, evenly spaced ones are tried, so that no part of the trace is
 * left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "crash/explorer.h"
#include "crash/fault.h"
#include "crash/unnamed.h"

#define RANDOM_LEAST 8
#define RANDOM_MOST  256

/* A prefix that ends within an op is a pass of its own, after those that do not. */
enum {
	TORN_PREFIX = CRASH_CLASSES,
	PASSES
};

bool is_sync_op(const struct crash_op *op)
{
	return op->code == CRASH_SYNC || op->code == CRASH_SYNC_ALL ||
	       (op->code == CRASH_WRITE && op->flags & CRASH_DSYNC && !crash_fault_is_rot(op));
}

/* ---- counting ----------------------------------------------------------------------- */

static void find_points(struct explorer *explorer)
{
	for (uint64_t point = explorer->first + 1; point <= explorer->last; point++) {
		const struct crash_op *op = crash_trace_op(explorer->trace, point - 1);

		if (is_sync_op(op) || op->code == CRASH_ACK || op->flags & CRASH_FAULT)
			explorer->interesting[point - 1] = explorer->interesting[point] = 1;
	}
	explorer->interesting[explorer->last] = 1;
}

/* Elements that the last op played has added. */
static uint32_t count_fresh(const struct replay *replay)
{
	struct model_volume *volume = replay->volume;
	const struct model_op *op;
	uint32_t nr = 0;

	TAILQ_FOREACH_REVERSE(op, &volume->ops, model_ops, all)
	{
		if (replay->at && op->seq <= replay->seqs[replay->at - 1])
			break;
		if (op->kind != MODEL_DATA || volume->opts.sector == MODEL_PAGE_BYTES)
			nr++;
		else
			nr += (uint32_t)__builtin_popcount(op->sectors);
	}
	return nr;
}

static int tell_replay_error(struct explorer *explorer, int err)
{
	if (err == -EFBIG)
		return explorer_fail(explorer, err,
				     "the program's files take more than %llu MiB of memory, "
				     "and %s has no room for the rest; give more memory "
				     "(--memory), let TMPDIR name a larger disk, or leave files "
				     "out (--ignore)",
				     (unsigned long long)(explorer->opts.bytes_max >> 20),
				     crash_unnamed_dir());
	if (err == -EILSEQ)
		return explorer_fail(explorer, err,
				     "%s is not the directory that the trace was recorded from, or "
				     "has changed since",
				     explorer->base_dir);
	return explorer_fail(explorer, err, "the trace cannot be played: error %d", -err);
}

int explore_count(struct explorer *explorer)
{
	uint64_t nr = crash_trace_nr(explorer->trace) + 1;
	int err = 0;

	explorer->first = crash_base_nr(explorer->trace);
	explorer->last = nr - 1;
	explorer->interesting = calloc(nr, 1);
	explorer->elements = calloc(nr, sizeof(uint32_t));
	explorer->fresh = calloc(nr, sizeof(uint32_t));
	explorer->failures = calloc(nr, 2);
	if (!explorer->interesting || !explorer->elements || !explorer->fresh ||
	    !explorer->failures)
		return -ENOMEM;
	find_points(explorer);
	for (uint64_t point = explorer->first; !err && point < nr; point++) {
		err = maker_seek(&explorer->maker, 0, point);
		if (err)
			return tell_replay_error(explorer, err);
		explorer->fresh[point] =
			point > explorer->first ? count_fresh(explorer->maker.replay) : 0;
		if (!explorer->interesting[point])
			continue;
		explorer->elements[point] =
			(uint32_t)model_elements(maker_volume(&explorer->maker));
		explorer->result->points++;
		if (!explorer_has_time(explorer))
			return 0;
	}
	if (explorer->maker.replay->pressed)
		explorer_note(explorer, "the program left very much unsynced: the oldest of it was "
					"taken to be durable early, so states without it were not "
					"tried");
	if (explorer->maker.replay->squeezed)
		explorer_note(explorer,
			      "memory and %s were short: some unsynced writes were taken "
			      "to be durable early, so states without them were not "
			      "tried",
			      crash_unnamed_dir());
	return 0;
}

/* ---- candidates --------------------------------------------------------------------- */

static uint64_t random_nr(const struct explorer *explorer, uint64_t point)
{
	uint64_t share = explorer->opts.states_max / (4 * explorer->result->points + 1);
	uint64_t nr = 2 * (uint64_t)explorer->elements[point];

	if (nr < 4) /* one element: both of its states were tried */
		return 0;
	nr = nr < share ? nr : share;
	nr = nr < RANDOM_MOST ? nr : RANDOM_MOST;
	return nr > RANDOM_LEAST ? nr : RANDOM_LEAST;
}

static uint64_t candidates(const struct explorer *explorer, int pass, uint64_t point)
{
	uint64_t nr = explorer->elements[point];

	if (pass == CRASH_PREFIX)
		return 1;
	if (pass == TORN_PREFIX)
		return explorer->fresh[point] > 1 ? explorer->fresh[point] - 1 : 0;
	if (!explorer->interesting[point])
		return 0;
	switch (pass) {
	case CRASH_MIN:
		return 1;
	case CRASH_PAIR:
		return nr > 1 ? nr * (nr - 1) / 2 : 0;
	case CRASH_RANDOM:
		return random_nr(explorer, point);
	default:
		return nr;
	}
}

/* The idx-th pair of a < b below nr. */
static void nth_pair(uint64_t nr, uint64_t idx, struct spec *spec)
{
	uint64_t a = 0;

	while (idx >= nr - 1 - a) {
		idx -= nr - 1 - a;
		a++;
	}
	spec->numbers[0] = a;
	spec->numbers[1] = a + 1 + idx;
	spec->nr = 2;
}

static int offer(struct explorer *explorer, int pass, uint64_t point, uint64_t idx)
{
	struct spec spec = { .point = point, .class = (enum crash_class)pass, .nr = 1 };
	int err = maker_seek(&explorer->maker, 0, point);

	if (err)
		return err;
	spec.numbers[0] = idx;
	if (pass == CRASH_PREFIX || pass == TORN_PREFIX) {
		spec.class = CRASH_PREFIX;
		spec.numbers[0] = model_elements(maker_volume(&explorer->maker));
		if (pass == TORN_PREFIX)
			spec.numbers[0] -= explorer->fresh[point] - 1 - idx;
	} else if (pass == CRASH_MIN) {
		spec.nr = 0;
	} else if (pass == CRASH_PAIR) {
		nth_pair(explorer->elements[point], idx, &spec);
	}
	return explorer_offer(explorer, &spec);
}

/* Every candidate, or quota of total of them, evenly spaced: what is due adds up to one. */
struct choosing {
	uint64_t quota, total, due;
	uint64_t gap; /* how many are passed over before the next */
};

/* Pairs are many: those between are not looked at. */
static void choose_next(struct choosing *choosing)
{
	uint64_t missing = choosing->total - choosing->due;
	uint64_t steps = 1;

	if (choosing->quota < choosing->total) {
		steps = missing / choosing->quota + (missing % choosing->quota != 0);
		choosing->due += steps * choosing->quota - choosing->total;
	}
	choosing->gap = steps - 1;
}

/* The chosen ones of a point's candidates. False: the budget is used up. */
static bool run_point(struct explorer *explorer, int pass, uint64_t point,
		      struct choosing *choosing, int *ret_err)
{
	uint64_t nr = candidates(explorer, pass, point), idx = choosing->gap;

	while (idx < nr) {
		if (!explorer_may_go_on(explorer)) {
			explorer->result->complete = false;
			*ret_err = explorer->error;
			return false;
		}
		*ret_err = offer(explorer, pass, point, idx);
		if (*ret_err)
			return false;
		choose_next(choosing);
		idx += 1 + choosing->gap;
	}
	choosing->gap = idx - nr;
	return true;
}

static int run_pass(struct explorer *explorer, int pass, uint64_t quota)
{
	struct choosing choosing = { .quota = quota ? quota : 1 };
	int err = 0;

	for (uint64_t point = explorer->first; point <= explorer->last; point++)
		choosing.total += candidates(explorer, pass, point);
	if (quota < choosing.total && pass != CRASH_PAIR && pass != CRASH_RANDOM)
		explorer->result->complete = false;
	choose_next(&choosing);
	for (uint64_t point = explorer->first; point <= explorer->last; point++) {
		if (!run_point(explorer, pass, point, &choosing, &err))
			break;
	}
	return err;
}

/* What of the budget a pass may use; a class that needs less leaves it to those behind. */
static uint64_t quota_of(const struct explorer *explorer, int pass)
{
	uint64_t left = explorer->opts.states_max - explorer->result->distinct;

	switch (pass) {
	case CRASH_PREFIX:
	case TORN_PREFIX:
		return left / 4 + 1;
	case CRASH_OMIT1:
	case CRASH_ONLY1:
		return left / 2 + 1;
	case CRASH_PAIR:
		return left / 2 + 1;
	default:
		return left;
	}
}

int explore_classes(struct explorer *explorer)
{
	static const int passes[] = { CRASH_PREFIX, CRASH_OMIT1, CRASH_MIN,    CRASH_ONLY1,
				      TORN_PREFIX,  CRASH_PAIR,	 CRASH_RANDOM, CRASH_GARBAGE };
	unsigned classes = explorer->opts.classes;
	int err = 0;

	explorer->result->complete = true;
	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]) && !err; i++) {
		int class = passes[i] == TORN_PREFIX ? CRASH_PREFIX : passes[i];

		/* File systems that order sizes after data show no garbage, nor does btrfs. */
		if (!(classes >> class & 1) ||
		    (class == CRASH_GARBAGE && explorer->profile != &model_posix))
			continue;
		err = run_pass(explorer, passes[i], quota_of(explorer, passes[i]));
	}
	if (!err)
		err = explorer_settle(explorer);
	if (explorer->timeouts >= TIMEOUTS_MAX)
		explorer_note(explorer,
			      "the checker did not answer in time %u times, so it was given "
			      "up: a longer timeout may help",
			      explorer->timeouts);
	if (err == -ECANCELED)
		explorer->result->stopped = true;
	return err == -ECANCELED ? 0 : err;
}
