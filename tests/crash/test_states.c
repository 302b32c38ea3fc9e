/*
 * test_states.c: states of random stories, made in three ways that must agree.
 *
 * Out of the state before, from nothing, and as the model alone says that it is. States with
 * the same hash are the same, and states that differ have another one.
 */
#include "explore_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/maker.h"

#define STORIES	    24
#define OPS	    40
#define NAMES	    6
#define TEXT_BYTES  (1 << 22)
#define STATES_EACH 60

static struct scene scene;

/* ---- random stories ----------------------------------------------------------------- */

static const char *const names[NAMES] = { "a", "b", "d/a", "d/b", "e/a", "e/c" };

static bool is_known(const char *path)
{
	for (uint64_t i = 0; i < scene.story.nr; i++)
		if (strcmp(scene.story.path[i], path) == 0)
			return true;
	return false;
}

static void step_on_file(uint64_t *random, const char *path)
{
	uint64_t off = support_random(random) % 12000;
	uint32_t len = 1 + (uint32_t)(support_random(random) % 9000);
	static char bytes[9001];

	switch (support_random(random) % 9) {
	case 0:
		story_truncate(&scene.story, path, off);
		break;
	case 1:
		story_allocate(&scene.story, path, 0, off, len);
		break;
	case 2:
		story_allocate(&scene.story, path, 3, off, len); /* punch a hole */
		break;
	case 3:
		story_sync(&scene.story, path, support_random(random) % 2 ? CRASH_DATA_ONLY : 0);
		break;
	case 4:
		story_close(&scene.story, path);
		break;
	default:
		memset(bytes, (int)('A' + support_random(random) % 26), len);
		story_write(&scene.story, path, off, bytes, len,
			    support_random(random) % 8 ? 0 : CRASH_DSYNC);
	}
}

static void step_on_names(uint64_t *random, const char *path)
{
	const char *other = names[support_random(random) % NAMES];

	switch (support_random(random) % 5) {
	case 0:
		story_unlink(&scene.story, path);
		break;
	case 1:
		if (is_known(other) && strcmp(path, other))
			story_exchange(&scene.story, path, other);
		break;
	case 2:
		story_sync(&scene.story, strchr(path, '/') ? "d" : "", 0);
		break;
	default:
		if (strcmp(path, other))
			story_rename(&scene.story, path, other);
	}
}

static void tell(uint64_t *random)
{
	scene_old_dir(&scene, "d");
	scene_old_file(&scene, "b");
	scene_old_file(&scene, "still");
	scene_old_dir(&scene, "quiet");
	scene_old_file(&scene, "quiet/too");
	scene_old_file(&scene, "d/b");
	story_mkdir(&scene.story, "e");
	for (unsigned i = 0; i < OPS; i++) {
		const char *path = names[support_random(random) % NAMES];

		if (!is_known(path))
			story_create(&scene.story, path);
		else if (support_random(random) % 3)
			step_on_file(random, path);
		else
			step_on_names(random, path);
	}
	story_ack(&scene.story, "end");
}

/* ---- trees as text ------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell_file(int dir, const char *name, const char *path, char *text)
{
	static unsigned char bytes[65536];
	int fd = openat(dir, name, O_RDONLY);
	ssize_t len = read(fd, bytes, sizeof(bytes));
	uint64_t hash = 14695981039346656037u;

	assert_true(fd >= 0 && len >= 0);
	for (ssize_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	close(fd);
	sprintf(text + strlen(text), "%s %d %llx\n", path, (int)len, (unsigned long long)hash);
}

/* Names in order, sizes and contents; no deeper than these stories go. */
static void tell_tree(int parent, const char *name, const char *path, char *text)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY);
	DIR *stream = fdopendir(fd);
	struct dirent *entry;
	char *all[64];
	size_t nr = 0;

	assert_non_null(stream);
	while ((entry = readdir(stream))) {
		if (entry->d_name[0] != '.')
			all[nr++] = strdup(entry->d_name);
	}
	qsort(all, nr, sizeof(char *), compare);
	for (size_t i = 0; i < nr; i++) {
		char below[4096];
		struct stat st;

		snprintf(below, sizeof(below), "%s/%s", path, all[i]);
		assert_int_equal(fstatat(fd, all[i], &st, AT_SYMLINK_NOFOLLOW), 0);
		if (S_ISDIR(st.st_mode)) {
			sprintf(text + strlen(text), "%s/\n", below);
			if (strlen(below) < 40)
				tell_tree(fd, all[i], below, text);
		} else {
			tell_file(fd, all[i], below, text);
		}
		free(all[i]);
	}
	closedir(stream);
}

/* ---- what the model says ------------------------------------------------------------ */

/* Pages that no op changes are not in the model: they are as in the directory. */
static void add_base(const struct crash_file *file, unsigned char *bytes, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += 4096) {
		if (replay_is_base(file, off / 4096))
			memset(bytes + off, 'o', size - off < 4096 ? size - off : 4096);
	}
}

static void check_against_model(const struct maker *maker, const char *dir)
{
	static unsigned char made[65536], told[65536];

	for (uint32_t i = 1; i < maker->state.nr; i++) {
		const struct state_entry *entry = &maker->state.entries[i];
		char path[8192];
		uint64_t size;
		int fd;

		if (!S_ISREG(entry->mode))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, state_path(&maker->state, entry));
		size = model_chosen_read(entry->inode, 0, told, sizeof(told));
		fd = open(path, O_RDONLY);
		assert_true(fd >= 0);
		assert_int_equal(read(fd, made, sizeof(made)), size);
		add_base(entry->inode->owner, told, size);
		assert_memory_equal(made, told, size);
		close(fd);
	}
}

/* ---- hashes ------------------------------------------------------------------------- */

struct known {
	uint64_t hash[2];
	char *text;
};

static struct known known[STATES_EACH * 4];
static size_t known_nr;

/* Returns whether it was new. */
static void check_hash(const struct crash_state *state, const char *text)
{
	for (size_t i = 0; i < known_nr; i++) {
		bool same_hash = memcmp(known[i].hash, state->hash, sizeof(state->hash)) == 0;
		bool same_text = strcmp(known[i].text, text) == 0;

		if (same_hash && !same_text)
			fail_msg("two states have one hash:\n%s\n%s", known[i].text, text);
		/* The other way round it costs a second look, and happens where a page on the
		 * disk has bytes behind the end of the file. */
	}
	memcpy(known[known_nr].hash, state->hash, sizeof(state->hash));
	known[known_nr++].text = strdup(text);
}

static void forget_hashes(void)
{
	while (known_nr)
		free(known[--known_nr].text);
}

/* ---- the test ----------------------------------------------------------------------- */

static struct spec random_spec(uint64_t *random, uint64_t point)
{
	struct spec spec = { .point = point, .nr = 1 };

	spec.class = support_random(random) % CRASH_GARBAGE;
	if (spec.class == CRASH_MIN)
		spec.nr = 0;
	else if (spec.class == CRASH_PAIR)
		spec.nr = 2;
	spec.numbers[0] = support_random(random) % 60;
	spec.numbers[1] = support_random(random) % 60;
	return spec;
}

static void tell_place(const char *dir, char *text)
{
	text[0] = '\0';
	tell_tree(AT_FDCWD, dir, "", text);
}

static void check_state(struct maker *maker, struct place *place, const struct acks *acks)
{
	static char out[TEXT_BYTES], anew[TEXT_BYTES];
	struct place *fresh;
	char dir[4096];

	strcpy(dir, scene_path("fresh"));
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(place_create_at(dir, NULL, &fresh), 0);
	assert_int_equal(place_make(place, &maker->state, &maker->view, acks, 0, NULL), 0);
	assert_int_equal(place_make(fresh, &maker->state, &maker->view, acks, 0, NULL), 0);
	tell_place(place_dir(place), out);
	tell_place(dir, anew);
	assert_string_equal(out, anew);
	assert_non_null(strstr(out, "/still 8192"));
	assert_non_null(strstr(out, "/quiet/too 8192"));
	check_against_model(maker, dir);
	check_hash(&maker->state, out);
	place_destroy(fresh);
	assert_int_equal(remove_tree(dir), 0);
}

static void check_story(uint64_t *random, const char *profile)
{
	struct replay_opts opts = { .profile = model_profile_find(profile), .bytes_max = 1 << 30 };
	struct crash_trace *trace = story_read(&scene.story);
	struct acks acks;
	struct maker maker;
	struct place *place;
	char parent[4096];
	uint64_t point = 8;
	unsigned states = 0;

	strcpy(parent, scene_path("places"));
	assert_int_equal(mkdir(parent, 0755), 0);
	opts.trace = trace;
	opts.base_dir = scene.dir;
	assert_int_equal(acks_read(&acks, trace), 0);
	assert_int_equal(maker_init(&maker, &opts, NULL), 0);
	assert_int_equal(place_create(parent, "one", &place), 0);
	for (unsigned i = 0; i < STATES_EACH; i++) {
		struct spec spec;

		if (support_random(random) % 6 == 0)
			point = 8 + support_random(random) % (crash_trace_nr(trace) - 8);
		spec = random_spec(random, point);
		if (maker_make(&maker, &spec))
			continue;
		check_state(&maker, place, &acks);
		states++;
	}
	assert_true(states > 5);
	/* Nobody has changed it meanwhile: it was made from nothing once. */
	if (place_fresh_nr(place) > 1)
		printf("# made from nothing %d times\n", (int)place_fresh_nr(place));
	place_destroy(place);
	maker_fini(&maker);
	acks_release(&acks);
	crash_trace_close(trace);
}

static void states_agree_however_they_are_made(void **state)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };
	uint64_t random = support_seed();

	(void)state;
	for (unsigned i = 0; i < STORIES; i++) {
		scene_begin(&scene);
		tell(&random);
		check_story(&random, profiles[i % 4]);
		forget_hashes();
		scene_end(&scene);
	}
}

static const struct CMUnitTest tests[] = {
	TEST(states_agree_however_they_are_made),
};

int main(void)
{
	return RUN_TESTS(tests);
}
