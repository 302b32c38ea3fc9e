/* text.h: a stretch of bytes that belongs to somebody else, and what HTTP says about bytes. */
#ifndef SLUICE_TOOLS_SERVER_TEXT_H
#define SLUICE_TOOLS_SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed, without a 0 at its end; at NULL: there is none. */
struct http_text {
	const char *at;
	uint32_t len;
};

static inline struct http_text http_text(const char *string)
{
	return (struct http_text){ string, (uint32_t)strlen(string) };
}

/* What a byte may be part of (RFC 9110 section 5.6, RFC 9112 section 5). */
enum http_class {
	HTTP_TOKEN = 1 << 0,  /* a method or a field name */
	HTTP_VALUE = 1 << 1,  /* a field value: visible, space, tab, or above 127 */
	HTTP_TARGET = 1 << 2, /* a request target, as sent by browsers: visible, or above 127 */
	HTTP_HOST = 1 << 3,   /* a host and port */
	HTTP_PLAIN = 1 << 4,  /* what stands for itself in a path of a link */
};

extern const uint8_t http_class[256];

static inline bool http_is(char byte, unsigned classes)
{
	return http_class[(uint8_t)byte] & classes;
}

/* Whether all bytes, at least one, are of a class. */
bool http_all(struct http_text text, unsigned classes);

/* Whether both are the same but for the case of ASCII letters. */
bool http_same(struct http_text text, const char *lower);

/* Without spaces and tabs at its ends. */
struct http_text http_trim(struct http_text text);

/**
 * http_next() - take the next element of a comma-separated list.
 * @rest: what is left of the list; moved on.
 * @ret: the element, trimmed; empty ones are passed over (RFC 9110 section 5.6.1.2).
 *
 * Commas within quotes do not count. Return: whether there was one.
 */
bool http_next(struct http_text *rest, struct http_text *ret);

/**
 * http_number() - read decimal digits, all of the text.
 *
 * Return: 0; -EINVAL for anything but 1 to 19 digits, -ERANGE above INT64_MAX.
 */
int http_number(struct http_text text, uint64_t *ret);

#endif
