/* SPDX-License-Identifier: MIT */
/*
 * scratch.h - the bytes of the recorded program's files, while it runs.
 *
 * A file that the program only reads is read from the base directory. Before its first change it
 * is copied (as a reflink where the file system can, else with its holes) into an object: a
 * file called by its number in a temporary directory, which is locked while it is used. What
 * a killed recorder left is removed by the next one: its lock is gone.
 */
#ifndef SLUICE_CRASH_SCRATCH_H
#define SLUICE_CRASH_SCRATCH_H

#include <stdint.h>

#include "crash/tree.h"

#define SCRATCH_BYTES_MAX (UINT64_C(8) << 30)
#define SCRATCH_PREFIX	  "sluice-recording-" /* of the temporary directory's name */

struct scratch {
	int dir_fd;  /* of the objects; -1: not open */
	int base_fd; /* of the base directory, which is only read */
	const struct tree *tree;
	uint64_t bytes_max;
	uint64_t budget; /* bytes that may be written before they are counted again */
	char path[TREE_PATH_MAX];
};

/* parent NULL: $TMPDIR, else /var/tmp. base: the absolute path of the base directory, which
 * parent must not be below of: -EINVAL. Or -errno; nothing is left then. */
int scratch_open(struct scratch *scratch, const char *parent, const char *base,
		 const struct tree *tree, uint64_t bytes_max);
void scratch_close(struct scratch *scratch);

/* Opens what holds the node's bytes, for writing too if it is an object. 0; -errno;
 * -ESTALE: the base was changed meanwhile. */
int scratch_open_node(const struct scratch *scratch, struct tree_node *node);
/* Before the first change: its bytes below keep are copied into an object, which is open
 * afterwards. -ENOSPC beyond bytes_max. */
int scratch_own(struct scratch *scratch, struct tree_node *node, uint64_t keep);
/* A new file, empty. Its object is made with its first bytes, or when it is read: many files are
 * made and removed without any, and an object costs more than all else of that. */
void scratch_create(struct tree_node *node);
/* -ENOSPC if len more bytes do not fit. */
int scratch_reserve(struct scratch *scratch, uint64_t len);
/* What bytes_max leaves. */
uint64_t scratch_left(const struct scratch *scratch);
void scratch_shut(struct tree_node *node);
/* Shuts it and removes its object. */
void scratch_drop(const struct scratch *scratch, struct tree_node *node);

#endif
