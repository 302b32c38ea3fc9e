/* SPDX-License-Identifier: MIT */
/* random.h - the one source of chance: splitmix64 (Steele, Lea and Flood, OOPSLA '14), seeded. */
#ifndef SLUICE_MODEL_RANDOM_H
#define SLUICE_MODEL_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct model_random {
	uint64_t state;
};

static inline uint64_t model_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t model_random(struct model_random *random)
{
	return model_mix(random->state += 0x9e3779b97f4a7c15u);
}

/* 0 .. below - 1; below > 0. Lemire's multiplication; its bias is below 2^-32 for
 * the small numbers used here. */
static inline uint64_t model_random_below(struct model_random *random, uint64_t below)
{
	return (uint64_t)(((unsigned __int128)model_random(random) * below) >> 64);
}

/* True in chance cases out of a million. */
static inline bool model_random_chance(struct model_random *random, uint32_t per_million)
{
	return per_million && model_random_below(random, 1000000) < per_million;
}

#endif
