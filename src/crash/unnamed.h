/* SPDX-License-Identifier: MIT */
/* unnamed.h - a file without a name, on a disk: for what is too much for memory. */
#ifndef SLUICE_CRASH_UNNAMED_H
#define SLUICE_CRASH_UNNAMED_H

/* The directory of such files: $TMPDIR, else /var/tmp, which is on a disk where /tmp is memory. */
const char *crash_unnamed_dir(void);
/* A descriptor for reading and writing, or -errno. */
int crash_unnamed_open(void);

#endif
