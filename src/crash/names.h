/* SPDX-License-Identifier: MIT */
/*
 * names.h - who is called what, op by op: a directory tree without contents.
 *
 * Applying a trace's ops in turn gives the tree as the program saw it, and finds ops that
 * contradict what went before: an unlink of a name that is not there, a write to an
 * inode that was never made. Names are borrowed from the ops.
 */
#ifndef SLUICE_CRASH_NAMES_H
#define SLUICE_CRASH_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crash/trace.h"

struct crash_node {
	struct crash_node *hash_next;
	struct crash_node *all_next;
	uint64_t inode;
	uint32_t mode;
	uint32_t links;
	uint64_t children; /* of a directory */
	/* The name that it got last; it may have lost it. The root: NULL. */
	struct crash_node *dir;
	const char *name;
};

struct crash_names;

int crash_names_create(struct crash_names **ret_names);
void crash_names_destroy(struct crash_names *names);

/* 0; -ENOMEM; -EILSEQ: the op contradicts what went before, *ret_why says how. Failed ops
 * change nothing, but must be about something that is there. */
int crash_names_apply(struct crash_names *names, const struct crash_op *op, const char **ret_why);

/* The node of an inode, or NULL; what a name in a directory is, or NULL. */
struct crash_node *crash_names_node(const struct crash_names *names, uint64_t inode);
struct crash_node *crash_names_find(const struct crash_names *names, uint64_t dir,
				    const char *name);

/* "/dir/name" into buf, by the names that node and its directories got last; cut at the front
 * ("...") if it is longer than bytes. A file without a name is said to have none. Returns buf. */
const char *crash_names_path(const struct crash_node *node, char *buf, size_t bytes);

#endif
