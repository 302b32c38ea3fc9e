/* range.h: which bytes of a file a Range field asks for (RFC 9110 section 14), and no more of them.
 */
#ifndef SLUICE_TOOLS_SERVE_RANGE_H
#define SLUICE_TOOLS_SERVE_RANGE_H

#include "tools/server/text.h"

/* Parts of an answer, at most; a request for more gets the whole file. */
#define HTTP_RANGES_MAX 16

/* From first to last, both included. */
struct http_range {
	uint64_t first;
	uint64_t last;
};

/**
 * http_range_parse() - which parts of a file to send.
 * @value: the field's value.
 * @size: of the file in bytes.
 * @ret: the parts, ascending, apart from each other, all within the file.
 *
 * Ranges that overlap, touch or nearly touch become one, so that no byte is sent twice.
 *
 * Return: how many parts; 0: send the whole file (another unit, malformed, or too many parts);
 * -ERANGE: none of them lies within the file (416).
 */
int http_range_parse(struct http_text value, uint64_t size, struct http_range ret[HTTP_RANGES_MAX]);

#endif
