/* harness.h: what every C test includes: cmocka, skips with a reason, seeds, directories. */
#ifndef SLUICE_TESTS_SUPPORT_HARNESS_H
#define SLUICE_TESTS_SUPPORT_HARNESS_H

/* cmocka.h needs these first, in this order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/**
 * SKIP() - end the running test as skipped, for something this machine lacks.
 * @...: printf format and arguments of the reason; one line, names what is missing.
 *
 * scripts/check.sh pairs the reason with the test; a skip without one counts as a failure.
 */
#define SKIP(...)                              \
	do {                                   \
		support_say_skip(__VA_ARGS__); \
		skip();                        \
	} while (0)

/* TEST(name) names a test function in the table given to RUN_TESTS(). */
#define TEST(name) cmocka_unit_test(name)

/**
 * RUN_TESTS() - run a table of tests with TAP output and give main()'s result.
 * @tests: an array (not a pointer) of struct CMUnitTest.
 *
 * Return: 0, 1 when a test failed, 77 when every test was skipped.
 */
#define RUN_TESTS(tests) RUN_TESTS_WITH(tests, NULL, NULL)

/* RUN_TESTS_WITH() adds cmocka group fixtures. */
#define RUN_TESTS_WITH(tests, setup, teardown)                                            \
	(support_begin(), support_verdict(cmocka_run_group_tests(tests, setup, teardown), \
					  sizeof(tests) / sizeof((tests)[0])))

/**
 * support_tmpdir() - make a fresh directory on a real file system.
 *
 * It lies in $SLUICE_TEST_DIR, else $TMPDIR, else /var/tmp (never /tmp, often a tmpfs), and is
 * removed with everything in it when the process exits. Made in the process that calls it; a
 * forked child does not remove it. Fails the test when it cannot be made.
 *
 * Return: its path; belongs to the harness and stays valid until exit.
 */
const char *support_tmpdir(void);

/**
 * support_path() - build the path of a file inside a directory.
 * @dir: the directory.
 * @name: the file's name.
 *
 * Return: a string in one of eight rotating buffers: valid until the eighth call after this.
 */
const char *support_path(const char *dir, const char *name);

/**
 * support_seed() - the seed of this run's randomness, printed on its first use.
 *
 * Return: $SLUICE_SEED when set (decimal, or hex with 0x), else the clock.
 */
uint64_t support_seed(void);

/**
 * support_random() - the next number of a small generator (splitmix64).
 * @state: borrowed; begin it with support_seed() or anything derived from it.
 *
 * Return: 64 random bits.
 */
uint64_t support_random(uint64_t *state);

void support_say_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void support_begin(void);
int support_verdict(int failed, size_t nr_tests);

#endif
