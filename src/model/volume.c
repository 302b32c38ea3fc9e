/* SPDX-License-Identifier: MIT */
/* volume.c - making a volume, and who holds its inodes and ops. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "model/volume.h"

#define TABLE_FIRST 64

struct model_inode *model_inode_create(struct model_volume *volume, uint32_t mode)
{
	struct model_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->number = volume->next_number++;
	inode->mode = mode;
	inode->holders = 1;
	inode->next_position = 2;
	TAILQ_INIT(&inode->ops);
	TAILQ_INIT(&inode->entries);
	TAILQ_INSERT_TAIL(&volume->inodes, inode, all);
	return inode;
}

static void count_pages_out(struct model_volume *volume, const struct model_inode *inode)
{
	for (uint64_t i = 0; i < inode->cache.nr; i++)
		volume->pages_used -= inode->cache.page[i] != NULL;
}

static void inode_free(struct model_volume *volume, struct model_inode *inode)
{
	struct model_attribute *attribute;

	count_pages_out(volume, inode);
	model_content_clear(volume, &inode->cache);
	model_content_clear(volume, &inode->disk);
	while ((attribute = inode->attributes)) {
		inode->attributes = attribute->next;
		free(attribute->name);
		free(attribute);
	}
	if (inode->flushed_seq)
		volume->flushes--;
	TAILQ_REMOVE(&volume->inodes, inode, all);
	free(inode->target);
	free(inode);
}

void model_inode_drop(struct model_volume *volume, struct model_inode *inode)
{
	if (!inode)
		return;
	SL_ASSERT_CMP(inode->holders, >, 0);
	if (!--inode->holders)
		inode_free(volume, inode);
}

static struct model_op *op_take(struct model_volume *volume)
{
	struct model_op *op = volume->free_ops;

	if (op)
		volume->free_ops = op->all.tqe_next;
	else
		op = malloc(sizeof(*op));
	return op;
}

static bool is_name(const struct model_op *op)
{
	return op->kind == MODEL_NAME || op->kind == MODEL_RENAME;
}

struct model_op *model_op_add(struct model_volume *volume, uint8_t kind, struct model_inode *inode)
{
	struct model_op *op = op_take(volume);

	if (!op)
		return NULL;
	op->seq = ++volume->seq;
	op->group = volume->group;
	op->kind = kind;
	op->flags = op->sectors = op->grown = op->kept = 0;
	op->inode = model_inode_hold(inode);
	if (is_name(op)) {
		op->name.entry = op->name.source = NULL;
		op->name.other = NULL;
		op->name.twin = NULL;
		TAILQ_INSERT_TAIL(&volume->names, op, of_names);
	} else {
		TAILQ_INSERT_TAIL(&inode->ops, op, of_inode);
	}
	TAILQ_INSERT_TAIL(&volume->ops, op, all);
	volume->pending++;
	return op;
}

static void forget_entry(struct model_volume *volume, struct model_entry *entry)
{
	if (!entry)
		return;
	SL_ASSERT_CMP(entry->ops, >, 0);
	entry->ops--;
	model_entry_settle(volume, entry);
}

void model_op_forget(struct model_volume *volume, struct model_op *op)
{
	TAILQ_REMOVE(&volume->ops, op, all);
	volume->pending--;
	if (is_name(op)) {
		TAILQ_REMOVE(&volume->names, op, of_names);
		if (op->name.twin)
			op->name.twin->name.twin = NULL;
		model_inode_drop(volume, op->name.other);
		forget_entry(volume, op->name.entry);
		forget_entry(volume, op->name.source);
	} else {
		TAILQ_REMOVE(&op->inode->ops, op, of_inode);
		if (op->kind == MODEL_DATA)
			model_page_drop(&volume->pages, op->data.page);
		volume->truncations -= (op->flags & MODEL_TRUNCATION) != 0;
	}
	model_inode_drop(volume, op->inode);
	op->all.tqe_next = volume->free_ops;
	volume->free_ops = op;
}

int model_volume_create(const struct model_volume_opts *opts, struct model_volume **ret_volume)
{
	struct model_volume *volume = calloc(1, sizeof(*volume));

	if (!volume)
		return -ENOMEM;
	volume->opts = *opts;
	if (!volume->opts.sector)
		volume->opts.sector = MODEL_SECTOR_BYTES;
	if (!volume->opts.pending_max)
		volume->opts.pending_max = MODEL_PENDING_MAX;
	volume->profile = opts->profile ? opts->profile : &model_posix;
	volume->next_number = 1;
	TAILQ_INIT(&volume->inodes);
	TAILQ_INIT(&volume->ops);
	TAILQ_INIT(&volume->names);
	volume->table = calloc(TABLE_FIRST, sizeof(struct model_entry *));
	volume->table_mask = TABLE_FIRST - 1;
	volume->root = model_inode_create(volume, S_IFDIR | 0755);
	if (!volume->table || !volume->root) {
		model_volume_destroy(volume);
		return -ENOMEM;
	}
	volume->root->links = 2;
	if (volume->opts.sector != MODEL_SECTOR_BYTES && volume->opts.sector != MODEL_PAGE_BYTES) {
		model_volume_destroy(volume);
		return -EINVAL;
	}
	*ret_volume = volume;
	return 0;
}

void model_volume_destroy(struct model_volume *volume)
{
	if (!volume)
		return;
	while (!TAILQ_EMPTY(&volume->ops))
		model_op_forget(volume, TAILQ_FIRST(&volume->ops));
	for (uint32_t i = 0; volume->table && i <= volume->table_mask; i++) {
		while (volume->table[i]) {
			struct model_entry *entry = volume->table[i];

			volume->table[i] = entry->hash_next;
			free(entry);
		}
	}
	while (!TAILQ_EMPTY(&volume->inodes))
		inode_free(volume, TAILQ_FIRST(&volume->inodes));
	while (volume->free_ops) {
		struct model_op *op = volume->free_ops;

		volume->free_ops = op->all.tqe_next;
		free(op);
	}
	model_pages_fini(&volume->pages);
	free(volume->table);
	free(volume);
}
