/* test_keep.c: the table of kept descriptors, against a plain array. */
#include "harness.h"

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>
#include <sluice/sluice.h>

#define FDS 200

static struct sl_ring *open_ring(uint32_t keep_max)
{
	const struct sl_ring_opts opts = { .backend = "epoll", .keep_max = keep_max };
	struct sl_ring *ring;

	assert_int_equal(sl_ring_open(&opts, &ring), 0);
	return ring;
}

static void the_table_finds_what_was_kept_and_nothing_else(void **state)
{
	struct sl_ring *ring = open_ring(FDS);
	bool kept[FDS] = { false };
	int fds[FDS];
	uint64_t random = support_seed();

	(void)state;
	for (int i = 0; i < FDS; i++)
		assert_true((fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0);
	for (int step = 0; step < 20000; step++) {
		int i = (int)(support_random(&random) % FDS);

		if (support_random(&random) & 1) {
			assert_int_equal(sl_ring_keep(ring, fds[i]), kept[i] ? -EEXIST : 0);
			kept[i] = true;
		} else {
			assert_int_equal(sl_ring_unkeep(ring, fds[i]), kept[i] ? 0 : -ENOENT);
			kept[i] = false;
		}
	}
	sl_ring_close(ring);
	for (int i = 0; i < FDS; i++)
		close(fds[i]);
}

static void keeping_is_bounded(void **state)
{
	struct sl_ring *ring = open_ring(2);

	(void)state;
	assert_int_equal(sl_ring_keep(ring, STDIN_FILENO), 0);
	assert_int_equal(sl_ring_keep(ring, STDOUT_FILENO), 0);
	assert_int_equal(sl_ring_keep(ring, STDERR_FILENO), -EAGAIN);
	assert_int_equal(sl_ring_unkeep(ring, STDIN_FILENO), 0);
	assert_int_equal(sl_ring_keep(ring, STDERR_FILENO), 0);
	sl_ring_close(ring);
}

static void a_closed_descriptor_cannot_be_kept(void **state)
{
	struct sl_ring *ring = open_ring(0);

	(void)state;
	assert_int_equal(sl_ring_keep(ring, 19999), -EBADF);
	assert_int_equal(sl_ring_keep(ring, -1), -EBADF);
	sl_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_table_finds_what_was_kept_and_nothing_else),
		TEST(keeping_is_bounded),
		TEST(a_closed_descriptor_cannot_be_kept),
	};

	return RUN_TESTS(tests);
}
