/* SPDX-License-Identifier: MIT */
/* assert.h - SL_ASSERT: bugs are asserts, events are errors; on in release too. */
#ifndef SLUICE_BASE_ASSERT_H
#define SLUICE_BASE_ASSERT_H

#include <sluice/err.h>

#define SL_LIKELY(cond)	  __builtin_expect(!!(cond), 1)
#define SL_UNLIKELY(cond) __builtin_expect(!!(cond), 0)

/* Off the path that every op takes: kept out of line, so that the path saves no registers
 * for it; SL_COLD for what is rare on top of that. */
#define SL_NOINLINE __attribute__((noinline))
#define SL_COLD	    __attribute__((noinline, cold))

#define SL_ASSERT(cond) ((void)(SL_LIKELY(cond) || (sl_assert_fail(__FILE__, __LINE__, #cond), 0)))

/* Compares two integers and prints both values when it fails. */
#define SL_ASSERT_CMP(a, op, b)                                                               \
	((void)(SL_LIKELY((a)op(b)) ||                                                        \
		(sl_assert_fail_values(__FILE__, __LINE__, #a " " #op " " #b, (long long)(a), \
				       (long long)(b)),                                       \
		 0)))

void sl_assert_fail_values(const char *file, int line, const char *what, long long left,
			   long long right) SL_NORETURN;

#endif
