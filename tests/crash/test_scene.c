/* test_scene.c: the stories of `sluice crash calibrate`: well written, and so on the model. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/crash/scene.h"

static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

static bool has(const struct scene_answer *answer, const char *seen)
{
	for (size_t i = 0; i < answer->nr; i++) {
		if (strcmp(answer->seen[i], seen) == 0)
			return true;
	}
	return false;
}

static void every_story_is_well_written(void **state)
{
	struct step step;
	char name[16];

	(void)state;
	for (const struct scene *scene = scenes; scene->steps; scene++) {
		const char *texts[] = { scene->before, scene->steps }, *looks = scene->looks;
		int more = 0;

		for (size_t i = 0; i < 2; i++) {
			while ((more = scene_step(&texts[i], &step)) > 0)
				;
			assert_int_equal(more, 0);
		}
		assert_int_equal(scene_look(&looks, name), 1);
	}
}

static void a_word_that_is_no_deed_is_refused(void **state)
{
	static const char *const bad[] = { "jump f", "rename f", "unlink a b", "unlink", "42" };
	struct step step;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *text = bad[i];

		assert_int_equal(scene_step(&text, &step), -EINVAL);
	}
}

static void letters_say_what_a_content_is(void **state)
{
	static char content[2 * SCENE_BYTES];

	(void)state;
	assert_int_equal(scene_letter(content, 0), 'E');
	assert_int_equal(scene_letter(content, SCENE_BYTES), 'M');
	memset(content, 'O', SCENE_BYTES);
	assert_int_equal(scene_letter(content, SCENE_BYTES), 'O');
	assert_int_equal(scene_letter(content, SCENE_BYTES / 2), 'M');
	assert_int_equal(scene_letter(content, 2 * SCENE_BYTES), 'A');
	memset(content + SCENE_BYTES, 'N', SCENE_BYTES);
	assert_int_equal(scene_letter(content, 2 * SCENE_BYTES), 'A');
	assert_int_equal(scene_letter(content + SCENE_BYTES, SCENE_BYTES), 'N');
}

/* What is there when nothing was lost is one of the states of every profile. */
static void a_story_without_a_crash_is_allowed_by_every_profile(void **state)
{
	const char *dir = support_tmpdir();
	unsigned nr = 0;

	(void)state;
	for (const struct scene *scene = scenes; scene->steps; scene++) {
		struct scene_answer answer;
		char name[16], seen[SCENE_SEEN];
		int fd;

		snprintf(name, sizeof(name), "scene-%u", nr++);
		assert_int_equal(mkdir(support_path(dir, name), 0700), 0);
		fd = open(support_path(dir, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(scene_play(fd, scene->before), 0);
		assert_int_equal(scene_play(fd, scene->steps), 0);
		scene_see(fd, scene->looks, seen);
		close(fd);
		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(scene_model(scene, profiles[i], &answer), 0);
			if (!has(&answer, seen))
				fail_msg("%s: %s is not among what %s allows", scene->steps, seen,
					 profiles[i]);
		}
	}
}

static void a_profile_that_is_unknown_is_refused(void **state)
{
	struct scene_answer answer;

	(void)state;
	assert_int_equal(scene_model(&scenes[0], "fat", &answer), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(every_story_is_well_written),
		TEST(a_word_that_is_no_deed_is_refused),
		TEST(letters_say_what_a_content_is),
		TEST(a_story_without_a_crash_is_allowed_by_every_profile),
		TEST(a_profile_that_is_unknown_is_refused),
	};

	return RUN_TESTS(tests);
}
