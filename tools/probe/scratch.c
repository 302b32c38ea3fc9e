/* The scratch file and what of it is cached. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/cachestat.h"
#include "sys/rw.h"
#include "tools/probe/scratch.h"

static uint64_t word_at(uint64_t off, uint64_t seed)
{
	return (off + 1) * 0x9e3779b97f4a7c15U ^ seed;
}

void scratch_pattern(unsigned char *buf, size_t len, uint64_t off, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word = word_at(off + i, seed);

		memcpy(buf + i, &word, 8);
	}
}

bool scratch_matches(const unsigned char *buf, size_t len, uint64_t off, uint64_t seed)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		uint64_t word = word_at(off + i, seed);

		if (memcmp(buf + i, &word, 8))
			return false;
	}
	return true;
}

/* A short write is followed by the error that cut it (ENOSPC, EFBIG, EDQUOT). */
static int write_all(int fd, const unsigned char *buf, size_t len, uint64_t off)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = sl_sys_pwrite(fd, buf + done, len - done, (int64_t)(off + done), 0);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int fill(struct scratch *scratch)
{
	for (uint64_t off = 0; off < SCRATCH_BYTES; off += SCRATCH_CHUNK) {
		scratch_pattern(scratch->buf, SCRATCH_CHUNK, off, 0);
		int err = write_all(scratch->fd, scratch->buf, SCRATCH_CHUNK, off);

		if (err < 0)
			return err;
	}
	return fsync(scratch->fd) < 0 ? -errno : 0;
}

int probe_scratch_open(struct scratch *scratch, const struct place *place)
{
	int err;

	*scratch = (struct scratch){ .direct = -EBADF, .page = (size_t)sysconf(_SC_PAGESIZE) };
	scratch->buf = mmap(NULL, SCRATCH_CHUNK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (scratch->buf == MAP_FAILED) {
		*scratch = (struct scratch){ 0 };
		return -ENOMEM;
	}
	scratch->fd = place_scratch(place);
	err = scratch->fd < 0 ? scratch->fd : fill(scratch);
	if (err < 0) {
		probe_scratch_close(scratch);
		return err;
	}
	scratch->direct = place_reopen(scratch->fd, O_RDWR | O_DIRECT);
	return 0;
}

void probe_scratch_close(struct scratch *scratch)
{
	if (!scratch->buf)
		return;
	munmap(scratch->buf, SCRATCH_CHUNK);
	if (scratch->fd >= 0)
		close(scratch->fd);
	if (scratch->direct >= 0)
		close(scratch->direct);
	*scratch = (struct scratch){ 0 };
}

int probe_scratch_drop(const struct scratch *scratch)
{
	if (fdatasync(scratch->fd) < 0)
		return -errno;
	return -posix_fadvise(scratch->fd, 0, 0, POSIX_FADV_DONTNEED);
}

int64_t scratch_cachestat(const struct scratch *scratch, uint64_t off, size_t len)
{
	struct sl_sys_cachestat counts;
	int err = sl_sys_cachestat(scratch->fd, off, len, &counts);

	return err < 0 ? err : (int64_t)counts.cache;
}

int64_t scratch_mincore(const struct scratch *scratch, uint64_t off, size_t len)
{
	unsigned char present[SCRATCH_BYTES / SCRATCH_PAGE];
	size_t pages = (len + scratch->page - 1) / scratch->page;
	int64_t nr = 0;
	void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, scratch->fd, (off_t)off);

	if (map == MAP_FAILED)
		return -errno;
	if (mincore(map, len, present) < 0)
		nr = -errno;
	munmap(map, len);
	for (size_t i = 0; nr >= 0 && i < pages; i++)
		nr += present[i] & 1;
	return nr;
}

int64_t scratch_cached(const struct scratch *scratch, uint64_t off, size_t len)
{
	int64_t a = scratch_cachestat(scratch, off, len);
	int64_t b = scratch_mincore(scratch, off, len);

	return a > b ? a : b;
}
