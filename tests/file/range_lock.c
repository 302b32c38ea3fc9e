/* range_lock.c: which ranges of a file may be in use together, and who goes first. */
#include "tests/file/tests.h"

#include <string.h>

#include "file/range_lock.h"

static struct sl_file_range range(uint64_t start, uint64_t end, bool exclusive)
{
	return (struct sl_file_range){ .start = start, .end = end, .exclusive = exclusive };
}

void readers_share_and_writers_exclude(void **state)
{
	struct sl_file_range first = range(0, 8, false), second = range(4, 12, false);
	struct sl_file_range writer = range(11, 20, true), beside = range(12, 20, true);
	struct range_lock lock;

	(void)state;
	sl_range_lock_init(&lock);
	sl_range_lock_take(&lock, &first);
	assert_true(sl_range_lock_free(&lock, &second, false));
	sl_range_lock_take(&lock, &second);
	assert_false(sl_range_lock_free(&lock, &writer, false));
	assert_true(sl_range_lock_free(&lock, &beside, false));
	sl_range_lock_take(&lock, &beside);
	sl_range_lock_drop(&lock, &second);
	assert_false(sl_range_lock_free(&lock, &writer, false));
	sl_range_lock_drop(&lock, &beside);
	assert_true(sl_range_lock_free(&lock, &writer, false));
	sl_range_lock_drop(&lock, &first);
	assert_null(lock.shared);
	assert_null(lock.exclusive);
}

void nobody_overtakes_one_that_waits_for_the_same_bytes(void **state)
{
	struct sl_file_range reader = range(0, 8, false), writer = range(4, 12, true);
	struct sl_file_range late = range(8, 16, false), other = range(16, 20, true);
	struct range_lock lock;

	(void)state;
	sl_range_lock_init(&lock);
	sl_range_lock_take(&lock, &reader);
	assert_false(sl_range_lock_free(&lock, &writer, false));
	sl_range_lock_wait(&lock, &writer);
	/* Nobody holds what it wants, but the writer came first. */
	assert_false(sl_range_lock_free(&lock, &late, false));
	sl_range_lock_wait(&lock, &late);
	assert_true(sl_range_lock_free(&lock, &other, false));
	sl_range_lock_drop(&lock, &reader);
	assert_false(sl_range_lock_free(&lock, &late, true));
	assert_true(sl_range_lock_free(&lock, &writer, true));
	sl_range_lock_drop(&lock, &writer);
	assert_true(sl_range_lock_free(&lock, &late, true));
}

void ranges_leave_any_list_in_any_order(void **state)
{
	struct sl_file_range ranges[6];
	uint64_t random = support_seed();
	struct range_lock lock;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		unsigned in = 0;

		sl_range_lock_init(&lock);
		memset(ranges, 0, sizeof(ranges));
		for (unsigned step = 0; step < 60; step++) {
			unsigned i = support_random(&random) % 6;

			if (in & (1u << i)) {
				sl_range_lock_drop(&lock, &ranges[i]);
			} else if (support_random(&random) & 1) {
				sl_range_lock_wait(&lock, &ranges[i]);
			} else {
				ranges[i].exclusive = support_random(&random) & 1;
				sl_range_lock_take(&lock, &ranges[i]);
			}
			in ^= 1u << i;
			assert_int_equal(ranges[i].link != NULL, (in >> i) & 1);
		}
		for (unsigned i = 0; i < 6; i++) {
			if (in & (1u << i))
				sl_range_lock_drop(&lock, &ranges[i]);
		}
		assert_null(lock.shared);
		assert_null(lock.exclusive);
		assert_null(lock.waiting);
		assert_ptr_equal(lock.waiting_tail, &lock.waiting);
	}
}
