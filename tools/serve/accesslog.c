/* accesslog.c: a line for each request, written in batches by the ring; see accesslog.h. */
#include "tools/serve/accesslog.h"

#include <stdlib.h>

#include "tools/serve/worker.h"
#include "tools/serve/writer.h"

#define LINE_MAX_BYTES 10240

/* ---- one line ------------------------------------------------------------------------- */

/* Quotes, backslashes and what is no visible ASCII become \xHH: a line stays a line. */
static void put_escaped(struct serve_writer *out, struct http_text text)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t plain = 0;

	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.at[i];
		char escape[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			continue;
		serve_put(out, text.at + plain, i - plain);
		serve_put(out, escape, sizeof(escape));
		plain = i + 1;
	}
	serve_put(out, text.at + plain, text.len - plain);
}

static void put_quoted(struct serve_writer *out, struct http_text text)
{
	serve_put(out, " \"", 2);
	if (text.len)
		put_escaped(out, text);
	else
		serve_put(out, "-", 1);
	serve_put(out, "\"", 1);
}

static void put_common(struct serve_writer *out, const struct serve_log_entry *entry,
		       const char *date)
{
	serve_put_text(out, entry->peer);
	serve_put(out, " - - [", 6);
	serve_put(out, date, HTTP_LOG_LEN);
	serve_put(out, "]", 1);
	put_quoted(out, entry->line);
	serve_put(out, " ", 1);
	serve_put_number(out, entry->status);
	serve_put(out, " ", 1);
	serve_put_number(out, entry->bytes);
}

/* The same, for JSON: what is no visible ASCII becomes the character of that number. */
static void put_json(struct serve_writer *out, const char *key, struct http_text text)
{
	static const char digits[] = "0123456789abcdef";

	serve_put(out, ",\"", 2);
	serve_put_string(out, key);
	serve_put(out, "\":\"", 3);
	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.at[i];
		char escape[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			serve_put(out, text.at + i, 1);
		else
			serve_put(out, escape, sizeof(escape));
	}
	serve_put(out, "\"", 1);
}

static void put_object(struct serve_writer *out, const struct serve_log_entry *entry,
		       const char *stamp)
{
	serve_put_string(out, "{\"time\":\"");
	serve_put(out, stamp, HTTP_STAMP_LEN);
	serve_put(out, "\"", 1);
	put_json(out, "peer", entry->peer);
	put_json(out, "request", entry->line);
	serve_put_string(out, ",\"status\":");
	serve_put_number(out, entry->status);
	serve_put_string(out, ",\"bytes\":");
	serve_put_number(out, entry->bytes);
	put_json(out, "referer", entry->referer);
	put_json(out, "user_agent", entry->user_agent);
	serve_put(out, "}", 1);
}

size_t serve_log_format(enum serve_log_format format, const char *const dates[2],
			const struct serve_log_entry *entry, char *buf, size_t bytes)
{
	struct serve_writer out = serve_writer(buf, bytes);

	if (format == SERVE_LOG_JSON) {
		put_object(&out, entry, dates[1]);
	} else {
		put_common(&out, entry, dates[0]);
		if (format == SERVE_LOG_COMBINED) {
			put_quoted(&out, entry->referer);
			put_quoted(&out, entry->user_agent);
		}
	}
	serve_put(&out, "\n", 1);
	return out.full ? 0 : serve_written(&out);
}

/* ---- the buffers ---------------------------------------------------------------------- */

static void lose(struct serve_worker *worker, uint64_t lines)
{
	serve_count(&worker->counters.log_lines_lost, lines);
}

static void on_written(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_worker *worker = op->user;
	struct serve_log *log = &worker->log;
	unsigned idx = !log->filling;

	if (op->res > 0)
		log->written += (uint32_t)op->res;
	if (op->res > 0 && log->written < log->len[idx]) {
		sl_op_write(op, op->fd, log->buf[idx] + log->written, log->len[idx] - log->written,
			    SL_OFF_CURRENT);
		op->flags = SL_OP_PARK;
		if (sl_ring_submit(ring, op) == 0)
			return;
	}
	if (log->written < log->len[idx])
		lose(worker, log->lines[idx]);
	else
		serve_count(&worker->counters.log_lines, log->lines[idx]);
	log->len[idx] = log->lines[idx] = 0;
}

void serve_log_flush(struct serve_worker *worker)
{
	struct serve_log *log = &worker->log;
	unsigned idx = log->filling;

	if (!log->len[idx] || sl_op_busy(&log->op))
		return;
	sl_op_write(&log->op, worker->site->log_fd, log->buf[idx], log->len[idx], SL_OFF_CURRENT);
	log->op.flags = SL_OP_PARK;
	if (sl_ring_submit(worker->ring, &log->op) < 0)
		return;
	log->written = 0;
	log->filling = !idx;
}

void serve_log_add(struct serve_worker *worker, const struct serve_log_entry *entry)
{
	const char *const dates[2] = { worker->log_date, worker->stamp };
	struct serve_log *log = &worker->log;
	unsigned idx = log->filling;
	size_t len;

	if (worker->site->log_fd < 0)
		return;
	len = serve_log_format(worker->config->log_format, dates, entry,
			       log->buf[idx] + log->len[idx], SERVE_LOG_BYTES - log->len[idx]);
	if (!len && log->len[idx]) {
		serve_log_flush(worker);
		idx = log->filling;
		len = serve_log_format(worker->config->log_format, dates, entry,
				       log->buf[idx] + log->len[idx],
				       SERVE_LOG_BYTES - log->len[idx]);
	}
	if (!len) {
		lose(worker, 1);
		return;
	}
	log->len[idx] += (uint32_t)len;
	log->lines[idx]++;
	if (log->len[idx] > SERVE_LOG_BYTES - LINE_MAX_BYTES)
		serve_log_flush(worker);
}

int serve_log_open(struct serve_worker *worker)
{
	struct serve_log *log = &worker->log;

	log->op.done = on_written;
	log->op.user = worker;
	for (unsigned i = 0; i < 2; i++) {
		log->buf[i] = malloc(SERVE_LOG_BYTES);
		if (!log->buf[i])
			return -ENOMEM;
	}
	return 0;
}

void serve_log_close(struct serve_worker *worker)
{
	struct serve_log *log = &worker->log;

	for (unsigned i = 0; i < 2 && worker->ring && log->buf[1]; i++) {
		serve_log_flush(worker);
		while (sl_op_busy(&log->op) && sl_ring_run(worker->ring, 0) >= 0)
			;
	}
	free(log->buf[0]);
	free(log->buf[1]);
	log->buf[0] = log->buf[1] = NULL;
}
