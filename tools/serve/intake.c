/* intake.c: what a connection hears: bytes become heads and bodies, and heads requests; see
 * intake.h. */
#include "tools/serve/intake.h"

#include <errno.h>
#include <stdlib.h>

#include "tools/serve/admin.h"
#include "tools/serve/answer.h"
#include "tools/serve/task.h"
#include "tools/serve/upload.h"

/* What may still come after a pause: the kernel fills 32 buffers before it asks again. */
#define IN_MAX (4 << 20)

/* ---- requests --------------------------------------------------------------------------- */

void serve_intake_skip(struct serve_conn *conn, const struct http_request *request)
{
	if (!request->chunked && !request->length)
		return;
	conn->body = SERVE_BODY_SKIP;
	conn->chunked = request->chunked;
	conn->body_left = request->length;
	conn->skipped = 0;
	conn->chunks = (struct http_chunked){ 0 };
	/* A client that waits for the word to go on never sends the body: nor is it given. */
	if (request->expects_continue || request->length > SERVE_SKIP_MAX)
		conn->last = true;
}

static const char *allowed(const struct serve_conn *conn)
{
	return conn->worker->config->writable && !conn->admin ?
		       "Allow: GET, HEAD, OPTIONS, PUT, DELETE\r\n" :
		       "Allow: GET, HEAD, OPTIONS\r\n";
}

static bool is_health(const struct serve_conn *conn, const struct http_request *request)
{
	const char *path = conn->worker->config->health;

	return path && request->target.len == strlen(path) &&
	       memcmp(path, request->target.at, request->target.len) == 0;
}

/* GET, HEAD, PUT and DELETE of something beneath the root. */
static void handle_path(struct serve_conn *conn, const struct http_request *request)
{
	struct serve_worker *worker = conn->worker;
	struct http_path path;
	int rc = http_target_path(request->target, worker->path, sizeof(worker->path), &path);

	if (rc < 0)
		serve_answer_status(conn, request, (unsigned)-rc, NULL);
	else if (path.hidden && !worker->config->hidden)
		serve_answer_status(conn, request, 404, NULL);
	else if (request->method == HTTP_PUT)
		serve_upload_begin(conn, request, &path);
	else if (request->method == HTTP_DELETE)
		serve_remove_begin(conn, request, &path);
	else
		serve_task_get(conn, request, &path);
}

static void handle(struct serve_conn *conn, const struct http_request *request)
{
	bool writes = request->method == HTTP_PUT || request->method == HTTP_DELETE;

	if (request->method != HTTP_PUT || !conn->worker->config->writable || conn->admin)
		serve_intake_skip(conn, request);
	if (request->method == HTTP_OPTIONS)
		serve_answer_done(conn, request, 204, allowed(conn));
	else if (request->method == HTTP_FOREIGN ||
		 (writes && (!conn->worker->config->writable || conn->admin)))
		serve_answer_status(conn, request, 405, allowed(conn));
	else if (conn->admin)
		serve_admin_answer(conn, request);
	else if (is_health(conn, request))
		serve_admin_health(conn, request);
	else
		handle_path(conn, request);
}

void serve_intake_refuse(struct serve_conn *conn, const struct http_request *request, int rc)
{
	conn->last = true;
	serve_answer_status(conn, request, (unsigned)-rc, NULL);
}

/* The next request, if all of its head is there. Return: bytes used. */
static size_t take_request(struct serve_conn *conn, const char *data, size_t len)
{
	struct http_request request;
	int end = http_head_end(data, len, &conn->scanned), rc;

	if (end == 0)
		return 0;
	conn->scanned = 0;
	if (end < 0) {
		/* The line may be whole all the same: then the log has it. */
		http_request_parse(data, len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX, &request);
		serve_intake_refuse(conn, &request, end);
		return len;
	}
	rc = http_request_parse(data, (size_t)end, &request);
	if (rc < 0)
		serve_intake_refuse(conn, &request, rc);
	else
		handle(conn, &request);
	return (size_t)end;
}

/* ---- bodies ----------------------------------------------------------------------------- */

/* The next piece of a body. Return: 1: it has ended, 0: there may be more, -400. */
static int next_piece(struct serve_conn *conn, struct http_text *in, struct http_text *ret)
{
	if (conn->chunked)
		return http_chunked(&conn->chunks, in, ret);
	ret->at = in->at;
	ret->len = conn->body_left < in->len ? (uint32_t)conn->body_left : in->len;
	in->at += ret->len;
	in->len -= ret->len;
	conn->body_left -= ret->len;
	return conn->body_left == 0;
}

static size_t take_body(struct serve_conn *conn, const char *data, size_t len)
{
	struct http_text in = { data, (uint32_t)len }, piece;
	int rc = 0;

	while (rc == 0 && in.len) {
		/* An upload takes what it has room for. */
		if (conn->body == SERVE_BODY_UPLOAD) {
			struct http_text part = in;

			part.len = serve_upload_room(conn->upload, in.len);
			if (!part.len)
				break;
			in.at += part.len;
			in.len -= part.len;
			rc = next_piece(conn, &part, &piece);
			in.at -= part.len;
			in.len += part.len;
			serve_upload_data(conn->upload, piece);
			if (conn->body != SERVE_BODY_UPLOAD)
				break;
		} else {
			rc = next_piece(conn, &in, &piece);
			conn->skipped += piece.len;
		}
	}
	if (conn->skipped > SERVE_SKIP_MAX)
		rc = -413;
	if (rc < 0)
		conn->last = true;
	if (conn->body == SERVE_BODY_UPLOAD && rc)
		serve_upload_end(conn->upload, rc);
	else if (rc)
		conn->body = SERVE_BODY_NONE;
	return rc < 0 ? len : len - in.len;
}

/* ---- bytes in --------------------------------------------------------------------------- */

static bool reads(const struct serve_conn *conn)
{
	if (conn->closing)
		return false;
	if (conn->body == SERVE_BODY_UPLOAD)
		return true;
	return !serve_conn_is_busy(conn) && conn->pieces < SERVE_PIECES_MAX &&
	       (!conn->last || conn->body);
}

/* As much as can be made sense of now. Return: bytes used. */
static size_t consume(struct serve_conn *conn, const char *data, size_t len)
{
	size_t at = 0;

	conn->consuming = true;
	while (at < len && reads(conn)) {
		size_t used = conn->body ? take_body(conn, data + at, len - at) :
					   take_request(conn, data + at, len - at);

		if (!used)
			break;
		at += used;
	}
	conn->consuming = false;
	if (conn->last && !conn->body && !serve_conn_is_busy(conn))
		return len; /* nobody will read it */
	return at;
}

static int append(struct serve_conn *conn, const char *data, size_t len)
{
	if (conn->in_at && conn->in_at + conn->in_len + len > conn->in_cap) {
		memmove(conn->in, conn->in + conn->in_at, conn->in_len);
		conn->in_at = 0;
	}
	if (conn->in_len + len > conn->in_cap) {
		size_t cap = conn->in_cap ? conn->in_cap : 2048;
		char *grown;

		while (cap < conn->in_len + len)
			cap *= 2;
		grown = cap > IN_MAX ? NULL : realloc(conn->in, cap);
		if (!grown)
			return -ENOMEM;
		conn->in = grown;
		conn->in_cap = cap;
	}
	memcpy(conn->in + conn->in_at + conn->in_len, data, len);
	conn->in_len += len;
	return 0;
}

void serve_intake_drop(struct serve_conn *conn)
{
	free(conn->in);
	conn->in = NULL;
	conn->in_at = conn->in_len = conn->in_cap = 0;
}

void serve_intake_go_on(struct serve_conn *conn)
{
	size_t used;

	if (!conn->in_len)
		return;
	used = consume(conn, conn->in + conn->in_at, conn->in_len);
	conn->in_at += used;
	conn->in_len -= used;
	if (!conn->in_len)
		serve_intake_drop(conn);
}

int serve_intake_take(struct serve_conn *conn, const char *data, size_t len)
{
	size_t used = 0;
	int err = 0;

	if (!conn->in_len)
		used = consume(conn, data, len);
	if (used < len)
		err = append(conn, data + used, len - used);
	if (err == 0 && used < len && conn->in_len > len - used)
		serve_intake_go_on(conn);
	return err;
}
