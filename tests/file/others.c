/* others.c: what other threads and programs do to a file that is open, and a disk that is full. */
#include "tests/file/tests.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct toggler {
	int fd;
	atomic_bool stop;
};

/* The file ends inside its second block, behind it, and inside it again. */
static void *toggle(void *ctx)
{
	struct toggler *toggler = ctx;

	while (!toggler->stop) {
		if (ftruncate(toggler->fd, 4196) < 0 || ftruncate(toggler->fd, 8192) < 0)
			break;
	}
	return NULL;
}

void a_reader_survives_truncation_by_another_thread(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct toggler toggler = { 0 };
	struct sl_file *file;
	pthread_t thread;
	unsigned seen[4097] = { 0 };
	void *base;
	unsigned char *buf = fs_buffer(4096, 0, &base);

	(void)state;
	fs_fill(fs_path("toggled"), 8192);
	toggler.fd = open(fs_path("toggled"), O_RDWR | O_CLOEXEC);
	file = fs_open(ring, "toggled", O_RDONLY, SL_FILE_DIRECT);
	assert_int_equal(pthread_create(&thread, NULL, toggle, &toggler), 0);
	for (unsigned i = 0; i < 1000; i++) {
		int64_t n = fs_read(file, buf, 4096, 4096);

		if (n < 0 || n > 4096)
			fail_msg("read %u answered %lld", i, (long long)n);
		seen[n]++;
		for (int64_t j = 0; j < n && j < 100; j++)
			assert_int_equal(buf[j], fs_pattern(4096 + (uint64_t)j));
		for (int64_t j = 100; j < n; j++)
			assert_true(buf[j] == 0 || buf[j] == fs_pattern(4096 + (uint64_t)j));
	}
	toggler.stop = true;
	pthread_join(thread, NULL);
	/* Nothing else is a size this file ever had. */
	assert_int_equal(seen[100] + seen[4096], 1000);
	printf("# under truncation: %u reads of 100 bytes, %u of 4096\n", seen[100], seen[4096]);
	close(toggler.fd);
	sl_file_close(file);
	sl_ring_close(ring);
	free(base);
}

void a_file_grown_by_others_is_read_to_its_new_end(void **state)
{
	struct sl_ring *ring = fs_ring();
	struct sl_file *file;
	unsigned char buf[9000], more[3000];
	int fd;

	(void)state;
	fs_fill(fs_path("grown"), 5000);
	file = fs_open(ring, "grown", O_RDWR, SL_FILE_DIRECT);
	assert_int_equal(fs_read(file, buf, 9000, 0), 5000);
	fd = open(fs_path("grown"), O_WRONLY | O_APPEND | O_CLOEXEC);
	for (unsigned i = 0; i < 3000; i++)
		more[i] = fs_pattern(5000 + i);
	assert_int_equal(write(fd, more, 3000), 3000);
	close(fd);
	assert_int_equal(fs_read(file, buf, 9000, 0), 8000);
	for (unsigned i = 0; i < 8000; i++)
		assert_int_equal(buf[i], fs_pattern(i));
	/* An edge in the block where the others wrote keeps their bytes. */
	assert_int_equal(fs_write(file, "mine", 4, 7000), 4);
	assert_int_equal(fs_slurp(fs_path("grown"), buf, 9000), 8000);
	assert_memory_equal(buf + 7000, "mine", 4);
	for (unsigned i = 7004; i < 8000; i++)
		assert_int_equal(buf[i], fs_pattern(i));
	sl_file_close(file);
	sl_ring_close(ring);
}

#define FULL_CHUNK (1u << 20)

static uint64_t room_on(int fd)
{
	struct statvfs vfs;

	assert_int_equal(fstatvfs(fd, &vfs), 0);
	return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

/* A file that takes nearly all there is: all of it, less two chunks. */
static void fill_disk(void)
{
	int fd = open(fs_path("ballast"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	uint64_t off = 0;

	assert_true(fd >= 0);
	for (uint64_t step = room_on(fd) / 2; step >= FULL_CHUNK; step /= 2) {
		while (posix_fallocate(fd, (off_t)off, (off_t)step) == 0 && room_on(fd) >= step)
			off += step;
	}
	assert_int_equal(ftruncate(fd, (off_t)(off - 2 * FULL_CHUNK)), 0);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

void a_full_disk_ends_a_write_with_what_was_done(void **state)
{
	struct sl_ring *ring;
	struct sl_file *file;
	unsigned char *chunk, *back;
	uint64_t off = 0;
	int64_t n;
	void *base;

	(void)state;
	ring = fs_ring();
	chunk = fs_buffer(FULL_CHUNK, 0, &base);
	back = malloc(FULL_CHUNK);
	for (unsigned i = 0; i < FULL_CHUNK; i++)
		chunk[i] = fs_pattern(i);
	fill_disk();
	file = fs_open(ring, "filler", O_RDWR | O_CREAT, SL_FILE_DIRECT);
	for (;;) {
		struct sl_file_req req = { .buf = chunk, .len = FULL_CHUNK - 100, .off = off };

		n = sl_file_do(file, SL_FILE_WRITE, &req);
		off += req.done_len;
		if (n < 0)
			break;
	}
	assert_int_equal(n, -ENOSPC);
	assert_true(off > 0);
	assert_int_equal(sl_file_poison(file), 0);
	n = off % (FULL_CHUNK - 100);
	assert_int_equal(fs_read(file, back, (size_t)n, off - (uint64_t)n), n);
	assert_memory_equal(back, chunk, n);
	printf("# full after %llu bytes\n", (unsigned long long)off);
	sl_file_close(file);
	unlink(fs_path("filler"));
	unlink(fs_path("ballast"));
	sl_ring_close(ring);
	free(back);
	free(base);
}

/* ---- a device ------------------------------------------------------------------------- */

void a_block_device_is_used_to_its_last_sector(void **state)
{
	const char *path = getenv("SLUICE_TEST_DEVICE");
	struct sl_file_opts opts = { .open_flags = O_RDWR, .io = SL_FILE_DIRECT };
	struct sl_ring *ring;
	struct sl_file *file = NULL;
	struct sl_file_info info;
	unsigned char buf[5000];
	uint64_t size = 0;

	(void)state;
	ring = fs_ring();
	assert_int_equal(sl_file_open(ring, AT_FDCWD, path, &opts, &file), 0);
	assert_int_equal(sl_file_size(file, &size), 0);
	sl_file_info(file, &info);
	assert_int_equal(size % info.write_align, 0);
	assert_int_not_equal(size % 4096, 0);
	assert_int_equal(fs_write(file, "last", 4, size - 4), 4);
	assert_int_equal(fs_write(file, "more", 4, size - 2), -ENOSPC);
	assert_int_equal(fs_read(file, buf, sizeof(buf), size - 2000), 2000);
	assert_memory_equal(buf + 1996, "lamo", 4);
	assert_int_equal(fs_truncate(file, 0), -EOPNOTSUPP);
	assert_int_equal(fs_sync(file), 0);
	sl_file_close(file);
	sl_ring_close(ring);
}
