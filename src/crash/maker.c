/* SPDX-License-Identifier: MIT */
/* maker.c - replay, view and state in their order. */
#include <errno.h>

#include "crash/maker.h"

int maker_init(struct maker *maker, const struct replay_opts *opts, const char *const *ignore)
{
	*maker = (struct maker){ .ignore = ignore };
	return replay_create(opts, &maker->replay);
}

void maker_fini(struct maker *maker)
{
	view_release(&maker->view);
	state_release(&maker->state);
	replay_destroy(maker->replay);
	*maker = (struct maker){ 0 };
}

int maker_seek(struct maker *maker, uint64_t dropped, uint64_t point)
{
	struct replay *replay = maker->replay;
	int err = 0;

	if (point > crash_trace_nr(replay->opts.trace))
		return -ERANGE;
	if (replay->at > point || replay->opts.dropped != dropped) {
		maker->is_viewed = false;
		err = replay_rewind(replay, dropped);
	}
	if (replay->at < point)
		maker->is_viewed = false;
	return err ? err : replay_to(replay, point);
}

int maker_build(struct maker *maker, bool garbage)
{
	int err = 0;

	if (!maker->is_viewed || maker->view.garbage != garbage) {
		maker->view.garbage = garbage;
		err = view_make(&maker->view, maker->replay);
		maker->is_viewed = !err;
	}
	return err ? err : state_make(&maker->state, &maker->view, maker->ignore);
}

int maker_make(struct maker *maker, const struct spec *spec)
{
	int err = maker_seek(maker, spec->dropped, spec->point);

	if (!err)
		err = spec_choose(spec, maker_volume(maker));
	return err ? err : maker_build(maker, spec->class == CRASH_GARBAGE);
}
