/* explore_support.h: a directory, a story about it, and what exploring the story says. */
#ifndef SLUICE_TESTS_CRASH_EXPLORE_SUPPORT_H
#define SLUICE_TESTS_CRASH_EXPLORE_SUPPORT_H

#include "builder.h"

#include "crash/explore.h"

#define FILE_BYTES 8192

/* One at a time: a fresh directory with nothing in it, and a story that begins. */
struct scene {
	struct story story;
	char dir[4096];
	struct crash_result result;
	int err;
};

void scene_begin(struct scene *scene);
void scene_end(struct scene *scene);

/* A file of FILE_BYTES of 'o' that is there from the start. */
void scene_old_file(struct scene *scene, const char *path);
void scene_old_dir(struct scene *scene, const char *path);
/* A new file, or an overwritten or appended one, of FILE_BYTES of 'n'. */
void scene_new_file(struct scene *scene, const char *path);

/* "lib.so:function" of checker.c. */
const char *scene_checker(const char *function);
/* Explores the story; err and result are the answer. */
void scene_explore(struct scene *scene, const struct crash_explore_opts *opts);
/* A path in the test's directory that is not there yet. */
const char *scene_path(const char *name);
/* The lines of a file, sorted, each once; freed by the caller. */
char *scene_lines(const char *path);

#endif
