/* scratch.c: mkostemp(3), unlink(2) at once, and /proc to open it again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pairs.h"
#include "scratch.h"

#define CHUNK (1 << 20)

static int fill(struct scratch *s)
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	uint64_t state = s->size;

	for (uint64_t off = 0; off < s->size; off += CHUNK) {
		ssize_t len;

		for (unsigned i = 0; i < CHUNK / sizeof(uint64_t); i++)
			chunk[i] = pairs_random(&state);
		len = pwrite(s->fd, chunk, CHUNK, (off_t)off);
		if (len != CHUNK)
			return len < 0 ? -errno : -ENOSPC;
	}
	return fdatasync(s->fd) ? -errno : 0;
}

int scratch_make(struct scratch *s, const char *dir, uint64_t size)
{
	char name[4096];
	int err;

	snprintf(name, sizeof(name), "%s/bench-XXXXXX", dir);
	s->fd = mkostemp(name, O_CLOEXEC);
	if (s->fd < 0) {
		err = -errno;
	} else {
		unlink(name);
		s->size = size;
		snprintf(s->path, sizeof(s->path), "/proc/%d/fd/%d", (int)getpid(), s->fd);
		err = fill(s);
	}
	if (err)
		fprintf(stderr, "bench: %s: cannot make a file of %llu MiB: %s\n", dir,
			(unsigned long long)size >> 20, strerror(-err));
	return err;
}

int scratch_cool(const struct scratch *s)
{
	if (fdatasync(s->fd))
		return -errno;
	return -posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
}

void scratch_close(struct scratch *s)
{
	close(s->fd);
	s->fd = -1;
}
