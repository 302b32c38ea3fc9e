/* program_so.c: the checkers as functions of a shared object; $CRASH_PROGRAM names the program. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/crash/programs/disk.h"
#include "tests/crash/programs/program.h"

int check_bad(const char *dir, const char *acks);
int check_fixed(const char *dir, const char *acks);

/* A checker works in the directory it is given, and goes back to where it was. */
static int check(const char *dir, bool fixed, const char *acks)
{
	const char *name = getenv("CRASH_PROGRAM");
	const struct program *program = name ? program_find(name) : NULL;
	int back, answer;

	if (!program)
		return disk_bad("$CRASH_PROGRAM names no program");
	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || chdir(dir) < 0)
		return disk_bad("%s cannot be entered", dir);
	answer = program->check(fixed, acks);
	if (fchdir(back) < 0)
		answer = disk_bad("there is no way back");
	close(back);
	return answer;
}

int check_bad(const char *dir, const char *acks)
{
	return check(dir, false, acks);
}

int check_fixed(const char *dir, const char *acks)
{
	return check(dir, true, acks);
}
