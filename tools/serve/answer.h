/* answer.h: what is answered to a request. */
#ifndef SLUICE_TOOLS_SERVE_ANSWER_H
#define SLUICE_TOOLS_SERVE_ANSWER_H

#include "tools/serve/conn.h"
#include "tools/serve/head.h"

/* A file, or what a condition or a range makes of it. */
void serve_answer_content(struct serve_conn *conn, const struct http_request *request,
			  struct serve_content *content);

/* A status and its page; location for 301. extra: more lines of the head, or NULL. */
void serve_answer_status(struct serve_conn *conn, const struct http_request *request,
			 unsigned status, const char *extra);

/* Text made for this answer; no-store. */
void serve_answer_text(struct serve_conn *conn, const struct http_request *request, unsigned status,
		       const char *type, struct http_text body);

/* 201 or 204 to a PUT or DELETE, without a body. extra: more lines of the head, or NULL. */
void serve_answer_done(struct serve_conn *conn, const struct http_request *request, unsigned status,
		       const char *extra);

#endif
