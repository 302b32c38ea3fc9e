/* SPDX-License-Identifier: MIT */
/* bits.h - rounding, powers of two and overflow checks on sizes. */
#ifndef SLUICE_BASE_BITS_H
#define SLUICE_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool sl_is_pow2(uint64_t value)
{
	return value && !(value & (value - 1));
}

/* align is a power of two. */
static inline uint64_t sl_round_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

static inline uint64_t sl_round_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

/* The smallest power of two >= value; value 1..2^31. */
static inline uint32_t sl_pow2_from(uint32_t value)
{
	return value <= 1 ? 1 : 1u << (32 - __builtin_clz(value - 1));
}

/* floor(log2(value)), 0 for 0. */
static inline unsigned sl_log2(uint64_t value)
{
	return value ? 63 - (unsigned)__builtin_clzll(value) : 0;
}

/* nr * bytes into *ret; false when it does not fit. */
static inline bool sl_size_mul(size_t nr, size_t bytes, size_t *ret)
{
	return !__builtin_mul_overflow(nr, bytes, ret);
}

/* Options grow by size: those of a newer caller are known here if all that they
 * have beyond ours is zero. size 0 means the fields of version 0.1. */
static inline bool sl_opts_known(const void *opts, size_t size, size_t our_size)
{
	const char *bytes = opts;

	if (size && size < our_size)
		return false;
	for (size_t i = our_size; i < size; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

#endif
