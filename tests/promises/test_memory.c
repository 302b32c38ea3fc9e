/* test_memory.c - the promises M1 to M7 of sluice(7): how much a ring takes, when, and through
 * which hook. */
#include "promise.h"

#include <sluice/file.h>

/* Allocations that the library makes itself: it is linked with --wrap for each of these. */
static size_t wrapped;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t nr, size_t bytes);
void *__real_realloc(void *ptr, size_t bytes);
int __real_posix_memalign(void **ret_ptr, size_t align, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);
void *__wrap_realloc(void *ptr, size_t bytes);
int __wrap_posix_memalign(void **ret_ptr, size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off);

void *__wrap_malloc(size_t bytes)
{
	wrapped++;
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t nr, size_t bytes)
{
	wrapped++;
	return __real_calloc(nr, bytes);
}

void *__wrap_realloc(void *ptr, size_t bytes)
{
	wrapped++;
	return __real_realloc(ptr, bytes);
}

int __wrap_posix_memalign(void **ret_ptr, size_t align, size_t bytes)
{
	wrapped++;
	return __real_posix_memalign(ret_ptr, align, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
	wrapped++;
	return __real_aligned_alloc(align, bytes);
}

static size_t mapped;

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t off)
{
	mapped++;
	return __real_mmap(at, bytes, prot, flags, fd, off);
}

/* An allocator that counts, and that can be told to fail. */
struct ledger {
	size_t bytes; /* taken and not given back */
	size_t nr;    /* blocks taken and not given back */
	size_t calls;
	size_t fail_from; /* every call from this one on fails; 0: none */
};

static void *ledger_alloc(void *ctx, size_t bytes, size_t align)
{
	struct ledger *ledger = ctx;
	void *ptr = NULL;

	ledger->calls++;
	if (ledger->fail_from && ledger->calls >= ledger->fail_from)
		return NULL;
	if (__real_posix_memalign(&ptr, align < 8 ? 8 : align, bytes))
		return NULL;
	assert_int_equal((uintptr_t)ptr % align, 0);
	ledger->bytes += bytes;
	ledger->nr++;
	return ptr;
}

static void ledger_free(void *ctx, void *ptr, size_t bytes)
{
	struct ledger *ledger = ctx;

	if (!ptr)
		return;
	assert_true(ledger->bytes >= bytes);
	ledger->bytes -= bytes;
	ledger->nr--;
	free(ptr);
}

/* The formula of sluice(7). */
static uint64_t bound(const struct sl_ring_opts *opts, const struct sl_caps *caps)
{
	return 65536 + 640 * (uint64_t)opts->depth + 8 * (uint64_t)opts->park_max +
	       256 * (uint64_t)opts->keep_max + 256 * (uint64_t)opts->workers +
	       64 * (uint64_t)caps->sq_entries + 16 * (uint64_t)caps->cq_entries;
}

static void M1_memory_is_told_and_bounded_by_a_formula(void **state)
{
	static const uint32_t depths[] = { 1, 7, 129, 4097 }, keeps[] = { 1, 1025, 50000 };

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct ledger ledger = { 0 };
		struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
		struct sl_ring_opts opts = {
			.depth = depths[i % 4],
			.park_max = 1 + 1000 * (i % 2),
			.keep_max = keeps[i / 4],
			.workers = 1 + i % 3,
			.allocator = &allocator,
		};
		struct sl_ring *ring = open_ring(&opts);
		const struct sl_caps *caps = sl_ring_caps(ring);

		print_message("# depth %u keep %u workers %u: %s took %llu, bound %llu\n",
			      opts.depth, opts.keep_max, opts.workers, caps->backend,
			      (unsigned long long)caps->memory_bytes,
			      (unsigned long long)bound(&opts, caps));
		assert_true(caps->memory_bytes >= ledger.bytes);
		assert_true(caps->memory_bytes <= bound(&opts, caps));
		sl_ring_close(ring);
	}
}

/* Everything that the data path does, some rounds of it. */
static void work_hard(struct sl_ring *ring, struct sl_buf_pool *pool, const int fds[2], int rounds)
{
	static struct sl_op ops[40];
	static struct counted posted;

	for (int round = 0; round < rounds; round++) {
		void *buf = sl_buf_get(pool);

		for (int i = 0; i < 40; i++) {
			sl_op_nop(&ops[i])->flags = SL_OP_PARK;
			assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
		}
		for (int i = 0; i < 40; i++)
			assert_ptr_equal(sl_ring_next(ring, 0), &ops[i]);
		sl_op_read(&ops[0], fds[0], buf, 1, SL_OFF_CURRENT);
		sl_op_write(&ops[1], fds[1], "bb", 2, SL_OFF_CURRENT);
		sl_op_read(&ops[2], fds[0], buf, 1, SL_OFF_CURRENT)->deadline_ns = soon(ring, 0);
		sl_op_timer(&ops[3], soon(ring, 3600000 * MS), 0);
		for (int i = 0; i < 4; i++)
			assert_int_equal(sl_ring_submit(ring, &ops[i]), 0);
		posted.op.done = count_completion;
		posted.ends = 0;
		assert_int_equal(sl_ring_post(ring, &posted.op), 0);
		assert_int_equal(sl_ring_flush(ring), 0);
		assert_int_equal(sl_ring_cancel(ring, &ops[3]), 0);
		while (sl_ring_next(ring, 0))
			;
		assert_int_equal(sl_ring_inflight(ring), 0);
		while (posted.ends == 0)
			assert_true(sl_ring_run(ring, 0) >= 0);
		sl_buf_put(pool, buf);
	}
}

static void M2_the_data_path_allocates_nothing(void **state)
{
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring_opts opts = { .depth = 32, .allocator = &allocator };
	struct sl_buf_pool_opts shape = { .count = 4, .buf_bytes = 4096 };
	struct sl_ring *ring = open_ring(&opts);
	struct sl_buf_pool *pool;
	size_t calls, mallocs, maps;
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	calls = ledger.calls;
	mallocs = wrapped;
	maps = mapped;
	work_hard(ring, pool, fds, 20);
	assert_int_equal(ledger.calls, calls);
	assert_int_equal(wrapped, mallocs);
	assert_int_equal(mapped, maps);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	close_pair(fds);
}

/* All that a file takes memory for. */
static void open_and_close_file(struct sl_ring *ring)
{
	const char *path = support_path(support_tmpdir(), "built-on-it");
	struct sl_file_opts opts = { .io = SL_FILE_DIRECT, .open_flags = O_RDWR | O_CREAT };
	struct sl_file_reader *reader;
	struct sl_file_writer *writer;
	struct sl_file_mode mode;
	struct sl_file *file;

	assert_int_equal(sl_file_open(ring, AT_FDCWD, path, &opts, &file), 0);
	assert_int_equal(sl_file_mode(file, &mode), 0);
	assert_int_equal(sl_file_reader_open(file, NULL, &reader), 0);
	assert_int_equal(sl_file_writer_open(file, NULL, &writer), 0);
	sl_file_writer_close(writer);
	sl_file_reader_close(reader);
	sl_file_close(file);
}

static void M3_all_that_a_ring_allocates_goes_through_its_allocator(void **state)
{
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring_opts opts = { .allocator = &allocator };
	struct sl_buf_pool_opts shape = { .count = 4, .buf_bytes = 4096 };
	struct sl_buf_pool *pool;
	size_t before, calls;
	struct sl_ring *ring;

	(void)state;
	support_tmpdir(); /* allocates for itself */
	before = wrapped;
	ring = open_ring(&opts);
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	assert_int_equal(sl_ring_keep(ring, 0), 0);
	assert_true(ledger.calls > 0);
	calls = ledger.calls;
	open_and_close_file(ring);
	assert_true(ledger.calls > calls + 4);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	assert_int_equal(ledger.nr, 0);
	assert_int_equal(wrapped, before);
	/* Without one the wrap sees them: it is able to. */
	sl_ring_close(open_ring(NULL));
	assert_true(wrapped > before);
}

/* Lets the first allocation fail, then the second, ... each with all that follow. */
static void fail_each(struct sl_ring_opts *opts, struct ledger *ledger)
{
	struct sl_ring *ring = NULL;
	size_t failures = 0;
	int err;

	for (;;) {
		ledger->calls = 0;
		ledger->fail_from = failures + 1;
		err = sl_ring_open(opts, &ring);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(ring);
		assert_int_equal(ledger->bytes, 0);
		assert_int_equal(ledger->nr, 0);
		failures++;
	}
	assert_true(failures > 3);
	sl_ring_close(ring);
	assert_int_equal(ledger->nr, 0);
}

static void M4_a_failed_allocation_is_enomem_and_leaves_nothing(void **state)
{
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring_opts opts = { .allocator = &allocator };
	struct sl_ring *ring = open_ring(NULL);

	(void)state;
	fail_each(&opts, &ledger);
	/* Once more with nothing to fall back to, which would hide the first answer. */
	opts.backend = sl_ring_caps(ring)->backend;
	opts.flags = SL_RING_NO_FALLBACK;
	fail_each(&opts, &ledger);
	sl_ring_close(ring);
}

static void M5_closing_gives_back_all(void **state)
{
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring_opts opts = { .allocator = &allocator, .depth = 8 };
	struct sl_buf_pool_opts shape = { .count = 4, .buf_bytes = 4096 };
	struct sl_ring *ring = open_ring(&opts);
	struct counted ops[8] = { 0 };
	struct sl_buf_pool *pool;
	char byte;
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	assert_int_equal(sl_ring_keep(ring, fds[0]), 0);
	for (int i = 0; i < 8; i++) {
		sl_op_read(&ops[i].op, fds[0], &byte, 1, SL_OFF_CURRENT);
		submit_counted(ring, &ops[i]);
	}
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	assert_int_equal(ledger.bytes, 0);
	assert_int_equal(ledger.nr, 0);
	close_pair(fds);
}

static void M6_memory_does_not_grow_with_operations(void **state)
{
	struct ledger ledger = { 0 };
	struct sl_allocator allocator = { ledger_alloc, ledger_free, &ledger };
	struct sl_ring_opts opts = { .depth = 32, .allocator = &allocator };
	struct sl_buf_pool_opts shape = { .count = 4, .buf_bytes = 4096 };
	struct sl_ring *ring = open_ring(&opts);
	struct sl_buf_pool *pool;
	size_t bytes, blocks, mallocs, maps;
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(sl_buf_pool_create(ring, &shape, &pool), 0);
	work_hard(ring, pool, fds, 10);
	bytes = ledger.bytes;
	blocks = ledger.nr;
	mallocs = wrapped;
	maps = mapped;
	work_hard(ring, pool, fds, 1000);
	assert_int_equal(ledger.bytes, bytes);
	assert_int_equal(ledger.nr, blocks);
	assert_int_equal(wrapped, mallocs);
	assert_int_equal(mapped, maps);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	close_pair(fds);
}

static void use_file(struct sl_file *file, int rounds)
{
	static char bytes[20000];
	struct sl_file_req req = { 0 };

	for (int round = 0; round < rounds; round++) {
		req.buf = bytes + round % 7;
		req.len = 10000;
		req.off = (uint64_t)round * 777;
		req.flags = round % 5 == 0 ? SL_FILE_DSYNC : 0;
		assert_int_equal(sl_file_do(file, SL_FILE_WRITE, &req), 10000);
		req.flags = 0;
		assert_int_equal(sl_file_do(file, SL_FILE_READ, &req), 10000);
		if (round % 10 == 0)
			assert_int_equal(sl_file_do(file, SL_FILE_SYNC, &req), 0);
		if (round % 10 == 5)
			assert_int_equal(sl_file_do(file, SL_FILE_TRUNCATE, &req), 0);
	}
}

static void M7_requests_of_a_file_allocate_nothing(void **state)
{
	static const uint32_t ways[] = { SL_FILE_BUFFERED, SL_FILE_DIRECT };
	const char *path = support_path(support_tmpdir(), "data");
	struct sl_ring *ring = open_ring(NULL);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sl_file_opts opts = { .io = ways[i], .open_flags = O_RDWR | O_CREAT };
		size_t mallocs, maps, before = wrapped;
		struct sl_file *file;

		assert_int_equal(sl_file_open(ring, AT_FDCWD, path, &opts, &file), 0);
		assert_true(wrapped > before);
		mallocs = wrapped;
		maps = mapped;
		use_file(file, 50);
		assert_int_equal(wrapped, mallocs);
		assert_int_equal(mapped, maps);
		sl_file_close(file);
	}
	sl_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(M1_memory_is_told_and_bounded_by_a_formula),
		TEST(M2_the_data_path_allocates_nothing),
		TEST(M3_all_that_a_ring_allocates_goes_through_its_allocator),
		TEST(M4_a_failed_allocation_is_enomem_and_leaves_nothing),
		TEST(M5_closing_gives_back_all),
		TEST(M6_memory_does_not_grow_with_operations),
		TEST(M7_requests_of_a_file_allocate_nothing),
	};

	return RUN_TESTS(tests);
}
