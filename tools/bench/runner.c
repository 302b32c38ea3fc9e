/*
 * runner.c: the method.
 *
 *  1. Every contender is opened, and what a sender sends first is compared with the file. Then it
 *     is calibrated: its operations per block are raised until a block takes the target time
 *     (20-50 ms; down to 4 ms when the time given is short). That warms it up as well.
 *  2. A round runs one block of every contender in a fresh random order, all with the same
 *     operations. The first round is thrown away; whose block was far too long or too short in
 *     it gets another one, and who holds up all others when time is short is left out.
 *  3. Before each block the file's pages are brought to the workload's state and proved to be in
 *     it; after it what the contender claims is checked. Who fails is void from then on.
 *  4. After a few rounds those that lose clearly in CPU and in wall clock are dropped.
 *  5. It ends when the time is used up, or when every interval is narrow.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "runner.h"
#include "turn.h"

#define BLOCK_NS_SHORT 4000000u
#define BLOCK_NS_MIN   20000000u
#define BLOCK_NS_MAX   50000000u
#define BLOCK_FAR_OFF  2.0
#define HOLDS_UP_BY    8
#define ROUNDS_HOPED   12
/* Those that count, the one thrown away, and calibration. */
#define ROUNDS_LEAST	 (STATS_ROUNDS_MIN + 2)
#define ROUNDS_ENOUGH	 20
#define SPREAD_ENOUGH	 0.02
#define CALIBRATED	 6
#define SUSPECT		 1.5
#define DROP_AFTER	 STATS_ROUNDS_MIN
#define LOSES_BY	 1.3
#define FAST_OP_NS	 3000
#define FAST_OP_STRIDE	 7
#define APPEND_BYTES_MAX (16u << 20)
#define KEPT_MIN	 4

/* -- calibration --------------------------------------------------------------------------- */

static uint64_t ops_max(const struct contender *c)
{
	if (c->work->kind == WORKLOAD_APPEND)
		return APPEND_BYTES_MAX / c->work->block_bytes;
	if (c->work->cache == CACHE_COLD && c->work->sequential)
		return c->env->file->size / c->work->block_bytes;
	return UINT32_MAX;
}

static uint64_t whole_batches(const struct contender *c, uint64_t nr)
{
	uint64_t batches = (nr + c->depth - 1) / c->depth;

	nr = batches * c->depth;
	return nr > ops_max(c) ? ops_max(c) : nr;
}

/* One batch at least, or who is slower than a block would never play. */
static void fit_block(struct contender *c, double wall_ns, uint64_t target_ns)
{
	c->block_ops = whole_batches(c, (uint64_t)fmax((double)target_ns / wall_ns, 1));
}

/*
 * The wall time of an operation, by @nr of them. A few that took long may have met a moment in
 * which something else ran: unless fewer took as long (@before_ns each), they are asked twice and
 * the better answer counts. False when the contender has failed.
 */
static bool time_ops(struct contender *c, uint64_t nr, double before_ns, double *ret_ns)
{
	struct meter_cell cell;

	*ret_ns = INFINITY;
	for (int i = 0; i < 2 && !(*ret_ns <= SUSPECT * before_ns); i++) {
		if (!turn_run(c, nr, &cell))
			return false;
		*ret_ns = fmin(*ret_ns, cell.wall_ns);
	}
	return true;
}

static void calibrate(struct contender *c, uint64_t target_ns)
{
	uint64_t nr = whole_batches(c, 1);
	double op_ns = 0;

	c->stride = 1;
	for (;;) {
		double total_ns, grow;

		if (!time_ops(c, nr, op_ns, &op_ns))
			return;
		total_ns = op_ns * (double)nr;
		grow = fmin((double)target_ns / fmax(total_ns, 1), 16);
		if (total_ns * CALIBRATED >= (double)target_ns || nr >= ops_max(c))
			break;
		nr = whole_batches(c, (uint64_t)((double)nr * grow) + 1);
	}
	fit_block(c, op_ns, target_ns);
	c->stride = op_ns < FAST_OP_NS ? FAST_OP_STRIDE : 1;
}

/* -- rounds -------------------------------------------------------------------------------- */

static bool plays(const struct contender *c)
{
	return c->status == CONTENDER_RAN && !c->dropped && c->block_ops;
}

static void shuffle(size_t *order, size_t nr, uint64_t *state)
{
	for (size_t i = 0; i < nr; i++)
		order[i] = i;
	for (size_t i = nr; i > 1; i--) {
		size_t j = random_below(state, i), t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
}

static void draw_round(struct field *f, uint64_t *state)
{
	if (f->work.kind == WORKLOAD_BLOCKS || f->work.kind == WORKLOAD_SEND)
		stream_draw(f->env.stream, &f->work, f->env.file->size, state);
	f->env.round_seed = random_next(state);
}

static void run_round(struct field *f, const struct runner_opts *opts, size_t round,
		      uint64_t *state)
{
	size_t order[FIELD_CONTENDERS_MAX] = { 0 };

	shuffle(order, f->nr, state);
	draw_round(f, state);
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[order[i]];
		struct meter_cell cell;

		if (!plays(c))
			continue;
		if (opts->progress)
			opts->progress(opts->ctx, f, c);
		if (turn_run(c, c->block_ops, &cell))
			c->cells[round] = cell;
	}
}

static bool clearly_loses(const struct score *s, double least_wall)
{
	return s->ratio.low > LOSES_BY && s->wall_ns.low > LOSES_BY * least_wall;
}

/* The first few in order stay whatever they cost: they are what the best one is compared with. */
static void drop_losers(struct field *f)
{
	double least_wall = INFINITY;
	size_t kept = 0;

	for (size_t i = 0; i < f->nr; i++) {
		if (f->scores[i].rank && f->scores[i].wall_ns.median < least_wall)
			least_wall = f->scores[i].wall_ns.median;
	}
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[f->order[i]];
		const struct score *s = &f->scores[f->order[i]];

		if (plays(c) && s->rank && ++kept > KEPT_MIN && clearly_loses(s, least_wall))
			c->dropped = true;
	}
}

static bool settled(const struct field *f)
{
	if (f->rounds < ROUNDS_ENOUGH)
		return false;
	for (size_t i = 0; i < f->nr; i++) {
		if (plays(&f->contenders[i]) && stats_spread(&f->scores[i].ratio) > SPREAD_ENOUGH)
			return false;
	}
	return true;
}

/* Calibration may have met a good moment or a bad one: a block that was much too long becomes
 * smaller, and one that was much too short longer. */
static void refit_block(const struct field *f, struct contender *c)
{
	double total_ns = c->cells[0].wall_ns * (double)c->block_ops;

	if (total_ns > BLOCK_FAR_OFF * (double)f->block_ns ||
	    total_ns * BLOCK_FAR_OFF < (double)f->block_ns)
		fit_block(c, c->cells[0].wall_ns, f->block_ns);
}

static void warm_up(struct field *f, const struct runner_opts *opts, uint64_t *state)
{
	run_round(f, opts, 0, state);
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[i];

		if (plays(c))
			refit_block(f, c);
		latency_reset(c->latency);
		c->cells[0].cpu_ns = c->cells[0].wall_ns = NAN;
	}
}

/* When the fewest rounds would not fit, who takes many times the others' time is left out. */
static void leave_out_slow(struct field *f, uint64_t left_ns)
{
	double turn[FIELD_CONTENDERS_MAX], sum = 0, typical;

	for (size_t i = 0; i < f->nr; i++) {
		turn[i] = plays(&f->contenders[i]) ? (double)f->contenders[i].turn_ns : NAN;
		sum += isnan(turn[i]) ? 0 : turn[i];
	}
	if (sum * STATS_ROUNDS_MIN <= (double)left_ns)
		return;
	typical = stats_median(turn, f->nr);
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[i];

		if (!(turn[i] > HOLDS_UP_BY * typical))
			continue;
		c->dropped = true;
		snprintf(c->reason, sizeof(c->reason),
			 "left out: its turn took %.0f ms, the others' %.0f ms; give more time "
			 "with --seconds, or --full",
			 turn[i] / 1e6, typical / 1e6);
	}
}

static void run_rounds(struct field *f, const struct runner_opts *opts, uint64_t *state,
		       uint64_t end_ns)
{
	uint64_t warm_ns;

	if (!field_players(f))
		return;
	warm_up(f, opts, state);
	warm_ns = clock_now_ns();
	if (!opts->keep_losers)
		leave_out_slow(f, warm_ns < end_ns ? end_ns - warm_ns : 0);
	/* Who fails in its rounds may have been the last. */
	while (f->rounds < FIELD_ROUNDS_MAX && field_players(f)) {
		uint64_t begin_ns = clock_now_ns(), now_ns;

		run_round(f, opts, f->rounds++, state);
		now_ns = clock_now_ns();
		if (f->rounds >= STATS_ROUNDS_MIN && now_ns + (now_ns - begin_ns) / 2 > end_ns)
			break;
		if (f->rounds == DROP_AFTER || f->rounds % 5 == 0) {
			field_score(f, opts->seed);
			if (settled(f))
				break;
			if (!opts->keep_losers)
				drop_losers(f);
		}
	}
}

/* Short on time the fewest rounds get short blocks; with plenty there are more rounds first. */
static uint64_t block_target(const struct field *f, uint64_t budget_ns)
{
	size_t nr = field_players(f);
	uint64_t turn_ns = budget_ns / (nr ? nr : 1);
	uint64_t hoped_ns = turn_ns / ROUNDS_HOPED, least_ns = turn_ns / ROUNDS_LEAST;

	if (hoped_ns > BLOCK_NS_MIN)
		return hoped_ns < BLOCK_NS_MAX ? hoped_ns : BLOCK_NS_MAX;
	if (least_ns > BLOCK_NS_MIN)
		return BLOCK_NS_MIN;
	return least_ns > BLOCK_NS_SHORT ? least_ns : BLOCK_NS_SHORT;
}

int runner_run(struct field *f, const struct runner_opts *opts)
{
	uint64_t begin_ns = clock_now_ns(), state = opts->seed;

	f->env.stream = malloc(sizeof(*f->env.stream));
	if (!f->env.stream)
		return -ENOMEM;
	draw_round(f, &state);
	f->block_ns = block_target(f, opts->budget_ns);
	noise_begin(&f->noise);
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[i];

		if (c->status != CONTENDER_RAN)
			continue;
		if (opts->progress)
			opts->progress(opts->ctx, f, c);
		turn_open(c);
		if (c->status == CONTENDER_RAN)
			turn_prove(c);
		if (c->status == CONTENDER_RAN)
			calibrate(c, f->block_ns);
	}
	run_rounds(f, opts, &state, begin_ns + opts->budget_ns);
	noise_end(&f->noise);
	for (size_t i = 0; i < f->nr; i++)
		turn_shut(&f->contenders[i]);
	free(f->env.stream);
	f->env.stream = NULL;
	return 0;
}
