/* SPDX-License-Identifier: MIT */
/* cached.h - what of a file is in the page cache. */
#ifndef SLUICE_ENGINE_CACHED_H
#define SLUICE_ENGINE_CACHED_H

#include <stdint.h>

/**
 * cached_prefix() - how much can be sent from a place in a file without waiting for its disk.
 * @fd: a file, open for reading.
 * @off: where.
 * @len: bytes wanted, > 0.
 *
 * Looked at in pieces of 256 KiB; a piece that is there only in part counts as none.
 *
 * Return: bytes, at most len; 0 at the end of the file; -ENODATA: none; or -errno.
 */
int64_t cached_prefix(int fd, uint64_t off, uint64_t len);

#endif
