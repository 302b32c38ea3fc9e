/* test_cli.c: the command line's parser: numbers with units, options, operands, exit codes. */
#include "harness.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/cli.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static struct {
	bool json;
	const char *only;
	uint64_t depth, bytes, span_ns;
	struct cli_list names;
} got;

static const struct cli_option options[] = {
	{ "json", CLI_FLAG, &got.json, NULL, "print JSON", 0, 0 },
	{ "only", CLI_STRING, &got.only, "NAME", "run one", 0, 0 },
	{ "qd", CLI_COUNT, &got.depth, "N", "depth", 1, 128 },
	{ "bs", CLI_SIZE, &got.bytes, "BYTES", "block size", 512, 0 },
	{ "seconds", CLI_DURATION, &got.span_ns, "TIME", "time", 0, 0 },
	{ "name", CLI_LIST, &got.names, "NAME", "a name", 0, 0 },
	{ .name = NULL },
};

static const struct cli_command command = {
	.name = "try",
	.summary = "a command to try",
	.operands = "[PATH]",
	.operands_max = 1,
	.options = options,
	.example = "sluice try .\n",
};

static int parse(const char **argv, int *ret_exit)
{
	int argc = 0;

	memset(&got, 0, sizeof(got));
	while (argv[argc])
		argc++;
	return cli_parse(&command, argc, (char **)argv, ret_exit);
}

static void cli_reads_sizes_with_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },	      { "4096", 4096 },
		{ "64K", 65536 },     { "64k", 65536 },
		{ "1M", 1048576 },    { "1MiB", 1048576 },
		{ "2G", 2147483648 }, { "1T", 1099511627776 },
		{ "512B", 512 },      { "18446744073709551615", UINT64_MAX },
	};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < NR(good); i++) {
		assert_int_equal(cli_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void cli_refuses_what_is_no_size(void **state)
{
	static const char *const bad[] = { "",	  "K",	  "-1",	  "+1", " 1",
					   "1 K", "1.5M", "0x10", "4P", "1iB" };
	uint64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		assert_int_equal(cli_size(bad[i], &bytes), -EINVAL);
	assert_int_equal(cli_size("18446744073709551616", &bytes), -ERANGE);
	assert_int_equal(cli_size("16777216T", &bytes), -ERANGE);
	assert_int_equal(bytes, 7);
}

static void cli_reads_durations_with_units_and_fractions(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "30", 30000000000 },	{ "1.5s", 1500000000 },	 { "20ms", 20000000 },
		{ "0.25ms", 250000 },	{ "7us", 7000 },	 { "3ns", 3 },
		{ "2m", 120000000000 }, { "1h", 3600000000000 },
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < NR(good); i++) {
		assert_int_equal(cli_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void cli_refuses_what_is_no_duration(void **state)
{
	static const char *const bad[] = { "", "s", "-1s", "1.s", "1 s", "1d", "1.2.3s" };
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		assert_int_equal(cli_duration(bad[i], &ns), -EINVAL);
	assert_int_equal(cli_duration("99999999999h", &ns), -ERANGE);
	assert_int_equal(ns, 7);
}

static void cli_takes_options_and_operands_in_any_order(void **state)
{
	const char *argv[] = { "try",	 "here", "--json",    "--bs=64K", "--qd", "32",
			       "--only", "x",	 "--seconds", "2s",	  NULL };
	int exit_code = -1;
	int first = parse(argv, &exit_code);

	(void)state;
	assert_int_equal(exit_code, CLI_DONE);
	assert_int_equal(first, 9);
	assert_string_equal(argv[first], "here");
	assert_true(got.json);
	assert_string_equal(got.only, "x");
	assert_int_equal(got.depth, 32);
	assert_int_equal(got.bytes, 65536);
	assert_int_equal(got.span_ns, 2000000000);
}

static void cli_takes_a_dashed_operand_after_two_dashes(void **state)
{
	const char *argv[] = { "try", "--", "--json", NULL };
	int exit_code = -1;
	int first = parse(argv, &exit_code);

	(void)state;
	assert_int_equal(exit_code, CLI_DONE);
	assert_string_equal(argv[first], "--json");
	assert_false(got.json);
}

static void cli_gathers_an_option_that_is_given_several_times(void **state)
{
	const char *argv[] = { "try", "--name", "a", "x", "--name=b", NULL };
	int exit_code = -1;

	(void)state;
	assert_int_equal(parse(argv, &exit_code), 4);
	assert_int_equal(got.names.nr, 2);
	assert_string_equal(got.names.value[0], "a");
	assert_string_equal(got.names.value[1], "b");
	assert_null(got.names.value[2]);
}

static void cli_refuses_an_option_given_too_often(void **state)
{
	const char *argv[2 * (CLI_LIST_MAX + 1) + 2] = { "try" };
	int exit_code = -1;

	(void)state;
	for (size_t i = 1; i + 1 < NR(argv); i++)
		argv[i] = i % 2 ? "--name" : "a";
	assert_int_equal(parse(argv, &exit_code), -1);
	assert_int_equal(exit_code, CLI_USAGE);
	assert_int_equal(got.names.nr, CLI_LIST_MAX);
}

static void cli_leaves_options_behind_an_operand_to_another_command(void **state)
{
	const char *argv[] = { "try", "--json", "ls", "--qd", "-l", NULL };
	struct cli_command other = command;
	int exit_code = -1;

	(void)state;
	memset(&got, 0, sizeof(got));
	other.operands_last = true;
	other.operands_max = 9;
	assert_int_equal(cli_parse(&other, 5, (char **)argv, &exit_code), 2);
	assert_true(got.json);
	assert_string_equal(argv[3], "--qd");
	assert_int_equal(got.depth, 0);
}

static void cli_calls_wrong_usage_by_its_exit_code(void **state)
{
	static const char *bad[][4] = {
		{ "try", "--nope" },	  { "try", "--qd" },   { "try", "--qd", "0" },
		{ "try", "--qd", "129" }, { "try", "--bs=1" }, { "try", "--json=1" },
		{ "try", "a", "b" },
	};

	(void)state;
	for (size_t i = 0; i < NR(bad); i++) {
		int exit_code = -1;

		assert_int_equal(parse(bad[i], &exit_code), -1);
		assert_int_equal(exit_code, CLI_USAGE);
	}
}

static void cli_maps_errors_to_exit_codes(void **state)
{
	(void)state;
	assert_int_equal(cli_fail_errno("x", -ENOENT, NULL), CLI_USAGE);
	assert_int_equal(cli_fail_errno("x", EACCES, NULL), CLI_MACHINE);
	assert_int_equal(cli_fail_errno("x", -EROFS, NULL), CLI_MACHINE);
	assert_int_equal(cli_fail_errno("x", -ENOSPC, NULL), CLI_IO);
	assert_int_equal(cli_fail_errno("x", -EIO, "the device is failing"), CLI_IO);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(cli_reads_sizes_with_units),
		TEST(cli_refuses_what_is_no_size),
		TEST(cli_reads_durations_with_units_and_fractions),
		TEST(cli_refuses_what_is_no_duration),
		TEST(cli_takes_options_and_operands_in_any_order),
		TEST(cli_takes_a_dashed_operand_after_two_dashes),
		TEST(cli_gathers_an_option_that_is_given_several_times),
		TEST(cli_refuses_an_option_given_too_often),
		TEST(cli_leaves_options_behind_an_operand_to_another_command),
		TEST(cli_calls_wrong_usage_by_its_exit_code),
		TEST(cli_maps_errors_to_exit_codes),
	};

	return RUN_TESTS(tests);
}
