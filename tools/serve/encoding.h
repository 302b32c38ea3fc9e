/* encoding.h: which content codings a client takes, in which order (RFC 9110 section 12.5.3). */
#ifndef SLUICE_TOOLS_SERVE_ENCODING_H
#define SLUICE_TOOLS_SERVE_ENCODING_H

#include "tools/serve/request.h"

/* In the order of our own preference. */
enum http_coding {
	HTTP_ZSTD = 0,
	HTTP_BROTLI,
	HTTP_GZIP,
	HTTP_CODINGS, /* how many; also: none of them */
};

/* The coding's name in a field, and what its files end with. */
extern const char *const http_coding_name[HTTP_CODINGS];
extern const char *const http_coding_suffix[HTTP_CODINGS];

/**
 * http_codings() - the codings that a client takes, the best first.
 * @fields: its Accept-Encoding; without one it takes none of them.
 * @ret: they.
 *
 * Return: how many.
 */
unsigned http_codings(const struct http_list *fields, uint8_t ret[HTTP_CODINGS]);

#endif
