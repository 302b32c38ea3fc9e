/* load.h: looks at a path beneath the root, by the ring, and caches what is there. */
#ifndef SLUICE_TOOLS_SERVE_LOAD_H
#define SLUICE_TOOLS_SERVE_LOAD_H

#include "tools/serve/worker.h"

struct serve_load;

/* Told once, never from within serve_load_start(); the content is borrowed, and its kind may be
 * SERVE_NOTHING with the status to answer. NULL: memory ran out. */
typedef void serve_load_fn(void *ctx, struct serve_content *content);

/* What is to be looked at. */
struct serve_wanted {
	struct http_text path;	     /* beneath the root; copied */
	const char *type;	     /* the media type; NULL: by the path */
	unsigned coding;	     /* HTTP_CODINGS: as it is */
	struct serve_content *stale; /* what is known from before, or NULL */
};

/* Return: 0, or a -errno and nobody is told. */
int serve_load_start(struct serve_worker *worker, const struct serve_wanted *wanted,
		     serve_load_fn *done, void *ctx);

/* The status that stands for an error of the file system. */
unsigned serve_status_of(int err);

#endif
