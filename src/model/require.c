/* SPDX-License-Identifier: MIT */
/*
 * require.c - the rules of the profiles: which op can be on the disk only with which others.
 *
 *	an op			requires, of the ops before it
 *	NAME, RENAME		all names and truncations (names_in_order);
 *				else those of the same entries;
 *				of what replaces a file: its sizes (flush_on_replace)
 *	half of a rename	the half that adds the name
 *	SIZE			all sizes of the inode; the data of its own write
 *				beyond the old size (size_after_data)
 *	DATA			truncations of what it fills
 *
 * The same table is walked in two directions: backwards to find what a set of
 * ops needs, forwards to drop what lacks something.
 */
#include "model/volume.h"

static bool is_name(const struct model_op *op)
{
	return op->kind == MODEL_NAME || op->kind == MODEL_RENAME;
}

/* In the same journal as the names. */
static bool is_ordered(const struct model_volume *volume, const struct model_op *op)
{
	return volume->profile->names_in_order && (is_name(op) || op->flags & MODEL_TRUNCATION);
}

static bool is_cut(const struct model_op *op)
{
	return op->flags & MODEL_TRUNCATION && op->size.after < op->size.before;
}

static uint64_t page_end(const struct model_op *op)
{
	return (op->data.idx + 1) * MODEL_PAGE_BYTES;
}

static bool flushes(const struct model_volume *volume, const struct model_op *op)
{
	return volume->profile->flush_on_replace && op->flags & MODEL_REPLACES;
}

/* The marks of an inode, cleared by its first use in a pass. */
static struct model_inode *marks(const struct model_volume *volume, struct model_inode *inode,
				 uint64_t floor)
{
	if (inode->pass != volume->pass) {
		inode->pass = volume->pass;
		inode->sizes = false;
		inode->floor = floor;
	}
	return inode;
}

static bool is_marked(const struct model_volume *volume, const struct model_entry *entry)
{
	return entry && entry->pass == volume->pass;
}

static void mark_entries(const struct model_volume *volume, const struct model_op *op)
{
	op->name.entry->pass = volume->pass;
	if (op->name.source)
		op->name.source->pass = volume->pass;
}

/* ---- backwards ---------------------------------------------------------------------- */

/* What the ops behind need. */
struct need {
	bool names;
	uint64_t group;
};

static bool is_needed(const struct model_volume *volume, const struct need *need,
		      const struct model_op *op)
{
	const struct model_inode *inode;

	if (need->names && is_ordered(volume, op))
		return true;
	if (is_name(op))
		return is_marked(volume, op->name.entry) || is_marked(volume, op->name.source);
	inode = marks(volume, op->inode, 0);
	if (op->kind == MODEL_DATA)
		return op->grown && op->group == need->group;
	return inode->sizes || (is_cut(op) && op->size.after < inode->floor);
}

static void note_need(const struct model_volume *volume, struct need *need, struct model_op *op)
{
	need->names |= is_ordered(volume, op);
	if (is_name(op)) {
		mark_entries(volume, op);
		if (flushes(volume, op))
			marks(volume, op->inode, 0)->sizes = true;
		if (op->name.twin && op->name.twin->seq < op->seq)
			op->name.twin->flags |= MODEL_WANTED;
		return;
	}
	marks(volume, op->inode, 0);
	if (op->kind == MODEL_SIZE) {
		op->inode->sizes = true;
		if (volume->profile->size_after_data && !(op->flags & MODEL_TRUNCATION))
			need->group = op->group;
	} else if (page_end(op) > op->inode->floor) {
		op->inode->floor = page_end(op);
	}
}

void model_want_required(struct model_volume *volume)
{
	struct need need = { 0 };
	struct model_op *op;

	volume->pass++;
	TAILQ_FOREACH_REVERSE(op, &volume->ops, model_ops, all)
	{
		if (is_needed(volume, &need, op))
			op->flags |= MODEL_WANTED;
		if (op->flags & MODEL_WANTED)
			note_need(volume, &need, op);
	}
}

/* ---- forwards ----------------------------------------------------------------------- */

/* What was lost so far. */
struct lost {
	bool names;
	uint64_t group;
};

/* The part of an op that may survive what was lost before it. */
static uint8_t allowed(const struct model_volume *volume, const struct lost *lost,
		       const struct model_op *op)
{
	const struct model_inode *inode;

	if (lost->names && is_ordered(volume, op))
		return 0;
	if (is_name(op)) {
		if (is_marked(volume, op->name.entry) || is_marked(volume, op->name.source))
			return 0;
		if (op->name.twin && op->name.twin->seq < op->seq && !op->name.twin->kept)
			return 0;
		return !flushes(volume, op) || !marks(volume, op->inode, UINT64_MAX)->sizes;
	}
	inode = marks(volume, op->inode, UINT64_MAX);
	if (op->kind == MODEL_DATA)
		return page_end(op) > inode->floor ? 0 : op->sectors;
	if (inode->sizes)
		return 0;
	return !volume->profile->size_after_data || op->flags & MODEL_TRUNCATION ||
	       op->group != lost->group;
}

static void note_lost(const struct model_volume *volume, struct lost *lost, struct model_op *op)
{
	lost->names |= is_ordered(volume, op);
	if (is_name(op)) {
		if (!volume->profile->names_in_order)
			mark_entries(volume, op);
		return;
	}
	marks(volume, op->inode, UINT64_MAX);
	if (op->kind == MODEL_SIZE) {
		op->inode->sizes = true;
		if (is_cut(op) && op->size.after < op->inode->floor)
			op->inode->floor = op->size.after;
	} else if (op->grown & ~op->kept) {
		lost->group = op->group;
	}
}

bool model_keep_legal(struct model_volume *volume)
{
	struct lost lost = { 0 };
	struct model_op *op;
	bool legal = true;

	volume->pass++;
	TAILQ_FOREACH(op, &volume->ops, all)
	{
		uint8_t kept = op->kept & allowed(volume, &lost, op);

		legal &= kept == op->kept;
		op->kept = kept;
		if (op->kind == MODEL_DATA ? kept != op->sectors : !kept)
			note_lost(volume, &lost, op);
	}
	return legal;
}
