/* advice.c: choice, why, when not; never a "best" without its interval. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advice.h"

static int digits_after_point(double v)
{
	return v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
}

const char *advice_duration(double ns, char *buf)
{
	static const char *const units[] = { "ns", "µs", "ms", "s" };
	unsigned unit = 0;

	if (isnan(ns)) {
		strcpy(buf, "-");
		return buf;
	}
	while (ns >= 999.5 && unit < 3) {
		ns /= 1000;
		unit++;
	}
	snprintf(buf, 24, "%.*f %s", unit ? digits_after_point(ns) : 0, ns, units[unit]);
	return buf;
}

const char *advice_count(double v, char *buf)
{
	static const char *const units[] = { "", " k", " M", " G" };
	unsigned unit = 0;

	if (isnan(v) || isinf(v)) {
		strcpy(buf, "-");
		return buf;
	}
	while (v >= 999.5 && unit < 3) {
		v /= 1000;
		unit++;
	}
	snprintf(buf, 24, "%.*f%s", unit || v < 10 ? digits_after_point(v) : 0, v, units[unit]);
	return buf;
}

const char *advice_per_gb(double ns, uint64_t bytes, char *buf)
{
	double v = ns / (double)bytes;

	if (isnan(v))
		strcpy(buf, "-");
	else
		snprintf(buf, 24, "%.*f", v < 0.9995 ? 3 : digits_after_point(v), v);
	return buf;
}

/* At most five columns, so that three of them fit a column of the table. */
static const char *factor(double v, char *buf)
{
	if (v >= 9999.5)
		snprintf(buf, 24, "%.0fk", v / 1000);
	else
		snprintf(buf, 24, "%.*f", digits_after_point(v), v);
	return buf;
}

const char *advice_ratio(const struct stats_interval *r, const char *sign, char *buf, size_t size)
{
	char median[24], low[24], high[24];

	snprintf(buf, size, "%s%s [%s–%s]", factor(r->median, median), sign, factor(r->low, low),
		 factor(r->high, high));
	return buf;
}

static const char *ratio_words(const struct stats_interval *r, char *buf, size_t size)
{
	return advice_ratio(r, "×", buf, size);
}

/* Whether a contender is simpler than the recommended one, which then was chosen for its speed. */
static bool is_simpler(const struct field *f, size_t idx)
{
	return f->contenders[idx].mech->simplicity < f->contenders[f->best].mech->simplicity;
}

const char *advice_reason(const struct field *f, size_t idx, char *buf, size_t size)
{
	const struct contender *c = &f->contenders[idx];
	const struct score *s = &f->scores[idx];
	char ratio[64];

	if (!s->rank) {
		snprintf(buf, size, "%s",
			 *c->reason ? c->reason : "too few rounds for a rank: give more time");
		return buf;
	}
	if ((int)idx == f->best)
		snprintf(buf, size, "%s", c->mech->why);
	else if (s->verdict == STATS_SLOWER)
		snprintf(buf, size, "takes %s the CPU; %s",
			 ratio_words(&s->ratio, ratio, sizeof(ratio)), c->mech->why);
	else if (s->verdict == STATS_TIE)
		snprintf(buf, size, "ties on CPU, %s; %s",
			 ratio_words(&s->ratio, ratio, sizeof(ratio)), c->mech->why);
	else if (s->verdict == STATS_FASTER)
		snprintf(buf, size, "takes a little less CPU, %s, but %s",
			 ratio_words(&s->ratio, ratio, sizeof(ratio)),
			 is_simpler(f, idx) ? "more time" : "is harder to use");
	else if (s->ratio.nr < STATS_ROUNDS_MIN)
		snprintf(buf, size,
			 "has too few rounds to be told apart, %s of the CPU; give more time",
			 ratio_words(&s->ratio, ratio, sizeof(ratio)));
	else
		snprintf(buf, size, "cannot be told apart here, %s of the CPU",
			 ratio_words(&s->ratio, ratio, sizeof(ratio)));
	return buf;
}

/* The largest wall-clock advantage anyone has over the recommended one, if it is certain. */
static int clearly_faster(const struct field *f)
{
	int idx = -1;

	for (size_t i = 0; i < f->nr; i++) {
		const struct stats_interval *wall = &f->scores[i].wall_ratio;

		if (!f->scores[i].rank || wall->nr < STATS_ROUNDS_MIN || !(wall->high < 0.9))
			continue;
		if (idx < 0 || wall->median < f->scores[idx].wall_ratio.median)
			idx = (int)i;
	}
	return idx;
}

/* How the recommended one stands against the runner-up, by the latter's verdict. */
struct standing {
	const char *before, *between, *after;
};

static const struct standing standings[] = {
	[STATS_SLOWER] = { ": ", " takes ", " the CPU" },
	[STATS_TIE] = { "; on CPU it ties with ", ", ", "" },
	[STATS_FASTER] = { "; it is simpler than ", ", which takes ", " the CPU" },
	[STATS_INCONCLUSIVE] = { "; but it could not be told apart from ", ", ", " the CPU" },
};

/* Not the numbers are to blame, there are too few of them. */
static const struct standing hardly_met = { "; but too few rounds tell it apart from ", ", ",
					    " the CPU" };

/* Of those that take about as little CPU it is the one that takes less time. */
static const struct standing chosen_for_speed = { "; it takes less time than ", ", which takes ",
						  " the CPU" };

static void say_because(const struct field *f, struct advice *a)
{
	const struct contender *c = &f->contenders[f->best];
	int next = field_runner_up(f);
	const struct standing *stand;
	char ratio[64];

	if (next < 0) {
		snprintf(a->because, sizeof(a->because), "%s; nothing else could be compared",
			 c->mech->why);
		return;
	}
	ratio_words(&f->scores[next].ratio, ratio, sizeof(ratio));
	stand = &standings[f->scores[next].verdict];
	if (f->scores[next].verdict == STATS_FASTER && is_simpler(f, (size_t)next))
		stand = &chosen_for_speed;
	if (f->scores[next].ratio.nr < STATS_ROUNDS_MIN)
		stand = &hardly_met;
	snprintf(a->because, sizeof(a->because), "%s%s%s%s%s%s", c->mech->why, stand->before,
		 f->contenders[next].name, stand->between, ratio, stand->after);
}

static void say_next(const struct field *f, struct advice *a)
{
	int faster = clearly_faster(f);

	if (faster >= 0)
		snprintf(a->next, sizeof(a->next),
			 "%s when time counts more than CPU: %.1f× as fast [%.1f–%.1f] for %.1f× "
			 "the CPU",
			 f->contenders[faster].name, 1 / f->scores[faster].wall_ratio.median,
			 1 / f->scores[faster].wall_ratio.high,
			 1 / f->scores[faster].wall_ratio.low, f->scores[faster].ratio.median);
}

static void say_noise(const struct field *f, struct advice *a)
{
	int n = 0;

	if (f->state == FIELD_TOO_NOISY)
		n = snprintf(a->noise, sizeof(a->noise),
			     "the machine was too noisy: CPU ratios spread by ±%.0f %%, believe no "
			     "small difference",
			     f->cpu_spread * 100);
	else if (f->state == FIELD_WALL_NOISY)
		n = snprintf(a->noise, sizeof(a->noise),
			     "wall-clock numbers spread by ±%.0f %%: the CPU ranking is solid, the "
			     "speeds are not",
			     f->wall_spread * 100);
	else if (!isnan(f->cpu_spread))
		n = snprintf(a->noise, sizeof(a->noise),
			     "quiet enough: CPU ±%.1f %%, wall ±%.1f %%", f->cpu_spread * 100,
			     f->wall_spread * 100);
	else
		n = snprintf(a->noise, sizeof(a->noise), "nothing to compare");
	if (f->rounds && n > 0 && (size_t)n < sizeof(a->noise))
		snprintf(a->noise + n, sizeof(a->noise) - (size_t)n,
			 " (CPU pressure %.0f %%, stolen %.0f %%, %zu of %zu rounds disturbed)",
			 f->noise.cpu_pressure * 100, f->noise.steal * 100, f->nr_disturbed,
			 f->rounds);
}

void advice_give(const struct field *f, struct advice *ret)
{
	memset(ret, 0, sizeof(*ret));
	say_noise(f, ret);
	if (f->best < 0)
		return;
	snprintf(ret->choose, sizeof(ret->choose), "%s", f->contenders[f->best].name);
	say_because(f, ret);
	snprintf(ret->but, sizeof(ret->but), "%s", f->contenders[f->best].mech->unless);
	say_next(f, ret);
}
