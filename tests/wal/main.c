/* main.c: the tests of the log on the file system of $SLUICE_TEST_DIR. */
#include "tests.h"

#define ENTRY(name) TEST(name),
static const struct CMUnitTest tests[] = { WAL_TESTS(ENTRY) };

int main(void)
{
	return RUN_TESTS(tests);
}
