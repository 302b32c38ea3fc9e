/* datafile.c: a file without a name, whose cache state is set and proved before each block. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/cachestat.h"
#include "sys/statx.h"

#include "datafile.h"
#include "random.h"

#define CHUNK	   (1u << 20)
#define COOL_TRIES 400

static int open_and_unlink(const char *dir)
{
	sigset_t all, before;
	char name[4096];
	int fd, n;

	n = snprintf(name, sizeof(name), "%s/.sluice-bench-XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof(name))
		return -ENAMETOOLONG;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		unlink(name);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return fd;
}

static int open_nameless(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL)
		return -errno;
	return open_and_unlink(dir);
}

static void fill_chunk(const struct datafile *file, uint64_t *words, uint64_t off, uint64_t *state)
{
	for (size_t i = 0; i < CHUNK / sizeof(*words); i++)
		words[i] = random_next(state);
	for (size_t at = 0; at < CHUNK; at += DATAFILE_SECTOR)
		words[at / sizeof(*words)] = datafile_tag(file, off + at);
}

static int write_all(int fd, const void *buf, size_t len, uint64_t off)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int fill(struct datafile *file, void (*progress)(void *, uint64_t), void *ctx)
{
	uint64_t state = file->key;
	uint64_t *words = malloc(CHUNK);
	int err = words ? 0 : -ENOMEM;

	for (uint64_t off = 0; !err && off < file->size; off += CHUNK) {
		fill_chunk(file, words, off, &state);
		err = write_all(file->fd, words, CHUNK, off);
		if (!err && off % (16 * CHUNK) == 0) {
			/* Begin write-back early: the final sync has less to wait for. */
			sync_file_range(file->fd, (off_t)off, 0, SYNC_FILE_RANGE_WRITE);
			if (progress)
				progress(ctx, off);
		}
	}
	free(words);
	if (!err && fdatasync(file->fd) < 0)
		err = -errno;
	return err;
}

static void find_alignment(struct datafile *file)
{
	struct sl_sys_statx st;

	file->dio_align = 4096;
	if (sl_sys_fstatx(file->fd, SL_STATX_DIOALIGN, &st) < 0)
		return;
	if (!(st.mask & SL_STATX_DIOALIGN))
		return;
	file->dio_align = st.dio_offset_align;
	if (st.dio_mem_align > file->dio_align)
		file->dio_align = st.dio_offset_align ? st.dio_mem_align : 0;
}

static int64_t resident_by_cachestat(const struct datafile *file, uint64_t off, uint64_t len)
{
	struct sl_sys_cachestat cs;
	int err = sl_sys_cachestat(file->fd, off, len, &cs);

	return err < 0 ? err : (int64_t)(cs.cache * (uint64_t)sysconf(_SC_PAGESIZE));
}

static int64_t resident_by_mincore(struct datafile *file, uint64_t off, uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), begin = off / page * page;
	size_t nr = (size_t)((off + len - begin + page - 1) / page), resident = 0;

	if (!file->map)
		return -EOPNOTSUPP;
	if (mincore(file->map + begin, (size_t)(off + len - begin), file->residence) < 0)
		return -errno;
	for (size_t i = 0; i < nr; i++)
		resident += file->residence[i] & 1;
	return (int64_t)(resident * page);
}

/* On overlay cachestat answers 0 whatever is cached: believe it only when it sees a warm file. */
static void choose_witness(struct datafile *file)
{
	char byte;

	if (file->size == 0 || pread(file->fd, &byte, 1, 0) != 1)
		return;
	file->use_mincore = resident_by_cachestat(file, 0, file->size) <= 0;
}

static int map_file(struct datafile *file)
{
	size_t pages = (size_t)(file->size / (uint64_t)sysconf(_SC_PAGESIZE)) + 1;
	void *map;

	file->residence = malloc(pages);
	if (!file->residence)
		return -ENOMEM;
	map = mmap(NULL, (size_t)file->size, PROT_READ, MAP_SHARED, file->fd, 0);
	/* Some file systems cannot map; the contender then says so. */
	file->map = map == MAP_FAILED ? NULL : map;
	return 0;
}

int datafile_make(struct datafile *file, const char *dir, uint64_t size, uint64_t seed,
		  void (*progress)(void *ctx, uint64_t done), void *ctx)
{
	int err = 0;

	*file = (struct datafile){ .size = size, .ours = true, .key = seed };
	file->fd = open_nameless(dir);
	if (file->fd < 0)
		return file->fd;
	if (size) {
		err = fill(file, progress, ctx);
		if (!err)
			err = map_file(file);
	}
	if (err) {
		datafile_shut(file);
		return err;
	}
	find_alignment(file);
	choose_witness(file);
	return 0;
}

int datafile_use(struct datafile *file, const char *path, uint64_t size_max)
{
	struct stat st;
	int err;

	*file = (struct datafile){ .ours = false };
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return -errno;
	err = fstat(file->fd, &st) < 0 ? -errno : 0;
	file->size = err ? 0 : (uint64_t)st.st_size / CHUNK * CHUNK;
	if (file->size > size_max)
		file->size = size_max;
	if (!err && file->size == 0)
		err = -ENODATA;
	if (!err)
		err = map_file(file);
	if (err) {
		datafile_shut(file);
		return err;
	}
	find_alignment(file);
	choose_witness(file);
	return 0;
}

int datafile_reopen(const struct datafile *file, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int64_t datafile_resident(struct datafile *file)
{
	return datafile_resident_range(file, 0, file->size);
}

int64_t datafile_resident_range(struct datafile *file, uint64_t off, uint64_t len)
{
	uint64_t first = off + len > file->size ? file->size - off : len;
	int64_t resident = file->use_mincore ? resident_by_mincore(file, off, first) :
					       resident_by_cachestat(file, off, first);

	if (resident < 0 || first == len)
		return resident;
	return resident + datafile_resident_range(file, 0, len - first);
}

int64_t datafile_unclean(const struct datafile *file)
{
	struct sl_sys_cachestat cs;
	int err = sl_sys_cachestat(file->fd, 0, 0, &cs);

	if (err < 0)
		return err;
	return (int64_t)((cs.dirty + cs.writeback) * (uint64_t)sysconf(_SC_PAGESIZE));
}

static int read_through(const struct datafile *file)
{
	char *buf = malloc(CHUNK);
	int err = buf ? 0 : -ENOMEM;

	for (uint64_t off = 0; !err && off < file->size; off += CHUNK) {
		ssize_t n = pread(file->fd, buf, CHUNK, (off_t)off);

		if (n != (ssize_t)CHUNK)
			err = n < 0 ? -errno : -ENODATA;
	}
	free(buf);
	return err;
}

int datafile_warm(struct datafile *file)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		int64_t resident = datafile_resident(file);
		int err;

		if (resident >= (int64_t)file->size)
			return 0;
		err = read_through(file);
		if (err)
			return err;
		if (resident < 0)
			return 0; /* nothing can tell: the read is all there is */
	}
	return datafile_resident(file) >= (int64_t)file->size ? 0 : -ENOMEM;
}

int datafile_cool(struct datafile *file)
{
	static const struct timespec pause = { .tv_nsec = 500000 };
	int64_t resident = 0;

	if (file->ours && datafile_unclean(file) != 0)
		fdatasync(file->fd);
	for (int attempt = 0; attempt < COOL_TRIES; attempt++) {
		posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
		resident = datafile_resident(file);
		if (resident <= 0)
			return 0;
		/* Pages being read ahead are locked: they go when their read ends. */
		if (attempt > 8 && resident >= (int64_t)file->size)
			break;
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

void datafile_shut(struct datafile *file)
{
	if (file->map)
		munmap(file->map, (size_t)file->size);
	free(file->residence);
	/* A zeroed object has fd 0 and size 0 and owns nothing. */
	if (file->fd > 0)
		close(file->fd);
	*file = (struct datafile){ .fd = -1 };
}
