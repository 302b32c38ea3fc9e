/* chunked.h: a body in chunks (RFC 9112 section 7.1), decoded as it arrives, strictly. */
#ifndef SLUICE_TOOLS_SERVE_CHUNKED_H
#define SLUICE_TOOLS_SERVE_CHUNKED_H

#include "tools/server/text.h"

#define HTTP_TRAILERS_MAX   4096 /* bytes of fields behind the body */
#define HTTP_CHUNK_LINE_MAX 64	 /* bytes of a chunk's size with its extensions */

/* Where decoding stands; zeroed at first. */
struct http_chunked {
	uint64_t left;	/* of this chunk */
	uint32_t used;	/* bytes of this line, or of the trailers */
	uint8_t digits; /* of this chunk's size */
	uint8_t state;
};

/**
 * http_chunked() - take the next piece of a body.
 * @chunked: where decoding stands.
 * @in: the bytes that arrived; moved on.
 * @ret_data: a piece of the body within them; len 0: none.
 *
 * Return: 1: the body has ended; 0: call again, with more bytes if @in is used up; -400: malformed.
 */
int http_chunked(struct http_chunked *chunked, struct http_text *in, struct http_text *ret_data);

#endif
