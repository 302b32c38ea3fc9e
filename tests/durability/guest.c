/*
 * guest.c: sluice_durability(7) in the machine rig, on the file system of $SLUICE_VM_FS.
 *
 * All scenarios are played one after the other on a file system over
 * dm-log-writes, each in a folder of its own, with everything before it on the
 * disk, and the log is marked when it ends. Then the power is cut at each mark:
 * of what was written only what a flush has covered is there, or a random part of
 * the rest too. What the page says may be lost must be lost with all of the rest.
 * The disks are those of powercut.c: worked on, the log, the states.
 */
#include "tests/durability/growth.h"
#include "tests/durability/scenario.h"
#include "tests/vm/mapper.h"
#include "tests/vm/writelog.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define FOLDER	"/tmp/durability"
#define SCRATCH "/dev/ram0"
#define PARTS	3  /* random ones, for each scenario */
#define ROUNDS	16 /* of what a race decides */

struct cut {
	const char *fs;
	struct writelog log;
	int base;	/* the device with all that is durable so far */
	size_t durable; /* entries applied to it */
	uint64_t seed;
};

static const char *file_system(void)
{
	const char *fs = getenv("SLUICE_VM_FS");

	if (!fs)
		SKIP("no disks to cut the power of: no SLUICE_VM_FS, see tests/vm/README.md");
	return fs;
}

/* ---- recording ----------------------------------------------------------------------- */

static void stage_up(struct stage *stage, unsigned nr)
{
	char path[64];

	*stage = (struct stage){ 0 };
	snprintf(path, sizeof(path), FOLDER "/s%u", nr);
	mkdir(path, 0755);
	stage->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (stage->dir < 0)
		fail_msg("there is no %s", path);
	assert_int_equal(sl_ring_open(NULL, &stage->ring), 0);
}

static void stage_down(struct stage *stage)
{
	stage_end(stage);
	sl_ring_close(stage->ring);
	close(stage->dir);
}

static void begin(struct stage *stage)
{
	assert_int_equal(syncfs(stage->dir), 0);
}

static void play(unsigned nr)
{
	struct stage stage;
	char mark[32];

	stage_up(&stage, nr);
	stage.begins = begin;
	assert_int_equal(syncfs(stage.dir), 0);
	scenarios[nr].play(&stage);
	snprintf(mark, sizeof(mark), "mark end-%u", nr);
	mapper_message("log", mark);
	stage_down(&stage);
}

static void grow(unsigned nr)
{
	struct stage stage;
	char mark[32];

	stage_up(&stage, nr);
	growth_play(stage.dir);
	snprintf(mark, sizeof(mark), "mark end-%u", nr);
	mapper_message("log", mark);
	growth_end(stage.dir);
	stage_down(&stage);
}

static void record(const char *fs)
{
	mapper_run("dd if=/dev/zero of=%s bs=4096 count=1 conv=fsync 2>/dev/null", mapper_disk(1));
	mapper_create("log", "0 %llu log-writes %s %s\n",
		      (unsigned long long)mapper_sectors(mapper_disk(0)), mapper_disk(0),
		      mapper_disk(1));
	mapper_format(fs, "/dev/mapper/log");
	assert_int_equal(mapper_mount(fs, "/dev/mapper/log", FOLDER), 0);
	for (unsigned nr = 0; nr < SCENARIO_NR_MAX; nr++)
		play(nr);
	for (unsigned nr = 0; nr < ROUNDS; nr++)
		grow(SCENARIO_NR_MAX + nr);
	mapper_unmount(FOLDER);
	mapper_remove("log");
}

/* Recorded by the first test that asks. */
static struct cut *the_cut(void)
{
	static struct cut cut;
	static bool tried;
	uint64_t all[2] = { 0 };

	if (cut.fs)
		return &cut;
	file_system();
	if (tried)
		fail_msg("there is no recording: see the first test");
	tried = true;
	record(file_system());
	cut.seed = support_seed();
	writelog_open(&cut.log, mapper_disk(1));
	cut.base = open(mapper_disk(2), O_WRONLY | O_DIRECT | O_CLOEXEC);
	assert_true(cut.base >= 0);
	all[1] = mapper_sectors(mapper_disk(2)) * 512;
	assert_int_equal(ioctl(cut.base, BLKZEROOUT, all), 0);
	cut.fs = file_system();
	return &cut;
}

/* ---- cutting ------------------------------------------------------------------------- */

/* What follows the mark up to the next flush is what was written and not flushed. */
static void keep_some(struct cut *cut, size_t from)
{
	int fd = open("/dev/mapper/state", O_WRONLY | O_DIRECT | O_CLOEXEC);

	assert_true(fd >= 0);
	for (size_t i = from; i < cut->log.nr; i++) {
		if (cut->log.entries[i].flags & WRITELOG_FLUSH)
			break;
		if (support_random(&cut->seed) % 2)
			writelog_apply(&cut->log, i, fd);
	}
	close(fd);
}

/* Mounts a state after a mark. */
static void state_up(struct cut *cut, struct stage *stage, unsigned nr, bool any)
{
	mapper_create("state", "0 %llu snapshot %s " SCRATCH " N 8\n",
		      (unsigned long long)mapper_sectors(mapper_disk(2)), mapper_disk(2));
	if (any)
		keep_some(cut, cut->durable);
	assert_int_equal(mapper_mount(cut->fs, "/dev/mapper/state", FOLDER), 0);
	stage_up(stage, nr);
}

static void state_down(struct stage *stage)
{
	stage_down(stage);
	mapper_unmount(FOLDER);
	mapper_remove("state");
}

static void look(struct cut *cut, unsigned nr, bool any, char *ret_letters)
{
	struct stage stage;

	state_up(cut, &stage, nr, any);
	scenario_look(&scenarios[nr], &stage, ret_letters);
	state_down(&stage);
}

/* All that was durable at a mark is on the device with the states. */
static void go_to(struct cut *cut, unsigned nr)
{
	char mark[32];
	size_t end;

	snprintf(mark, sizeof(mark), "end-%u", nr);
	end = writelog_find(&cut->log, mark);
	while (cut->durable < end)
		writelog_apply(&cut->log, cut->durable++, cut->base);
}

static const struct outcome *outcome_of(const struct scenario *scenario, const char *fs)
{
	unsigned i = 0;

	while (strcmp(scenario_profiles[i], fs) != 0)
		i++;
	return &scenario->of[i];
}

static void cut_at(unsigned nr)
{
	struct cut *cut = the_cut();
	const struct outcome *outcome = outcome_of(&scenarios[nr], cut->fs);
	char letters[8];

	go_to(cut, nr);
	for (unsigned part = 0; part <= PARTS; part++) {
		look(cut, nr, part > 0, letters);
		printf("# %s: %s with %s of what was not flushed\n", scenarios[nr].name, letters,
		       part ? "a part" : "nothing");
		if (!scenario_is_among(letters, outcome->among))
			fail_msg("%s is not one of %s", letters, outcome->among);
		if (!part && outcome->lost)
			assert_string_equal(letters, outcome->lost);
	}
}

#define DEFINE(name)                     \
	static void name(void **state)   \
	{                                \
		(void)state;             \
		cut_at(SCENARIO_##name); \
	}
DURABILITY_SCENARIOS(DEFINE)
DURABILITY_KERNEL_SCENARIOS(DEFINE)
#undef DEFINE

static void D41_on_ext4_a_grown_size_may_come_with_zeros(void **state)
{
	struct cut *cut = the_cut();
	unsigned zeros = 0, nr;

	(void)state;
	for (nr = SCENARIO_NR_MAX; nr < SCENARIO_NR_MAX + ROUNDS && !zeros; nr++) {
		struct stage stage;

		go_to(cut, nr);
		state_up(cut, &stage, nr, false);
		zeros += growth_zeros(stage.dir);
		state_down(&stage);
	}
	printf("# %u files on %s have grown by zeros, in %u rounds\n", zeros, cut->fs,
	       nr - SCENARIO_NR_MAX);
	assert_int_equal(zeros > 0, strcmp(cut->fs, "ext4") == 0);
}

int main(void)
{
#define ENTRY(name) TEST(name),
	const struct CMUnitTest tests[] = {
		DURABILITY_SCENARIOS(ENTRY) DURABILITY_KERNEL_SCENARIOS(ENTRY)
			TEST(D41_on_ext4_a_grown_size_may_come_with_zeros),
	};

	return RUN_TESTS(tests);
}
