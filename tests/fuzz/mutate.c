/* mutate.c: runs a fuzz target without libFuzzer: a valid input with a few bytes changed. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define INPUT_MAX 65536
#define ROUNDS	  200000

/* Numbers that break bounds, at any width. */
static void change(uint8_t *data, size_t size, uint64_t *state)
{
	static const uint64_t odd[] = { 0, 1, 31, 4096, 65535, 0x7fffffff, 0xffffffff, UINT64_MAX };
	size_t width = (size_t)1 << support_random(state) % 4;
	uint64_t value = support_random(state) % 2 ? support_random(state) :
						     odd[support_random(state) % 8];
	/* Half of them where headers are. */
	size_t off = support_random(state) % 2 ?
			     support_random(state) % size :
			     support_random(state) % 13 * 4096 + 1 + support_random(state) % 64;

	if (off + width <= size)
		memcpy(data + off, &value, width);
}

static void changed_inputs_do_no_harm(void **state)
{
	uint8_t *seed = malloc(INPUT_MAX), *data = malloc(INPUT_MAX);
	uint64_t random = support_seed();
	size_t size;

	(void)state;
	assert_non_null(seed);
	assert_non_null(data);
	size = fuzz_seed(seed, INPUT_MAX);
	assert_true(size > 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t len = round % 16 ? size : support_random(&random) % (size + 1);

		memcpy(data, seed, size);
		for (uint64_t i = support_random(&random) % 8; i; i--)
			change(data, size, &random);
		data[0] = (uint8_t)support_random(&random);
		assert_int_equal(LLVMFuzzerTestOneInput(data, len), 0);
	}
	free(seed);
	free(data);
}

static const struct CMUnitTest tests[] = {
	TEST(changed_inputs_do_no_harm),
};

int main(void)
{
	return RUN_TESTS(tests);
}
