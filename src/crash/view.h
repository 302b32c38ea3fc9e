/* SPDX-License-Identifier: MIT */
/*
 * view.h - the unsynced ops at a point by the pages they change, and what a choice makes of those.
 *
 * Thousands of states are made at one point that differ in an op or two. So the pages that
 * unsynced ops touch are found once, with the ops of each; of the rest of a file only the
 * hash is kept. A page's bytes, and their hash, are made again only if the choice of
 * its own ops has changed since they were made last.
 *
 * Valid until the volume goes on.
 */
#ifndef SLUICE_CRASH_VIEW_H
#define SLUICE_CRASH_VIEW_H

#include "crash/replay.h"

struct view_page {
	struct model_inode *inode;
	uint64_t idx;
	uint32_t first, nr; /* of its ops */
	uint64_t signature; /* of the choice that hash is of */
	uint64_t hash;
};

struct view {
	struct replay *replay;
	bool garbage; /* a size without its data reads as garbage, not as zeros */
	uint64_t pass;
	struct view_page *pages;
	uint32_t pages_nr, pages_room;
	struct model_op **ops;
	uint32_t ops_nr, ops_room;
	struct view_pair *pairs;
	uint32_t pairs_nr, pairs_room;
	unsigned char bytes[MODEL_PAGE_BYTES];
};

/* Looks at the volume as it is now. -ENOMEM. */
int view_make(struct view *view, struct replay *replay);
void view_release(struct view *view);

/* Of a file in the state that is chosen: its size, and a hash of its bytes. */
uint64_t view_size(const struct model_inode *inode);
uint64_t view_hash(struct view *view, struct model_inode *inode, uint64_t size);

/* Of a page of it: 0 for zeros, 1 for one that is as in the directory, or a hash of its bytes. */
uint64_t view_page_hash(struct view *view, struct model_inode *inode, uint64_t size, uint64_t idx);
/* Its bytes, behind size zeros; valid until the next call. NULL where the hash is 0 or 1. */
const unsigned char *view_page(struct view *view, struct model_inode *inode, uint64_t size,
			       uint64_t idx);

#endif
