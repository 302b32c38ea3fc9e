/* own_ring.c: opens and counts libsluice's ring. */
#include <string.h>

#include "own_ring.h"

/* Long enough for a quarter of any depth to complete, short enough not to hang on stragglers. */
#define WAIT_NS 1000000

int own_ring_open(const char *backend, unsigned depth, struct sl_ring **ret_ring)
{
	const struct sl_ring_opts opts = {
		.flags = SL_RING_NO_FALLBACK,
		.depth = depth,
		.wait_batch = depth > 4 ? depth / 4 : 1,
		.wait_ns = WAIT_NS,
		.backend = backend,
	};

	unsigned tries = 0;
	int err;

	do {
		err = sl_ring_open(&opts, ret_ring);
	} while (contender_try_again(err, &tries));
	return err;
}

int own_ring_lacks(struct contender *c, const char *backend, int err)
{
	if (strcmp(backend, "uring") == 0)
		return contender_lacks_uring(c, err);
	return contender_lacks_errno(c, "sl_ring_open", err);
}

int own_ring_try(struct contender *c, const char *backend)
{
	struct sl_ring *ring;
	int err = own_ring_open(backend, c->depth, &ring);

	if (err)
		return own_ring_lacks(c, backend, err);
	sl_ring_close(ring);
	return 0;
}

uint64_t own_ring_calls(const struct sl_ring *ring)
{
	struct sl_ring_stats stats;

	if (sl_ring_stats(ring, -1, &stats) < 0)
		return 0;
	return stats.enters + stats.inlined + stats.worked;
}
