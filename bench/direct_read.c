/*
 * Direct 4 KiB random reads at depth 32: sluice against fio and against the bare ring.
 *
 * All use registered buffers and a registered file, and read the same nameless
 * file. fio is run as it comes, with each of its batching options that helped, and
 * without its clocks; sluice as it comes, and gathering a batch. The bare ring is the floor:
 * the same entries without an engine above them.
 *
 * Usage: bench_direct_read [DIRECTORY [SECONDS [ROUNDS]]]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

#include "backend/uring/queue.h"
#include "fio.h"
#include "pairs.h"
#include "scratch.h"

#define BLOCK	  4096
#define DEPTH	  32
#define FILE_SIZE (256 << 20)

struct job {
	struct scratch file;
	int fd;
	uint64_t block_ns;
	uint64_t random;
};

static uint64_t next_off(struct job *job)
{
	return (pairs_random(&job->random) >> 32) * (FILE_SIZE / BLOCK) >> 32 << 12;
}

/* ---- sluice ----------------------------------------------------------------------- */

struct own {
	struct job *job;
	struct sl_ring *ring;
	struct sl_buf_pool *pool;
	struct sl_op ops[DEPTH];
	uint64_t done;
	bool stopping;
	bool failed;
};

static void read_done(struct sl_ring *ring, struct sl_op *op)
{
	struct own *own = op->user;

	own->done++;
	if (op->res != BLOCK)
		own->failed = own->stopping = true;
	if (own->stopping)
		return;
	op->off = next_off(own->job);
	if (sl_ring_submit(ring, op))
		own->failed = true;
}

static int own_run(void *ctx, struct pairs_cost *ret_cost)
{
	struct own *own = ctx;
	struct pairs_cost begin = pairs_watch();
	int64_t end_ns = sl_ring_clock(own->ring) + (int64_t)own->job->block_ns;

	own->stopping = own->failed = false;
	own->done = 0;
	for (unsigned i = 0; i < DEPTH; i++) {
		own->ops[i].off = next_off(own->job);
		if (sl_ring_submit(own->ring, &own->ops[i]))
			return -1;
	}
	while (sl_ring_inflight(own->ring)) {
		if (sl_ring_run(own->ring, 0) < 0)
			return -1;
		if (sl_ring_now(own->ring) >= end_ns)
			own->stopping = true;
	}
	*ret_cost = pairs_cost_since(&begin, own->done);
	return own->failed;
}

static int own_open(struct own *own, struct job *job, uint32_t wait_batch)
{
	const struct sl_ring_opts opts = {
		.backend = "uring",
		.flags = SL_RING_NO_FALLBACK,
		.wait_batch = wait_batch,
		.wait_ns = wait_batch ? 1000000 : 0,
	};
	const struct sl_buf_pool_opts shape = { .count = DEPTH, .buf_bytes = BLOCK };
	int err = sl_ring_open(&opts, &own->ring);

	own->job = job;
	if (!err)
		err = sl_buf_pool_create(own->ring, &shape, &own->pool);
	if (!err)
		err = sl_ring_keep(own->ring, job->fd);
	for (unsigned i = 0; !err && i < DEPTH; i++) {
		sl_op_read(&own->ops[i], job->fd, sl_buf_get(own->pool), BLOCK, 0);
		own->ops[i].done = read_done;
		own->ops[i].user = own;
	}
	return err;
}

static void own_close(struct own *own)
{
	if (own->ring)
		sl_ring_unkeep(own->ring, own->job->fd);
	sl_buf_pool_destroy(own->pool);
	sl_ring_close(own->ring);
}

static void own_print_calls(const char *name, const struct own *own)
{
	struct sl_ring_stats stats;

	sl_ring_stats(own->ring, -1, &stats);
	printf("direct_read: system calls per read, %s: %.3f\n", name,
	       (double)stats.enters / (double)stats.completed);
}

/* ---- the bare ring ------------------------------------------------------------------ */

struct bare {
	struct job *job;
	struct uring_queue q;
	unsigned char *memory;
	uint64_t done;
};

static void bare_push(struct bare *bare, uint64_t idx)
{
	uring_queue_push(&bare->q, &(struct sl_uring_sqe){
					   .opcode = SL_URING_OP_READ_FIXED,
					   .flags = SL_URING_SQE_FIXED_FILE,
					   .off = next_off(bare->job),
					   .addr = (uintptr_t)(bare->memory + idx * BLOCK),
					   .len = BLOCK,
					   .user_data = idx,
				   });
}

static int bare_run(void *ctx, struct pairs_cost *ret_cost)
{
	const struct uring_queue_wait wait = { .nr = 1 };
	struct bare *bare = ctx;
	struct pairs_cost begin = pairs_watch();
	double end_ns = begin.wall_ns + (double)bare->job->block_ns;
	unsigned inflight = DEPTH;
	uint64_t done = 0;
	bool stopping = false;

	for (unsigned i = 0; i < DEPTH; i++)
		bare_push(bare, i);
	while (inflight) {
		if (uring_queue_submit(&bare->q, &wait) < 0)
			return -1;
		for (const struct sl_uring_cqe *cqe; (cqe = uring_queue_peek(&bare->q)); done++) {
			uint64_t idx = cqe->user_data;

			if (cqe->res != BLOCK)
				return -1;
			uring_queue_seen(&bare->q, 1);
			if (stopping)
				inflight--;
			else
				bare_push(bare, idx);
		}
		stopping = pairs_watch().wall_ns >= end_ns;
	}
	bare->done += done;
	*ret_cost = pairs_cost_since(&begin, done);
	return 0;
}

static int bare_open(struct bare *bare, struct job *job)
{
	const struct uring_queue_opts opts = {
		.sq_entries = 128,
		.cq_entries = 512,
		.flags_wanted = URING_QUEUE_WANT,
	};
	struct iovec iov = { NULL, DEPTH * BLOCK };
	int err = uring_queue_open(&bare->q, &opts, NULL);

	bare->job = job;
	bare->memory = aligned_alloc(BLOCK, DEPTH * BLOCK);
	if (!bare->memory)
		return -ENOMEM;
	memset(bare->memory, 1, DEPTH * BLOCK);
	iov.iov_base = bare->memory;
	if (!err)
		err = uring_queue_register(&bare->q, SL_URING_REGISTER_BUFFERS, &iov, 1);
	if (err >= 0)
		err = uring_queue_register(&bare->q, SL_URING_REGISTER_FILES, &job->fd, 1);
	return err < 0 ? err : 0;
}

static void bare_close(struct bare *bare)
{
	uring_queue_close(&bare->q);
	free(bare->memory);
}

/* ---- all of them -------------------------------------------------------------------- */

enum {
	OWN,
	OWN_BATCH,
	BARE,
	FIO,
	FIO_BATCH,
	FIO_BATCH_NR = 3,
	FIO_LEAN = FIO_BATCH + FIO_BATCH_NR,
	NR
};

static const char *const fio_extra[NR] = {
	[FIO] = "",
	[FIO_BATCH] = "--iodepth_batch_submit=16 --iodepth_batch_complete_min=1 "
		      "--iodepth_batch_complete_max=32",
	[FIO_BATCH + 1] = "--iodepth_batch_submit=8 --iodepth_batch_complete_min=8 "
			  "--iodepth_batch_complete_max=32",
	[FIO_BATCH + 2] = "--iodepth_batch_submit=16 --iodepth_batch_complete_min=16 "
			  "--iodepth_batch_complete_max=32",
	[FIO_LEAN] = "--iodepth_batch_submit=16 --iodepth_batch_complete_min=16 "
		     "--iodepth_batch_complete_max=32 --gtod_reduce=1",
};

static const char *const names[NR] = {
	[OWN] = "sluice",
	[OWN_BATCH] = "sluice, batch 16",
	[BARE] = "bare ring",
	[FIO] = "fio",
	[FIO_BATCH] = "fio, submit 16",
	[FIO_BATCH + 1] = "fio, submit 8, reap 8",
	[FIO_BATCH + 2] = "fio, submit 16, reap 16",
	[FIO_LEAN] = "fio, submit 16, reap 16, no clocks",
};

static void fio_options(char *line, size_t size, const struct job *job, const char *extra)
{
	snprintf(line, size,
		 "--name=job --thread --filename=%s --size=%d --ioengine=io_uring --direct=1 "
		 "--fixedbufs=1 --registerfiles=1 --rw=randread --bs=%d --iodepth=%d --norandommap "
		 "--randrepeat=0 --time_based --runtime=%llums --output-format=json %s",
		 job->file.path, FILE_SIZE, BLOCK, DEPTH,
		 (unsigned long long)job->block_ns / 1000000, extra);
}

static void add(struct pairs *p, int (*run)(void *, struct pairs_cost *), void *ctx)
{
	p->contenders[p->nr] = (struct pairs_contender){ names[p->nr], run, ctx };
	p->nr++;
}

static void report(const struct pairs *p)
{
	const struct pairs_target cpu = { PAIRS_AT_MOST, 0.8, 0 };
	const struct pairs_target rate = { PAIRS_AT_LEAST, 1, 0.03 };
	const struct pairs_target none = { PAIRS_NONE, 0, 0 };
	unsigned best = FIO_BATCH;

	pairs_print_costs(p);
	pairs_print_cpu(p, OWN, BARE, &none);
	if (p->nr > FIO) {
		for (unsigned i = FIO_BATCH; i < FIO_LEAN; i++)
			if (pairs_median(p, i).median < pairs_median(p, best).median)
				best = i;
		pairs_print_cpu(p, OWN, FIO, &cpu);
		pairs_print_rate(p, OWN, FIO, &rate);
		pairs_print_cpu(p, OWN_BATCH, best, &cpu);
		pairs_print_rate(p, OWN_BATCH, best, &rate);
		pairs_print_cpu(p, OWN, best, &none);
		pairs_print_cpu(p, OWN_BATCH, FIO_LEAN, &none);
	}
	pairs_print_machine(p);
}

static void add_fio(struct pairs *p, const struct job *job)
{
	static char lines[NR][1024];
	static struct fio_job fio[NR];

	if (!fio_found()) {
		printf("direct_read: fio is not here: skipped, see scripts/packages/bench.txt\n");
		return;
	}
	for (unsigned i = FIO; i < NR; i++) {
		fio_options(lines[i], sizeof(lines[i]), job, fio_extra[i]);
		fio[i].options = lines[i];
		add(p, fio_run, &fio[i]);
	}
}

static int compare(struct pairs *p, struct own own[2], struct bare *bare, const struct job *job)
{
	add(p, own_run, &own[0]);
	add(p, own_run, &own[1]);
	add(p, bare_run, bare);
	add_fio(p, job);
	if (pairs_run(p))
		return 4;
	report(p);
	own_print_calls(names[OWN], &own[0]);
	own_print_calls(names[OWN_BATCH], &own[1]);
	printf("direct_read: system calls per read, %s: %.3f\n", names[BARE],
	       (double)bare->q.enters / (double)bare->done);
	return 0;
}

static int measure(struct pairs *p, struct job *job)
{
	static struct own own[2];
	static struct bare bare;
	int err = own_open(&own[0], job, 0);

	if (!err)
		err = own_open(&own[1], job, 16);
	if (!err)
		err = bare_open(&bare, job);
	if (err)
		printf("direct_read: no io_uring here: skipped: %s\n", sl_err_text(err));
	else
		err = compare(p, own, &bare, job);
	own_close(&own[0]);
	own_close(&own[1]);
	bare_close(&bare);
	return err > 0 ? err : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_direct_read [DIRECTORY [SECONDS [ROUNDS]]]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct pairs p = { .title = "direct_read" };
	static struct job job;
	int err;

	job.block_ns = (uint64_t)((argc > 2 ? atof(argv[2]) : 1) * 1e9);
	p.rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 13;
	if (!job.block_ns || !p.rounds || p.rounds > PAIRS_ROUNDS_MAX)
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	pairs_pin(p.title);
	err = scratch_make(&job.file, argc > 1 ? argv[1] : ".", FILE_SIZE);
	if (err)
		return 4;
	job.fd = open(job.file.path, O_RDONLY | O_DIRECT | O_CLOEXEC | O_NOATIME); /* as fio */
	if (job.fd < 0) {
		printf("direct_read: no direct I/O here: skipped: %s\n", strerror(errno));
		scratch_close(&job.file);
		return 0;
	}
	scratch_cool(&job.file);
	err = measure(&p, &job);
	close(job.fd);
	scratch_close(&job.file);
	return err;
}
