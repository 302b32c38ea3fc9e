/* accesslog.h: a line for each request; server/log.h has how they are written. */
#ifndef SLUICE_TOOLS_SERVE_ACCESSLOG_H
#define SLUICE_TOOLS_SERVE_ACCESSLOG_H

#include "tools/serve/config.h"
#include "tools/serve/request.h"
#include "tools/server/log.h"

struct serve_worker;

/* What a line says. Texts may hold any bytes: they are escaped. */
struct serve_log_entry {
	struct http_text peer;
	struct http_text line; /* the request line */
	struct http_text referer;
	struct http_text user_agent;
	unsigned status;
	uint64_t bytes; /* of the body */
};

void serve_log_add(struct serve_worker *worker, const struct serve_log_entry *entry);

/**
 * serve_log_format() - one line, with its end.
 * @format: how.
 * @dates: the log's date and the stamp, of HTTP_LOG_LEN and HTTP_STAMP_LEN bytes.
 * @buf: where it goes.
 * @bytes: of @buf.
 *
 * Return: its length, 0 when it does not fit.
 */
size_t serve_log_format(enum serve_log_format format, const char *const dates[2],
			const struct serve_log_entry *entry, char *buf, size_t bytes);

#endif
