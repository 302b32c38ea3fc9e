/* random.h: the generator every shuffle, offset and resample of a run comes from; one seed replays
 * them. */
#ifndef SLUICE_TOOLS_BENCH_RANDOM_H
#define SLUICE_TOOLS_BENCH_RANDOM_H

#include <stdint.h>

/**
 * random_next - the next number of splitmix64 (Steele, Lea, Flood 2014).
 * @state: any value begins it; advanced.
 *
 * Return: 64 random bits.
 */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/**
 * random_below - a number in 0..@bound-1.
 * @state: advanced.
 * @bound: 1..2^32; the bias of the multiply is below 2^-32.
 *
 * Return: the number.
 */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
	return ((random_next(state) >> 32) * bound) >> 32;
}

#endif
