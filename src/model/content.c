/* SPDX-License-Identifier: MIT */
/* content.c - the bytes of a file in one of its lives: an array of shared pages, and a size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/volume.h"

struct model_page *model_content_page(const struct model_content *content, uint64_t idx)
{
	return idx < content->nr ? content->page[idx] : NULL;
}

int model_content_reserve(struct model_content *content, uint64_t idx)
{
	uint64_t nr = content->nr ? content->nr : 4;
	struct model_page **page;

	if (idx < content->nr)
		return 0;
	while (nr <= idx)
		nr *= 2;
	page = realloc(content->page, nr * sizeof(struct model_page *));
	if (!page)
		return -ENOMEM;
	memset(page + content->nr, 0, (nr - content->nr) * sizeof(struct model_page *));
	content->page = page;
	content->nr = nr;
	return 0;
}

static int zero_tail(struct model_volume *volume, struct model_page **page, size_t from)
{
	struct model_page *own;

	if (!*page)
		return 0;
	own = (*page)->holders == 1 ? *page : model_page_copy(&volume->pages, *page);
	if (!own)
		return -ENOMEM;
	if (own != *page)
		model_page_drop(&volume->pages, *page);
	memset(own->bytes + from, 0, MODEL_PAGE_BYTES - from);
	own->hash = 0;
	*page = own;
	return 0;
}

int model_content_cut(struct model_volume *volume, struct model_content *content, uint64_t size)
{
	uint64_t idx = size / MODEL_PAGE_BYTES;
	size_t within = size % MODEL_PAGE_BYTES;

	if (within && idx < content->nr && zero_tail(volume, &content->page[idx], within))
		return -ENOMEM;
	for (idx += within > 0; idx < content->nr; idx++) {
		model_page_drop(&volume->pages, content->page[idx]);
		content->page[idx] = NULL;
	}
	return 0;
}

void model_content_clear(struct model_volume *volume, struct model_content *content)
{
	for (uint64_t i = 0; i < content->nr; i++)
		model_page_drop(&volume->pages, content->page[i]);
	free(content->page);
	*content = (struct model_content){ 0 };
}

int model_content_copy(struct model_volume *volume, struct model_content *to,
		       const struct model_content *from)
{
	if (from->nr && model_content_reserve(to, from->nr - 1))
		return -ENOMEM;
	for (uint64_t i = 0; i < to->nr; i++) {
		struct model_page *page = model_page_hold(model_content_page(from, i));

		model_page_drop(&volume->pages, to->page[i]);
		to->page[i] = page;
	}
	to->size = from->size;
	return 0;
}

uint64_t model_content_read(const struct model_content *content, uint64_t off, void *buf,
			    uint64_t len)
{
	unsigned char *to = buf;

	if (off >= content->size)
		return 0;
	if (len > content->size - off)
		len = content->size - off;
	for (uint64_t done = 0, piece; done < len; done += piece) {
		uint64_t at = off + done;
		const struct model_page *page = model_content_page(content, at / MODEL_PAGE_BYTES);
		size_t within = at % MODEL_PAGE_BYTES;

		piece = MODEL_PAGE_BYTES - within;
		if (piece > len - done)
			piece = len - done;
		if (page)
			memcpy(to + done, page->bytes + within, piece);
		else
			memset(to + done, 0, piece);
	}
	return len;
}
