/*
 * What the ring costs over a raw io_uring loop: nops in batches of 32, both in one process.
 *
 * A nop completes inside the system call that submits it, so what is left is the
 * loop itself: the entry filled, the call, the completion matched to its op, its callback.
 *
 * Usage: bench_ring_nop [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sluice/sluice.h>

#include "backend/uring/queue.h"
#include "pairs.h"

#define BATCH	32
#define BATCHES 6000

struct bench {
	struct uring_queue raw;
	struct sl_ring *ring;
	struct sl_op ops[BATCH];
	unsigned done;
};

static int run_raw(void *ctx, struct pairs_cost *ret_cost)
{
	const struct uring_queue_wait wait = { .nr = BATCH };
	struct pairs_cost begin = pairs_watch();
	struct bench *b = ctx;

	for (unsigned n = 0; n < BATCHES; n++) {
		unsigned seen = 0;

		for (unsigned i = 0; i < BATCH; i++)
			uring_queue_push(&b->raw, &(struct sl_uring_sqe){
							  .opcode = SL_URING_OP_NOP,
							  .user_data = i,
						  });
		if (uring_queue_submit(&b->raw, &wait) != BATCH)
			return -1;
		while (uring_queue_peek(&b->raw)) {
			seen += uring_queue_peek(&b->raw)->user_data < BATCH;
			uring_queue_seen(&b->raw, 1);
		}
		if (seen != BATCH)
			return -1;
	}
	*ret_cost = pairs_cost_since(&begin, (uint64_t)BATCH * BATCHES);
	return 0;
}

static void count(struct sl_ring *ring, struct sl_op *op)
{
	struct bench *b = op->user;

	(void)ring;
	b->done++;
}

static int run_sluice(void *ctx, struct pairs_cost *ret_cost)
{
	struct pairs_cost begin = pairs_watch();
	struct bench *b = ctx;

	for (unsigned n = 0; n < BATCHES; n++) {
		b->done = 0;
		for (unsigned i = 0; i < BATCH; i++)
			if (sl_ring_submit(b->ring, &b->ops[i]))
				return -1;
		while (b->done < BATCH)
			if (sl_ring_run(b->ring, 0) < 0)
				return -1;
	}
	*ret_cost = pairs_cost_since(&begin, (uint64_t)BATCH * BATCHES);
	return 0;
}

static void print_calls(const struct pairs *p, const struct bench *b)
{
	const double ops = (double)(p->rounds + 1) * BATCHES * BATCH;
	struct sl_ring_stats stats;

	sl_ring_stats(b->ring, -1, &stats);
	printf("ring_nop: system calls per operation: raw loop %.5f, sluice %.5f\n",
	       (double)b->raw.enters / ops, (double)stats.enters / ops);
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

enum {
	RAW,
	SLUICE,
	NR
};

static int compare(struct pairs *p, struct bench *b)
{
	const struct pairs_target target = { PAIRS_AT_MOST, 25, 0 };
	const struct pairs_target none = { PAIRS_NONE, 0, 0 };

	p->contenders[RAW] = (struct pairs_contender){ "raw loop", run_raw, b };
	p->contenders[SLUICE] = (struct pairs_contender){ "sluice", run_sluice, b };
	if (pairs_run(p))
		return 4;
	pairs_print_costs(p);
	pairs_print_cpu(p, SLUICE, RAW, &none);
	pairs_print_difference(p, SLUICE, RAW, &target);
	print_calls(p, b);
	pairs_print_machine(p);
	return 0;
}

int main(int argc, char **argv)
{
	static struct pairs p = { .title = "ring_nop", .nr = NR };
	static struct bench b;
	int err;

	p.rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 61;
	if (!p.rounds || p.rounds > PAIRS_ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_ring_nop [ROUNDS]\n");
		return 2;
	}
	pairs_pin(p.title);
	err = open_both(&b);
	if (err)
		printf("ring_nop: no io_uring here: skipped: %s\n", sl_err_text(err));
	else
		err = compare(&p, &b);
	sl_ring_close(b.ring);
	uring_queue_close(&b.raw);
	return err > 0 ? err : 0;
}
