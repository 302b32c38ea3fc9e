/* refuse.c - what submit answers to a request that cannot be: every pair of operation and flag. */
#include "tests/contract/suite.h"

/* The flags an operation knows, as op.h lists them; PARK and LINKED every one knows. */
static uint16_t known_flags(unsigned code)
{
	switch (code) {
	case SL_OP_TIMER:
	case SL_OP_POLL:
	case SL_OP_ACCEPT:
		return SL_OP_MULTI;
	case SL_OP_READ:
		return SL_OP_POOLED | SL_OP_VEC | SL_OP_PARTIAL | SL_OP_DONTCACHE;
	case SL_OP_WRITE:
		return SL_OP_VEC | SL_OP_DSYNC | SL_OP_PARTIAL | SL_OP_DONTCACHE;
	case SL_OP_RECV:
		return SL_OP_MULTI | SL_OP_POOLED | SL_OP_VEC;
	case SL_OP_SEND:
		return SL_OP_ZC | SL_OP_VEC;
	case SL_OP_SENDMSG:
		return SL_OP_ZC;
	case SL_OP_SPLICE:
	case SL_OP_TEE:
	case SL_OP_SENDFILE:
		return SL_OP_NOWAIT;
	default:
		return 0;
	}
}

static void a_flag_the_operation_does_not_know_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	unsigned wrong = 0;

	(void)state;
	for (unsigned code = 0; code < SL_OP_CODES; code++) {
		uint16_t known = known_flags(code) | SL_OP_PARK | SL_OP_LINKED;

		if (sl_caps_route(sl_ring_caps(ring), code) == SL_ROUTE_NONE)
			continue;
		for (unsigned bit = 0; bit < 16; bit++) {
			struct sl_op op = { .code = (uint8_t)code, .done = note, .fd = -1 };
			int rc;

			if (known & (1u << bit))
				continue;
			op.flags = (uint16_t)(1u << bit);
			rc = sl_ring_submit(ring, &op);
			if (rc == -EINVAL)
				continue;
			print_message("# %s takes flag 1 << %u: %s\n", sl_op_name(code), bit,
				      sl_err_name(rc));
			wrong++;
			if (rc == 0)
				ring_settle(ring);
		}
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(sl_ring_inflight(ring), 0);
	sl_ring_close(ring);
}

static void an_unknown_code_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	for (unsigned code = SL_OP_CODES; code < 256; code++) {
		op.code = (uint8_t)code;
		assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	}
	sl_ring_close(ring);
}

static void a_class_that_does_not_exist_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .sched_class = SL_RING_CLASSES };

	(void)state;
	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&op)), -EINVAL);
	op.sched_class = 255;
	assert_int_equal(sl_ring_submit(ring, sl_op_nop(&op)), -EINVAL);
	op.sched_class = SL_RING_CLASSES - 1;
	expect_res(ring, sl_op_nop(&op), 0);
	sl_ring_close(ring);
}

static void multi_without_a_callback_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { 0 };

	(void)state;
	sl_op_timer(&op, sl_ring_clock(ring) + HOUR, 1000);
	op.flags |= SL_OP_MULTI;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	sl_op_poll(&op, world_bad_fd(), 1);
	op.flags |= SL_OP_MULTI;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	sl_ring_close(ring);
}

static void linked_outside_submitv_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .flags = SL_OP_LINKED };

	(void)state;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	assert_int_equal(sl_ring_do(ring, &op), -EINVAL);
	sl_ring_close(ring);
}

static void an_op_that_is_not_idle_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8), *other = ring_open(8);
	struct sl_op op = { .done = note };

	(void)state;
	submit(ring, sl_op_timer(&op, sl_ring_clock(ring) + MS, 0));
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	assert_int_equal(sl_ring_submit(other, &op), -EINVAL);
	assert_int_equal(sl_ring_post(other, &op), -EINVAL);
	ring_until(ring, &trace.ended, 1);
	assert_int_equal(op.res, 0);
	expect_res(other, sl_op_nop(&op), 0);
	sl_ring_close(other);
	sl_ring_close(ring);
}

static void a_refused_op_stays_idle_and_keeps_its_request(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .sched_class = 99, .user = ring };
	struct sl_op before;

	(void)state;
	sl_op_timer(&op, sl_ring_clock(ring), 5);
	before = op;
	assert_int_equal(sl_ring_submit(ring, &op), -EINVAL);
	assert_memory_equal(&before, &op, offsetof(struct sl_op, res));
	op.sched_class = 0;
	expect_res(ring, &op, 0);
	sl_ring_close(ring);
}

static int answers[7];

static void call_all(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_op nop = { 0 };

	note(ring, op);
	answers[0] = sl_ring_run(ring, SL_RING_POLL);
	answers[1] = sl_ring_next(ring, SL_RING_POLL) ? 0 : -EBUSY;
	answers[2] = sl_ring_drain(ring, 0);
	answers[3] = (int)sl_ring_do(ring, &nop);
	answers[4] = nop.res == 0 && sl_ring_inflight(ring) == 0 ? -EBUSY : 0;
	answers[5] = sl_ring_check(ring);
	answers[6] = sl_ring_flush(ring);
}

static void waiting_inside_a_callback_is_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_op op = { .done = call_all };

	(void)state;
	submit(ring, sl_op_nop(&op));
	ring_until(ring, &trace.ended, 1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(answers[i], -EBUSY);
	assert_int_equal(answers[6], 0);
	assert_int_equal(sl_ring_check(ring), 0);
	sl_ring_close(ring);
}

static void a_bad_descriptor_is_a_result_not_a_refusal(void **state)
{
	struct sl_ring *ring = ring_open(8);
	char byte = 0;
	struct sl_op op = { 0 };

	(void)state;
	expect_res(ring, sl_op_read(&op, world_bad_fd(), &byte, 1, 0), -EBADF);
	expect_res(ring, sl_op_write(&op, world_bad_fd(), &byte, 1, 0), -EBADF);
	expect_res(ring, sl_op_read(&op, world_bad_fd(), &byte, 1, SL_OFF_CURRENT), -EBADF);
	expect_res(ring, sl_op_fsync(&op, world_bad_fd()), -EBADF);
	expect_res(ring, sl_op_fdatasync(&op, world_bad_fd()), -EBADF);
	expect_res(ring, sl_op_read(&op, -1, &byte, 1, 0), -EBADF);
	expect_res(ring, sl_op_poll(&op, world_bad_fd(), 1), -EBADF);
	assert_int_equal(ring_stats(ring).failed, 7);
	sl_ring_close(ring);
}

static void statistics_of_a_class_that_does_not_exist_are_refused(void **state)
{
	struct sl_ring *ring = ring_open(8);
	struct sl_ring_stats stats;

	(void)state;
	assert_int_equal(sl_ring_stats(ring, SL_RING_CLASSES, &stats), -EINVAL);
	assert_int_equal(sl_ring_stats(ring, -2, &stats), -EINVAL);
	assert_int_equal(sl_ring_stats(ring, SL_RING_CLASSES - 1, &stats), 0);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(a_flag_the_operation_does_not_know_is_refused, CORE, 0),
	T(an_unknown_code_is_refused, CORE, 0),
	T(a_class_that_does_not_exist_is_refused, CORE, 0),
	T(multi_without_a_callback_is_refused, CORE, 0),
	T(linked_outside_submitv_is_refused, CORE, 0),
	T(an_op_that_is_not_idle_is_refused, CORE, 0),
	T(a_refused_op_stays_idle_and_keeps_its_request, CORE, 0),
	T(waiting_inside_a_callback_is_refused, CORE, 0),
	T(a_bad_descriptor_is_a_result_not_a_refusal, CORE | BLOCK, 0),
	T(statistics_of_a_class_that_does_not_exist_are_refused, CORE, 0),
};

const struct contract_group refuse_tests = GROUP(tests);
