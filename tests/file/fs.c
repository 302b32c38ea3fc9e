/* fs.c: what the file tests share; see fs.h. */
#include "tests/file/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *fs_name(void)
{
	const char *name = getenv("SLUICE_TEST_FS");

	return name ? name : "";
}

bool fs_is(const char *prefix)
{
	return strncmp(fs_name(), prefix, strlen(prefix)) == 0;
}

const char *fs_dir(void)
{
	static const char *dir;

	if (!dir)
		dir = support_tmpdir();
	return dir;
}

const char *fs_path(const char *name)
{
	return support_path(fs_dir(), name);
}

struct sl_ring *fs_ring(void)
{
	struct sl_ring *ring = NULL;

	assert_int_equal(sl_ring_open(NULL, &ring), 0);
	return ring;
}

struct sl_file *fs_open(struct sl_ring *ring, const char *name, unsigned open_flags, unsigned io)
{
	struct sl_file_opts opts = { .open_flags = open_flags, .io = io };
	struct sl_file *file = NULL;
	int rc = sl_file_open(ring, AT_FDCWD, fs_path(name), &opts, &file);

	if (rc < 0)
		fail_msg("cannot open %s: %s", fs_path(name), sl_err_name(rc));
	return file;
}

int64_t fs_read(struct sl_file *file, void *buf, size_t len, uint64_t off)
{
	struct sl_file_req req = { .buf = buf, .len = len, .off = off };

	return sl_file_do(file, SL_FILE_READ, &req);
}

int64_t fs_write(struct sl_file *file, const void *buf, size_t len, uint64_t off)
{
	struct sl_file_req req = { .buf = (void *)(uintptr_t)buf, .len = len, .off = off };

	return sl_file_do(file, SL_FILE_WRITE, &req);
}

int64_t fs_sync(struct sl_file *file)
{
	struct sl_file_req req = { 0 };

	return sl_file_do(file, SL_FILE_SYNC, &req);
}

int64_t fs_truncate(struct sl_file *file, uint64_t size)
{
	struct sl_file_req req = { .off = size };

	return sl_file_do(file, SL_FILE_TRUNCATE, &req);
}

size_t fs_slurp(const char *path, void *buf, size_t bytes_max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n = 1;

	if (fd < 0)
		fail_msg("cannot open %s: %s", path, strerror(errno));
	while (n > 0 && done < bytes_max) {
		n = read(fd, (char *)buf + done, bytes_max - done);
		assert_true(n >= 0);
		done += (size_t)n;
	}
	close(fd);
	return done;
}

unsigned char fs_pattern(uint64_t off)
{
	uint64_t z = (off + 1) * 0x9e3779b97f4a7c15u;

	return (unsigned char)((z >> 56) | 1);
}

void fs_fill(const char *path, size_t len)
{
	unsigned char *bytes = malloc(len ? len : 1);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_non_null(bytes);
	assert_true(fd >= 0);
	for (size_t i = 0; i < len; i++)
		bytes[i] = fs_pattern(i);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	free(bytes);
}

unsigned char *fs_buffer(size_t bytes, size_t skew, void **ret_base)
{
	assert_int_equal(posix_memalign(ret_base, 4096, bytes + skew), 0);
	memset(*ret_base, 0, bytes + skew);
	return (unsigned char *)*ret_base + skew;
}

unsigned fs_names(void)
{
	DIR *dir = opendir(fs_dir());
	struct dirent *entry;
	unsigned nr = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		nr += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return nr;
}
