/* site.h: what a reload replaces: the root, the types, the error pages, the log, certificates.
 * Shared, read-only. */
#ifndef SLUICE_TOOLS_SERVE_SITE_H
#define SLUICE_TOOLS_SERVE_SITE_H

#include "tools/serve/config.h"
#include "tools/serve/confine.h"
#include "tools/serve/mime.h"
#include "tools/server/tls.h"

#define SERVE_STATUS_MAX 600

struct serve_page {
	char *bytes;
	uint32_t len;
};

struct serve_site {
	uint32_t refs; /* atomic */
	int root_fd;
	int log_fd; /* -1: none */
	struct serve_mime *mime;
	struct server_tls *tls;			   /* NULL: HTTP in the clear */
	struct serve_page pages[SERVE_STATUS_MAX]; /* of one's own; bytes NULL: the built-in one */
};

/**
 * serve_site_open() - open and read all of it.
 * @config: what to do.
 * @before: the site in whose place it comes; NULL: it is the first.
 * @confined: to what the process is by now.
 * @ret: the site, with one reference.
 *
 * Return: CLI_DONE, or the exit code that a failure calls for.
 */
int serve_site_open(const struct serve_config *config, const struct serve_site *before,
		    const struct serve_confined *confined, struct serve_site **ret);

struct serve_site *serve_site_get(struct serve_site *site);

/* NULL is ignored; the last one closes it. */
void serve_site_put(struct serve_site *site);

#endif
