/* test_hello.c: the name in a ClientHello, however it is cut, and what is no such message. */
#include "harness.h"

#include <errno.h>

#include "tests/proxy/hello_maker.h"
#include "tools/proxy/hello.h"

static uint8_t bytes[HELLO_ROOM];
static char name[PROXY_NAME_MAX + 1];

static int parse(const struct hello_order *order)
{
	size_t len = hello_make(order, bytes);

	memset(name, '?', sizeof(name));
	return proxy_hello_parse(bytes, len, name);
}

static void the_name_is_found_in_lower_case(void **state)
{
	(void)state;
	assert_int_equal(parse(&(struct hello_order){ .name = "WWW.Example.org" }), 15);
	assert_string_equal(name, "www.example.org");
	assert_int_equal(parse(&(struct hello_order){ .name = "a" }), 1);
	assert_string_equal(name, "a");
}

static void a_client_may_ask_for_no_name(void **state)
{
	(void)state;
	assert_int_equal(parse(&(struct hello_order){ 0 }), 0);
	assert_string_equal(name, "");
	assert_int_equal(parse(&(struct hello_order){ .padding = 100 }), 0);
	assert_string_equal(name, "");
}

static void records_of_any_size_carry_the_message(void **state)
{
	(void)state;
	for (size_t size = 1; size < 120; size++) {
		struct hello_order order = { .name = "host.example",
					     .padding = 40,
					     .record_bytes = size };

		assert_int_equal(parse(&order), 12);
		assert_string_equal(name, "host.example");
	}
}

static void every_beginning_asks_for_more(void **state)
{
	const struct hello_order order = { .name = "host.example", .record_bytes = 30 };
	size_t len = hello_make(&order, bytes);

	(void)state;
	for (size_t part = 0; part < len; part++) {
		strcpy(name, "untouched");
		assert_int_equal(proxy_hello_parse(bytes, part, name), -EAGAIN);
		assert_string_equal(name, "untouched");
	}
	assert_int_equal(proxy_hello_parse(bytes, len, name), 12);
}

static void what_follows_the_message_does_not_matter(void **state)
{
	size_t len = hello_make(&(struct hello_order){ .name = "host.example" }, bytes);

	(void)state;
	memset(bytes + len, 0xff, 100);
	assert_int_equal(proxy_hello_parse(bytes, len + 100, name), 12);
}

static void what_is_no_tls_is_refused_by_its_first_bytes(void **state)
{
	static const char *const texts[] = { "GET / HTTP/1.1\r\n", "SSH-2.0-x",	   "\x16\x02\x01",
					     "\x16\x03\x05",	   "\x17\x03\x03", "\x80\x2e\x01" };

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(proxy_hello_parse(texts[i], strlen(texts[i]), name), -EILSEQ);
	assert_int_equal(proxy_hello_parse("\x16\x03\x01\0\0", 5, name), -EILSEQ);
	assert_int_equal(proxy_hello_parse("\x16\x03\x01\x40\x01", 5, name), -EILSEQ);
}

static void another_message_is_refused(void **state)
{
	size_t len = hello_make(&(struct hello_order){ .name = "host.example" }, bytes);

	(void)state;
	bytes[5] = 2;
	assert_int_equal(proxy_hello_parse(bytes, len, name), -EILSEQ);
}

static void names_that_are_none_are_refused(void **state)
{
	static const char *const names[] = { ".a",  "a.",    "a..b", "a b",
					     "a/b", "a:443", "*.a",  "\xc3\xa9.example" };
	struct hello_order order = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		order.name = names[i];
		assert_int_equal(parse(&order), -EILSEQ);
	}
	order.name = "a\0b";
	order.name_len = 3;
	assert_int_equal(parse(&order), -EILSEQ);
}

static void long_names_have_bounds(void **state)
{
	char text[300];
	struct hello_order order = { .name = text };

	(void)state;
	memset(text, 'a', sizeof(text));
	order.name_len = 63;
	assert_int_equal(parse(&order), 63);
	order.name_len = 64;
	assert_int_equal(parse(&order), -EILSEQ);
	for (unsigned i = 50; i < sizeof(text); i += 50)
		text[i] = '.';
	order.name_len = 255;
	assert_int_equal(parse(&order), 255);
	order.name_len = 256;
	assert_int_equal(parse(&order), -EILSEQ);
}

static void two_names_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse(&(struct hello_order){ .name = "a.example", .copies = 2 }), -EILSEQ);
}

static void a_message_may_be_long_but_not_too_long(void **state)
{
	struct hello_order order = { .name = "host.example", .padding = 16000 };

	(void)state;
	assert_int_equal(parse(&order), 12);
	order.padding = 16384;
	assert_int_equal(parse(&order), -EILSEQ);
}

/* Every length in the message, one too many or too few: never a name, never a read beyond it. */
static void a_wrong_length_anywhere_is_refused(void **state)
{
	const struct hello_order order = { .name = "host.example" };
	size_t len = hello_make(&order, bytes);
	/* The session's, the ciphers', the compressions', the extensions', the first extension's,
	 * the name's extension, its list, the name itself: their low bytes. */
	static const size_t at[] = { 43, 45, 48, 51, 55, 59, 61, 64 };

	(void)state;
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		for (int add = -1; add <= 1; add += 2) {
			hello_make(&order, bytes);
			bytes[at[i]] = (uint8_t)(bytes[at[i]] + add);
			assert_int_equal(proxy_hello_parse(bytes, len, name), -EILSEQ);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_name_is_found_in_lower_case),
		TEST(a_client_may_ask_for_no_name),
		TEST(records_of_any_size_carry_the_message),
		TEST(every_beginning_asks_for_more),
		TEST(what_follows_the_message_does_not_matter),
		TEST(what_is_no_tls_is_refused_by_its_first_bytes),
		TEST(another_message_is_refused),
		TEST(names_that_are_none_are_refused),
		TEST(long_names_have_bounds),
		TEST(two_names_are_refused),
		TEST(a_message_may_be_long_but_not_too_long),
		TEST(a_wrong_length_anywhere_is_refused),
	};

	return RUN_TESTS(tests);
}
