/*
 * request.c: whatever a peer sends, reading it ends, stays within it, and agrees with itself.
 *
 * A head that is taken must be taken again when it is read alone, its texts must lie within it, and
 * what its fields and its target are made into must keep their bounds.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tools/serve/chunked.h"
#include "tools/serve/condition.h"
#include "tools/server/date.h"
#include "tools/serve/encoding.h"
#include "tools/serve/range.h"
#include "tools/serve/target.h"

static void check(int holds)
{
	if (!holds)
		abort();
}

static void check_within(struct http_text text, const char *start, size_t len)
{
	check(!text.at || text.len == 0 ||
	      (text.at >= start && text.at + text.len <= start + len &&
	       !memchr(text.at, '\n', text.len)));
}

static void check_path(struct http_text target)
{
	char buf[512], escaped[3 * sizeof(buf)];
	struct http_path path;

	if (!target.at || http_target_path(target, buf, sizeof(buf), &path) < 0)
		return;
	check(strlen(buf) == path.path.len && path.path.len > 0 && buf[0] != '/');
	check(strcmp(buf, "..") != 0 && strncmp(buf, "../", 3) != 0 && !strstr(buf, "/../"));
	check(path.path.len < 3 || strcmp(buf + path.path.len - 3, "/..") != 0);
	check(http_escape_path(path.path, escaped, sizeof(escaped)) >= path.path.len);
}

static void check_ranges(struct http_text value, uint64_t size)
{
	struct http_range ranges[HTTP_RANGES_MAX];
	int nr = value.at ? http_range_parse(value, size, ranges) : 0;
	uint64_t sum = 0;

	for (int i = 0; i < nr; i++) {
		check(ranges[i].first <= ranges[i].last && ranges[i].last < size);
		check(i == 0 || ranges[i].first > ranges[i - 1].last);
		sum += ranges[i].last - ranges[i].first + 1;
	}
	check(nr <= 0 || sum <= size);
}

static void check_fields(const struct http_request *request, size_t size)
{
	const struct http_validators have = { http_text("\"v\""), 784111777 };
	uint8_t codings[HTTP_CODINGS];
	int rc = http_condition(request, &have, 784111778);

	check(rc == 0 || rc == 304 || rc == 412);
	check(http_codings(&request->accept_encoding, codings) <= HTTP_CODINGS);
	check_ranges(request->range, size * 977);
	http_range_counts(request, &have, 784111778);
	check(!(request->chunked && request->has_length));
}

static void check_chunks(const char *at, size_t len)
{
	struct http_chunked chunked = { 0 };
	struct http_text in = { at, (uint32_t)len }, data;
	size_t sum = 0;
	int rc = 0;

	while (in.len && rc == 0) {
		const char *before = in.at;

		rc = http_chunked(&chunked, &in, &data);
		check(rc < 0 || in.at > before);
		check_within((struct http_text){ data.at, 0 }, at, len);
		sum += data.len;
	}
	check(sum <= len);
}

static size_t one_request(const char *at, size_t len)
{
	struct http_request request, again;
	size_t scanned = 0;
	int end = http_head_end(at, len, &scanned);

	if (end <= 0)
		return 0;
	check((size_t)end <= len && end <= HTTP_HEAD_MAX);
	if (http_request_parse(at, (size_t)end, &request) < 0)
		return 0;
	check(http_request_parse(at, (size_t)end, &again) == 0);
	check_within(request.line, at, len);
	check_within(request.user_agent, at, len);
	check_path(request.target);
	check_fields(&request, len);
	return (size_t)end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 1); /* of exactly this size, so that a step too far is seen */
	size_t used, at = 0;

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	while (at < size && (used = one_request(bytes + at, size - at)))
		at += used;
	check_chunks(bytes + at, size - at);
	check_path((struct http_text){ bytes, (uint32_t)size });
	check_ranges((struct http_text){ bytes, (uint32_t)size }, 1000000);
	free(bytes);
	return 0;
}

/* Two requests and a body in chunks. */
size_t fuzz_seed(uint8_t *buf, size_t bytes)
{
	static const char seed[] =
		"GET /a/../b%20c?d HTTP/1.1\r\nHost: x\r\nRange: bytes=0-4,9-12,-5\r\n"
		"If-None-Match: \"a\", W/\"v\"\r\nAccept-Encoding: gzip;q=0.5, br\r\n"
		"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-Range: \"v\"\r\n"
		"User-Agent: fuzz\r\nConnection: keep-alive\r\n\r\n"
		"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n";

	if (bytes < sizeof(seed) - 1)
		return 0;
	memcpy(buf, seed, sizeof(seed) - 1);
	return sizeof(seed) - 1;
}
