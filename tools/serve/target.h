/* target.h: the target of a request made a path that is certainly within the served tree. */
#ifndef SLUICE_TOOLS_SERVE_TARGET_H
#define SLUICE_TOOLS_SERVE_TARGET_H

#include "tools/server/text.h"

#define HTTP_PATH_BYTES 4096

/* What a target names. */
struct http_path {
	struct http_text
		path; /* relative to the root, without slashes at its ends; "." for the root */
	struct http_text query; /* behind the question mark; at NULL: none */
	bool directory;		/* it ended with a slash */
	bool hidden;		/* a part begins with a dot, but for .well-known at the top */
};

/**
 * http_target_path() - decode a target once, and take its dot segments out.
 * @target: path and query, as sent.
 * @buf: where the path goes, with a 0 behind it.
 * @bytes: of @buf.
 * @ret: filled in.
 *
 * Return: 0, or minus the status to answer: 400 for a broken escape, for NUL or another control
 * byte or a slash in disguise, and for a path that leads above the root; 414 when it does not fit.
 */
int http_target_path(struct http_text target, char *buf, size_t bytes, struct http_path *ret);

/**
 * http_escape_path() - write a path so that it can stand in a link or a header.
 * @path: the bytes of a path.
 * @buf: where the text goes, without a 0.
 * @bytes: of @buf; three times the path is always enough.
 *
 * Return: the length of the text, 0 when it does not fit.
 */
size_t http_escape_path(struct http_text path, char *buf, size_t bytes);

#endif
