/* SPDX-License-Identifier: MIT */
/* base.h - reads a directory into a tree, and tells a trace what was there (CRASH_BASE). */
#ifndef SLUICE_CRASH_BASE_H
#define SLUICE_CRASH_BASE_H

#include "crash/record.h"
#include "crash/tree.h"

/* Whether a path below the directory is left out of the trace: it, or a directory above it,
 * matches one of opts->ignore. */
bool crash_record_ignored(const struct crash_record_opts *opts, const char *path);

/* Directories are read in the order of their names, so that equal directories get equal
 * numbers; .sluice at the top is left out. What is ignored and cannot be read is taken to be
 * empty. 0; -EACCES: a file or directory that is not ignored, in report->unreadable; -ENOSPC: too
 * many files; -ENOMEM. */
int crash_base_load(struct tree *tree, int base_fd, const struct crash_record_opts *opts,
		    struct crash_record_report *report);

/* Appends what was loaded to the trace. 0 or its error. */
int crash_base_tell(const struct tree *tree, struct crash_trace *trace);

/* The extended attributes of a node that still has them in the base. */
int crash_base_xattrs(int base_fd, struct tree_node *node);

#endif
