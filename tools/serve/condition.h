/* condition.h: conditional requests (RFC 9110 section 13): whether what the client has will do. */
#ifndef SLUICE_TOOLS_SERVE_CONDITION_H
#define SLUICE_TOOLS_SERVE_CONDITION_H

#include "tools/serve/request.h"

/* What is known of a representation. etag.at NULL: there is none. */
struct http_validators {
	struct http_text etag; /* with its quotes; strong */
	int64_t modified;      /* seconds since 1970 */
};

/**
 * http_condition() - in the order of RFC 9110 section 13.2.2.
 * @request: the request.
 * @have: what there is now.
 * @now: seconds since 1970.
 *
 * Return: 0: do what is asked; 304 or 412: answer that.
 */
int http_condition(const struct http_request *request, const struct http_validators *have,
		   int64_t now);

/* Whether Range counts: there is no If-Range, or it names exactly what there is now. */
bool http_range_counts(const struct http_request *request, const struct http_validators *have,
		       int64_t now);

#endif
