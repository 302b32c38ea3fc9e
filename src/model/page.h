/* SPDX-License-Identifier: MIT */
/*
 * page.h - 4096 bytes of content, shared by all who hold the same version of them.
 *
 * A page that more than one holds is never written: a write makes a new version
 * first. So the cache, the disk and what is on its way between them can share
 * pages, and a synced write costs one copy of its bytes.
 */
#ifndef SLUICE_MODEL_PAGE_H
#define SLUICE_MODEL_PAGE_H

#include <stdint.h>

#define MODEL_PAGE_BYTES   4096
#define MODEL_SECTOR_BYTES 512
#define MODEL_ALL_SECTORS  0xff

struct model_page {
	uint32_t holders;
	uint64_t hash;		 /* of the bytes, the caller's; 0 again when they change */
	struct model_page *next; /* while free */
	unsigned char *bytes;
};

/* A stock of pages that are not used now. */
struct model_pages {
	struct model_page *free;
	uint64_t nr; /* of all pages, used and free */
	/* Where the bytes of a new page shall be, until the stock ends; NULL, or it returns NULL:
	 * in memory with the page. */
	void *(*place)(void *ctx);
	void *ctx;
};

/* A page of zeros, or a copy of another; held once. NULL without memory. */
struct model_page *model_page_zero(struct model_pages *pages);
struct model_page *model_page_copy(struct model_pages *pages, const struct model_page *page);
/* For what overwrites all of it: content undefined. */
struct model_page *model_page_blank(struct model_pages *pages);

static inline struct model_page *model_page_hold(struct model_page *page)
{
	if (page)
		page->holders++;
	return page;
}

static inline void model_page_drop(struct model_pages *pages, struct model_page *page)
{
	if (!page || --page->holders)
		return;
	page->next = pages->free;
	pages->free = page;
}

/* Replaces the sectors of mask in *to (which may be NULL: zeros) by those of from.
 * 0 or -ENOMEM. */
int model_page_merge(struct model_pages *pages, struct model_page **to, struct model_page *from,
		     unsigned mask);

void model_pages_fini(struct model_pages *pages);

#endif
