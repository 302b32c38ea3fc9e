/* test_bench_jsonread.c: what is JSON is read, what is not is refused, and nothing crashes. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tools/bench/jsonread.h"

static int parse(const char *text, struct jsonread **ret)
{
	return jsonread_parse(text, strlen(text), ret);
}

static void members_are_found_by_name(void **state)
{
	struct jsonread *v = NULL;

	(void)state;
	assert_int_equal(
		parse(" {\"a\": [1, -2.5e1, true, null], \"b\": {\"c\": \"x\"}, \"d\": 7 }\n", &v),
		0);
	assert_int_equal(v->kind, JSONREAD_OBJECT);
	assert_true(jsonread_number(v, "d") == 7);
	assert_true(isnan(jsonread_number(v, "a")));
	assert_null(jsonread_member(v, "e"));
	assert_string_equal(jsonread_text(jsonread_member(v, "b"), "c"), "x");
	assert_true(jsonread_member(v, "a")->first->next->number == -25);
	assert_null(jsonread_text(NULL, "c"));
	jsonread_free(v);
}

static void escapes_become_characters(void **state)
{
	struct jsonread *v = NULL;

	(void)state;
	assert_int_equal(parse("\"a\\n\\\"\\\\\\/\\u00b5\\ud83d\\ude00\\ud800!\"", &v), 0);
	assert_string_equal(v->text, "a\n\"\\/\xc2\xb5\xf0\x9f\x98\x80\xef\xbf\xbd!");
	jsonread_free(v);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",	  "{",	     "[1,]",	    "{\"a\"}",	   "{\"a\":1,}", "nul",
		"\"open", "\"\\x\"", "\"\\u12g4\"", "1 2",	   "--1",	 "[1 2]",
		"{a:1}",  "\"\t\"",  "1e999",	    "[\"a\" : 1]", "\"\\u12",	 "{\"a\":}",
		"tru",	  "+",	     "]",	    "\"\\",
	};
	struct jsonread *v = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(parse(bad[i], &v), -EILSEQ);
		assert_null(v);
	}
}

static void depth_is_bounded(void **state)
{
	char text[2 * JSONREAD_DEPTH_MAX + 3];
	struct jsonread *v = NULL;

	(void)state;
	memset(text, '[', JSONREAD_DEPTH_MAX + 1);
	memset(text + JSONREAD_DEPTH_MAX + 1, ']', JSONREAD_DEPTH_MAX + 1);
	assert_int_equal(jsonread_parse(text, 2 * JSONREAD_DEPTH_MAX + 2, &v), -E2BIG);
	assert_int_equal(jsonread_parse(text + 1, 2 * JSONREAD_DEPTH_MAX, &v), 0);
	jsonread_free(v);
}

/* Any cut and any flipped bit of a good text is read or refused; the sanitizers watch. */
static void damaged_text_never_crashes(void **state)
{
	static const char good[] = "{\"a\":[1,2.5,\"\\u00e9\\n\"],\"b\":{\"c\":null,\"d\":false}}";
	char text[sizeof(good)];
	struct jsonread *v;

	(void)state;
	for (size_t len = 0; len < sizeof(good); len++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(text, good, sizeof(good));
			text[len / 2] ^= (char)(1 << bit);
			v = NULL;
			jsonread_parse(text, len, &v);
			jsonread_free(v);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(members_are_found_by_name),  TEST(escapes_become_characters),
		TEST(what_is_no_json_is_refused), TEST(depth_is_bounded),
		TEST(damaged_text_never_crashes),
	};

	return RUN_TESTS(tests);
}
