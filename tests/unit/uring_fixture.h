/* What the tests of the raw ring share: open or skip, push a nop, expect one completion. */
#ifndef SLUICE_TESTS_UNIT_URING_FIXTURE_H
#define SLUICE_TESTS_UNIT_URING_FIXTURE_H

#include <errno.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "backend/uring/queue.h"

#define WAIT_LONG_NS 30000000000ULL

static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* The kernel gives back the locked memory of a closed ring with a delay: try for two seconds. */
static inline int open_patiently(struct uring_queue *q, const struct uring_queue_opts *opts,
				 struct uring_queue_report *report)
{
	const struct timespec nap = { .tv_nsec = 10000000 };
	int err = uring_queue_open(q, opts, report);

	for (int i = 0; err == -ENOMEM && i < 200; i++) {
		nanosleep(&nap, NULL);
		err = uring_queue_open(q, opts, report);
	}
	return err;
}

static inline void open_or_skip(struct uring_queue *q, const struct uring_queue_opts *opts,
				struct uring_queue_report *report)
{
	int err = open_patiently(q, opts, report);

	if (err == -ENOSYS || err == -EPERM)
		SKIP("io_uring cannot be used here: %s", strerror(-err));
	if (err == -ENOMEM)
		SKIP("RLIMIT_MEMLOCK leaves no room for this ring");
	if (err)
		fail_msg("cannot open a ring: %s", strerror(-err));
}

static inline void open_usual(struct uring_queue *q)
{
	const struct uring_queue_opts opts = { .sq_entries = 8,
					       .cq_entries = 32,
					       .flags_wanted = URING_QUEUE_WANT };

	open_or_skip(q, &opts, NULL);
}

static inline bool push_nop(struct uring_queue *q, uint64_t user_data)
{
	return uring_queue_push(q, &(struct sl_uring_sqe){ .opcode = SL_URING_OP_NOP,
							   .fd = -1,
							   .user_data = user_data });
}

/* Waits for one completion, checks whose it is and takes it. Returns its result. */
static inline int reap(struct uring_queue *q, uint64_t user_data)
{
	const struct uring_queue_wait wait = { .nr = 1, .deadline_ns = clock_ns() + WAIT_LONG_NS };
	const struct sl_uring_cqe *cqe;
	int ret;

	ret = uring_queue_submit(q, &wait);
	assert_true(ret >= 0);
	cqe = uring_queue_peek(q);
	assert_non_null(cqe);
	assert_int_equal(cqe->user_data, user_data);
	ret = cqe->res;
	uring_queue_seen(q, 1);
	return ret;
}

#endif
