/* test_crc32c.c: the checksum gives what the standard says, by instruction and by table. */
#include "harness.h"

#include <string.h>

#include "base/crc32c.h"

/* RFC 3720, appendix B.4, and the check value of the catalogues. */
static void the_checksum_gives_the_vectors_of_the_standard(void **state)
{
	unsigned char bytes[32];

	(void)state;
	assert_int_equal(sl_crc32c("", 0), 0);
	assert_int_equal(sl_crc32c("123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(sl_crc32c(bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(sl_crc32c(bytes, sizeof(bytes)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(sl_crc32c(bytes, sizeof(bytes)), 0x46dd794e);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(sl_crc32c(bytes, sizeof(bytes)), 0x113fdb5c);
}

static void instruction_and_table_agree_at_every_length_and_alignment(void **state)
{
	unsigned char bytes[300];
	uint64_t seed = support_seed();

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)support_random(&seed);
	for (unsigned from = 0; from < 16; from++) {
		for (unsigned len = 0; len < 280; len++) {
			uint32_t start = (uint32_t)support_random(&seed);

			assert_int_equal(sl_crc32c_update(start, bytes + from, len),
					 sl_crc32c_table(start, bytes + from, len));
		}
	}
}

static void a_checksum_in_pieces_is_the_checksum_of_the_whole(void **state)
{
	const char *text = "a record, its slack and its padding";
	uint32_t whole = sl_crc32c_update(1, text, strlen(text));

	(void)state;
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		uint32_t part = sl_crc32c_update(1, text, cut);

		assert_int_equal(sl_crc32c_update(part, text + cut, strlen(text) - cut), whole);
	}
}

static void zeros_do_not_check_as_themselves(void **state)
{
	unsigned char zeros[4096] = { 0 };

	(void)state;
	for (size_t len = 1; len <= sizeof(zeros); len *= 2)
		assert_int_not_equal(sl_crc32c_update(1, zeros, len), 0);
}

static const struct CMUnitTest tests[] = {
	TEST(the_checksum_gives_the_vectors_of_the_standard),
	TEST(instruction_and_table_agree_at_every_length_and_alignment),
	TEST(a_checksum_in_pieces_is_the_checksum_of_the_whole),
	TEST(zeros_do_not_check_as_themselves),
};

int main(void)
{
	return RUN_TESTS(tests);
}
