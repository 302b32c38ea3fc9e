/*
 * Cached 4 KiB reads, one at a time: what a read through the ring costs over pread(2).
 *
 * Every contender reads blocks of a file that is wholly in the page cache, at
 * offsets of the same generator, into the same buffer. The ring answers such a
 * read by one system call that cannot sleep (an inline attempt); the contender
 * without attempts shows what the trip through the kernel's queues would cost.
 *
 * Usage: bench_cached_read [DIRECTORY [ROUNDS]]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/uio.h>
#include <sluice/sluice.h>

#include "pairs.h"
#include "scratch.h"

#define BLOCK	  4096
#define FILE_SIZE (64 << 20)
#define READS	  20000

struct reader {
	int fd;
	unsigned char *buf;
	uint64_t random;
	struct sl_ring *ring;
	struct sl_op op;
	struct sl_file *file;
	unsigned left;
	bool failed;
};

static uint64_t next_off(struct reader *r)
{
	return (pairs_random(&r->random) >> 32) * (FILE_SIZE / BLOCK) >> 32 << 12;
}

static int run_pread(void *ctx, struct pairs_cost *ret_cost)
{
	struct reader *r = ctx;
	struct pairs_cost begin = pairs_watch();

	for (unsigned i = 0; i < READS; i++)
		if (pread(r->fd, r->buf, BLOCK, (off_t)next_off(r)) != BLOCK)
			return -1;
	*ret_cost = pairs_cost_since(&begin, READS);
	return 0;
}

/* The call an inline attempt makes: the floor of it. */
static int run_nowait(void *ctx, struct pairs_cost *ret_cost)
{
	struct reader *r = ctx;
	struct iovec iov = { r->buf, BLOCK };
	struct pairs_cost begin = pairs_watch();

	for (unsigned i = 0; i < READS; i++)
		if (preadv2(r->fd, &iov, 1, (off_t)next_off(r), RWF_NOWAIT) != BLOCK)
			return -1;
	*ret_cost = pairs_cost_since(&begin, READS);
	return 0;
}

static int run_do(void *ctx, struct pairs_cost *ret_cost)
{
	struct reader *r = ctx;
	struct pairs_cost begin = pairs_watch();

	r->op.done = NULL;
	for (unsigned i = 0; i < READS; i++) {
		r->op.off = next_off(r);
		if (sl_ring_do(r->ring, &r->op) != BLOCK)
			return -1;
	}
	*ret_cost = pairs_cost_since(&begin, READS);
	return 0;
}

static void read_done(struct sl_ring *ring, struct sl_op *op)
{
	struct reader *r = op->user;

	r->failed |= op->res != BLOCK;
	if (!--r->left)
		return;
	op->off = next_off(r);
	r->failed |= sl_ring_submit(ring, op) != 0;
}

static int run_callback(void *ctx, struct pairs_cost *ret_cost)
{
	struct reader *r = ctx;
	struct pairs_cost begin = pairs_watch();

	r->op.done = read_done;
	r->op.user = r;
	r->op.off = next_off(r);
	r->left = READS;
	r->failed = sl_ring_submit(r->ring, &r->op) != 0;
	while (r->left && !r->failed)
		r->failed |= sl_ring_run(r->ring, 0) < 0;
	*ret_cost = pairs_cost_since(&begin, READS);
	return r->failed;
}

static int run_file(void *ctx, struct pairs_cost *ret_cost)
{
	struct reader *r = ctx;
	struct sl_file_req req = { .buf = r->buf, .len = BLOCK };
	struct pairs_cost begin = pairs_watch();

	for (unsigned i = 0; i < READS; i++) {
		req.off = next_off(r);
		if (sl_file_do(r->file, SL_FILE_READ, &req) != BLOCK)
			return -1;
	}
	*ret_cost = pairs_cost_since(&begin, READS);
	return 0;
}

enum {
	PREAD,
	NOWAIT,
	DO,
	DO_KEPT,
	CALLBACK,
	CALLBACK_KEPT,
	FILE_DO,
	NO_INLINE,
	NR
};

static const struct pairs_contender ways[NR] = {
	[PREAD] = { "pread", run_pread, NULL },
	[NOWAIT] = { "preadv2 with RWF_NOWAIT", run_nowait, NULL },
	[DO] = { "sl_ring_do", run_do, NULL },
	[DO_KEPT] = { "sl_ring_do, kept", run_do, NULL },
	[CALLBACK] = { "submit and run", run_callback, NULL },
	[CALLBACK_KEPT] = { "submit and run, kept", run_callback, NULL },
	[FILE_DO] = { "sl_file_do", run_file, NULL },
	[NO_INLINE] = { "sl_ring_do without attempts", run_do, NULL },
};

static int reader_open(struct reader *r, unsigned way, const struct scratch *file)
{
	static const struct sl_file_opts buffered = { .open_flags = O_RDONLY };
	const struct sl_ring_opts opts = { .flags = way == NO_INLINE ? SL_RING_NO_INLINE : 0 };
	int err;

	r->fd = open(file->path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return -errno;
	if (way == PREAD || way == NOWAIT)
		return 0;
	err = sl_ring_open(&opts, &r->ring);
	if (!err && (way == DO_KEPT || way == CALLBACK_KEPT))
		err = sl_ring_keep(r->ring, r->fd);
	if (!err && way == FILE_DO)
		err = sl_file_open(r->ring, AT_FDCWD, file->path, &buffered, &r->file);
	sl_op_read(&r->op, r->fd, r->buf, BLOCK, 0);
	return err;
}

static void reader_close(struct reader *r)
{
	sl_file_close(r->file);
	if (r->ring)
		sl_ring_unkeep(r->ring, r->fd);
	sl_ring_close(r->ring);
	if (r->fd > 0)
		close(r->fd);
}

static void report(const struct pairs *p)
{
	const struct pairs_target target = { PAIRS_AT_MOST, 1.35, 0 };
	const struct pairs_target none = { PAIRS_NONE, 0, 0 };

	pairs_print_costs(p);
	for (unsigned way = NOWAIT; way < NR; way++)
		pairs_print_cpu(p, way, PREAD, way == NOWAIT || way == NO_INLINE ? &none : &target);
	pairs_print_machine(p);
}

int main(int argc, char **argv)
{
	static struct pairs p = { .title = "cached_read", .nr = NR };
	static struct reader readers[NR];
	static _Alignas(BLOCK) unsigned char buf[BLOCK];
	struct scratch file;
	int err = 0;

	p.rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 41;
	if (!p.rounds || p.rounds > PAIRS_ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_cached_read [DIRECTORY [ROUNDS]]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	pairs_pin(p.title);
	if (scratch_make(&file, argc > 1 ? argv[1] : ".", FILE_SIZE))
		return 4;
	for (unsigned way = 0; !err && way < NR; way++) {
		p.contenders[way] = ways[way];
		p.contenders[way].ctx = &readers[way];
		readers[way].buf = buf;
		err = reader_open(&readers[way], way, &file);
		if (err)
			fprintf(stderr, "cached_read: %s: %s\n", ways[way].name, sl_err_text(err));
	}
	if (!err)
		err = pairs_run(&p);
	if (!err)
		report(&p);
	for (unsigned way = 0; way < NR; way++)
		reader_close(&readers[way]);
	scratch_close(&file);
	return err ? 4 : 0;
}
