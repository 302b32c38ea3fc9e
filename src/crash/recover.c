/* SPDX-License-Identifier: MIT */
/*
 * recover.c - a second crash, while the checker recovers from the first.
 *
 * Some of the states that were fine are made again, each in a directory of its own, and the
 * checker runs there under a recorder: what it does is a trace like any other, whose base is the
 * state. That trace is explored with the same checker and with the acks of the first crash.
 * What fails has an id of both crashes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/explorer.h"
#include "crash/record.h"

#define OUTER_MAX    32	 /* states whose recovery is crashed */
#define INNER_STATES 200 /* in each */

struct recovery {
	struct explorer *outer;
	char top[4300];	   /* of one state */
	char dir[4320];	   /* top/state */
	char acks[4320];   /* top/acks */
	char trace[4320];  /* top/trace */
	uint64_t recorded; /* recoveries that changed something */
};

/* ---- which states ------------------------------------------------------------------- */

/* Those that have lost most, at points all over the trace. */
static uint32_t choose_states(const struct explorer *explorer, struct spec *ret_specs)
{
	uint64_t points = 0, idx = 0;
	uint32_t nr = 0;

	for (uint64_t point = explorer->first; point <= explorer->last; point++)
		points += explorer->interesting[point];
	for (uint64_t point = explorer->first; point <= explorer->last && nr < OUTER_MAX; point++) {
		uint64_t half = OUTER_MAX / 2;

		if (!explorer->interesting[point])
			continue;
		if (points > half && (idx + 1) * half / points == idx * half / points) {
			idx++;
			continue;
		}
		idx++;
		ret_specs[nr] = (struct spec){ .point = point, .class = CRASH_MIN };
		if (++nr == OUTER_MAX)
			break;
		ret_specs[nr] = (struct spec){ .point = point,
					       .class = CRASH_PREFIX,
					       .numbers = { explorer->elements[point] },
					       .nr = 1 };
		nr++;
	}
	return nr;
}

/* ---- one recovery ------------------------------------------------------------------- */

static int make_state(struct recovery *recovery, const struct spec *spec)
{
	struct explorer *explorer = recovery->outer;
	struct maker *maker = &explorer->maker;
	struct place *place = NULL;
	int err;

	remove_tree(recovery->top);
	if (mkdir(recovery->top, 0755) || mkdir(recovery->dir, 0755))
		return -errno;
	err = place_create_at(recovery->dir, recovery->acks, &place);
	if (!err)
		err = place_make(place, &maker->state, &maker->view, &explorer->acks,
				 explorer_acks(explorer, spec->point), explorer->opts.ignore);
	place_destroy(place);
	return err;
}

/* What a checker sees is the same under a recorder. */
static const char checker_script[] = "exec <\"$SLUICE_ACKS\" 2>/dev/null && "
				     "cd \"$SLUICE_STATE\" && eval \"$1\"";

static int record(struct recovery *recovery, struct crash_trace *trace, char *ret_why,
		  size_t why_bytes)
{
	const struct crash_explore_opts *opts = &recovery->outer->opts;
	char *const shell[] = {
		(char *)(uintptr_t) "sh",	   (char *)(uintptr_t) "-c",
		(char *)(uintptr_t)checker_script, (char *)(uintptr_t) "sh",
		(char *)(uintptr_t)opts->check,	   NULL,
	};
	const struct crash_record_opts record_opts = {
		.dir = recovery->dir,
		.argv = opts->recorder ? (char *const *)(uintptr_t)opts->recorder : shell,
		.scratch_dir = recovery->outer->scratch,
		.timeout_ns = (int64_t)opts->timeout_ns,
		.stdout_quiet = true,
		.stop = opts->stop,
	};
	struct crash_record_report *report = calloc(1, sizeof(*report));
	int err;

	if (!report)
		return -ENOMEM;
	setenv("SLUICE_STATE", recovery->dir, 1);
	setenv("SLUICE_ACKS", recovery->acks, 1);
	err = crash_record(&record_opts, trace, report);
	unsetenv("SLUICE_STATE");
	unsetenv("SLUICE_ACKS");
	if (err)
		snprintf(ret_why, why_bytes, "%.400s",
			 report->why[0] ? report->why : strerror(-err));
	free(report);
	return err;
}

static bool changes_anything(const struct crash_trace *trace)
{
	for (uint64_t i = 0; i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		if (op->code > CRASH_BASE && op->code <= CRASH_ALLOCATE && op->res >= 0)
			return true;
	}
	return false;
}

/* ---- exploring it ------------------------------------------------------------------- */

/* The acks of the first crash, as they are in its file, whatever the point of the second. */
static int fix_acks(struct explorer *inner, const struct recovery *recovery,
		    const struct spec *spec)
{
	const struct acks *from = &recovery->outer->acks;
	uint64_t nr = explorer_acks(recovery->outer, spec->point);
	struct acks acks = {
		.text = malloc(from->ends[nr] + 1),
		.ends = malloc((nr + 1) * sizeof(uint64_t)),
		.seqs = malloc((nr + 1) * sizeof(uint64_t)),
		.nr = nr,
	};

	if (!acks.text || !acks.ends || !acks.seqs) {
		acks_release(&acks);
		return -ENOMEM;
	}
	memcpy(acks.text, from->text, from->ends[nr]);
	memcpy(acks.ends, from->ends, (nr + 1) * sizeof(uint64_t));
	memcpy(acks.seqs, from->seqs, nr * sizeof(uint64_t));
	acks_release(&inner->acks);
	inner->acks = acks;
	inner->acks_are_fixed = true;
	return 0;
}

/* The inner failures become the outer's; the rest of the inner result is dropped. */
static int take_failures(struct crash_result *outer, struct crash_result *inner)
{
	size_t nr = outer->failing_nr + inner->failing_nr;
	struct crash_failure *more;

	outer->states += inner->states;
	outer->distinct += inner->distinct;
	outer->failed += inner->failed;
	outer->stopped |= inner->stopped;
	if (!inner->failing_nr)
		return 0;
	more = realloc(outer->failing, nr * sizeof(*more));
	if (!more)
		return -ENOMEM;
	outer->failing = more;
	memcpy(more + outer->failing_nr, inner->failing, inner->failing_nr * sizeof(*more));
	outer->failing_nr = nr;
	inner->failing_nr = 0;
	return 0;
}

static int keep_trace(const struct recovery *recovery, const char *id)
{
	const char *keep = recovery->outer->opts.keep;
	char path[8192];
	FILE *from, *to;
	char buf[65536];
	size_t len;
	int err = 0;

	if (!keep)
		return 0;
	mkdir(keep, 0755);
	snprintf(path, sizeof(path), "%s/%s.trace", keep, id);
	from = fopen(recovery->trace, "re");
	to = fopen(path, "we");
	while (from && to && (len = fread(buf, 1, sizeof(buf), from)) > 0) {
		if (fwrite(buf, 1, len, to) != len)
			err = -EIO;
	}
	if (!from || !to)
		err = -errno;
	if (from)
		fclose(from);
	if (to && fclose(to))
		err = err ? err : -EIO;
	return err;
}

static int explore_it(struct recovery *recovery, const struct crash_trace *trace,
		      const struct spec *spec)
{
	struct explorer *outer = recovery->outer, *inner = calloc(1, sizeof(*inner));
	struct crash_explore_opts opts = outer->opts;
	struct crash_result result;
	char id[CRASH_ID_MAX];
	int err;

	if (!inner)
		return -ENOMEM;
	explorer_id(outer, spec, id, sizeof(id));
	opts.scratch = outer->scratch;
	opts.states_max = INNER_STATES;
	opts.recover = opts.mutate = false;
	opts.recorder = NULL;
	err = explorer_init(inner, trace, recovery->dir, &opts, &result);
	inner->outer_id = id;
	inner->until_ns = outer->until_ns; /* one budget of time */
	inner->phase = "recover";
	if (!err)
		err = fix_acks(inner, recovery, spec);
	if (!err)
		err = explore_count(inner);
	if (!err)
		err = explore_classes(inner);
	if (!err && inner->raw_nr)
		err = explain_all(inner);
	if (!err && result.failing_nr)
		err = keep_trace(recovery, id);
	if (err)
		explorer_fail(outer, err, "%s: %s", id,
			      result.error[0] ? result.error : strerror(-err));
	else
		err = take_failures(outer->result, &result);
	explorer_fini(inner);
	crash_result_release(&result);
	free(inner);
	return err;
}

static int record_anew(struct recovery *recovery, struct crash_trace *trace)
{
	char why[512] = "";
	int err = record(recovery, trace, why, sizeof(why));

	if (err && err != -ECANCELED)
		explorer_fail(recovery->outer, err, "the checker's recovery cannot be recorded: %s",
			      why);
	if (err || !changes_anything(trace))
		return err;
	recovery->recorded++;
	return 0;
}

static int recover_one(struct recovery *recovery, const struct spec *spec)
{
	struct explorer *explorer = recovery->outer;
	const struct crash_trace_opts trace_opts = { .sector =
							     crash_trace_sector(explorer->trace) };
	struct crash_trace *trace = NULL, *read = NULL;
	uint64_t recorded = recovery->recorded;
	bool failed = false;
	int err = maker_make(&explorer->maker, spec);

	if (!err)
		err = explorer_test(explorer, explorer_acks(explorer, spec->point), &failed, NULL);
	/* One that fails by itself is told already. */
	if (err || failed)
		return err;
	err = make_state(recovery, spec);
	if (!err)
		err = crash_trace_create(recovery->trace, &trace_opts, &trace);
	if (!err)
		err = record_anew(recovery, trace);
	crash_trace_close(trace);
	if (!err && recovery->recorded > recorded) {
		err = crash_trace_open(recovery->trace, &read);
		if (!err)
			err = explore_it(recovery, read, spec);
		crash_trace_close(read);
	}
	return err;
}

int recover_all(struct explorer *explorer)
{
	struct recovery *recovery;
	struct spec *specs;
	uint32_t nr;
	int err = 0;

	if (!explorer->opts.check && !explorer->opts.recorder)
		return explorer_fail(explorer, -EINVAL,
				     "a function is recorded while it recovers by a command that "
				     "calls it: name one");
	recovery = calloc(1, sizeof(*recovery));
	specs = calloc(OUTER_MAX, sizeof(*specs));
	if (!recovery || !specs) {
		free(recovery);
		free(specs);
		return -ENOMEM;
	}
	recovery->outer = explorer;
	snprintf(recovery->top, sizeof(recovery->top), "%s/recover", explorer->scratch);
	snprintf(recovery->dir, sizeof(recovery->dir), "%s/state", recovery->top);
	snprintf(recovery->acks, sizeof(recovery->acks), "%s/acks", recovery->top);
	snprintf(recovery->trace, sizeof(recovery->trace), "%s/trace", recovery->top);
	explorer->phase = "recover";
	nr = choose_states(explorer, specs);
	explorer->phase_total = nr;
	for (uint32_t i = 0; i < nr && !err && explorer_has_time(explorer); i++) {
		explorer->phase_done = i;
		err = recover_one(recovery, &specs[i]);
		explorer->result->recovered += !err;
	}
	explorer->phase_total = 0;
	if (!err && !recovery->recorded)
		explorer_note(explorer,
			      "the checker changed no state, so no crash could be put into "
			      "its recovery");
	free(recovery);
	free(specs);
	return err;
}
