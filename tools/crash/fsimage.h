/* fsimage.h: a file with a file system in it: made, mounted where only this process sees it, looked
 * at. Needs root. */
#ifndef SLUICE_TOOLS_CRASH_FSIMAGE_H
#define SLUICE_TOOLS_CRASH_FSIMAGE_H

#include <stddef.h>

/* NULL when this process may mount images, else what is missing. */
const char *fsimage_refusal(void);
/* Makes a file with an empty file system of a kind: 0, -ENOENT when its mkfs is not installed,
 * -EINVAL for a kind that is not known, -EIO when mkfs failed, or -errno. */
int fsimage_make(const char *path, const char *fs);
/* Mounts it with the file system's own options ("" : the default ones): 0 or -errno. The loop
 * device goes with the mount. */
int fsimage_mount(const char *path, const char *fs, const char *options, const char *point);
/* The same in a process of its own, which ends with the mount: whether it can be. */
int fsimage_try(const char *path, const char *fs, const char *options, const char *point);
/* A mount namespace of its own, whose mounts nobody else sees: 0 or -errno. */
int fsimage_enter(void);

#endif
