/* test_request.c: the head of a request: what is read, and what is refused as ambiguous. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/serve/request.h"

static struct http_request request;

/* As the server does: the end first, then all of it; both must agree on every portion. */
static int parse(const char *head, size_t len)
{
	size_t scanned = 0;
	int end = 0, whole;

	for (size_t part = 1; part <= len && end == 0; part++)
		end = http_head_end(head, part, &scanned);
	scanned = 0;
	whole = http_head_end(head, len, &scanned);
	assert_int_equal(end, whole);
	return end > 0 ? http_request_parse(head, (size_t)end, &request) : end;
}

static int parse_text(const char *head)
{
	return parse(head, strlen(head));
}

static void assert_text(struct http_text text, const char *expected)
{
	assert_non_null(text.at);
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.at, expected, text.len);
}

static void a_request_is_read_with_its_fields(void **state)
{
	(void)state;
	assert_int_equal(parse_text("GET /a?b HTTP/1.1\r\nHost: x:80\r\nRange: bytes=0-1 \r\n"
				    "user-AGENT:\tq\r\nIf-None-Match: \"a\"\r\n"
				    "If-None-Match: \"b\"\r\n\r\n"),
			 0);
	assert_int_equal(request.method, HTTP_GET);
	assert_int_equal(request.minor, 1);
	assert_true(request.keep_alive);
	assert_text(request.target, "/a?b");
	assert_text(request.host, "x:80");
	assert_text(request.range, "bytes=0-1");
	assert_text(request.user_agent, "q");
	assert_text(request.line, "GET /a?b HTTP/1.1");
	assert_int_equal(request.if_none_match.nr, 2);
	assert_text(request.if_none_match.line[1], "\"b\"");
	assert_null(request.referer.at);
}

static void the_version_and_connection_say_whether_it_stays(void **state)
{
	static const struct {
		const char *head;
		bool stays;
	} cases[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse_text(cases[i].head), 0);
		assert_int_equal(request.keep_alive, cases[i].stays);
	}
}

static void what_could_be_taken_for_another_request_is_refused(void **state)
{
#define START "POST / HTTP/1.1\r\nHost: x\r\n"
	static const struct {
		const char *head;
		int answer;
	} cases[] = {
		{ START "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", -400 },
		{ START "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", -400 },
		{ START "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", -400 },
		{ START "Content-Length: 5, 5\r\n\r\n", -400 },
		{ START "Content-Length: +5\r\n\r\n", -400 },
		{ START "Content-Length: -5\r\n\r\n", -400 },
		{ START "Content-Length: 0x5\r\n\r\n", -400 },
		{ START "Content-Length: 5 5\r\n\r\n", -400 },
		{ START "Content-Length:\r\n\r\n", -400 },
		{ START "Content-Length: 18446744073709551616\r\n\r\n", -400 },
		{ START "Content-Length: 9223372036854775808\r\n\r\n", -413 },
		{ START "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", -400 },
		{ START "Transfer-Encoding: gzip, chunked\r\n\r\n", -501 },
		{ START "Transfer-Encoding: xchunked\r\n\r\n", -501 },
		{ START "Transfer-Encoding: \"chunked\"\r\n\r\n", -501 },
		{ START "Transfer-Encoding: identity\r\n\r\n", -501 },
		{ START "Transfer-Encoding:\r\n\r\n", -501 },
		{ START "Transfer-Encoding : chunked\r\n\r\n", -400 },
		{ START " Transfer-Encoding: chunked\r\n\r\n", -400 },
		{ START "X: a\r\n b\r\n\r\n", -400 },
		{ START "X: a\r\n\tb\r\n\r\n", -400 },
		{ START "X: a\rb\r\n\r\n", -400 },
		{ START "X: a\nY: b\r\n\r\n", -400 },
		{ START "X: a\r\nTransfer-Encoding: chunked\n\r\n", -400 },
		{ START "X: a\r\r\n\r\n", -400 },
		{ START "X\r\n\r\n", -400 },
		{ START ": x\r\n\r\n", -400 },
		{ START "X: \x01\r\n\r\n", -400 },
		{ START "X: \x7f\r\n\r\n", -400 },
		{ START "(x): a\r\n\r\n", -400 },
		{ START "Host: y\r\n\r\n", -400 },
		{ START "Expect: 200-ok\r\n\r\n", -417 },
		{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", -400 },
		{ "GET /\r\n\r\n", -400 },
		{ "GET / \r\nHost: x\r\n\r\n", -400 },
		{ "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", -400 },
		{ "GET / HTTP/1.1\nHost: x\n\n", -400 },
		{ "GET / HTTP/2.0\r\nHost: x\r\n\r\n", -505 },
		{ "GET / HTTP/0.9\r\nHost: x\r\n\r\n", -505 },
		{ "GET / http/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET / HTTP/1.1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET / HTTP/11\r\nHost: x\r\n\r\n", -400 },
		{ "get / HTTP/1.1\r\nHost: x\r\n\r\n", -501 },
		{ "FROB / HTTP/1.1\r\nHost: x\r\n\r\n", -501 },
		{ "GET x HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET * HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", -400 },
		{ "\n", -400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int answer = parse_text(cases[i].head);

		if (answer != cases[i].answer)
			fail_msg("%d, not %d, to %s", answer, cases[i].answer, cases[i].head);
	}
}

static void a_nul_is_refused_wherever_it_is(void **state)
{
	char head[] = "GET / HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n";
	size_t len = sizeof(head) - 1;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char kept = head[i];

		head[i] = '\0';
		assert_int_equal(parse(head, len), -400);
		head[i] = kept;
	}
	assert_int_equal(parse(head, len), 0);
}

static void an_empty_line_before_a_request_is_passed_over(void **state)
{
	(void)state;
	assert_int_equal(parse_text("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
	assert_text(request.line, "GET / HTTP/1.1");
}

static void the_absolute_form_brings_its_own_host(void **state)
{
	(void)state;
	assert_int_equal(parse_text("GET http://a:1/p?q HTTP/1.1\r\nHost: b\r\n\r\n"), 0);
	assert_text(request.host, "a:1");
	assert_text(request.target, "/p?q");
	assert_int_equal(parse_text("GET HTTPS://a HTTP/1.1\r\nHost: b\r\n\r\n"), 0);
	assert_text(request.target, "/");
}

static void too_much_is_told_apart(void **state)
{
	size_t len = HTTP_HEAD_MAX + 1024;
	char *head = malloc(len);
	size_t at;

	(void)state;
	assert_non_null(head);
	memset(head, 'a', len);
	memcpy(head, "GET /", 5);
	assert_int_equal(parse(head, len), -414);
	memcpy(head + HTTP_TARGET_MAX + 100, " HTTP/1.1\r\nHost: x\r\n\r\n", 22);
	assert_int_equal(parse(head, HTTP_TARGET_MAX + 122), -414);
	memset(head, 'a', len);
	memcpy(head, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28);
	assert_int_equal(parse(head, len), -431);
	at = (size_t)sprintf(head, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (unsigned i = 1; i < HTTP_FIELDS_MAX; i++)
		at += (size_t)sprintf(head + at, "A: b\r\n");
	sprintf(head + at, "\r\n");
	assert_int_equal(parse_text(head), 0);
	sprintf(head + at, "A: b\r\n\r\n");
	assert_int_equal(parse_text(head), -431);
	free(head);
}

static void the_end_of_a_head_is_found_once_all_of_it_is_there(void **state)
{
	static const char two[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n";
	size_t scanned = 0;

	(void)state;
	assert_int_equal(http_head_end(two, 20, &scanned), 0);
	assert_int_equal(http_head_end(two, sizeof(two) - 1, &scanned), 27);
	scanned = 0; /* a body is not looked at */
	assert_int_equal(http_head_end("GET / HTTP/1.1\r\n\r\n\0\n\r", 21, &scanned), 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_read_with_its_fields),
		TEST(the_version_and_connection_say_whether_it_stays),
		TEST(what_could_be_taken_for_another_request_is_refused),
		TEST(a_nul_is_refused_wherever_it_is),
		TEST(an_empty_line_before_a_request_is_passed_over),
		TEST(the_absolute_form_brings_its_own_host),
		TEST(too_much_is_told_apart),
		TEST(the_end_of_a_head_is_found_once_all_of_it_is_there),
	};

	return RUN_TESTS(tests);
}
