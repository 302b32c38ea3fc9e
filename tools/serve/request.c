/*
 * request.c: the head of an HTTP/1 request, read strictly.
 *
 * A server behind or before this one may read the same bytes. Whatever two readers could take for
 * different requests is refused: a bare CR or LF, NUL, folded lines, space before a colon, two
 * lengths, a length beside a transfer coding, a coding other than chunked, two hosts.
 */
#include "tools/serve/request.h"

#include <errno.h>

/* What is left of the bytes that are being read. */
struct cursor {
	const char *at;
	const char *end;
};

int http_head_end(const char *buf, size_t len, size_t *scanned)
{
	const char *at = buf + *scanned, *end = buf + len, *lf;

	while ((lf = memchr(at, '\n', (size_t)(end - at)))) {
		if (lf == buf || lf[-1] != '\r' || memchr(at, '\0', (size_t)(lf - at)))
			return -400;
		/* An empty line ends a head, unless nothing but empty lines came before it. */
		if (lf - buf >= 3 && lf[-2] == '\n' && memcmp(buf, "\r\n\r\n", 4) != 0) {
			len = (size_t)(lf + 1 - buf);
			return len > HTTP_HEAD_MAX ? -431 : (int)len;
		}
		if (lf - buf >= 3 && lf[-2] == '\n')
			return -400; /* two empty lines where a request should begin */
		at = lf + 1;
	}
	if (memchr(at, '\0', (size_t)(end - at)))
		return -400;
	*scanned = len;
	if (len <= HTTP_HEAD_MAX)
		return 0;
	return memchr(buf + 2, '\n', len - 2) ? -431 : -414;
}

/* ---- the request line --------------------------------------------------------------- */

static enum http_method method_of(struct http_text text)
{
	static const struct {
		const char *name;
		enum http_method method;
	} known[] = {
		{ "GET", HTTP_GET },	   { "HEAD", HTTP_HEAD },	{ "PUT", HTTP_PUT },
		{ "DELETE", HTTP_DELETE }, { "OPTIONS", HTTP_OPTIONS }, { "POST", HTTP_FOREIGN },
		{ "PATCH", HTTP_FOREIGN }, { "TRACE", HTTP_FOREIGN },	{ "CONNECT", HTTP_FOREIGN },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == text.len &&
		    memcmp(known[i].name, text.at, text.len) == 0)
			return known[i].method;
	}
	return HTTP_UNKNOWN;
}

/* The bytes before the next one that is not of a class. */
static struct http_text span(struct cursor *in, unsigned class)
{
	struct http_text text = { in->at, 0 };

	while (in->at < in->end && http_is(*in->at, class))
		in->at++;
	text.len = (uint32_t)(in->at - text.at);
	return text;
}

static bool take(struct cursor *in, char wanted)
{
	if (in->at == in->end || *in->at != wanted)
		return false;
	in->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int parse_version(struct cursor *in, struct http_request *request)
{
	const char *at = in->at;

	if (in->end - at < 10 || memcmp(at, "HTTP/", 5) != 0 || !is_digit(at[5]) || at[6] != '.' ||
	    !is_digit(at[7]) || at[8] != '\r')
		return -400;
	if (at[5] != '1')
		return -505;
	request->minor = at[7] != '0'; /* 1.2 and later speak 1.1 too (RFC 9110 section 2.5) */
	in->at += 10;
	return 0;
}

static int parse_line(struct cursor *in, struct http_request *request)
{
	const char *start = in->at;
	int rc;

	request->method_text = span(in, HTTP_TOKEN);
	if (!request->method_text.len || !take(in, ' '))
		return -400;
	request->target = span(in, HTTP_TARGET);
	request->line = (struct http_text){ start, (uint32_t)(in->at - start) };
	if (request->target.len > HTTP_TARGET_MAX)
		return -414;
	if (!request->target.len || !take(in, ' '))
		return -400;
	rc = parse_version(in, request);
	if (rc == 0)
		request->line.len = (uint32_t)(in->at - 2 - start);
	request->method = method_of(request->method_text);
	return rc;
}

/* ---- fields -------------------------------------------------------------------------- */

enum field_kind {
	SINGLE, /* given twice: 400 */
	FIRST,	/* given twice: the first counts */
	LIST,
	LENGTH,
	CODING,
	CONNECTION,
	EXPECT,
	HOST,
};

/* What was found on the way, for the checks at the end. */
struct findings {
	uint32_t hosts;
	bool coded;
	bool close;
	bool keep;
};

static int add_line(struct http_list *list, struct http_text value)
{
	if (list->nr == HTTP_REPEAT_MAX)
		return -400;
	list->line[list->nr++] = value;
	return 0;
}

static int set_length(struct http_request *request, struct http_text value)
{
	int rc = http_number(value, &request->length);

	if (request->has_length || rc == -EINVAL)
		return -400;
	request->has_length = true;
	return rc == -ERANGE ? -413 : 0;
}

static int set_coding(struct http_request *request, struct findings *found, struct http_text value)
{
	if (found->coded)
		return -400;
	found->coded = true;
	request->chunked = http_same(value, "chunked");
	return request->chunked ? 0 : -501;
}

static int set_connection(struct findings *found, struct http_text value)
{
	struct http_text option;

	while (http_next(&value, &option)) {
		found->close |= http_same(option, "close");
		found->keep |= http_same(option, "keep-alive");
	}
	return 0;
}

static int set_single(struct http_text *field, struct http_text value)
{
	if (field->at)
		return -400;
	*field = value;
	return 0;
}

static const struct field {
	const char *name;
	uint8_t len;
	uint8_t kind;
	uint16_t place; /* in struct http_request */
} fields[] = {
#define FIELD(name, kind, member)                                                   \
	{                                                                           \
		name, sizeof(name) - 1, kind, offsetof(struct http_request, member) \
	}
	FIELD("host", HOST, host),
	FIELD("range", SINGLE, range),
	FIELD("expect", EXPECT, expects_continue),
	FIELD("referer", FIRST, referer),
	FIELD("if-match", LIST, if_match),
	FIELD("if-range", SINGLE, if_range),
	FIELD("connection", CONNECTION, keep_alive),
	FIELD("user-agent", FIRST, user_agent),
	FIELD("content-range", SINGLE, content_range),
	FIELD("if-none-match", LIST, if_none_match),
	FIELD("content-length", LENGTH, length),
	FIELD("accept-encoding", LIST, accept_encoding),
	FIELD("content-encoding", SINGLE, content_encoding),
	FIELD("transfer-encoding", CODING, chunked),
	FIELD("if-modified-since", SINGLE, if_modified_since),
	FIELD("if-unmodified-since", SINGLE, if_unmodified_since),
#undef FIELD
};

static const struct field *field_of(struct http_text name)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].len == name.len && http_same(name, fields[i].name))
			return &fields[i];
	}
	return NULL;
}

static int set_field(struct http_request *request, struct findings *found,
		     const struct field *field, struct http_text value)
{
	void *place = (char *)request + field->place;

	switch (field->kind) {
	case HOST:
		found->hosts++;
		return set_single(place, value);
	case SINGLE:
		return set_single(place, value);
	case FIRST:
		if (!((struct http_text *)place)->at)
			*(struct http_text *)place = value;
		return 0;
	case LIST:
		return add_line(place, value);
	case LENGTH:
		return set_length(request, value);
	case CODING:
		return set_coding(request, found, value);
	case CONNECTION:
		return set_connection(found, value);
	default:
		request->expects_continue = http_same(value, "100-continue");
		return request->expects_continue ? 0 : -417;
	}
}

/* Name, colon, value, CR LF; a line that begins with a space is a folded one, and refused. */
static int parse_field(struct cursor *in, struct http_request *request, struct findings *found)
{
	struct http_text name = span(in, HTTP_TOKEN), value;
	const struct field *field;

	if (!name.len || !take(in, ':'))
		return -400;
	value = span(in, HTTP_VALUE);
	if (!take(in, '\r') || !take(in, '\n'))
		return -400;
	field = field_of(name);
	return field ? set_field(request, found, field, http_trim(value)) : 0;
}

/* ---- what must hold of all of it ------------------------------------------------------ */

/* "http://host/path": the authority counts as the host, and the rest is the target. */
static int split_absolute(struct http_request *request)
{
	struct http_text target = request->target;
	const char *slash;
	uint32_t skip = 7;

	if (target.len < 8 || !http_same((struct http_text){ target.at, 7 }, "http://")) {
		skip = 8;
		if (target.len < 9 || !http_same((struct http_text){ target.at, 8 }, "https://"))
			return -400;
	}
	target.at += skip;
	target.len -= skip;
	slash = memchr(target.at, '/', target.len);
	request->host = target;
	if (slash)
		request->host.len = (uint32_t)(slash - target.at);
	request->target = slash ? (struct http_text){ slash, target.len - request->host.len } :
				  http_text("/");
	return memchr(request->host.at, '@', request->host.len) ? -400 : 0;
}

static int check_target(struct http_request *request)
{
	if (request->method == HTTP_FOREIGN)
		return 0; /* CONNECT has a form of its own, and is refused anyway */
	if (request->target.at[0] == '/')
		return 0;
	if (request->method == HTTP_OPTIONS && request->target.len == 1 &&
	    request->target.at[0] == '*')
		return 0;
	return split_absolute(request);
}

static int check(struct http_request *request, const struct findings *found)
{
	int rc;

	if (found->hosts > 1 || (request->minor && found->hosts == 0))
		return -400;
	if (found->hosts && request->host.len && !http_all(request->host, HTTP_HOST))
		return -400;
	if (found->coded && (request->has_length || !request->minor))
		return -400;
	request->keep_alive = !found->close && (request->minor || found->keep);
	request->expects_continue &= request->minor;
	rc = check_target(request);
	if (rc)
		return rc;
	if (request->host.len && !http_all(request->host, HTTP_HOST))
		return -400;
	return request->method == HTTP_UNKNOWN ? -501 : 0;
}

int http_request_parse(const char *head, size_t len, struct http_request *ret)
{
	struct cursor in = { head, head + len };
	struct findings found = { 0 };
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->head = (struct http_text){ head, (uint32_t)len };
	if (len >= 2 && head[0] == '\r' && head[1] == '\n')
		in.at += 2; /* passes over an empty line (RFC 9112 section 2.2) */
	rc = parse_line(&in, ret);
	for (unsigned nr = 0; rc == 0 && !(in.end - in.at == 2 && in.at[0] == '\r'); nr++)
		rc = nr < HTTP_FIELDS_MAX ? parse_field(&in, ret, &found) : -431;
	if (rc == 0 && in.at[1] != '\n')
		rc = -400;
	return rc ? rc : check(ret, &found);
}
