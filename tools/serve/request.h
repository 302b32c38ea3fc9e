/* request.h: the head of an HTTP/1 request, read strictly (RFC 9112): what can be misread is
 * refused. */
#ifndef SLUICE_TOOLS_SERVE_REQUEST_H
#define SLUICE_TOOLS_SERVE_REQUEST_H

#include "tools/server/text.h"

#define HTTP_HEAD_MAX	16384 /* bytes of a head; longer: 431 */
#define HTTP_TARGET_MAX 8192  /* bytes of a target; longer: 414 */
#define HTTP_FIELDS_MAX 100   /* fields; more: 431 */
#define HTTP_REPEAT_MAX 4     /* times that a field which is a list may be given; more: 400 */

enum http_method {
	HTTP_UNKNOWN = 0, /* 501 */
	HTTP_GET,
	HTTP_HEAD,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_FOREIGN, /* known and not for files: POST, PATCH, TRACE, CONNECT */
};

/* A field that is a list, and may be given in several lines. */
struct http_list {
	struct http_text line[HTTP_REPEAT_MAX];
	uint32_t nr;
};

/* Texts point into the bytes that were parsed; at is NULL where the field is absent. */
struct http_request {
	enum http_method method;
	uint8_t minor; /* of HTTP/1.x */
	bool keep_alive;
	bool expects_continue;
	bool chunked;	       /* the body is */
	bool has_length;       /* length is given */
	uint64_t length;       /* of the body; 0 without one */
	struct http_text head; /* all that was parsed */
	struct http_text line; /* the request line, for the log */
	struct http_text method_text;
	struct http_text
		target; /* path and query: of the absolute form what follows the authority */
	struct http_text host;
	struct http_text range;
	struct http_text if_range;
	struct http_text if_modified_since;
	struct http_text if_unmodified_since;
	struct http_text content_range;
	struct http_text content_encoding;
	struct http_text referer;
	struct http_text user_agent;
	struct http_list accept_encoding;
	struct http_list if_match;
	struct http_list if_none_match;
};

/**
 * http_head_end() - find the end of a head in bytes that arrive little by little.
 * @buf: the bytes so far, from the first of the request on.
 * @len: how many.
 * @scanned: how many an earlier call has looked at; 0 at first; moved on.
 *
 * Each byte is looked at once, however small the portions. Return: bytes of the head with the empty
 * line that ends it; 0: more is needed; or minus the status to answer with: 400 for a line that
 * does not end with CR LF or holds a NUL, 431 or 414 for too much.
 */
int http_head_end(const char *buf, size_t len, size_t *scanned);

/**
 * http_request_parse() - read a whole head.
 * @head: the head, empty lines before it and the one that ends it included.
 * @len: as http_head_end() said.
 * @ret: filled in as far as it goes, also when refused (for the log).
 *
 * Return: 0, or minus the status to answer with; the connection must then end, since nobody knows
 * where the next request begins.
 */
int http_request_parse(const char *head, size_t len, struct http_request *ret);

#endif
