/* own_ring.h: libsluice's ring for contenders of every kind of work, through its public headers
 * alone. */
#ifndef SLUICE_TOOLS_BENCH_OWN_RING_H
#define SLUICE_TOOLS_BENCH_OWN_RING_H

#include <sluice/ring.h>

#include "mechanisms.h"

/**
 * own_ring_open - open a ring on one backend and no other.
 * @backend: "uring" or "epoll".
 * @depth: operations in flight.
 * @ret_ring: the ring; untouched on failure.
 *
 * A turn waits for a quarter of the depth, like that of every other queued contender.
 *
 * Return: 0 or -errno of sl_ring_open().
 */
int own_ring_open(const char *backend, unsigned depth, struct sl_ring **ret_ring);

/**
 * own_ring_lacks - say why such a ring did not open.
 * @c: the contender.
 * @backend: as above.
 * @err: of own_ring_open().
 *
 * Return: always -ENOSYS.
 */
int own_ring_lacks(struct contender *c, const char *backend, int err);

/**
 * own_ring_try - see whether such a ring opens, and say what lacks.
 * @c: the contender.
 * @backend: as above.
 *
 * Return: 0, or -ENOSYS with contender_lacks() called.
 */
int own_ring_try(struct contender *c, const char *backend);

/**
 * own_ring_calls - system calls so far; of worker threads one for each op they ran.
 * @ring: borrowed.
 *
 * Return: the count.
 */
uint64_t own_ring_calls(const struct sl_ring *ring);

#endif
