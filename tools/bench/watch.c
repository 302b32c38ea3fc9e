/*
 * watch.c: readiness of one descriptor among many idle ones: select, poll, epoll, io_uring.
 *
 * One operation wakes a random descriptor (write), waits until it is reported, and drains it
 * (read). Descriptors are registered before each block and unregistered after it: every wakeup
 * would else run through the wait queues of the contenders that are not running.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "backend/uring/queue.h"

#include "crowd.h"
#include "mechanisms.h"
#include "random.h"

#define RING_ENTRIES 256
#define CANCEL_DATA  UINT64_MAX

struct watcher {
	struct pollfd *poll;
	int epoll;
	fd_set set;
	struct uring_queue q;
	uint64_t *value; /* one per descriptor, for reads in flight */
};

/* Waits until descriptor @idx of the crowd is reported and drained; 0 or -errno. */
typedef int watch_fn(struct contender *c, unsigned idx);

static int drain(struct contender *c, int fd)
{
	uint64_t value;

	c->calls++;
	if (read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value))
		return -errno;
	return value == 1 ? 0 : -EBADMSG;
}

static inline __attribute__((always_inline)) int each(struct contender *c, uint64_t nr,
						      watch_fn *watch)
{
	const struct crowd *crowd = c->env->crowd;
	uint64_t state = c->env->round_seed;

	for (uint64_t i = 0; i < nr; i++) {
		static const uint64_t one = 1;
		unsigned idx = (unsigned)random_below(&state, crowd->nr);
		int err;

		contender_start(c, 0);
		c->calls++;
		if (write(crowd->fd[idx], &one, sizeof(one)) != (ssize_t)sizeof(one))
			return -errno;
		err = watch(c, idx);
		contender_finish(c, 0);
		if (err)
			return err;
	}
	return 0;
}

static int watch_open(struct contender *c)
{
	struct watcher *s = c->state = calloc(1, sizeof(*s));

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->epoll = -1;
	s->q.fd = -1;
	return 0;
}

static void watch_shut(struct contender *c)
{
	struct watcher *s = c->state;

	if (!s)
		return;
	free(s->poll);
	free(s->value);
	free(s);
	c->state = NULL;
}

/* -- select -------------------------------------------------------------------------------- */

static int select_open(struct contender *c)
{
	const struct crowd *crowd = c->env->crowd;
	int err = watch_open(c);

	if (err)
		return err;
	if (crowd->fd_max >= FD_SETSIZE) {
		contender_void(c,
			       "beyond its reach: descriptor %d, and select(2) ends at FD_SETSIZE "
			       "(%d)",
			       crowd->fd_max, FD_SETSIZE);
		return -ERANGE;
	}
	FD_ZERO(&((struct watcher *)c->state)->set);
	for (unsigned i = 0; i < crowd->nr; i++)
		FD_SET(crowd->fd[i], &((struct watcher *)c->state)->set);
	return 0;
}

static int by_select(struct contender *c, unsigned idx)
{
	const struct crowd *crowd = c->env->crowd;
	struct watcher *s = c->state;
	fd_set ready = s->set;

	(void)idx;
	c->calls++;
	if (select(crowd->fd_max + 1, &ready, NULL, NULL, NULL) != 1)
		return -errno;
	for (unsigned i = 0; i < crowd->nr; i++) {
		if (FD_ISSET(crowd->fd[i], &ready))
			return drain(c, crowd->fd[i]);
	}
	return -ENODATA;
}

static int select_run(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_select);
}

/* -- poll ---------------------------------------------------------------------------------- */

static int poll_open(struct contender *c)
{
	const struct crowd *crowd = c->env->crowd;
	int err = watch_open(c);
	struct watcher *s = c->state;

	if (err)
		return err;
	s->poll = calloc(crowd->nr, sizeof(*s->poll));
	if (!s->poll)
		return contender_lacks_errno(c, "its table", -ENOMEM);
	for (unsigned i = 0; i < crowd->nr; i++)
		s->poll[i] = (struct pollfd){ .fd = crowd->fd[i], .events = POLLIN };
	return 0;
}

static int by_poll(struct contender *c, unsigned idx)
{
	const struct crowd *crowd = c->env->crowd;
	struct watcher *s = c->state;

	(void)idx;
	c->calls++;
	if (poll(s->poll, crowd->nr, -1) != 1)
		return -errno;
	for (unsigned i = 0; i < crowd->nr; i++) {
		if (s->poll[i].revents)
			return drain(c, s->poll[i].fd);
	}
	return -ENODATA;
}

static int poll_run(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_poll);
}

/* -- epoll --------------------------------------------------------------------------------- */

static void epoll_end(struct contender *c)
{
	struct watcher *s = c->state;

	if (s->epoll >= 0)
		close(s->epoll);
	s->epoll = -1;
}

static int epoll_begin_with(struct contender *c, uint32_t events)
{
	const struct crowd *crowd = c->env->crowd;
	struct watcher *s = c->state;

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return -errno;
	for (unsigned i = 0; i < crowd->nr; i++) {
		struct epoll_event event = { .events = events, .data.fd = crowd->fd[i] };

		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, crowd->fd[i], &event) < 0) {
			int err = -errno;

			epoll_end(c);
			return err;
		}
	}
	return 0;
}

static int epoll_begin(struct contender *c)
{
	return epoll_begin_with(c, EPOLLIN);
}

static int epoll_begin_edge(struct contender *c)
{
	return epoll_begin_with(c, EPOLLIN | EPOLLET);
}

static int by_epoll(struct contender *c, unsigned idx)
{
	struct watcher *s = c->state;
	struct epoll_event event[16];

	(void)idx;
	c->calls++;
	if (epoll_wait(s->epoll, event, 16, -1) != 1)
		return -errno;
	return drain(c, event[0].data.fd);
}

static int epoll_run(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_epoll);
}

/* -- io_uring ------------------------------------------------------------------------------ */

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

static int ring_begin_with(struct contender *c, request_fn *request)
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
	int err = watch_open(c);
	struct watcher *s = c->state;

	if (err)
		return err;
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
	return err ? err : drain(c, c->env->crowd->fd[cqe.user_data]);
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
	return each(c, nr, by_ring_poll);
}

static int ring_run_read(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_ring_read);
}

/* -- the table ----------------------------------------------------------------------------- */

const struct mechanism mechanism_select = {
	.name = "select",
	.about = "select(2)",
	.why = "it needs no state in the kernel and is portable everywhere",
	.unless = "a descriptor may be 1024 or above: it cannot be watched",
	.simplicity = 2,
	.kind = WORKLOAD_WATCH,
	.open = select_open,
	.run = select_run,
	.shut = watch_shut,
};

const struct mechanism mechanism_poll = {
	.name = "poll",
	.about = "poll(2)",
	.why = "it needs no state in the kernel",
	.unless = "there are more than a few descriptors: each call looks at all of them",
	.simplicity = 1,
	.kind = WORKLOAD_WATCH,
	.open = poll_open,
	.run = poll_run,
	.shut = watch_shut,
};

const struct mechanism mechanism_epoll = {
	.name = "epoll",
	.about = "epoll_wait(2), level-triggered",
	.why = "its cost does not grow with the number of idle descriptors",
	.unless = "there are only a handful of them: poll needs no registration",
	.simplicity = 3,
	.kind = WORKLOAD_WATCH,
	.open = watch_open,
	.begin = epoll_begin,
	.run = epoll_run,
	.end = epoll_end,
	.shut = watch_shut,
};

const struct mechanism mechanism_epoll_edge = {
	.name = "epoll EPOLLET",
	.about = "epoll_wait(2), edge-triggered",
	.why = "its cost does not grow with the number of idle descriptors, and a ready one is "
	       "reported once",
	.unless = "a reader may stop before it has drained the descriptor: it is not told again",
	.simplicity = 4,
	.kind = WORKLOAD_WATCH,
	.open = watch_open,
	.begin = epoll_begin_edge,
	.run = epoll_run,
	.end = epoll_end,
	.shut = watch_shut,
};

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
