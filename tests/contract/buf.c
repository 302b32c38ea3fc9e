/* buf.c - buffer pools: shape, bounds, get and put, use by ops, life under a memlock limit. */
#include "tests/contract/suite.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int create(struct sl_ring *ring, struct sl_buf_pool_opts opts, struct sl_buf_pool **ret_pool)
{
	opts.size = sizeof(opts);
	return sl_buf_pool_create(ring, &opts, ret_pool);
}

static void a_bad_shape_is_refused(void **state)
{
	static const struct sl_buf_pool_opts bad[] = {
		{ .count = 0, .buf_bytes = 4096 },
		{ .count = 65537, .buf_bytes = 64 },
		{ .count = 32769, .buf_bytes = 64, .flags = SL_BUF_RECV },
		{ .count = 1, .buf_bytes = 0 },
		{ .count = 1, .buf_bytes = 4096, .align = 48 },
		{ .count = 1, .buf_bytes = 4096, .align = 32 },
		{ .count = 1, .buf_bytes = 4096, .align = 4 << 20 },
		{ .count = 1, .buf_bytes = 4096, .flags = 1u << 20 },
		{ .count = 1, .buf_bytes = 4096, .flags = 1u << 3 },
	};
	struct sl_ring *ring = ring_open(8);
	struct sl_buf_pool *pool = NULL;

	(void)state;
	for (unsigned i = 0; i < NR(bad); i++) {
		int rc = create(ring, bad[i], &pool);

		if (rc != -EINVAL)
			fail_msg("shape %u: %s", i, sl_err_name(rc));
		assert_null(pool);
	}
	sl_ring_close(ring);
}

static void buffers_are_aligned_apart_and_bounded(void **state)
{
	enum {
		COUNT = 33
	};
	struct sl_ring *ring = ring_open(8);
	struct sl_buf_pool_info info;
	struct sl_buf_pool *pool;
	char *bufs[COUNT];

	(void)state;
	assert_int_equal(
		create(ring, (struct sl_buf_pool_opts){ .count = COUNT, .buf_bytes = 5000 }, &pool),
		0);
	sl_buf_pool_info(pool, &info);
	assert_int_equal(info.count, COUNT);
	assert_int_equal(info.buf_bytes, 8192);
	assert_int_equal(info.free, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		bufs[i] = sl_buf_get(pool);
		assert_non_null(bufs[i]);
		assert_int_equal((uintptr_t)bufs[i] % 4096, 0);
		memset(bufs[i], (int)i, info.buf_bytes);
	}
	assert_null(sl_buf_get(pool));
	for (unsigned i = 0; i < COUNT; i++)
		for (unsigned at = 0; at < info.buf_bytes; at++)
			assert_int_equal(bufs[i][at], (char)i);
	sl_buf_put(pool, bufs[5] + 777);
	sl_buf_put(pool, NULL);
	assert_ptr_equal(sl_buf_get(pool), bufs[5]);
	assert_null(sl_buf_get(pool));
	for (unsigned i = 0; i < COUNT; i++)
		sl_buf_put(pool, bufs[i]);
	sl_buf_pool_info(pool, &info);
	assert_int_equal(info.free, COUNT);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

static void buffers_have_numbers(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_buf_pool_info info;
	struct sl_buf_pool *pool;

	(void)state;
	assert_int_equal(
		create(ring, (struct sl_buf_pool_opts){ .count = 3, .buf_bytes = 64, .align = 64 },
		       &pool),
		0);
	sl_buf_pool_info(pool, &info);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(sl_buf_at(pool, i), (char *)info.base + (size_t)i * 64);
	assert_null(sl_buf_at(pool, 3));
	sl_buf_pool_destroy(pool);
	sl_buf_pool_destroy(NULL);
	sl_ring_close(ring);
}

static void a_pool_for_receives_gives_none_by_hand(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_buf_pool *pool;

	(void)state;
	assert_int_equal(create(ring,
				(struct sl_buf_pool_opts){
					.count = 3, .buf_bytes = 4096, .flags = SL_BUF_RECV },
				&pool),
			 0);
	assert_null(sl_buf_get(pool));
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

static void a_ring_takes_sixteen_pools(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_buf_pool *pools[17];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 17; i++)
			assert_int_equal(
				create(ring,
				       (struct sl_buf_pool_opts){ .count = 1, .buf_bytes = 4096 },
				       &pools[i]),
				i < 16 ? 0 : -EAGAIN);
		for (unsigned i = 0; i < 16; i++)
			sl_buf_pool_destroy(pools[i]);
	}
	sl_ring_close(ring);
}

static void round_trip(struct sl_ring *ring, struct sl_buf_pool *pool)
{
	char *out = sl_buf_get(pool), *in = sl_buf_get(pool);
	struct sl_op op = { 0 };
	int file = world_file(), pair[2];

	world_pair(pair);
	pattern(out, 8192, 9);
	expect_res(ring, sl_op_write(&op, file, out, 8192, 0), 8192);
	expect_res(ring, sl_op_read(&op, file, in + 1, 8191, 0), 8191);
	assert_memory_equal(in + 1, out, 8191);
	expect_res(ring, sl_op_write(&op, pair[0], out + 5, 100, SL_OFF_CURRENT), 100);
	expect_res(ring, sl_op_read(&op, pair[1], in, 8192, SL_OFF_CURRENT), 100);
	assert_memory_equal(in, out + 5, 100);
	sl_buf_put(pool, out);
	sl_buf_put(pool, in);
}

static void any_op_may_point_into_a_pool(void **state)
{
	static const uint32_t flags[] = { 0, SL_BUF_UNREGISTERED, SL_BUF_HUGE };

	(void)state;
	for (unsigned i = 0; i < NR(flags); i++) {
		struct sl_ring *ring = ring_open(8);
		struct sl_buf_pool_info info;
		struct sl_buf_pool *pool;

		assert_int_equal(create(ring,
					(struct sl_buf_pool_opts){
						.count = 2, .buf_bytes = 8192, .flags = flags[i] },
					&pool),
				 0);
		sl_buf_pool_info(pool, &info);
		if (flags[i] & SL_BUF_UNREGISTERED)
			assert_int_equal(info.registered, 0);
		if (flags[i] == SL_BUF_HUGE && !info.huge)
			assert_true(info.why[0] != '\0');
		round_trip(ring, pool);
		sl_buf_pool_destroy(pool);
		sl_ring_close(ring);
	}
}

static void a_transfer_may_cross_the_border_of_a_pool(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_buf_pool_info info;
	struct sl_buf_pool *pool;
	struct sl_op op = { 0 };
	int file = world_file();

	(void)state;
	assert_int_equal(
		create(ring, (struct sl_buf_pool_opts){ .count = 4, .buf_bytes = 4096 }, &pool), 0);
	sl_buf_pool_info(pool, &info);
	pattern(info.base, (size_t)info.bytes, 2);
	expect_res(ring, sl_op_write(&op, file, info.base, 4 * 4096, 0), 4 * 4096);
	expect_res(ring, sl_op_write(&op, file, (char *)info.base + 4095, 4096 * 3, 0), 4096 * 3);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

/* As a user without privileges and with 64 KiB to lock. */
static int under_memlock_limit(void *ctx)
{
	const struct rlimit limit = { 65536, 65536 };
	struct sl_ring_opts opts = { .size = sizeof(opts),
				     .depth = 64,
				     .backend = backend_name(),
				     .log = log_keep,
				     .log_ctx = ctx };
	struct sl_buf_pool_info info;
	struct sl_buf_pool *pool;
	struct sl_ring *ring;
	struct sl_op op = { 0 };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		return 77;
	if (sl_ring_open(&opts, &ring) != 0)
		return 1;
	if (sl_ring_do(ring, sl_op_nop(&op)) != 0)
		return 2;
	if (create(ring, (struct sl_buf_pool_opts){ .count = 64, .buf_bytes = 65536 }, &pool) != 0)
		return 3;
	sl_buf_pool_info(pool, &info);
	if (!info.registered && strncmp(sl_ring_caps(ring)->backend, "uring", 5) == 0 &&
	    (!strpbrk(info.why, "0123456789") || !log_has(ctx, "memlock")))
		return 4;
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	return 0;
}

static void a_small_memlock_limit_degrades_and_says_so(void **state)
{
	static struct log_lines lines;
	int rc;

	(void)state;
	if (strncmp(backend_name(), "record:", 7) == 0)
		SKIP("a user without privileges may not write the trace of this one");
	rc = in_child(under_memlock_limit, &lines);
	if (rc == 77)
		SKIP("cannot become an unprivileged user");
	assert_int_equal(rc, 0);
}

static const struct contract_test tests[] = {
	T(a_bad_shape_is_refused, CORE, 0),
	T(buffers_are_aligned_apart_and_bounded, CORE, 0),
	T(buffers_have_numbers, CORE, 0),
	T(a_pool_for_receives_gives_none_by_hand, CORE, 0),
	T(a_ring_takes_sixteen_pools, CORE, 0),
	T(any_op_may_point_into_a_pool, BLOCK, 0),
	T(a_transfer_may_cross_the_border_of_a_pool, BLOCK, 0),
	T(a_small_memlock_limit_degrades_and_says_so, CORE, ON_KERNEL),
};

const struct contract_group buf_tests = GROUP(tests);
