/* SPDX-License-Identifier: MIT */
/*
 * loss.c - delta debugging (Zeller and Hildebrandt, TSE 2002) of what a state has lost.
 *
 * The units are whole ops, if losing these as a whole fails too; else elements. Most
 * verdicts are known already: the state of one lost op was explored.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crash/loss.h"

#define TESTS_MAX 300

int loss_make(struct loss *loss, struct explorer *explorer, uint64_t point)
{
	struct model_volume *volume = maker_volume(&explorer->maker);
	bool whole_pages = volume->opts.sector == MODEL_PAGE_BYTES;
	uint64_t number = 0, nr = model_elements(volume);
	const struct model_op *op;

	*loss = (struct loss){ .point = point,
			       .acks_nr = explorer_acks(explorer, point),
			       .tests_left = TESTS_MAX };
	loss->elements = calloc(nr + 1, sizeof(*loss->elements));
	loss->numbers = calloc(nr + 1, sizeof(*loss->numbers));
	if (!loss->elements || !loss->numbers) {
		loss_release(loss);
		return -ENOMEM;
	}
	TAILQ_FOREACH(op, &volume->ops, all)
	{
		struct element element = { .seq = replay_seq_of(explorer->maker.replay, op),
					   .kind = op->kind };
		bool one = op->kind != MODEL_DATA || whole_pages;

		for (unsigned i = 0; i < (one ? 1 : 8); i++) {
			if (!one && !(op->sectors >> i & 1))
				continue;
			element.number = number++;
			element.sector = (uint8_t)i;
			element.lost = one ? !op->kept : !(op->kept >> i & 1);
			loss->elements[loss->nr++] = element;
		}
	}
	return 0;
}

void loss_release(struct loss *loss)
{
	free(loss->elements);
	free(loss->numbers);
	*loss = (struct loss){ 0 };
}

size_t loss_nr(const struct loss *loss)
{
	size_t nr = 0;

	for (size_t i = 0; i < loss->nr; i++)
		nr += loss->elements[i].lost;
	return nr;
}

bool loss_is_whole(const struct loss *loss, uint64_t seq)
{
	for (size_t i = 0; i < loss->nr; i++) {
		if (loss->elements[i].seq == seq && !loss->elements[i].lost)
			return false;
	}
	return true;
}

uint64_t loss_last_seq(const struct loss *loss)
{
	for (size_t i = loss->nr; i-- > 0;) {
		if (loss->elements[i].lost)
			return loss->elements[i].seq;
	}
	return 0;
}

int loss_test(struct loss *loss, struct explorer *explorer, uint64_t cut, uint64_t acks_nr,
	      bool *ret_failed)
{
	size_t nr = 0;
	int err;

	for (size_t i = 0; i < loss->nr; i++) {
		if (loss->elements[i].lost || loss->elements[i].seq > cut)
			loss->numbers[nr++] = loss->elements[i].number;
	}
	model_choose_lost(maker_volume(&explorer->maker), loss->numbers, nr);
	err = maker_build(&explorer->maker, false);
	return err ? err : explorer_test(explorer, acks_nr, ret_failed, NULL);
}

/* ---- shrinking ---------------------------------------------------------------------- */

/* Units: their first element, in order; those of one unit are neighbours. */
struct units {
	size_t *first; /* nr + 1 of them */
	size_t nr;
	bool *lost;
};

static int make_units(const struct loss *loss, bool whole_ops, struct units *units)
{
	units->first = calloc(loss->nr + 1, sizeof(*units->first));
	units->lost = calloc(loss->nr + 1, sizeof(*units->lost));
	units->nr = 0;
	if (!units->first || !units->lost)
		return -ENOMEM;
	for (size_t i = 0; i < loss->nr; i++) {
		if (!whole_ops || !i || loss->elements[i].seq != loss->elements[i - 1].seq)
			units->first[units->nr++] = i;
		units->lost[units->nr - 1] |= loss->elements[i].lost;
	}
	units->first[units->nr] = loss->nr;
	return 0;
}

static void free_units(struct units *units)
{
	free(units->first);
	free(units->lost);
}

static void mark(struct loss *loss, const struct units *units, const bool *lost)
{
	for (size_t u = 0; u < units->nr; u++) {
		for (size_t i = units->first[u]; i < units->first[u + 1]; i++)
			loss->elements[i].lost = lost[u];
	}
}

static int test_units(struct loss *loss, struct explorer *explorer, const struct units *units,
		      const bool *lost, bool *ret_failed)
{
	*ret_failed = false;
	if (!loss->tests_left || !explorer_has_time(explorer)) {
		loss->tests_left = 0;
		return 0;
	}
	loss->tests_left--;
	mark(loss, units, lost);
	return loss_test(loss, explorer, UINT64_MAX, loss->acks_nr, ret_failed);
}

static size_t count(const bool *lost, size_t nr)
{
	size_t sum = 0;

	for (size_t i = 0; i < nr; i++)
		sum += lost[i];
	return sum;
}

/* Of the lost units only those of the part-th of parts, or all but those. */
static void take_part(const bool *lost, size_t nr, size_t part, size_t parts, bool rest, bool *ret)
{
	size_t total = count(lost, nr), at = 0;

	for (size_t i = 0; i < nr; i++) {
		ret[i] = false;
		if (lost[i]) {
			bool within = at * parts / total == part;

			ret[i] = within != rest;
			at++;
		}
	}
}

/* One round: a part that fails, or a rest. *parts is 0 when none does and none is smaller. */
static int ddmin_round(struct loss *loss, struct explorer *explorer, struct units *units,
		       bool *trial, size_t *parts)
{
	size_t total = count(units->lost, units->nr);
	bool failed = false;

	for (unsigned rest = 0; rest < 2; rest++) {
		if (rest && *parts == 2)
			break; /* each rest is the other part */
		/* The newest first: what it needs may be there then. */
		for (size_t part = *parts; part-- > 0;) {
			int err;

			take_part(units->lost, units->nr, part, *parts, rest, trial);
			err = test_units(loss, explorer, units, trial, &failed);
			if (err)
				return err;
			if (!failed)
				continue;
			memcpy(units->lost, trial, units->nr * sizeof(bool));
			*parts = rest && *parts > 2 ? *parts - 1 : 2;
			return 0;
		}
	}
	*parts = *parts >= total ? 0 : 2 * *parts;
	if (*parts > total)
		*parts = total;
	return 0;
}

static int ddmin(struct loss *loss, struct explorer *explorer, struct units *units)
{
	bool *trial = calloc(units->nr + 1, sizeof(bool));
	size_t parts = 2;
	int err = trial ? 0 : -ENOMEM;

	while (!err && parts && count(units->lost, units->nr) > 1 && loss->tests_left)
		err = ddmin_round(loss, explorer, units, trial, &parts);
	mark(loss, units, units->lost);
	free(trial);
	return err;
}

static int shrink_by(struct loss *loss, struct explorer *explorer, bool whole_ops)
{
	struct units units = { 0 };
	int err = make_units(loss, whole_ops, &units);

	if (!err)
		err = ddmin(loss, explorer, &units);
	free_units(&units);
	return err;
}

/* Loses all that is unsynced of the ops of which something is lost. */
static int lose_whole_ops(struct loss *loss)
{
	struct units units = { 0 };
	int err = make_units(loss, true, &units);

	if (!err)
		mark(loss, &units, units.lost);
	free_units(&units);
	return err;
}

int loss_shrink(struct loss *loss, struct explorer *explorer)
{
	struct element *before = calloc(loss->nr + 1, sizeof(*before));
	bool whole = false;
	int err = before ? 0 : -ENOMEM;

	if (!err) {
		memcpy(before, loss->elements, loss->nr * sizeof(*before));
		err = lose_whole_ops(loss);
	}
	if (!err)
		err = loss_test(loss, explorer, UINT64_MAX, loss->acks_nr, &whole);
	if (!err && !whole)
		memcpy(loss->elements, before, loss->nr * sizeof(*before));
	if (!err)
		err = shrink_by(loss, explorer, whole);
	free(before);
	return err;
}
