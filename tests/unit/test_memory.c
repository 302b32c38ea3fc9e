/*
 * test_memory.c: whatever allocation fails while rings, pools and files are opened, the answer is
 * -ENOMEM (or the thing works with less), and nothing is left behind: no block, no descriptor.
 */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <sluice/sluice.h>

/* An allocator that counts, and fails when it is told to. */
static struct {
	size_t blocks, bytes; /* taken and not given back */
	size_t calls;
	size_t fail_first, fail_last; /* these calls; 0: none */
} ledger;

static void *ledger_alloc(void *ctx, size_t bytes, size_t align)
{
	void *ptr;

	(void)ctx;
	ledger.calls++;
	if (ledger.calls >= ledger.fail_first && ledger.calls <= ledger.fail_last)
		return NULL;
	if (posix_memalign(&ptr, align < sizeof(void *) ? sizeof(void *) : align, bytes))
		return NULL;
	ledger.blocks++;
	ledger.bytes += bytes;
	return ptr;
}

static void ledger_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (!ptr)
		return;
	assert_true(ledger.bytes >= bytes);
	ledger.blocks--;
	ledger.bytes -= bytes;
	free(ptr);
}

static const struct sl_allocator allocator = { ledger_alloc, ledger_free, NULL };

/* All that can be opened, in this order; closed in the reverse one. */
struct things {
	struct sl_ring *ring;
	struct sl_buf_pool *pool, *receive;
	struct sl_file *file;
	struct sl_file_reader *reader;
	struct sl_file_writer *writer;
};

static const char *path;

static int open_ring(struct things *things, const char *backend)
{
	const struct sl_ring_opts opts = {
		.backend = backend,
		.flags = SL_RING_NO_FALLBACK,
		.depth = 8,
		.allocator = &allocator,
	};

	return sl_ring_open(&opts, &things->ring);
}

static int open_pools(struct things *things)
{
	struct sl_buf_pool_opts opts = { .count = 4, .buf_bytes = 4096 };
	int err = sl_buf_pool_create(things->ring, &opts, &things->pool);

	if (err)
		return err;
	opts.flags = SL_BUF_RECV;
	return sl_buf_pool_create(things->ring, &opts, &things->receive);
}

static int open_file(struct things *things)
{
	const struct sl_file_opts opts = { .io = SL_FILE_DIRECT, .open_flags = O_RDWR | O_CREAT };
	struct sl_file_mode mode;
	int err = sl_file_open(things->ring, AT_FDCWD, path, &opts, &things->file);

	if (!err)
		err = sl_file_mode(things->file, &mode);
	if (!err)
		err = sl_file_reader_open(things->file, NULL, &things->reader);
	if (!err)
		err = sl_file_writer_open(things->file, NULL, &things->writer);
	return err;
}

static int open_all(struct things *things, const char *backend)
{
	int err = open_ring(things, backend);

	if (!err)
		err = open_pools(things);
	if (!err)
		err = open_file(things);
	return err;
}

static void close_all(const struct things *things)
{
	sl_file_writer_close(things->writer);
	sl_file_reader_close(things->reader);
	sl_file_close(things->file);
	sl_buf_pool_destroy(things->receive);
	sl_buf_pool_destroy(things->pool);
	sl_ring_close(things->ring);
}

static unsigned open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned nr = 0;

	assert_non_null(dir);
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr;
}

/* One try; true when it got beyond the call that was to fail. */
static int try_once(const char *backend, size_t first, size_t last)
{
	struct things things = { 0 };
	unsigned fds = open_descriptors();
	int err;

	ledger.calls = 0;
	ledger.fail_first = first;
	ledger.fail_last = last;
	err = open_all(&things, backend);
	ledger.fail_last = 0;
	close_all(&things);
	assert_int_equal(ledger.blocks, 0);
	assert_int_equal(ledger.bytes, 0);
	assert_int_equal(open_descriptors(), fds);
	return err;
}

static void fail_each(const char *backend)
{
	int err = try_once(backend, 0, 0);
	size_t nr_calls = ledger.calls;
	unsigned failures = 0;

	if (err == -ENOSYS || err == -EPERM || err == -ENOMEM)
		SKIP("%s cannot be opened here: %s", backend, sl_err_text(err));
	assert_int_equal(err, 0);
	for (size_t nth = 1; nth <= nr_calls; nth++) {
		err = try_once(backend, nth, nth);
		assert_true(err == 0 || err == -ENOMEM);
		failures += err != 0;
		err = try_once(backend, nth, SIZE_MAX);
		assert_true(err == 0 || err == -ENOMEM);
	}
	assert_true(failures > 10);
}

static void nothing_is_left_of_a_failure_on_uring(void **state)
{
	(void)state;
	fail_each("uring");
}

static void nothing_is_left_of_a_failure_on_uring_with_options(void **state)
{
	(void)state;
	fail_each("uring:iopoll");
}

static void nothing_is_left_of_a_failure_on_epoll(void **state)
{
	(void)state;
	fail_each("epoll");
}

static void nothing_is_left_of_a_failure_on_poll(void **state)
{
	(void)state;
	fail_each("poll");
}

static void nothing_is_left_of_a_failure_on_select(void **state)
{
	(void)state;
	fail_each("select");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_left_of_a_failure_on_uring),
		TEST(nothing_is_left_of_a_failure_on_uring_with_options),
		TEST(nothing_is_left_of_a_failure_on_epoll),
		TEST(nothing_is_left_of_a_failure_on_poll),
		TEST(nothing_is_left_of_a_failure_on_select),
	};

	path = support_path(support_tmpdir(), "data");
	return RUN_TESTS(tests);
}
