/* kv_sim.c - a tiny key-value store, and the simulator that finds the sync it forgot. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sluice/sluice.h>
#include <sluice/sim.h>

#define KEYS 4

/* The store: one file of all values, replaced as a whole by each put. */
struct store {
	struct sl_ring *ring;
	int value[KEYS];
	int careful; /* sync before the rename */
};

static int64_t open_at(struct store *store, const char *path, uint64_t flags)
{
	const struct sl_open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0600 : 0 };
	struct sl_op op = { 0 };

	return sl_ring_do(store->ring, sl_op_open(&op, AT_FDCWD, path, &how));
}

static void load(struct store *store)
{
	int64_t fd = open_at(store, "values", O_RDONLY);
	struct sl_op op = { 0 };

	memset(store->value, 0, sizeof(store->value));
	if (fd >= 0)
		sl_ring_do(store->ring,
			   sl_op_read(&op, (int)fd, store->value, sizeof(store->value), 0));
}

/* >= 0: the value is stored, whatever happens from now on. */
static int64_t put(struct store *store, int key, int value)
{
	const struct sl_name_pair pair = { "values.new", "values", AT_FDCWD, 0 };
	int64_t fd = open_at(store, "values.new", O_WRONLY | O_CREAT | O_TRUNC);
	int64_t dir = open_at(store, "/", O_RDONLY | O_DIRECTORY), err = fd < 0 ? fd : dir;
	struct sl_op op = { 0 };

	store->value[key] = value;
	if (err >= 0)
		err = sl_ring_do(store->ring,
				 sl_op_write(&op, (int)fd, store->value, sizeof(store->value), 0));
	if (err >= 0 && store->careful)
		err = sl_ring_do(store->ring, sl_op_fdatasync(&op, (int)fd));
	if (err >= 0)
		err = sl_ring_do(store->ring, sl_op_rename(&op, AT_FDCWD, &pair));
	if (err >= 0)
		err = sl_ring_do(store->ring, sl_op_sync_dir(&op, (int)dir));
	return err;
}

/* One run: puts until the power fails, and then a look. 0: nothing is missing. */
static int run(struct sl_sim *sim, void *ctx)
{
	struct store store = { .careful = *(int *)ctx };
	int acked[KEYS] = { 0 }, tried[KEYS] = { 0 }, missing = 0;

	sl_sim_ring_open(sim, 0, NULL, &store.ring);
	for (int i = 1; sl_sim_has_power(sim, 0); i++) {
		tried[i % KEYS] = i;
		if (put(&store, i % KEYS, i) >= 0)
			acked[i % KEYS] = i;
	}
	sl_ring_close(store.ring);
	sl_sim_restart(sim, 0);
	sl_sim_ring_open(sim, 0, NULL, &store.ring);
	load(&store);
	for (int i = 0; i < KEYS; i++)
		missing |= store.value[i] != acked[i] && store.value[i] != tried[i];
	sl_ring_close(store.ring);
	return missing;
}

int main(int argc, char **argv)
{
	int careful = argc > 1 && strcmp(argv[1], "--careful") == 0;
	const struct sl_sim_opts opts = { .profile = "xfs", .cut_max = 100 };
	char line[256];

	if (sl_sim_search(&opts, 1000, run, &careful, line, sizeof(line)) == 0)
		return puts("1000 power cuts, nothing lost"), 0;
	printf("lost an acknowledged value: SLUICE_SIM='%s' %s\n", line, argv[0]);
	return 1;
}
