/* main.c: the file suite, run on the file system of $SLUICE_TEST_DIR. */
#include "tests/file/tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY(name) TEST(name),
static const struct CMUnitTest all[] = { FILE_TESTS(ENTRY) };

#define COUNT (sizeof(all) / sizeof(all[0]))

/* What is about one place only is not run elsewhere; images.sh says which of
 * the places this machine cannot make. */
static const struct {
	const char *test;
	const char *fs;
} places[] = {
	{ "a_full_disk_ends_a_write_with_what_was_done", "" },
	{ "the_mode_is_what_this_file_system_really_does", "" },
	{ "who_may_not_write_gets_no_wrong_answer", "" },
	{ "a_btrfs_file_without_copy_on_write_writes_directly", "btrfs" },
};

static bool belongs_here(const char *test)
{
	if (!strcmp(test, "a_block_device_is_used_to_its_last_sector"))
		return getenv("SLUICE_TEST_DEVICE");
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!strcmp(test, places[i].test))
			return *fs_name() && fs_is(places[i].fs);
	}
	return true;
}

int main(void)
{
	struct CMUnitTest tests[COUNT];
	size_t nr = 0;

	printf("# file system: %s\n", *fs_name() ? fs_name() : "that of the test directory");
	for (size_t i = 0; i < COUNT; i++) {
		if (belongs_here(all[i].name))
			tests[nr++] = all[i];
	}
	support_begin();
	return support_verdict(_cmocka_run_group_tests("file", tests, nr, NULL, NULL), nr);
}
