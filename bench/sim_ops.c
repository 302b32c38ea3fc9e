/*
 * sim_ops.c - how many simulated operations one core carries out in a second.
 *
 * CPU time, since the wall clock counts the neighbours too. Three loads, each kept
 * 32 ops deep: reads and writes of 4 KiB in a file of 1 MiB; the same with a
 * durable write now and then; and small writes each
 * followed by a sync. Medians of several runs, with the spread from the lowest to the
 * highest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sluice/ring.h>
#include <sluice/sim.h>

#define DEPTH	   32
#define OPS	   400000
#define RUNS	   9
#define FILE_PAGES 256
#define PAGE	   4096

struct load {
	const char *name;
	struct sl_op *(*next)(struct sl_op *op, int fd, unsigned nr);
};

struct bench {
	const struct load *load;
	int fd;
	unsigned started, ended;
};

static char page[DEPTH][PAGE];
static struct sl_op ops[DEPTH];

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t place(unsigned nr)
{
	return (uint64_t)(nr * 2654435761u >> 8) % FILE_PAGES * PAGE;
}

static struct sl_op *mixed(struct sl_op *op, int fd, unsigned nr)
{
	if (nr % 2)
		return sl_op_read(op, fd, page[op - ops], PAGE, place(nr));
	return sl_op_write(op, fd, page[op - ops], PAGE, place(nr));
}

static struct sl_op *durable(struct sl_op *op, int fd, unsigned nr)
{
	return nr % 16 ? mixed(op, fd, nr) : sl_op_fdatasync(op, fd);
}

static struct sl_op *small(struct sl_op *op, int fd, unsigned nr)
{
	if (nr % 2)
		return sl_op_fdatasync(op, fd);
	return sl_op_write(op, fd, page[op - ops], 100, place(nr));
}

static const struct load loads[] = {
	{ "reads and writes of 4 KiB", mixed },
	{ "... with a sync in 16", durable },
	{ "100 bytes and a sync", small },
};

static void again(struct sl_ring *ring, struct sl_op *op)
{
	struct bench *bench = op->user;

	if (op->res < 0)
		abort();
	bench->ended++;
	if (bench->started < OPS &&
	    sl_ring_submit(ring, bench->load->next(op, bench->fd, bench->started++)))
		abort();
}

static int open_file(struct sl_ring *ring)
{
	const struct sl_open_how how = { .flags = O_RDWR | O_CREAT, .mode = 0600 };
	struct sl_op op = { 0 };
	int fd = (int)sl_ring_do(ring, sl_op_open(&op, AT_FDCWD, "f", &how));

	if (fd < 0 || sl_ring_do(ring, sl_op_truncate(&op, fd, FILE_PAGES * PAGE)))
		abort();
	return fd;
}

/* Simulated ops in a second of CPU time. */
static double run(const struct load *load, unsigned seed)
{
	const struct sl_sim_opts opts = { .seed = seed, .profile = "ext4" };
	struct bench bench = { .load = load };
	struct sl_sim *sim;
	struct sl_ring *ring;
	double start;

	if (sl_sim_create(&opts, &sim) || sl_sim_ring_open(sim, 0, NULL, &ring))
		abort();
	bench.fd = open_file(ring);
	start = cpu_seconds();
	for (unsigned i = 0; i < DEPTH; i++) {
		ops[i] = (struct sl_op){ .done = again, .user = &bench };
		if (sl_ring_submit(ring, load->next(&ops[i], bench.fd, bench.started++)))
			abort();
	}
	while (bench.ended < OPS)
		sl_ring_run(ring, 0);
	start = cpu_seconds() - start;
	sl_ring_close(ring);
	sl_sim_destroy(sim);
	return OPS / start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	double rates[RUNS];

	printf("simulated operations in a second of one core, want >= 1 M; median of %d (lowest .. "
	       "highest)\n",
	       RUNS);
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		for (unsigned r = 0; r < RUNS; r++)
			rates[r] = run(&loads[i], r + 1);
		qsort(rates, RUNS, sizeof(rates[0]), compare);
		printf("%-28s %5.2f M (%.2f .. %.2f)\n", loads[i].name, rates[RUNS / 2] / 1e6,
		       rates[0] / 1e6, rates[RUNS - 1] / 1e6);
	}
	return 0;
}
