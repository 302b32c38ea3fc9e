/* thread.c - one thread owns a ring: what the others are answered, and what its end leaves. */
#include "tests/contract/suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct stranger {
	struct sl_ring *ring;
	struct sl_op *busy;
	int fd;
	int kept;
	int64_t answers[14];
	unsigned nr;
};

static const struct sl_buf_pool_opts small_pool = { .count = 1, .buf_bytes = 4096 };

static void *call_everything(void *ctx)
{
	struct stranger *it = ctx;
	struct sl_ring *ring = it->ring;
	struct sl_op op = { 0 }, *ops[1] = { &op };
	struct sl_buf_pool *pool;
	struct sl_desc desc;

	it->answers[it->nr++] = sl_ring_submit(ring, &op);
	it->answers[it->nr++] = sl_ring_submitv(ring, ops, 1);
	it->answers[it->nr++] = sl_ring_flush(ring);
	it->answers[it->nr++] = sl_ring_check(ring);
	it->answers[it->nr++] = sl_ring_run(ring, SL_RING_POLL);
	it->answers[it->nr++] = sl_ring_do(ring, &op);
	it->answers[it->nr++] = sl_ring_cancel(ring, it->busy);
	it->answers[it->nr++] = sl_ring_cancel_fd(ring, it->fd);
	it->answers[it->nr++] = sl_ring_keep(ring, it->fd);
	it->answers[it->nr++] = sl_ring_unkeep(ring, it->kept);
	it->answers[it->nr++] = sl_ring_drain(ring, 0);
	it->answers[it->nr++] = sl_ring_class(ring, 0, NULL);
	it->answers[it->nr++] = sl_ring_describe(ring, it->fd, &desc);
	it->answers[it->nr++] = sl_buf_pool_create(ring, &small_pool, &pool);
	return sl_ring_next(ring, SL_RING_POLL);
}

static void calls_from_another_thread_are_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op busy = { .done = note };
	struct stranger stranger = { .ring = ring, .busy = &busy };
	pthread_t thread;
	void *next;
	int pair[2];

	(void)state;
	world_pair(pair);
	assert_int_equal(sl_ring_keep(ring, pair[1]), 0);
	stranger.fd = pair[0];
	stranger.kept = pair[1];
	submit(ring, sl_op_timer(&busy, sl_ring_clock(ring) + 50 * MS, 0));
	assert_int_equal(pthread_create(&thread, NULL, call_everything, &stranger), 0);
	pthread_join(thread, &next);
	assert_int_equal(stranger.nr, 14);
	for (unsigned i = 0; i < stranger.nr; i++)
		if (stranger.answers[i] != -EPERM)
			fail_msg("call %u answered %s", i, sl_err_name((int)stranger.answers[i]));
	assert_null(next);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(busy.res, 0);
	sl_ring_close(ring);
}

static void *use_a_ring(void *ctx)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		if (sl_ring_do(ring, sl_op_nop(&op)) != 0)
			return ctx;
	sl_ring_close(ring);
	return NULL;
}

static void every_thread_may_have_a_ring_of_its_own(void **state)
{
	pthread_t threads[4];
	void *answer;

	(void)state;
	for (unsigned i = 0; i < NR(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_a_ring, threads), 0);
	for (unsigned i = 0; i < NR(threads); i++) {
		pthread_join(threads[i], &answer);
		assert_null(answer);
	}
}

enum {
	NR_OPS = 32,
	BYTES = 16384
};

struct legacy {
	struct sl_ring *ring;
	struct sl_op ops[NR_OPS];
	unsigned char *bufs;
	int fd; /* of a file or a stream */
	bool is_file;
};

/* Opens a ring, leaves transfers in flight, and ends. */
static void *leave_behind(void *ctx)
{
	struct legacy *legacy = ctx;

	legacy->ring = ring_open(NR_OPS);
	for (unsigned i = 0; i < NR_OPS; i++) {
		legacy->ops[i] = (struct sl_op){ 0 };
		sl_op_read(&legacy->ops[i], legacy->fd, legacy->bufs + (size_t)i * BYTES, BYTES,
			   legacy->is_file ? (uint64_t)i * BYTES : SL_OFF_CURRENT);
		if (sl_ring_submit(legacy->ring, &legacy->ops[i]) != 0)
			return ctx;
	}
	sl_ring_flush(legacy->ring);
	return NULL;
}

static void end_and_close(struct legacy *legacy)
{
	pthread_t thread;
	void *answer;

	assert_int_equal(posix_memalign((void **)&legacy->bufs, 4096, (size_t)NR_OPS * BYTES), 0);
	memset(legacy->bufs, 1, (size_t)NR_OPS * BYTES);
	assert_int_equal(pthread_create(&thread, NULL, leave_behind, legacy), 0);
	pthread_join(thread, &answer);
	assert_null(answer);
	sl_ring_close(legacy->ring);
}

static void expect_untouched_from_now(struct legacy *legacy)
{
	memset(legacy->bufs, 0x5c, (size_t)NR_OPS * BYTES);
	pause_ms(100);
	for (size_t i = 0; i < (size_t)NR_OPS * BYTES; i++)
		assert_int_equal(legacy->bufs[i], 0x5c);
}

static void a_ring_whose_owner_has_ended_is_closed_by_another_thread(void **state)
{
	static struct legacy legacy;
	int pair[2];

	(void)state;
	world_pair(pair);
	legacy.fd = pair[0];
	end_and_close(&legacy);
	world_put(pair[1], "nobody may read this into the buffers", 37);
	expect_untouched_from_now(&legacy);
	assert_int_equal(world_take(pair[0], legacy.bufs, 64), 37);
}

static void disk_transfers_of_an_ended_owner_write_nothing_after_the_close(void **state)
{
	static struct legacy legacy;
	int fd = test_file("legacy", O_RDWR);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)NR_OPS * BYTES), 0);
	fsync(fd);
	if (fcntl(fd, F_SETFL, O_DIRECT) < 0)
		SKIP("no O_DIRECT on the file system of the tests");
	legacy.fd = fd;
	legacy.is_file = true;
	end_and_close(&legacy);
	expect_untouched_from_now(&legacy);
}

static const struct contract_test tests[] = {
	T(calls_from_another_thread_are_refused, CORE, 0),
	T(every_thread_may_have_a_ring_of_its_own, CORE, ON_KERNEL),
	T(a_ring_whose_owner_has_ended_is_closed_by_another_thread, BLOCK, ON_KERNEL),
	T(disk_transfers_of_an_ended_owner_write_nothing_after_the_close, BLOCK, ON_KERNEL),
};

const struct contract_group thread_tests = GROUP(tests);
