/* Timing of single calls. */
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "tools/probe/cost.h"

uint64_t cost_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t cost_median_ns(unsigned samples, int64_t *ret_err, int64_t (*step)(void *ctx), void *ctx)
{
	uint64_t took[COST_SAMPLES_MAX];

	assert(samples && samples <= COST_SAMPLES_MAX);
	for (unsigned i = 0; i < samples; i++) {
		uint64_t start = cost_now_ns();
		int64_t res = step(ctx);

		took[i] = cost_now_ns() - start;
		if (res < 0) {
			if (ret_err)
				*ret_err = res;
			return 0;
		}
	}
	qsort(took, samples, sizeof(took[0]), by_value);
	return took[samples / 2] ? took[samples / 2] : 1;
}
