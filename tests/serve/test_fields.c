/* test_fields.c: what stands in fields: ranges, conditions, codings, dates, targets, chunks, types.
 */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/serve/chunked.h"
#include "tools/serve/condition.h"
#include "tools/server/date.h"
#include "tools/serve/encoding.h"
#include "tools/serve/mime.h"
#include "tools/serve/range.h"
#include "tools/serve/target.h"

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */

/* ---- ranges ----------------------------------------------------------------------------- */

/* "3: 0-4 9-9" for what came of it. */
static void assert_ranges(const char *value, uint64_t size, const char *expected)
{
	struct http_range ranges[HTTP_RANGES_MAX];
	int nr = http_range_parse(http_text(value), size, ranges), len;
	char text[1024];

	len = sprintf(text, "%d:", nr);
	for (int i = 0; i < nr; i++) {
		assert_true(ranges[i].first <= ranges[i].last && ranges[i].last < size);
		assert_true(i == 0 || ranges[i].first > ranges[i - 1].last + 1);
		len += sprintf(text + len, " %llu-%llu", (unsigned long long)ranges[i].first,
			       (unsigned long long)ranges[i].last);
	}
	if (strcmp(text, expected) != 0)
		fail_msg("%s of %llu: %s, not %s", value, (unsigned long long)size, text, expected);
}

static void a_range_is_what_lies_within_the_file(void **state)
{
	(void)state;
	assert_ranges("bytes=0-4", 1000, "1: 0-4");
	assert_ranges("bytes=5-", 1000, "1: 5-999");
	assert_ranges("bytes=-5", 1000, "1: 995-999");
	assert_ranges("bytes=-5000", 1000, "1: 0-999");
	assert_ranges("bytes=990-5000", 1000, "1: 990-999");
	assert_ranges("Bytes=0-0", 1, "1: 0-0");
	assert_ranges("bytes= 0-0 , 500-501", 1000, "2: 0-0 500-501");
	assert_ranges("bytes=0-99999999999999999999999", 1000, "1: 0-999");
	assert_ranges("bytes=0-18446744073709551616", 1000, "1: 0-999");
	assert_ranges("bytes=-18446744073709551617", 1000, "1: 0-999");
}

static void ranges_beyond_the_file_are_none_or_left_out(void **state)
{
	(void)state;
	assert_ranges("bytes=1000-", 1000, "-34:");
	assert_ranges("bytes=-0", 1000, "-34:");
	assert_ranges("bytes=0-", 0, "-34:");
	assert_ranges("bytes=-1", 0, "-34:");
	assert_ranges("bytes=18446744073709551616-", 1000, "-34:");
	assert_ranges("bytes=2000-2001,0-0", 1000, "1: 0-0");
}

static void a_malformed_range_means_the_whole_file(void **state)
{
	static const char *const values[] = {
		"",	     "bytes",	   "bytes=",	"bytes=,",     "bytes=a-b",
		"bytes=5",   "bytes=5-4",  "bytes=--5", "bytes=1-2-3", "bytes=+1-2",
		"lines=0-1", "bytes =0-1", "bytes=-",	"bytes=0-1;x", "bytes=0x0-1"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_ranges(values[i], 1000, "0:");
}

static void ranges_that_touch_or_overlap_become_one(void **state)
{
	(void)state;
	assert_ranges("bytes=0-4,5-9", 1000, "1: 0-9");
	assert_ranges("bytes=0-,0-,0-", 1000, "1: 0-999");
	assert_ranges("bytes=500-600,0-10,200-210", 1000, "3: 0-10 200-210 500-600");
	assert_ranges("bytes=0-10,500-600,5-550", 1000, "1: 0-600");
	assert_ranges("bytes=0-10,20-30", 1000, "1: 0-30");
}

static void too_many_parts_mean_the_whole_file(void **state)
{
	char value[8192] = "bytes=";

	(void)state;
	for (unsigned i = 0; i < HTTP_RANGES_MAX; i++)
		sprintf(value + strlen(value), "%u-%u,", i * 1000, i * 1000);
	assert_true(http_range_parse(http_text(value), 1 << 20,
				     (struct http_range[HTTP_RANGES_MAX]){ { 0 } }) ==
		    HTTP_RANGES_MAX);
	strcat(value, "900000-900001");
	assert_ranges(value, 1 << 20, "0:");
}

/* Whatever is asked: no byte twice, and in order. */
static void parts_never_hold_a_byte_twice(void **state)
{
	uint64_t seed = support_seed();

	(void)state;
	for (unsigned turn = 0; turn < 20000; turn++) {
		struct http_range ranges[HTTP_RANGES_MAX];
		char value[256] = "bytes=";
		uint64_t size, sum = 0;
		int nr;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size = seed >> 33 & 4095;
		for (unsigned i = 0; i <= (seed >> 20 & 7); i++) {
			unsigned a, b;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			a = seed >> 40 & 4095;
			b = a + (seed >> 52 & 255);
			sprintf(value + strlen(value), "%u-%u,", a, b);
		}
		nr = http_range_parse(http_text(value), size, ranges);
		for (int i = 0; i < nr; i++) {
			assert_true(ranges[i].last < size && ranges[i].first <= ranges[i].last);
			assert_true(i == 0 || ranges[i].first > ranges[i - 1].last);
			sum += ranges[i].last - ranges[i].first + 1;
		}
		assert_true(nr < 0 || sum <= size);
	}
}

/* ---- targets ---------------------------------------------------------------------------- */

static void assert_path(const char *target, const char *expected, bool directory)
{
	char buf[HTTP_PATH_BYTES];
	struct http_path path;
	int rc = http_target_path(http_text(target), buf, sizeof(buf), &path);

	if (rc || strcmp(buf, expected) != 0 || path.directory != directory)
		fail_msg("%s: %d %s %d", target, rc, rc ? "" : buf, path.directory);
	assert_int_equal(path.path.len, strlen(expected));
}

static void a_target_becomes_a_path_beneath_the_root(void **state)
{
	(void)state;
	assert_path("/", ".", true);
	assert_path("/a", "a", false);
	assert_path("/a/", "a", true);
	assert_path("//a//b", "a/b", false);
	assert_path("/a/./b", "a/b", false);
	assert_path("/a/b/..", "a", true);
	assert_path("/a/../b?../..", "b", false);
	assert_path("/a/%2e%2E/b", "b", false);
	assert_path("/a%20b%25c", "a b%c", false);
	assert_path("/%C3%A9", "\xc3\xa9", false);
	assert_path("/...", "...", false);
	assert_path("/a%5c..%5cb", "a\\..\\b", false);
	assert_path("/..a/b..", "..a/b..", false);
	assert_path("/%252e%252e/x", "%2e%2e/x", false);
}

static void a_target_that_leads_out_or_hides_is_refused(void **state)
{
	static const char *const targets[] = {
		"",
		"a",
		"/..",
		"/../a",
		"/a/../../b",
		"/%2e%2e/a",
		"/a/%2e./../../b",
		"/%00",
		"/a%00.txt",
		"/%2f",
		"/a%2Fb",
		"/..%2f..%2fetc",
		"/%",
		"/%4",
		"/%zz",
		"/%0d%0a",
		"/%7f",
		"/%09",
	};
	char buf[HTTP_PATH_BYTES];
	struct http_path path;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (http_target_path(http_text(targets[i]), buf, sizeof(buf), &path) != -400)
			fail_msg("%s was taken", targets[i]);
	}
}

static void a_hidden_part_is_noticed(void **state)
{
	static const struct {
		const char *target;
		bool hidden;
	} cases[] = {
		{ "/a/b.c", false },
		{ "/.git/config", true },
		{ "/a/.b", true },
		{ "/%2egit", true },
		{ "/a/..b", true },
		{ "/.well-known/x", false },
		{ "/a/.well-known", true },
		{ "/.well-known/.x", true },
		{ "/", false },
	};
	char buf[HTTP_PATH_BYTES];
	struct http_path path;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			http_target_path(http_text(cases[i].target), buf, sizeof(buf), &path), 0);
		if (path.hidden != cases[i].hidden)
			fail_msg("%s", cases[i].target);
	}
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	char target[200] = "/", buf[16];
	struct http_path path;

	(void)state;
	memset(target + 1, 'a', 14);
	assert_int_equal(http_target_path(http_text(target), buf, sizeof(buf), &path), 0);
	assert_int_equal(strlen(buf), 14);
	for (size_t len = 15; len < 100; len++) {
		target[len] = len % 3 ? 'a' : '/';
		assert_int_equal(http_target_path(http_text(target), buf, sizeof(buf), &path),
				 -414);
	}
}

static void an_escaped_path_decodes_to_itself(void **state)
{
	char name[256], escaped[800], buf[HTTP_PATH_BYTES];
	struct http_path path;
	size_t len, at = 0;

	(void)state;
	for (int c = ' '; c < 256; c++) {
		if (c != '/' && c != 0x7f && c != '.')
			name[at++] = (char)c;
	}
	name[at] = '\0';
	escaped[0] = '/';
	len = http_escape_path(http_text(name), escaped + 1, sizeof(escaped) - 2);
	assert_true(len > at);
	escaped[len + 1] = '\0';
	assert_null(strpbrk(escaped, "<>\"'&?# "));
	assert_int_equal(http_target_path(http_text(escaped), buf, sizeof(buf), &path), 0);
	assert_string_equal(buf, name);
}

/* ---- dates ------------------------------------------------------------------------------ */

static void dates_are_those_of_the_c_library(void **state)
{
	uint64_t seed = support_seed();

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		int64_t when, back;
		char ours[32] = "", theirs[64];
		struct tm tm;
		time_t t;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		when = (int64_t)(seed >> 27) % 253402300800; /* to the end of the year 9999 */
		t = when;
		assert_non_null(gmtime_r(&t, &tm));
		http_date(when, ours);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_string_equal(ours, theirs);
		assert_int_equal(http_date_parse(http_text(ours), NOW, &back), 0);
		assert_true(back == when);
	}
}

static void all_three_forms_of_a_date_are_read(void **state)
{
	static const char *const forms[] = { "Sun, 06 Nov 1994 08:49:37 GMT",
					     "Sunday, 06-Nov-94 08:49:37 GMT",
					     "Sun Nov  6 08:49:37 1994" };
	int64_t when;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(http_date_parse(http_text(forms[i]), NOW, &when), 0);
		assert_int_equal(when, NOW);
	}
}

static void what_is_no_date_is_refused(void **state)
{
	static const char *const texts[] = { "",
					     "Sun, 06 Nov 1994 08:49:37",
					     "Sun, 06 Nov 1994 08:49:37 GMT ",
					     "Sun, 31 Feb 1994 08:49:37 GMT",
					     "Sun, 00 Nov 1994 08:49:37 GMT",
					     "Sun, 06 Nov 1994 24:49:37 GMT",
					     "Sun, 06 Nov 1994 08:60:37 GMT",
					     "Sun, 06 nov 1994 08:49:37 GMT",
					     "Sun, 06 Nov 1994 08:49:37 CET",
					     "784111777" };
	int64_t when;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(http_date_parse(http_text(texts[i]), NOW, &when), -EINVAL);
}

/* ---- conditions ------------------------------------------------------------------------- */

static struct http_text none;

static int condition(struct http_request *request)
{
	const struct http_validators have = { http_text("\"v1\""), NOW };

	return http_condition(request, &have, NOW + 100);
}

static struct http_list list_of(const char *line)
{
	return (struct http_list){ .line = { http_text(line) }, .nr = 1 };
}

static void tags_and_dates_decide(void **state)
{
	struct http_request get = { .method = HTTP_GET }, put = { .method = HTTP_PUT };

	(void)state;
	assert_int_equal(condition(&get), 0);
	get.if_none_match = list_of("\"v0\", W/\"v1\"");
	assert_int_equal(condition(&get), 304);
	get.if_none_match = list_of("*");
	assert_int_equal(condition(&get), 304);
	get.if_none_match = list_of("\"v2\"");
	get.if_modified_since = http_text("Sun, 06 Nov 1994 08:49:37 GMT");
	assert_int_equal(condition(&get), 0); /* the tag counts, not the date */
	get.if_none_match.nr = 0;
	assert_int_equal(condition(&get), 304);
	get.if_modified_since = http_text("Sun, 06 Nov 1994 08:49:36 GMT");
	assert_int_equal(condition(&get), 0);
	get.if_unmodified_since = http_text("Sun, 06 Nov 1994 08:49:36 GMT");
	assert_int_equal(condition(&get), 412);
	get.if_match = list_of("W/\"v1\"");
	assert_int_equal(condition(&get), 412); /* a weak tag is not enough */
	get.if_match = list_of("\"v1\"");
	assert_int_equal(condition(&get), 0);
	put.if_none_match = list_of("*");
	assert_int_equal(condition(&put), 412);
}

static void conditions_on_what_is_not_there(void **state)
{
	const struct http_validators nothing = { none, 0 };
	struct http_request put = { .method = HTTP_PUT };

	(void)state;
	put.if_none_match = list_of("*");
	assert_int_equal(http_condition(&put, &nothing, NOW), 0);
	put.if_match = list_of("*");
	assert_int_equal(http_condition(&put, &nothing, NOW), 412);
}

static void a_range_counts_if_the_file_is_still_the_same(void **state)
{
	const struct http_validators have = { http_text("\"v1\""), NOW };
	struct http_request get = { .method = HTTP_GET };

	(void)state;
	assert_true(http_range_counts(&get, &have, NOW + 100));
	get.if_range = http_text("\"v1\"");
	assert_true(http_range_counts(&get, &have, NOW + 100));
	get.if_range = http_text("\"v2\"");
	assert_false(http_range_counts(&get, &have, NOW + 100));
	get.if_range = http_text("W/\"v1\"");
	assert_false(http_range_counts(&get, &have, NOW + 100));
	get.if_range = http_text("Sun, 06 Nov 1994 08:49:37 GMT");
	assert_true(http_range_counts(&get, &have, NOW + 100));
	assert_false(http_range_counts(&get, &have, NOW)); /* it may change within this second */
	get.if_range = http_text("Sun, 06 Nov 1994 08:49:38 GMT");
	assert_false(http_range_counts(&get, &have, NOW + 100));
}

/* ---- codings ---------------------------------------------------------------------------- */

static void assert_codings(const char *value, const char *expected)
{
	struct http_list list = list_of(value);
	uint8_t codings[HTTP_CODINGS];
	unsigned nr = http_codings(&list, codings);
	char text[64] = "";

	for (unsigned i = 0; i < nr; i++)
		sprintf(text + strlen(text), "%s ", http_coding_name[codings[i]]);
	if (strcmp(text, expected) != 0)
		fail_msg("%s: %s, not %s", value, text, expected);
}

static void codings_are_taken_in_the_clients_order(void **state)
{
	(void)state;
	assert_codings("gzip", "gzip ");
	assert_codings("gzip, deflate, br, zstd", "zstd br gzip ");
	assert_codings("gzip;q=1.0, br;q=0.5", "gzip br ");
	assert_codings("GZIP ; Q=0.5 , br;q=0.501", "br gzip ");
	assert_codings("gzip;q=0", "");
	assert_codings("*", "zstd br gzip ");
	assert_codings("*;q=0.1, br;q=0", "zstd gzip ");
	assert_codings("identity", "");
	assert_codings("gzip;q=2, br;q=0.1234, zstd;x", "");
	assert_codings("x-gzip", "gzip ");
	assert_codings("", "");
	assert_codings(",,;,", "");
}

/* ---- chunks ----------------------------------------------------------------------------- */

/* Decodes in portions of every size: all must agree. Return: 1, 0 or -400; the body in buf. */
static int decode(const char *text, char *buf)
{
	int first = 2;

	for (size_t portion = strlen(text); portion > 0; portion--) {
		struct http_chunked chunked = { 0 };
		size_t len = 0;
		int rc = 0;

		for (size_t at = 0; at < strlen(text) && rc == 0; at += portion) {
			size_t left = strlen(text + at);
			struct http_text in = { text + at,
						(uint32_t)(left < portion ? left : portion) };

			while (rc == 0 && in.len) {
				struct http_text data;

				rc = http_chunked(&chunked, &in, &data);
				memcpy(buf + len, data.at ? data.at : "", data.len);
				len += data.len;
			}
		}
		buf[len] = '\0';
		if (first != 2 && rc != first)
			fail_msg("%s: %d in portions of %zu", text, rc, portion);
		first = rc;
	}
	return first;
}

static void chunks_become_the_body(void **state)
{
	char buf[256];

	(void)state;
	assert_int_equal(decode("5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", buf), 1);
	assert_string_equal(buf, "hello world");
	assert_int_equal(decode("0\r\n\r\n", buf), 1);
	assert_string_equal(buf, "");
	assert_int_equal(decode("00A\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\n", buf), 1);
	assert_string_equal(buf, "0123456789");
	assert_int_equal(decode("5\r\nhel", buf), 0);
	assert_string_equal(buf, "hel");
}

static void malformed_chunks_are_refused(void **state)
{
	static const char *const texts[] = {
		"\r\n",
		"g\r\n",
		"-1\r\n",
		"0x5\r\nhello",
		"5 \r\nhello",
		" 5\r\nhello",
		"5\nhello",
		"5\rhello",
		"5\r\nhelloX",
		"5\r\nhello\n",
		"5;a=\"b\"\r\n",
		"5;\n\r\n",
		"0\r\n\n",
		"0\r\n X: y\r\n",
		"1000000000000000\r\n",
		"FFFFFFFFFFFFFFFFF\r\n",
		"0\r\nX: y\n\r\n",
		"5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (decode(texts[i], buf) != -400)
			fail_msg("%s was taken", texts[i]);
	}
}

/* ---- types ------------------------------------------------------------------------------ */

static void a_type_goes_by_the_last_suffix(void **state)
{
	static const char table[] = "# comment\ntext/html html htm\nimage/png\tpng\n\n"
				    "50:application/x-globbed:*.glob\n50:text/none:README\n"
				    "text/evil\r\nX: evil\nbad type/with evil2\nnotype evil3\n";
	struct serve_mime *mime;

	(void)state;
	assert_int_equal(serve_mime_load("/dev/null", &mime), 0);
	assert_int_equal(serve_mime_add(mime, table, sizeof(table) - 1), 0);
	assert_string_equal(serve_mime_type(mime, http_text("a.html")), "text/html; charset=utf-8");
	assert_string_equal(serve_mime_type(mime, http_text("d.x/a.PNG")), "image/png");
	assert_string_equal(serve_mime_type(mime, http_text("a.glob")), "application/x-globbed");
	assert_string_equal(serve_mime_type(mime, http_text("a.tar.gz")), "application/gzip");
	assert_string_equal(serve_mime_type(mime, http_text("d.html/a")),
			    "application/octet-stream");
	assert_string_equal(serve_mime_type(mime, http_text("evil.evil")),
			    "application/octet-stream");
	assert_string_equal(serve_mime_type(mime, http_text("a.evil3")),
			    "application/octet-stream");
	assert_string_equal(serve_mime_type(mime, http_text("a.")), "application/octet-stream");
	assert_string_equal(serve_mime_type(mime, http_text("")), "application/octet-stream");
	serve_mime_free(mime);
}

static void a_table_that_is_not_there_is_told(void **state)
{
	struct serve_mime *mime;

	(void)state;
	assert_int_equal(serve_mime_load("/nonexistent/types", &mime), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_range_is_what_lies_within_the_file),
		TEST(ranges_beyond_the_file_are_none_or_left_out),
		TEST(a_malformed_range_means_the_whole_file),
		TEST(ranges_that_touch_or_overlap_become_one),
		TEST(too_many_parts_mean_the_whole_file),
		TEST(parts_never_hold_a_byte_twice),
		TEST(a_target_becomes_a_path_beneath_the_root),
		TEST(a_target_that_leads_out_or_hides_is_refused),
		TEST(a_hidden_part_is_noticed),
		TEST(a_path_that_does_not_fit_is_refused),
		TEST(an_escaped_path_decodes_to_itself),
		TEST(dates_are_those_of_the_c_library),
		TEST(all_three_forms_of_a_date_are_read),
		TEST(what_is_no_date_is_refused),
		TEST(tags_and_dates_decide),
		TEST(conditions_on_what_is_not_there),
		TEST(a_range_counts_if_the_file_is_still_the_same),
		TEST(codings_are_taken_in_the_clients_order),
		TEST(chunks_become_the_body),
		TEST(malformed_chunks_are_refused),
		TEST(a_type_goes_by_the_last_suffix),
		TEST(a_table_that_is_not_there_is_told),
	};

	return RUN_TESTS(tests);
}
