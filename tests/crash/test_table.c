/*
 * test_table.c: the measured table, row by row, from a trace to directories that a checker sees.
 *
 * Each row is a story crashed right after its last op. Every file system's column says what
 * was measured, which must be among the states, and what they all must be among. The model
 * is held to the same table by tests/unit/test_model_profiles.c; here the replay, the
 * choice, the view, the materialiser and the checker's server stand between.
 */
#include "explore_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROFILES 4

struct outcome {
	const char *measured; /* NULL: a promise, not a file system */
	const char *among;    /* NULL: anything */
};

struct row {
	const char *name;
	void (*tell)(struct scene *scene);
	const char *files;
	struct outcome of[PROFILES]; /* ext4, xfs, btrfs, posix */
};

static struct scene scene;

static void new_file_fsynced(struct scene *s)
{
	scene_new_file(s, "f");
	story_sync(&s->story, "f", 0);
}

static void new_file_fdatasynced(struct scene *s)
{
	scene_new_file(s, "f");
	story_sync(&s->story, "f", CRASH_DATA_ONLY);
}

static void new_file_written_with_dsync(struct scene *s)
{
	static char bytes[FILE_BYTES];

	story_create(&s->story, "f");
	memset(bytes, 'n', sizeof(bytes));
	story_write(&s->story, "f", 0, bytes, sizeof(bytes), CRASH_DSYNC);
}

static void file_in_new_directories_fsynced(struct scene *s)
{
	story_mkdir(&s->story, "a");
	story_mkdir(&s->story, "a/b");
	scene_new_file(s, "a/b/f");
	story_sync(&s->story, "a/b/f", 0);
}

static void another_new_file_fsynced(struct scene *s)
{
	scene_new_file(s, "f");
	scene_new_file(s, "g");
	story_sync(&s->story, "g", 0);
}

static void renamed_after_fsync(struct scene *s)
{
	scene_old_file(s, "f");
	scene_new_file(s, "t");
	story_sync(&s->story, "t", 0);
	/* fsync of a new name's directory: not part of the row, but t's name is durable there. */
	story_sync(&s->story, "", 0);
	story_rename(&s->story, "t", "f");
}

static void renamed_over_then_another_fsynced(struct scene *s)
{
	scene_old_file(s, "f");
	scene_new_file(s, "t");
	story_rename(&s->story, "t", "f");
	scene_new_file(s, "g");
	story_sync(&s->story, "g", 0);
}

static void renamed_over_then_directory_fsynced(struct scene *s)
{
	scene_old_file(s, "f");
	scene_new_file(s, "t");
	story_rename(&s->story, "t", "f");
	story_sync(&s->story, "", 0);
}

static void renamed_to_a_new_name_then_directory_fsynced(struct scene *s)
{
	scene_new_file(s, "t");
	story_rename(&s->story, "t", "f");
	story_sync(&s->story, "", 0);
}

static void truncated_and_rewritten_then_another_fsynced(struct scene *s)
{
	scene_old_file(s, "f");
	story_truncate(&s->story, "f", 0);
	story_fill(&s->story, "f", 0, 'n', FILE_BYTES);
	story_close(&s->story, "f");
	scene_new_file(s, "g");
	story_sync(&s->story, "g", 0);
}

static void appended_then_another_fsynced(struct scene *s)
{
	scene_old_file(s, "f");
	story_fill(&s->story, "f", FILE_BYTES, 'n', FILE_BYTES);
	scene_new_file(s, "g");
	story_sync(&s->story, "g", 0);
}

static void overwritten_then_another_renamed(struct scene *s)
{
	scene_old_file(s, "f");
	scene_old_file(s, "x");
	story_fill(&s->story, "f", 0, 'n', FILE_BYTES);
	story_rename(&s->story, "x", "y");
	story_sync(&s->story, "", 0);
}

static void unlinked(struct scene *s)
{
	scene_old_file(s, "j");
	story_unlink(&s->story, "j");
}

static void unlinked_then_another_fsynced(struct scene *s)
{
	unlinked(s);
	scene_new_file(s, "g");
	story_sync(&s->story, "g", 0);
}

static void renamed_across_then_target_fsynced(struct scene *s)
{
	scene_old_dir(s, "a");
	scene_old_dir(s, "b");
	scene_old_file(s, "a/f");
	story_rename(&s->story, "a/f", "b/f");
	story_sync(&s->story, "b", 0);
}

static void renamed_across_then_source_fsynced(struct scene *s)
{
	scene_old_dir(s, "a");
	scene_old_dir(s, "b");
	scene_old_file(s, "a/f");
	story_rename(&s->story, "a/f", "b/f");
	story_sync(&s->story, "a", 0);
}

static void linked_then_fsynced(struct scene *s)
{
	scene_old_file(s, "f");
	story_link(&s->story, "f", "g");
	story_sync(&s->story, "f", 0);
}

static void renamed_then_fsynced(struct scene *s)
{
	scene_old_file(s, "f");
	story_rename(&s->story, "f", "g");
	story_sync(&s->story, "g", 0);
}

static void appended_then_fdatasynced(struct scene *s)
{
	scene_old_file(s, "f");
	story_fill(&s->story, "f", FILE_BYTES, 'n', FILE_BYTES);
	story_sync(&s->story, "f", CRASH_DATA_ONLY);
}

static void grown_by_truncation_then_fdatasynced(struct scene *s)
{
	scene_old_file(s, "f");
	story_truncate(&s->story, "f", 2 * FILE_BYTES);
	story_fill(&s->story, "f", FILE_BYTES, 'n', FILE_BYTES);
	story_sync(&s->story, "f", CRASH_DATA_ONLY);
}

static void appended_past_the_cache(struct scene *s)
{
	static char bytes[FILE_BYTES];

	scene_old_file(s, "f");
	memset(bytes, 'n', sizeof(bytes));
	story_write(&s->story, "f", FILE_BYTES, bytes, sizeof(bytes), CRASH_DIRECT);
}

static void overwritten(struct scene *s)
{
	scene_old_file(s, "f");
	story_fill(&s->story, "f", 0, 'n', FILE_BYTES);
}

#define SAME2(measured, among)  \
	{ measured, among },    \
	{                       \
		measured, among \
	}
#define SAME3(measured, among)  \
	SAME2(measured, among), \
	{                       \
		measured, among \
	}

static const struct row rows[] = {
	{ "a new file, fsynced", new_file_fsynced, "f", { SAME3("N", "N"), { NULL, "N -" } } },
	{ "a new file, fdatasynced",
	  new_file_fdatasynced,
	  "f",
	  { SAME3("N", "N"), { NULL, "N -" } } },
	{ "a new file, written with O_DSYNC",
	  new_file_written_with_dsync,
	  "f",
	  { SAME3("N", "N"), { NULL, "N -" } } },
	{ "a file in new directories, fsynced",
	  file_in_new_directories_fsynced,
	  "a/b/f",
	  { SAME3("N", "N"), { NULL, "N -" } } },
	{ "two new files, the second fsynced",
	  another_new_file_fsynced,
	  "f g",
	  { { "EN", "EN NN MN" }, { "EN", "EN NN" }, { "-N", "-N EN NN MN" }, { NULL, NULL } } },
	{ "renamed after fsync",
	  renamed_after_fsync,
	  "f t",
	  { SAME3("ON", "ON N-"), { "ON", "ON N-" } } },
	{ "renamed over without fsync, another fsynced",
	  renamed_over_then_another_fsynced,
	  "f",
	  { { "N", "N M" }, { "E", "E N" }, { "O", "O E N M" }, { NULL, "O E N M" } } },
	{ "renamed over without fsync, directory fsynced",
	  renamed_over_then_directory_fsynced,
	  "f",
	  { { "N", "N M" }, { "E", "E N" }, { "E", "E N M" }, { NULL, "E N M" } } },
	{ "renamed to a new name without fsync, directory fsynced",
	  renamed_to_a_new_name_then_directory_fsynced,
	  "f",
	  { { "E", "E N M" }, { "E", "E N" }, { "E", "E N M" }, { NULL, "E N M" } } },
	{ "truncated, rewritten and closed, another fsynced",
	  truncated_and_rewritten_then_another_fsynced,
	  "f",
	  { { "N", "N M" }, { "N", "E N" }, { "O", "O E N M" }, { NULL, "O E N M" } } },
	{ "appended, another fsynced",
	  appended_then_another_fsynced,
	  "f",
	  { { "O", "O A M" }, { "O", "O A" }, { "O", "O A M" }, { NULL, "O A M" } } },
	{ "overwritten, another renamed, directory fsynced",
	  overwritten_then_another_renamed,
	  "f x y",
	  { SAME3("O-O", "O-O N-O M-O"), { NULL, "O-O N-O M-O" } } },
	{ "unlinked", unlinked, "j", { SAME3("O", "O -"), { NULL, "O -" } } },
	{ "unlinked, another fsynced",
	  unlinked_then_another_fsynced,
	  "j",
	  { SAME2("-", "-"), { "O", "O -" }, { NULL, "O -" } } },
	{ "renamed across directories, the target fsynced",
	  renamed_across_then_target_fsynced,
	  "a/f b/f",
	  { SAME2("-O", "-O"), { "OO", "OO -O" }, { NULL, "-O" } } },
	{ "renamed across directories, the source fsynced",
	  renamed_across_then_source_fsynced,
	  "a/f b/f",
	  { SAME3("-O", "-O"), { NULL, "-O" } } },
	{ "linked, then fsynced",
	  linked_then_fsynced,
	  "f g",
	  { SAME3("OO", "OO"), { NULL, "OO O-" } } },
	{ "renamed, then fsynced",
	  renamed_then_fsynced,
	  "f g",
	  { SAME3("-O", "-O"), { NULL, "-O O-" } } },
	{ "appended, then fdatasynced",
	  appended_then_fdatasynced,
	  "f",
	  { SAME3("A", "A"), { NULL, "A" } } },
	{ "grown by truncation, then fdatasynced",
	  grown_by_truncation_then_fdatasynced,
	  "f",
	  { SAME3("A", "A"), { NULL, "A" } } },
	{ "appended past the cache, no sync",
	  appended_past_the_cache,
	  "f",
	  { { "O", "O A M" }, { "O", "O A" }, { "O", "O A M" }, { NULL, "O A M" } } },
	{ "overwritten, sync_file_range",
	  overwritten,
	  "f",
	  { SAME3("O", "O N M"), { NULL, "O N M" } } },
};

static bool is_word_of(const char *letters, const char *list)
{
	size_t len = strlen(letters);

	for (const char *word = list; word; word = strchr(word, ' ')) {
		word += *word == ' ';
		if (strncmp(word, letters, len) == 0 && (!word[len] || word[len] == ' '))
			return true;
	}
	return false;
}

/* Only those after the ack are looked at: all that the row says has been done. */
static char *letters_of(const struct row *row, const char *profile)
{
	char log[4096];
	const struct crash_explore_opts opts = {
		.profile = profile,
		.check_so = scene_checker("look"),
		.jobs = 1,
		.states_max = 3000,
		.classes = (1u << CRASH_LOST) - 1 - (1u << CRASH_PREFIX),
	};

	strcpy(log, scene_path("log"));
	setenv("CRASH_LOG", log, 1);
	setenv("CRASH_FILES", row->files, 1);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	return scene_lines(log);
}

static void check(const struct row *row, const struct outcome *outcome, const char *profile,
		  const char *seen)
{
	char letters[600];

	if (outcome->measured && !is_word_of(outcome->measured, seen))
		fail_msg("%s: %s never shows %s, which was measured, but %s", profile, row->name,
			 outcome->measured, seen);
	snprintf(letters, sizeof(letters), "%s", seen);
	for (char *word = strtok(letters, " "); word; word = strtok(NULL, " ")) {
		if (outcome->among && !is_word_of(word, outcome->among))
			fail_msg("%s: %s shows %s, not one of %s", profile, row->name, word,
				 outcome->among);
	}
}

static void every_row_shows_what_was_measured_and_nothing_else(void **state)
{
	static const char *const profiles[PROFILES] = { "ext4", "xfs", "btrfs", "posix" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned p = 0; p < PROFILES; p++) {
			char *seen;

			scene_begin(&scene);
			rows[i].tell(&scene);
			story_ack(&scene.story, "done");
			seen = letters_of(&rows[i], profiles[p]);
			check(&rows[i], &rows[i].of[p], profiles[p], seen);
			free(seen);
			scene_end(&scene);
		}
		printf("# %s\n", rows[i].name);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(every_row_shows_what_was_measured_and_nothing_else),
};

int main(void)
{
	return RUN_TESTS(tests);
}
