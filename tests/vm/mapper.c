/*
 * mapper.c: disks, device mapper tables and mounts inside the guest; see mapper.h.
 *
 * By system calls: a hundred states are made and mounted in a test, and each
 * program that is started takes the emulated machine 50 ms.
 */
#include "tests/vm/mapper.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define TEXT_MAX 1024
#define DISK_MAX 8
#define PATIENCE 1000 /* times 10 ms */

const char *mapper_disk(unsigned nr)
{
	static char names[DISK_MAX][32];
	const char *text = getenv("SLUICE_VM_DISKS");
	int used = 0;

	assert_true(nr < DISK_MAX);
	for (unsigned i = 0; i <= nr; i++, text += used) {
		if (!text || sscanf(text, "%31s%n", names[i], &used) != 1)
			SKIP("no disk %u to break: SLUICE_VM_DISKS has too few", nr);
	}
	return names[nr];
}

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

void mapper_run(const char *format, ...)
{
	char command[TEXT_MAX];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	if (status)
		fail_msg("%s: status %#x", command, (unsigned)status);
}

/* ---- device mapper -------------------------------------------------------------------- */

/* A request to the device mapper, and what follows it. */
struct request {
	struct dm_ioctl head;
	char data[2 * TEXT_MAX];
};

/* Busy is what a device is for a moment after its last user has left it. */
static int ask(unsigned long code, const char *name, unsigned flags, struct request *request)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	int err = 0;

	assert_true(control >= 0);
	for (unsigned i = 0; i < PATIENCE; i++) {
		request->head.version[0] = DM_VERSION_MAJOR;
		request->head.data_size = sizeof(*request);
		request->head.data_start = offsetof(struct request, data);
		request->head.flags = flags;
		snprintf(request->head.name, sizeof(request->head.name), "%s", name);
		err = ioctl(control, code, &request->head) < 0 ? errno : 0;
		if (err != EBUSY)
			break;
		nanosleep(&nap, NULL);
	}
	close(control);
	return err;
}

static void do_ask(unsigned long code, const char *name, unsigned flags, struct request *request)
{
	int err = ask(code, name, flags, request);

	if (err)
		fail_msg("device mapper: %s: request %#lx: %s", name, code, strerror(err));
}

/* One target for each line: START LENGTH TYPE PARAMETERS. */
static void load(const char *name, const char *format, va_list args)
{
	struct request request = { 0 };
	char text[TEXT_MAX], *rest = text, *line;
	size_t pos = 0;

	vsnprintf(text, sizeof(text), format, args);
	while ((line = strsep(&rest, "\n")) && *line) {
		struct dm_target_spec *spec = (void *)(request.data + pos);
		unsigned long long start, length;
		char type[16];
		int used = 0;

		assert_int_equal(sscanf(line, "%llu %llu %15s %n", &start, &length, type, &used),
				 3);
		assert_true(pos + sizeof(*spec) + strlen(line) < TEXT_MAX);
		spec->sector_start = start;
		spec->length = length;
		strcpy(spec->target_type, type);
		strcpy((char *)(spec + 1), line + used);
		spec->next = (uint32_t)(sizeof(*spec) + strlen(line + used) + 8) / 8 * 8;
		pos += spec->next;
		request.head.target_count++;
	}
	do_ask(DM_TABLE_LOAD, name, 0, &request);
}

void mapper_create(const char *name, const char *table, ...)
{
	struct request request = { 0 };
	char path[64];
	va_list args;

	do_ask(DM_DEV_CREATE, name, 0, &request);
	va_start(args, table);
	load(name, table, args);
	va_end(args);
	memset(&request, 0, sizeof(request));
	do_ask(DM_DEV_SUSPEND, name, 0, &request);
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	unlink(path);
	assert_int_equal(mknod(path, S_IFBLK | 0600, (dev_t)request.head.dev), 0);
}

void mapper_switch(const char *name, const char *table, ...)
{
	const unsigned at_once = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG;
	struct request request = { 0 };
	va_list args;

	do_ask(DM_DEV_SUSPEND, name, at_once, &request);
	va_start(args, table);
	load(name, table, args);
	va_end(args);
	memset(&request, 0, sizeof(request));
	do_ask(DM_DEV_SUSPEND, name, 0, &request);
}

void mapper_message(const char *name, const char *text)
{
	struct request request = { 0 };
	struct dm_target_msg *message = (void *)request.data;

	assert_true(strlen(text) < TEXT_MAX);
	strcpy(message->message, text);
	do_ask(DM_TARGET_MSG, name, 0, &request);
}

void mapper_remove(const char *name)
{
	struct request request = { 0 };
	char path[64];

	do_ask(DM_DEV_REMOVE, name, 0, &request);
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	unlink(path);
}

/* ---- file systems ---------------------------------------------------------------------- */

void mapper_format(const char *fs, const char *device)
{
	const char *flags = strcmp(fs, "ext4") == 0 ? "-q -F -b 4096 -E nodiscard" : "-q -f -K";

	mapper_run("mkfs.%s %s %s >/dev/null", fs, flags, device);
}

int mapper_mount(const char *fs, const char *device, const char *folder)
{
	mkdir(folder, 0755);
	return mount(device, folder, fs, 0, NULL) < 0 ? -errno : 0;
}

void mapper_unmount(const char *folder)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	int err = EBUSY;

	/* A ring gives back its files some time after its end. */
	for (unsigned i = 0; i < PATIENCE && err == EBUSY; i++) {
		err = umount(folder) < 0 ? errno : 0;
		if (err == EBUSY)
			nanosleep(&nap, NULL);
	}
	if (err)
		fail_msg("umount %s: %s", folder, strerror(err));
}
