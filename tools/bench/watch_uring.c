/* watch_uring.c: one ready descriptor among many idle ones, by io_uring: polls, or reads in flight.
 */
#include <poll.h>
#include <stdlib.h>

#include "backend/uring/queue.h"

#include "watcher.h"

#define RING_ENTRIES 256
#define CANCEL_DATA  UINT64_MAX

struct watcher {
	struct uring_queue q;
	uint64_t *value; /* one per descriptor, for reads in flight */
};

static void watch_shut(struct contender *c)
{
	struct watcher *s = c->state;

	if (!s)
		return;
	free(s->value);
	free(s);
	c->state = NULL;
}

static int enter(struct contender *c, struct uring_queue *q, uint32_t wait_nr)
{
	const struct uring_queue_wait wait = { .nr = wait_nr, .idle = true };
	int n = uring_queue_submit(q, wait_nr ? &wait : NULL);

	c->calls++;
	return n < 0 && n != -EINTR ? n : 0;
}

static int push(struct contender *c, struct uring_queue *q, const struct sl_uring_sqe *request)
{
	while (!uring_queue_push(q, request)) {
		int err = enter(c, q, 0);

		if (err)
			return err;
	}
	return 0;
}

static struct sl_uring_sqe poll_request(const struct contender *c, unsigned idx)
{
	return (struct sl_uring_sqe){
		.opcode = SL_URING_OP_POLL_ADD,
		.fd = c->env->crowd->fd[idx],
		.len = SL_URING_POLL_ADD_MULTI,
		.op_flags = POLLIN,
		.user_data = idx,
	};
}

static struct sl_uring_sqe read_request(const struct contender *c, unsigned idx)
{
	const struct watcher *s = c->state;

	return (struct sl_uring_sqe){
		.opcode = SL_URING_OP_READ,
		.fd = c->env->crowd->fd[idx],
		.addr = (uintptr_t)&s->value[idx],
		.len = sizeof(s->value[idx]),
		.off = UINT64_MAX,
		.user_data = idx,
	};
}

typedef struct sl_uring_sqe request_fn(const struct contender *c, unsigned idx);

static int make_ring(struct contender *c, request_fn *request)
{
	struct watcher *s = c->state;
	const struct uring_queue_opts opts = { .sq_entries = RING_ENTRIES,
					       .flags_wanted = URING_QUEUE_WANT };
	int err = uring_queue_open(&s->q, &opts, NULL);

	for (unsigned i = 0; !err && i < c->env->crowd->nr; i++) {
		struct sl_uring_sqe sqe = request(c, i);

		err = push(c, &s->q, &sqe);
	}
	if (!err)
		err = enter(c, &s->q, 0);
	if (err)
		uring_queue_close(&s->q);
	return err;
}

static int ring_begin_with(struct contender *c, request_fn *request)
{
	unsigned tries = 0;
	int err;

	do {
		err = make_ring(c, request);
	} while (contender_try_again(err, &tries));
	return err ? contender_lacks_uring(c, err) : 0;
}

static int ring_begin_poll(struct contender *c)
{
	return ring_begin_with(c, poll_request);
}

static int ring_begin_read(struct contender *c)
{
	return ring_begin_with(c, read_request);
}

/* Takes what is ready; returns how many requests have ended for good. */
static uint32_t reap_ended(struct uring_queue *q)
{
	uint32_t ready = uring_queue_ready(q), ended = 0;

	for (uint32_t i = 0; i < ready; i++) {
		const struct sl_uring_cqe *cqe = uring_queue_cqe(q, i);

		ended += cqe->user_data != CANCEL_DATA && !(cqe->flags & SL_URING_CQE_F_MORE);
	}
	uring_queue_seen(q, ready);
	return ended;
}

/*
 * Reads in flight would take the next contender's events: the ring closes when they are gone.
 * One cancel each, found by hash; cancelling all at once takes time squared (0.6 s for 10,000).
 */
static void ring_end(struct contender *c)
{
	struct watcher *s = c->state;
	uint32_t left = c->env->crowd->nr;

	for (unsigned i = 0; i < c->env->crowd->nr; i++) {
		const struct sl_uring_sqe cancel = { .opcode = SL_URING_OP_ASYNC_CANCEL,
						     .fd = -1,
						     .addr = i,
						     .user_data = CANCEL_DATA };

		while (!uring_queue_push(&s->q, &cancel)) {
			if (enter(c, &s->q, 1) < 0)
				break;
			left -= reap_ended(&s->q);
		}
	}
	for (int turn = 0; left && turn < 10000 && enter(c, &s->q, 1) >= 0; turn++)
		left -= reap_ended(&s->q);
	uring_queue_close(&s->q);
}

static int ring_open(struct contender *c)
{
	static const struct uring_queue_opts opts = { .sq_entries = RING_ENTRIES,
						      .flags_wanted = URING_QUEUE_WANT };
	struct watcher *s = c->state = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->q.fd = -1;
	s->value = calloc(c->env->crowd->nr, sizeof(*s->value));
	if (!s->value)
		return contender_lacks_errno(c, "its buffers", -ENOMEM);
	err = uring_queue_open(&s->q, &opts, NULL);
	if (err)
		return contender_lacks_uring(c, err);
	uring_queue_close(&s->q);
	return 0;
}

/* Waits for one completion and hands out its index and result. */
static int next_event(struct contender *c, struct sl_uring_cqe *ret)
{
	struct watcher *s = c->state;
	const struct sl_uring_cqe *cqe;

	for (;;) {
		int err;

		cqe = uring_queue_peek(&s->q);
		if (cqe)
			break;
		err = enter(c, &s->q, 1);
		if (err)
			return err;
	}
	*ret = *cqe;
	uring_queue_seen(&s->q, 1);
	return ret->res < 0 ? ret->res : 0;
}

static int by_ring_poll(struct contender *c, unsigned idx)
{
	struct watcher *s = c->state;
	struct sl_uring_cqe cqe;
	int err = next_event(c, &cqe);

	(void)idx;
	if (err)
		return err;
	if (!(cqe.flags & SL_URING_CQE_F_MORE)) {
		struct sl_uring_sqe again = poll_request(c, (unsigned)cqe.user_data);

		err = push(c, &s->q, &again);
	}
	return err ? err : watcher_drain(c, c->env->crowd->fd[cqe.user_data]);
}

/* The read is in flight from the start: its completion is the event and the data in one. */
static int by_ring_read(struct contender *c, unsigned idx)
{
	struct watcher *s = c->state;
	struct sl_uring_sqe again;
	struct sl_uring_cqe cqe;
	int err = next_event(c, &cqe);

	if (err)
		return err;
	if (cqe.user_data != idx || cqe.res != (int32_t)sizeof(uint64_t))
		return -EBADMSG;
	again = read_request(c, idx);
	return push(c, &s->q, &again);
}

static int ring_run_poll(struct contender *c, uint64_t nr)
{
	return watcher_run(c, nr, by_ring_poll);
}

static int ring_run_read(struct contender *c, uint64_t nr)
{
	return watcher_run(c, nr, by_ring_read);
}

const struct mechanism mechanism_uring_poll = {
	.name = "io_uring poll",
	.about = "io_uring: one multishot poll per descriptor",
	.why = "its cost does not grow with the number of idle descriptors, and one queue serves "
	       "files as well",
	.unless = "containers forbid it",
	.simplicity = 6,
	.kind = WORKLOAD_WATCH,
	.open = ring_open,
	.begin = ring_begin_poll,
	.run = ring_run_poll,
	.end = ring_end,
	.shut = watch_shut,
};

const struct mechanism mechanism_uring_read = {
	.name = "io_uring read",
	.about = "io_uring: one read in flight per descriptor",
	.why = "the completion brings the data: no second call to read it",
	.unless = "a buffer for every idle descriptor is too much memory",
	.simplicity = 7,
	.kind = WORKLOAD_WATCH,
	.open = ring_open,
	.begin = ring_begin_read,
	.run = ring_run_read,
	.end = ring_end,
	.shut = watch_shut,
};
