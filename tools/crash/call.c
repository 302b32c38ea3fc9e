/* call.c: calls a checker's function; see call.h. */
#include "tools/crash/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/function.h"
#include "tools/cli.h"

int call_here(const char *check_so, const char *dir, const char *acks)
{
	check_function *function;
	char why[512];

	if (check_function_load(check_so, &function, why, sizeof(why)))
		return cli_fail(CLI_USAGE, "--check-so", why, NULL);
	return function(dir, acks) ? CLI_BAD : CLI_DONE;
}

bool call_is_asked(int argc, char *const *argv, int *ret_exit)
{
	const char *dir = getenv("SLUICE_STATE"), *acks = getenv("SLUICE_ACKS");

	if (argc != 3 || strcmp(argv[1], "call") != 0 || !dir || !acks)
		return false;
	*ret_exit = call_here(argv[2], dir, acks);
	return true;
}

const char *const *call_argv(const char *check_so)
{
	static const char *argv[] = { "/proc/self/exe", "crash", "call", NULL, NULL };

	argv[3] = check_so;
	return argv;
}
