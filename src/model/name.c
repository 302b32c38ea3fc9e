/* SPDX-License-Identifier: MIT */
/*
 * name.c - directories: one hash of all names, and a list of them in each directory.
 *
 * An entry stands for its name on both sides and outlives what it names: a name
 * that is removed in the cache may still be on the disk, or in a pending op.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/volume.h"

static uint64_t hash_name(const struct model_inode *dir, const char *name, size_t len)
{
	uint64_t hash = dir->number;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3u;
	return model_mix(hash);
}

static struct model_entry *find(const struct model_volume *volume, const struct model_inode *dir,
				const char *name, size_t len)
{
	uint64_t hash = hash_name(dir, name, len);
	struct model_entry *entry = volume->table[hash & volume->table_mask];

	for (; entry; entry = entry->hash_next) {
		if (entry->hash == hash && entry->dir == dir && entry->len == len &&
		    memcmp(entry->name, name, len) == 0)
			break;
	}
	return entry;
}

struct model_entry *model_lookup(struct model_volume *volume, struct model_inode *dir,
				 const char *name, size_t len)
{
	struct model_entry *entry = find(volume, dir, name, len);

	return entry && entry->cache ? entry : NULL;
}

static void grow_table(struct model_volume *volume)
{
	uint32_t nr = (volume->table_mask + 1) * 2;
	struct model_entry **table = calloc(nr, sizeof(struct model_entry *));

	if (!table)
		return; /* longer chains, no harm */
	for (uint32_t i = 0; i <= volume->table_mask; i++) {
		struct model_entry *entry, *next;

		for (entry = volume->table[i]; entry; entry = next) {
			next = entry->hash_next;
			entry->hash_next = table[entry->hash & (nr - 1)];
			table[entry->hash & (nr - 1)] = entry;
		}
	}
	free(volume->table);
	volume->table = table;
	volume->table_mask = nr - 1;
}

/* The entry of a name, made if it is new. */
static struct model_entry *make(struct model_volume *volume, struct model_inode *dir,
				const char *name, size_t len)
{
	struct model_entry *entry = find(volume, dir, name, len);

	if (entry)
		return entry;
	entry = calloc(1, sizeof(*entry) + len + 1);
	if (!entry)
		return NULL;
	if (volume->entries_nr++ > volume->table_mask)
		grow_table(volume);
	entry->dir = model_inode_hold(dir);
	entry->hash = hash_name(dir, name, len);
	entry->len = (uint16_t)len;
	memcpy(entry->name, name, len);
	entry->position = dir->next_position++;
	entry->hash_next = volume->table[entry->hash & volume->table_mask];
	volume->table[entry->hash & volume->table_mask] = entry;
	TAILQ_INSERT_TAIL(&dir->entries, entry, in_dir);
	return entry;
}

void model_entry_settle(struct model_volume *volume, struct model_entry *entry)
{
	struct model_entry **link = &volume->table[entry->hash & volume->table_mask];

	if (entry->cache || entry->disk || entry->ops)
		return;
	while (*link != entry)
		link = &(*link)->hash_next;
	*link = entry->hash_next;
	TAILQ_REMOVE(&entry->dir->entries, entry, in_dir);
	model_inode_drop(volume, entry->dir);
	volume->entries_nr--;
	free(entry);
}

/* What entry names in the cache from now on. */
static void point(struct model_volume *volume, struct model_entry *entry, struct model_inode *inode)
{
	struct model_inode *old = entry->cache;

	entry->cache = model_inode_hold(inode);
	if (old && old->parent == entry->dir)
		old->parent = NULL;
	if (inode) {
		inode->links++;
		inode->parent = entry->dir;
	}
	if (old)
		old->links--;
	model_inode_drop(volume, old);
}

static struct model_op *add_op(struct model_volume *volume, struct model_entry *entry,
			       struct model_inode *inode)
{
	struct model_op *op = model_op_add(volume, MODEL_NAME, inode);

	if (!op)
		return NULL;
	op->name.entry = entry;
	entry->ops++;
	return op;
}

int model_add(struct model_volume *volume, struct model_inode *dir, const char *name, size_t len,
	      struct model_inode *inode)
{
	struct model_entry *entry = make(volume, dir, name, len);

	if (!entry)
		return -ENOMEM;
	volume->group++;
	if (!add_op(volume, entry, inode)) {
		model_entry_settle(volume, entry);
		return -ENOMEM;
	}
	point(volume, entry, inode);
	return 0;
}

int model_remove(struct model_volume *volume, struct model_entry *entry)
{
	volume->group++;
	if (!add_op(volume, entry, NULL))
		return -ENOMEM;
	point(volume, entry, NULL);
	return 0;
}

/* An added and a removed name, the second one requiring the first. */
static int rename_apart(struct model_volume *volume, struct model_entry *source,
			struct model_entry *target)
{
	struct model_op *added = add_op(volume, target, source->cache);
	struct model_op *removed = added ? add_op(volume, source, NULL) : NULL;

	if (!removed) {
		if (added)
			model_op_forget(volume, added);
		return -ENOMEM;
	}
	added->name.twin = removed;
	removed->name.twin = added;
	return 0;
}

static int rename_at_once(struct model_volume *volume, struct model_entry *source,
			  struct model_entry *target, bool exchange)
{
	struct model_op *op = model_op_add(volume, MODEL_RENAME, source->cache);

	if (!op)
		return -ENOMEM;
	op->flags = target->cache && !exchange ? MODEL_REPLACES : 0;
	op->name.entry = target;
	op->name.source = source;
	op->name.other = exchange ? model_inode_hold(target->cache) : NULL;
	target->ops++;
	source->ops++;
	return 0;
}

int model_rename(struct model_volume *volume, struct model_entry *source, struct model_inode *dir,
		 const char *name, size_t len, bool exchange)
{
	struct model_entry *target = make(volume, dir, name, len);
	struct model_inode *moved = source->cache, *other;
	int err;

	if (!target)
		return -ENOMEM;
	volume->group++;
	if (volume->profile->rename_splits && source->dir != dir && !exchange &&
	    !S_ISDIR(moved->mode))
		err = rename_apart(volume, source, target);
	else
		err = rename_at_once(volume, source, target, exchange);
	if (err) {
		model_entry_settle(volume, target);
		return err;
	}
	other = exchange ? model_inode_hold(target->cache) : NULL;
	model_inode_hold(moved);
	point(volume, source, other);
	point(volume, target, moved);
	moved->parent = dir;
	if (other)
		other->parent = source->dir;
	model_inode_drop(volume, moved);
	model_inode_drop(volume, other);
	return 0;
}

struct model_entry *model_entry_from(struct model_inode *dir, uint64_t position)
{
	struct model_entry *entry;

	TAILQ_FOREACH(entry, &dir->entries, in_dir)
	{
		if (entry->position >= position && entry->cache)
			break;
	}
	return entry;
}
