/*
 * images.c: sluice_durability(7) on the file systems of this machine, each in an image of its own.
 *
 * The scenarios are cut as image.h says: what needs no more than a lost page cache
 * shows. What is lost only with the cache of the device shows in that no flush was
 * sent; the machine rig then loses it. What a durable write costs is counted in
 * writes and flushes of the device, never in time.
 */
#include "tests/durability/growth.h"
#include "tests/durability/image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/wal.h>

#define BLOCK  4096
#define ROUNDS 6
#define TRIES  10

/* ---- scenarios ----------------------------------------------------------------------- */

static void begin(struct stage *stage)
{
	assert_int_equal(syncfs(stage->dir), 0);
	image_mark(sl_op_of(stage, struct image, stage));
}

static const struct outcome *outcome_of(const struct scenario *scenario)
{
	unsigned i = 0;

	while (strcmp(scenario_profiles[i], image_fs()) != 0)
		i++;
	return &scenario->of[i];
}

/* Plays it once on a new image; what is left, in letters. */
static struct traffic play_once(const struct scenario *scenario, char *ret_letters)
{
	struct traffic traffic;
	struct image image;

	image_up(&image);
	image.stage.begins = begin;
	scenario->play(&image.stage);
	traffic = image_traffic(&image);
	image_cut(&image);
	scenario_look(scenario, &image.stage, ret_letters);
	image_down(&image);
	printf("# %s: %s after %u bytes, %u flushes\n", scenario->name, ret_letters,
	       (unsigned)traffic.bytes, (unsigned)traffic.flushes);
	return traffic;
}

/* Whether what the page says may be lost was lost, or would be with the cache of the device. */
static bool is_as_said(const struct scenario *scenario)
{
	const struct outcome *outcome;
	struct traffic traffic;
	char letters[8];

	traffic = play_once(scenario, letters);
	outcome = outcome_of(scenario);
	if (!scenario_is_among(letters, outcome->among))
		fail_msg("%s is not one of %s", letters, outcome->among);
	if (scenario->loss == LOST_WITH_THE_DEVICE_CACHE)
		return traffic.bytes > 0 && (traffic.flushes > 0) == !outcome->lost;
	return !outcome->lost || strcmp(letters, outcome->lost) == 0;
}

/* Somebody else's sync(2) may keep what would be lost, but not each time. */
static void play(const struct scenario *scenario)
{
	unsigned tries = TRIES;

	while (!is_as_said(scenario)) {
		if (!--tries)
			fail_msg("more was kept, or flushed, than is said");
	}
}

#define DEFINE(name)                               \
	static void name(void **state)             \
	{                                          \
		(void)state;                       \
		play(&scenarios[SCENARIO_##name]); \
	}
DURABILITY_SCENARIOS(DEFINE)
DURABILITY_KERNEL_SCENARIOS(DEFINE)
#undef DEFINE

/* ---- what is sent -------------------------------------------------------------------- */

/* A file, and the memory of a block, for one measurement after the other. */
struct bench {
	struct image image;
	struct sl_file *file;
	void *block;
};

static void bench_up(struct bench *bench)
{
	const struct sl_file_opts opts = { .open_flags = O_RDWR | O_CREAT, .io = SL_FILE_DIRECT };

	image_up(&bench->image);
	assert_int_equal(posix_memalign(&bench->block, BLOCK, BLOCK), 0);
	memset(bench->block, 'x', BLOCK);
	assert_int_equal(sl_file_open(bench->image.stage.ring, bench->image.stage.dir, "f", &opts,
				      &bench->file),
			 0);
}

static void bench_down(struct bench *bench)
{
	sl_file_close(bench->file);
	free(bench->block);
	image_down(&bench->image);
}

static int64_t request(struct bench *bench, unsigned code, uint64_t off, uint64_t len,
		       unsigned flags)
{
	struct sl_file_req req = { .buf = bench->block, .off = off, .len = len, .flags = flags };

	return sl_file_do(bench->file, code, &req);
}

static void write_block(struct bench *bench, uint64_t nr, unsigned flags)
{
	assert_int_equal(request(bench, SL_FILE_WRITE, nr * BLOCK, BLOCK, flags), BLOCK);
}

static void sync_file(struct bench *bench)
{
	assert_int_equal(request(bench, SL_FILE_SYNC, 0, 0, 0), 0);
}

/* All that is pending goes now, so that the next step pays for itself only. */
static void settle(struct bench *bench)
{
	assert_int_equal(syncfs(bench->image.stage.dir), 0);
}

typedef void step_fn(struct bench *bench, unsigned round);

/* The cheapest of several rounds: whatever else the file system does in between only adds. */
static struct traffic cost(struct bench *bench, const char *what, step_fn *step)
{
	struct traffic least = { UINT64_MAX, UINT64_MAX };

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct traffic now;

		image_mark(&bench->image);
		step(bench, round);
		now = image_traffic(&bench->image);
		least.bytes = now.bytes < least.bytes ? now.bytes : least.bytes;
		least.flushes = now.flushes < least.flushes ? now.flushes : least.flushes;
	}
	printf("# %s on %s: %u bytes, %u flushes\n", what, bench->image.fs, (unsigned)least.bytes,
	       (unsigned)least.flushes);
	return least;
}

static void write_durably(struct bench *bench, unsigned round)
{
	write_block(bench, round, SL_FILE_DSYNC);
}

static void append_durably(struct bench *bench, unsigned round)
{
	write_block(bench, 64 + round, SL_FILE_DSYNC);
}

static void write_many_and_sync(struct bench *bench, unsigned round)
{
	(void)round;
	for (unsigned i = 0; i < ROUNDS; i++)
		write_block(bench, 2 * i, 0);
	sync_file(bench);
}

static void write_old_blocks(struct bench *bench)
{
	for (unsigned i = 0; i < 2 * ROUNDS; i++)
		write_block(bench, i, 0);
	sync_file(bench);
	settle(bench);
}

/* Nothing but the block itself. (A loop device knows no FUA, which would spare the flush.) */
static void assert_is_one_block(struct traffic traffic)
{
	assert_int_equal(traffic.bytes, BLOCK);
	assert_int_equal(traffic.flushes, 1);
}

static void allocate(struct bench *bench, unsigned flags)
{
	assert_int_equal(request(bench, SL_FILE_ALLOCATE, 0, 2 * ROUNDS * BLOCK, flags), 0);
	sync_file(bench);
	settle(bench);
}

static void D50_the_first_write_into_reserved_blocks_costs_more(void **state)
{
	struct traffic first, again;
	struct bench bench;

	(void)state;
	bench_up(&bench);
	allocate(&bench, 0);
	first = cost(&bench, "the first write into reserved blocks", write_durably);
	again = cost(&bench, "the second", write_durably);
	bench_down(&bench);
	assert_true(first.bytes > again.bytes);
	assert_true(first.flushes > again.flushes);
}

static void D52_after_zeros_were_written_a_durable_write_is_one_write(void **state)
{
	struct bench bench;

	(void)state;
	bench_up(&bench);
	allocate(&bench, SL_FILE_ZEROED);
	assert_is_one_block(cost(&bench, "the first write over zeros", write_durably));
	bench_down(&bench);
}

static void D53_on_btrfs_preallocation_saves_nothing(void **state)
{
	struct traffic first, again;
	struct bench bench;

	(void)state;
	bench_up(&bench);
	allocate(&bench, SL_FILE_ZEROED);
	first = cost(&bench, "the first write over zeros", write_durably);
	again = cost(&bench, "the second", write_durably);
	bench_down(&bench);
	assert_true(first.bytes > BLOCK && again.bytes > BLOCK);
	assert_true(first.flushes > 1 && again.flushes > 1);
}

static void D60_an_overwrite_with_dsync_is_one_write_and_one_flush(void **state)
{
	struct bench bench;

	(void)state;
	bench_up(&bench);
	write_old_blocks(&bench);
	assert_is_one_block(cost(&bench, "an overwrite", write_durably));
	bench_down(&bench);
}

static void D61_an_append_costs_more(void **state)
{
	struct traffic append, overwrite;
	struct bench bench;

	(void)state;
	bench_up(&bench);
	write_old_blocks(&bench);
	overwrite = cost(&bench, "an overwrite", write_durably);
	append = cost(&bench, "an append", append_durably);
	bench_down(&bench);
	assert_true(append.bytes > overwrite.bytes);
	assert_true(append.flushes > overwrite.flushes);
}

static void D62_one_flush_makes_many_direct_writes_durable(void **state)
{
	struct traffic traffic;
	struct bench bench;

	(void)state;
	bench_up(&bench);
	write_old_blocks(&bench);
	traffic = cost(&bench, "six overwrites and a sync", write_many_and_sync);
	bench_down(&bench);
	assert_int_equal(traffic.bytes, ROUNDS * BLOCK);
	assert_int_equal(traffic.flushes, 1);
}

static void D63_on_btrfs_every_durable_write_costs_several(void **state)
{
	struct traffic append, overwrite;
	struct bench bench;

	(void)state;
	bench_up(&bench);
	write_old_blocks(&bench);
	overwrite = cost(&bench, "an overwrite", write_durably);
	append = cost(&bench, "an append", append_durably);
	bench_down(&bench);
	assert_true(overwrite.bytes >= 3 * BLOCK && append.bytes >= 3 * BLOCK);
	assert_true(overwrite.flushes >= 2 && append.flushes >= 2);
}

static void D64_on_tmpfs_every_sync_succeeds_and_nothing_survives(void **state)
{
	struct sl_op op = { 0 };
	struct bench bench;

	(void)state;
	bench_up(&bench);
	write_block(&bench, 0, SL_FILE_DSYNC);
	sync_file(&bench);
	assert_int_equal(
		sl_ring_do(bench.image.stage.ring, sl_op_sync_dir(&op, bench.image.stage.dir)), 0);
	assert_int_equal(access(image_path("f"), F_OK), 0);
	sl_file_close(bench.file);
	image_cut(&bench.image);
	assert_int_equal(access(image_path("f"), F_OK), -1);
	image_down(&bench.image);
	free(bench.block);
}

/* ---- what else a sync does ----------------------------------------------------------- */

static void D12_a_full_sync_makes_times_durable_too(void **state)
{
	const struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
	struct sl_file_req req = { .flags = SL_FILE_SYNC_ALL };
	struct bench bench;
	struct stat st;

	(void)state;
	bench_up(&bench);
	write_old_blocks(&bench);
	assert_int_equal(futimens(sl_file_fd(bench.file), times), 0);
	assert_int_equal(sl_file_do(bench.file, SL_FILE_SYNC, &req), 0);
	sl_file_close(bench.file);
	image_cut(&bench.image);
	assert_int_equal(stat(image_path("f"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, times[1].tv_sec);
	image_down(&bench.image);
	free(bench.block);
}

/* ---- a size before its data ---------------------------------------------------------- */

static unsigned grow_without_data(void)
{
	struct image image;
	unsigned zeros;

	image_up(&image);
	growth_play(image.stage.dir);
	image_cut(&image);
	zeros = growth_zeros(image.stage.dir);
	image_down(&image);
	printf("# %u of %d files on %s have grown by zeros\n", zeros, GROWTH_FILES, image_fs());
	return zeros;
}

static void D41_on_ext4_a_grown_size_may_come_with_zeros(void **state)
{
	bool ext4 = strcmp(image_fs(), "ext4") == 0;
	unsigned zeros = 0;

	(void)state;
	for (unsigned i = 0; i < (ext4 ? TRIES : 3) && !zeros; i++)
		zeros = grow_without_data();
	if (ext4)
		assert_true(zeros > 0);
	else
		assert_int_equal(zeros, 0);
}

/* ---- the log ------------------------------------------------------------------------- */

static void append_records(struct sl_wal *wal, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(sl_wal_append(wal, "record", 6, NULL), 0);
	assert_int_equal(sl_wal_flush(wal), 0);
}

static void D93_records_committed_together_share_a_write_and_a_flush(void **state)
{
	const struct sl_wal_opts opts = { .flags = SL_WAL_CREATE, .segment_bytes = 1 << 20 };
	struct traffic least = { UINT64_MAX, UINT64_MAX };
	struct sl_wal *wal = NULL;
	struct image image;

	(void)state;
	image_up(&image);
	assert_int_equal(sl_wal_open(image.stage.ring, image.stage.dir, "log", &opts, &wal), 0);
	append_records(wal, 1);
	assert_int_equal(syncfs(image.stage.dir), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct traffic now;

		image_mark(&image);
		append_records(wal, 20);
		now = image_traffic(&image);
		least.bytes = now.bytes < least.bytes ? now.bytes : least.bytes;
		least.flushes = now.flushes < least.flushes ? now.flushes : least.flushes;
	}
	sl_wal_close(wal);
	image_down(&image);
	assert_is_one_block(least);
}

/* ---- which where --------------------------------------------------------------------- */

enum place {
	EXT4 = 1 << 0,
	XFS = 1 << 1,
	BTRFS = 1 << 2,
	TMPFS = 1 << 3,
	ON_DISKS = EXT4 | XFS | BTRFS,
};

static unsigned here(void)
{
	static const char *const names[] = { "ext4", "xfs", "btrfs", "tmpfs" };

	for (unsigned i = 0; i < 4; i++) {
		if (strcmp(image_fs(), names[i]) == 0)
			return 1u << i;
	}
	return ON_DISKS; /* they skip, and say why */
}

int main(int argc, char **argv)
{
#define ENTRY(name) { TEST(name), ON_DISKS },
	static const struct {
		struct CMUnitTest test;
		unsigned places;
	} all[] = {
		DURABILITY_SCENARIOS(ENTRY) DURABILITY_KERNEL_SCENARIOS(ENTRY){
			TEST(D12_a_full_sync_makes_times_durable_too), ON_DISKS },
		{ TEST(D41_on_ext4_a_grown_size_may_come_with_zeros), ON_DISKS },
		{ TEST(D50_the_first_write_into_reserved_blocks_costs_more), EXT4 | XFS },
		{ TEST(D52_after_zeros_were_written_a_durable_write_is_one_write), EXT4 | XFS },
		{ TEST(D53_on_btrfs_preallocation_saves_nothing), BTRFS },
		{ TEST(D60_an_overwrite_with_dsync_is_one_write_and_one_flush), EXT4 | XFS },
		{ TEST(D61_an_append_costs_more), EXT4 | XFS },
		{ TEST(D62_one_flush_makes_many_direct_writes_durable), EXT4 | XFS },
		{ TEST(D63_on_btrfs_every_durable_write_costs_several), BTRFS },
		{ TEST(D64_on_tmpfs_every_sync_succeeds_and_nothing_survives), TMPFS },
		{ TEST(D93_records_committed_together_share_a_write_and_a_flush), EXT4 | XFS },
	};
	struct CMUnitTest tests[sizeof(all) / sizeof(all[0])];
	size_t nr = 0;

	if (argc > 1)
		image_choose(argv[1]);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].places & here())
			tests[nr++] = all[i].test;
	}
	support_begin();
	return support_verdict(_cmocka_run_group_tests("durability", tests, nr, NULL, NULL), nr);
}
