/* test_disk.c - files of a simulated machine: each fault and its after-state. */
#include "fixture.h"

static void files_work_as_files_do(void **state)
{
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0);
	static char out[100000], in[100000];
	int fd = open_file(ring, "a");

	(void)state;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 255);
	assert_int_equal(do_write(ring, fd, out, sizeof(out), 100), sizeof(out));
	assert_int_equal(do_read(ring, fd, in, sizeof(in), 100), sizeof(in));
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(do_sync(ring, fd), 0);
	assert_int_equal(do_open(ring, "b", O_RDONLY), -ENOENT);
	assert_string_equal(sl_ring_caps(ring)->backend, "sim");
	assert_true(sl_ring_caps(ring)->caps & SL_CAP_OWN_WORLD);
	assert_true(fd >= 1 << 30);
	end_world(sim, ring);
}

static void time_passes_only_in_the_world(void **state)
{
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0);
	int64_t start = sl_ring_clock(ring);
	struct sl_op op = { 0 };

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_timer(&op, start + 3600 * SECOND, 0)), 0);
	assert_int_equal(sl_ring_clock(ring), start + 3600 * SECOND);
	end_world(sim, ring);
}

static void a_ring_that_can_never_go_on_says_so(void **state)
{
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0);
	struct sl_op lock = { 0 };
	int one = open_file(ring, "a"), two = open_file(ring, "a");

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_lock(&lock, one, F_WRLCK, 0, 0)), 0);
	assert_int_equal(sl_ring_do(ring, sl_op_lock(&lock, two, F_WRLCK, 0, 0)), -EDEADLK);
	assert_int_equal(sl_ring_error(ring), -EDEADLK);
	end_world(sim, ring);
}

static int64_t note_time(void *ctx)
{
	++*(int *)ctx;
	return 42;
}

static void work_runs_inline(void **state)
{
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0);
	struct sl_op op = { 0 };
	int ran = 0;

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_work(&op, note_time, &ran)), 42);
	assert_int_equal(ran, 1);
	end_world(sim, ring);
}

/* ---- faults ------------------------------------------------------------------------- */

struct world {
	struct sl_sim *sim;
	struct sl_ring *ring;
	int fd;
	char buf[8192];
};

/* A world with a file of two pages of 'o', durable. */
static void begin(struct world *world)
{
	world->sim = make_world(&(struct sl_sim_opts){ .seed = 7, .profile = "ext4" });
	world->ring = ring_on(world->sim, 0);
	world->fd = open_file(world->ring, "f");
	memset(world->buf, 'o', sizeof(world->buf));
	assert_int_equal(do_write(world->ring, world->fd, world->buf, 8192, 0), 8192);
	assert_int_equal(do_sync(world->ring, world->fd), 0);
}

static void finish(struct world *world, unsigned fault)
{
	assert_int_equal(info_of(world->sim).faults[fault], 1);
	end_world(world->sim, world->ring);
}

static char first_byte(struct world *world, uint64_t off)
{
	char byte = 0;

	assert_int_equal(do_read(world->ring, world->fd, &byte, 1, off), 1);
	return byte;
}

static void a_read_fails_once_with_what_was_asked(void **state)
{
	static const struct {
		unsigned fault;
		int res;
	} cases[] = {
		{ SL_SIM_READ_EIO, -EIO },
		{ SL_SIM_READ_ENODATA, -ENODATA },
	};
	struct world world;

	(void)state;
	for (size_t i = 0; i < NR(cases); i++) {
		begin(&world);
		assert_int_equal(sl_sim_fail(world.sim, cases[i].fault, 1), 0);
		assert_int_equal(first_byte(&world, 0), 'o');
		assert_int_equal(do_read(world.ring, world.fd, world.buf, 10, 0), cases[i].res);
		assert_int_equal(first_byte(&world, 0), 'o');
		finish(&world, cases[i].fault);
	}
}

static void a_write_that_fails_has_written_nothing(void **state)
{
	static const struct {
		unsigned fault;
		int res;
	} cases[] = {
		{ SL_SIM_WRITE_EIO, -EIO },
		{ SL_SIM_NO_SPACE, -ENOSPC },
	};
	struct world world;

	(void)state;
	for (size_t i = 0; i < NR(cases); i++) {
		begin(&world);
		assert_int_equal(sl_sim_fail(world.sim, cases[i].fault, 0), 0);
		assert_int_equal(do_write(world.ring, world.fd, "new", 3, 0), cases[i].res);
		assert_int_equal(first_byte(&world, 0), 'o');
		assert_int_equal(do_write(world.ring, world.fd, "new", 3, 0), 3);
		finish(&world, cases[i].fault);
	}
}

static void a_transfer_told_to_try_again_is_tried_again_by_the_ring(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	sl_sim_fail(world.sim, SL_SIM_AGAIN, 0);
	assert_int_equal(do_write(world.ring, world.fd, "new", 3, 0), 3);
	assert_int_equal(first_byte(&world, 0), 'n');
	finish(&world, SL_SIM_AGAIN);
}

static void a_short_transfer_is_continued_by_the_ring(void **state)
{
	struct sl_ring_stats stats;
	struct sl_op op = { 0 };
	struct world world;

	(void)state;
	begin(&world);
	sl_sim_fail(world.sim, SL_SIM_SHORT, 0);
	assert_int_equal(do_write(world.ring, world.fd, world.buf, 8192, 0), 8192);
	sl_ring_stats(world.ring, -1, &stats);
	assert_int_equal(stats.short_io, 1);
	sl_sim_fail(world.sim, SL_SIM_SHORT, 0);
	sl_op_read(&op, world.fd, world.buf, 8192, 0)->flags |= SL_OP_PARTIAL;
	assert_in_range(sl_ring_do(world.ring, &op), 1, 8191);
	assert_int_equal(info_of(world.sim).faults[SL_SIM_SHORT], 2);
	end_world(world.sim, world.ring);
}

static void a_failed_sync_is_reported_once_and_has_lost_the_data(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	assert_int_equal(do_write(world.ring, world.fd, "n", 1, 0), 1);
	sl_sim_fail(world.sim, SL_SIM_SYNC_EIO, 0);
	assert_int_equal(do_sync(world.ring, world.fd), -EIO);
	assert_int_equal(do_sync(world.ring, world.fd), 0);
	assert_int_equal(first_byte(&world, 0), 'n');
	assert_int_equal(sl_sim_drop_caches(world.sim, 0), 0);
	assert_int_equal(first_byte(&world, 0), 'o');
	finish(&world, SL_SIM_SYNC_EIO);
}

static void a_direct_read_sees_the_disk_behind_a_cache_that_lies(void **state)
{
	_Alignas(4096) static char block[4096];
	struct world world;
	int direct;

	(void)state;
	begin(&world);
	direct = (int)do_open(world.ring, "f", O_RDWR | O_DIRECT);
	assert_int_equal(do_read(world.ring, direct, block + 1, 512, 0), -EINVAL);
	assert_int_equal(do_read(world.ring, direct, block, 100, 0), -EINVAL);
	assert_int_equal(do_write(world.ring, world.fd, "n", 1, 0), 1);
	sl_sim_fail(world.sim, SL_SIM_SYNC_EIO, 0);
	assert_int_equal(do_sync(world.ring, world.fd), -EIO);
	assert_int_equal(do_read(world.ring, direct, block, 4096, 0), 4096);
	assert_int_equal(block[0], 'o');
	assert_int_equal(first_byte(&world, 0), 'n');
	finish(&world, SL_SIM_SYNC_EIO);
}

static void what_was_written_past_the_cache_and_lost_is_not_in_the_cache(void **state)
{
	_Alignas(4096) static char block[4096];
	struct world world;
	int direct;

	(void)state;
	begin(&world);
	direct = (int)do_open(world.ring, "f", O_RDWR | O_DIRECT);
	memset(block, 'n', sizeof(block));
	assert_int_equal(do_write(world.ring, direct, block, 4096, 0), 4096);
	assert_int_equal(first_byte(&world, 0), 'n');
	sl_sim_fail(world.sim, SL_SIM_SYNC_EIO, 0);
	assert_int_equal(do_sync(world.ring, direct), -EIO);
	assert_int_equal(first_byte(&world, 0), 'o');
	finish(&world, SL_SIM_SYNC_EIO);
}

static unsigned bits_changed(struct world *world, char was)
{
	unsigned nr = 0;

	assert_int_equal(do_read(world->ring, world->fd, world->buf, 8192, 0), 8192);
	for (size_t i = 0; i < 8192; i++)
		nr += (unsigned)__builtin_popcount((unsigned char)(world->buf[i] ^ was));
	return nr;
}

static void bit_rot_flips_one_bit_for_good(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	sl_sim_fail(world.sim, SL_SIM_ROT, 0);
	assert_int_equal(bits_changed(&world, 'o'), 1);
	world.ring = cut_and_restart(world.sim, world.ring);
	world.fd = open_file(world.ring, "f");
	assert_int_equal(bits_changed(&world, 'o'), 1);
	finish(&world, SL_SIM_ROT);
}

static void a_write_gone_astray_keeps_the_old_block_and_hits_another(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	memset(world.buf, 'n', 4096);
	sl_sim_fail(world.sim, SL_SIM_ASTRAY, 0);
	assert_int_equal(do_write(world.ring, world.fd, world.buf, 4096, 0), 4096);
	assert_int_equal(do_sync(world.ring, world.fd), 0);
	assert_int_equal(first_byte(&world, 0), 'n'); /* the cache believes it */
	world.ring = cut_and_restart(world.sim, world.ring);
	world.fd = open_file(world.ring, "f");
	assert_int_equal(first_byte(&world, 0), 'o');
	assert_int_equal(first_byte(&world, 4096), 'n');
	finish(&world, SL_SIM_ASTRAY);
}

static void a_slow_disk_takes_a_hundred_times_as_long(void **state)
{
	struct world world;
	int64_t start;

	(void)state;
	begin(&world);
	sl_sim_fail(world.sim, SL_SIM_SLOW, 0);
	start = info_of(world.sim).now_ns;
	assert_int_equal(first_byte(&world, 0), 'o');
	assert_true(info_of(world.sim).now_ns - start >= 500000);
	start = info_of(world.sim).now_ns;
	assert_int_equal(first_byte(&world, 0), 'o');
	assert_true(info_of(world.sim).now_ns - start < 100000);
	finish(&world, SL_SIM_SLOW);
}

static void a_disk_that_is_full_says_how_much_it_took(void **state)
{
	struct sl_sim *sim = make_world(&(struct sl_sim_opts){ .disk_bytes = 8192 });
	struct sl_ring *ring = ring_on(sim, 0);
	static char buf[20000];
	struct sl_op op = { 0 };
	int fd = open_file(ring, "f");

	(void)state;
	assert_int_equal(sl_ring_do(ring, sl_op_write(&op, fd, buf, sizeof(buf), 0)), -ENOSPC);
	assert_int_equal(op.done_len, 8192);
	end_world(sim, ring);
}

static void faults_strike_by_the_chances_of_the_options(void **state)
{
	struct sl_sim_opts opts = { .seed = 3 };
	struct sl_sim *sim;
	struct sl_ring *ring;
	char byte;
	int fd, failed = 0;

	(void)state;
	opts.faults[SL_SIM_READ_EIO] = 100000;
	sim = make_world(&opts);
	ring = ring_on(sim, 0);
	fd = open_file(ring, "f");
	for (unsigned i = 0; i < 2000; i++)
		failed += do_read(ring, fd, &byte, 1, 0) == -EIO;
	assert_in_range(failed, 140, 260);
	assert_int_equal(info_of(sim).faults[SL_SIM_READ_EIO], failed);
	end_world(sim, ring);
}

static void chances_are_changed_after_setting_up_in_peace(void **state)
{
	uint32_t faults[SL_SIM_FAULTS] = { [SL_SIM_WRITE_EIO] = 1000000 };
	struct sl_sim *sim = world_of(1);
	struct sl_ring *ring = ring_on(sim, 0);
	int fd = open_file(ring, "f");

	(void)state;
	assert_int_equal(do_write(ring, fd, "x", 1, 0), 1);
	sl_sim_chances(sim, faults);
	assert_int_equal(do_write(ring, fd, "x", 1, 0), -EIO);
	sl_sim_chances(sim, NULL);
	assert_int_equal(do_write(ring, fd, "x", 1, 0), 1);
	end_world(sim, ring);
}

static void an_op_asked_to_end_before_it_would_wait_does_not_wait(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct sl_sim *sim = world_of(seed);
		struct sl_ring *ring = ring_on(sim, 0);
		struct sl_op held = { 0 }, op = { 0 };
		int one = open_file(ring, "f"), two = open_file(ring, "f");

		assert_int_equal(sl_ring_do(ring, sl_op_lock(&held, one, F_WRLCK, 0, 0)), 0);
		assert_int_equal(sl_ring_submit(ring, sl_op_lock(&op, two, F_WRLCK, 0, 0)), 0);
		assert_int_equal(sl_ring_flush(ring), 0);
		assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
		assert_int_equal(sl_ring_cancel(ring, &op), 0);
		assert_ptr_equal(sl_ring_next(ring, 0), &op);
		assert_int_equal(op.res, -ECANCELED);
		end_world(sim, ring);
	}
}

static void options_out_of_bounds_are_refused(void **state)
{
	static const struct sl_sim_opts bad[] = {
		{ .flags = 1u << 31 },
		{ .sector = 1000 },
		{ .profile = "fat" },
		{ .link = { 5, 4 } },
		{ .replay = "seed" },
		{ .replay = "seed=1 cut=x" },
		{ .replay = "seed=1,faults=2" },
		{ .replay = "colour=1" },
	};
	struct sl_sim *sim = NULL;
	struct sl_ring *ring;

	(void)state;
	for (size_t i = 0; i < NR(bad); i++)
		assert_int_equal(sl_sim_create(&bad[i], &sim), -EINVAL);
	assert_null(sim);
	sim = world_of(1);
	assert_int_equal(sl_sim_ring_open(sim, SL_SIM_MACHINES, NULL, &ring), -EINVAL);
	assert_int_equal(sl_sim_fail(sim, SL_SIM_FAULTS, 0), -EINVAL);
	sl_sim_destroy(sim);
	sl_sim_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_work_as_files_do),
		TEST(time_passes_only_in_the_world),
		TEST(a_ring_that_can_never_go_on_says_so),
		TEST(work_runs_inline),
		TEST(a_read_fails_once_with_what_was_asked),
		TEST(a_write_that_fails_has_written_nothing),
		TEST(a_transfer_told_to_try_again_is_tried_again_by_the_ring),
		TEST(a_short_transfer_is_continued_by_the_ring),
		TEST(a_failed_sync_is_reported_once_and_has_lost_the_data),
		TEST(a_direct_read_sees_the_disk_behind_a_cache_that_lies),
		TEST(what_was_written_past_the_cache_and_lost_is_not_in_the_cache),
		TEST(bit_rot_flips_one_bit_for_good),
		TEST(a_write_gone_astray_keeps_the_old_block_and_hits_another),
		TEST(a_slow_disk_takes_a_hundred_times_as_long),
		TEST(a_disk_that_is_full_says_how_much_it_took),
		TEST(faults_strike_by_the_chances_of_the_options),
		TEST(chances_are_changed_after_setting_up_in_peace),
		TEST(an_op_asked_to_end_before_it_would_wait_does_not_wait),
		TEST(options_out_of_bounds_are_refused),
	};

	return RUN_TESTS(tests);
}
