/* SPDX-License-Identifier: MIT */
/*
 * inodes.h - which file of the copy is which inode of the trace.
 *
 * A file system gives the number of a file that is gone to the next one; the trace never does.
 */
#ifndef SLUICE_CRASH_INODES_H
#define SLUICE_CRASH_INODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode {
	uint64_t ino;	 /* of the file system; 0: free */
	uint64_t number; /* of the trace */
	uint32_t links;	 /* names; 0: it is gone, but for descriptors */
	uint32_t writers;
	int watch;    /* of inotify(7), or -1 */
	int path_fd;  /* O_PATH, while there are writers; or -1 */
	bool ignored; /* no part of the trace */
};

struct inodes {
	struct inode *table;
	size_t room, used;
	uint64_t next; /* number */
};

int inodes_init(struct inodes *inodes);
void inodes_fini(struct inodes *inodes);
/* NULL: never seen. Valid until the next inodes_add(). */
struct inode *inodes_find(const struct inodes *inodes, uint64_t ino);
/* A file with one name; number 0: the next one. Takes the place of one that is gone. NULL: no
 * memory. */
struct inode *inodes_add(struct inodes *inodes, uint64_t ino, uint64_t number);

#endif
