/* SPDX-License-Identifier: MIT */
/*
 * tree.h - the directory as the recorded program sees it: inodes and names, in memory.
 *
 * The bytes of files are elsewhere (scratch.h); everything else of them is here, so that a
 * name costs no system call and means exactly what the trace says.
 *
 * Invariants:
 *  N1. a node lives as long as a name, an open handle or the kernel (lookups) holds it; its
 *      number is never given again.
 *  N2. a name belongs to one directory and one node, and stands in the lists of both.
 *  N3. a directory has one name, or none when it was removed; the root has none.
 */
#ifndef SLUICE_CRASH_TREE_H
#define SLUICE_CRASH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#define TREE_NODES_MAX (UINT64_C(1) << 22) /* numbers given in one recording */
#define TREE_PATH_MAX  4096

struct tree_node;

struct tree_name {
	struct tree_name *hash_next;
	TAILQ_ENTRY(tree_name) in_dir;
	TAILQ_ENTRY(tree_name) of_node;
	struct tree_node *dir;
	struct tree_node *node;
	uint32_t hash;
	char text[];
};

TAILQ_HEAD(tree_names, tree_name);

struct tree_xattr {
	struct tree_xattr *next;
	char *value;
	uint32_t len;
	char name[];
};

struct tree_node {
	uint64_t number;
	uint32_t mode, uid, gid, rdev;
	uint32_t nr_names, nr_dirs; /* its own; directories in it */
	uint64_t size;
	uint64_t blocks; /* of 512 bytes, when nothing is open to ask */
	struct timespec atime, mtime, ctime;
	struct tree_names names;   /* its own */
	struct tree_names entries; /* of a directory, oldest first */

	char *target; /* of a symbolic link */
	char *base;   /* its path below the base directory, or NULL: it is new */
	struct tree_xattr *xattrs;
	bool xattrs_known; /* false: the base still has them */
	bool ignored;	   /* no part of the trace */

	/* Its bytes: scratch.h. */
	bool copied; /* they are in an object, not in the base */
	bool blank;  /* copied, but it never had bytes, and there is no object yet */
	int fd;	     /* of object or base while somebody has it open, or -1 */

	/* Who holds it. */
	uint64_t nr_lookups;
	uint32_t nr_open, nr_writers;
	bool mapped; /* shared memory may hold stores that nobody has seen */
	TAILQ_ENTRY(tree_node) in_mapped;

	/* A sync that failed: handles opened before it have yet to be told. */
	uint32_t sync_errors;
	int sync_error;
};

struct tree {
	struct tree_node **nodes; /* by number */
	uint64_t nodes_nr, nodes_room;
	struct tree_name **table;
	uint32_t table_mask;
	uint64_t names_nr;
	struct tree_node *root;
};

/* An empty directory with the number CRASH_ROOT. 0, -ENOMEM. */
int tree_init(struct tree *tree);
void tree_fini(struct tree *tree);

/* A node without a name; the caller gives it one or frees it. NULL: *ret_err is -ENOMEM, or
 * -ENOSPC after TREE_NODES_MAX. */
struct tree_node *tree_node_new(struct tree *tree, uint32_t mode, int *ret_err);
/* Frees a node that nothing holds any more; else does nothing: false. Its descriptor and its
 * object are the caller's to have ended. */
bool tree_node_unused(const struct tree_node *node);
void tree_node_free(struct tree *tree, struct tree_node *node);
/* NULL for a number that is not in use. */
struct tree_node *tree_find(const struct tree *tree, uint64_t number);

struct tree_name *tree_lookup(const struct tree *tree, const struct tree_node *dir,
			      const char *text);
int tree_add(struct tree *tree, struct tree_node *dir, const char *text, struct tree_node *node);
void tree_remove(struct tree *tree, struct tree_name *name);
/* Two names change their nodes. */
void tree_exchange(struct tree_name *name, struct tree_name *other);

/* What stat(2) calls the number of links. */
uint32_t tree_nlink(const struct tree_node *node);
/* The path below the root by the node's first name, "" for the root; then a slash and text, if
 * it is not NULL. -ENAMETOOLONG, -ENOENT: it has no name. */
int tree_path(const struct tree *tree, const struct tree_node *node, const char *text,
	      char path[TREE_PATH_MAX]);

/* Extended attributes. 0, -ENODATA, -ENOMEM, -EEXIST, -ENOSPC beyond 64 KiB. flags as of
 * setxattr(2). */
const struct tree_xattr *tree_xattr_find(const struct tree_node *node, const char *name);
int tree_xattr_set(struct tree_node *node, const char *name, const void *value, uint32_t len,
		   int flags);
int tree_xattr_remove(struct tree_node *node, const char *name);

#endif
