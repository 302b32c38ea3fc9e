/* explore_support.c: directories and stories made together. */
#include "explore_support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *scene_path(const char *name)
{
	static char path[4096];
	static const char *dir;
	static unsigned nr;

	dir = dir ? dir : support_tmpdir();
	snprintf(path, sizeof(path), "%s/%u-%s", dir, nr++, name);
	return path;
}

void scene_begin(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	strcpy(scene->dir, scene_path("dir"));
	assert_int_equal(mkdir(scene->dir, 0755), 0);
	story_begin(&scene->story, 512);
}

void scene_end(struct scene *scene)
{
	crash_result_release(&scene->result);
	story_end(&scene->story);
}

void scene_old_file(struct scene *scene, const char *path)
{
	static char bytes[FILE_BYTES];
	char whole[4200];
	int fd;

	snprintf(whole, sizeof(whole), "%s/%s", scene->dir, path);
	memset(bytes, 'o', sizeof(bytes));
	fd = open(whole, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	story_base(&scene->story, path, S_IFREG | 0644, FILE_BYTES);
}

void scene_old_dir(struct scene *scene, const char *path)
{
	char whole[4200];

	snprintf(whole, sizeof(whole), "%s/%s", scene->dir, path);
	assert_int_equal(mkdir(whole, 0755), 0);
	story_base(&scene->story, path, S_IFDIR | 0755, 0);
}

void scene_new_file(struct scene *scene, const char *path)
{
	story_create(&scene->story, path);
	story_fill(&scene->story, path, 0, 'n', FILE_BYTES);
}

const char *scene_checker(const char *function)
{
	static char checker[4096];
	const char *library = getenv("CRASH_CHECKER_SO");

	assert_non_null(library);
	snprintf(checker, sizeof(checker), "%s:%s", library, function);
	return checker;
}

void scene_explore(struct scene *scene, const struct crash_explore_opts *opts)
{
	struct crash_trace *trace = story_read(&scene->story);

	crash_result_release(&scene->result);
	scene->err = crash_explore(trace, scene->dir, opts, &scene->result);
	if (scene->err && scene->result.error[0])
		printf("# %s\n", scene->result.error);
	crash_trace_close(trace);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *scene_lines(const char *path)
{
	char *lines[512], line[256], *all = calloc(1, 65536);
	FILE *stream = fopen(path, "r");
	size_t nr = 0;

	assert_non_null(all);
	while (stream && fgets(line, sizeof(line), stream)) {
		size_t i = 0;

		line[strcspn(line, "\n")] = '\0';
		while (i < nr && strcmp(lines[i], line))
			i++;
		if (i < nr)
			continue;
		assert_true(nr < 512);
		lines[nr++] = strdup(line);
	}
	if (stream)
		fclose(stream);
	qsort(lines, nr, sizeof(char *), compare);
	for (size_t i = 0; i < nr; i++) {
		strcat(strcat(all, i ? " " : ""), lines[i]);
		free(lines[i]);
	}
	return all;
}
