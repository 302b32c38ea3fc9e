/* SPDX-License-Identifier: MIT */
/* inodes.c - an open-addressed table that grows. */
#include <errno.h>
#include <stdlib.h>

#include "crash/inodes.h"
#include "crash/trace.h"

#define ROOM_FIRST 1024

int inodes_init(struct inodes *inodes)
{
	*inodes = (struct inodes){ .room = ROOM_FIRST, .next = CRASH_ROOT };
	inodes->table = calloc(inodes->room, sizeof(*inodes->table));
	return inodes->table ? 0 : -ENOMEM;
}

void inodes_fini(struct inodes *inodes)
{
	free(inodes->table);
	*inodes = (struct inodes){ 0 };
}

/* Its place, or the free one where it would be. */
static struct inode *probe(const struct inodes *inodes, uint64_t ino)
{
	size_t at = (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20);

	for (;; at++) {
		struct inode *inode = &inodes->table[at & (inodes->room - 1)];

		if (!inode->ino || inode->ino == ino)
			return inode;
	}
}

struct inode *inodes_find(const struct inodes *inodes, uint64_t ino)
{
	struct inode *inode = probe(inodes, ino);

	return inode->ino ? inode : NULL;
}

static bool grow(struct inodes *inodes)
{
	struct inodes larger = { .room = 2 * inodes->room };

	larger.table = calloc(larger.room, sizeof(*larger.table));
	if (!larger.table)
		return false;
	for (size_t i = 0; i < inodes->room; i++) {
		if (inodes->table[i].ino)
			*probe(&larger, inodes->table[i].ino) = inodes->table[i];
	}
	free(inodes->table);
	inodes->table = larger.table;
	inodes->room = larger.room;
	return true;
}

struct inode *inodes_add(struct inodes *inodes, uint64_t ino, uint64_t number)
{
	struct inode *inode;

	if (4 * inodes->used >= 3 * inodes->room && !grow(inodes))
		return NULL;
	inode = probe(inodes, ino);
	inodes->used += !inode->ino;
	*inode = (struct inode){
		.ino = ino,
		.number = number ? number : inodes->next,
		.links = 1,
		.watch = -1,
		.path_fd = -1,
	};
	if (inode->number >= inodes->next)
		inodes->next = inode->number + 1;
	return inode;
}
