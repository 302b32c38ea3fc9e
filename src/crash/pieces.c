/* SPDX-License-Identifier: MIT */
/* pieces.c - asks the file system where the data is, and copies that. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "crash/pieces.h"

#define COPY_BYTES (UINT64_C(1) << 18)

bool piece_next(int source_fd, uint64_t end, struct piece *piece)
{
	off_t data = lseek(source_fd, (off_t)piece->end, SEEK_DATA), hole;

	if (piece->end >= end || (data < 0 && errno == ENXIO))
		return false;
	piece->off = data < 0 ? piece->end : (uint64_t)data;
	hole = data < 0 ? -1 : lseek(source_fd, data, SEEK_HOLE);
	piece->end = hole < 0 || (uint64_t)hole > end ? end : (uint64_t)hole;
	return piece->off < end;
}

static int write_all(int fd, const char *buf, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		buf += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_by_hand(int target_fd, int source_fd, uint64_t off, uint64_t len)
{
	char *buf = malloc(len < COPY_BYTES ? len : COPY_BYTES);
	int err = buf ? 0 : -ENOMEM;

	while (!err && len) {
		ssize_t n = pread(source_fd, buf, len < COPY_BYTES ? len : COPY_BYTES, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		err = n < 0 ? -errno : n == 0 ? -ESTALE : write_all(target_fd, buf, (size_t)n, off);
		off += n > 0 ? (uint64_t)n : 0;
		len -= n > 0 ? (uint64_t)n : 0;
	}
	free(buf);
	return err;
}

int piece_copy(int target_fd, int source_fd, uint64_t off, uint64_t len)
{
	while (len) {
		off_t from = (off_t)off, to = (off_t)off;
		ssize_t n = copy_file_range(source_fd, &from, target_fd, &to, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* by hand it will be seen why */
			return copy_by_hand(target_fd, source_fd, off, len);
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int pieces_copy(int target_fd, int source_fd, uint64_t len)
{
	struct piece piece = { 0 };
	int err = 0;

	while (!err && piece_next(source_fd, len, &piece))
		err = piece_copy(target_fd, source_fd, piece.off, piece.end - piece.off);
	return err;
}
