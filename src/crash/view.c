/* SPDX-License-Identifier: MIT */
/* view.c - pairs of page and op, sorted; and pages put together from the ops that are kept. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crash/view.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HASH_ZERO 0
#define HASH_BASE 1
#define SECTORS	  (MODEL_PAGE_BYTES / MODEL_SECTOR_BYTES)

struct view_pair {
	uint64_t idx;
	struct model_op *op;
};

/* ---- growing arrays ----------------------------------------------------------------- */

static int room(void *array, uint32_t nr, uint32_t *room, size_t bytes)
{
	void **at = array, *more;
	uint32_t wanted = *room ? 2 * *room : 64;

	if (nr < *room)
		return 0;
	more = realloc(*at, wanted * bytes);
	if (!more)
		return -ENOMEM;
	*at = more;
	*room = wanted;
	return 0;
}

static int add_pair(struct view *view, uint64_t idx, struct model_op *op)
{
	if (room(&view->pairs, view->pairs_nr, &view->pairs_room, sizeof(*view->pairs)))
		return -ENOMEM;
	view->pairs[view->pairs_nr++] = (struct view_pair){ idx, op };
	return 0;
}

/* ---- hashes of pages ---------------------------------------------------------------- */

static uint64_t hash_bytes(const unsigned char *bytes)
{
	uint64_t hash;

	if (bytes[0] == 0 && memcmp(bytes, bytes + 1, MODEL_PAGE_BYTES - 1) == 0)
		return HASH_ZERO;
	hash = XXH3_64bits(bytes, MODEL_PAGE_BYTES);
	return hash > HASH_BASE ? hash : hash + 2;
}

/* Of a version that others share too: kept with it, one more so that zeros are known. */
static uint64_t hash_page(const struct view *view, struct model_page *page)
{
	if (!page)
		return HASH_ZERO;
	if (!page->hash) {
		page->hash = hash_bytes(page->bytes) + 1;
		spill_touch(&view->replay->spill, MODEL_PAGE_BYTES);
	}
	return page->hash - 1;
}

/* A page's part in its file's hash. */
static uint64_t part(uint64_t hash, uint64_t idx)
{
	return hash == HASH_ZERO ? 0 : model_mix(hash + model_mix(idx + 1));
}

/* ---- finding the pages -------------------------------------------------------------- */

static bool shrinks(const struct model_op *op)
{
	return op->kind == MODEL_SIZE && op->size.after < op->size.before;
}

static bool grows_by_write(const struct model_op *op)
{
	return op->kind == MODEL_SIZE && op->size.after > op->size.before &&
	       !(op->flags & MODEL_TRUNCATION);
}

/* Pages on the disk that a truncation cuts need not have data ops. */
static int pair_cut_pages(struct view *view, struct model_inode *inode, struct model_op *op)
{
	int err = 0;

	for (uint64_t idx = op->size.after / MODEL_PAGE_BYTES; !err && idx < inode->disk.nr;
	     idx++) {
		if (inode->disk.page[idx])
			err = add_pair(view, idx, op);
	}
	return err;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct view_pair *x = a, *y = b;

	if (x->idx != y->idx)
		return x->idx < y->idx ? -1 : 1;
	return (x->op->seq > y->op->seq) - (x->op->seq < y->op->seq);
}

static bool touches(const struct model_op *op, uint64_t idx)
{
	uint64_t start = idx * MODEL_PAGE_BYTES;

	if (shrinks(op))
		return start + MODEL_PAGE_BYTES > op->size.after;
	return grows_by_write(op) && op->size.before < start + MODEL_PAGE_BYTES &&
	       op->size.after > start;
}

/* Sizes act on the pages that data ops touch, wherever these are: one look at each for each. */
static int pair_sizes(struct view *view, struct model_inode *inode, uint32_t data_nr)
{
	struct model_op *op;
	int err = 0;

	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		uint64_t last = UINT64_MAX;

		if (err || (!shrinks(op) && !(view->garbage && grows_by_write(op))))
			continue;
		for (uint32_t i = 0; i < data_nr && !err; i++) {
			uint64_t idx = view->pairs[i].idx;

			if (idx != last && touches(op, idx))
				err = add_pair(view, idx, op);
			last = idx;
		}
	}
	return err;
}

/* The same pair may have been found twice. */
static int add_op(struct view *view, struct view_page *page, struct model_op *op)
{
	if (page->nr && view->ops[view->ops_nr - 1] == op)
		return 0;
	if (room(&view->ops, view->ops_nr, &view->ops_room, sizeof(struct model_op *)))
		return -ENOMEM;
	view->ops[view->ops_nr++] = op;
	page->nr++;
	return 0;
}

static int make_pages(struct view *view, struct model_inode *inode)
{
	struct view_page *page = NULL;
	int err = 0;

	for (uint32_t i = 0; i < view->pairs_nr && !err; i++) {
		const struct view_pair *pair = &view->pairs[i];

		if (!page || page->idx != pair->idx) {
			if (room(&view->pages, view->pages_nr, &view->pages_room, sizeof(*page)))
				return -ENOMEM;
			page = &view->pages[view->pages_nr++];
			*page = (struct view_page){ .inode = inode,
						    .idx = pair->idx,
						    .first = view->ops_nr };
		}
		err = add_op(view, page, pair->op);
	}
	return err;
}

static int look_at_ops(struct view *view, struct model_inode *inode)
{
	struct model_op *op;
	uint32_t data_nr;
	int err = 0;

	view->pairs_nr = 0;
	TAILQ_FOREACH(op, &inode->ops, of_inode)
	{
		if (!err && op->kind == MODEL_DATA)
			err = add_pair(view, op->data.idx, op);
		else if (!err && shrinks(op))
			err = pair_cut_pages(view, inode, op);
	}
	data_nr = view->pairs_nr;
	if (err || !data_nr)
		return err;
	qsort(view->pairs, data_nr, sizeof(*view->pairs), compare_pairs);
	err = pair_sizes(view, inode, data_nr);
	if (view->pairs_nr > data_nr)
		qsort(view->pairs, view->pairs_nr, sizeof(*view->pairs), compare_pairs);
	return err ? err : make_pages(view, inode);
}

/* The pages that no op changes: all of the disk but those of the view. */
static uint64_t hash_rest(const struct view *view, const struct model_inode *inode,
			  const struct crash_file *file)
{
	const struct view_page *page = view->pages + file->first_page;
	const struct view_page *end = page + file->pages_nr;
	uint64_t rest = 0;

	for (uint64_t idx = 0; idx < inode->disk.nr; idx++) {
		while (page < end && page->idx < idx)
			page++;
		if (inode->disk.page[idx] && !(page < end && page->idx == idx))
			rest += part(hash_page(view, inode->disk.page[idx]), idx);
	}
	return rest;
}

int view_make(struct view *view, struct replay *replay)
{
	struct model_inode *inode;
	int err = 0;

	view->replay = replay;
	view->pages_nr = view->ops_nr = 0;
	view->pass++;
	TAILQ_FOREACH(inode, &replay->volume->inodes, all)
	{
		struct crash_file *file = inode->owner;

		file->first_page = view->pages_nr;
		if (!TAILQ_EMPTY(&inode->ops))
			err = look_at_ops(view, inode);
		if (err)
			break;
		file->pages_nr = view->pages_nr - file->first_page;
		file->rest = hash_rest(view, inode, file);
	}
	return err;
}

void view_release(struct view *view)
{
	free(view->pages);
	free(view->ops);
	free(view->pairs);
	*view = (struct view){ 0 };
}

/* ---- putting a page together -------------------------------------------------------- */

static uint64_t signature_of(const struct view *view, const struct view_page *page, uint64_t size)
{
	uint64_t start = page->idx * MODEL_PAGE_BYTES;
	uint64_t signature = size > start + MODEL_PAGE_BYTES ? MODEL_PAGE_BYTES : size - start;

	for (uint32_t i = 0; i < page->nr; i++)
		signature = (signature ^ view->ops[page->first + i]->kept) * 0x100000001b3u +
			    (signature >> 47);
	return model_mix(signature) | 1;
}

static void put_sectors(unsigned char *bytes, const struct model_op *op, unsigned sectors)
{
	for (; sectors; sectors &= sectors - 1) {
		size_t at = (size_t)__builtin_ctz(sectors) * MODEL_SECTOR_BYTES;

		memcpy(bytes + at, op->data.page->bytes + at, MODEL_SECTOR_BYTES);
	}
}

/* The first of the ops behind the last size: of these the newest version of a sector counts.
 * Sizes change what lies before them. *ret_sectors: what they put. */
static uint32_t first_latest(const struct view *view, const struct view_page *page,
			     unsigned *ret_sectors)
{
	uint32_t first = page->nr;

	*ret_sectors = 0;
	for (; first && *ret_sectors != MODEL_ALL_SECTORS; first--) {
		const struct model_op *op = view->ops[page->first + first - 1];

		if (op->kind != MODEL_DATA)
			break;
		*ret_sectors |= op->kept;
	}
	return first;
}

static void put_latest(const struct view *view, const struct view_page *page, uint32_t first,
		       unsigned char *bytes)
{
	unsigned done = 0;

	for (uint32_t i = page->nr; i-- > first;) {
		const struct model_op *op = view->ops[page->first + i];

		put_sectors(bytes, op, op->kept & ~done);
		done |= op->kept;
	}
}

/* Where from .. to lies within a page that starts at start. */
static size_t within(uint64_t off, uint64_t start)
{
	if (off <= start)
		return 0;
	return off - start < MODEL_PAGE_BYTES ? (size_t)(off - start) : MODEL_PAGE_BYTES;
}

/* What the size now covers and its own data did not fill. */
static void put_garbage(const struct view *view, const struct view_page *page, uint32_t nr,
			unsigned char *bytes)
{
	const struct model_op *size = view->ops[page->first + nr];
	size_t from = within(size->size.before, page->idx * MODEL_PAGE_BYTES);
	size_t to = within(size->size.after, page->idx * MODEL_PAGE_BYTES);
	unsigned filled = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const struct model_op *op = view->ops[page->first + i];

		if (op->kind == MODEL_DATA && op->group == size->group)
			filled |= op->kept;
	}
	for (; from < to; from++) {
		if (!(filled >> (from / MODEL_SECTOR_BYTES) & 1))
			bytes[from] =
				(unsigned char)(0xa5 ^
						model_mix(page->idx * MODEL_PAGE_BYTES + from));
	}
}

static void put_disk(const struct view_page *page, unsigned char *bytes)
{
	const struct model_page *disk = model_content_page(&page->inode->disk, page->idx);

	if (disk)
		memcpy(bytes, disk->bytes, MODEL_PAGE_BYTES);
	else
		memset(bytes, 0, MODEL_PAGE_BYTES);
}

/* The first nr ops, each upon what was there before. */
static void put_in_order(const struct view *view, const struct view_page *page, uint32_t nr,
			 unsigned char *bytes)
{
	for (uint32_t i = 0; i < nr; i++) {
		const struct model_op *op = view->ops[page->first + i];

		if (op->kind == MODEL_DATA) {
			put_sectors(bytes, op, op->kept);
		} else if (op->kept && shrinks(op)) {
			size_t from = within(op->size.after, page->idx * MODEL_PAGE_BYTES);

			memset(bytes + from, 0, MODEL_PAGE_BYTES - from);
		} else if (op->kept && view->garbage) {
			put_garbage(view, page, i, bytes);
		}
	}
}

static void put_together(const struct view *view, const struct view_page *page, uint64_t size,
			 unsigned char *bytes)
{
	uint64_t start = page->idx * MODEL_PAGE_BYTES;
	unsigned sectors;
	uint32_t first = first_latest(view, page, &sectors);

	if (sectors != MODEL_ALL_SECTORS) {
		put_disk(page, bytes);
		put_in_order(view, page, first, bytes);
	}
	put_latest(view, page, first, bytes);
	if (size < start + MODEL_PAGE_BYTES)
		memset(bytes + within(size, start), 0, MODEL_PAGE_BYTES - within(size, start));
}

/* The one version that decides all of a page, if one does: *ret_page (NULL: zeros). */
static bool one_version(const struct view *view, const struct view_page *page, uint64_t size,
			struct model_page **ret_page)
{
	if (size < (page->idx + 1) * MODEL_PAGE_BYTES)
		return false;
	for (uint32_t i = page->nr; i-- > 0;) {
		const struct model_op *op = view->ops[page->first + i];

		if (!op->kept)
			continue;
		if (op->kind != MODEL_DATA || op->kept != MODEL_ALL_SECTORS)
			return false;
		*ret_page = op->data.page;
		return true;
	}
	*ret_page = model_content_page(&page->inode->disk, page->idx);
	return true;
}

static void know_hash(struct view *view, struct view_page *page, uint64_t size)
{
	uint64_t signature = signature_of(view, page, size);
	struct model_page *version;

	if (page->signature == signature)
		return;
	page->signature = signature;
	if (one_version(view, page, size, &version)) {
		page->hash = hash_page(view, version);
		return;
	}
	put_together(view, page, size, view->bytes);
	page->hash = hash_bytes(view->bytes);
}

/* ---- files -------------------------------------------------------------------------- */

uint64_t view_size(const struct model_inode *inode)
{
	return model_chosen_size(inode);
}

uint64_t view_hash(struct view *view, struct model_inode *inode, uint64_t size)
{
	const struct crash_file *file = inode->owner;
	uint64_t hash = model_mix(size + 1) + file->rest;

	/* Pages as in the directory are the same in every state in which they are. */
	if (file->base)
		hash += model_mix(file->number);
	for (uint32_t i = 0; i < file->pages_nr; i++) {
		struct view_page *page = &view->pages[file->first_page + i];

		if (page->idx * MODEL_PAGE_BYTES >= size)
			break;
		know_hash(view, page, size);
		hash += part(page->hash, page->idx);
	}
	return hash;
}

static struct view_page *find_page(struct view *view, const struct crash_file *file, uint64_t idx)
{
	uint32_t low = file->first_page, high = low + file->pages_nr;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (view->pages[middle].idx < idx)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == file->first_page + file->pages_nr || view->pages[low].idx != idx)
		return NULL;
	return &view->pages[low];
}

uint64_t view_page_hash(struct view *view, struct model_inode *inode, uint64_t size, uint64_t idx)
{
	const struct crash_file *file = inode->owner;
	struct view_page *page = find_page(view, file, idx);

	if (page) {
		know_hash(view, page, size);
		return page->hash;
	}
	return replay_is_base(file, idx) ? HASH_BASE :
					   hash_page(view, model_content_page(&inode->disk, idx));
}

const unsigned char *view_page(struct view *view, struct model_inode *inode, uint64_t size,
			       uint64_t idx)
{
	const struct view_page *page = find_page(view, inode->owner, idx);
	struct model_page *version;

	if (view_page_hash(view, inode, size, idx) <= HASH_BASE)
		return NULL;
	spill_touch(&view->replay->spill, MODEL_PAGE_BYTES);
	if (!page)
		return model_content_page(&inode->disk, idx)->bytes;
	if (one_version(view, page, size, &version))
		return version->bytes;
	put_together(view, page, size, view->bytes);
	return view->bytes;
}
