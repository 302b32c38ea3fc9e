/*
 * test_engine.c: the engine against a backend whose every answer the test writes.
 *
 * What a kernel does once in a month (an interrupted truncate, a transfer that
 * says EAGAIN, a receive that finds no buffer) happens here when it is wanted.
 */
#include "harness.h"

#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sluice/sluice.h>

#include "engine/engine.h"

/* ---- the backend ------------------------------------------------------------------- */

#define STARTED_MAX 64

/* What to answer for a started slot, or false: nothing yet. */
typedef bool answer_fn(struct sl_slot *slot, struct sl_event *event);

static struct {
	struct sl_ring *ring;
	answer_fn *answer;
	struct sl_slot *started[STARTED_MAX];
	bool cancelled[STARTED_MAX];
	unsigned started_nr;
	unsigned waits;
	int flush_error;
	int64_t now_ns;
} script;

static int script_open(const struct sl_backend_open *args, void **ret_state,
		       struct sl_backend_caps *ret_caps, char *why)
{
	(void)why;
	memset(&script, 0, sizeof(script));
	script.ring = args->ring;
	script.now_ns = 1000;
	*ret_state = &script;
	*ret_caps = (struct sl_backend_caps){
		.native = ~(UINT64_C(1) << SL_OP_WORK | UINT64_C(1) << SL_OP_NOP),
		.files = true,
	};
	return 0;
}

static void script_close(void *state, bool forked)
{
	(void)state;
	(void)forked;
}

static int script_start(void *state, struct sl_slot *slot)
{
	(void)state;
	assert_true(script.started_nr < STARTED_MAX);
	script.cancelled[script.started_nr] = false;
	script.started[script.started_nr++] = slot;
	return 0;
}

static void post(unsigned i, struct sl_event *event)
{
	event->id = script.started[i]->id;
	if (!(event->flags & SL_EVENT_MORE)) {
		script.started[i] = script.started[--script.started_nr];
		script.cancelled[i] = script.cancelled[script.started_nr];
	}
	assert_true(sl_event(script.ring, event));
}

static void script_cancel(void *state, struct sl_slot *slot)
{
	(void)state;
	for (unsigned i = 0; i < script.started_nr; i++)
		script.cancelled[i] |= script.started[i] == slot;
}

static int script_flush(void *state)
{
	(void)state;
	return script.flush_error;
}

static int script_wait(void *state, unsigned nr, int64_t deadline_ns)
{
	(void)state;
	script.waits++;
	script.now_ns += 1000;
	for (unsigned i = script.started_nr; i-- > 0;) {
		struct sl_event event = { .res = -ECANCELED };

		if (script.cancelled[i] || script.answer(script.started[i], &event))
			post(i, &event);
	}
	if (nr && deadline_ns != INT64_MAX && deadline_ns > script.now_ns)
		script.now_ns = deadline_ns;
	return 0;
}

static void script_wake(void *state)
{
	(void)state;
}

static int64_t script_now(void *state)
{
	(void)state;
	return script.now_ns += 100;
}

static int script_no_pool(void *state, void *base, uint32_t buf_bytes, uint32_t count)
{
	(void)state;
	(void)base;
	(void)buf_bytes;
	(void)count;
	return -EOPNOTSUPP;
}

static int script_no_map(void *state, void *base, size_t bytes)
{
	(void)state;
	(void)base;
	(void)bytes;
	return -EOPNOTSUPP;
}

static int script_no_keep(void *state, int fd)
{
	(void)state;
	(void)fd;
	return -EOPNOTSUPP;
}

static int script_no_fd(void *state)
{
	(void)state;
	return -EOPNOTSUPP;
}

static void script_stats(void *state, struct sl_backend_stats *ret_stats)
{
	(void)state;
	*ret_stats = (struct sl_backend_stats){ .enters = script.waits };
}

static const struct sl_backend script_backend = {
	.name = "script",
	.groups = SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NAME | SL_GROUP_NET |
		  SL_GROUP_PROCESS,
	.open = script_open,
	.close = script_close,
	.start = script_start,
	.cancel = script_cancel,
	.flush = script_flush,
	.wait = script_wait,
	.wake = script_wake,
	.now = script_now,
	.pool_add = script_no_pool,
	.map = script_no_map,
	.keep = script_no_keep,
	.fd = script_no_fd,
	.stats = script_stats,
};

static struct sl_ring *open_ring(uint32_t depth, uint32_t park_max, answer_fn *answer)
{
	const struct sl_ring_opts opts = {
		.depth = depth,
		.park_max = park_max,
		.flags = SL_RING_NO_INLINE,
	};
	const struct sl_ring_choice choice = { .backend = &script_backend };
	struct sl_ring *ring;
	char why[256];

	assert_int_equal(sl_ring_open_on(&opts, &choice, &ring, why), 0);
	script.answer = answer;
	return ring;
}

static void submit(struct sl_ring *ring, struct sl_op *op)
{
	assert_int_equal(sl_ring_submit(ring, op), 0);
}

/* ---- what was started, and how it is answered ----------------------------------------- */

static unsigned answers;
static uint64_t seen_len[2];

static bool interrupt_once(struct sl_slot *slot, struct sl_event *event)
{
	if (answers < 2)
		seen_len[answers] = slot->len;
	event->res = answers++ ? 0 : -EINTR;
	return true;
}

static bool never(struct sl_slot *slot, struct sl_event *event)
{
	(void)slot;
	(void)event;
	return false;
}

/* A splice says that its source would block (as attempt.c notes it); the wait for
 * readiness has no end. */
static bool source_would_block(struct sl_slot *slot, struct sl_event *event)
{
	if (slot->code == SL_OP_POLL)
		return false;
	slot->result = 1;
	event->res = -EAGAIN;
	return true;
}

static bool at_once(struct sl_slot *slot, struct sl_event *event)
{
	event->res = slot->code == SL_OP_READ ? (int64_t)slot->len : 0;
	return true;
}

/* ---- tests ---------------------------------------------------------------------------- */

static void an_interrupted_truncate_asks_for_the_same_size_again(void **state)
{
	const uint64_t size = (UINT64_C(5) << 30) + 1;
	struct sl_ring *ring = open_ring(4, 4, interrupt_once);
	struct sl_op op = { 0 };

	(void)state;
	answers = 0;
	assert_int_equal(sl_ring_do(ring, sl_op_truncate(&op, 0, size)), 0);
	assert_int_equal(answers, 2);
	assert_true(seen_len[0] == size && seen_len[1] == size);
	answers = 0;
	assert_int_equal(sl_ring_do(ring, sl_op_allocate(&op, 0, 0, 0, size)), 0);
	assert_true(seen_len[0] == size && seen_len[1] == size);
	sl_ring_close(ring);
}

static void an_interrupted_close_is_not_repeated(void **state)
{
	struct sl_ring *ring = open_ring(4, 4, interrupt_once);
	struct sl_op op = { 0 };

	(void)state;
	answers = 0;
	assert_int_equal(sl_ring_do(ring, sl_op_close(&op, 100)), -EINTR);
	assert_int_equal(answers, 1);
	sl_ring_close(ring);
}

static void parked_ops_that_end_leave_the_deadlines(void **state)
{
	enum {
		PARKED = 4
	};
	struct sl_ring *ring = open_ring(1, PARKED, never);
	struct sl_op ops[1 + 3 * PARKED];

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		sl_op_fsync(&ops[i], 0)->flags = SL_OP_PARK;
		ops[i].deadline_ns = INT64_MAX - 1;
	}
	submit(ring, &ops[0]);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PARKED; i++)
			submit(ring, &ops[1 + round * PARKED + i]);
		for (unsigned i = 0; i < PARKED; i++)
			assert_int_equal(sl_ring_cancel(ring, &ops[1 + round * PARKED + i]), 0);
	}
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	sl_ring_close(ring);
}

static void a_splice_that_waits_for_its_source_is_on_its_target(void **state)
{
	const struct sl_splice_ends ends = {
		.source_fd = 100,
		.source_off = SL_OFF_CURRENT,
		.target_off = SL_OFF_CURRENT,
	};
	struct sl_ring *ring = open_ring(4, 4, source_would_block);
	struct sl_op op = { 0 };

	(void)state;
	submit(ring, sl_op_splice(&op, 101, &ends, 1));
	assert_int_equal(sl_ring_run(ring, SL_RING_POLL), 0);
	assert_int_equal(script.started_nr, 1);
	assert_int_equal(script.started[0]->fd, 100);
	assert_true(ring_fd_busy(ring, 101));
	assert_int_equal(sl_ring_cancel_fd(ring, 101), 1);
	assert_ptr_equal(sl_ring_next(ring, 0), &op);
	assert_int_equal(op.res, -ECANCELED);
	sl_ring_close(ring);
}

static void a_splice_refused_for_a_descriptor_being_closed_leaves_no_count(void **state)
{
	const struct sl_splice_ends ends = { .source_fd = 100 };
	struct sl_ring *ring = open_ring(4, 4, never);
	struct sl_op sync = { 0 }, close = { 0 }, splice = { 0 }, reverse = { 0 };
	const struct sl_splice_ends from_closed = { .source_fd = 101 };

	(void)state;
	submit(ring, sl_op_fsync(&sync, 101));
	assert_int_equal(sl_ring_flush(ring), 0);
	submit(ring, sl_op_close(&close, 101));
	assert_int_equal(sl_ring_flush(ring), 0);
	submit(ring, sl_op_splice(&splice, 101, &ends, 1));
	submit(ring, sl_op_splice(&reverse, 102, &from_closed, 1));
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(splice.res, -EBADF);
	assert_int_equal(reverse.res, -EBADF);
	assert_int_equal(ring->splices, 0);
	script.answer = at_once;
	sl_ring_close(ring);
}

static void cancelling_a_descriptor_reaches_into_chains(void **state)
{
	struct sl_ring *ring = open_ring(8, 4, never);
	struct sl_op ops[3], timed[2];
	struct sl_op *chain[] = { &ops[0], &ops[1], &ops[2] };
	struct sl_op *timer[] = { &timed[0], &timed[1] };

	(void)state;
	memset(ops, 0, sizeof(ops));
	memset(timed, 0, sizeof(timed));
	sl_op_fsync(&ops[0], 100)->flags = SL_OP_LINKED;
	sl_op_fsync(&ops[1], 101)->flags = SL_OP_LINKED;
	sl_op_fsync(&ops[2], 102);
	sl_op_timer(&timed[0], INT64_MAX - 1, 0)->flags = SL_OP_LINKED;
	sl_op_fsync(&timed[1], 101);
	assert_int_equal(sl_ring_submitv(ring, chain, 3), 0);
	assert_int_equal(sl_ring_submitv(ring, timer, 2), 0);
	assert_int_equal(sl_ring_flush(ring), 0);
	assert_int_equal(script.started_nr, 1);
	assert_int_equal(sl_ring_unkeep(ring, 101), -ENOENT);
	assert_true(ring_fd_busy(ring, 101));
	assert_int_equal(sl_ring_cancel_fd(ring, 101), 2);
	assert_false(ring_fd_busy(ring, 101));
	assert_ptr_equal(sl_ring_next(ring, SL_RING_POLL), &ops[1]);
	assert_int_equal(ops[1].res, -ECANCELED);
	assert_ptr_equal(sl_ring_next(ring, SL_RING_POLL), &timed[1]);
	assert_ptr_equal(sl_ring_next(ring, SL_RING_POLL), &ops[2]);
	assert_int_equal(ops[2].res, -ECANCELED);
	sl_ring_close(ring);
}

static void again(struct sl_ring *ring, struct sl_op *op)
{
	if (op->user)
		assert_int_equal(sl_ring_submit(ring, op), 0);
}

static void callbacks_that_go_on_for_ever_do_not_hold_up_next(void **state)
{
	struct sl_ring *ring = open_ring(4, 4, never);
	struct sl_op busy = { .done = again, .user = &busy }, slow = { 0 };

	(void)state;
	submit(ring, sl_op_nop(&busy));
	submit(ring, sl_op_fsync(&slow, 0));
	assert_null(sl_ring_next(ring, SL_RING_POLL));
	assert_null(sl_ring_next(ring, sl_ring_now(ring) + 100000));
	busy.user = NULL;
	sl_ring_close(ring);
}

static void callbacks_that_go_on_for_ever_starve_nobody(void **state)
{
	struct sl_ring *ring = open_ring(4, 4, at_once);
	struct sl_op busy = { .done = again, .user = &busy };
	struct sl_op timer = { 0 }, other = { 0 };
	char byte;

	(void)state;
	submit(ring, sl_op_nop(&busy));
	submit(ring, sl_op_timer(&timer, script.now_ns + 2000, 0));
	submit(ring, sl_op_read(&other, 0, &byte, 1, 0));
	for (unsigned turn = 0; turn < 1000; turn++)
		assert_true(sl_ring_run(ring, 0) > 0);
	assert_int_equal(other.res, 1);
	assert_int_equal(timer.res, 0);
	busy.user = NULL;
	sl_ring_close(ring);
}

static void a_period_longer_than_time_ticks_once(void **state)
{
	struct sl_ring *ring = open_ring(4, 4, never);
	struct sl_op timer = { .done = again };

	(void)state;
	sl_op_timer(&timer, script.now_ns + 1, UINT64_MAX)->flags = SL_OP_MULTI;
	submit(ring, &timer);
	assert_int_equal(sl_ring_run(ring, script.now_ns + 1000000), 1);
	assert_int_equal(timer.more, 1);
	assert_int_equal(sl_ring_run(ring, script.now_ns + 1000000), 0);
	sl_ring_close(ring);
}

static void a_failed_flush_breaks_the_ring(void **state)
{
	struct sl_ring *ring = open_ring(4, 4, at_once);
	struct sl_op op = { 0 };

	(void)state;
	submit(ring, sl_op_fsync(&op, 0));
	script.flush_error = -EIO;
	assert_int_equal(sl_ring_flush(ring), -EIO);
	script.flush_error = 0;
	assert_int_equal(sl_ring_error(ring), -EIO);
	assert_int_equal(sl_ring_check(ring), -EIO);
	assert_int_equal(sl_ring_flush(ring), -EIO);
	assert_int_equal(sl_ring_run(ring, 0), -EIO);
	sl_ring_close(ring);
}

static void a_close_that_is_cancelled_leaves_the_descriptor_open(void **state)
{
	struct sl_op op = { 0 };
	struct sl_ring *ring;
	int fd = dup(0);

	(void)state;
	assert_int_equal(sl_ring_open(NULL, &ring), 0);
	submit(ring, sl_op_close(&op, fd));
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	assert_ptr_equal(sl_ring_next(ring, SL_RING_POLL), &op);
	assert_int_equal(op.res, -ECANCELED);
	assert_int_equal(close(fd), 0);
	sl_ring_close(ring);
}

/* A receive takes a buffer of the pool when it is answered; there is always data. */
static bool receive(struct sl_slot *slot, struct sl_event *event)
{
	event->res = -ENOBUFS;
	if (sl_slot_take_buffer(script.ring, slot)) {
		event->res = 5;
		event->flags = SL_EVENT_BUFFER;
	}
	return true;
}

static struct sl_buf_pool *create_pool(struct sl_ring *ring, uint32_t count)
{
	const struct sl_buf_pool_opts opts = {
		.size = sizeof(opts),
		.flags = SL_BUF_RECV,
		.count = count,
		.buf_bytes = 4096,
	};
	struct sl_buf_pool *pool;

	assert_int_equal(sl_buf_pool_create(ring, &opts, &pool), 0);
	return pool;
}

static void a_starved_receive_that_is_cancelled_leaves_its_turn_to_the_next(void **state)
{
	struct sl_ring *ring = open_ring(4, 4, receive);
	struct sl_buf_pool *pool = create_pool(ring, 1);
	struct sl_op ops[3];

	(void)state;
	memset(ops, 0, sizeof(ops));
	for (unsigned i = 0; i < 3; i++) {
		submit(ring, sl_op_recv_pooled(&ops[i], 0, pool));
		sl_ring_run(ring, SL_RING_POLL);
	}
	assert_ptr_equal(sl_ring_next(ring, SL_RING_POLL), &ops[0]);
	assert_null(sl_ring_next(ring, SL_RING_POLL));
	sl_buf_put(pool, ops[0].buf);
	assert_int_equal(sl_ring_wakeup_ns(ring), SL_RING_POLL);
	assert_int_equal(sl_ring_cancel(ring, &ops[1]), 0);
	assert_ptr_equal(sl_ring_next(ring, script.now_ns + 100000), &ops[1]);
	assert_ptr_equal(sl_ring_next(ring, script.now_ns + 100000), &ops[2]);
	assert_int_equal(ops[2].res, 5);
	sl_buf_put(pool, ops[2].buf);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
}

static sem_t gate;

static int64_t hold(void *ctx)
{
	(void)ctx;
	sem_wait(&gate);
	return 0;
}

static void a_read_cancelled_before_its_worker_gives_back_its_buffer(void **state)
{
	const struct sl_ring_opts opts = { .backend = "epoll", .workers = 1 };
	int fd = memfd_create("here", MFD_CLOEXEC); /* refuses RWF_NOWAIT: not read inline */
	struct sl_op work = { 0 }, ops[2];
	struct sl_buf_pool *pool;
	struct sl_ring *ring;

	(void)state;
	memset(ops, 0, sizeof(ops));
	sem_init(&gate, 0, 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(sl_ring_open(&opts, &ring), 0);
	pool = create_pool(ring, 1);
	submit(ring, sl_op_work(&work, hold, NULL));
	submit(ring, sl_op_read_pooled(&ops[0], fd, pool));
	submit(ring, sl_op_read_pooled(&ops[1], fd, pool));
	assert_int_equal(sl_ring_run(ring, sl_ring_clock(ring) + 10000000), 0);
	assert_int_equal(sl_ring_cancel(ring, &ops[0]), 0);
	assert_ptr_equal(sl_ring_next(ring, 0), &ops[0]);
	assert_int_equal(ops[0].res, -ECANCELED);
	sem_post(&gate);
	while (sl_op_busy(&ops[1]))
		assert_non_null(sl_ring_next(ring, sl_ring_clock(ring) + INT64_C(10000000000)));
	assert_int_equal(ops[1].res, 4096);
	sl_buf_put(pool, ops[1].buf);
	assert_int_equal(sl_ring_drain(ring, 0), 0);
	sl_buf_pool_destroy(pool);
	sl_ring_close(ring);
	close(fd);
}

static unsigned ended_of_class[SL_RING_CLASSES];

static void count_class(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	ended_of_class[op->sched_class]++;
}

static void a_class_saves_up_no_credit_while_there_is_room(void **state)
{
	enum {
		DEPTH = 4,
		NR_OPS = 20
	};
	struct sl_ring *ring = open_ring(DEPTH, NR_OPS, at_once);
	struct sl_op ops[NR_OPS], alone = { 0 };

	(void)state;
	memset(ops, 0, sizeof(ops));
	memset(ended_of_class, 0, sizeof(ended_of_class));
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(sl_ring_do(ring, sl_op_fsync(&alone, 0)), 0);
	script.answer = never;
	for (unsigned i = 0; i < NR_OPS; i++) {
		ops[i].done = count_class;
		ops[i].sched_class = i == 0 || (i >= DEPTH && i % 2);
		sl_op_fsync(&ops[i], 0)->flags = SL_OP_PARK;
		submit(ring, &ops[i]);
	}
	script.answer = at_once;
	assert_int_equal(sl_ring_run(ring, 0), DEPTH);
	memset(ended_of_class, 0, sizeof(ended_of_class));
	assert_int_equal(sl_ring_run(ring, 0), DEPTH);
	assert_int_equal(ended_of_class[0], DEPTH / 2);
	assert_int_equal(ended_of_class[1], DEPTH / 2);
	sl_ring_close(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_interrupted_truncate_asks_for_the_same_size_again),
		TEST(an_interrupted_close_is_not_repeated),
		TEST(parked_ops_that_end_leave_the_deadlines),
		TEST(a_splice_that_waits_for_its_source_is_on_its_target),
		TEST(a_splice_refused_for_a_descriptor_being_closed_leaves_no_count),
		TEST(cancelling_a_descriptor_reaches_into_chains),
		TEST(callbacks_that_go_on_for_ever_do_not_hold_up_next),
		TEST(callbacks_that_go_on_for_ever_starve_nobody),
		TEST(a_period_longer_than_time_ticks_once),
		TEST(a_starved_receive_that_is_cancelled_leaves_its_turn_to_the_next),
		TEST(a_read_cancelled_before_its_worker_gives_back_its_buffer),
		TEST(a_failed_flush_breaks_the_ring),
		TEST(a_close_that_is_cancelled_leaves_the_descriptor_open),
		TEST(a_class_saves_up_no_credit_while_there_is_room),
	};

	return RUN_TESTS(tests);
}
