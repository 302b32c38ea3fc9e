/* growth.c: see growth.h. By system calls: it is the kernel that is looked at. */
#include "tests/durability/growth.h"

#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BYTES (1 << 20)

static int open_nr(int dir, unsigned nr, int flags)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "f%u", nr);
	fd = openat(dir, name, flags | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	return fd;
}

void growth_play(int dir)
{
	char *bytes = malloc(BYTES);
	int fds[GROWTH_FILES], other;

	assert_non_null(bytes);
	for (unsigned i = 0; i < GROWTH_FILES; i++)
		fds[i] = open_nr(dir, i, O_RDWR | O_CREAT);
	assert_int_equal(syncfs(fds[0]), 0);
	other = open_nr(dir, GROWTH_FILES, O_RDWR | O_CREAT);
	memset(bytes, 'x', BYTES);
	for (unsigned i = 0; i < GROWTH_FILES; i++)
		assert_int_equal(pwrite(fds[i], bytes, BYTES, 0), BYTES);
	for (unsigned i = 0; i < GROWTH_FILES; i++)
		assert_int_equal(sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE), 0);
	assert_int_equal(fsync(other), 0);
	for (unsigned i = 0; i < GROWTH_FILES; i++)
		close(fds[i]);
	close(other);
	free(bytes);
}

void growth_end(int dir)
{
	char name[16];

	for (unsigned i = 0; i <= GROWTH_FILES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(unlinkat(dir, name, 0), 0);
	}
}

unsigned growth_zeros(int dir)
{
	char *bytes = malloc(BYTES);
	unsigned zeros = 0;

	assert_non_null(bytes);
	for (unsigned i = 0; i < GROWTH_FILES; i++) {
		int fd = open_nr(dir, i, O_RDONLY);
		ssize_t len = read(fd, bytes, BYTES);

		assert_true(len >= 0);
		zeros += memchr(bytes, 0, (size_t)len) != NULL;
		close(fd);
	}
	free(bytes);
	return zeros;
}
