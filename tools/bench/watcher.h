/*
 * watcher.h: what every contender that waits for one of many idle descriptors shares.
 *
 * One operation wakes a random descriptor (write), waits until it is reported, and drains it
 * (read). Descriptors are registered before each block and unregistered after it: every wakeup
 * would else run through the wait queues of the contenders that are not running.
 */
#ifndef SLUICE_TOOLS_BENCH_WATCHER_H
#define SLUICE_TOOLS_BENCH_WATCHER_H

#include <errno.h>
#include <unistd.h>

#include "crowd.h"
#include "mechanisms.h"
#include "random.h"

/* Waits until descriptor @idx of the crowd is reported and drained; 0 or -errno. */
typedef int watcher_fn(struct contender *c, unsigned idx);

/**
 * watcher_drain - read the one event of a descriptor.
 * @c: the contender; its call is counted.
 * @fd: the descriptor that was reported.
 *
 * Return: 0, -errno, or -EBADMSG when it held anything but one event.
 */
static inline int watcher_drain(struct contender *c, int fd)
{
	uint64_t value;

	c->calls++;
	if (read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value))
		return -errno;
	return value == 1 ? 0 : -EBADMSG;
}

/**
 * watcher_run - wake, wait, drain.
 * @c: the contender.
 * @nr: how often.
 * @watch: of the mechanism; inlined.
 *
 * Return: 0 or the first -errno.
 */
static inline __attribute__((always_inline)) int watcher_run(struct contender *c, uint64_t nr,
							     watcher_fn *watch)
{
	static const uint64_t one = 1;
	const struct crowd *crowd = c->env->crowd;
	uint64_t state = c->env->round_seed;

	for (uint64_t i = 0; i < nr; i++) {
		unsigned idx = (unsigned)random_below(&state, crowd->nr);
		int err;

		contender_start(c, 0);
		c->calls++;
		if (write(crowd->fd[idx], &one, sizeof(one)) != (ssize_t)sizeof(one))
			return -errno;
		err = watch(c, idx);
		contender_finish(c, 0);
		if (err)
			return err;
	}
	return 0;
}

#endif
