/* table.c: finds a program by its name. */
#include <stddef.h>
#include <string.h>

#include "tests/crash/programs/program.h"

const struct program *program_find(const char *name)
{
	static const struct program *const tables[] = { programs_of_names, programs_of_logs,
							programs_of_pages, programs_of_faults };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct program *program = tables[i]; program->name; program++) {
			if (strcmp(program->name, name) == 0)
				return program;
		}
	}
	return NULL;
}
