/* condition.c: conditional requests; see condition.h. */
#include "tools/serve/condition.h"

#include "tools/server/date.h"

static bool equal(struct http_text a, struct http_text b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* Whether a list of tags, or "*", has this one; a weak tag matches a weak question only. */
static bool has_tag(const struct http_list *list, struct http_text etag, bool weak)
{
	struct http_text line, tag;

	for (uint32_t i = 0; i < list->nr; i++) {
		line = list->line[i];
		while (http_next(&line, &tag)) {
			if (tag.len == 1 && tag.at[0] == '*' && etag.at)
				return true;
			if (weak && tag.len > 2 && memcmp(tag.at, "W/", 2) == 0)
				tag = (struct http_text){ tag.at + 2, tag.len - 2 };
			if (etag.at && equal(tag, etag))
				return true;
		}
	}
	return false;
}

static bool reads(const struct http_request *request)
{
	return request->method == HTTP_GET || request->method == HTTP_HEAD;
}

int http_condition(const struct http_request *request, const struct http_validators *have,
		   int64_t now)
{
	int64_t when;

	if (request->if_match.nr) {
		if (!has_tag(&request->if_match, have->etag, false))
			return 412;
	} else if (request->if_unmodified_since.at && have->etag.at &&
		   http_date_parse(request->if_unmodified_since, now, &when) == 0) {
		if (have->modified > when)
			return 412;
	}
	if (request->if_none_match.nr) {
		if (has_tag(&request->if_none_match, have->etag, true))
			return reads(request) ? 304 : 412;
	} else if (request->if_modified_since.at && reads(request) &&
		   http_date_parse(request->if_modified_since, now, &when) == 0) {
		if (have->modified <= when)
			return 304;
	}
	return 0;
}

bool http_range_counts(const struct http_request *request, const struct http_validators *have,
		       int64_t now)
{
	int64_t when;

	if (!request->if_range.at)
		return true;
	if (request->if_range.len && request->if_range.at[0] == '"')
		return have->etag.at && equal(request->if_range, have->etag);
	/* A date is as good as a tag only if nothing can have changed within its second. */
	return http_date_parse(request->if_range, now, &when) == 0 && when == have->modified &&
	       have->modified + 1 < now;
}
