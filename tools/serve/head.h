/* head.h: the heads of answers, and the pages that say why there is nothing better. */
#ifndef SLUICE_TOOLS_SERVE_HEAD_H
#define SLUICE_TOOLS_SERVE_HEAD_H

#include "tools/serve/worker.h"
#include "tools/server/writer.h"

#define SERVE_HEAD_MAX 16384

/* The words of a status. */
const char *serve_status_text(unsigned status);

/* The status line, the date and the server; the rest of the head follows. */
void serve_head_begin(struct server_writer *out, struct serve_worker *worker, unsigned status);

/* What is to be said of a content besides length and type: tag, date, coding, ranges, Vary. */
void serve_head_content(struct server_writer *out, const struct serve_worker *worker,
			const struct serve_content *content);

void serve_head_length(struct server_writer *out, uint64_t len);

/* The connection's end, or its stay where the client must be told; and the empty line. */
void serve_head_end(struct server_writer *out, bool keep_alive, unsigned minor);

/* The whole head of a 200 with all of a file, for a connection of HTTP/1.1 that stays. */
size_t serve_head_plain(struct serve_worker *worker, const struct serve_content *content, char *buf,
			size_t bytes);

/* Puts the date of now into a head that began so. */
void serve_head_date(struct serve_worker *worker, char *head);

/* The built-in page of a status, as HTML. */
size_t serve_status_page(unsigned status, char *buf, size_t bytes);

#endif
