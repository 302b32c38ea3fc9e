/*
 * field.h: a workload with everyone who takes part, and what came out.
 *
 * The runner fills the cells, score.c turns them into scores, the reports print those.
 */
#ifndef SLUICE_TOOLS_BENCH_FIELD_H
#define SLUICE_TOOLS_BENCH_FIELD_H

#include "contender.h"
#include "noise.h"
#include "stats.h"

#define FIELD_ROUNDS_MAX     100
#define FIELD_CONTENDERS_MAX 128

/**
 * struct score - one contender's answer.
 *
 * @rank: 1 for the recommended one; 0 when it is not ranked.
 * @cpu_ns, @wall_ns: per operation.
 * @ratio, @wall_ratio: to the recommended one, paired by round; above 1 costs more. Disturbed
 *                      rounds are among the pairs where fewer than STATS_ROUNDS_MIN others are.
 * @verdict: on @ratio.
 * @p50_ns, @p99_ns, @p999_ns: NaN with too few samples.
 * @cache_bytes: median growth of the page cache over a block; NaN where nothing tells.
 * @receiver_ns: CPU time of the receiver per operation; NaN where there is none.
 */
struct score {
	unsigned rank;
	struct stats_interval cpu_ns, wall_ns, ratio, wall_ratio;
	enum stats_verdict verdict;
	double ops_per_s;
	double p50_ns, p99_ns, p999_ns;
	double calls, switches;
	double cache_bytes;
	double receiver_ns;
};

enum field_noise {
	FIELD_QUIET,
	FIELD_WALL_NOISY,
	FIELD_TOO_NOISY
};

/**
 * struct field - a workload and its contenders.
 *
 * @scores: one per contender, same order.
 * @order: indices of the contenders in preference order: ranked, void, unavailable.
 * @rounds: rounds measured; @disturbed marks those thrown away for all.
 * @best: index of the recommended contender, or -1.
 * @verdict: of the recommended one on the field: faster, tie or inconclusive.
 * @setting: how it was set up beyond the usual; "" for nothing to say.
 */
struct field {
	struct workload work;
	struct workload_env env;
	struct contender *contenders;
	struct score *scores;
	size_t *order;
	size_t nr;

	size_t rounds, nr_disturbed;
	bool disturbed[FIELD_ROUNDS_MAX];
	uint64_t block_ns;

	struct noise noise;
	enum field_noise state;
	double cpu_spread, wall_spread;
	int best;
	enum stats_verdict verdict;
	char setting[128];
};

/**
 * field_make - gather the contenders of a workload.
 * @f: written; @f->work is set by the caller.
 * @depths: queue depths for mechanisms with a queue.
 * @nr_depths: entries of @depths.
 * @wanted: says whether a contender takes part; NULL for all.
 * @ctx: its argument.
 *
 * Return: 0 or -ENOMEM; with nothing to do @f->nr is 0.
 */
int field_make(struct field *f, const unsigned *depths, size_t nr_depths,
	       bool (*wanted)(void *ctx, const struct contender *c), void *ctx);

/**
 * field_players - count those who can still take part.
 * @f: made.
 *
 * Return: contenders that nothing has shown to be void or unavailable.
 */
size_t field_players(const struct field *f);

/**
 * field_free - undo field_make().
 * @f: may be zeroed.
 */
void field_free(struct field *f);

/**
 * field_score - fill in scores, order, best and verdict from the cells.
 * @f: after its rounds.
 * @seed: of the resampling.
 */
void field_score(struct field *f, uint64_t seed);

/**
 * field_series - one contender's cost per round, without the disturbed rounds.
 * @f: borrowed.
 * @idx: the contender.
 * @wall: wall clock instead of CPU.
 * @ret: FIELD_ROUNDS_MAX entries; NaN where it has none.
 */
void field_series(const struct field *f, size_t idx, bool wall, double *ret);

/**
 * field_series_all - the same with the disturbed rounds.
 * @f: borrowed.
 * @idx: the contender.
 * @wall: wall clock instead of CPU.
 * @ret: FIELD_ROUNDS_MAX entries; NaN where it has none.
 */
void field_series_all(const struct field *f, size_t idx, bool wall, double *ret);

/**
 * field_runner_up - the next mechanism in preference order; of those as good, a simpler one.
 * @f: scored.
 *
 * Return: its index, or -1.
 */
int field_runner_up(const struct field *f);

#endif
