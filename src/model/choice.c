/* SPDX-License-Identifier: MIT */
/* choice.c - sets of ops that may have survived: by class, by chance; what they would leave. */
#include <string.h>

#include "model/volume.h"

static uint8_t whole(const struct model_op *op)
{
	return op->kind == MODEL_DATA ? op->sectors : 1;
}

static unsigned elements_of(const struct model_volume *volume, const struct model_op *op)
{
	if (op->kind != MODEL_DATA || volume->opts.sector == MODEL_PAGE_BYTES)
		return 1;
	return (unsigned)__builtin_popcount(op->sectors);
}

uint64_t model_elements(const struct model_volume *volume)
{
	const struct model_op *op;
	uint64_t nr = 0;

	TAILQ_FOREACH(op, &volume->ops, all)
	nr += elements_of(volume, op);
	return nr;
}

/* The nr-th of the sectors of a data op, or the whole of any other. */
static uint8_t element(const struct model_volume *volume, const struct model_op *op, uint64_t nr)
{
	uint8_t rest = whole(op);

	if (elements_of(volume, op) == 1)
		return rest;
	while (nr--)
		rest &= (uint8_t)(rest - 1);
	return (uint8_t)(rest & -rest);
}

static void keep_all(struct model_volume *volume, bool all)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->ops, all)
	op->kept = all ? whole(op) : 0;
}

static void keep_prefix(struct model_volume *volume, uint64_t nr)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->ops, all)
	{
		op->kept = 0;
		for (unsigned i = 0; i < elements_of(volume, op) && nr; i++, nr--)
			op->kept |= element(volume, op, i);
	}
}

struct model_op *model_op_with(struct model_volume *volume, uint64_t *nr)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->ops, all)
	{
		if (*nr < elements_of(volume, op))
			break;
		*nr -= elements_of(volume, op);
	}
	return op;
}

static void keep_but(struct model_volume *volume, uint64_t nr)
{
	struct model_op *op = model_op_with(volume, &nr);

	keep_all(volume, true);
	if (op)
		op->kept &= (uint8_t)~element(volume, op, nr);
}

static void keep_only(struct model_volume *volume, uint64_t nr)
{
	struct model_op *only = model_op_with(volume, &nr), *op;

	keep_all(volume, false);
	if (!only)
		return;
	only->flags |= MODEL_WANTED;
	model_want_required(volume);
	TAILQ_FOREACH(op, &volume->ops, all)
	{
		if (op->flags & MODEL_WANTED)
			op->kept = whole(op);
		op->flags &= (uint8_t)~MODEL_WANTED;
	}
	only->kept = element(volume, only, nr);
}

/* Each op by itself, some of the data in part. */
static void keep_some(struct model_volume *volume, struct model_random *random)
{
	static const uint32_t chances[] = { 125000, 500000, 875000 };
	uint32_t chance = chances[model_random_below(random, 3)];
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->ops, all)
	{
		uint64_t dice = model_random(random);

		op->kept = model_random_chance(random, chance) ? whole(op) : 0;
		if (elements_of(volume, op) > 1 && dice % 4 == 0)
			op->kept = op->sectors & (uint8_t)(dice >> 8);
	}
}

static void keep_by_chance(struct model_volume *volume, uint64_t seed)
{
	struct model_random random = { seed };
	uint64_t nr = model_elements(volume);
	uint64_t mode = model_random_below(&random, 8);
	uint64_t at = nr ? model_random_below(&random, nr) : 0;

	switch (mode) {
	case 0:
	case 1:
		keep_all(volume, mode == 1);
		break;
	case 2:
		keep_prefix(volume, at);
		break;
	case 3:
		keep_but(volume, at);
		break;
	case 4:
		keep_only(volume, at);
		break;
	default:
		keep_some(volume, &random);
	}
}

void model_choose(struct model_volume *volume, const struct model_choice *choice)
{
	switch (choice->class) {
	case MODEL_ALL:
	case MODEL_MIN:
		keep_all(volume, choice->class == MODEL_ALL);
		break;
	case MODEL_PREFIX:
		keep_prefix(volume, choice->nr);
		break;
	case MODEL_OMIT1:
		keep_but(volume, choice->nr);
		break;
	case MODEL_ONLY1:
		keep_only(volume, choice->nr);
		break;
	case MODEL_RANDOM:
		keep_by_chance(volume, choice->nr);
		break;
	}
	model_keep_legal(volume);
}

void model_choose_lost(struct model_volume *volume, const uint64_t *elements, size_t nr)
{
	keep_all(volume, true);
	for (size_t i = 0; i < nr; i++) {
		uint64_t within = elements[i];
		struct model_op *op = model_op_with(volume, &within);

		if (op)
			op->kept &= (uint8_t)~element(volume, op, within);
	}
	model_keep_legal(volume);
}

void model_choose_names(struct model_volume *volume)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->names, of_names)
	{
		op->name.entry->chosen = op->name.entry->disk;
		if (op->name.source)
			op->name.source->chosen = op->name.source->disk;
	}
	TAILQ_FOREACH(op, &volume->names, of_names)
	{
		if (!op->kept)
			continue;
		op->name.entry->chosen = op->inode;
		if (op->name.source)
			op->name.source->chosen = op->name.other;
	}
}

bool model_choice_is_legal(struct model_volume *volume)
{
	struct model_op *op;

	TAILQ_FOREACH(op, &volume->ops, all)
	{
		if (op->kept & ~whole(op))
			return false;
	}
	return model_keep_legal(volume);
}

struct model_inode *model_chosen_name(struct model_volume *volume, struct model_inode *dir,
				      const char *name)
{
	const struct model_op *op;
	struct model_entry *entry;
	struct model_inode *inode;
	size_t len = strlen(name);

	TAILQ_FOREACH(entry, &dir->entries, in_dir)
	{
		if (entry->len == len && memcmp(entry->name, name, len) == 0)
			break;
	}
	if (!entry)
		return NULL;
	inode = entry->disk;
	TAILQ_FOREACH(op, &volume->names, of_names)
	{
		if (op->kept && op->name.entry == entry)
			inode = op->inode;
		else if (op->kept && op->name.source == entry)
			inode = op->name.other;
	}
	return inode;
}

uint64_t model_chosen_size(const struct model_inode *inode)
{
	const struct model_op *op;
	uint64_t size = inode->disk.size;

	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (op->kind == MODEL_SIZE && op->kept)
			size = op->size.after;
	}
	return size;
}

/* Of the op's page, what lies in the buffer. */
static void overlay(const struct model_op *op, uint64_t off, unsigned char *buf, uint64_t len)
{
	for (unsigned i = 0; i < MODEL_PAGE_BYTES / MODEL_SECTOR_BYTES; i++) {
		uint64_t start = op->data.idx * MODEL_PAGE_BYTES + i * MODEL_SECTOR_BYTES;
		uint64_t from = start < off ? off : start;
		uint64_t end = start + MODEL_SECTOR_BYTES;

		if (end > off + len)
			end = off + len;
		if (op->kept >> i & 1 && from < end)
			memcpy(buf + (from - off), op->data.page->bytes + from % MODEL_PAGE_BYTES,
			       end - from);
	}
}

/* What a truncation has taken from the buffer. */
static void cut_off(const struct model_op *op, uint64_t off, unsigned char *buf, uint64_t len)
{
	uint64_t from = op->size.after > off ? op->size.after - off : 0;

	if (op->kept && op->size.after < op->size.before && from < len)
		memset(buf + from, 0, len - from);
}

uint64_t model_chosen_read(const struct model_inode *inode, uint64_t off, void *buf, uint64_t len)
{
	uint64_t size = model_chosen_size(inode), disk;
	const struct model_op *op;

	if (off >= size)
		return 0;
	if (len > size - off)
		len = size - off;
	disk = model_content_read(&inode->disk, off, buf, len);
	memset((unsigned char *)buf + disk, 0, len - disk);
	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (op->kind == MODEL_DATA)
			overlay(op, off, buf, len);
		else
			cut_off(op, off, buf, len);
	}
	return len;
}
