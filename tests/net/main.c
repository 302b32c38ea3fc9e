/* main.c: the net suite, run on the backend that the first argument names. */
#include "tests/net/tests.h"

#include <signal.h>
#include <stdio.h>

#define ENTRY(name) cmocka_unit_test_setup_teardown(name, net_setup, net_teardown),
static const struct CMUnitTest all[] = { NET_TESTS(ENTRY) };

int main(int argc, char **argv)
{
	if (argc < 2)
		return fprintf(stderr, "usage: net BACKEND [TEST]\n"), 2;
	net_choose(argv[1]);
	if (argc > 2)
		cmocka_set_test_filter(argv[2]);
	signal(SIGPIPE, SIG_DFL); /* the library keeps it away */
	return RUN_TESTS(all);
}
