/* mountinfo, sysfs and nameless files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tools/mount.h"
#include "tools/probe/proc.h"
#include "tools/probe/place.h"

static void find_mount(struct place *place)
{
	bool known = place->stx.mask & SL_STATX_MNT_ID;
	struct mount mount = { .file_system = "unknown" };

	mount_of(place->path, known ? place->stx.mnt_id : 0, &mount);
	strcpy(place->fs, mount.file_system);
	strcpy(place->mount_point, mount.point);
	strcpy(place->options, mount.options);
	strcpy(place->source, mount.source);
}

/* The queue directory of a device number; a partition's is one level up. */
static bool find_queue_of(struct place *place, unsigned major_nr, unsigned minor_nr)
{
	static const char *const steps[] = { "", "/.." };
	char link[64];

	for (int i = 0; i < 2; i++) {
		snprintf(place->queue, sizeof(place->queue), "/sys/dev/block/%u:%u%s/queue",
			 major_nr, minor_nr, steps[i]);
		if (!access(place->queue, X_OK))
			break;
		place->queue[0] = '\0';
	}
	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major_nr, minor_nr);
	char *target = realpath(link, NULL);

	if (target)
		snprintf(place->device, sizeof(place->device), "%s", strrchr(target, '/') + 1);
	free(target);
	return place->queue[0];
}

/* btrfs and friends have an anonymous device number: then ask what was mounted. */
static void find_queue(struct place *place, const struct sl_sys_statx *stx)
{
	struct stat st;

	if (S_ISBLK(stx->mode) && find_queue_of(place, stx->rdev_major, stx->rdev_minor))
		return;
	if (find_queue_of(place, stx->dev_major, stx->dev_minor))
		return;
	if (place->source[0] == '/' && !stat(place->source, &st) && S_ISBLK(st.st_mode))
		find_queue_of(place, major(st.st_rdev), minor(st.st_rdev));
}

static int open_parent(const char *path)
{
	char copy[PATH_MAX];
	char *slash;

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	strcpy(copy, path);
	slash = strrchr(copy, '/');
	if (!slash)
		strcpy(copy, ".");
	else
		slash[slash == copy] = '\0';
	int fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A file's scratch goes beside it, unless its directory is on another file system. */
static int open_beside(const struct place *place)
{
	struct sl_sys_statx stx;
	char *real = realpath(place->path, NULL);
	int fd = real ? open_parent(real) : -errno;

	free(real);
	if (fd < 0)
		return fd;
	if (sl_sys_fstatx(fd, SL_STATX_BASIC, &stx) < 0 || stx.dev_major != place->stx.dev_major ||
	    stx.dev_minor != place->stx.dev_minor) {
		close(fd);
		return -EXDEV;
	}
	return fd;
}

int place_open(struct place *place, const char *path)
{
	uint32_t mask = SL_STATX_BASIC | SL_STATX_MNT_ID | SL_STATX_DIOALIGN |
			SL_STATX_WRITE_ATOMIC | SL_STATX_DIO_READ_ALIGN;
	int err;

	*place = (struct place){ .path = path, .dirfd = -ENOTDIR };
	err = sl_sys_statx(AT_FDCWD, path, 0, mask, &place->stx);
	if (err < 0)
		return err;
	if (S_ISDIR(place->stx.mode)) {
		place->kind = "directory";
		place->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (place->dirfd < 0)
			place->dirfd = -errno;
	} else if (S_ISREG(place->stx.mode)) {
		place->kind = "file";
		place->dirfd = open_beside(place);
	} else if (S_ISBLK(place->stx.mode)) {
		place->kind = "block device";
	} else {
		return -ENOTSUP;
	}
	find_mount(place);
	find_queue(place, &place->stx);
	place->read_only = place_has_option(place, "ro");
	return 0;
}

void place_close(struct place *place)
{
	if (place->path && place->dirfd >= 0)
		close(place->dirfd);
	*place = (struct place){ .dirfd = -EBADF };
}

/* File systems without O_TMPFILE: a name that lives for two system calls. */
static int scratch_named(int dirfd)
{
	char name[64];
	int fd = -1;

	for (int i = 0; fd < 0 && i < 16; i++) {
		snprintf(name, sizeof(name), ".sluice-probe-%ld-%d", (long)getpid(), i);
		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	if (fd < 0)
		return -EEXIST;
	if (unlinkat(dirfd, name, 0) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int place_scratch(const struct place *place)
{
	int fd;

	if (place->dirfd < 0)
		return place->dirfd;
	fd = openat(place->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)
		return scratch_named(place->dirfd);
	return -errno;
}

int place_reopen(int fd, int flags)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

bool place_has_option(const struct place *place, const char *option)
{
	size_t len = strlen(option);

	for (const char *at = place->options; *at; at += strcspn(at, ","), at += *at == ',')
		if (!strncmp(at, option, len) && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

int place_queue_text(const struct place *place, const char *name, char *out, size_t room)
{
	char path[160];

	if (!place->queue[0])
		return -ENODEV;
	snprintf(path, sizeof(path), "%s/%s", place->queue, name);
	return proc_text(path, out, room);
}

int64_t place_queue_number(const struct place *place, const char *name, int64_t missing)
{
	char text[64];

	if (place_queue_text(place, name, text, sizeof(text)) <= 0)
		return missing;
	return strtoll(text, NULL, 10);
}
