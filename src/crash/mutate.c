/* SPDX-License-Identifier: MIT */
/*
 * mutate.c - each sync in turn makes nothing durable: does the checker notice?
 *
 * States that were seen with the sync in place say nothing about it. Of a new state that
 * fails it is asked whether it fails for want of the sync: what the sync would have made
 * durable is put back, and if it fails then too, it is another failure.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crash/loss.h"

#define POINTS_MAX   64 /* interesting ones after a sync */
#define STATES_LEAST 64

struct mutant {
	struct explorer *explorer;
	struct crash_verdict *verdict;
	uint64_t states_max;
	struct spec failing;
};

/* The state that has lost the same ops, but for those that the sync covers. */
static int fails_anyway(struct mutant *mutant, bool *ret_anyway)
{
	struct explorer *explorer = mutant->explorer;
	const struct spec *spec = &mutant->failing;
	struct loss with, without;
	int err = loss_make(&without, explorer, spec->point);

	if (err)
		return err;
	err = maker_seek(&explorer->maker, 0, spec->point);
	if (!err)
		err = loss_make(&with, explorer, spec->point);
	if (err) {
		loss_release(&without);
		return err;
	}
	for (size_t i = 0; i < with.nr; i++) {
		struct element *element = &with.elements[i];

		element->lost = false;
		for (size_t j = 0; j < without.nr && !element->lost; j++) {
			const struct element *other = &without.elements[j];

			element->lost = other->lost && other->seq == element->seq &&
					other->kind == element->kind &&
					other->sector == element->sector;
		}
	}
	err = loss_test(&with, explorer, UINT64_MAX, with.acks_nr, ret_anyway);
	loss_release(&with);
	loss_release(&without);
	return err;
}

static int test_state(struct mutant *mutant, const struct spec *spec, bool *ret_found)
{
	struct explorer *explorer = mutant->explorer;
	uint64_t seen = explorer->seen.nr, acks_nr = explorer_acks(explorer, spec->point);
	bool failed, anyway;
	int err = maker_make(&explorer->maker, spec);

	if (err)
		return err == -ERANGE ? 0 : err;
	err = explorer_test(explorer, acks_nr, &failed, NULL);
	if (err || explorer->seen.nr == seen)
		return err;
	mutant->verdict->states++;
	if (!failed)
		return 0;
	mutant->failing = *spec;
	err = fails_anyway(mutant, &anyway);
	*ret_found = !err && !anyway;
	return err;
}

static int test_class(struct mutant *mutant, enum crash_class class, uint64_t point,
		      bool *ret_found)
{
	struct spec spec = { .dropped = mutant->verdict->op, .point = point, .class = class };
	uint64_t nr;
	int err = maker_seek(&mutant->explorer->maker, spec.dropped, point);

	if (err)
		return err;
	nr = class == CRASH_MIN ? 1 : model_elements(maker_volume(&mutant->explorer->maker));
	spec.nr = class != CRASH_MIN;
	for (uint64_t i = 0; i < nr && !err && !*ret_found; i++) {
		if (mutant->verdict->states >= mutant->states_max ||
		    !explorer_has_time(mutant->explorer))
			break;
		spec.numbers[0] = i;
		err = test_state(mutant, &spec, ret_found);
	}
	return err;
}

static int judge(struct mutant *mutant)
{
	static const enum crash_class classes[] = { CRASH_MIN, CRASH_OMIT1, CRASH_ONLY1 };
	struct explorer *explorer = mutant->explorer;
	struct crash_verdict *verdict = mutant->verdict;
	char id[CRASH_ID_MAX];
	bool found = false;
	int err = 0;

	for (unsigned c = 0; c < 3 && !err && !found; c++) {
		unsigned points = 0;

		for (uint64_t point = verdict->op; point <= explorer->last; point++) {
			if (err || found || points == POINTS_MAX)
				break;
			if (!explorer->interesting[point])
				continue;
			points++;
			err = test_class(mutant, classes[c], point, &found);
		}
	}
	verdict->judged = !err && (found || explorer_has_time(explorer));
	verdict->necessary = found;
	if (found)
		verdict->failing_id =
			strdup(explorer_id(explorer, &mutant->failing, id, sizeof(id)));
	return err;
}

static int list_syncs(struct explorer *explorer)
{
	struct crash_result *result = explorer->result;
	char line[5000];
	size_t nr = 0;

	for (uint64_t i = explorer->first; i < explorer->last; i++)
		nr += is_sync_op(crash_trace_op(explorer->trace, i));
	result->syncs = calloc(nr + 1, sizeof(*result->syncs));
	if (!result->syncs)
		return -ENOMEM;
	for (uint64_t i = explorer->first; i < explorer->last; i++) {
		const struct crash_op *op = crash_trace_op(explorer->trace, i);
		struct crash_verdict *verdict = &result->syncs[result->syncs_nr];

		if (!is_sync_op(op) || op->res < 0)
			continue;
		verdict->op = op->seq;
		verdict->words =
			strdup(crash_words_of(explorer->words, op->seq, line, sizeof(line)));
		if (!verdict->words)
			return -ENOMEM;
		result->syncs_nr++;
	}
	return 0;
}

int mutate_all(struct explorer *explorer)
{
	struct crash_result *result = explorer->result;
	uint64_t share;
	int err = list_syncs(explorer);

	if (err || !result->syncs_nr)
		return err;
	share = explorer->opts.states_max / result->syncs_nr;
	explorer->phase = "mutate";
	explorer->phase_total = result->syncs_nr;
	for (size_t i = 0; i < result->syncs_nr && !err; i++) {
		struct mutant mutant = {
			.explorer = explorer,
			.verdict = &result->syncs[i],
			.states_max = share > STATES_LEAST ? share : STATES_LEAST,
		};

		if (!explorer_has_time(explorer))
			break;
		explorer->phase_done = i;
		err = judge(&mutant);
	}
	explorer->phase_total = 0;
	if (err == -ECANCELED)
		result->stopped = true;
	return err == -ECANCELED ? 0 : err;
}
