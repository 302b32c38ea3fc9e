/*
 * main.c: crash-program VERB NAME DIR: runs one of the programs in a directory, or checks a state
 * of it.
 *
 * prepare-bad, prepare-fixed: make what is there before. bad, fixed: run. check-bad, check-fixed:
 * read the directory with the acknowledgements on standard input. list: prints name, profiles that
 * must show the bug, and the fault.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/crash/programs/program.h"

#define ACKS_MAX 65536

static void list(const struct program *program)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

	for (; program->name; program++) {
		printf("%s\t", program->name);
		for (unsigned i = 0; i < 4; i++)
			printf("%s%s", program->flagged >> i & 1 ? profiles[i] : "",
			       i < 3 ? "," : "\t");
		printf("%s\n", program->fault ? program->fault : "");
	}
}

static int check(const struct program *program, bool fixed)
{
	static char acks[ACKS_MAX];
	size_t len = fread(acks, 1, sizeof(acks) - 1, stdin);

	acks[len] = '\0';
	return program->check(fixed, acks);
}

int main(int argc, char **argv)
{
	const struct program *program = argc == 4 ? program_find(argv[2]) : NULL;
	const char *variant = argc > 1 ? strchr(argv[1], '-') : NULL;
	bool fixed;

	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list(programs_of_names);
		list(programs_of_logs);
		list(programs_of_pages);
		list(programs_of_faults);
		return 0;
	}
	if (!program || chdir(argv[3]) < 0) {
		fprintf(stderr, "usage: crash-program [prepare-|check-]bad|fixed NAME DIR\n");
		return 2;
	}
	fixed = strcmp(variant ? variant + 1 : argv[1], "fixed") == 0;
	if (strncmp(argv[1], "prepare-", 8) == 0) {
		program->prepare(fixed);
		return 0;
	}
	if (strncmp(argv[1], "check-", 6) == 0)
		return check(program, fixed);
	return program->run(fixed);
}
