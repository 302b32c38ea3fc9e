/* lock.c - LOCK: open-file-description locks that wait, without holding up anything else. */
#include "tests/contract/suite.h"

#include <fcntl.h>

static int first, second;
static struct sl_ring *ring;

/* Two open file descriptions of one file: their locks conflict. */
static void setup(void)
{
	struct sl_op op = { 0 };

	first = world_open("locked", O_RDWR | O_CREAT);
	second = world_open("locked", O_RDWR);
	assert_true(first >= 0 && second >= 0);
	ring = ring_open_with(&(struct sl_ring_opts){ .depth = 8, .workers = 1 });
	expect_res(ring, sl_op_lock(&op, first, F_WRLCK, 0, 0), 0);
}

static void a_lock_waits_until_it_is_granted(void **state)
{
	struct sl_op waits = { .done = note }, op = { 0 };

	(void)state;
	setup();
	submit(ring, sl_op_lock(&waits, second, F_WRLCK, 0, 0));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 20 * MS), 0);
	assert_int_equal(trace.nr, 0);
	expect_res(ring, sl_op_lock(&op, first, F_UNLCK, 0, 0), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(waits.res, 0);
	sl_ring_close(ring);
}

static void a_lock_that_waits_keeps_its_deadline(void **state)
{
	struct sl_op waits = { .done = note };

	(void)state;
	setup();
	sl_op_lock(&waits, second, F_RDLCK, 0, 0);
	waits.deadline_ns = sl_ring_clock(ring) + 20 * MS;
	submit(ring, &waits);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(waits.res, -ETIMEDOUT);
	sl_ring_close(ring);
}

static void a_lock_that_waits_can_be_cancelled(void **state)
{
	struct sl_op waits = { .done = note }, op = { 0 };

	(void)state;
	setup();
	submit(ring, sl_op_lock(&waits, second, F_WRLCK, 0, 0));
	sl_ring_run(ring, SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &waits), 0);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(waits.res, -ECANCELED);
	/* and it holds nothing */
	expect_res(ring, sl_op_lock(&op, first, F_UNLCK, 0, 0), 0);
	expect_res(ring, sl_op_lock(&op, first, F_WRLCK, 0, 0), 0);
	sl_ring_close(ring);
}

static void ranges_that_do_not_meet_do_not_wait(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup();
	expect_res(ring, sl_op_lock(&op, first, F_UNLCK, 0, 0), 0);
	expect_res(ring, sl_op_lock(&op, first, F_WRLCK, 0, 10), 0);
	expect_res(ring, sl_op_lock(&op, second, F_WRLCK, 10, 10), 0);
	sl_ring_close(ring);
}

static void locks_that_wait_do_not_hold_up_other_work(void **state)
{
	struct sl_op waits[4], op = { 0 };

	(void)state;
	setup();
	memset(waits, 0, sizeof(waits));
	for (unsigned i = 0; i < 4; i++) {
		waits[i].done = note;
		submit(ring, sl_op_lock(&waits[i], second, F_WRLCK, 0, 0));
	}
	expect_res(ring, sl_op_write(&op, first, "works", 5, 0), 5);
	expect_res(ring, sl_op_fdatasync(&op, first), 0);
	assert_int_equal(trace.nr, 0);
	expect_res(ring, sl_op_lock(&op, first, F_UNLCK, 0, 0), 0);
	ring_until(ring, &trace.ended, 4);
	sl_ring_close(ring);
}

static void an_unknown_kind_of_lock_is_an_error(void **state)
{
	struct sl_op op = { 0 };

	(void)state;
	setup();
	assert_int_equal(sl_ring_do(ring, sl_op_lock(&op, first, 77, 0, 0)), -EINVAL);
	expect_res(ring, sl_op_lock(&op, world_bad_fd(), F_WRLCK, 0, 0), -EBADF);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_lock_waits_until_it_is_granted, NAME, 0),
	T(a_lock_that_waits_keeps_its_deadline, NAME, 0),
	T(a_lock_that_waits_can_be_cancelled, NAME, 0),
	T(ranges_that_do_not_meet_do_not_wait, NAME, 0),
	T(locks_that_wait_do_not_hold_up_other_work, NAME | BLOCK, 0),
	T(an_unknown_kind_of_lock_is_an_error, NAME, 0),
};

const struct contract_group lock_tests = GROUP(tests);
