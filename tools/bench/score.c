/* score.c: from cells to scores: intervals, preference order, verdicts. */
#include <math.h>
#include <stdlib.h>

#include "field.h"
#include "mechanisms.h"

/* So close to the least CPU contenders count as equals: wall clock, then simplicity decide. */
#define EQUAL_CPU  1.05
#define EQUAL_WALL 1.05
/* Half widths of the intervals beyond which the machine was too noisy. */
#define SPREAD_NOISY 0.10

static void mark_disturbed(struct field *f)
{
	const double **series = calloc(f->nr, sizeof(*series));
	double *values = calloc(f->nr * FIELD_ROUNDS_MAX, sizeof(*values));
	size_t nr = 0;

	for (size_t i = 0; series && values && i < f->nr; i++) {
		if (f->contenders[i].status != CONTENDER_RAN)
			continue;
		/* The marks of an earlier score must not hide what they mark. */
		field_series_all(f, i, false, values + nr * FIELD_ROUNDS_MAX);
		series[nr] = values + nr * FIELD_ROUNDS_MAX;
		nr++;
	}
	f->nr_disturbed = nr ? stats_disturbed(series, nr, f->rounds, f->disturbed) : 0;
	free(series);
	free(values);
}

static double median_of_cells(const struct field *f, size_t idx,
			      double (*get)(const struct meter_cell *))
{
	const struct contender *c = &f->contenders[idx];
	double v[FIELD_ROUNDS_MAX];

	for (size_t r = 0; r < f->rounds; r++)
		v[r] = isnan(c->cells[r].cpu_ns) || f->disturbed[r] ? NAN : get(&c->cells[r]);
	return stats_median(v, f->rounds);
}

static double cell_calls(const struct meter_cell *cell)
{
	return cell->calls;
}

static double cell_switches(const struct meter_cell *cell)
{
	return cell->switches;
}

static double cell_cache(const struct meter_cell *cell)
{
	return (double)cell->cache_bytes;
}

static double cell_receiver(const struct meter_cell *cell)
{
	return cell->receiver_ns;
}

static void score_alone(struct field *f, size_t idx, uint64_t seed)
{
	const struct contender *c = &f->contenders[idx];
	struct score *s = &f->scores[idx];
	double v[FIELD_ROUNDS_MAX];

	*s = (struct score){ .verdict = STATS_INCONCLUSIVE };
	field_series(f, idx, false, v);
	s->cpu_ns = stats_bootstrap(v, f->rounds, seed);
	field_series(f, idx, true, v);
	s->wall_ns = stats_bootstrap(v, f->rounds, seed);
	s->ops_per_s = 1e9 / s->wall_ns.median;
	s->p50_ns = latency_percentile(c->latency, 0.5);
	s->p99_ns = latency_percentile(c->latency, 0.99);
	s->p999_ns = latency_percentile(c->latency, 0.999);
	s->calls = c->calls_unknown ? NAN : median_of_cells(f, idx, cell_calls);
	s->switches = median_of_cells(f, idx, cell_switches);
	s->cache_bytes = median_of_cells(f, idx, cell_cache);
	s->receiver_ns = median_of_cells(f, idx, cell_receiver);
}

static bool is_ranked(const struct field *f, size_t idx)
{
	return f->contenders[idx].status == CONTENDER_RAN && f->scores[idx].cpu_ns.nr > 0;
}

static size_t pairs_in(const double *a, const double *b, size_t rounds)
{
	size_t nr = 0;

	for (size_t r = 0; r < rounds; r++)
		nr += a[r] > 0 && b[r] > 0;
	return nr;
}

/*
 * What disturbed a round disturbed both, and a ratio takes that out: where too few pairs would
 * be left to decide anything, those of the disturbed rounds count as well.
 */
static struct stats_interval paired(const struct field *f, size_t idx, size_t base, bool wall,
				    uint64_t seed)
{
	double a[FIELD_ROUNDS_MAX], b[FIELD_ROUNDS_MAX];

	field_series(f, idx, wall, a);
	field_series(f, base, wall, b);
	if (pairs_in(a, b, f->rounds) < STATS_ROUNDS_MIN) {
		field_series_all(f, idx, wall, a);
		field_series_all(f, base, wall, b);
	}
	return stats_ratio(a, b, f->rounds, seed);
}

/* Who was dropped has too few rounds to be recommended, or to be measured against. */
static bool is_eligible(const struct field *f, size_t idx)
{
	return is_ranked(f, idx) && !f->contenders[idx].dropped;
}

/* The contender with the most rounds; among those the one with the least CPU. */
static int reference(const struct field *f)
{
	int ref = -1;

	for (size_t i = 0; i < f->nr; i++) {
		const struct stats_interval *a = &f->scores[i].cpu_ns, *b;

		if (!is_ranked(f, i))
			continue;
		b = ref < 0 ? NULL : &f->scores[ref].cpu_ns;
		if (!b || a->nr > b->nr || (a->nr == b->nr && a->median < b->median))
			ref = (int)i;
	}
	return ref;
}

/* Everyone is paired with the same reference, so that "less" cannot run in a circle. */
static int least_cpu(const struct field *f, uint64_t seed)
{
	int ref = reference(f), least = ref;
	double least_ratio = 1;

	for (size_t i = 0; ref >= 0 && i < f->nr; i++) {
		double ratio = is_eligible(f, i) ? paired(f, i, (size_t)ref, false, seed).median :
						   NAN;

		if (ratio < least_ratio) {
			least = (int)i;
			least_ratio = ratio;
		}
	}
	return least;
}

/* Among those whose CPU is as good as the least: clearly faster by the wall clock, else simpler. */
static int choose_best(const struct field *f, uint64_t seed)
{
	int least = least_cpu(f, seed), best = least;

	for (size_t i = 0; least >= 0 && i < f->nr; i++) {
		struct stats_interval cpu, wall;

		if (!is_eligible(f, i) || (int)i == best)
			continue;
		cpu = paired(f, i, (size_t)least, false, seed);
		if (!(cpu.median <= EQUAL_CPU))
			continue;
		wall = paired(f, i, (size_t)best, true, seed);
		if (wall.high < 1 / EQUAL_WALL)
			best = (int)i;
		else if (wall.low < EQUAL_WALL &&
			 f->contenders[i].mech->simplicity < f->contenders[best].mech->simplicity)
			best = (int)i;
	}
	return best;
}

static void compare_with_best(struct field *f, uint64_t seed)
{
	for (size_t i = 0; i < f->nr; i++) {
		struct score *s = &f->scores[i];

		if (!is_ranked(f, i))
			continue;
		s->ratio = paired(f, i, (size_t)f->best, false, seed);
		s->wall_ratio = paired(f, i, (size_t)f->best, true, seed);
		s->verdict = (int)i == f->best ? STATS_TIE : stats_verdict(&s->ratio);
	}
}

static double preference(const struct field *f, size_t idx)
{
	if ((int)idx == f->best)
		return -1;
	if (is_ranked(f, idx))
		return f->scores[idx].ratio.median;
	return f->contenders[idx].status == CONTENDER_VOID ? 1e30 : 1e31;
}

/* Insertion sort: stable, so that equals stay in the order of the list. */
static void put_in_order(struct field *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		size_t at = i;

		for (; at > 0 && preference(f, f->order[at - 1]) > preference(f, i); at--)
			f->order[at] = f->order[at - 1];
		f->order[at] = i;
	}
	for (size_t i = 0; i < f->nr; i++)
		f->scores[f->order[i]].rank = is_ranked(f, f->order[i]) ? (unsigned)i + 1 : 0;
}

static void judge_field(struct field *f)
{
	bool alone = true;

	f->verdict = STATS_FASTER;
	for (size_t i = 0; i < f->nr; i++) {
		if (!is_ranked(f, i) || (int)i == f->best)
			continue;
		alone = false;
		if (f->scores[i].verdict == STATS_INCONCLUSIVE)
			f->verdict = STATS_INCONCLUSIVE;
		else if (f->scores[i].verdict != STATS_SLOWER && f->verdict == STATS_FASTER)
			f->verdict = STATS_TIE;
	}
	if (alone)
		f->verdict = STATS_INCONCLUSIVE;
}

static void judge_noise(struct field *f)
{
	double cpu[FIELD_ROUNDS_MAX], wall[FIELD_ROUNDS_MAX];
	size_t nr = 0;

	for (size_t i = 0; i < f->nr && nr < FIELD_ROUNDS_MAX; i++) {
		/* Those dropped early have few rounds: their width is not the machine's fault. */
		if (!is_ranked(f, i) || (int)i == f->best || f->contenders[i].dropped)
			continue;
		cpu[nr] = stats_spread(&f->scores[i].ratio);
		wall[nr++] = stats_spread(&f->scores[i].wall_ratio);
	}
	f->cpu_spread = stats_median(cpu, nr);
	f->wall_spread = stats_median(wall, nr);
	f->state = f->cpu_spread > SPREAD_NOISY	 ? FIELD_TOO_NOISY :
		   f->wall_spread > SPREAD_NOISY ? FIELD_WALL_NOISY :
						   FIELD_QUIET;
}

void field_score(struct field *f, uint64_t seed)
{
	mark_disturbed(f);
	for (size_t i = 0; i < f->nr; i++)
		score_alone(f, i, seed);
	f->best = choose_best(f, seed);
	if (f->best >= 0)
		compare_with_best(f, seed);
	put_in_order(f);
	judge_field(f);
	judge_noise(f);
}
