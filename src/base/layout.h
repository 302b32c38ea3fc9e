/* SPDX-License-Identifier: MIT */
/* layout.h - several arrays in one allocation: where each of them begins. */
#ifndef SL_BASE_LAYOUT_H
#define SL_BASE_LAYOUT_H

#include <stddef.h>

#include "base/bits.h"

#define SL_LAYOUT_ALIGN 64 /* a line of the cache */

/* Where the next part of so many bytes begins; *total grows by it, rounded up. */
static inline size_t sl_layout_part(size_t *total, size_t bytes)
{
	size_t at = *total;

	*total += sl_round_up(bytes, SL_LAYOUT_ALIGN);
	return at;
}

#endif
