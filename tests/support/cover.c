/* cover.c: see cover.h. */
#include "cover.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int write_cover(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

int support_cover(const char *path, const char *text)
{
	char name[64];
	int err;

	if (access(path, F_OK))
		return -errno;
	snprintf(name, sizeof(name), "/var/tmp/sluice-cover-%d", (int)getpid());
	err = write_cover(name, text);
	if (err)
		return err;
	if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(name, path, NULL, MS_BIND, NULL))
		err = -errno;
	/* The mount holds the file. */
	unlink(name);
	return err;
}
