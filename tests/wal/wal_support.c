/* wal_support.c: rings, small logs, records that say who they are; see wal_support.h. */
#include "wal_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX  65536
#define BLOCK_FULL (4096 - 32) /* a record that fills a block */

struct sl_ring *wal_test_ring(void)
{
	struct sl_ring *ring = NULL;

	assert_int_equal(sl_ring_open(NULL, &ring), 0);
	return ring;
}

struct sl_wal_opts wal_test_opts(void)
{
	return (struct sl_wal_opts){
		.flags = SL_WAL_CREATE,
		.buffer_bytes = SMALL_BUFFER,
		.segment_bytes = SMALL_SEGMENT,
		.log_id = 42,
	};
}

struct sl_wal *wal_test_open(struct sl_ring *ring, const char *path, const struct sl_wal_opts *opts)
{
	struct sl_wal_opts usual = wal_test_opts();
	struct sl_wal *wal = NULL;

	assert_int_equal(sl_wal_open(ring, AT_FDCWD, path, opts ? opts : &usual, &wal), 0);
	return wal;
}

const char *wal_test_path(void)
{
	static const char *dir;
	static unsigned nr;
	char name[32];

	snprintf(name, sizeof(name), "log-%u", nr++);
	if (!dir)
		dir = support_tmpdir();
	return support_path(dir, name);
}

uint32_t wal_test_record(uint64_t nr, uint32_t max, unsigned char *bytes)
{
	uint64_t state = nr;
	uint32_t len = (uint32_t)(support_random(&state) % (max + 1));

	/* Often enough the next one begins at a block. */
	if (max > BLOCK_FULL && nr % 4 == 0)
		len = BLOCK_FULL;
	if (len < sizeof(nr))
		len = sizeof(nr);
	memcpy(bytes, &nr, sizeof(nr));
	for (uint32_t i = sizeof(nr); i < len; i++)
		bytes[i] = (unsigned char)(support_random(&state) >> 56);
	return len;
}

uint64_t wal_test_append(struct sl_ring *ring, struct sl_wal *wal, uint64_t nr, uint32_t max)
{
	unsigned char bytes[BYTES_MAX];
	uint32_t len = wal_test_record(nr, max, bytes);
	uint64_t lsn = 0;
	int rc;

	while ((rc = sl_wal_append(wal, bytes, len, &lsn)) == -EAGAIN)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(rc, 0);
	/* The caller's memory may be used at once. */
	memset(bytes, 0xdd, len);
	return lsn;
}

uint64_t wal_test_read(struct sl_wal *wal, uint64_t lsn, uint64_t first_nr, uint32_t max)
{
	struct sl_wal_reader_opts opts = { .lsn = lsn };
	struct sl_wal_reader *reader = NULL;
	struct sl_wal_record record;
	unsigned char bytes[BYTES_MAX];
	uint64_t nr = 0;
	int rc;

	assert_int_equal(sl_wal_reader_open(wal, &opts, &reader), 0);
	while ((rc = sl_wal_reader_next(reader, 0, &record)) == 0) {
		uint32_t len = wal_test_record(first_nr + nr, max, bytes);

		assert_int_equal(record.len, len);
		assert_memory_equal(record.data, bytes, len);
		nr++;
	}
	assert_int_equal(rc, -EAGAIN);
	sl_wal_reader_close(reader);
	return nr;
}

struct sl_wal_info wal_test_info(const struct sl_wal *wal)
{
	struct sl_wal_info info;

	sl_wal_info(wal, &info);
	return info;
}

static int open_raw(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

void wal_test_peek(const char *path, void *bytes, size_t len, uint64_t off)
{
	int fd = open_raw(path, O_RDONLY);

	assert_int_equal(pread(fd, bytes, len, (off_t)off), len);
	close(fd);
}

void wal_test_poke(const char *path, const void *bytes, size_t len, uint64_t off)
{
	int fd = open_raw(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, len, (off_t)off), len);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

void wal_test_copy(const char *from, const char *to)
{
	int source = open_raw(from, O_RDONLY);
	int target = open_raw(to, O_WRONLY | O_CREAT | O_TRUNC);
	char *bytes;
	struct stat st;

	assert_int_equal(fstat(source, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(pread(source, bytes, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(pwrite(target, bytes, (size_t)st.st_size, 0), st.st_size);
	assert_int_equal(fsync(target), 0);
	free(bytes);
	close(source);
	close(target);
}
