/*
 * noalloc.c - submit, run, next and cancel allocate nothing.
 *
 * The test binary is linked with --wrap for every function that allocates, so
 * each call that the library makes is counted while a mixed load runs.
 */
#include "tests/contract/suite.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>

static unsigned nr_allocations;
static bool counting;

static void tally(void)
{
	if (__atomic_load_n(&counting, __ATOMIC_RELAXED))
		__atomic_fetch_add(&nr_allocations, 1, __ATOMIC_RELAXED);
}

/* The linker sends the library's calls of f here, and __real_f to f itself. */
#define WRAP(type, f, params, args)     \
	type __real_##f params;         \
	type __wrap_##f params;         \
	type __wrap_##f params          \
	{                               \
		tally();                \
		return __real_##f args; \
	}

WRAP(void *, malloc, (size_t bytes), (bytes))
WRAP(void *, calloc, (size_t nr, size_t bytes), (nr, bytes))
WRAP(void *, realloc, (void *ptr, size_t bytes), (ptr, bytes))
WRAP(void *, aligned_alloc, (size_t align, size_t bytes), (align, bytes))
WRAP(int, posix_memalign, (void **ptr, size_t align, size_t bytes), (ptr, align, bytes))
WRAP(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t off),
     (at, len, prot, flags, fd, off))
WRAP(void *, mmap64, (void *at, size_t len, int prot, int flags, int fd, off_t off),
     (at, len, prot, flags, fd, off))

static void *counted_alloc(void *ctx, size_t bytes, size_t align)
{
	void *ptr = NULL;

	(void)ctx;
	tally();
	return posix_memalign(&ptr, align < sizeof(void *) ? sizeof(void *) : align, bytes) ? NULL :
											      ptr;
}

static void counted_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

enum {
	NR_OPS = 48,
	ROUNDS = 300
};

static struct sl_op ops[NR_OPS];
static char bufs[NR_OPS][512];

static int64_t nothing(void *ctx)
{
	(void)ctx;
	return 0;
}

/* One of every kind that the groups of this backend have. */
static void prepare(struct sl_ring *ring, unsigned i, uint64_t dice, const int fds[3])
{
	struct sl_op *op = &ops[i];
	int64_t now = sl_ring_now(ring);

	op->done = dice % 3 ? note : NULL;
	switch (dice / 3 % 9) {
	case 0:
		sl_op_nop(op);
		break;
	case 1:
		sl_op_timer(op, now + 1000, 0);
		break;
	case 2:
		sl_op_work(op, nothing, NULL);
		break;
	case 3:
		sl_op_poll(op, fds[1], POLLOUT);
		break;
	case 4:
		sl_op_write(op, fds[0], bufs[i], 512, i * 512);
		break;
	case 5:
		sl_op_read(op, fds[0], bufs[i], 512, i * 512);
		break;
	case 6:
		sl_op_read(op, fds[1], bufs[i], 1, SL_OFF_CURRENT)->deadline_ns = now + MS;
		break;
	case 7:
		sl_op_fdatasync(op, fds[2]);
		break;
	default:
		sl_op_read(op, world_bad_fd(), bufs[i], 1, 0);
	}
	op->flags |= SL_OP_PARK;
}

static void mixed_load(struct sl_ring *ring, uint64_t *seed, const int fds[3])
{
	struct sl_op *chain[2];

	for (unsigned i = 0; i < NR_OPS; i++)
		prepare(ring, i, support_random(seed), fds);
	for (unsigned i = 0; i < NR_OPS - 2; i++)
		submit(ring, &ops[i]);
	for (unsigned i = 0; i < 2; i++)
		chain[i] = &ops[NR_OPS - 2 + i];
	chain[0]->flags |= SL_OP_LINKED;
	assert_int_equal(sl_ring_submitv(ring, chain, 2), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	sl_ring_cancel(ring, &ops[support_random(seed) % NR_OPS]);
	sl_ring_cancel_fd(ring, fds[1]);
	while (sl_ring_next(ring, 0))
		continue;
	ring_settle(ring);
	trace_reset();
}

static void the_data_path_allocates_nothing(void **state)
{
	const struct sl_allocator allocator = { counted_alloc, counted_free, NULL };
	struct sl_ring *ring = ring_open_with(
		&(struct sl_ring_opts){ .depth = 16, .park_max = NR_OPS, .allocator = &allocator });
	uint64_t seed = support_seed();
	int pair[2], fds[3];

	(void)state;
	if (on_sim())
		SKIP("a simulated disk grows in memory as it is written");
	world_pair(pair);
	fds[0] = world_file();
	fds[1] = pair[0];
	fds[2] = on_memory() ? fds[0] : memfd_create("sluice-sync", MFD_CLOEXEC);
	__atomic_store_n(&counting, true, __ATOMIC_RELAXED);
	for (unsigned round = 0; round < ROUNDS; round++)
		mixed_load(ring, &seed, fds);
	__atomic_store_n(&counting, false, __ATOMIC_RELAXED);
	assert_int_equal(nr_allocations, 0);
	sl_ring_close(ring);
}

static void the_count_itself_works(void **state)
{
	struct sl_ring *ring;

	(void)state;
	__atomic_store_n(&counting, true, __ATOMIC_RELAXED);
	ring = ring_open(8);
	__atomic_store_n(&counting, false, __ATOMIC_RELAXED);
	assert_true(nr_allocations > 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(the_data_path_allocates_nothing, CORE | BLOCK, 0),
	T(the_count_itself_works, CORE, 0),
};

const struct contract_group noalloc_tests = GROUP(tests);
