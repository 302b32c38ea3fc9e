/*
 * pump.h: the closed loop that keeps a queue full: refill free slots, take a turn, until done.
 *
 * Every queued mechanism uses this one loop, so that they differ in nothing but themselves:
 * each turn submits what was started, waits for some completions, then collects all there are.
 */
#ifndef SLUICE_TOOLS_BENCH_PUMP_H
#define SLUICE_TOOLS_BENCH_PUMP_H

#include <errno.h>

#include "mechanisms.h"

struct pump {
	uint64_t done;
	unsigned nr_free;
	uint8_t free[CONTENDER_DEPTH_MAX];
	int error;
	struct stream_op op[CONTENDER_DEPTH_MAX];
};

/* Puts one operation into the mechanism's queue; 0 or -errno. */
typedef int pump_start_fn(struct contender *c, unsigned slot, struct stream_op op);

/* Submits, waits for pump_await() completions, and calls pump_done() for every completion; 0 or
 * -errno. */
typedef int pump_turn_fn(struct contender *c, struct pump *p);

/**
 * pump_done - an operation has completed.
 * @c: the contender.
 * @p: the loop.
 * @slot: its slot.
 * @result: bytes, or -errno.
 */
static inline void pump_done(struct contender *c, struct pump *p, unsigned slot, int64_t result)
{
	contender_finish(c, slot);
	contender_check(c, contender_block(c, slot), p->op[slot].off);
	p->free[p->nr_free++] = (uint8_t)slot;
	p->done++;
	if (result != (int64_t)c->work->block_bytes)
		p->error = result < 0 ? (int)result : -ENODATA;
}

/**
 * pump_await - how many completions a turn waits for: a quarter of the depth.
 * @c: the contender.
 * @p: the loop.
 *
 * A single completion would wake the thread for each request; a quarter keeps three quarters
 * of the depth busy meanwhile. The same for every mechanism that can wait for more than one.
 *
 * Return: 1 at least, and never more than are in flight.
 */
static inline unsigned pump_await(const struct contender *c, const struct pump *p)
{
	unsigned in_flight = c->depth - p->nr_free, quarter = c->depth > 4 ? c->depth / 4 : 1;

	return quarter < in_flight ? quarter : in_flight;
}

/**
 * pump_run - do @nr operations of the stream.
 * @c: the contender.
 * @nr: how many.
 * @start: of the mechanism; inlined.
 * @turn: of the mechanism; inlined.
 *
 * After an error nothing new is started, but what is in flight is still reaped.
 *
 * Return: 0 or the first -errno.
 */
static inline __attribute__((always_inline)) int pump_run(struct contender *c, uint64_t nr,
							  pump_start_fn *start, pump_turn_fn *turn)
{
	struct pump p = { .nr_free = c->depth };
	uint64_t next = 0;

	for (unsigned i = 0; i < c->depth; i++)
		p.free[i] = (uint8_t)(c->depth - 1 - i);
	while (p.done < next || (next < nr && !p.error)) {
		int err;

		while (p.nr_free && next < nr && !p.error) {
			unsigned slot = p.free[--p.nr_free];

			p.op[slot] = stream_at(c->env->stream, next++);
			if (p.op[slot].write)
				stream_stamp(c, contender_block(c, slot), p.op[slot].off);
			contender_start(c, slot);
			err = start(c, slot, p.op[slot]);
			if (err)
				return err;
		}
		err = turn(c, &p);
		if (err)
			return err;
	}
	return p.error ? p.error : stream_settle(c);
}

#endif
