/*
 * simulated.c: sluice_durability(7) on simulated disks of every profile.
 *
 * A scenario is played in hundreds of worlds, and what the seed lets a power cut
 * leave is looked at: nothing may be seen that the page rules out, and what it
 * says may be lost must be lost in some of them.
 */
#include "tests/durability/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sluice/sim.h>
#include <sluice/wal.h>

#define SEEDS 100

struct world {
	struct sl_sim *sim;
	struct stage stage;
};

static void world_up(struct world *world, const struct sl_sim_opts *opts)
{
	*world = (struct world){ .stage = { .dir = AT_FDCWD } };
	assert_int_equal(sl_sim_create(opts, &world->sim), 0);
	assert_int_equal(sl_sim_ring_open(world->sim, 0, NULL, &world->stage.ring), 0);
}

static void cut_power(struct world *world)
{
	assert_int_equal(sl_sim_power_cut(world->sim, 0), 0);
	sl_ring_close(world->stage.ring);
	assert_int_equal(sl_sim_restart(world->sim, 0), 0);
	assert_int_equal(sl_sim_ring_open(world->sim, 0, NULL, &world->stage.ring), 0);
	world->stage.fds_nr = 0;
}

static void world_down(struct world *world)
{
	sl_ring_close(world->stage.ring);
	sl_sim_destroy(world->sim);
}

/* ---- scenarios ----------------------------------------------------------------------- */

static void play_on(const struct scenario *scenario, unsigned profile)
{
	const struct outcome *outcome = &scenario->of[profile];
	uint64_t seed = support_seed();
	bool lost = !outcome->lost;
	char letters[8];

	for (unsigned i = 0; i < SEEDS; i++) {
		const struct sl_sim_opts opts = {
			.seed = seed + i,
			.profile = scenario_profiles[profile],
			.sector = i % 2 ? 512 : 4096,
		};
		struct world world;

		world_up(&world, &opts);
		scenario->play(&world.stage);
		cut_power(&world);
		scenario_look(scenario, &world.stage, letters);
		world_down(&world);
		if (!scenario_is_among(letters, outcome->among))
			fail_msg("%s, seed %llu: %s, which is not one of %s", opts.profile,
				 (unsigned long long)opts.seed, letters, outcome->among);
		lost |= outcome->lost && strcmp(letters, outcome->lost) == 0;
	}
	if (!lost)
		fail_msg("%s: no cut leaves %s", scenario_profiles[profile], outcome->lost);
}

static void play(const struct scenario *scenario)
{
	unsigned played = 0;

	for (unsigned i = 0; i < PROFILES_NR; i++) {
		if (!scenario->of[i].among)
			continue;
		play_on(scenario, i);
		played++;
	}
	assert_true(played >= 3);
}

#define DEFINE(name)                               \
	static void name(void **state)             \
	{                                          \
		(void)state;                       \
		play(&scenarios[SCENARIO_##name]); \
	}
DURABILITY_SCENARIOS(DEFINE)
#undef DEFINE

/* ---- writes and syncs ---------------------------------------------------------------- */

#define BYTES 16384

static int64_t do_op(struct world *world, struct sl_op *op)
{
	return sl_ring_do(world->stage.ring, op);
}

static int open_at(struct world *world, const char *name, uint64_t flags)
{
	const struct sl_open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0644 : 0 };
	struct sl_op op = { 0 };
	int64_t fd = do_op(world, sl_op_open(&op, AT_FDCWD, name, &how));

	assert_true(fd >= 0);
	return (int)fd;
}

static void write_letters(struct world *world, int fd, char letter)
{
	static char bytes[BYTES];
	struct sl_op op = { 0 };

	memset(bytes, letter, BYTES);
	assert_int_equal(do_op(world, sl_op_write(&op, fd, bytes, BYTES, 0)), BYTES);
}

static int64_t sync_fd(struct world *world, int fd)
{
	struct sl_op op = { 0 };

	return do_op(world, sl_op_fdatasync(&op, fd));
}

static void sync_root(struct world *world)
{
	int dir = open_at(world, ".", O_RDONLY | O_DIRECTORY);
	struct sl_op op = { 0 };

	assert_int_equal(do_op(world, sl_op_sync_dir(&op, dir)), 0);
	assert_int_equal(do_op(world, sl_op_close(&op, dir)), 0);
}

/* A durable file of old letters. */
static int old_file(struct world *world)
{
	int fd = open_at(world, "f", O_RDWR | O_CREAT);

	write_letters(world, fd, 'o');
	assert_int_equal(sync_fd(world, fd), 0);
	sync_root(world);
	return fd;
}

static void read_letters(struct world *world, uint64_t flags, char *bytes)
{
	struct sl_op op = { 0 };
	int fd = open_at(world, "f", flags);

	assert_int_equal(do_op(world, sl_op_read(&op, fd, bytes, BYTES, 0)), BYTES);
	assert_int_equal(do_op(world, sl_op_close(&op, fd)), 0);
}

/* How many sectors are new; none may be a mixture, or anything else. */
static unsigned count_new(const char *bytes, unsigned sector)
{
	unsigned nr = 0;

	for (unsigned at = 0; at < BYTES; at += sector) {
		assert_true(bytes[at] == 'o' || bytes[at] == 'n');
		for (unsigned i = 1; i < sector; i++)
			assert_int_equal(bytes[at + i], bytes[at]);
		nr += bytes[at] == 'n';
	}
	return nr;
}

static void tear_writes(unsigned sector)
{
	uint64_t seed = support_seed();
	unsigned torn = 0;

	for (unsigned i = 0; i < 4 * SEEDS; i++) {
		const struct sl_sim_opts opts = { .seed = seed + i,
						  .profile = scenario_profiles[i % PROFILES_NR],
						  .sector = sector };
		static char bytes[BYTES];
		struct world world;
		unsigned nr;

		world_up(&world, &opts);
		write_letters(&world, old_file(&world), 'n');
		cut_power(&world);
		read_letters(&world, O_RDONLY, bytes);
		world_down(&world);
		nr = count_new(bytes, sector);
		torn += nr > 0 && nr < BYTES / sector;
	}
	assert_true(torn > SEEDS / 10);
}

static void D4_a_write_is_torn_at_sectors(void **state)
{
	(void)state;
	tear_writes(512);
	tear_writes(4096);
}

/* Both are submitted before either has ended. */
static void write_and_sync_at_once(struct world *world, int fd)
{
	struct sl_op write = { 0 }, sync = { 0 };
	static char bytes[BYTES];

	memset(bytes, 'n', BYTES);
	assert_int_equal(
		sl_ring_submit(world->stage.ring, sl_op_write(&write, fd, bytes, BYTES, 0)), 0);
	assert_int_equal(sl_ring_submit(world->stage.ring, sl_op_fdatasync(&sync, fd)), 0);
	assert_non_null(sl_ring_next(world->stage.ring, 0));
	assert_non_null(sl_ring_next(world->stage.ring, 0));
	assert_int_equal(write.res, BYTES);
	assert_int_equal(sync.res, 0);
}

static void D13_a_sync_does_not_cover_a_write_in_flight(void **state)
{
	uint64_t seed = support_seed();
	unsigned lost = 0;

	(void)state;
	for (unsigned i = 0; i < 4 * SEEDS; i++) {
		const struct sl_sim_opts opts = { .seed = seed + i,
						  .profile = scenario_profiles[i % PROFILES_NR] };
		static char bytes[BYTES];
		struct world world;

		world_up(&world, &opts);
		write_and_sync_at_once(&world, old_file(&world));
		cut_power(&world);
		read_letters(&world, O_RDONLY, bytes);
		world_down(&world);
		lost += count_new(bytes, 512) < BYTES / 512;
	}
	assert_true(lost > 0);
}

/* ---- names and sizes ----------------------------------------------------------------- */

/* How often a file that was synced, but not its directory, is gone. */
static void D21_by_posix_the_name_may_be_gone(void **state)
{
	uint64_t seed = support_seed();
	unsigned gone = 0;

	(void)state;
	for (unsigned i = 0; i < SEEDS; i++) {
		const struct sl_sim_opts opts = { .seed = seed + i, .profile = "posix" };
		const struct sl_open_how how = { .flags = O_RDONLY };
		struct sl_op op = { 0 };
		struct world world;
		int fd;

		world_up(&world, &opts);
		fd = open_at(&world, "f", O_RDWR | O_CREAT);
		write_letters(&world, fd, 'n');
		assert_int_equal(sync_fd(&world, fd), 0);
		cut_power(&world);
		gone += do_op(&world, sl_op_open(&op, AT_FDCWD, "f", &how)) == -ENOENT;
		world_down(&world);
	}
	assert_in_range(gone, 1, SEEDS - 1);
}

/* Whether a file that was empty has grown, with zeros in it, when others are synced. */
static bool has_grown_by_zeros(const struct sl_sim_opts *opts)
{
	static char bytes[BYTES];
	struct sl_op op = { 0 };
	struct world world;
	int64_t len;
	int fd;

	world_up(&world, opts);
	fd = open_at(&world, "f", O_RDWR | O_CREAT);
	assert_int_equal(sync_fd(&world, fd), 0);
	sync_root(&world);
	write_letters(&world, fd, 'n');
	assert_int_equal(sync_fd(&world, open_at(&world, "other", O_RDWR | O_CREAT)), 0);
	cut_power(&world);
	fd = open_at(&world, "f", O_RDONLY);
	len = do_op(&world, sl_op_read(&op, fd, bytes, BYTES, 0));
	world_down(&world);
	assert_true(len >= 0);
	return memchr(bytes, 0, (size_t)len);
}

static void D41_on_ext4_a_grown_size_may_come_with_zeros(void **state)
{
	uint64_t seed = support_seed();
	unsigned ext4 = 0, xfs = 0;

	(void)state;
	for (unsigned i = 0; i < SEEDS; i++) {
		struct sl_sim_opts opts = { .seed = seed + i, .profile = "ext4" };

		ext4 += has_grown_by_zeros(&opts);
		opts.profile = "xfs";
		xfs += has_grown_by_zeros(&opts);
	}
	assert_in_range(ext4, 1, SEEDS - 1);
	assert_int_equal(xfs, 0);
}

/* How many bytes of a file that grew are neither what was written nor zeros. */
static unsigned count_noise(const struct sl_sim_opts *opts)
{
	static char bytes[BYTES];
	struct sl_op op = { 0 };
	struct world world;
	unsigned noise = 0;
	int64_t len;
	int fd;

	world_up(&world, opts);
	fd = open_at(&world, "f", O_RDWR | O_CREAT);
	assert_int_equal(sync_fd(&world, fd), 0);
	sync_root(&world);
	write_letters(&world, fd, 'n');
	cut_power(&world);
	fd = open_at(&world, "f", O_RDONLY);
	len = do_op(&world, sl_op_read(&op, fd, bytes, BYTES, 0));
	world_down(&world);
	for (int64_t i = 0; i < len; i++)
		noise += bytes[i] && bytes[i] != 'n';
	return noise;
}

static void D45_by_posix_what_is_missing_may_read_as_anything(void **state)
{
	uint64_t seed = support_seed();
	unsigned noisy[PROFILES_NR] = { 0 };

	(void)state;
	for (unsigned i = 0; i < PROFILES_NR * SEEDS; i++) {
		const struct sl_sim_opts opts = { .seed = seed + i,
						  .profile = scenario_profiles[i % PROFILES_NR] };

		noisy[i % PROFILES_NR] += count_noise(&opts) > 0;
	}
	assert_in_range(noisy[PROFILE_POSIX], 1, SEEDS - 1);
	assert_int_equal(noisy[PROFILE_EXT4] + noisy[PROFILE_XFS] + noisy[PROFILE_BTRFS], 0);
}

/* ---- failed syncs -------------------------------------------------------------------- */

/* A world whose sync of new letters has just failed. */
static int fail_a_sync(struct world *world)
{
	int fd;

	world_up(world, &(struct sl_sim_opts){ .seed = support_seed() });
	fd = old_file(world);
	write_letters(world, fd, 'n');
	assert_int_equal(sl_sim_fail(world->sim, SL_SIM_SYNC_EIO, 0), 0);
	assert_int_equal(sync_fd(world, fd), -EIO);
	return fd;
}

static void D70_a_failed_sync_is_told_once(void **state)
{
	struct world world;
	int fd = fail_a_sync(&world);

	(void)state;
	assert_int_equal(sync_fd(&world, fd), 0);
	world_down(&world);
}

static void D71_then_the_cache_is_new_and_the_disk_is_old(void **state)
{
	static char bytes[BYTES];
	struct world world;
	int fd = fail_a_sync(&world);

	(void)state;
	assert_int_equal(sync_fd(&world, fd), 0);
	read_letters(&world, O_RDONLY, bytes);
	assert_int_equal(count_new(bytes, 512), BYTES / 512);
	cut_power(&world);
	read_letters(&world, O_RDONLY, bytes);
	assert_true(count_new(bytes, 512) < BYTES / 512);
	world_down(&world);
}

static struct sl_file *open_file(struct world *world, const char *name, unsigned flags)
{
	const struct sl_file_opts opts = { .open_flags = O_RDWR | flags };
	struct sl_file *file = NULL;

	assert_int_equal(sl_file_open(world->stage.ring, AT_FDCWD, name, &opts, &file), 0);
	return file;
}

static int64_t file_do(struct sl_file *file, unsigned code, unsigned flags)
{
	char bytes[512] = "new";
	struct sl_file_req req = { .buf = bytes, .len = sizeof(bytes), .flags = flags };

	return sl_file_do(file, code, &req);
}

static void assert_poisoned(struct sl_file *file)
{
	assert_int_equal(sl_file_poison(file), -EIO);
	assert_int_equal(file_do(file, SL_FILE_SYNC, 0), -EIO);
	assert_int_equal(file_do(file, SL_FILE_WRITE, 0), -EIO);
	assert_int_equal(file_do(file, SL_FILE_WRITE, SL_FILE_DSYNC), -EIO);
	assert_int_equal(file_do(file, SL_FILE_TRUNCATE, 0), -EIO);
	assert_int_equal(file_do(file, SL_FILE_ALLOCATE, 0), -EIO);
}

static void D72_the_first_failed_sync_poisons_a_file(void **state)
{
	struct sl_file *synced, *dsynced;
	struct world world;

	(void)state;
	world_up(&world, &(struct sl_sim_opts){ .seed = support_seed() });
	synced = open_file(&world, "f", O_CREAT);
	dsynced = open_file(&world, "g", O_CREAT);
	assert_int_equal(file_do(synced, SL_FILE_WRITE, 0), 512);
	assert_int_equal(sl_sim_fail(world.sim, SL_SIM_SYNC_EIO, 0), 0);
	assert_int_equal(file_do(synced, SL_FILE_SYNC, 0), -EIO);
	assert_int_equal(sl_sim_fail(world.sim, SL_SIM_SYNC_EIO, 0), 0);
	assert_int_equal(file_do(dsynced, SL_FILE_WRITE, SL_FILE_DSYNC), -EIO);
	assert_poisoned(synced);
	assert_poisoned(dsynced);
	sl_file_close(synced);
	sl_file_close(dsynced);
	world_down(&world);
}

static void D73_a_file_opened_anew_and_read_directly_shows_the_disk(void **state)
{
	static _Alignas(4096) char bytes[BYTES];
	struct sl_file *file;
	struct world world;

	(void)state;
	fail_a_sync(&world);
	file = open_file(&world, "f", 0);
	assert_int_equal(sl_file_poison(file), 0);
	assert_int_equal(file_do(file, SL_FILE_SYNC, 0), 0);
	sl_file_close(file);
	read_letters(&world, O_RDONLY, bytes);
	assert_int_equal(count_new(bytes, 512), BYTES / 512);
	read_letters(&world, O_RDONLY | O_DIRECT, bytes);
	assert_true(count_new(bytes, 512) < BYTES / 512);
	world_down(&world);
}

static void D74_a_failed_plain_write_poisons_nothing(void **state)
{
	struct sl_file *file;
	struct world world;

	(void)state;
	world_up(&world, &(struct sl_sim_opts){ .seed = support_seed() });
	file = open_file(&world, "f", O_CREAT);
	assert_int_equal(sl_sim_fail(world.sim, SL_SIM_WRITE_EIO, 0), 0);
	assert_int_equal(file_do(file, SL_FILE_WRITE, 0), -EIO);
	assert_int_equal(sl_file_poison(file), 0);
	assert_int_equal(file_do(file, SL_FILE_WRITE, SL_FILE_DSYNC), 512);
	assert_int_equal(file_do(file, SL_FILE_SYNC, 0), 0);
	sl_file_close(file);
	world_down(&world);
}

/* ---- replacing, opening -------------------------------------------------------------- */

/* Two syncs: that of the new content, then that of the directory. */
static void D82_when_the_last_sync_fails_the_old_file_may_be_back(void **state)
{
	uint64_t seed = support_seed();
	unsigned back = 0;

	(void)state;
	for (unsigned i = 0; i < SEEDS; i++) {
		const struct sl_sim_opts opts = { .seed = seed + i };
		static char bytes[BYTES];
		struct world world;

		world_up(&world, &opts);
		old_file(&world);
		memset(bytes, 'n', BYTES);
		assert_int_equal(sl_sim_fail(world.sim, SL_SIM_SYNC_EIO, 1), 0);
		assert_int_equal(
			sl_file_replace(world.stage.ring, AT_FDCWD, "f", bytes, BYTES, NULL), -EIO);
		read_letters(&world, O_RDONLY, bytes);
		assert_int_equal(count_new(bytes, BYTES), 1);
		cut_power(&world);
		read_letters(&world, O_RDONLY, bytes);
		back += count_new(bytes, BYTES) == 0;
		world_down(&world);
	}
	assert_in_range(back, 1, SEEDS - 1);
}

/* When each of these was first seen in the trace; counted from 1. */
struct order {
	unsigned nr, file_sync, dir_sync, read;
};

static void note_first(struct order *order, unsigned *when, const char *line, const char *word)
{
	if (!*when && strstr(line, word))
		*when = order->nr;
}

static void note(void *ctx, const char *line)
{
	struct order *order = ctx;

	order->nr++;
	note_first(order, &order->file_sync, line, " fsync ");
	note_first(order, &order->dir_sync, line, " sync_dir ");
	note_first(order, &order->read, line, " read ");
}

static void D87_opening_a_log_syncs_before_it_reads(void **state)
{
	const struct sl_wal_opts create = { .flags = SL_WAL_CREATE,
					    .segment_bytes = 65536,
					    .buffer_bytes = 16384 };
	struct order order = { 0 };
	struct sl_wal *wal = NULL;
	struct world world;

	(void)state;
	world_up(&world, &(struct sl_sim_opts){
				 .seed = support_seed(), .trace = note, .trace_ctx = &order });
	assert_int_equal(sl_wal_open(world.stage.ring, AT_FDCWD, "log", &create, &wal), 0);
	sl_wal_close(wal);
	order = (struct order){ 0 };
	assert_int_equal(sl_wal_open(world.stage.ring, AT_FDCWD, "log", NULL, &wal), 0);
	sl_wal_close(wal);
	world_down(&world);
	assert_in_range(order.file_sync, 1, order.read - 1);
	assert_in_range(order.dir_sync, 1, order.read - 1);
}

int main(void)
{
#define ENTRY(name) TEST(name),
	const struct CMUnitTest tests[] = {
		DURABILITY_SCENARIOS(ENTRY) TEST(D4_a_write_is_torn_at_sectors),
		TEST(D13_a_sync_does_not_cover_a_write_in_flight),
		TEST(D21_by_posix_the_name_may_be_gone),
		TEST(D41_on_ext4_a_grown_size_may_come_with_zeros),
		TEST(D45_by_posix_what_is_missing_may_read_as_anything),
		TEST(D70_a_failed_sync_is_told_once),
		TEST(D71_then_the_cache_is_new_and_the_disk_is_old),
		TEST(D72_the_first_failed_sync_poisons_a_file),
		TEST(D73_a_file_opened_anew_and_read_directly_shows_the_disk),
		TEST(D74_a_failed_plain_write_poisons_nothing),
		TEST(D82_when_the_last_sync_fails_the_old_file_may_be_back),
		TEST(D87_opening_a_log_syncs_before_it_reads),
	};

	return RUN_TESTS(tests);
}
