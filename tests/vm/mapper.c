/* mapper.c: device mapper tables and mounts inside the guest; see mapper.h. */
#include "tests/vm/mapper.h"

#include "harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX 1024

uint64_t mapper_sectors(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	off_t bytes;

	if (fd < 0)
		fail_msg("cannot open %s", device);
	bytes = lseek(fd, 0, SEEK_END);
	close(fd);
	assert_true(bytes > 0);
	return (uint64_t)bytes / 512;
}

static int run(const char *command)
{
	int status;

	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int mapper_try(const char *format, ...)
{
	char command[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return run(command);
}

void mapper_run(const char *format, ...)
{
	char command[TEXT_MAX];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	status = run(command);
	if (status)
		fail_msg("%s: exit status %d", command, status);
}

/* The table goes in on standard input: it may have several lines. */
static void load(const char *verb, const char *name, const char *table, va_list args)
{
	char text[TEXT_MAX], command[128];
	FILE *pipe;

	vsnprintf(text, sizeof(text), table, args);
	snprintf(command, sizeof(command), "dmsetup --noudevsync %s %s", verb, name);
	pipe = popen(command, "we");
	assert_non_null(pipe);
	fputs(text, pipe);
	if (pclose(pipe))
		fail_msg("dmsetup %s %s refused: %s", verb, name, text);
}

void mapper_create(const char *name, const char *table, ...)
{
	va_list args;

	va_start(args, table);
	load("create", name, table, args);
	va_end(args);
	mapper_run("dmsetup mknodes %s", name);
}

void mapper_switch(const char *name, const char *table, ...)
{
	va_list args;

	mapper_run("dmsetup suspend --nolockfs --noflush %s", name);
	va_start(args, table);
	load("reload", name, table, args);
	va_end(args);
	mapper_run("dmsetup --noudevsync resume %s", name);
}

void mapper_remove(const char *name)
{
	mapper_run("dmsetup --noudevsync remove --retry %s && rm -f /dev/mapper/%s", name, name);
}

void mapper_format(const char *fs, const char *device)
{
	const char *flags = strcmp(fs, "ext4") == 0 ? "-q -F -b 4096 -E nodiscard" : "-q -f -K";

	mapper_run("mkfs.%s %s %s >/dev/null", fs, flags, device);
}

int mapper_mount(const char *fs, const char *device, const char *folder)
{
	return mapper_try("mkdir -p %s && mount -t %s %s %s", folder, fs, device, folder);
}

void mapper_unmount(const char *folder)
{
	mapper_run("umount %s", folder);
}
