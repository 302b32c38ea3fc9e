/* listing.h: the page of a directory. */
#ifndef SLUICE_TOOLS_SERVE_LISTING_H
#define SLUICE_TOOLS_SERVE_LISTING_H

#include "tools/serve/task.h"

#define SERVE_LISTED_MAX 10000 /* names shown; the page says when there are more */

struct serve_name {
	char *name;
	bool directory;
	uint64_t size;
	int64_t modified; /* seconds since 1970 */
};

/* Told once the answer is queued, never from within the start. */
typedef void serve_listing_fn(struct serve_task *task);

/* Return: 0, or a -errno and nobody is told. */
int serve_listing_start(struct serve_task *task, serve_listing_fn *done);

/**
 * serve_listing_page() - a directory as HTML.
 * @path: of the directory, "." for the root.
 * @names: sorted here: directories first, then by name.
 * @nr: how many.
 * @cut: whether there are more.
 * @ret_len: bytes of the page.
 *
 * Return: the page, to be freed; NULL without memory.
 */
char *serve_listing_page(struct http_text path, struct serve_name *names, size_t nr, bool cut,
			 size_t *ret_len);

#endif
