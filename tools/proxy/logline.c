/* logline.c: a line of the access log for each connection; see logline.h. */
#include "tools/proxy/logline.h"

#include "tools/proxy/worker.h"
#include "tools/server/writer.h"

const char *proxy_end_word(enum proxy_end end)
{
	static const char *const words[] = {
#define WORD(name, word) word,
		PROXY_ENDS(WORD)
#undef WORD
	};

	return words[end];
}

/* Seconds, to a thousandth. */
static void put_seconds(struct server_writer *out, int64_t ns)
{
	uint64_t ms = (uint64_t)(ns > 0 ? ns : 0) / 1000000;
	char part[4] = { '.', (char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10),
			 (char)('0' + ms % 10) };

	server_put_number(out, ms / 1000);
	server_put(out, part, sizeof(part));
}

static struct http_text text_of(const char *string)
{
	return http_text(string ? string : "");
}

static void put_line(struct server_writer *out, const struct proxy_session *session,
		     const char *client, const char *upstream, int64_t ns)
{
	server_put_string(out, client);
	server_put_string(out, " - - [");
	server_put(out, session->worker->log_date, HTTP_LOG_LEN);
	server_put(out, "]", 1);
	server_put_quoted(out, text_of(session->name));
	server_put_quoted(out, text_of(upstream));
	server_put(out, " ", 1);
	server_put_string(out, proxy_end_word(session->end));
	for (unsigned i = 0; i < 2; i++) {
		server_put(out, " ", 1);
		server_put_number(out, session->bytes[i]);
	}
	server_put(out, " ", 1);
	put_seconds(out, ns);
}

static void put_object(struct server_writer *out, const struct proxy_session *session,
		       const char *client, const char *upstream, int64_t ns)
{
	server_put_string(out, "{\"time\":\"");
	server_put(out, session->worker->stamp, HTTP_STAMP_LEN);
	server_put(out, "\"", 1);
	server_put_json(out, "client", text_of(client));
	server_put_json(out, "name", text_of(session->name));
	server_put_json(out, "upstream", text_of(upstream));
	server_put_json(out, "end", text_of(proxy_end_word(session->end)));
	server_put_string(out, ",\"received\":");
	server_put_number(out, session->bytes[0]);
	server_put_string(out, ",\"sent\":");
	server_put_number(out, session->bytes[1]);
	server_put_string(out, ",\"tries\":");
	server_put_number(out, session->tries);
	server_put_string(out, ",\"seconds\":");
	put_seconds(out, ns);
	server_put(out, "}", 1);
}

void proxy_log_session(const struct proxy_session *session)
{
	struct proxy_worker *worker = session->worker;
	int64_t ns = sl_ring_now(worker->ring) - session->started_ns;
	const char *upstream = session->upstream ? session->upstream->state->name : NULL;
	char *line = server_log_line(&worker->log), client[SL_SOCK_ADDR_TEXT];
	struct server_writer out = server_writer(line, SERVER_LOG_LINE_MAX);
	struct sl_sock_addr addr;

	if (!line)
		return;
	proxy_worker_look_at_clock(worker);
	proxy_peer_addr(&session->client, &addr);
	sl_sock_addr_format(&addr, client, sizeof(client));
	if (worker->config->json)
		put_object(&out, session, client, upstream, ns);
	else
		put_line(&out, session, client, upstream, ns);
	server_put(&out, "\n", 1);
	server_log_add(&worker->log, out.full ? 0 : server_written(&out));
}
