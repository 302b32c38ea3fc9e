/* test_base.c: rounding, overflow checks, assertions, names of errors and operations. */
#include "harness.h"

#include <stdio.h>
#include <string.h>
#include <sluice/sluice.h>

#include "base/assert.h"
#include "base/bits.h"
#include "engine/optable.h"

static jmp_buf caught;
static char caught_what[256];

static void catch (const char *file, int line, const char *what)
{
	(void)file;
	(void)line;
	snprintf(caught_what, sizeof(caught_what), "%s", what);
	longjmp(caught, 1);
}

static void a_failed_assertion_names_the_condition(void **state)
{
	sl_assert_fn *before = sl_assert_hook(catch);
	volatile int one = 1;

	(void)state;
	if (!setjmp(caught)) {
		SL_ASSERT(one == 2);
		fail_msg("the assertion passed");
	}
	assert_string_equal(caught_what, "one == 2");
	assert_ptr_equal(sl_assert_hook(before), catch);
}

static void a_failed_comparison_prints_both_values(void **state)
{
	sl_assert_fn *before = sl_assert_hook(catch);
	volatile int seven = 7;

	(void)state;
	if (!setjmp(caught)) {
		SL_ASSERT_CMP(seven, <, 3);
		fail_msg("the assertion passed");
	}
	assert_string_equal(caught_what, "seven < 3 (7, 3)");
	sl_assert_hook(before);
}

static void an_assertion_that_holds_evaluates_once_and_goes_on(void **state)
{
	int calls = 0;

	(void)state;
	SL_ASSERT(++calls == 1);
	SL_ASSERT_CMP(++calls, ==, 2);
	assert_int_equal(calls, 2);
}

static void rounding_keeps_to_powers_of_two(void **state)
{
	(void)state;
	assert_int_equal(sl_round_up(1, 4096), 4096);
	assert_int_equal(sl_round_up(4096, 4096), 4096);
	assert_int_equal(sl_round_down(8191, 4096), 4096);
	assert_int_equal(sl_pow2_from(0), 1);
	assert_int_equal(sl_pow2_from(3), 4);
	assert_int_equal(sl_pow2_from(64), 64);
	assert_int_equal(sl_pow2_from(65), 128);
	assert_int_equal(sl_log2(0), 0);
	assert_int_equal(sl_log2(1), 0);
	assert_int_equal(sl_log2(1023), 9);
	assert_true(sl_is_pow2(2048) && !sl_is_pow2(0) && !sl_is_pow2(12));
}

static void a_size_that_overflows_is_refused(void **state)
{
	size_t size = 7;

	(void)state;
	assert_true(sl_size_mul(3, 5, &size));
	assert_int_equal(size, 15);
	assert_false(sl_size_mul(SIZE_MAX / 2, 3, &size));
}

static void options_of_a_newer_caller_are_known_while_zero(void **state)
{
	unsigned char opts[24] = { 0 };

	(void)state;
	assert_true(sl_opts_known(opts, 0, 16));
	assert_true(sl_opts_known(opts, 16, 16));
	assert_true(sl_opts_known(opts, 24, 16));
	assert_false(sl_opts_known(opts, 8, 16));
	opts[20] = 1;
	assert_false(sl_opts_known(opts, 24, 16));
}

static void errors_have_names_and_texts_in_both_signs(void **state)
{
	(void)state;
	assert_string_equal(sl_err_name(-EINVAL), "EINVAL");
	assert_string_equal(sl_err_name(ENOSPC), "ENOSPC");
	assert_string_equal(sl_err_name(0), "0");
	assert_string_equal(sl_err_name(-99999), "E?");
	assert_string_equal(sl_err_text(-EAGAIN), "Resource temporarily unavailable");
	assert_non_null(sl_err_text(INT32_MIN));
}

static void every_operation_is_in_the_table_under_its_own_name(void **state)
{
	(void)state;
	for (unsigned code = 0; code < SL_OP_CODES; code++) {
		assert_non_null(sl_op_table[code].name);
		assert_true(sl_is_pow2(sl_op_table[code].group));
		for (unsigned other = 0; other < code; other++)
			assert_string_not_equal(sl_op_name(code), sl_op_name(other));
	}
	assert_string_equal(sl_op_name(SL_OP_CODES), "?");
}

static void the_library_is_the_version_of_its_headers(void **state)
{
	(void)state;
	assert_int_equal(sl_version(), SL_VERSION);
	assert_int_equal(sl_version() >> 16, SL_VERSION_MAJOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failed_assertion_names_the_condition),
		TEST(a_failed_comparison_prints_both_values),
		TEST(an_assertion_that_holds_evaluates_once_and_goes_on),
		TEST(rounding_keeps_to_powers_of_two),
		TEST(a_size_that_overflows_is_refused),
		TEST(options_of_a_newer_caller_are_known_while_zero),
		TEST(errors_have_names_and_texts_in_both_signs),
		TEST(every_operation_is_in_the_table_under_its_own_name),
		TEST(the_library_is_the_version_of_its_headers),
	};

	return RUN_TESTS(tests);
}
