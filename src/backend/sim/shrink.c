/* SPDX-License-Identifier: MIT */
/*
 * shrink.c - many seeds until one fails, and then the smallest failing run.
 *
 * Faults are left out in ever smaller groups (Zeller and Hildebrandt's delta
 * debugging, TSE '02), then the power cut is moved to earlier ops by halves; it
 * is never left out, since the program may run until then. A run is kept when it
 * fails, whatever it fails with.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/sim/world.h"

#define RUNS_MAX   256
#define LINE_BYTES 2048

struct shrink {
	struct sl_sim_opts opts;
	sl_sim_test_fn *test;
	void *ctx;
	unsigned runs;
	struct sim_script best;
	char line[LINE_BYTES];
};

/* 1: it fails, 0: it passes, -errno: it cannot be made. What struck is in *ret_struck. */
static int run(struct shrink *shrink, const char *replay, struct sim_script *ret_struck)
{
	struct sl_sim_opts opts = shrink->opts;
	struct sl_sim *sim;
	int failed, err;

	opts.replay = replay;
	err = sl_sim_create(&opts, &sim);
	if (err)
		return err;
	shrink->runs++;
	failed = shrink->test(sim, shrink->ctx) != 0;
	err = sl_sim_repro(sim, shrink->line, sizeof(shrink->line));
	sl_sim_destroy(sim);
	if (err)
		return err;
	*ret_struck = (struct sim_script){ 0 };
	err = sim_script_read(shrink->line, ret_struck);
	return err ? err : failed;
}

/* Whether a smaller run still fails: then it is the best one. */
static bool try(struct shrink *shrink, const struct sim_script *script)
{
	struct sim_script struck;
	char line[LINE_BYTES];

	if (shrink->runs >= RUNS_MAX || sim_script_write(script, line, sizeof(line)) ||
	    run(shrink, line, &struck) != 1)
		return false;
	shrink->best = struck;
	return true;
}

static struct sim_script without(const struct sim_script *script, uint32_t from, uint32_t nr)
{
	struct sim_script less = *script;

	less.faults_nr = 0;
	for (uint32_t i = 0; i < script->faults_nr; i++) {
		if (i < from || i >= from + nr)
			less.faults[less.faults_nr++] = script->faults[i];
	}
	return less;
}

static void leave_faults_out(struct shrink *shrink)
{
	for (uint32_t nr = shrink->best.faults_nr; nr; nr /= 2) {
		for (uint32_t from = 0; from < shrink->best.faults_nr;) {
			struct sim_script less = without(&shrink->best, from, nr);

			if (!try(shrink, &less))
				from += nr;
		}
	}
}

static void cut_earlier(struct shrink *shrink)
{
	struct sim_script less;

	for (uint64_t step = shrink->best.cut / 2; step; step /= 2) {
		for (;;) {
			less = shrink->best;
			if (less.cut <= step)
				break;
			less.cut -= step;
			if (!try(shrink, &less))
				break;
		}
	}
}

int sl_sim_shrink(const struct sl_sim_opts *opts, sl_sim_test_fn *test, void *ctx, char *buf,
		  size_t bytes)
{
	struct shrink shrink = { .test = test, .ctx = ctx };
	int failed;

	if (opts)
		shrink.opts = *opts;
	failed = run(&shrink, shrink.opts.replay, &shrink.best);
	if (failed <= 0)
		return failed ? failed : -ENOENT;
	leave_faults_out(&shrink);
	cut_earlier(&shrink);
	return sim_script_write(&shrink.best, buf, bytes);
}

/* One run; a failing one is shrunk into buf. 0, 1 or -errno. */
static int search_one(struct shrink *shrink, const char *replay, char *buf, size_t bytes)
{
	struct sim_script struck;
	int failed = run(shrink, replay, &struck);
	int err;

	if (failed <= 0)
		return failed;
	if (!replay) {
		shrink->runs = 0;
		shrink->best = struck;
		leave_faults_out(shrink);
		cut_earlier(shrink);
		struck = shrink->best;
	}
	err = sim_script_write(&struck, buf, bytes);
	return err ? err : 1;
}

int sl_sim_search(const struct sl_sim_opts *opts, uint64_t seeds_nr, sl_sim_test_fn *test,
		  void *ctx, char *buf, size_t bytes)
{
	const char *replay = secure_getenv("SLUICE_SIM");
	struct shrink shrink = { .test = test, .ctx = ctx };
	int res = 0;

	buf[0] = '\0';
	if (opts)
		shrink.opts = *opts;
	if (replay)
		return search_one(&shrink, replay, buf, bytes);
	for (uint64_t i = 0; i < seeds_nr && !res; i++) {
		res = search_one(&shrink, NULL, buf, bytes);
		shrink.opts.seed++;
	}
	return res;
}
