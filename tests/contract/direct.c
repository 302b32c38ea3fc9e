/* direct.c - O_DIRECT: the tail of a file, registered buffers, transfers in flight at the end. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	BLOCKS = 4,
	ALIGN = 4096,
	TAIL = 100
};

/* A file of three blocks and a tail, opened a second time with O_DIRECT. */
static int direct_file(size_t bytes)
{
	const char *path = support_path(test_dir(), "direct");
	char *data = malloc(bytes);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), direct;

	assert_true(fd >= 0);
	pattern(data, bytes, 11);
	assert_int_equal(pwrite(fd, data, bytes, 0), bytes);
	assert_int_equal(fsync(fd), 0);
	free(data);
	close(fd);
	direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (direct < 0)
		SKIP("no O_DIRECT on the file system of the tests: %s", strerror(errno));
	return direct;
}

static void *aligned(size_t bytes)
{
	void *ptr = NULL;

	assert_int_equal(posix_memalign(&ptr, ALIGN, bytes), 0);
	memset(ptr, 0xee, bytes);
	return ptr;
}

static void a_direct_read_over_the_end_gives_the_tail(void **state)
{
	size_t size = 3 * ALIGN + TAIL;
	int fd = direct_file(size);
	struct sl_ring *ring = ring_open(8);
	unsigned char *buf = aligned(8 * ALIGN), *want = malloc(size);
	struct sl_op op = { 0 };

	(void)state;
	pattern(want, size, 11);
	expect_res(ring, sl_op_read(&op, fd, buf, 4 * ALIGN, 0), (int64_t)size);
	assert_int_equal(op.done_len, size);
	assert_memory_equal(buf, want, size);
	expect_res(ring, sl_op_read(&op, fd, buf, 8 * ALIGN, 2 * ALIGN), ALIGN + TAIL);
	assert_memory_equal(buf, want + 2 * ALIGN, ALIGN + TAIL);
	expect_res(ring, sl_op_read(&op, fd, buf, ALIGN, 3 * ALIGN), TAIL);
	expect_res(ring, sl_op_read(&op, fd, buf, ALIGN, 4 * ALIGN), 0);
	free(want);
	free(buf);
	sl_ring_close(ring);
}

static void a_direct_write_is_there_for_a_buffered_reader(void **state)
{
	int fd = direct_file(4 * ALIGN);
	struct sl_ring *ring = ring_open(8);
	char *out = aligned(2 * ALIGN), *in = aligned(2 * ALIGN);
	struct sl_op op = { 0 };

	(void)state;
	pattern(out, 2 * ALIGN, 99);
	expect_res(ring, sl_op_write(&op, fd, out, 2 * ALIGN, ALIGN), 2 * ALIGN);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	expect_res(ring, sl_op_read(&op, fd, in, 2 * ALIGN, ALIGN), 2 * ALIGN);
	assert_memory_equal(in, out, 2 * ALIGN);
	free(out);
	free(in);
	sl_ring_close(ring);
}

static void a_misaligned_direct_request_is_an_error_not_a_hang(void **state)
{
	int fd = direct_file(4 * ALIGN);
	struct sl_ring *ring = ring_open(8);
	char *buf = aligned(ALIGN);
	struct sl_op op = { 0 };

	(void)state;
	expect_res(ring, sl_op_read(&op, fd, buf, 100, 100), -EINVAL);
	free(buf);
	sl_ring_close(ring);
}

static void describe_knows_direct_and_its_alignment(void **state)
{
	int fd = direct_file(4 * ALIGN);
	struct sl_ring *ring = ring_open(8);
	struct sl_desc desc;

	(void)state;
	assert_int_equal(sl_ring_describe(ring, fd, &desc), 0);
	assert_true(desc.flags & SL_DESC_DIRECT);
	assert_int_equal(desc.size, 4 * ALIGN);
	if (desc.read_align == 0)
		SKIP("alignment not known here: %s", desc.align_source);
	assert_int_equal(desc.read_align & (desc.read_align - 1), 0);
	assert_true(desc.read_align <= ALIGN && desc.write_align <= ALIGN);
	sl_ring_close(ring);
}

enum {
	IN_FLIGHT = 64,
	BYTES = 16384
};

static void poison_and_look(unsigned char *bufs, size_t len)
{
	memset(bufs, 0x5c, len);
	pause_ms(100);
	for (size_t i = 0; i < len; i++)
		if (bufs[i] != 0x5c)
			fail_msg("byte %zu was written after the end", i);
}

static void start_reads(struct sl_ring *ring, int fd, unsigned char *bufs, struct sl_op *ops)
{
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		ops[i] = (struct sl_op){ .done = note };
		sl_op_read(&ops[i], fd, bufs + (size_t)i * BYTES, BYTES, (uint64_t)i * BYTES);
		submit(ring, &ops[i]);
	}
	assert_int_equal(sl_ring_flush(ring), 0);
}

static void after_close_nothing_writes_into_caller_memory(void **state)
{
	int fd = direct_file((size_t)IN_FLIGHT * BYTES);
	static struct sl_op ops[IN_FLIGHT];
	unsigned char *bufs = aligned((size_t)IN_FLIGHT * BYTES);

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		struct sl_ring *ring = ring_open(IN_FLIGHT);

		trace_reset();
		start_reads(ring, fd, bufs, ops);
		sl_ring_close(ring);
		assert_int_equal(trace.ended, IN_FLIGHT);
		poison_and_look(bufs, (size_t)IN_FLIGHT * BYTES);
		memset(ops, 0, sizeof(ops));
	}
	free(bufs);
}

static void drain_waits_for_transfers_in_flight_and_the_ring_lives_on(void **state)
{
	int fd = direct_file((size_t)IN_FLIGHT * BYTES);
	struct sl_ring *ring = ring_open(IN_FLIGHT);
	static struct sl_op ops[IN_FLIGHT];
	unsigned char *bufs = aligned((size_t)IN_FLIGHT * BYTES);
	struct sl_op op = { 0 };

	(void)state;
	start_reads(ring, fd, bufs, ops);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_int_equal(trace.ended, IN_FLIGHT);
	assert_int_equal(sl_ring_inflight(ring), 0);
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		trace_place(&ops[i]);
		assert_true(ops[i].res == BYTES || ops[i].res == -ECANCELED);
	}
	poison_and_look(bufs, (size_t)IN_FLIGHT * BYTES);
	expect_res(ring, sl_op_read(&op, fd, bufs, BYTES, 0), BYTES);
	sl_ring_close(ring);
	free(bufs);
}

static const struct contract_test tests[] = {
	T(a_direct_read_over_the_end_gives_the_tail, BLOCK, ON_KERNEL),
	T(a_direct_write_is_there_for_a_buffered_reader, BLOCK, ON_KERNEL),
	T(a_misaligned_direct_request_is_an_error_not_a_hang, BLOCK, ON_KERNEL),
	T(describe_knows_direct_and_its_alignment, CORE, ON_KERNEL),
	T(after_close_nothing_writes_into_caller_memory, BLOCK, ON_KERNEL),
	T(drain_waits_for_transfers_in_flight_and_the_ring_lives_on, BLOCK, ON_KERNEL),
};

const struct contract_group direct_tests = GROUP(tests);
