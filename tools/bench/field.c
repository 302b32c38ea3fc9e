/* field.c: gathers the contenders of a workload. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "field.h"
#include "mechanisms.h"

/* How close to the next one somebody simpler may come to be named in its place. */
#define RUNNER_UP_CLOSE 1.05

static const enum mechanism_mode modes[] = { MODE_BUFFERED, MODE_DONTCACHE, MODE_DIRECT };

static void name_contender(struct contender *c)
{
	const char *mode = c->mode == MODE_DIRECT    ? " O_DIRECT" :
			   c->mode == MODE_DONTCACHE ? " DONTCACHE" :
						       "";

	/* Where all are alike the mode goes without saying. */
	if (c->work->modes == (unsigned)c->mode)
		mode = "";

	if (c->mech->queued)
		snprintf(c->name, sizeof(c->name), "%s%s x%u", c->mech->name, mode, c->depth);
	else
		snprintf(c->name, sizeof(c->name), "%s%s", c->mech->name, mode);
}

/* Takes a seat if it is wanted; -ENOMEM when there is none left. */
static int seat(struct field *f, const struct mechanism *mech, enum mechanism_mode mode,
		unsigned depth, bool (*wanted)(void *ctx, const struct contender *c), void *ctx)
{
	struct contender *c = &f->contenders[f->nr];

	if (f->nr == FIELD_CONTENDERS_MAX)
		return -ENOMEM;
	*c = (struct contender){ .mech = mech,
				 .work = &f->work,
				 .env = &f->env,
				 .mode = mode,
				 .depth = depth,
				 .fd = -1 };
	name_contender(c);
	if (wanted && !wanted(ctx, c))
		return 0;
	c->latency = calloc(1, sizeof(*c->latency));
	c->cells = calloc(FIELD_ROUNDS_MAX, sizeof(*c->cells));
	f->nr++;
	if (!c->latency || !c->cells)
		return -ENOMEM;
	for (size_t r = 0; r < FIELD_ROUNDS_MAX; r++)
		c->cells[r].cpu_ns = c->cells[r].wall_ns = NAN;
	return 0;
}

static int seat_modes(struct field *f, const struct mechanism *mech, unsigned depth,
		      bool (*wanted)(void *ctx, const struct contender *c), void *ctx)
{
	int err = 0;

	if (!f->work.modes)
		return seat(f, mech, MODE_BUFFERED, depth, wanted, ctx);
	for (size_t i = 0; !err && i < sizeof(modes) / sizeof(*modes); i++) {
		if (mech->modes & f->work.modes & modes[i])
			err = seat(f, mech, modes[i], depth, wanted, ctx);
	}
	return err;
}

int field_make(struct field *f, const unsigned *depths, size_t nr_depths,
	       bool (*wanted)(void *ctx, const struct contender *c), void *ctx)
{
	int err = 0;

	f->best = -1;
	f->contenders = calloc(FIELD_CONTENDERS_MAX, sizeof(*f->contenders));
	f->scores = calloc(FIELD_CONTENDERS_MAX, sizeof(*f->scores));
	f->order = calloc(FIELD_CONTENDERS_MAX, sizeof(*f->order));
	if (!f->contenders || !f->scores || !f->order)
		return -ENOMEM;
	for (const struct mechanism *const *m = mechanisms_all(); *m && !err; m++) {
		if ((*m)->kind != f->work.kind)
			continue;
		for (size_t i = 0; !err && i < ((*m)->queued ? nr_depths : 1); i++)
			err = seat_modes(f, *m, (*m)->queued ? depths[i] : 1, wanted, ctx);
	}
	return err;
}

size_t field_players(const struct field *f)
{
	size_t nr = 0;

	for (size_t i = 0; i < f->nr; i++)
		nr += f->contenders[i].status == CONTENDER_RAN;
	return nr;
}

void field_free(struct field *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		free(f->contenders[i].latency);
		free(f->contenders[i].cells);
	}
	free(f->contenders);
	free(f->scores);
	free(f->order);
	f->contenders = NULL;
	f->scores = NULL;
	f->order = NULL;
	f->nr = 0;
}

void field_series_all(const struct field *f, size_t idx, bool wall, double *ret)
{
	const struct meter_cell *cells = f->contenders[idx].cells;

	for (size_t r = 0; r < FIELD_ROUNDS_MAX; r++)
		ret[r] = r >= f->rounds ? NAN : wall ? cells[r].wall_ns : cells[r].cpu_ns;
}

void field_series(const struct field *f, size_t idx, bool wall, double *ret)
{
	field_series_all(f, idx, wall, ret);
	for (size_t r = 0; r < f->rounds; r++) {
		if (f->disturbed[r])
			ret[r] = NAN;
	}
}

int field_runner_up(const struct field *f)
{
	int next = -1;

	for (size_t i = 0; f->best >= 0 && i < f->nr; i++) {
		size_t idx = f->order[i];
		const struct contender *c = &f->contenders[idx];
		double ratio = f->scores[idx].ratio.median;

		if (f->scores[idx].rank < 2 || c->mech == f->contenders[f->best].mech)
			continue;
		if (next < 0)
			next = (int)idx;
		else if (ratio <= f->scores[next].ratio.median * RUNNER_UP_CLOSE &&
			 c->mech->simplicity < f->contenders[next].mech->simplicity)
			return (int)idx;
	}
	return next;
}
