/* accesslog.h: a line for each request, written in batches by the ring. */
#ifndef SLUICE_TOOLS_SERVE_ACCESSLOG_H
#define SLUICE_TOOLS_SERVE_ACCESSLOG_H

#include <sluice/op.h>

#include "tools/serve/config.h"
#include "tools/serve/request.h"

#define SERVE_LOG_BYTES 65536 /* of each of the two buffers */

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

/*
 * One buffer is filled while the other is written. When both are full, lines are lost, and counted:
 * a slow disk does not stop the server.
 */
struct serve_log {
	struct sl_op op;
	char *buf[2];
	uint32_t len[2];
	uint32_t lines[2];
	uint8_t filling;
	uint32_t written; /* of the other one */
};

int serve_log_open(struct serve_worker *worker);

/* Writes what is left, waiting for it. */
void serve_log_close(struct serve_worker *worker);

void serve_log_add(struct serve_worker *worker, const struct serve_log_entry *entry);

/* Begins to write what there is. */
void serve_log_flush(struct serve_worker *worker);

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
