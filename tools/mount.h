/* mount.h: the mount that a path lies in, as mountinfo tells it. */
#ifndef SLUICE_TOOLS_MOUNT_H
#define SLUICE_TOOLS_MOUNT_H

#include <stdint.h>
#include <stdio.h>

/**
 * struct mount - one row of /proc/self/mountinfo.
 *
 * @file_system: its type.
 * @options: of the mount, then of the file system, joined by a comma.
 * @point: where it is mounted.
 * @source: what is mounted.
 */
struct mount {
	char file_system[32];
	char options[512];
	char point[256];
	char source[256];
};

/**
 * mount_find - look a mount up.
 * @rows: mountinfo, read to its end or to the row.
 * @id: of the mount, as statx(2) tells it; 0 where the kernel does not.
 * @path: absolute and without symbolic links: without an id, the longest mount point that leads
 *        to it decides, and of several on the same point the last, which covers the others. NULL:
 *        nothing is found without an id.
 * @ret_mount: written when it is found, else untouched.
 *
 * A device can be mounted in many places, with options of their own: its number tells none of
 * them.
 *
 * Return: 0 or -ENOENT.
 */
int mount_find(FILE *rows, uint64_t id, const char *path, struct mount *ret_mount);

/**
 * mount_of - look up the mount of a path.
 * @path: exists.
 * @id: of the mount, or 0, as above.
 * @ret_mount: written when it is found, else untouched.
 *
 * Return: 0 or -errno.
 */
int mount_of(const char *path, uint64_t id, struct mount *ret_mount);

#endif
