/* latency.c: reading percentiles out of a log-linear histogram. */
#include <math.h>
#include <string.h>

#include "latency.h"

#define BEYOND_MIN 10

double latency_bucket_ns(unsigned idx)
{
	unsigned octave = idx / LATENCY_SUB;
	double width;

	if (octave == 0)
		return idx;
	width = ldexp(1, (int)octave - 1);
	return (LATENCY_SUB + idx % LATENCY_SUB) * width + width / 2;
}

double latency_percentile(const struct latency *l, double share)
{
	uint64_t wanted = (uint64_t)ceil(share * (double)l->count);
	uint64_t seen = 0;

	/* The epsilon forgives the rounding of 1 - share: 10,000 samples do for p99.9. */
	if ((double)l->count * (1 - share) < BEYOND_MIN - 1e-6)
		return NAN;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += l->bucket[i];
		if (seen >= wanted)
			return latency_bucket_ns(i);
	}
	return NAN;
}

void latency_reset(struct latency *l)
{
	memset(l, 0, sizeof(*l));
}
