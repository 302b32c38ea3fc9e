/* test_json.c: the JSON writer of the command. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/json.h"

struct text {
	FILE *out;
	char *bytes;
	size_t len;
	struct json_writer json;
};

static void begin(struct text *text)
{
	text->out = open_memstream(&text->bytes, &text->len);
	assert_non_null(text->out);
	json_begin(&text->json, text->out);
}

static void expect(struct text *text, const char *expected)
{
	assert_int_equal(json_end(&text->json), 0);
	assert_string_equal(text->bytes, expected);
	fclose(text->out);
	free(text->bytes);
}

static void json_writes_nested_objects_and_arrays(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	json_open_object(&text.json, NULL);
	json_open_array(&text.json, "list");
	json_int(&text.json, NULL, -1);
	json_uint(&text.json, NULL, UINT64_MAX);
	json_close_array(&text.json);
	json_bool(&text.json, "yes", true);
	json_null(&text.json, "none");
	json_close_object(&text.json);
	expect(&text, "{\n  \"list\": [\n    -1,\n    18446744073709551615\n  ],\n"
		      "  \"yes\": true,\n  \"none\": null\n}\n");
}

static void json_writes_empty_containers_on_one_line(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	json_open_object(&text.json, NULL);
	json_open_array(&text.json, "a");
	json_close_array(&text.json);
	json_close_object(&text.json);
	expect(&text, "{\n  \"a\": []\n}\n");
}

static void json_escapes_quotes_controls_and_keeps_utf8(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	json_string(&text.json, NULL, "a\"b\\c\n\x01\x7fé€😀");
	expect(&text, "\"a\\\"b\\\\c\\n\\u0001\\u007fé€😀\"\n");
}

static void json_replaces_bytes_that_are_not_utf8(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	/* a stray byte, an overlong slash, a surrogate, a sequence cut short */
	json_string(&text.json, NULL, "\xff|\xc0\xaf|\xed\xa0\x80|\xe2\x82");
	expect(&text, "\"\ufffd|\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd\"\n");
}

static void json_writes_doubles_that_read_back_the_same(void **state)
{
	static const double values[] = { 0.1, 1.0 / 3, 1e300, -2.5, 5e-324 };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct text text;

		begin(&text);
		json_double(&text.json, NULL, values[i]);
		assert_int_equal(json_end(&text.json), 0);
		assert_true(strtod(text.bytes, NULL) == values[i]);
		fclose(text.out);
		free(text.bytes);
	}
}

static void json_writes_null_for_what_is_no_number(void **state)
{
	struct text text;

	(void)state;
	begin(&text);
	json_open_array(&text.json, NULL);
	json_double(&text.json, NULL, (double)NAN);
	json_double(&text.json, NULL, -(double)INFINITY);
	json_string(&text.json, NULL, NULL);
	json_close_array(&text.json);
	expect(&text, "[\n  null,\n  null,\n  null\n]\n");
}

static void json_reports_an_output_that_is_full(void **state)
{
	struct json_writer json;
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		SKIP("no /dev/full here");
	json_begin(&json, full);
	json_string(&json, NULL, "lost");
	assert_true(json_end(&json) < 0);
	fclose(full);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(json_writes_nested_objects_and_arrays),
		TEST(json_writes_empty_containers_on_one_line),
		TEST(json_escapes_quotes_controls_and_keeps_utf8),
		TEST(json_replaces_bytes_that_are_not_utf8),
		TEST(json_writes_doubles_that_read_back_the_same),
		TEST(json_writes_null_for_what_is_no_number),
		TEST(json_reports_an_output_that_is_full),
	};

	return RUN_TESTS(tests);
}
