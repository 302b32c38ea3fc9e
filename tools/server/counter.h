/* counter.h: a number that one thread counts up and any thread may read. */
#ifndef SLUICE_TOOLS_SERVER_COUNTER_H
#define SLUICE_TOOLS_SERVER_COUNTER_H

#include <stdint.h>

/* Pairs with server_count_read(): any thread may read, and sees some recent value. */
static inline void server_count(uint64_t *counter, uint64_t add)
{
	__atomic_store_n(counter, *counter + add, __ATOMIC_RELAXED);
}

static inline uint64_t server_count_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
