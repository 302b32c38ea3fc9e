/* SPDX-License-Identifier: MIT */
/* crc32c.h - CRC-32C (Castagnoli), as iSCSI, ext4 and btrfs use it. */
#ifndef SLUICE_BASE_CRC32C_H
#define SLUICE_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The register over len more bytes. Start from any value that is not zero, so
 * that zeros do not check as themselves; sl_crc32c() is the standard's way. */
uint32_t sl_crc32c_update(uint32_t state, const void *data, size_t len);

/* The standard's checksum of a whole: register of ones at the start, inverted at
 * the end. sl_crc32c("123456789") is 0xe3069283. */
static inline uint32_t sl_crc32c(const void *data, size_t len)
{
	return ~sl_crc32c_update(~UINT32_C(0), data, len);
}

/* The same register by table, on any processor. */
uint32_t sl_crc32c_table(uint32_t state, const void *data, size_t len);

/* Moves *state on by the processor's instruction; false when it has none. */
bool sl_crc32c_fast(uint32_t *state, const void *data, size_t len);

#endif
