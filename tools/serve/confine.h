/* confine.h: gives up what a file server does not need: the user, files elsewhere, system calls. */
#ifndef SLUICE_TOOLS_SERVE_CONFINE_H
#define SLUICE_TOOLS_SERVE_CONFINE_H

#include <sys/types.h>

#include "tools/serve/config.h"

#define SERVE_PLACES_MAX 3

/* What files the process is confined to; zeroed: it is not. Landlock's rules are for directories as
 * they were, not for names: what is put in the place of one later is out of reach. */
struct serve_confined {
	bool files;
	unsigned nr;
	struct serve_place {
		dev_t dev;
		ino_t ino;
	} place[SERVE_PLACES_MAX]; /* beneath which everything may be read */
};

/* Before threads start, which inherit it. Return: CLI_DONE, or an exit code. */
int serve_confine(const struct serve_config *config, struct serve_confined *ret);

/* Whether files in a directory, open if only as a path, may be read: whether a rule is on the way
 * up from there. */
bool serve_confined_reaches(const struct serve_confined *confined, int dir_fd);

/* What to say of a path that could not be read, or NULL for the usual. */
const char *serve_confined_remedy(const struct serve_confined *confined,
				  const struct serve_config *config, const char *path, int err);

#endif
