/* SPDX-License-Identifier: MIT */
/*
 * sync.c - what a sync makes durable: the ops it names, and all that those require.
 *
 * The common case, a file with nothing but data of its own, goes straight
 * through that file's list. As soon as names take part every pending op is
 * looked at.
 */
#include <errno.h>
#include <string.h>

#include "model/volume.h"

/* ---- from the list to the disk ------------------------------------------------------ */

/* Older versions of sectors that are on the disk now must not get there later. */
static void supersede(struct model_volume *volume, struct model_op *op, unsigned sectors)
{
	struct model_op *at, *next;

	for (at = TAILQ_FIRST(&op->inode->ops); at && at != op; at = next) {
		next = TAILQ_NEXT(at, of_inode);
		if (at->kind != MODEL_DATA || at->data.idx != op->data.idx)
			continue;
		at->sectors &= (uint8_t)~sectors;
		at->grown &= at->sectors;
		if (!at->sectors)
			model_op_forget(volume, at);
	}
}

static int settle_data(struct model_volume *volume, struct model_op *op, unsigned kept)
{
	struct model_content *disk = &op->inode->disk;

	if (!kept)
		return 0;
	if (model_content_reserve(disk, op->data.idx) ||
	    model_page_merge(&volume->pages, &disk->page[op->data.idx], op->data.page, kept))
		return -ENOMEM;
	supersede(volume, op, kept);
	return 0;
}

/* What a truncation leaves of an older data op: nothing, or zeros behind the end. */
static int cut_op(struct model_volume *volume, struct model_op *op, uint64_t size)
{
	uint64_t start = op->data.idx * MODEL_PAGE_BYTES;
	struct model_page *own;

	if (start >= size) {
		model_op_forget(volume, op);
		return 0;
	}
	if (size >= start + MODEL_PAGE_BYTES)
		return 0;
	own = model_page_copy(&volume->pages, op->data.page);
	if (!own)
		return -ENOMEM;
	memset(own->bytes + (size - start), 0, MODEL_PAGE_BYTES - (size - start));
	model_page_drop(&volume->pages, op->data.page);
	op->data.page = own;
	return 0;
}

static int settle_size(struct model_volume *volume, struct model_op *op)
{
	struct model_inode *inode = op->inode;
	struct model_op *at, *next;

	if (op->size.after < op->size.before &&
	    model_content_cut(volume, &inode->disk, op->size.after))
		return -ENOMEM;
	inode->disk.size = op->size.after;
	if (op->size.after >= op->size.before)
		return 0;
	for (at = TAILQ_FIRST(&inode->ops); at && at != op; at = next) {
		next = TAILQ_NEXT(at, of_inode);
		if (at->kind == MODEL_DATA && cut_op(volume, at, op->size.after))
			return -ENOMEM;
	}
	return 0;
}

static void point(struct model_volume *volume, struct model_entry *entry, struct model_inode *inode)
{
	struct model_inode *old = entry->disk;

	entry->disk = model_inode_hold(inode);
	model_inode_drop(volume, old);
}

int model_op_settle(struct model_volume *volume, struct model_op *op, unsigned kept)
{
	int err = 0;

	if (op->kind == MODEL_DATA) {
		err = settle_data(volume, op, kept);
	} else if (op->kind == MODEL_SIZE && kept) {
		err = settle_size(volume, op);
	} else if (kept) {
		point(volume, op->name.entry, op->inode);
		if (op->name.source)
			point(volume, op->name.source, op->name.other);
	}
	if (!err)
		model_op_forget(volume, op);
	return err;
}

static int settle(struct model_volume *volume, struct model_op *op)
{
	return model_op_settle(volume, op, op->kind == MODEL_DATA ? op->sectors : 1);
}

static void want_nothing(struct model_volume *volume)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->ops, all)
	op->flags &= (uint8_t)~MODEL_WANTED;
}

/* Settling one op may forget others, those before it. */
static int settle_wanted(struct model_volume *volume)
{
	struct model_op *op, *next;
	int err = 0;

	model_want_required(volume);
	for (op = TAILQ_FIRST(&volume->ops); op && !err; op = next) {
		next = TAILQ_NEXT(op, all);
		if (op->flags & MODEL_WANTED)
			err = settle(volume, op);
	}
	if (err)
		want_nothing(volume);
	return err;
}

/* ---- what a sync names -------------------------------------------------------------- */

struct sync {
	struct model_inode *inode;
	uint64_t seq;
	bool any;      /* something of the inode was not durable */
	bool metadata; /* its size or its name, too */
	bool names;    /* names or other inodes take part */
};

static void want(struct sync *sync, struct model_op *op)
{
	op->flags |= MODEL_WANTED;
	sync->any = true;
}

static bool is_in(const struct model_op *op, const struct model_inode *dir)
{
	return op->name.entry->dir == dir || (op->name.source && op->name.source->dir == dir);
}

/* The names in a directory that is synced, and whether the inode has new ones. */
static void want_names(struct model_volume *volume, struct sync *sync)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->names, of_names)
	{
		if (op->seq > sync->seq)
			break;
		if (is_in(op, sync->inode)) {
			want(sync, op);
			sync->names = sync->metadata = true;
		}
		sync->metadata |= op->inode == sync->inode || op->name.other == sync->inode;
	}
}

/* The names of the inode, and those of the directories above it. */
static void want_own_names(struct model_volume *volume, struct sync *sync)
{
	struct model_op *op;
	bool more = true;

	volume->pass++;
	sync->inode->pass = volume->pass;
	while (more) {
		more = false;
		TAILQ_FOREACH(op, &volume->names, of_names)
		{
			if (op->seq > sync->seq || !op->inode || op->inode->pass != volume->pass)
				continue;
			want(sync, op);
			sync->names = true;
			more |= op->name.entry->dir->pass != volume->pass;
			op->name.entry->dir->pass = volume->pass;
		}
	}
	/* The passes of require.c read more than the number. */
	volume->pass++;
}

/* A commit takes with it all names and truncations, and the sizes of what was flushed. */
static void want_commit(struct model_volume *volume, struct sync *sync)
{
	struct model_op *op;

	if (TAILQ_EMPTY(&volume->names) && !volume->truncations && !volume->flushes)
		return;
	sync->names = true;
	TAILQ_FOREACH(op, &volume->ops, all)
	{
		if (op->seq > sync->seq)
			break;
		if (op->kind == MODEL_NAME || op->kind == MODEL_RENAME ||
		    op->flags & MODEL_TRUNCATION ||
		    (op->kind == MODEL_SIZE && op->inode->flushed_seq >= op->seq))
			op->flags |= MODEL_WANTED;
	}
}

static int carry_out(struct model_volume *volume, struct sync *sync, bool data_only)
{
	struct model_op *op, *next;
	int err = 0;

	if (!TAILQ_EMPTY(&volume->names)) {
		want_names(volume, sync);
		if (volume->profile->sync_own_names)
			want_own_names(volume, sync);
	}
	if (volume->profile->sync_commits_names && (sync->metadata || (sync->any && !data_only)))
		want_commit(volume, sync);
	if (sync->names)
		return settle_wanted(volume);
	for (op = TAILQ_FIRST(&sync->inode->ops); op && !err; op = next) {
		next = TAILQ_NEXT(op, of_inode);
		if (op->flags & MODEL_WANTED)
			err = settle(volume, op);
	}
	if (err)
		want_nothing(volume);
	return err;
}

int model_sync(struct model_volume *volume, struct model_inode *inode, bool data_only, uint64_t seq)
{
	struct sync sync = { .inode = inode, .seq = seq };
	struct model_op *op;

	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (op->seq > seq)
			break;
		want(&sync, op);
		sync.metadata |= op->kind == MODEL_SIZE;
	}
	return carry_out(volume, &sync, data_only);
}

int model_sync_write(struct model_volume *volume, struct model_inode *inode, uint64_t after)
{
	struct sync sync = { .inode = inode, .seq = volume->seq };
	struct model_op *op;

	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (op->kind == MODEL_DATA && op->seq <= after)
			continue;
		want(&sync, op);
		if (op->kind == MODEL_SIZE)
			sync.metadata = sync.names = true;
	}
	return carry_out(volume, &sync, true);
}

int model_write_back(struct model_volume *volume, uint32_t nr)
{
	int err = 0;

	while (volume->pending > nr && !err)
		err = settle(volume, TAILQ_FIRST(&volume->ops));
	return err;
}

int model_sync_until(struct model_volume *volume, uint64_t seq)
{
	int err = 0;

	while (!err && !TAILQ_EMPTY(&volume->ops) && TAILQ_FIRST(&volume->ops)->seq <= seq)
		err = settle(volume, TAILQ_FIRST(&volume->ops));
	return err;
}

int model_sync_all(struct model_volume *volume)
{
	return model_write_back(volume, 0);
}

void model_lose(struct model_volume *volume, struct model_inode *inode, struct model_random *random)
{
	struct model_op *op, *next;
	bool first = true;

	for (op = TAILQ_FIRST(&inode->ops); op; op = next) {
		next = TAILQ_NEXT(op, of_inode);
		if (op->kind != MODEL_DATA || (!first && model_random(random) % 2))
			continue;
		first = false;
		inode->lies = true;
		model_op_forget(volume, op);
	}
}
