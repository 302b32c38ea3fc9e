/* SPDX-License-Identifier: MIT */
/* pieces.h - copies a file without its holes. */
#ifndef SL_CRASH_PIECES_H
#define SL_CRASH_PIECES_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes off to end of a file; begins as { 0 }. */
struct piece {
	uint64_t off;
	uint64_t end;
};

/**
 * piece_next - the next piece of data behind this one, as far as it lies below end.
 *
 * On a file system that knows no holes all is one piece.
 */
bool piece_next(int source_fd, uint64_t end, struct piece *piece);

/**
 * piece_copy - copy a range to the same place of another file, by the kernel where it can.
 *
 * Return: 0; -ESTALE when the source ends before; -errno.
 */
int piece_copy(int target_fd, int source_fd, uint64_t off, uint64_t len);

/**
 * pieces_copy - copy the first len bytes, piece by piece, into a file that is new.
 */
int pieces_copy(int target_fd, int source_fd, uint64_t len);

#endif
