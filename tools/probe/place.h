/* Where the probe looks: the file system and device under a path, and scratch files on it. */
#ifndef PROBE_PLACE_H
#define PROBE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/statx.h"

/**
 * struct place - a path and what it stands on.
 * @path: as the user wrote it (borrowed).
 * @kind: "directory", "file" or "block device".
 * @dirfd: the directory scratch files are made in (for a file: its parent), or -errno.
 * @stx: statx of the path itself.
 * @fs: type of the file system; "unknown" where /proc does not say.
 * @mount_point: where it is mounted.
 * @options: options of the mount and of the file system, comma separated.
 * @source: the device or name that was mounted.
 * @queue: sysfs directory with the device's queue limits, "" when there is no block device.
 * @device: name of that device, "" when there is none.
 * @read_only: mounted read-only.
 */
struct place {
	const char *path;
	const char *kind;
	int dirfd;
	struct sl_sys_statx stx;
	char fs[32];
	char mount_point[256];
	char options[512];
	char source[256];
	char queue[96];
	char device[64];
	bool read_only;
};

/* Find out. Returns 0, or -errno when the path itself cannot be looked at. Never writes. */
int place_open(struct place *place, const char *path);

/* Forget; takes a zeroed place too. */
void place_close(struct place *place);

/*
 * A new nameless file in the place, open for reading and writing: gone when its
 * last descriptor closes, also when the process is killed. Returns fd or -errno.
 */
int place_scratch(const struct place *place);

/* A second description of an open file, with other flags (O_DIRECT ...). Returns fd or -errno. */
int place_reopen(int fd, int flags);

/* Is this word among the mount options? */
bool place_has_option(const struct place *place, const char *option);

/* A queue attribute of the device as text; returns its length, or -errno. */
int place_queue_text(const struct place *place, const char *name, char *out, size_t room);

/* A queue attribute of the device as a number; `missing` when it is not there. */
int64_t place_queue_number(const struct place *place, const char *name, int64_t missing);

#endif
