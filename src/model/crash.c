/* SPDX-License-Identifier: MIT */
/* crash.c - the power is gone: the chosen ops are on the disk, and the disk is all there is. */
#include "model/volume.h"

static int settle_chosen(struct model_volume *volume)
{
	int err = 0;

	while (!TAILQ_EMPTY(&volume->ops) && !err) {
		struct model_op *op = TAILQ_FIRST(&volume->ops);

		err = model_op_settle(volume, op, op->kept);
	}
	return err;
}

/* Marks what can be reached from the root by names on the disk. */
static void mark_reachable(struct model_volume *volume)
{
	bool more = true;

	volume->pass++;
	volume->root->pass = volume->pass;
	while (more) {
		struct model_inode *dir;

		more = false;
		TAILQ_FOREACH(dir, &volume->inodes, all)
		{
			struct model_entry *entry;

			if (dir->pass != volume->pass)
				continue;
			TAILQ_FOREACH(entry, &dir->entries, in_dir)
			{
				if (!entry->disk || entry->disk->pass == volume->pass)
					continue;
				entry->disk->pass = volume->pass;
				more = true;
			}
		}
	}
}

static void point(struct model_volume *volume, struct model_inode **to, struct model_inode *inode)
{
	struct model_inode *old = *to;

	*to = model_inode_hold(inode);
	model_inode_drop(volume, old);
}

/* Each name is what it is on the disk; of directories that are lost, nothing. */
static void reset_names(struct model_volume *volume)
{
	for (uint32_t i = 0; i <= volume->table_mask; i++) {
		struct model_entry *entry, *next;

		for (entry = volume->table[i]; entry; entry = next) {
			next = entry->hash_next;
			if (entry->dir->pass != volume->pass)
				point(volume, &entry->disk, NULL);
			point(volume, &entry->cache, entry->disk);
			if (entry->cache) {
				entry->cache->links++;
				entry->cache->parent = entry->dir;
			}
			model_entry_settle(volume, entry);
		}
	}
}

static int reset_content(struct model_volume *volume, struct model_inode *inode)
{
	int err = model_content_cut(volume, &inode->disk, inode->disk.size);

	if (!err)
		err = model_content_copy(volume, &inode->cache, &inode->disk);
	for (uint64_t i = 0; !err && i < inode->cache.nr; i++)
		volume->pages_used += inode->cache.page[i] != NULL;
	inode->truncated = inode->lies = false;
	volume->flushes -= inode->flushed_seq != 0;
	inode->flushed_seq = 0;
	return err;
}

int model_crash(struct model_volume *volume)
{
	struct model_inode *inode;
	int err = settle_chosen(volume);

	mark_reachable(volume);
	volume->pages_used = 0;
	TAILQ_FOREACH(inode, &volume->inodes, all)
	{
		inode->links = 0;
		inode->parent = NULL;
		if (!err)
			err = reset_content(volume, inode);
	}
	reset_names(volume);
	volume->root->links = 2;
	return err;
}
