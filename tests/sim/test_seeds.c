/*
 * test_seeds.c - the same seed is the same run, in another process too; a failing run is shrunk.
 *
 * With the argument "hash SEED" the program prints the hash of one run, for the
 * test that starts it twice.
 */
#include "fixture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *self;

static void rename_over(struct sl_ring *ring, const char *name)
{
	const struct sl_name_pair pair = { "temp", name, AT_FDCWD, 0 };
	struct sl_op op = { 0 };
	int64_t fd = do_open(ring, "temp", O_RDWR | O_CREAT);

	do_write(ring, (int)fd, name, strlen(name), 0);
	sl_ring_do(ring, sl_op_rename(&op, AT_FDCWD, &pair));
}

/* Two machines, files, syncs, names, a connection, faults of all kinds. */
static void busy_run(struct sl_sim *sim, uint64_t seed)
{
	struct sl_ring *ring = ring_on(sim, 0), *other = ring_on(sim, 1);
	static char buf[20000];
	uint64_t random = seed;
	int fd = open_file(ring, "f");

	for (unsigned i = 0; i < 200; i++) {
		uint64_t dice = support_random(&random);
		struct sl_ring *on = dice & 1 ? ring : other;
		char name[8] = { (char)('a' + dice / 2 % 5) };

		memset(buf, (int)dice, sizeof(buf));
		switch (dice / 64 % 5) {
		case 0:
			do_write(ring, fd, buf, dice % sizeof(buf), dice / 256 % 50000);
			break;
		case 1:
			do_read(ring, fd, buf, dice % sizeof(buf), dice / 256 % 50000);
			break;
		case 2:
			do_sync(ring, fd);
			break;
		case 3:
			rename_over(on, name);
			break;
		default:
			do_open(on, name, O_RDWR | O_CREAT);
		}
	}
	sl_ring_close(other);
	sl_ring_close(ring);
}

static uint64_t hash_of(uint64_t seed)
{
	struct sl_sim_opts opts = { .seed = seed, .cut_max = 1500 };
	struct sl_sim *sim;
	uint64_t hash;

	for (unsigned i = 0; i < SL_SIM_FAULTS; i++)
		opts.faults[i] = 20000;
	opts.faults[SL_SIM_SYNC_EIO] = 0; /* a failed first open would fail the fixture */
	opts.faults[SL_SIM_NO_SPACE] = 0;
	sim = make_world(&opts);
	busy_run(sim, seed);
	hash = info_of(sim).hash;
	sl_sim_destroy(sim);
	return hash;
}

static uint64_t hash_in_another_process(uint64_t seed)
{
	char command[512], line[64] = "";
	FILE *out;

	snprintf(command, sizeof(command), "'%s' hash %" PRIu64, self, seed);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(line, sizeof(line), out));
	assert_int_equal(pclose(out), 0);
	return strtoull(line, NULL, 16);
}

static void the_same_seed_is_the_same_run_in_every_process(void **state)
{
	uint64_t before = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		uint64_t hash = hash_in_another_process(seed);

		assert_int_equal(hash, hash_in_another_process(seed));
		assert_int_equal(hash, hash_of(seed));
		assert_int_not_equal(hash, before);
		before = hash;
	}
}

struct lines {
	unsigned nr;
	char last[256];
	uint64_t hash;
};

static void keep_line(void *ctx, const char *line)
{
	struct lines *lines = ctx;

	lines->nr++;
	for (const char *at = line; *at; at++)
		lines->hash = (lines->hash ^ (unsigned char)*at) * 0x100000001b3u;
	snprintf(lines->last, sizeof(lines->last), "%s", line);
}

static void the_text_of_a_run_is_the_same_byte_for_byte(void **state)
{
	struct lines lines[2] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sl_sim *sim = make_world(&(struct sl_sim_opts){
			.seed = 11, .trace = keep_line, .trace_ctx = &lines[i] });

		busy_run(sim, 11);
		assert_int_equal(lines[i].nr, info_of(sim).ops);
		sl_sim_destroy(sim);
	}
	assert_int_equal(lines[0].nr, lines[1].nr);
	assert_int_equal(lines[0].hash, lines[1].hash);
	assert_non_null(strstr(lines[0].last, " us m"));
}

/* ---- shrinking
 * ------------------------------------------------------------------------------------ */

/* Fails if any read failed with EIO while bytes of 'x' were written before. */
static int reads_must_not_fail(struct sl_sim *sim, void *ctx)
{
	struct sl_ring *ring = ring_on(sim, 0);
	int64_t fd = do_open(ring, "f", O_RDWR | O_CREAT);
	char byte = 'x';
	int failed = 0;

	++*(unsigned *)ctx;
	for (unsigned i = 0; i < 100; i++) {
		do_write(ring, (int)fd, &byte, 1, i);
		failed |= do_read(ring, (int)fd, &byte, 1, i) == -EIO && sl_sim_has_power(sim, 0);
	}
	sl_ring_close(ring);
	return failed;
}

static void a_failing_run_is_shrunk_to_the_fault_that_matters(void **state)
{
	struct sl_sim_opts opts = { .seed = 1 };
	char line[256], again[256];
	unsigned runs = 0;

	(void)state;
	opts.faults[SL_SIM_READ_EIO] = 30000;
	opts.faults[SL_SIM_WRITE_EIO] = 50000;
	opts.faults[SL_SIM_SHORT] = 100000;
	opts.faults[SL_SIM_SLOW] = 50000;
	assert_int_equal(sl_sim_search(&opts, 50, reads_must_not_fail, &runs, line, sizeof(line)),
			 1);
	assert_non_null(strstr(line, "seed="));
	assert_non_null(strstr(line, " faults="));
	assert_null(strchr(line, ',')); /* one fault is enough */
	opts.replay = line;
	assert_int_equal(sl_sim_shrink(&opts, reads_must_not_fail, &runs, again, sizeof(again)), 0);
	assert_string_equal(again, line);
	opts.replay = "seed=1 faults=-";
	assert_int_equal(sl_sim_shrink(&opts, reads_must_not_fail, &runs, again, sizeof(again)),
			 -ENOENT);
	opts.replay = NULL;
	assert_int_equal(sl_sim_search(&opts, 50, reads_must_not_fail, &runs, again, 4), -ENOBUFS);
}

/* Fails when the cut comes after the 10th op. */
static int cut_must_come_early(struct sl_sim *sim, void *ctx)
{
	struct sl_ring *ring = ring_on(sim, 0);
	int64_t fd = do_open(ring, "f", O_RDWR | O_CREAT);
	unsigned nr = 0;

	(void)ctx;
	while (nr < 100 && do_write(ring, (int)fd, "x", 1, 0) == 1)
		nr++;
	sl_ring_close(ring);
	return nr < 100 && nr >= 10;
}

static void a_power_cut_is_moved_to_the_earliest_op_that_fails(void **state)
{
	const struct sl_sim_opts opts = { .seed = 5, .cut_max = 100 };
	char line[256];

	(void)state;
	assert_int_equal(sl_sim_search(&opts, 50, cut_must_come_early, NULL, line, sizeof(line)),
			 1);
	assert_non_null(strstr(line, " cut=11"));
}

static void a_run_named_by_the_environment_is_made_alone(void **state)
{
	struct sl_sim_opts opts = { .seed = 1 };
	char line[256];
	unsigned runs = 0;

	(void)state;
	opts.faults[SL_SIM_READ_EIO] = 1000000;
	assert_int_equal(setenv("SLUICE_SIM", "seed=77", 1), 0);
	assert_int_equal(sl_sim_search(&opts, 50, reads_must_not_fail, &runs, line, sizeof(line)),
			 1);
	assert_int_equal(runs, 1);
	assert_int_equal(strncmp(line, "seed=77", 7), 0);
	unsetenv("SLUICE_SIM");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_seed_is_the_same_run_in_every_process),
		TEST(the_text_of_a_run_is_the_same_byte_for_byte),
		TEST(a_failing_run_is_shrunk_to_the_fault_that_matters),
		TEST(a_power_cut_is_moved_to_the_earliest_op_that_fails),
		TEST(a_run_named_by_the_environment_is_made_alone),
	};

	self = argv[0];
	if (argc == 3) {
		printf("%" PRIx64 "\n", hash_of(strtoull(argv[2], NULL, 0)));
		return 0;
	}
	return RUN_TESTS(tests);
}
