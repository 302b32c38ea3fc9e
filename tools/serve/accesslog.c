/* accesslog.c: a line for each request; see accesslog.h. */
#include "tools/serve/accesslog.h"

#include "tools/serve/worker.h"
#include "tools/server/writer.h"

static void put_common(struct server_writer *out, const struct serve_log_entry *entry,
		       const char *date)
{
	server_put_text(out, entry->peer);
	server_put(out, " - - [", 6);
	server_put(out, date, HTTP_LOG_LEN);
	server_put(out, "]", 1);
	server_put_quoted(out, entry->line);
	server_put(out, " ", 1);
	server_put_number(out, entry->status);
	server_put(out, " ", 1);
	server_put_number(out, entry->bytes);
}

static void put_object(struct server_writer *out, const struct serve_log_entry *entry,
		       const char *stamp)
{
	server_put_string(out, "{\"time\":\"");
	server_put(out, stamp, HTTP_STAMP_LEN);
	server_put(out, "\"", 1);
	server_put_json(out, "peer", entry->peer);
	server_put_json(out, "request", entry->line);
	server_put_string(out, ",\"status\":");
	server_put_number(out, entry->status);
	server_put_string(out, ",\"bytes\":");
	server_put_number(out, entry->bytes);
	server_put_json(out, "referer", entry->referer);
	server_put_json(out, "user_agent", entry->user_agent);
	server_put(out, "}", 1);
}

size_t serve_log_format(enum serve_log_format format, const char *const dates[2],
			const struct serve_log_entry *entry, char *buf, size_t bytes)
{
	struct server_writer out = server_writer(buf, bytes);

	if (format == SERVE_LOG_JSON) {
		put_object(&out, entry, dates[1]);
	} else {
		put_common(&out, entry, dates[0]);
		if (format == SERVE_LOG_COMBINED) {
			server_put_quoted(&out, entry->referer);
			server_put_quoted(&out, entry->user_agent);
		}
	}
	server_put(&out, "\n", 1);
	return out.full ? 0 : server_written(&out);
}

void serve_log_add(struct serve_worker *worker, const struct serve_log_entry *entry)
{
	const char *const dates[2] = { worker->log_date, worker->stamp };
	char *line = server_log_line(&worker->log);

	if (line)
		server_log_add(&worker->log, serve_log_format(worker->config->log_format, dates,
							      entry, line, SERVER_LOG_LINE_MAX));
}
