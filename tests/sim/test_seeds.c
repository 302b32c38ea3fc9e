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

#define AT_ONCE 8
#define PORT	7

/* Outlives the run, since a ring that has no power may keep them. */
struct ops {
	struct sl_op many[AT_ONCE];
	struct sl_op accept;
	struct sl_op connect;
	struct sl_op send;
	struct sl_op recv;
	char bytes[AT_ONCE][512];
	int client;
	int server;
};

/* Several at a time: in which order they end is the seed's to say. Return: that order. */
static uint64_t many_at_once(struct sl_ring *ring, struct ops *ops, int fd, uint64_t dice)
{
	const struct sl_op *op;
	uint64_t order = 0;

	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct sl_op *one = &ops->many[i];

		if (dice >> i & 1)
			sl_op_write(one, fd, ops->bytes[i], 512, 512 * (dice >> i * 4 & 15));
		else
			sl_op_read(one, fd, ops->bytes[i], 512, 512 * (dice >> i * 4 & 15));
		sl_ring_submit(ring, one);
	}
	while ((op = sl_ring_next(ring, 0)))
		order = order * AT_ONCE + (uint64_t)(op - ops->many);
	return order;
}

static void nothing(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
}

/* Started, and told to nobody. */
static void start(struct sl_ring *ring, struct sl_op *op)
{
	if (sl_op_busy(op))
		return;
	op->done = nothing;
	sl_ring_submit(ring, op);
}

/* From machine 0 to machine 1; a link that loses all of it makes no connection. */
static void join(struct sl_sim *sim, struct ops *ops, struct sl_ring *ring, struct sl_ring *other)
{
	struct sockaddr_in address;
	struct sl_op op = { 0 };
	int listener = (int)sl_ring_do(other, sl_op_socket(&op, AF_INET, SOCK_STREAM, 0));

	sl_sim_address(1, PORT, &address);
	sl_ring_do(other,
		   sl_op_bind(&op, listener, (const struct sockaddr *)&address, sizeof(address)));
	sl_ring_do(other, sl_op_listen(&op, listener, 5));
	ops->client = (int)sl_ring_do(ring, sl_op_socket(&op, AF_INET, SOCK_STREAM, 0));
	start(other, sl_op_accept(&ops->accept, listener, NULL, NULL, 0));
	start(ring, sl_op_connect(&ops->connect, ops->client, (const struct sockaddr *)&address,
				  sizeof(address)));
	sl_sim_run(sim, sl_ring_clock(ring) + SECOND);
	ops->server = sl_op_busy(&ops->accept) ? -1 : (int)ops->accept.res;
}

static void talk(struct sl_sim *sim, struct ops *ops, struct sl_ring *ring, struct sl_ring *other)
{
	if (!sl_op_busy(&ops->send))
		start(ring, sl_op_send(&ops->send, ops->client, "hello", 5, 0));
	if (!sl_op_busy(&ops->recv) && ops->server >= 0)
		start(other, sl_op_recv(&ops->recv, ops->server, ops->bytes[0], 512, 0));
	sl_sim_run(sim, sl_ring_clock(ring) + MS);
}

/* What the cut has left is part of the run, too. */
static struct sl_ring *look_again(struct sl_sim *sim, struct sl_ring *ring)
{
	static char buf[20000];
	int64_t fd;

	if (sl_sim_has_power(sim, 0))
		sl_sim_power_cut(sim, 0);
	sl_ring_close(ring);
	assert_int_equal(sl_sim_restart(sim, 0), 0);
	ring = ring_on(sim, 0);
	fd = do_open(ring, "f", O_RDWR | O_CREAT);
	for (unsigned i = 0; i < 5; i++)
		do_read(ring, (int)fd, buf, sizeof(buf), i * sizeof(buf));
	for (char name[2] = "a"; name[0] < 'f'; name[0]++)
		do_open(ring, name, O_RDONLY);
	return ring;
}

/* Two machines, files, syncs, names, many ops at once, a connection, faults of all kinds, a power
 * cut and what it has left. Return: the orders in which what was begun at once has ended. */
static uint64_t busy_run(struct sl_sim *sim, uint64_t seed)
{
	struct sl_ring *ring = ring_on(sim, 0), *other = ring_on(sim, 1);
	static char buf[20000];
	static struct ops ops;
	uint64_t random = seed, orders = 0;
	int fd = (int)do_open(ring, "f", O_RDWR | O_CREAT);

	ops = (struct ops){ 0 };
	join(sim, &ops, ring, other);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t dice = support_random(&random);
		struct sl_ring *on = dice & 1 ? ring : other;
		char name[8] = { (char)('a' + dice / 2 % 5) };

		memset(buf, (int)dice, sizeof(buf));
		switch (dice / 64 % 7) {
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
		case 4:
			orders = orders * 31 + many_at_once(ring, &ops, fd, dice / 512);
			break;
		case 5:
			talk(sim, &ops, ring, other);
			break;
		default:
			do_open(on, name, O_RDWR | O_CREAT);
		}
	}
	ring = look_again(sim, ring);
	sl_ring_close(other);
	sl_ring_close(ring);
	return orders;
}

static struct sl_sim *faulty_world(uint64_t seed)
{
	struct sl_sim_opts opts = { .seed = seed,
				    .cut_max = 1000,
				    .profile = profiles[seed % NR(profiles)] };

	for (unsigned i = 0; i < SL_SIM_FAULTS; i++)
		opts.faults[i] = 20000;
	return make_world(&opts);
}

static uint64_t hash_of(uint64_t seed)
{
	struct sl_sim *sim = faulty_world(seed);
	uint64_t hash;

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
	for (uint64_t seed = 1; seed <= 12; seed++) {
		uint64_t hash = hash_in_another_process(seed);

		assert_int_equal(hash, hash_in_another_process(seed));
		assert_int_equal(hash, hash_of(seed));
		assert_int_not_equal(hash, before);
		before = hash;
	}
}

/* Nothing fails and nothing else differs: only the order that the seed gives. */
static void another_seed_is_another_order(void **state)
{
	uint64_t orders[2];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct sl_sim *sim = make_world(&(struct sl_sim_opts){ .seed = 1 + i / 2 });

		orders[i % 2] = busy_run(sim, 5);
		sl_sim_destroy(sim);
		if (i == 1)
			assert_true(orders[0] == orders[1] && orders[0]);
	}
	assert_int_not_equal(orders[0], orders[1]);
}

/* The faults that strike in the runs of this file; a test of hashes says nothing of others. */
static void every_fault_strikes_in_some_run(void **state)
{
	uint64_t struck[SL_SIM_FAULTS] = { 0 }, cuts = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct sl_sim *sim = faulty_world(seed);
		struct sl_sim_info info;

		busy_run(sim, seed);
		info = info_of(sim);
		for (unsigned i = 0; i < SL_SIM_FAULTS; i++)
			struck[i] += info.faults[i];
		cuts += info.cuts;
		sl_sim_destroy(sim);
	}
	for (unsigned i = 0; i < SL_SIM_FAULTS; i++)
		assert_true(struck[i]);
	assert_true(cuts >= 12);
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
		/* A line for each op, one for the cut and one for the restart. */
		assert_int_equal(lines[i].nr, info_of(sim).ops + 2);
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
		TEST(another_seed_is_another_order),
		TEST(every_fault_strikes_in_some_run),
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
