/*
 * What the ring costs over a raw io_uring loop: nops in batches of 32, both in one process.
 *
 * Blocks of about 20 ms of one and the other follow each other in pairs, in random
 * order within a pair, so that a noisy neighbour meets both. What is reported is
 * the median over the pairs with a 95 % interval from the order statistics.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <sluice/sluice.h>

#include "backend/uring/queue.h"

#define BATCH	   32
#define BATCHES	   6000
#define PAIRS	   61 /* odd: the median is one of them */
#define PAIRS_WARM 3

/* 95 % of the binomial distribution with n = 61, p = 1/2 lies within 22 .. 38. */
#define RANK_LOW  22
#define RANK_HIGH 38

struct bench {
	struct uring_queue raw;
	struct sl_ring *ring;
	struct sl_op ops[BATCH];
	unsigned done;
};

/* This thread's CPU time: the wall clock counts the neighbours too. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool run_raw(struct bench *b)
{
	const struct uring_queue_wait wait = { .nr = BATCH };

	for (unsigned n = 0; n < BATCHES; n++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < BATCH; i++)
			uring_queue_push(&b->raw, &(struct sl_uring_sqe){
							  .opcode = SL_URING_OP_NOP,
							  .user_data = i,
						  });
		if (uring_queue_submit(&b->raw, &wait) != BATCH)
			return false;
		while (uring_queue_peek(&b->raw)) {
			seen += uring_queue_peek(&b->raw)->user_data < BATCH;
			uring_queue_seen(&b->raw, 1);
		}
		if (seen != BATCH)
			return false;
	}
	return true;
}

static void count(struct sl_ring *ring, struct sl_op *op)
{
	struct bench *b = op->user;

	(void)ring;
	b->done++;
}

static bool run_sluice(struct bench *b)
{
	for (unsigned n = 0; n < BATCHES; n++) {
		b->done = 0;
		for (unsigned i = 0; i < BATCH; i++)
			if (sl_ring_submit(b->ring, &b->ops[i]))
				return false;
		while (b->done < BATCH)
			if (sl_ring_run(b->ring, 0) < 0)
				return false;
	}
	return true;
}

/* ns per operation of one block, negative if it failed. */
static double measure(struct bench *b, bool (*run)(struct bench *))
{
	uint64_t begin_ns = cpu_ns();

	if (!run(b))
		return -1;
	return (double)(cpu_ns() - begin_ns) / ((double)BATCH * BATCHES);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *values, const char *unit)
{
	qsort(values, PAIRS, sizeof(*values), ascending);
	printf("  %-28s %7.2f%s  [%.2f, %.2f]\n", what, values[PAIRS / 2], unit, values[RANK_LOW],
	       values[RANK_HIGH]);
}

static int compare(struct bench *b)
{
	static double raw[PAIRS], sluice[PAIRS], ratio[PAIRS], difference[PAIRS];

	for (int i = -PAIRS_WARM; i < PAIRS; i++) {
		bool raw_first = rand() & 1 << 7;
		double first = measure(b, raw_first ? run_raw : run_sluice);
		double second = measure(b, raw_first ? run_sluice : run_raw);

		if (first < 0 || second < 0)
			return 1;
		if (i < 0)
			continue;
		raw[i] = raw_first ? first : second;
		sluice[i] = raw_first ? second : first;
		ratio[i] = sluice[i] / raw[i];
		difference[i] = sluice[i] - raw[i];
	}
	printf("nop at batch %d, CPU time, median of %d pairs of blocks [95 %% interval]:\n", BATCH,
	       PAIRS);
	print("raw io_uring loop", raw, " ns/op");
	print("sluice", sluice, " ns/op");
	print("ratio", ratio, "      ");
	print("difference (at most 25)", difference, " ns/op");
	return 0;
}

static void print_calls(const struct bench *b)
{
	const double ops = (double)(PAIRS + PAIRS_WARM) * BATCHES * BATCH;
	struct sl_ring_stats stats;

	sl_ring_stats(b->ring, -1, &stats);
	printf("  system calls per op: raw %.5f, sluice %.5f\n", (double)b->raw.enters / ops,
	       (double)stats.enters / ops);
}

static int open_both(struct bench *b)
{
	const struct uring_queue_opts raw_opts = {
		.sq_entries = 128,
		.cq_entries = 512,
		.flags_wanted = URING_QUEUE_WANT,
	};
	const struct sl_ring_opts opts = {
		.backend = "uring",
		.flags = SL_RING_NO_FALLBACK,
	};
	int err = uring_queue_open(&b->raw, &raw_opts, NULL);

	if (!err)
		err = sl_ring_open(&opts, &b->ring);
	for (unsigned i = 0; i < BATCH; i++) {
		sl_op_prep(&b->ops[i], SL_OP_NOP, -1, NULL, 0, 0);
		b->ops[i].done = count;
		b->ops[i].user = b;
	}
	return err;
}

int main(void)
{
	static struct bench b;
	int err = open_both(&b);

	if (err) {
		fprintf(stderr, "ring_nop: no io_uring here: %s\n", sl_err_text(err));
		return 3;
	}
	srand((unsigned)cpu_ns());
	err = compare(&b);
	if (err)
		fprintf(stderr, "ring_nop: a batch did not complete\n");
	else
		print_calls(&b);
	sl_ring_close(b.ring);
	uring_queue_close(&b.raw);
	return err;
}
