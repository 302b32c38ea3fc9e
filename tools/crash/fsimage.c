/* fsimage.c: file systems in files; see fsimage.h. */
#include "tools/crash/fsimage.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/loop.h>

#define ATTACH_TRIES 16

/* Small, so that copying one costs little: about the least that each mkfs takes. The first of a
 * kind that works. */
static const struct {
	const char *fs;
	uint64_t bytes;
	const char *mkfs;
} kinds[] = {
	{ "ext4", UINT64_C(24) << 20, "mkfs.ext4 -q -F -b 4096 -E nodiscard" },
	{ "xfs", UINT64_C(64) << 20, "mkfs.xfs --unsupported -q -f -K" },
	{ "xfs", UINT64_C(320) << 20, "mkfs.xfs -q -f -K" },
	{ "btrfs", UINT64_C(128) << 20, "mkfs.btrfs -q -f -K" },
};

const char *fsimage_refusal(void)
{
	int fd;

	if (geteuid() != 0)
		return "only root may mount images: run it as root";
	fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "there is no /dev/loop-control to make loop devices with";
	close(fd);
	return NULL;
}

static int run_mkfs(const char *mkfs, const char *path)
{
	char line[512];
	int status;

	snprintf(line, sizeof(line),
		 "PATH=$PATH:/usr/sbin:/sbin; command -v %.*s >/dev/null || exit 127; "
		 "%s '%s' >/dev/null 2>&1",
		 (int)strcspn(mkfs, " "), mkfs, mkfs, path);
	status = system(line);
	if (status < 0)
		return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return status ? -EIO : 0;
}

static int make(const char *path, uint64_t bytes, const char *mkfs)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0)
		err = -errno;
	close(fd);
	return err ? err : run_mkfs(mkfs, path);
}

int fsimage_make(const char *path, const char *fs)
{
	int err = -EINVAL;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && err; i++) {
		if (strcmp(kinds[i].fs, fs) == 0)
			err = make(path, kinds[i].bytes, kinds[i].mkfs);
	}
	return err;
}

int fsimage_enter(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return 0;
}

/* A loop device over an open file, gone when the last that holds it lets go; its number, or -errno.
 */
static int attach(int control, int image_fd, int *ret_loop_fd)
{
	struct loop_config config = {
		.fd = (uint32_t)image_fd,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	char path[32];
	int nr = ioctl(control, LOOP_CTL_GET_FREE), fd;

	if (nr < 0)
		return -errno;
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, LOOP_CONFIGURE, &config) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*ret_loop_fd = fd;
	return nr;
}

/* Somebody else may have taken the free one in between. */
static int attach_any(int image_fd, int *ret_loop_fd)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), nr = -EBUSY;

	if (control < 0)
		return -errno;
	for (int i = 0; i < ATTACH_TRIES && nr == -EBUSY; i++)
		nr = attach(control, image_fd, ret_loop_fd);
	close(control);
	return nr;
}

int fsimage_mount(const char *path, const char *fs, const char *options, const char *point)
{
	int image_fd = open(path, O_RDWR | O_CLOEXEC), loop_fd = -1, nr, err = 0;
	char device[32];

	if (image_fd < 0)
		return -errno;
	nr = attach_any(image_fd, &loop_fd);
	close(image_fd);
	if (nr < 0)
		return nr;
	snprintf(device, sizeof(device), "/dev/loop%d", nr);
	if (mount(device, point, fs, 0, options) < 0)
		err = -errno;
	close(loop_fd);
	return err;
}

int fsimage_try(const char *path, const char *fs, const char *options, const char *point)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int err = fsimage_enter();

		_exit(err ? -err : -fsimage_mount(path, fs, options, point));
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}
