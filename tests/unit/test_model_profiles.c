/*
 * test_model_profiles.c - each profile against what a crash was seen to leave of real file systems.
 *
 * A row is a scenario, crashed right after its last call. For each profile it
 * says what was measured, which must be among the states that the model allows,
 * and what the state must be among: where that names one state only the profile
 * promises it. Every state of every class is looked at.
 *
 * States are letters, one for each file looked at: O old content, N new, E empty,
 * A old content and appended, '-' no such file, M anything else.
 */
#include "model_fixture.h"

#include <stdio.h>

#define STATES_MAX    64
#define RANDOM_STATES 400
#define PROFILES      5
#define ANYTHING      NULL

static struct model_profile ext4_noauto;

struct outcome {
	const char *measured; /* NULL: posix is a promise, not a file system */
	const char *among;    /* separated by blanks; NULL: anything */
};

struct row {
	const char *name;
	void (*play)(void);
	const char *files;	     /* separated by blanks; in a directory with a / */
	struct outcome of[PROFILES]; /* ext4, ext4 noauto_da_alloc, xfs, btrfs, posix */
};

static struct model_inode *dir_of(const char **name)
{
	const char *slash = strchr(*name, '/');
	char first[8] = "";
	struct model_inode *dir = volume->root;

	while (slash) {
		memcpy(first, *name, (size_t)(slash - *name));
		first[slash - *name] = '\0';
		dir = dir ? model_chosen_name(volume, dir, first) : NULL;
		*name = slash + 1;
		slash = strchr(*name, '/');
	}
	return dir;
}

static bool all_are(const char *buf, size_t len, char letter)
{
	for (size_t i = 0; i < len; i++)
		if (buf[i] != letter)
			return false;
	return true;
}

static char state_of(const char *name)
{
	static char buf[4 * FILE_BYTES];
	struct model_inode *dir = dir_of(&name);
	const struct model_inode *inode = dir ? model_chosen_name(volume, dir, name) : NULL;
	uint64_t len;

	if (!inode)
		return '-';
	len = model_chosen_read(inode, 0, buf, sizeof(buf));
	if (len == 0)
		return 'E';
	if (len == FILE_BYTES && all_are(buf, len, 'o'))
		return 'O';
	if (len == FILE_BYTES && all_are(buf, len, 'n'))
		return 'N';
	if (len == 2 * FILE_BYTES && all_are(buf, FILE_BYTES, 'o') &&
	    all_are(buf + FILE_BYTES, FILE_BYTES, 'n'))
		return 'A';
	return 'M';
}

/* The letters of all files of a row, in the state that is chosen. */
static void look(const struct row *row, char *ret_letters)
{
	char names[64];
	unsigned nr = 0;

	snprintf(names, sizeof(names), "%s", row->files);
	for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
		ret_letters[nr++] = state_of(name);
	ret_letters[nr] = '\0';
}

static bool is_among(const char *letters, const char *list)
{
	size_t len = strlen(letters);

	for (const char *word = list; word; word = strchr(word, ' ')) {
		word += *word == ' ';
		if (strncmp(word, letters, len) == 0 && (!word[len] || word[len] == ' '))
			return true;
	}
	return false;
}

static bool choose(uint64_t i)
{
	uint64_t nr = model_elements(volume);
	struct model_choice choice = { MODEL_RANDOM, i };

	if (i >= 3 * nr + 3 + RANDOM_STATES)
		return false;
	if (i < nr + 1)
		choice = (struct model_choice){ MODEL_PREFIX, i };
	else if (i < 2 * nr + 1)
		choice = (struct model_choice){ MODEL_OMIT1, i - nr - 1 };
	else if (i < 3 * nr + 1)
		choice = (struct model_choice){ MODEL_ONLY1, i - 2 * nr - 1 };
	else if (i == 3 * nr + 1)
		choice.class = MODEL_MIN;
	else if (i == 3 * nr + 2)
		choice.class = MODEL_ALL;
	model_choose(volume, &choice);
	if (!model_choice_is_legal(volume))
		fail_msg("choice %d of class %d is not legal", (int)choice.nr, (int)choice.class);
	return true;
}

static void check(const struct row *row, const struct outcome *outcome, const char *profile)
{
	bool seen = !outcome->measured;
	char letters[8];

	for (uint64_t i = 0; choose(i); i++) {
		look(row, letters);
		if (outcome->among && !is_among(letters, outcome->among))
			fail_msg("%s: %s shows %s, not one of %s", profile, row->name, letters,
				 outcome->among);
		seen |= outcome->measured && strcmp(letters, outcome->measured) == 0;
	}
	if (!seen)
		fail_msg("%s: %s never shows %s, which was measured", profile, row->name,
			 outcome->measured);
}

static void check_row(const struct row *row)
{
	const struct model_profile *const profiles[PROFILES] = {
		&model_ext4, &ext4_noauto, &model_xfs, &model_btrfs, &model_posix,
	};

	ext4_noauto = model_ext4;
	ext4_noauto.name = "ext4 noauto_da_alloc";
	ext4_noauto.flush_on_replace = false;
	for (unsigned sector = 512; sector <= 4096; sector *= 8) {
		for (unsigned i = 0; i < PROFILES; i++) {
			begin(profiles[i], sector);
			row->play();
			check(row, &row->of[i], profiles[i]->name);
		}
	}
	end();
}

/* ---- scenarios ---------------------------------------------------------------------- */

/* A file that was there, content and name, before the story begins. */
static struct model_inode *old_file(struct model_inode *dir, const char *name)
{
	struct model_inode *inode = make(dir, name, S_IFREG | 0644);

	fill(inode, 0, 'o');
	assert_int_equal(model_sync_all(volume), 0);
	return inode;
}

static struct model_inode *new_file(const char *name)
{
	struct model_inode *inode = make_file(name);

	fill(inode, 0, 'n');
	return inode;
}

static void new_file_fsynced(void)
{
	sync_of(new_file("f"));
}

static void new_file_fdatasynced(void)
{
	data_sync_of(new_file("f"));
}

static void new_file_written_with_dsync(void)
{
	struct model_inode *f = make_file("f");
	uint64_t before = model_now(volume);

	fill(f, 0, 'n');
	assert_int_equal(model_sync_write(volume, f, before), 0);
}

static void file_in_new_directories_fsynced(void)
{
	struct model_inode *a = make(volume->root, "a", S_IFDIR | 0755);
	struct model_inode *b = make(a, "b", S_IFDIR | 0755);
	struct model_inode *f = make(b, "f", S_IFREG | 0644);

	fill(f, 0, 'n');
	sync_of(f);
}

static void another_new_file_fsynced(void)
{
	new_file("f");
	sync_of(new_file("g"));
}

static void two_names_made(void)
{
	make_file("f");
	make_file("g");
}

static void renamed_after_fsync(void)
{
	old_file(volume->root, "f");
	sync_of(new_file("t"));
	rename_to(volume->root, "t", volume->root, "f");
}

static void renamed_over_without_fsync(void)
{
	old_file(volume->root, "f");
	new_file("t");
	rename_to(volume->root, "t", volume->root, "f");
}

static void renamed_over_then_another_fsynced(void)
{
	renamed_over_without_fsync();
	sync_of(new_file("g"));
}

static void renamed_over_then_directory_fsynced(void)
{
	renamed_over_without_fsync();
	sync_of(volume->root);
}

static void renamed_to_a_new_name_then_directory_fsynced(void)
{
	new_file("t");
	rename_to(volume->root, "t", volume->root, "f");
	sync_of(volume->root);
}

static void truncated_and_rewritten_then_another_fsynced(void)
{
	struct model_inode *f = old_file(volume->root, "f");

	assert_int_equal(model_truncate(volume, f, 0), 0);
	fill(f, 0, 'n');
	model_close(volume, f);
	sync_of(new_file("g"));
}

static void appended(void)
{
	fill(old_file(volume->root, "f"), FILE_BYTES, 'n');
}

static void appended_then_another_fsynced(void)
{
	appended();
	sync_of(new_file("g"));
}

static void overwritten_then_another_renamed(void)
{
	struct model_inode *f = old_file(volume->root, "f");

	old_file(volume->root, "x");
	fill(f, 0, 'n');
	rename_to(volume->root, "x", volume->root, "y");
	sync_of(volume->root);
}

static void unlinked(void)
{
	old_file(volume->root, "j");
	assert_int_equal(model_remove(volume, entry_at(volume->root, "j")), 0);
}

static void unlinked_then_another_fsynced(void)
{
	unlinked();
	sync_of(new_file("g"));
}

static void renamed_across_then_target_fsynced(void)
{
	struct model_inode *a = make(volume->root, "a", S_IFDIR | 0755);
	struct model_inode *b = make(volume->root, "b", S_IFDIR | 0755);

	old_file(a, "f");
	rename_to(a, "f", b, "f");
	sync_of(b);
}

static void renamed_across_then_source_fsynced(void)
{
	struct model_inode *a = make(volume->root, "a", S_IFDIR | 0755);
	struct model_inode *b = make(volume->root, "b", S_IFDIR | 0755);

	old_file(a, "f");
	rename_to(a, "f", b, "f");
	sync_of(a);
}

static void linked_then_fsynced(void)
{
	struct model_inode *f = old_file(volume->root, "f");

	assert_int_equal(model_add(volume, volume->root, "g", 1, f), 0);
	sync_of(f);
}

static void renamed_then_fsynced(void)
{
	struct model_inode *f = old_file(volume->root, "f");

	rename_to(volume->root, "f", volume->root, "g");
	sync_of(f);
}

static void appended_then_fdatasynced(void)
{
	appended();
	data_sync_of(at(volume->root, "f"));
}

static void grown_by_truncation_then_fdatasynced(void)
{
	struct model_inode *f = make_file("f");

	fill(f, 0, 'o');
	assert_int_equal(model_sync_all(volume), 0);
	assert_int_equal(model_truncate(volume, f, 2 * FILE_BYTES), 0);
	fill(f, FILE_BYTES, 'n');
	data_sync_of(f);
}

static void overwritten(void)
{
	fill(old_file(volume->root, "f"), 0, 'n');
}

/* ---- the table ---------------------------------------------------------------------- */

#define SAME(measured, among)                     \
	{ measured, among }, { measured, among }, \
	{                                         \
		measured, among                   \
	}
/* On ext4, with auto_da_alloc and without. */
#define EXT4(measured, among)   \
	{ measured, among },    \
	{                       \
		measured, among \
	}
#define ALL4(measured, among)   \
	SAME(measured, among),  \
	{                       \
		measured, among \
	}

/* A torn overwrite or, where sizes do not wait for data, a file with holes. */
#define TORN "O N A E M"

static const struct row rows[] = {
	{ "a new file, fsynced", new_file_fsynced, "f", { ALL4("N", "N"), { NULL, "N -" } } },
	{ "a new file, fdatasynced",
	  new_file_fdatasynced,
	  "f",
	  { ALL4("N", "N"), { NULL, "N -" } } },
	{ "a new file, written with O_DSYNC",
	  new_file_written_with_dsync,
	  "f",
	  { ALL4("N", "N"), { NULL, "N -" } } },
	{ "a file in new directories, fsynced",
	  file_in_new_directories_fsynced,
	  "a/b/f",
	  { ALL4("N", "N"), { NULL, "N -" } } },
	{ "two new files, the second fsynced",
	  another_new_file_fsynced,
	  "f g",
	  {
		  EXT4("EN", "EN NN MN"),
		  { "EN", "EN NN" },
		  { "-N", "-N EN NN MN" },
		  { NULL, ANYTHING },
	  } },
	{ "two names made, no sync",
	  two_names_made,
	  "f g",
	  { SAME("--", "-- E- EE"), { "--", "-- E- -E EE" }, { NULL, "-- E- -E EE" } } },
	{ "renamed after fsync",
	  renamed_after_fsync,
	  "f t",
	  { ALL4("ON", "ON N-"), { NULL, "ON N- O-" } } },
	{ "renamed over without fsync, another fsynced",
	  renamed_over_then_another_fsynced,
	  "f",
	  {
		  { "N", "N M" },
		  { "E", "E N M" },
		  { "E", "E N" },
		  { "O", "O E N M" },
		  { NULL, "O E N M" },
	  } },
	{ "renamed over without fsync, directory fsynced",
	  renamed_over_then_directory_fsynced,
	  "f",
	  {
		  { "N", "N M" },
		  { "E", "E N M" },
		  { "E", "E N" },
		  { "E", "E N M" },
		  { NULL, "E N M" },
	  } },
	{ "renamed to a new name without fsync, directory fsynced",
	  renamed_to_a_new_name_then_directory_fsynced,
	  "f",
	  { EXT4("E", "E N M"), { "E", "E N" }, { "E", "E N M" }, { NULL, "E N M" } } },
	{ "truncated, rewritten and closed, another fsynced",
	  truncated_and_rewritten_then_another_fsynced,
	  "f",
	  {
		  { "N", "N M" },
		  { "E", "E N M" },
		  { "N", "E N" },
		  { "O", "O E N M" },
		  { NULL, "O E N M" },
	  } },
	{ "appended, another fsynced",
	  appended_then_another_fsynced,
	  "f",
	  { EXT4("O", "O A M"), { "O", "O A" }, { "O", "O A M" }, { NULL, "O A M" } } },
	{ "overwritten, another renamed, directory fsynced",
	  overwritten_then_another_renamed,
	  "f x y",
	  { ALL4("O-O", "O-O N-O M-O"), { NULL, "O-O N-O M-O" } } },
	{ "unlinked", unlinked, "j", { ALL4("O", "O -"), { NULL, "O -" } } },
	{ "unlinked, another fsynced",
	  unlinked_then_another_fsynced,
	  "j",
	  { SAME("-", "-"), { "O", "O -" }, { NULL, "O -" } } },
	{ "renamed across directories, the target fsynced",
	  renamed_across_then_target_fsynced,
	  "a/f b/f",
	  { SAME("-O", "-O"), { "OO", "OO -O" }, { NULL, "-O" } } },
	{ "renamed across directories, the source fsynced",
	  renamed_across_then_source_fsynced,
	  "a/f b/f",
	  { ALL4("-O", "-O"), { NULL, "-O" } } },
	{ "linked, then fsynced",
	  linked_then_fsynced,
	  "f g",
	  { ALL4("OO", "OO"), { NULL, "OO O-" } } },
	{ "renamed, then fsynced",
	  renamed_then_fsynced,
	  "f g",
	  { ALL4("-O", "-O"), { NULL, "-O O-" } } },
	{ "appended, then fdatasynced",
	  appended_then_fdatasynced,
	  "f",
	  { ALL4("A", "A"), { NULL, "A" } } },
	{ "grown by truncation, then fdatasynced",
	  grown_by_truncation_then_fdatasynced,
	  "f",
	  { ALL4("A", "A"), { NULL, "A" } } },
	{ "appended past the cache, no sync",
	  appended,
	  "f",
	  { EXT4("O", "O A M"), { "O", "O A" }, { "O", "O A M" }, { NULL, "O A M" } } },
	{ "overwritten, sync_file_range",
	  overwritten,
	  "f",
	  { ALL4("O", "O N M"), { NULL, "O N M" } } },
};

static void every_profile_shows_what_was_measured_and_keeps_its_promises(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(&rows[i]);
		printf("# %s\n", rows[i].name);
	}
}

static void profiles_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(model_profile_find("posix"), &model_posix);
	assert_ptr_equal(model_profile_find("ext4"), &model_ext4);
	assert_ptr_equal(model_profile_find("xfs"), &model_xfs);
	assert_ptr_equal(model_profile_find("btrfs"), &model_btrfs);
	assert_null(model_profile_find("fat"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_profile_shows_what_was_measured_and_keeps_its_promises),
		TEST(profiles_are_found_by_name),
	};

	return RUN_TESTS(tests);
}
