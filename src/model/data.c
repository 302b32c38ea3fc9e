/* SPDX-License-Identifier: MIT */
/*
 * data.c - writing, truncating and reading files: the cache at once, the disk by pending ops.
 *
 * One write is a group: a data op for each page, then the size if the file has
 * grown. The size op comes last, so that it can require the data (M2).
 */
#include <errno.h>
#include <string.h>

#include "model/volume.h"

#define SECTORS (MODEL_PAGE_BYTES / MODEL_SECTOR_BYTES)

/* The sectors with bytes in from .. to - 1 of a page. */
static uint8_t sectors_of(const struct model_volume *volume, size_t from, size_t to)
{
	unsigned first = (unsigned)(from / MODEL_SECTOR_BYTES);
	unsigned end = (unsigned)((to + MODEL_SECTOR_BYTES - 1) / MODEL_SECTOR_BYTES);

	if (volume->opts.sector == MODEL_PAGE_BYTES)
		return MODEL_ALL_SECTORS;
	return (uint8_t)(((1u << end) - 1) & ~((1u << first) - 1));
}

static bool is_full(const struct model_volume *volume)
{
	return volume->opts.bytes_max &&
	       (volume->pages_used + 1) * MODEL_PAGE_BYTES > volume->opts.bytes_max;
}

/* A version of the page that only the cache holds, about to get len bytes. */
static int own_page(struct model_volume *volume, struct model_inode *inode, uint64_t idx,
		    uint64_t len)
{
	struct model_page *old, *own;

	if (model_content_reserve(&inode->cache, idx))
		return -ENOMEM;
	old = inode->cache.page[idx];
	if (old && old->holders == 1)
		return 0;
	if (!old && is_full(volume))
		return -ENOSPC;
	if (len == MODEL_PAGE_BYTES)
		own = model_page_blank(&volume->pages);
	else
		own = old ? model_page_copy(&volume->pages, old) : model_page_zero(&volume->pages);
	if (!own)
		return -ENOMEM;
	volume->pages_used += !old;
	model_page_drop(&volume->pages, old);
	inode->cache.page[idx] = own;
	return 0;
}

/* What lies beyond the old size is new to the file, and its size requires it. */
static uint8_t grown_sectors(const struct model_volume *volume, uint64_t start, uint64_t size)
{
	if (size >= start + MODEL_PAGE_BYTES)
		return 0;
	return size <= start ? MODEL_ALL_SECTORS :
			       sectors_of(volume, size - start, MODEL_PAGE_BYTES);
}

static int write_page(struct model_volume *volume, struct model_inode *inode, uint64_t off,
		      const void *buf, uint64_t len)
{
	uint64_t idx = off / MODEL_PAGE_BYTES;
	size_t within = off % MODEL_PAGE_BYTES;
	int err = own_page(volume, inode, idx, len);
	struct model_op *op;

	if (err)
		return err;
	op = model_op_add(volume, MODEL_DATA, inode);
	if (!op)
		return -ENOMEM;
	memcpy(inode->cache.page[idx]->bytes + within, buf, len);
	inode->cache.page[idx]->hash = 0;
	op->data.idx = idx;
	op->data.page = model_page_hold(inode->cache.page[idx]);
	op->sectors = sectors_of(volume, within, within + len);
	op->grown = op->sectors & grown_sectors(volume, off - within, inode->cache.size);
	return 0;
}

static int set_size(struct model_volume *volume, struct model_inode *inode, uint64_t size,
		    uint8_t flags)
{
	struct model_op *op = model_op_add(volume, MODEL_SIZE, inode);

	if (!op)
		return -ENOMEM;
	op->flags = flags;
	op->size.before = inode->cache.size;
	op->size.after = size;
	inode->cache.size = size;
	volume->truncations += flags != 0;
	return 0;
}

int model_write(struct model_volume *volume, struct model_inode *inode, uint64_t off,
		const void *buf, uint64_t len, uint64_t *ret_done)
{
	const unsigned char *from = buf;
	int err = 0;

	*ret_done = 0;
	if (off >= MODEL_FILE_MAX || len > MODEL_FILE_MAX - off)
		return -EFBIG;
	if (volume->pending >= volume->opts.pending_max)
		err = model_write_back(volume, volume->opts.pending_max / 2);
	volume->group++;
	while (!err && *ret_done < len) {
		uint64_t at = off + *ret_done;
		uint64_t piece = MODEL_PAGE_BYTES - at % MODEL_PAGE_BYTES;

		if (piece > len - *ret_done)
			piece = len - *ret_done;
		err = write_page(volume, inode, at, from + *ret_done, piece);
		if (!err)
			*ret_done += piece;
	}
	if (*ret_done && off + *ret_done > inode->cache.size &&
	    set_size(volume, inode, off + *ret_done, 0))
		return -ENOMEM;
	return err;
}

int model_write_astray(struct model_volume *volume, struct model_inode *inode, uint64_t off,
		       const void *buf, uint64_t len, uint64_t astray)
{
	uint64_t before = volume->seq, done;
	int err = model_write(volume, inode, off, buf, len, &done);
	struct model_op *op;

	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (op->seq > before && op->kind == MODEL_DATA)
			op->data.idx += astray - off / MODEL_PAGE_BYTES;
	}
	inode->lies = true;
	return err;
}

static void recount(struct model_volume *volume, const struct model_inode *inode, bool add)
{
	for (uint64_t i = 0; i < inode->cache.nr; i++) {
		if (inode->cache.page[i])
			volume->pages_used += add ? 1 : -1;
	}
}

int model_truncate(struct model_volume *volume, struct model_inode *inode, uint64_t size)
{
	uint64_t before = inode->cache.size;
	int err;

	if (size > MODEL_FILE_MAX)
		return -EFBIG;
	if (size == before)
		return 0;
	volume->group++;
	err = set_size(volume, inode, size, MODEL_TRUNCATION);
	if (err || size > before)
		return err;
	inode->truncated = true;
	recount(volume, inode, false);
	err = model_content_cut(volume, &inode->cache, size);
	recount(volume, inode, true);
	return err;
}

void model_close(struct model_volume *volume, struct model_inode *inode)
{
	if (!inode->truncated || !volume->profile->flush_on_replace)
		return;
	inode->truncated = false;
	volume->flushes += !inode->flushed_seq;
	inode->flushed_seq = volume->seq;
}

uint64_t model_read(const struct model_inode *inode, uint64_t off, void *buf, uint64_t len)
{
	return model_content_read(&inode->cache, off, buf, len);
}

/* The disk's content with all that is on its way there. */
static int true_content(struct model_volume *volume, const struct model_inode *inode,
			struct model_content *content)
{
	const struct model_op *op;
	int err = model_content_copy(volume, content, &inode->disk);

	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (err)
			break;
		if (op->kind == MODEL_SIZE) {
			content->size = op->size.after;
			err = model_content_cut(volume, content, op->size.after);
			continue;
		}
		err = model_content_reserve(content, op->data.idx);
		if (!err)
			err = model_page_merge(&volume->pages, &content->page[op->data.idx],
					       op->data.page, op->sectors);
	}
	return err;
}

int64_t model_read_disk(struct model_volume *volume, const struct model_inode *inode, uint64_t off,
			void *buf, uint64_t len)
{
	struct model_content content = { 0 };
	int64_t res;

	if (!inode->lies)
		return (int64_t)model_read(inode, off, buf, len);
	res = true_content(volume, inode, &content);
	if (!res) {
		content.size = inode->cache.size;
		res = (int64_t)model_content_read(&content, off, buf, len);
	}
	model_content_clear(volume, &content);
	return res;
}

int model_drop_cache(struct model_volume *volume, struct model_inode *inode)
{
	struct model_content content = { 0 };
	int err;

	if (!inode->lies)
		return 0;
	err = true_content(volume, inode, &content);
	if (err) {
		model_content_clear(volume, &content);
		return err;
	}
	content.size = inode->cache.size;
	recount(volume, inode, false);
	model_content_clear(volume, &inode->cache);
	inode->cache = content;
	recount(volume, inode, true);
	inode->lies = false;
	return 0;
}

static int flip(struct model_volume *volume, struct model_content *content, uint64_t bit)
{
	uint64_t idx = bit / 8 / MODEL_PAGE_BYTES;
	struct model_page *own;

	if (!model_content_page(content, idx))
		return 0;
	own = model_page_copy(&volume->pages, content->page[idx]);
	if (!own)
		return -ENOMEM;
	own->bytes[bit / 8 % MODEL_PAGE_BYTES] ^= (unsigned char)(1u << bit % 8);
	model_page_drop(&volume->pages, content->page[idx]);
	content->page[idx] = own;
	return 0;
}

int model_rot(struct model_volume *volume, struct model_inode *inode, uint64_t bit)
{
	int err = flip(volume, &inode->cache, bit);

	return err ? err : flip(volume, &inode->disk, bit);
}
