/* SPDX-License-Identifier: MIT */
/* ring_end.h - the sizes of a ring's arrays, and giving them back. */
#ifndef SLUICE_ENGINE_RING_END_H
#define SLUICE_ENGINE_RING_END_H

#include "engine/engine.h"

/* An event for each op in flight, and as many again for MULTI. */
static inline uint32_t ring_event_entries(const struct sl_ring_opts *opts)
{
	return sl_pow2_from(opts->depth * 2 < 64 ? 64 : opts->depth * 2);
}

static inline uint32_t ring_fd_buckets(const struct sl_ring_opts *opts)
{
	return sl_pow2_from(opts->depth);
}

/* The ring broke with an op under way whose caller waits no longer: its memory is the caller's
 * again, with the error as its result. Only one can have been started. */
void ring_abandon(struct sl_ring *ring, struct sl_op *op);

/* Takes a half-made ring; forked: only this process's copy. */
void ring_free_all(struct sl_ring *ring, bool forked);

#endif
