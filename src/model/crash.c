/* SPDX-License-Identifier: MIT */
/* crash.c - the power is gone: the chosen ops are on the disk, and the disk is all there is. */
#include <errno.h>
#include <string.h>

#include "model/volume.h"

/* The sectors of a write that are lost and lie behind the end, as the disk has it so far. */
static unsigned lost_behind_the_end(const struct model_op *op)
{
	uint64_t start = op->data.idx * MODEL_PAGE_BYTES;
	unsigned lost = op->grown & ~(unsigned)op->kept;

	for (unsigned i = 0; i < MODEL_PAGE_BYTES / MODEL_SECTOR_BYTES; i++) {
		if (start + i * MODEL_SECTOR_BYTES < op->inode->disk.size)
			lost &= ~(1u << i);
	}
	return lost;
}

/* Where the size may outlive the data and nothing says zeros, there is what the blocks held
 * before: noise, in some of the sectors. */
static int leave_noise(struct model_volume *volume, struct model_op *op)
{
	struct model_random random = { model_mix(volume->noise ^ op->seq) };
	struct model_content *disk = &op->inode->disk;
	unsigned mask = lost_behind_the_end(op) & (unsigned)model_random(&random);
	struct model_page *page;
	int err;

	if (!mask)
		return 0;
	page = model_page_blank(&volume->pages);
	if (!page)
		return -ENOMEM;
	for (size_t at = 0; at < MODEL_PAGE_BYTES; at += sizeof(uint64_t)) {
		uint64_t word = model_random(&random);

		memcpy(page->bytes + at, &word, sizeof(word));
	}
	err = model_content_reserve(disk, op->data.idx);
	if (!err)
		err = model_page_merge(&volume->pages, &disk->page[op->data.idx], page, mask);
	model_page_drop(&volume->pages, page);
	return err;
}

static int settle_chosen(struct model_volume *volume)
{
	bool noisy = volume->noise && volume->profile->any_bytes;
	int err = 0;

	while (!TAILQ_EMPTY(&volume->ops) && !err) {
		struct model_op *op = TAILQ_FIRST(&volume->ops);

		if (noisy && op->kind == MODEL_DATA)
			err = leave_noise(volume, op);
		if (!err)
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
