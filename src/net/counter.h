/* SPDX-License-Identifier: MIT */
/* counter.h - numbers that one thread counts and any thread may read. */
#ifndef SLUICE_NET_COUNTER_H
#define SLUICE_NET_COUNTER_H

#include <stdint.h>

/* The owner alone writes: a plain load will do. Relaxed: pairs with the load in
 * counter_read(), and orders nothing. */
static inline void counter_add(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static inline void counter_sub(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, *counter - value, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Adds nr counters to as many plain numbers. */
static inline void counters_sum(uint64_t *ret, const uint64_t *counters, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		ret[i] += counter_read(&counters[i]);
}

#endif
