/* SPDX-License-Identifier: MIT */
/* page.c - versions of pages: made, copied, merged sector by sector. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/page.h"

static struct model_page *make_page(struct model_pages *pages)
{
	unsigned char *bytes = pages->place ? pages->place(pages->ctx) : NULL;
	struct model_page *page = malloc(sizeof(*page) + (bytes ? 0 : MODEL_PAGE_BYTES));

	if (!page)
		return NULL;
	page->bytes = bytes ? bytes : (unsigned char *)(page + 1);
	pages->nr++;
	return page;
}

struct model_page *model_page_blank(struct model_pages *pages)
{
	struct model_page *page = pages->free;

	if (page)
		pages->free = page->next;
	else
		page = make_page(pages);
	if (!page)
		return NULL;
	page->holders = 1;
	page->hash = 0;
	return page;
}

struct model_page *model_page_zero(struct model_pages *pages)
{
	struct model_page *page = model_page_blank(pages);

	if (page)
		memset(page->bytes, 0, MODEL_PAGE_BYTES);
	return page;
}

struct model_page *model_page_copy(struct model_pages *pages, const struct model_page *page)
{
	struct model_page *copy = model_page_blank(pages);

	if (copy)
		memcpy(copy->bytes, page->bytes, MODEL_PAGE_BYTES);
	return copy;
}

/* A version of *to that nobody else holds. */
static int make_own(struct model_pages *pages, struct model_page **to)
{
	struct model_page *own;

	if (*to && (*to)->holders == 1)
		return 0;
	own = *to ? model_page_copy(pages, *to) : model_page_zero(pages);
	if (!own)
		return -ENOMEM;
	model_page_drop(pages, *to);
	*to = own;
	return 0;
}

int model_page_merge(struct model_pages *pages, struct model_page **to, struct model_page *from,
		     unsigned mask)
{
	if (mask == MODEL_ALL_SECTORS) {
		model_page_hold(from);
		model_page_drop(pages, *to);
		*to = from;
		return 0;
	}
	if (make_own(pages, to))
		return -ENOMEM;
	(*to)->hash = 0;
	for (unsigned i = 0; i < MODEL_PAGE_BYTES / MODEL_SECTOR_BYTES; i++) {
		size_t at = (size_t)i * MODEL_SECTOR_BYTES;

		if (mask >> i & 1)
			memcpy((*to)->bytes + at, from->bytes + at, MODEL_SECTOR_BYTES);
	}
	return 0;
}

void model_pages_fini(struct model_pages *pages)
{
	while (pages->free) {
		struct model_page *page = pages->free;

		pages->free = page->next;
		free(page);
	}
}
