/*
 * chunked.c: a body in chunks, decoded as it arrives.
 *
 *	SIZE --digits--> SIZE_LF --LF--> DATA --all of it--> DATA_CR -> DATA_LF --+
 *	 ^                  |                                                     |
 *	 |                  +--size 0--> TRAILER <-> IN_TRAILER ... -> OVER       |
 *	 +------------------------------------------------------------------------+
 *
 * Behind the digits of a size there may be an extension, which is passed over.
 * Lines end with CR LF and nothing else; quoted extensions are refused, since their ends are where
 * readers differ.
 */
#include "tools/serve/chunked.h"

enum state {
	SIZE = 0,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,    /* at the beginning of a line */
	IN_TRAILER, /* within one */
	TRAILER_LF,
	LAST_LF,
	OVER,
};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_byte(struct http_chunked *chunked, char c)
{
	int digit = hex(c);

	if (digit >= 0 && chunked->digits < 15) {
		chunked->left = chunked->left << 4 | (unsigned)digit;
		chunked->digits++;
		return SIZE;
	}
	if (digit >= 0 || !chunked->digits)
		return -400;
	if (c == ';')
		return EXTENSION;
	return c == '\r' ? SIZE_LF : -400;
}

static int extension_byte(char c)
{
	if (c == '\r')
		return SIZE_LF;
	return http_is(c, HTTP_VALUE) && c != '"' ? EXTENSION : -400;
}

/* The state after a byte that is no data. */
static int step(struct http_chunked *chunked, char c)
{
	switch (chunked->state) {
	case SIZE:
		return size_byte(chunked, c);
	case EXTENSION:
		return extension_byte(c);
	case SIZE_LF:
		if (c != '\n')
			return -400;
		chunked->used = 0;
		return chunked->left ? DATA : TRAILER;
	case DATA_CR:
		return c == '\r' ? DATA_LF : -400;
	case DATA_LF:
		chunked->digits = 0;
		return c == '\n' ? SIZE : -400;
	case TRAILER:
		if (c == '\r')
			return LAST_LF;
		return http_is(c, HTTP_TOKEN) ? IN_TRAILER : -400;
	case IN_TRAILER:
		if (c == '\r')
			return TRAILER_LF;
		return http_is(c, HTTP_VALUE) ? IN_TRAILER : -400;
	case TRAILER_LF:
		return c == '\n' ? TRAILER : -400;
	default:
		return c == '\n' ? OVER : -400;
	}
}

static bool too_long(const struct http_chunked *chunked)
{
	return chunked->used >
	       (chunked->state >= TRAILER ? HTTP_TRAILERS_MAX : HTTP_CHUNK_LINE_MAX);
}

static void take_data(struct http_chunked *chunked, struct http_text *in, struct http_text *ret)
{
	ret->at = in->at;
	ret->len = chunked->left < in->len ? (uint32_t)chunked->left : in->len;
	in->at += ret->len;
	in->len -= ret->len;
	chunked->left -= ret->len;
	if (!chunked->left) {
		chunked->state = DATA_CR;
		chunked->used = 0;
	}
}

int http_chunked(struct http_chunked *chunked, struct http_text *in, struct http_text *ret_data)
{
	*ret_data = (struct http_text){ NULL, 0 };
	while (in->len && chunked->state != DATA && chunked->state != OVER) {
		int state = step(chunked, in->at[0]);

		if (state < 0)
			return state;
		chunked->state = (uint8_t)state;
		chunked->used++;
		in->at++;
		in->len--;
		if (too_long(chunked))
			return -400;
	}
	if (in->len && chunked->state == DATA)
		take_data(chunked, in, ret_data);
	return chunked->state == OVER;
}
