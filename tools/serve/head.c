/* head.c: the heads of answers, and the pages that say why there is nothing better; see head.h. */
#include "tools/serve/head.h"

#include <stdio.h>

#define STATUS_LINE "HTTP/1.1 200 "

static const struct {
	uint16_t status;
	const char *text;
} statuses[] = {
	{ 100, "Continue" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

const char *serve_status_text(unsigned status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (statuses[i].status == status)
			return statuses[i].text;
	}
	return "Unknown";
}

/* The date comes right behind the status line, whose length depends on the status alone: so it can
 * be found again in a head that is kept. */
void serve_head_begin(struct server_writer *out, struct serve_worker *worker, unsigned status)
{
	server_put(out, "HTTP/1.1 ", 9);
	server_put_number(out, status);
	server_put(out, " ", 1);
	server_put_string(out, serve_status_text(status));
	server_put(out, "\r\nDate: ", 8);
	server_put(out, worker->date, HTTP_DATE_LEN);
	server_put_string(out, "\r\nServer: sluice\r\n");
}

void serve_head_date(struct serve_worker *worker, char *head)
{
	memcpy(head + sizeof("HTTP/1.1 200 OK\r\nDate: ") - 1, worker->date, HTTP_DATE_LEN);
}

/* Whether the answer may depend on Accept-Encoding. */
static bool varies(const struct serve_worker *worker, const struct serve_content *content)
{
	if (worker->config->plain)
		return false;
	return content->coding < HTTP_CODINGS || content->kind == SERVE_FILE;
}

void serve_head_content(struct server_writer *out, const struct serve_worker *worker,
			const struct serve_content *content)
{
	char date[HTTP_DATE_LEN];

	http_date(content->modified, date);
	server_put_string(out, "Last-Modified: ");
	server_put(out, date, sizeof(date));
	server_put_string(out, "\r\nETag: ");
	server_put(out, content->etag, content->etag_len);
	server_put_string(out, "\r\nAccept-Ranges: bytes\r\n");
	if (content->coding < HTTP_CODINGS) {
		server_put_string(out, "Content-Encoding: ");
		server_put_string(out, http_coding_name[content->coding]);
		server_put(out, "\r\n", 2);
	}
	if (varies(worker, content))
		server_put_string(out, "Vary: Accept-Encoding\r\n");
}

void serve_head_length(struct server_writer *out, uint64_t len)
{
	server_put_string(out, "Content-Length: ");
	server_put_number(out, len);
	server_put(out, "\r\n", 2);
}

void serve_head_end(struct server_writer *out, bool keep_alive, unsigned minor)
{
	if (!keep_alive)
		server_put_string(out, "Connection: close\r\n");
	else if (minor == 0)
		server_put_string(out, "Connection: keep-alive\r\n");
	server_put(out, "\r\n", 2);
}

size_t serve_head_plain(struct serve_worker *worker, const struct serve_content *content, char *buf,
			size_t bytes)
{
	struct server_writer out = server_writer(buf, bytes);

	serve_head_begin(&out, worker, 200);
	server_put_string(&out, "Content-Type: ");
	server_put_string(&out, content->type);
	server_put(&out, "\r\n", 2);
	serve_head_length(&out, content->identity.size);
	serve_head_content(&out, worker, content);
	serve_head_end(&out, true, 1);
	return server_written(&out);
}

static const char style[] =
	"<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;"
	"max-width:40rem;margin:15vh auto;padding:0 1rem}h1{font-size:1.4rem;font-weight:600}"
	"p{opacity:.75}</style>";

static const char *advice_of(unsigned status)
{
	switch (status) {
	case 403:
		return "The server may not read it, or may not show it.";
	case 404:
		return "There is nothing at this address.";
	case 503:
		return "The server is busy. Try again in a moment.";
	case 507:
		return "The server has no room left for it.";
	default:
		return status < 500 ? "The server could not make sense of the request." :
				      "The server could not answer the request.";
	}
}

size_t serve_status_page(unsigned status, char *buf, size_t bytes)
{
	const char *text = serve_status_text(status);
	int len = snprintf(buf, bytes,
			   "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
			   "<meta name=\"viewport\" content=\"width=device-width\">"
			   "<title>%u %s</title>%s\n<h1>%u %s</h1>\n<p>%s</p>\n</html>\n",
			   status, text, style, status, text, advice_of(status));

	return len > 0 && (size_t)len < bytes ? (size_t)len : 0;
}
