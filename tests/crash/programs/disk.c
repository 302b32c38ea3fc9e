/* disk.c: see disk.h. */
#include "tests/crash/programs/disk.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PUT_MAX 65536

static void must(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	exit(99);
}

int disk_open(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0644);

	must(fd >= 0, name);
	return fd;
}

void disk_write(int fd, const void *data, size_t len, off_t off)
{
	must(pwrite(fd, data, len, off) == (ssize_t)len, "pwrite");
}

void disk_append(int fd, const void *data, size_t len)
{
	must(write(fd, data, len) == (ssize_t)len, "write");
}

void disk_sync(int fd)
{
	must(fsync(fd) == 0, "fsync");
}

void disk_sync_dir(const char *name)
{
	int fd = disk_open(name, O_RDONLY | O_DIRECTORY);

	disk_sync(fd);
	disk_close(fd);
}

void disk_close(int fd)
{
	must(close(fd) == 0, "close");
}

void disk_rename(const char *from, const char *to)
{
	must(rename(from, to) == 0, "rename");
}

void disk_unlink(const char *name)
{
	must(unlink(name) == 0, "unlink");
}

void disk_mkdir(const char *name)
{
	must(mkdir(name, 0755) == 0, "mkdir");
}

void disk_put_bytes(const char *name, const void *data, size_t len, bool sync)
{
	int fd = disk_open(name, O_WRONLY | O_CREAT | O_TRUNC);

	disk_write(fd, data, len, 0);
	if (sync)
		disk_sync(fd);
	disk_close(fd);
}

void disk_put(const char *name, char letter, size_t len, bool sync)
{
	char data[PUT_MAX];

	must(len <= sizeof(data), "disk_put");
	memset(data, letter, len);
	disk_put_bytes(name, data, len, sync);
}

void disk_ack(const char *line)
{
	must(dprintf(STDOUT_FILENO, "%s\n", line) > 0, "standard output");
}

ssize_t disk_read(const char *name, void *buf, size_t max)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = pread(fd, buf, max, 0);
	close(fd);
	return len;
}

bool disk_is(const char *name, char letter, size_t len)
{
	char data[PUT_MAX];

	if (disk_read(name, data, sizeof(data)) != (ssize_t)len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (data[i] != letter)
			return false;
	}
	return true;
}

bool disk_acked(const char *acks, const char *line)
{
	size_t len = strlen(line);

	for (; *acks; acks += strcspn(acks, "\n"), acks += *acks == '\n') {
		if (strcspn(acks, "\n") == len && memcmp(acks, line, len) == 0)
			return true;
	}
	return false;
}

int disk_bad(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return 1;
}

uint32_t disk_digest(uint32_t seed, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	uint32_t sum = seed;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT32_C(16777619);
	return sum;
}
