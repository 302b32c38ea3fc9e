/* writer.h: text put together in memory of a fixed size, without formats on the way. */
#ifndef SLUICE_TOOLS_SERVER_WRITER_H
#define SLUICE_TOOLS_SERVER_WRITER_H

#include "tools/server/text.h"

/* What does not fit is left out, and full says so. */
struct server_writer {
	char *start;
	char *at;
	char *end;
	bool full;
};

static inline struct server_writer server_writer(char *buf, size_t bytes)
{
	return (struct server_writer){ buf, buf, buf + bytes, false };
}

static inline void server_put(struct server_writer *out, const char *at, size_t len)
{
	if ((size_t)(out->end - out->at) < len) {
		out->full = true;
		return;
	}
	memcpy(out->at, at, len);
	out->at += len;
}

static inline void server_put_text(struct server_writer *out, struct http_text text)
{
	server_put(out, text.at, text.len);
}

static inline void server_put_string(struct server_writer *out, const char *string)
{
	server_put(out, string, strlen(string));
}

static inline void server_put_number(struct server_writer *out, uint64_t value)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	server_put(out, digits + at, sizeof(digits) - at);
}

/* Quoted, "-" if empty. Quotes, backslashes and what is no visible ASCII become \\xHH: a line of a
 * log stays a line. */
void server_put_quoted(struct server_writer *out, struct http_text text);

/* ,"key":"text" of a JSON object; what is no visible ASCII becomes the character of that number. */
void server_put_json(struct server_writer *out, const char *key, struct http_text text);

static inline size_t server_written(const struct server_writer *out)
{
	return (size_t)(out->at - out->start);
}

#endif
