/* writer.h: text put together in memory of a fixed size, without formats on the way. */
#ifndef SLUICE_TOOLS_SERVE_WRITER_H
#define SLUICE_TOOLS_SERVE_WRITER_H

#include "tools/serve/text.h"

/* What does not fit is left out, and full says so. */
struct serve_writer {
	char *start;
	char *at;
	char *end;
	bool full;
};

static inline struct serve_writer serve_writer(char *buf, size_t bytes)
{
	return (struct serve_writer){ buf, buf, buf + bytes, false };
}

static inline void serve_put(struct serve_writer *out, const char *at, size_t len)
{
	if ((size_t)(out->end - out->at) < len) {
		out->full = true;
		return;
	}
	memcpy(out->at, at, len);
	out->at += len;
}

static inline void serve_put_text(struct serve_writer *out, struct http_text text)
{
	serve_put(out, text.at, text.len);
}

static inline void serve_put_string(struct serve_writer *out, const char *string)
{
	serve_put(out, string, strlen(string));
}

static inline void serve_put_number(struct serve_writer *out, uint64_t value)
{
	char digits[20];
	unsigned at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	serve_put(out, digits + at, sizeof(digits) - at);
}

static inline size_t serve_written(const struct serve_writer *out)
{
	return (size_t)(out->at - out->start);
}

#endif
