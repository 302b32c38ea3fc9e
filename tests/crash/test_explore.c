/*
 * test_explore.c: what exploring a story finds, how it tells it, and what a checker may do to it.
 */
#include "explore_support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/maker.h"

static struct scene scene;

/* ---- explanations ------------------------------------------------------------------- */

static struct crash_explore_opts promised(const char *profile)
{
	return (struct crash_explore_opts){
		.profile = profile,
		.check_so = scene_checker("promised"),
		.jobs = 2,
	};
}

static const struct crash_failure *only_failure(void)
{
	assert_int_equal(scene.err, 0);
	if (scene.result.failing_nr != 1) {
		for (size_t i = 0; i < scene.result.failing_nr; i++)
			printf("# %s: %s\n", scene.result.failing[i].id,
			       scene.result.failing[i].checker_output);
		fail_msg("%d failures, not one", (int)scene.result.failing_nr);
	}
	return &scene.result.failing[0];
}

static void expect_loss(const char *lost, const char *missing)
{
	const struct crash_failure *failure = only_failure();

	assert_int_equal(failure->lost_nr, 1);
	assert_string_equal(failure->lost[0], lost);
	assert_non_null(failure->missing_sync);
	assert_string_equal(failure->missing_sync, missing);
	assert_true(strlen(failure->why_legal) > 20);
	assert_string_equal(failure->verdict, "exit 1");
}

/* A safe replacement of f, but for what is left out. */
static void replace(bool sync_file, bool sync_dir)
{
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	scene_new_file(&scene, "t");
	if (sync_file)
		story_sync(&scene.story, "t", 0);
	story_rename(&scene.story, "t", "f");
	if (sync_dir)
		story_sync(&scene.story, "", 0);
	story_ack(&scene.story, "f N");
}

static void a_replacement_with_both_syncs_has_no_failing_state(void **state)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct crash_explore_opts opts = promised(profiles[i]);

		replace(true, true);
		scene_explore(&scene, &opts);
		assert_int_equal(scene.err, 0);
		assert_int_equal(scene.result.failing_nr, 0);
		assert_true(scene.result.complete);
		assert_true(scene.result.distinct > 2);
		assert_int_equal(scene.result.acks, 1);
		scene_end(&scene);
	}
}

/* The path of one is the beginning of the other's. */
static void a_rename_to_another_directory_is_named_with_both_syncs(void **state)
{
	const struct crash_explore_opts opts = promised("posix");

	(void)state;
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	scene_old_dir(&scene, "d");
	scene_new_file(&scene, "d/t");
	story_sync(&scene.story, "d/t", 0);
	story_rename(&scene.story, "d/t", "f");
	story_ack(&scene.story, "f N");
	scene_explore(&scene, &opts);
	assert_non_null(strstr(only_failure()->missing_sync, "fsync of /d and fsync of / before "));
	scene_end(&scene);
}

static void a_rename_whose_directory_is_not_synced_is_named_with_its_sync(void **state)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct crash_explore_opts opts = promised(profiles[i]);

		replace(true, false);
		scene_explore(&scene, &opts);
		expect_loss("rename /t to /f (op 4, pid 7)",
			    "fsync of / before the ack \"f N\" (op 5, pid 7)");
		assert_int_equal(only_failure()->before_op, 6);
		assert_int_equal(only_failure()->point, 6);
		scene_end(&scene);
	}
}

static void data_that_comes_after_the_rename_is_named_with_its_sync(void **state)
{
	static const char *const profiles[] = { "posix", "xfs", "btrfs" };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct crash_explore_opts opts = promised(profiles[i]);

		replace(false, true);
		scene_explore(&scene, &opts);
		assert_int_equal(scene.err, 0);
		assert_true(scene.result.failing_nr >= 1);
		for (size_t f = 0; f < scene.result.failing_nr; f++) {
			const struct crash_failure *failure = &scene.result.failing[f];

			assert_int_equal(failure->lost_ops[0], 3); /* the write */
			assert_non_null(strstr(failure->missing_sync, "fdatasync of /t before"));
		}
		scene_end(&scene);
	}
}

/* a promised O or N of f, so that only an order is broken. */
static void an_order_that_is_broken_names_the_op_that_came_too_early(void **state)
{
	const struct crash_explore_opts opts = promised("xfs");

	(void)state;
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	story_ack(&scene.story, "f ON");
	scene_new_file(&scene, "t");
	story_rename(&scene.story, "t", "f");
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_true(scene.result.failing_nr >= 1);
	assert_int_equal(scene.result.failing[0].before_op, 5);
	assert_non_null(strstr(scene.result.failing[0].missing_sync,
			       "fdatasync of /t before rename /t to /f (op 4, pid 7)"));
	scene_end(&scene);
}

static void an_unlink_that_comes_back_is_explained(void **state)
{
	const struct crash_explore_opts opts = promised("ext4");

	(void)state;
	scene_begin(&scene);
	scene_old_file(&scene, "j");
	scene_new_file(&scene, "f");
	story_sync(&scene.story, "f", 0);
	story_unlink(&scene.story, "j");
	story_ack(&scene.story, "j -");
	scene_explore(&scene, &opts);
	expect_loss("unlink /j (op 4, pid 7)", "fsync of / before the ack \"j -\" (op 5, pid 7)");
	assert_non_null(strstr(only_failure()->why_legal, "j is back"));
	scene_end(&scene);
}

static void a_program_that_is_not_atomic_fails_with_nothing_lost(void **state)
{
	const struct crash_explore_opts opts = promised("posix");

	(void)state;
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	story_ack(&scene.story, "f ON");
	story_truncate(&scene.story, "f", 0);
	story_sync(&scene.story, "f", 0);
	story_fill(&scene.story, "f", 0, 'n', FILE_BYTES);
	story_sync(&scene.story, "f", 0);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_true(scene.result.failing_nr >= 1);
	assert_int_equal(scene.result.failing[0].class, CRASH_PREFIX);
	assert_int_equal(scene.result.failing[0].lost_nr, 0);
	assert_null(scene.result.failing[0].missing_sync);
	assert_non_null(strstr(scene.result.failing[0].why_legal, "nothing needs to be lost"));
	scene_end(&scene);
}

static void a_torn_write_is_told_as_torn(void **state)
{
	const struct crash_explore_opts opts = promised("ext4");

	(void)state;
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	story_ack(&scene.story, "f ON");
	story_fill(&scene.story, "f", 0, 'n', FILE_BYTES);
	story_sync(&scene.story, "f", 0);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_true(scene.result.failing_nr >= 1);
	assert_non_null(strstr(scene.result.failing[0].lost[0], "of write 8192 bytes at 0 of /f"));
	assert_non_null(strstr(scene.result.failing[0].why_legal, "atomic up to one sector"));
	scene_end(&scene);
}

static void data_of_a_failed_sync_is_lost_whatever_the_next_one_says(void **state)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const struct crash_explore_opts opts = promised(profiles[i]);

		scene_begin(&scene);
		scene_old_file(&scene, "f");
		story_fill(&scene.story, "f", 0, 'n', FILE_BYTES);
		story_sync(&scene.story, "f", CRASH_FAULT);
		story_sync(&scene.story, "f", 0);
		story_ack(&scene.story, "f N");
		scene_explore(&scene, &opts);
		assert_non_null(strstr(only_failure()->why_legal, "clean in the cache"));
		scene_end(&scene);
	}
}

static void sizes_without_data_read_as_garbage_on_posix(void **state)
{
	struct crash_explore_opts opts = {
		.check = "test ! -s f || ! tr -d '\\000n' <f | grep -q . || "
			 "{ echo garbage; false; }",
		.jobs = 1,
	};

	(void)state;
	scene_begin(&scene);
	story_create(&scene.story, "f");
	story_sync(&scene.story, "", 0);
	story_fill(&scene.story, "f", 0, 'n', FILE_BYTES);
	story_ack(&scene.story, "x");
	scene_explore(&scene, &opts);
	assert_string_equal(only_failure()->checker_output, "garbage\n");
	assert_int_equal(only_failure()->class, CRASH_GARBAGE);
	opts.profile = "ext4";
	scene_explore(&scene, &opts);
	assert_int_equal(scene.result.failing_nr, 0);
	scene_end(&scene);
}

/* ---- what there is to explore ------------------------------------------------------- */

static void a_program_without_acks_is_told_what_was_not_checked(void **state)
{
	const struct crash_explore_opts opts = { .check_so = scene_checker("fine"), .jobs = 1 };

	(void)state;
	scene_begin(&scene);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_int_equal(scene.result.distinct, 1); /* the directory as it is */
	assert_int_equal(scene.result.notes_nr, 1);
	assert_non_null(strstr(scene.result.notes[0], "acknowledged nothing"));
	scene_end(&scene);
}

static void a_budget_of_states_is_kept_and_told(void **state)
{
	struct crash_explore_opts opts = { .check_so = scene_checker("fine"), .jobs = 2 };

	(void)state;
	replace(false, false);
	scene_explore(&scene, &opts);
	assert_true(scene.result.complete);
	assert_true(scene.result.distinct > 40);
	opts.states_max = 20;
	scene_explore(&scene, &opts);
	assert_false(scene.result.complete);
	assert_true(scene.result.distinct <= 20);
	scene_end(&scene);
}

static void a_stop_ends_it_and_leaves_nothing(void **state)
{
	static const volatile int stop = 1;
	char scratch[4096];
	struct crash_explore_opts opts = { .check_so = scene_checker("fine"),
					   .stop = &stop,
					   .scratch = scratch };

	(void)state;
	strcpy(scratch, scene_path("scratch"));
	assert_int_equal(mkdir(scratch, 0755), 0);
	replace(false, false);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_true(scene.result.stopped);
	assert_false(scene.result.complete);
	assert_int_equal(rmdir(scratch), 0);
	scene_end(&scene);
}

static void bad_options_are_refused_with_a_reason(void **state)
{
	const struct crash_explore_opts bad[] = {
		{ .check = "true", .profile = "fat" },
		{ .jobs = 1 },
		{ .check = "true", .check_so = "x:y" },
		{ .check = "true", .classes = 1u << CRASH_LOST },
	};

	(void)state;
	scene_begin(&scene);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		scene_explore(&scene, &bad[i]);
		assert_int_equal(scene.err, -EINVAL);
		assert_true(scene.result.error[0] != '\0');
	}
	scene_end(&scene);
}

static void a_directory_that_has_changed_is_noticed(void **state)
{
	const struct crash_explore_opts opts = { .check_so = scene_checker("fine"), .jobs = 1 };
	char path[4200];

	(void)state;
	replace(true, true);
	snprintf(path, sizeof(path), "%s/f", scene.dir);
	assert_int_equal(truncate(path, 1), 0);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, -EILSEQ);
	assert_non_null(strstr(scene.result.error, "has changed since"));
	scene_end(&scene);
}

static void write_four_megabytes(void)
{
	scene_begin(&scene);
	story_create(&scene.story, "f");
	for (unsigned i = 0; i < 4; i++)
		story_fill(&scene.story, "f", (uint64_t)i << 20, 'n', 1 << 20);
}

static void content_beyond_the_bound_is_on_disk(void **state)
{
	struct crash_explore_opts opts = {
		.check_so = scene_checker("fine"),
		.jobs = 1,
		.states_max = 50,
	};
	uint64_t states;

	(void)state;
	write_four_megabytes();
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	states = scene.result.states;
	crash_result_release(&scene.result);
	opts.bytes_max = 100 * 4096;
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_int_equal(scene.result.states, states);
	scene_end(&scene);
}

static void content_beyond_the_bound_is_refused_without_a_disk(void **state)
{
	char scratch[4096];
	const struct crash_explore_opts opts = { .check_so = scene_checker("fine"),
						 .jobs = 1,
						 .scratch = scratch,
						 .bytes_max = 100 * 4096 };
	const char *was = getenv("TMPDIR");
	char *kept = was ? strdup(was) : NULL;

	(void)state;
	strcpy(scratch, scene_path("scratch"));
	assert_int_equal(mkdir(scratch, 0755), 0);
	write_four_megabytes();
	setenv("TMPDIR", "/nonexistent", 1);
	scene_explore(&scene, &opts);
	if (kept)
		setenv("TMPDIR", kept, 1);
	else
		unsetenv("TMPDIR");
	free(kept);
	assert_int_equal(scene.err, -EFBIG);
	assert_non_null(strstr(scene.result.error, "--memory"));
	assert_non_null(strstr(scene.result.error, "/nonexistent"));
	scene_end(&scene);
}

/* ---- classes ------------------------------------------------------------------------ */

/* Every choice of every class at every point is one that the model calls legal. */
static void every_state_of_every_class_is_legal(void **state)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs" };
	unsigned tried = 0;

	(void)state;
	for (unsigned p = 0; p < 4; p++) {
		struct replay_opts opts = { .profile = model_profile_find(profiles[p]),
					    .bytes_max = 1 << 30 };
		struct crash_trace *trace;
		struct maker maker;

		replace(false, true);
		trace = story_read(&scene.story);
		opts.trace = trace;
		opts.base_dir = scene.dir;
		assert_int_equal(maker_init(&maker, &opts, NULL), 0);
		for (uint64_t point = 1; point <= crash_trace_nr(trace); point++) {
			for (unsigned i = 0; i < CRASH_CLASSES * 40; i++) {
				struct spec spec = { .point = point,
						     .class = i % CRASH_CLASSES,
						     .numbers = { i / CRASH_CLASSES, i % 7 },
						     .nr = 1 };
				int err;

				spec.nr = spec.class == CRASH_MIN  ? 0 :
					  spec.class == CRASH_PAIR ? 2 :
								     1;
				err = maker_make(&maker, &spec);
				if (err == -ERANGE)
					continue;
				assert_int_equal(err, 0);
				assert_true(model_choice_is_legal(maker_volume(&maker)));
				tried++;
			}
		}
		maker_fini(&maker);
		crash_trace_close(trace);
		scene_end(&scene);
	}
	assert_true(tried > 1000);
}

/* Two independent bytes in files of their own: the states of four sets, at the end. */
static void the_classes_reach_every_state_of_a_small_story(void **state)
{
	const struct crash_explore_opts opts = {
		.check_so = scene_checker("look"),
		.jobs = 1,
		.classes = 1u << CRASH_PREFIX | 1u << CRASH_OMIT1 | 1u << CRASH_MIN,
	};
	char log[4096], *seen;

	(void)state;
	strcpy(log, scene_path("log"));
	setenv("CRASH_LOG", log, 1);
	setenv("CRASH_FILES", "a b", 1);
	scene_begin(&scene);
	scene_old_file(&scene, "a");
	scene_old_file(&scene, "b");
	story_ack(&scene.story, "now");
	story_unlink(&scene.story, "a");
	story_unlink(&scene.story, "b");
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	seen = scene_lines(log);
	assert_string_equal(seen, "-- -O O- OO");
	free(seen);
	scene_end(&scene);
}

/* ---- ids ---------------------------------------------------------------------------- */

/* Two directories hold the same, byte for byte, and the same modes. */
static bool are_same(const char *a, const char *b)
{
	char command[9000];

	snprintf(command, sizeof(command),
		 "diff -r --no-dereference '%s' '%s' && "
		 "[ \"$(cd '%s' && find . -printf '%%P %%m %%n\\n' | sort)\" = "
		 "\"$(cd '%s' && find . -printf '%%P %%m %%n\\n' | sort)\" ]",
		 a, b, a, b);
	return system(command) == 0;
}

static bool is_same_file(const char *a, const char *b)
{
	char command[9000];

	snprintf(command, sizeof(command), "cmp -s '%s' '%s'", a, b);
	return system(command) == 0;
}

static void a_kept_state_is_made_again_from_its_id(void **state)
{
	struct crash_explore_opts opts = promised("posix");
	char keep[4096], again[4096], acks[4096], told[4200];
	struct crash_trace *trace;

	(void)state;
	strcpy(keep, scene_path("keep"));
	opts.keep = keep;
	replace(true, false);
	story_mkdir(&scene.story, "d");
	story_create(&scene.story, "d/x");
	story_link(&scene.story, "d/x", "d/y");
	story_symlink(&scene.story, "d/s", "../f");
	story_ack(&scene.story, "d -");
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	trace = story_read(&scene.story);
	assert_true(scene.result.failing_nr > 1);
	for (size_t i = 0; i < scene.result.failing_nr; i++) {
		const struct crash_failure *failure = &scene.result.failing[i];

		strcpy(again, scene_path("again"));
		strcpy(acks, scene_path("acks"));
		assert_non_null(failure->dir);
		assert_int_equal(crash_replay(trace, scene.dir, failure->id, NULL, again, acks), 0);
		assert_true(are_same(failure->dir, again));
		snprintf(told, sizeof(told), "%s.acks", failure->dir);
		assert_true(is_same_file(told, acks));
		assert_int_equal(crash_replay(trace, scene.dir, failure->id, NULL, again, acks),
				 -ENOTEMPTY);
	}
	crash_trace_close(trace);
	scene_end(&scene);
}

static void what_is_no_id_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"ext4",
		"fat-1-min",
		"ext4-1",
		"ext4-x-min",
		"ext4-1-odd-1",
		"ext4-1-omit1",
		"ext4-1-min-",
		"ext4-1-min-1",
		"ext4-1-pair-1",
		"ext4~0-1-min",
		"ext4-1-omit1-1-2",
		"1-min",
		"ext4-1-min:",
		"ext4 -1-min",
		"ext4-1-omit1--1",
	};
	static const char *const none[] = { "ext4-99-min", "ext4-6-omit1-1000", "ext4-6-prefix-99",
					    "posix-6-pair-0-99", "ext4-6-garbage-0" };
	struct crash_trace *trace;
	char path[4096];

	(void)state;
	replace(true, false);
	trace = story_read(&scene.story);
	strcpy(path, scene_path("none"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (crash_replay(trace, scene.dir, bad[i], NULL, path, NULL) != -EINVAL)
			fail_msg("%s was taken for an id", bad[i]);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		if (crash_replay(trace, scene.dir, none[i], NULL, path, NULL) != -ERANGE)
			fail_msg("%s was made", none[i]);
	}
	crash_trace_close(trace);
	scene_end(&scene);
}

/* ---- checkers ----------------------------------------------------------------------- */

static void expect_verdict(const char *check, const char *check_so, const char *verdict,
			   const char *output)
{
	bool waits = strncmp(verdict, "no answer", 9) == 0;
	const struct crash_explore_opts opts = {
		.check = check,
		.check_so = check_so,
		.jobs = 2,
		.states_max = 2,
		.timeout_ns = waits ? 200000000 : 0,
	};

	replace(true, true);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_true(scene.result.failing_nr > 0);
	assert_string_equal(scene.result.failing[0].verdict, verdict);
	assert_string_equal(scene.result.failing[0].checker_output, output);
	scene_end(&scene);
}

static void whatever_a_function_does_is_one_states_verdict(void **state)
{
	(void)state;
	expect_verdict(NULL, scene_checker("bad"), "exit 3", "never content\n");
	expect_verdict(NULL, scene_checker("crashes"), "killed by SIGSEGV", "");
	expect_verdict(NULL, scene_checker("hangs"), "no answer within 0.2 s", "");
	expect_verdict(NULL, scene_checker("ends"), "exit 0", "");
}

static void whatever_a_command_does_is_one_states_verdict(void **state)
{
	(void)state;
	expect_verdict("echo no; exit 9", NULL, "exit 9", "no\n");
	expect_verdict("kill -ABRT $$", NULL, "killed by SIGABRT", "");
	expect_verdict("sleep 100", NULL, "no answer within 0.2 s", "");
	expect_verdict("trap '' TERM INT; while :; do :; done", NULL, "no answer within 0.2 s", "");
}

static void a_command_gets_its_state_and_the_acks(void **state)
{
	const struct crash_explore_opts opts = {
		.check = "[ \"$PWD\" = \"$SLUICE_STATE\" ] && [ \"$(cat)\" = \"$(cat "
			 "\"$SLUICE_ACKS\")\" ] && case $(cat \"$SLUICE_ACKS\") in "
			 "'f N' | '') test -e f ;; *) false ;; esac",
		.jobs = 2,
		.profile = "ext4",
	};

	(void)state;
	replace(true, true);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_int_equal(scene.result.failing_nr, 0);
	scene_end(&scene);
}

static void a_checker_that_is_missing_is_no_failing_state(void **state)
{
	char path[4300];
	struct crash_explore_opts opts = { .check = "/no/such/checker --now", .jobs = 1 };

	(void)state;
	replace(true, true);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, -ENOENT);
	assert_non_null(strstr(scene.result.error, "/no/such/checker"));
	opts = (struct crash_explore_opts){ .check_so = "/no/such.so:check" };
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, -ENOENT);
	assert_non_null(strstr(scene.result.error, "/no/such.so"));
	snprintf(path, sizeof(path), "%s", scene_checker("no_such_function"));
	opts.check_so = path;
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, -ENOENT);
	opts.check_so = "nothing";
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, -EINVAL);
	scene_end(&scene);
}

/* The processes whose ids are in the log are gone. */
static void expect_gone(const char *log)
{
	FILE *stream = fopen(log, "r");
	unsigned nr = 0;
	int pid;

	assert_non_null(stream);
	while (fscanf(stream, "%d", &pid) == 1) {
		assert_int_equal(kill(pid, 0), -1);
		assert_int_equal(errno, ESRCH);
		nr++;
	}
	fclose(stream);
	assert_true(nr > 0);
}

static void processes_that_a_checker_leaves_are_killed(void **state)
{
	struct crash_explore_opts opts = { .jobs = 2, .states_max = 6 };
	char log[4096];

	(void)state;
	strcpy(log, scene_path("pids"));
	setenv("CRASH_LOG", log, 1);
	replace(true, true);
	/* In its process group, and in a session of its own without a parent. */
	opts.check = "sleep 1000 & echo $! >>\"$CRASH_LOG\"; "
		     "setsid sh -c 'echo $$ >>\"$CRASH_LOG\"; exec sleep 1000' & "
		     "while [ $(wc -l <\"$CRASH_LOG\") -lt 2 ]; do :; done; exit 0";
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_int_equal(scene.result.failing_nr, 0);
	expect_gone(log);
	opts.check = NULL;
	opts.check_so = scene_checker("leaks");
	strcpy(log, scene_path("pids"));
	setenv("CRASH_LOG", log, 1);
	opts.timeout_ns = 5000000000;
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	scene_end(&scene);
}

static void output_without_end_is_cut(void **state)
{
	const struct crash_explore_opts opts = {
		.check = "head -c 3000000 /dev/zero | tr '\\0' x; exit 1",
		.jobs = 1,
		.states_max = 1
	};

	(void)state;
	replace(true, true);
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_int_equal(strlen(only_failure()->checker_output), 4096);
	scene_end(&scene);
}

static bool has_note(const char *words)
{
	for (size_t i = 0; i < scene.result.notes_nr; i++) {
		if (strstr(scene.result.notes[i], words))
			return true;
		printf("# %s\n", scene.result.notes[i]);
	}
	return false;
}

static void a_checker_that_always_hangs_is_given_up(void **state)
{
	const struct crash_explore_opts opts = { .check_so = scene_checker("hangs"),
						 .jobs = 4,
						 .timeout_ns = 20000000 };

	(void)state;
	replace(true, true);
	for (unsigned i = 0; i < 50; i++) { /* more states than it is given */
		story_fill(&scene.story, "f", i * 512, (char)('a' + i % 26), 512);
		story_sync(&scene.story, "f", 0);
	}
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_true(has_note("given up"));
	assert_true(scene.result.distinct < 30);
	scene_end(&scene);
}

/* What a killed client left: its checkers' servers see to it. */
static bool is_empty(const char *dir)
{
	return rmdir(dir) == 0;
}

static void a_client_that_is_killed_leaves_neither_processes_nor_directories(void **state)
{
	char log[4096], scratch[4096];
	const struct crash_explore_opts opts = {
		.check = "sleep 1000 & echo $! >>\"$CRASH_LOG\"; wait",
		.scratch = scratch,
		.jobs = 2,
	};
	struct stat st;
	pid_t pid;

	(void)state;
	strcpy(log, scene_path("pids"));
	strcpy(scratch, scene_path("scratch"));
	assert_int_equal(mkdir(scratch, 0755), 0);
	setenv("CRASH_LOG", log, 1);
	replace(true, true);
	pid = fork();
	if (pid == 0) {
		scene_explore(&scene, &opts);
		_exit(0);
	}
	while (stat(log, &st) || !st.st_size)
		usleep(1000);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	while (!is_empty(scratch)) /* a server that hangs is a test that does not end */
		usleep(1000);
	expect_gone(log);
	scene_end(&scene);
}

/* What a checker does to a state is not seen in the next one. */
static void a_state_that_a_checker_spoils_is_made_anew(void **state)
{
	struct crash_explore_opts opts = { .profile = "posix", .jobs = 1, .states_max = 400 };
	char *clean, *spoilt, log[4096];

	(void)state;
	setenv("CRASH_FILES", "f t left", 1);
	for (unsigned i = 0; i < 2; i++) {
		replace(false, false);
		strcpy(log, scene_path("log"));
		setenv("CRASH_LOG", log, 1);
		opts.check_so = scene_checker(i ? "spoils" : "look");
		scene_explore(&scene, &opts);
		assert_int_equal(scene.err, 0);
		*(i ? &spoilt : &clean) = scene_lines(log);
		scene_end(&scene);
	}
	assert_string_equal(clean, spoilt);
	assert_true(strlen(clean) > 8);
	free(clean);
	free(spoilt);
}

/* ---- syncs -------------------------------------------------------------------------- */

static void syncs_that_are_needed_are_told_from_those_that_are_not(void **state)
{
	struct crash_explore_opts opts = promised("ext4");

	(void)state;
	opts.mutate = true;
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	story_sync(&scene.story, "f", 0); /* nothing was written */
	scene_new_file(&scene, "t");
	story_sync(&scene.story, "t", 0);
	story_rename(&scene.story, "t", "f");
	story_sync(&scene.story, "", 0);
	story_ack(&scene.story, "f N");
	scene_explore(&scene, &opts);
	assert_int_equal(scene.err, 0);
	assert_int_equal(scene.result.failing_nr, 0);
	assert_int_equal(scene.result.syncs_nr, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(scene.result.syncs[i].judged);
	assert_false(scene.result.syncs[0].necessary);
	assert_true(scene.result.syncs[1].necessary);
	assert_string_equal(scene.result.syncs[1].words, "fsync of /t (op 4, pid 7)");
	assert_true(scene.result.syncs[2].necessary);
	{
		struct crash_trace *trace = story_read(&scene.story);

		assert_int_equal(crash_replay(trace, scene.dir, scene.result.syncs[2].failing_id,
					      NULL, scene_path("mutant"), NULL),
				 0);
		crash_trace_close(trace);
	}
	scene_end(&scene);
}

/* The program fails by itself; that says nothing about its one good sync. */
static void a_failure_of_its_own_makes_no_sync_necessary(void **state)
{
	struct crash_explore_opts opts = promised("ext4");

	(void)state;
	opts.mutate = true;
	scene_begin(&scene);
	scene_old_file(&scene, "j");
	scene_new_file(&scene, "other");
	story_sync(&scene.story, "other", 0);
	story_unlink(&scene.story, "j");
	story_ack(&scene.story, "j -"); /* and no sync */
	scene_explore(&scene, &opts);
	assert_int_equal(scene.result.failing_nr, 1);
	assert_int_equal(scene.result.syncs_nr, 1);
	assert_false(scene.result.syncs[0].necessary);
	scene_end(&scene);
}

/* ---- a second crash ----------------------------------------------------------------- */

/* A journal is complete, and f is to become what it holds. */
static void tell_of_a_journal(void)
{
	scene_begin(&scene);
	scene_old_file(&scene, "f");
	scene_new_file(&scene, "j");
	story_sync(&scene.story, "j", 0);
	story_sync(&scene.story, "", 0);
	story_ack(&scene.story, "new");
}

/* Carries out the journal, and then f must be new if that was promised. */
#define RECOVERY(sync)                                                  \
	"if [ $(wc -c <j) = 8192 ]; then cat j >f; " sync " rm j; fi; " \
	"[ -z \"$(cat \"$SLUICE_ACKS\")\" ] || ! tr -d n <f | grep -q . && [ -s f ]"

static void explore_recovery(const char *check, const char *keep)
{
	const struct crash_explore_opts opts = {
		.profile = "xfs", .check = check, .jobs = 2, .recover = true, .keep = keep
	};

	tell_of_a_journal();
	scene_explore(&scene, &opts);
	if (scene.err == -EPERM || scene.err == -ENOSYS) {
		char why[512];

		snprintf(why, sizeof(why), "%.500s", scene.result.error);
		scene_end(&scene);
		SKIP("nothing can be recorded here: %s", why);
	}
	assert_int_equal(scene.err, 0);
	assert_true(scene.result.recovered > 0);
}

static void a_recovery_that_forgets_a_sync_fails_at_the_second_crash(void **state)
{
	char keep[4096], again[4096];
	const struct crash_failure *failure;
	struct crash_trace *trace;

	(void)state;
	strcpy(keep, scene_path("keep"));
	explore_recovery(RECOVERY(""), keep);
	assert_true(scene.result.failing_nr > 0);
	failure = &scene.result.failing[0];
	assert_non_null(strchr(failure->id, ':'));
	assert_non_null(strstr(failure->missing_sync, "of /f before unlink /j"));
	trace = story_read(&scene.story);
	strcpy(again, scene_path("again"));
	assert_int_equal(crash_replay(trace, scene.dir, failure->id, keep, again, NULL), 0);
	assert_true(are_same(failure->dir, again));
	assert_int_equal(crash_replay(trace, scene.dir, failure->id, NULL, again, NULL), -EINVAL);
	crash_trace_close(trace);
	scene_end(&scene);
}

static void a_recovery_that_syncs_survives_the_second_crash(void **state)
{
	(void)state;
	explore_recovery(RECOVERY("sync f;"), NULL);
	assert_int_equal(scene.result.failing_nr, 0);
	scene_end(&scene);
}

static const struct CMUnitTest tests[] = {
	TEST(a_replacement_with_both_syncs_has_no_failing_state),
	TEST(a_rename_whose_directory_is_not_synced_is_named_with_its_sync),
	TEST(a_rename_to_another_directory_is_named_with_both_syncs),
	TEST(data_that_comes_after_the_rename_is_named_with_its_sync),
	TEST(an_order_that_is_broken_names_the_op_that_came_too_early),
	TEST(an_unlink_that_comes_back_is_explained),
	TEST(a_program_that_is_not_atomic_fails_with_nothing_lost),
	TEST(a_torn_write_is_told_as_torn),
	TEST(data_of_a_failed_sync_is_lost_whatever_the_next_one_says),
	TEST(sizes_without_data_read_as_garbage_on_posix),
	TEST(a_program_without_acks_is_told_what_was_not_checked),
	TEST(a_budget_of_states_is_kept_and_told),
	TEST(a_stop_ends_it_and_leaves_nothing),
	TEST(bad_options_are_refused_with_a_reason),
	TEST(a_directory_that_has_changed_is_noticed),
	TEST(content_beyond_the_bound_is_on_disk),
	TEST(content_beyond_the_bound_is_refused_without_a_disk),
	TEST(every_state_of_every_class_is_legal),
	TEST(the_classes_reach_every_state_of_a_small_story),
	TEST(a_kept_state_is_made_again_from_its_id),
	TEST(what_is_no_id_is_refused),
	TEST(whatever_a_function_does_is_one_states_verdict),
	TEST(whatever_a_command_does_is_one_states_verdict),
	TEST(a_command_gets_its_state_and_the_acks),
	TEST(a_checker_that_is_missing_is_no_failing_state),
	TEST(processes_that_a_checker_leaves_are_killed),
	TEST(output_without_end_is_cut),
	TEST(a_checker_that_always_hangs_is_given_up),
	TEST(a_client_that_is_killed_leaves_neither_processes_nor_directories),
	TEST(a_state_that_a_checker_spoils_is_made_anew),
	TEST(syncs_that_are_needed_are_told_from_those_that_are_not),
	TEST(a_failure_of_its_own_makes_no_sync_necessary),
	TEST(a_recovery_that_forgets_a_sync_fails_at_the_second_crash),
	TEST(a_recovery_that_syncs_survives_the_second_crash),
};

int main(void)
{
	return RUN_TESTS(tests);
}
