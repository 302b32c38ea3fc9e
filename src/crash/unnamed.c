/* SPDX-License-Identifier: MIT */
/* unnamed.c - O_TMPFILE, or a name that is gone at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crash/unnamed.h"

const char *crash_unnamed_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/var/tmp";
}

int crash_unnamed_open(void)
{
	const char *dir = crash_unnamed_dir();
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char path[4096];

	if (fd >= 0)
		return fd;
	if ((size_t)snprintf(path, sizeof(path), "%s/sluice-unnamed-XXXXXX", dir) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}
