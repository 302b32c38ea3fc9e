/* answer.c: what is answered to a request; see answer.h. */
#include "tools/serve/answer.h"

#include <errno.h>
#include <stdio.h>

#include "tools/serve/range.h"

#define PART_BYTES 256 /* of the head of a part */
#define BOUNDARY   "5luice7b8e1f03c9d4a6"

static void account(struct serve_conn *conn, const struct http_request *request, unsigned status,
		    uint64_t bytes)
{
	struct serve_worker *worker = conn->worker;

	server_count(&worker->counters.requests, 1);
	server_count(&worker->counters.status[status / 100 % 6], 1);
	server_count(&worker->counters.body_bytes, bytes);
	if (worker->site->log_fd < 0 || conn->admin)
		return;
	serve_log_add(worker, &(struct serve_log_entry){ .peer = serve_conn_peer(conn),
							 .line = request->line,
							 .referer = request->referer,
							 .user_agent = request->user_agent,
							 .status = status,
							 .bytes = bytes });
}

/* An answer ends the connection when the request, the drain or a refusal says so. */
static bool stays(struct serve_conn *conn, const struct http_request *request)
{
	if (!request->keep_alive || conn->worker->draining)
		conn->last = true;
	return !conn->last;
}

/* Copies what was put together into a wire and queues it. */
static struct serve_wire *wire_of(const struct server_writer *out, uint64_t room)
{
	struct serve_wire *wire = serve_wire_new(server_written(out) + room);

	if (wire)
		memcpy(wire->bytes, out->start, server_written(out));
	return wire;
}

static void send_head(struct serve_conn *conn, const struct server_writer *out)
{
	struct serve_wire *wire = out->full ? NULL : wire_of(out, 0);

	if (wire)
		serve_conn_send_wire(conn, wire, 0, wire->len);
	else
		serve_conn_cut(conn);
}

/* ---- files ------------------------------------------------------------------------------ */

static void send_part(struct serve_conn *conn, struct serve_content *content, uint64_t off,
		      uint64_t len)
{
	if (!len)
		return;
	if (content->fd >= 0) {
		serve_pace_file(conn, serve_content_get(content), off, len);
		return;
	}
	content->wire->refs++;
	serve_conn_send_wire(conn, content->wire, content->wire->head_len + off, len);
	serve_pace_memory(conn, len);
}

/* The date in the head that is kept: put right where it is, if nobody sends it just now. */
static int renew_date(struct serve_worker *worker, struct serve_content *content)
{
	struct serve_wire *wire = content->wire, *copy;

	if (wire->second == worker->second)
		return 0;
	if (wire->refs > 1) {
		copy = serve_wire_new(wire->len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy->bytes, wire->bytes, wire->len);
		copy->head_len = wire->head_len;
		serve_wire_put(wire);
		content->wire = wire = copy;
	}
	serve_head_date(worker, wire->bytes);
	wire->second = worker->second;
	return 0;
}

/* The whole file with the head that is kept: the usual case. */
static void answer_kept(struct serve_conn *conn, const struct http_request *request,
			struct serve_content *content)
{
	bool body = request->method == HTTP_GET;
	struct serve_wire *wire;

	if (renew_date(conn->worker, content) < 0) {
		serve_conn_cut(conn);
		return;
	}
	account(conn, request, 200, body ? content->identity.size : 0);
	wire = content->wire;
	wire->refs++;
	serve_conn_send_wire(conn, wire, 0, body ? wire->len : wire->head_len);
	if (body && content->fd >= 0)
		send_part(conn, content, 0, content->identity.size);
	else if (body)
		serve_pace_memory(conn, wire->len);
}

static void answer_whole(struct serve_conn *conn, const struct http_request *request,
			 struct serve_content *content)
{
	bool body = request->method == HTTP_GET, keep = stays(conn, request);
	char buf[2048];
	struct server_writer out = server_writer(buf, sizeof(buf));

	serve_head_begin(&out, conn->worker, 200);
	server_put_string(&out, "Content-Type: ");
	server_put_string(&out, content->type);
	server_put(&out, "\r\n", 2);
	serve_head_length(&out, content->identity.size);
	serve_head_content(&out, conn->worker, content);
	serve_head_end(&out, keep, request->minor);
	account(conn, request, 200, body ? content->identity.size : 0);
	send_head(conn, &out);
	if (body)
		send_part(conn, content, 0, content->identity.size);
}

static void answer_unmodified(struct serve_conn *conn, const struct http_request *request,
			      struct serve_content *content)
{
	char buf[2048];
	struct server_writer out = server_writer(buf, sizeof(buf));

	serve_head_begin(&out, conn->worker, 304);
	serve_head_content(&out, conn->worker, content);
	serve_head_end(&out, stays(conn, request), request->minor);
	account(conn, request, 304, 0);
	send_head(conn, &out);
}

static void put_range(struct server_writer *out, const struct http_range *range, uint64_t size)
{
	server_put_string(out, "Content-Range: bytes ");
	server_put_number(out, range->first);
	server_put(out, "-", 1);
	server_put_number(out, range->last);
	server_put(out, "/", 1);
	server_put_number(out, size);
	server_put(out, "\r\n", 2);
}

static uint64_t len_of(const struct http_range *range)
{
	return range->last - range->first + 1;
}

static void answer_range(struct serve_conn *conn, const struct http_request *request,
			 struct serve_content *content, const struct http_range *range)
{
	char buf[2048];
	struct server_writer out = server_writer(buf, sizeof(buf));

	serve_head_begin(&out, conn->worker, 206);
	server_put_string(&out, "Content-Type: ");
	server_put_string(&out, content->type);
	server_put(&out, "\r\n", 2);
	put_range(&out, range, content->identity.size);
	serve_head_length(&out, len_of(range));
	serve_head_content(&out, conn->worker, content);
	serve_head_end(&out, stays(conn, request), request->minor);
	account(conn, request, 206, len_of(range));
	send_head(conn, &out);
	send_part(conn, content, range->first, len_of(range));
}

/* The heads of all parts in a row, and where each ends; the last is the closing line. */
static uint64_t part_heads(struct server_writer *out, const struct serve_content *content,
			   const struct http_range *ranges, int nr,
			   uint32_t ends[HTTP_RANGES_MAX + 1])
{
	uint64_t len = 0;

	for (int i = 0; i < nr; i++) {
		server_put_string(out, i ? "\r\n--" BOUNDARY "\r\nContent-Type: " :
					   "--" BOUNDARY "\r\nContent-Type: ");
		server_put_string(out, content->type);
		server_put(out, "\r\n", 2);
		put_range(out, &ranges[i], content->identity.size);
		server_put(out, "\r\n", 2);
		ends[i] = (uint32_t)server_written(out);
		len += len_of(&ranges[i]);
	}
	server_put_string(out, "\r\n--" BOUNDARY "--\r\n");
	ends[nr] = (uint32_t)server_written(out);
	return len + server_written(out);
}

static void answer_ranges(struct serve_conn *conn, const struct http_request *request,
			  struct serve_content *content, const struct http_range *ranges, int nr)
{
	char buf[2048], heads[(HTTP_RANGES_MAX + 1) * PART_BYTES];
	struct server_writer out = server_writer(buf, sizeof(buf));
	struct server_writer parts = server_writer(heads, sizeof(heads));
	uint32_t ends[HTTP_RANGES_MAX + 1], start = 0;
	uint64_t len = part_heads(&parts, content, ranges, nr, ends);
	struct serve_wire *wire = parts.full ? NULL : wire_of(&parts, 0);

	if (!wire) {
		serve_conn_cut(conn);
		return;
	}
	serve_head_begin(&out, conn->worker, 206);
	server_put_string(&out, "Content-Type: multipart/byteranges; boundary=" BOUNDARY "\r\n");
	serve_head_length(&out, len);
	serve_head_content(&out, conn->worker, content);
	serve_head_end(&out, stays(conn, request), request->minor);
	account(conn, request, 206, len);
	send_head(conn, &out);
	for (int i = 0; i <= nr; i++) {
		wire->refs++;
		serve_conn_send_wire(conn, wire, start, ends[i] - start);
		start = ends[i];
		if (i < nr)
			send_part(conn, content, ranges[i].first, len_of(&ranges[i]));
	}
	serve_wire_put(wire);
}

/* Several parts cost their heads: they must not make more of a file than half of it again. */
static bool worth_it(const struct serve_content *content, const struct http_range *ranges, int nr)
{
	uint64_t sum = 0, heads = (uint64_t)nr * (130 + strlen(content->type)) + 32;

	for (int i = 0; i < nr; i++)
		sum += len_of(&ranges[i]);
	return sum + heads <= content->identity.size + content->identity.size / 2 + 3072;
}

static void answer_part(struct serve_conn *conn, const struct http_request *request,
			struct serve_content *content)
{
	struct http_range ranges[HTTP_RANGES_MAX];
	int nr = http_range_parse(request->range, content->identity.size, ranges);
	char extra[64];

	if (nr == -ERANGE) {
		snprintf(extra, sizeof(extra), "Content-Range: bytes */%llu\r\n",
			 (unsigned long long)content->identity.size);
		serve_answer_status(conn, request, 416, extra);
	} else if (nr == 1) {
		answer_range(conn, request, content, &ranges[0]);
	} else if (nr > 1 && !conn->worker->config->rate && worth_it(content, ranges, nr)) {
		answer_ranges(conn, request, content, ranges, nr);
	} else {
		answer_whole(conn, request, content);
	}
}

void serve_answer_content(struct serve_conn *conn, const struct http_request *request,
			  struct serve_content *content)
{
	struct http_validators have = serve_validators(content);
	int rc = http_condition(request, &have, conn->worker->second);

	if (rc == 304)
		answer_unmodified(conn, request, content);
	else if (rc)
		serve_answer_status(conn, request, (unsigned)rc, NULL);
	else if (request->range.at && request->method == HTTP_GET &&
		 http_range_counts(request, &have, conn->worker->second))
		answer_part(conn, request, content);
	else if (request->minor && stays(conn, request))
		answer_kept(conn, request, content);
	else
		answer_whole(conn, request, content);
}

/* ---- everything else -------------------------------------------------------------------- */

/* Refusals that leave it unclear where the next request begins, or whether there is one. */
static bool ends_connection(unsigned status)
{
	return status == 400 || status == 408 || status == 411 || status == 413 || status == 414 ||
	       status == 417 || status == 431 || status == 501 || status == 503 || status == 505;
}

static void send_with_body(struct serve_conn *conn, const struct http_request *request,
			   unsigned status, const struct server_writer *out, struct http_text body)
{
	struct serve_wire *wire;

	if (request->method == HTTP_HEAD)
		body.len = 0;
	wire = out->full ? NULL : wire_of(out, body.len);
	if (!wire) {
		serve_conn_cut(conn);
		return;
	}
	memcpy(wire->bytes + server_written(out), body.at, body.len);
	account(conn, request, status, body.len);
	serve_conn_send_wire(conn, wire, 0, wire->len);
}

void serve_answer_status(struct serve_conn *conn, const struct http_request *request,
			 unsigned status, const char *extra)
{
	const struct serve_page *own = &conn->worker->site->pages[status];
	char buf[SERVE_HEAD_MAX], page[2048];
	struct server_writer out = server_writer(buf, sizeof(buf));
	struct http_text body = { own->bytes, own->len };

	if (!own->bytes) {
		body.at = page;
		body.len = (uint32_t)serve_status_page(status, page, sizeof(page));
	}
	if (ends_connection(status))
		conn->last = true;
	serve_head_begin(&out, conn->worker, status);
	server_put_string(&out, "Content-Type: text/html; charset=utf-8\r\n"
				"X-Content-Type-Options: nosniff\r\n");
	serve_head_length(&out, body.len);
	if (extra)
		server_put_string(&out, extra);
	if (status == 503)
		server_put_string(&out, "Retry-After: 1\r\n");
	serve_head_end(&out, stays(conn, request), request->minor);
	send_with_body(conn, request, status, &out, body);
}

void serve_answer_text(struct serve_conn *conn, const struct http_request *request, unsigned status,
		       const char *type, struct http_text body)
{
	char buf[2048];
	struct server_writer out = server_writer(buf, sizeof(buf));

	serve_head_begin(&out, conn->worker, status);
	server_put_string(&out, "Content-Type: ");
	server_put_string(&out, type);
	server_put_string(&out, "\r\nCache-Control: no-store\r\n"
				"Content-Security-Policy: default-src 'none'; "
				"style-src 'unsafe-inline'\r\n"
				"X-Content-Type-Options: nosniff\r\n");
	serve_head_length(&out, body.len);
	serve_head_end(&out, stays(conn, request), request->minor);
	send_with_body(conn, request, status, &out, body);
}

void serve_answer_done(struct serve_conn *conn, const struct http_request *request, unsigned status,
		       const char *extra)
{
	char buf[8192 + 512];
	struct server_writer out = server_writer(buf, sizeof(buf));

	serve_head_begin(&out, conn->worker, status);
	if (extra)
		server_put_string(&out, extra);
	if (status != 204)
		serve_head_length(&out, 0);
	serve_head_end(&out, stays(conn, request), request->minor);
	account(conn, request, status, 0);
	send_head(conn, &out);
}
