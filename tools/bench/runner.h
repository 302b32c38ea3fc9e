/* runner.h: runs the rounds of a field, blocks interleaved in a fresh order each round. */
#ifndef SLUICE_TOOLS_BENCH_RUNNER_H
#define SLUICE_TOOLS_BENCH_RUNNER_H

#include "field.h"

/**
 * struct runner_opts - how to run a field.
 *
 * @budget_ns: how long it may take, about; at least STATS_ROUNDS_MIN rounds run whatever it is.
 * @keep_losers: never drop a contender (--full).
 * @seed: of orders and offsets.
 * @progress: told what runs now; may be NULL.
 * @ctx: its argument.
 */
struct runner_opts {
	uint64_t budget_ns;
	bool keep_losers;
	uint64_t seed;
	void (*progress)(void *ctx, const struct field *f, const struct contender *c);
	void *ctx;
};

/**
 * runner_run - open, calibrate, measure and close every contender of a field.
 * @f: made, its @env set; cells, statuses and noise are written.
 * @opts: borrowed.
 *
 * A contender that fails becomes unavailable, with the error; the field goes on without it.
 *
 * Return: 0 or -ENOMEM.
 */
int runner_run(struct field *f, const struct runner_opts *opts);

#endif
