/* mime.h: the media type of a file by its name, from the system's table. */
#ifndef SLUICE_TOOLS_SERVE_MIME_H
#define SLUICE_TOOLS_SERVE_MIME_H

#include "tools/server/text.h"

#define SERVE_TYPE_MAX 100 /* bytes of a type; longer ones are left out */

#define SERVE_MIME_SYSTEM "/etc/mime.types"

struct serve_mime;

/**
 * serve_mime_load() - read the first table that is there.
 * @path: a file in the form of mime.types(5); NULL: /etc/mime.types, else shared-mime-info's
 * globs2, else a small built-in table.
 * @ret: to be ended by serve_mime_free().
 *
 * Return: 0, -ENOMEM, or what opening @path answered.
 */
int serve_mime_load(const char *path, struct serve_mime **ret);

/* Another reference to a table, from any thread. */
struct serve_mime *serve_mime_get(struct serve_mime *mime);

/* NULL is ignored; with the last reference the table goes. */
void serve_mime_free(struct serve_mime *mime);

/**
 * serve_mime_add() - add the lines of a table: "TYPE SUFFIX..." as in mime.types(5), or
 * "WEIGHT:TYPE:*.SUFFIX" as in globs2. The first type given to a suffix counts.
 *
 * Return: 0 or -ENOMEM.
 */
int serve_mime_add(struct serve_mime *mime, const char *text, size_t len);

/* The type of a file with this name; text ones say UTF-8. Valid as long as the table. */
const char *serve_mime_type(const struct serve_mime *mime, struct http_text name);

#endif
