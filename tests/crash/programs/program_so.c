/* program_so.c: the checkers as functions of a shared object; $CRASH_PROGRAM names the program. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/crash/programs/disk.h"
#include "tests/crash/programs/program.h"

int check_bad(const char *dir, const char *acks);
int check_fixed(const char *dir, const char *acks);

/* A checker works in the directory it is given, and goes back to where it was. acks is a file's
 * path. */
static int check(const char *dir, bool fixed, const char *acks)
{
	static char lines[65536];

	const char *name = getenv("CRASH_PROGRAM");
	const struct program *program = name ? program_find(name) : NULL;
	ssize_t len = disk_read(acks, lines, sizeof(lines) - 1);
	int back, answer;

	if (len < 0)
		return disk_bad("%s cannot be read", acks);
	lines[len] = '\0';
	if (!program)
		return disk_bad("$CRASH_PROGRAM names no program");
	back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || chdir(dir) < 0)
		return disk_bad("%s cannot be entered", dir);
	answer = program->check(fixed, lines);
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
