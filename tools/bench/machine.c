/* machine.c: reads /proc and /sys. */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sys/statx.h"
#include "tools/mount.h"

#include "machine.h"

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
	to[strcspn(to, "\n")] = '\0';
}

/* The value after "key" and blanks or a colon, of a line-based file. */
static bool find_line(const char *path, const char *key, char *ret, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[1024];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		copy_text(ret, size, line + strlen(key) + strspn(line + strlen(key), " \t:"));
		found = true;
	}
	if (f)
		fclose(f);
	return found;
}

static uint64_t meminfo_bytes(const char *key)
{
	char text[64];

	return find_line("/proc/meminfo", key, text, sizeof(text)) ?
		       strtoull(text, NULL, 10) * 1024 :
		       0;
}

/* A device is mounted in many places, each with options of its own: its number tells none. */
static void find_mount(struct bench_machine *m, const char *path)
{
	struct mount mount = { .file_system = "" };
	struct sl_sys_statx st;
	bool known = sl_sys_statx(AT_FDCWD, path, 0, SL_STATX_MNT_ID, &st) == 0 &&
		     (st.mask & SL_STATX_MNT_ID);

	mount_of(path, known ? st.mnt_id : 0, &mount);
	copy_text(m->file_system, sizeof(m->file_system), mount.file_system);
	copy_text(m->mount_options, sizeof(m->mount_options), mount.options);
	copy_text(m->mount_point, sizeof(m->mount_point), mount.point);
	copy_text(m->source, sizeof(m->source), mount.source);
}

static bool read_attribute(dev_t dev, const char *name, char *ret, size_t size)
{
	static const char *const where[] = { "queue", "../queue" };

	for (size_t i = 0; i < 2; i++) {
		char path[128];

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(dev), minor(dev),
			 where[i], name);
		if (find_line(path, "", ret, size))
			return true;
	}
	return false;
}

/* "none [mq-deadline] kyber" chooses the one in brackets. */
static void unbracket(char *text)
{
	char *open = strchr(text, '['), *close = strchr(text, ']');

	if (!open || !close || close < open)
		return;
	*close = '\0';
	memmove(text, open + 1, strlen(open + 1) + 1);
}

static void look_at_device(struct bench_machine *m, dev_t dev)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/uevent", major(dev), minor(dev));
	if (!find_line(path, "DEVNAME=", m->device, sizeof(m->device)))
		return;
	if (read_attribute(dev, "scheduler", m->scheduler, sizeof(m->scheduler)))
		unbracket(m->scheduler);
	read_attribute(dev, "write_cache", m->write_cache, sizeof(m->write_cache));
	if (read_attribute(dev, "logical_block_size", text, sizeof(text)))
		m->logical_block_bytes = (unsigned)atoi(text);
	if (read_attribute(dev, "read_ahead_kb", text, sizeof(text)))
		m->read_ahead_kib = (unsigned)atoi(text);
	if (read_attribute(dev, "rotational", text, sizeof(text)))
		m->rotational = atoi(text);
}

/* jbd2 keeps a directory per journalled device: <device>-<inode of the journal>. */
static void look_for_journal(struct bench_machine *m)
{
	DIR *dir;
	struct dirent *entry;
	size_t len = strlen(m->device);

	if (strncmp(m->file_system, "ext", 3) != 0)
		return;
	copy_text(m->journal, sizeof(m->journal), "no journal");
	dir = opendir("/proc/fs/jbd2");
	while (dir && (entry = readdir(dir))) {
		if (len && strncmp(entry->d_name, m->device, len) == 0 && entry->d_name[len] == '-')
			copy_text(m->journal, sizeof(m->journal), "journal");
	}
	if (dir)
		closedir(dir);
}

void bench_machine_look(struct bench_machine *m, const char *path)
{
	struct utsname uts;
	struct rlimit limit;
	struct stat st;

	memset(m, 0, sizeof(*m));
	if (uname(&uts) == 0)
		snprintf(m->kernel, sizeof(m->kernel), "%.64s %.64s %.64s", uts.sysname,
			 uts.release, uts.machine);
	find_line("/proc/cpuinfo", "model name", m->cpu, sizeof(m->cpu));
	m->cores = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	m->memory_bytes = meminfo_bytes("MemTotal");
	m->memory_available_bytes = meminfo_bytes("MemAvailable");
	m->memlock_bytes = UINT64_MAX;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		m->memlock_bytes = limit.rlim_cur;
	if (getloadavg(&m->load, 1) != 1)
		m->load = 0;
	if (stat(path, &st) < 0)
		return;
	find_mount(m, path);
	look_at_device(m, st.st_dev);
	if (!*m->device && stat(m->source, &st) == 0 && S_ISBLK(st.st_mode))
		look_at_device(m, st.st_rdev);
	look_for_journal(m);
}
