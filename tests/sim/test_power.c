/* test_power.c - power cuts: what may be lost is lost sometimes, what was promised never. */
#include "fixture.h"

#define SECTOR 512
#define PAGES  4
#define SEEDS  2000

/* ---- what a cut does to a machine --------------------------------------------------- */

static unsigned ended;

static void expect_eio(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	assert_int_equal(op->res, -EIO);
	ended++;
}

static void ops_in_flight_end_with_eio_and_the_ring_stays_dead(void **state)
{
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0), *other;
	struct sl_op ops[3] = { { .done = expect_eio },
				{ .done = expect_eio },
				{ .done = expect_eio } };
	struct sl_op held = { 0 };
	static char buf[4096];
	int fd = open_file(ring, "f"), second = open_file(ring, "f");

	(void)state;
	ended = 0;
	assert_int_equal(sl_ring_do(ring, sl_op_lock(&held, second, F_WRLCK, 0, 0)), 0);
	sl_ring_submit(ring, sl_op_write(&ops[0], fd, buf, sizeof(buf), 0));
	sl_ring_submit(ring, sl_op_fdatasync(&ops[1], fd));
	sl_ring_submit(ring, sl_op_lock(&ops[2], fd, F_WRLCK, 0, 0));
	sl_ring_flush(ring);
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	assert_int_equal(sl_sim_power_cut(sim, 0), 0);
	assert_int_equal(sl_sim_power_cut(sim, 0), -EALREADY);
	assert_int_equal(sl_sim_has_power(sim, 0), 0);
	while (ended < 3)
		assert_true(sl_ring_run(ring, 0) >= 0);
	assert_int_equal(do_read(ring, fd, buf, 1, 0), -EIO);
	assert_int_equal(do_open(ring, "f", O_RDONLY), -EIO);
	assert_int_equal(sl_sim_ring_open(sim, 0, NULL, &other), -EHOSTDOWN);
	assert_int_equal(sl_sim_restart(sim, 0), -EBUSY);
	sl_ring_close(ring);
	assert_int_equal(sl_sim_restart(sim, 0), 0);
	assert_int_equal(sl_sim_restart(sim, 0), -EALREADY);
	ring = ring_on(sim, 0);
	assert_int_equal(do_read(ring, fd, buf, 1, 0), -EBADF);
	assert_int_equal(info_of(sim).cuts, 1);
	end_world(sim, ring);
}

/* How often, of all seeds, a name is there after a cut. */
static unsigned count_present(const char *profile, bool sync_dir)
{
	unsigned present = 0;

	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sl_sim *sim =
			make_world(&(struct sl_sim_opts){ .seed = seed, .profile = profile });
		struct sl_ring *ring = ring_on(sim, 0);
		int fd = open_file(ring, "new");

		assert_int_equal(do_write(ring, fd, "x", 1, 0), 1);
		assert_int_equal(do_sync(ring, fd), 0);
		if (sync_dir)
			assert_int_equal(sync_root(ring), 0);
		ring = cut_and_restart(sim, ring);
		present += do_open(ring, "new", O_RDONLY) >= 0;
		end_world(sim, ring);
	}
	return present;
}

static void a_new_name_is_lost_sometimes_until_its_directory_is_synced(void **state)
{
	(void)state;
	assert_in_range(count_present("posix", false), 20, 80);
	assert_int_equal(count_present("posix", true), 100);
	assert_int_equal(count_present("ext4", false), 100);
	assert_int_equal(count_present("xfs", false), 100);
	assert_int_equal(count_present("btrfs", false), 100);
}

static void a_write_in_flight_may_reach_the_disk_or_not(void **state)
{
	unsigned there = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct sl_sim *sim = world_of(seed);
		struct sl_ring *ring = ring_on(sim, 0);
		struct sl_op op = { 0 };
		char byte = 0;
		int fd = open_file(ring, "f");

		do_write(ring, fd, "o", 1, 0);
		do_sync(ring, fd);
		sync_root(ring);
		sl_ring_submit(ring, sl_op_write(&op, fd, "n", 1, 0));
		sl_ring_run(ring, SL_RING_POLL);
		ring = cut_and_restart(sim, ring);
		assert_int_equal(do_read(ring, open_file(ring, "f"), &byte, 1, 0), 1);
		assert_true(byte == 'o' || byte == 'n');
		there += byte == 'n';
		end_world(sim, ring);
	}
	assert_in_range(there, 10, 60);
}

/* ---- random programs against an oracle ----------------------------------------------------------
 */

/* What the program knows of each sector: every version since the last sync may be
 * what the disk has. Sectors hold their version in every byte pair. */
struct oracle {
	uint16_t now[PAGES * 8];
	uint16_t durable[PAGES * 8];
};

static void stamp(uint16_t *buf, unsigned nr, uint16_t version)
{
	for (unsigned i = 0; i < nr * SECTOR / 2; i++)
		buf[i] = version;
}

static void write_some(struct sl_ring *ring, int fd, struct oracle *oracle, uint64_t *random,
		       bool dsync)
{
	static uint16_t buf[PAGES * 8 * SECTOR / 2];
	static uint16_t version;
	unsigned from = (unsigned)(support_random(random) % (PAGES * 8));
	unsigned nr = 1 + (unsigned)(support_random(random) % (PAGES * 8 - from));
	struct sl_op op = { 0 };

	stamp(buf, nr, ++version);
	sl_op_write(&op, fd, buf, nr * SECTOR, from * SECTOR);
	op.flags |= dsync ? SL_OP_DSYNC : 0;
	for (unsigned i = from; i < from + nr; i++)
		oracle->now[i] = version;
	if (sl_ring_do(ring, &op) < 0 || !dsync)
		return;
	for (unsigned i = from; i < from + nr; i++)
		oracle->durable[i] = version;
}

static void run_program(struct sl_ring *ring, int fd, struct oracle *oracle, uint64_t seed)
{
	uint64_t random = seed;

	for (unsigned steps = 5 + (unsigned)(seed % 20); steps; steps--) {
		uint64_t dice = support_random(&random) % 8;

		if (dice == 0 && do_sync(ring, fd) == 0)
			memcpy(oracle->durable, oracle->now, sizeof(oracle->now));
		else if (dice > 0)
			write_some(ring, fd, oracle, &random, dice == 1);
	}
}

/* A version from the durable one to the last one, the same in the whole sector. */
static void check_sectors(struct sl_ring *ring, int fd, const struct oracle *oracle, unsigned *lost,
			  unsigned *kept)
{
	static uint16_t buf[PAGES * 8 * SECTOR / 2];

	assert_int_equal(do_read(ring, fd, buf, sizeof(buf), 0), sizeof(buf));
	for (unsigned i = 0; i < PAGES * 8; i++) {
		const uint16_t *sector = buf + i * SECTOR / 2;

		for (unsigned j = 1; j < SECTOR / 2; j++)
			assert_int_equal(sector[j], sector[0]);
		assert_in_range(sector[0], oracle->durable[i], oracle->now[i]);
		*lost += sector[0] < oracle->now[i];
		*kept += sector[0] > oracle->durable[i];
	}
}

static void after_a_cut_each_sector_is_a_version_not_older_than_the_synced_one(void **state)
{
	static uint16_t zeros[PAGES * 8 * SECTOR / 2];
	uint64_t seed = support_seed();
	unsigned lost = 0, kept = 0;

	(void)state;
	for (unsigned i = 0; i < SEEDS; i++) {
		struct oracle oracle = { 0 };
		struct sl_sim *sim = make_world(&(struct sl_sim_opts){
			.seed = seed + i,
			.profile = profiles[i % 4],
			.sector = i % 8 < 4 ? 512 : 4096,
		});
		struct sl_ring *ring = ring_on(sim, 0);
		int fd = open_file(ring, "f");

		assert_int_equal(do_write(ring, fd, zeros, sizeof(zeros), 0), sizeof(zeros));
		assert_int_equal(do_sync(ring, fd), 0);
		assert_int_equal(sync_root(ring), 0);
		run_program(ring, fd, &oracle, seed + i);
		ring = cut_and_restart(sim, ring);
		check_sectors(ring, open_file(ring, "f"), &oracle, &lost, &kept);
		end_world(sim, ring);
	}
	assert_true(lost > SEEDS);
	assert_true(kept > SEEDS);
}

/* ---- sl_file
 * ------------------------------------------------------------------------------------- */

static size_t content(char *buf, unsigned version)
{
	size_t len = 1000 + version * 3000;

	memset(buf, (int)('a' + version), len);
	return len;
}

/* Replaces until the power goes; the last version that was acknowledged. */
static unsigned replace_until_cut(struct sl_ring *ring)
{
	static char buf[40000];
	unsigned version = 0;

	while (version < 10) {
		size_t len = content(buf, version + 1);

		if (sl_file_replace(ring, AT_FDCWD, "config", buf, len, NULL))
			break;
		version++;
	}
	return version;
}

static void check_replaced(struct sl_ring *ring, unsigned acked, unsigned *newer)
{
	static char got[40000], want[40000];
	int64_t fd = do_open(ring, "config", O_RDONLY), len;

	if (fd == -ENOENT && acked == 0)
		return;
	assert_true(fd >= 0);
	len = do_read(ring, (int)fd, got, sizeof(got), 0);
	assert_true(len > 0);
	assert_true(got[0] - 'a' == (int)acked || got[0] - 'a' == (int)acked + 1);
	assert_int_equal(len, content(want, (unsigned)(got[0] - 'a')));
	assert_memory_equal(got, want, (size_t)len);
	*newer += got[0] - 'a' > (int)acked;
}

static void a_replaced_file_is_old_or_new_and_never_a_mixture(void **state)
{
	uint64_t seed = support_seed();
	unsigned newer = 0, cuts = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * SEEDS; i++) {
		struct sl_sim *sim = make_world(&(struct sl_sim_opts){
			.seed = seed + i,
			.profile = profiles[i % 4],
			.cut_max = 60,
		});
		struct sl_ring *ring = ring_on(sim, 0);
		unsigned acked = replace_until_cut(ring);

		if (sl_sim_has_power(sim, 0))
			sl_sim_power_cut(sim, 0);
		sl_ring_close(ring);
		assert_int_equal(sl_sim_restart(sim, 0), 0);
		ring = ring_on(sim, 0);
		check_replaced(ring, acked, &newer);
		cuts += info_of(sim).cuts == 1;
		end_world(sim, ring);
	}
	assert_int_equal(cuts, 2 * SEEDS);
	assert_true(newer > 10);
}

static void a_file_is_poisoned_by_a_failed_sync(void **state)
{
	const struct sl_file_opts opts = { .open_flags = O_RDWR | O_CREAT, .io = SL_FILE_DIRECT };
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0);
	struct sl_file *file;
	struct sl_file_mode mode;
	char data[100] = "data";
	struct sl_file_req req = { .buf = data, .len = sizeof(data) };

	(void)state;
	assert_int_equal(sl_file_open(ring, AT_FDCWD, "f", &opts, &file), 0);
	assert_int_equal(sl_file_mode(file, &mode), 0);
	assert_int_equal(mode.write, SL_FILE_WAY_UNKNOWN);
	assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &req), sizeof(data));
	sl_sim_fail(sim, SL_SIM_SYNC_EIO, 0);
	assert_int_equal(sl_file_do(file, SL_FILE_SYNC, &req), -EIO);
	assert_int_equal(sl_file_do(file, SL_FILE_SYNC, &req), -EIO);
	assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &req), -EIO);
	assert_int_equal(sl_file_poison(file), -EIO);
	sl_file_close(file);
	end_world(sim, ring);
}

static void a_direct_file_survives_a_cut_with_requests_in_flight(void **state)
{
	const struct sl_file_opts opts = { .open_flags = O_RDWR | O_CREAT, .io = SL_FILE_DIRECT };

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct sl_sim *sim =
			make_world(&(struct sl_sim_opts){ .seed = seed, .cut = 4 + seed % 20 });
		struct sl_ring *ring = ring_on(sim, 0);
		struct sl_file *file = NULL;
		static char data[3][9000];
		struct sl_file_req reqs[3];
		int rc = sl_file_open(ring, AT_FDCWD, "f", &opts, &file);

		for (unsigned i = 0; i < 3 && !rc; i++) {
			reqs[i] = (struct sl_file_req){ .buf = data[i],
							.len = 9000,
							.off = i * 5001 };
			assert_int_equal(sl_file_write(file, &reqs[i]), 0);
		}
		sl_file_close(file); /* waits for them */
		sl_ring_close(ring);
		sl_sim_destroy(sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ops_in_flight_end_with_eio_and_the_ring_stays_dead),
		TEST(a_new_name_is_lost_sometimes_until_its_directory_is_synced),
		TEST(a_write_in_flight_may_reach_the_disk_or_not),
		TEST(after_a_cut_each_sector_is_a_version_not_older_than_the_synced_one),
		TEST(a_replaced_file_is_old_or_new_and_never_a_mixture),
		TEST(a_file_is_poisoned_by_a_failed_sync),
		TEST(a_direct_file_survives_a_cut_with_requests_in_flight),
	};

	return RUN_TESTS(tests);
}
