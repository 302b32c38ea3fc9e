/*
 * uring.c: io_uring through the raw queue: plain, with registered buffers and file, with SQPOLL.
 *
 * The ring is made before each block and closed after it, outside the measurement: a polling
 * thread that idles on into the next contender's block would be charged to that one.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/uring/queue.h"
#include "sys/rw.h"

#include "pump.h"

#define SQPOLL_IDLE_MS 5

struct uring {
	struct uring_queue q;
	bool registered;
	bool polled;
};

static int register_all(struct contender *c, struct uring *s)
{
	struct iovec iov = { c->buf, (size_t)c->depth * c->work->block_bytes };
	int n = uring_queue_buffers_sparse(&s->q, 1);

	if (n == 0)
		n = uring_queue_buffers_update(&s->q, 0, &iov, NULL, 1);
	if (n < 0)
		return n;
	n = uring_queue_files_sparse(&s->q, 1);
	if (n == 0)
		n = uring_queue_files_update(&s->q, 0, &c->fd, NULL, 1);
	return n < 0 ? n : 0;
}

static int make_ring(struct contender *c)
{
	struct uring *s = c->state;
	struct uring_queue_opts opts = {
		.sq_entries = c->depth,
		.flags = s->polled ? SL_URING_SETUP_SQPOLL : 0,
		.flags_wanted = s->polled ?
					SL_URING_SETUP_SINGLE_ISSUER | SL_URING_SETUP_SUBMIT_ALL |
						SL_URING_SETUP_NO_SQARRAY :
					URING_QUEUE_WANT,
		.sq_idle_ms = s->polled ? SQPOLL_IDLE_MS : 0,
	};
	int err = uring_queue_open(&s->q, &opts, NULL);

	if (err || !s->registered)
		return err;
	err = register_all(c, s);
	if (err)
		uring_queue_close(&s->q);
	return err;
}

static int ring_begin(struct contender *c)
{
	const struct uring *s = c->state;
	unsigned tries = 0;
	int err;

	do {
		err = make_ring(c);
	} while (contender_try_again(err, &tries));
	if (err == -ENOMEM && s->registered)
		return contender_lacks(c,
				       "cannot register %zu KiB of buffers: the limit on locked "
				       "memory, which all processes of a user share, is reached; "
				       "raise `ulimit -l`",
				       (size_t)c->depth * c->work->block_bytes / 1024);
	return err ? contender_lacks_uring(c, err) : 0;
}

static bool is_poller(const char *tid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	return strncmp(name, "iou-sqp", 7) == 0;
}

static bool poller_alive(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	bool alive = false;

	while (dir && !alive && (entry = readdir(dir)))
		alive = entry->d_name[0] != '.' && is_poller(entry->d_name);
	if (dir)
		closedir(dir);
	return alive;
}

/* Closing a ring ends its polling thread some time later; until then it spins at our expense. */
static void await_poller(void)
{
	static const struct timespec pause = { .tv_nsec = 500000 };

	for (int i = 0; i < 400 && poller_alive(); i++)
		nanosleep(&pause, NULL);
}

static void ring_end(struct contender *c)
{
	struct uring *s = c->state;

	if (!s || s->q.fd < 0)
		return;
	uring_queue_close(&s->q);
	if (s->polled)
		await_poller();
}

static void ring_shut(struct contender *c)
{
	ring_end(c);
	free(c->state);
	c->state = NULL;
}

static int ring_open(struct contender *c, bool registered, bool polled)
{
	struct uring *s = c->state = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->q.fd = -1;
	s->registered = registered;
	s->polled = polled;
	c->copies = c->mode == MODE_DIRECT ? 0 : 1;
	err = ring_begin(c);
	if (!err)
		ring_end(c);
	return err;
}

static int open_plain(struct contender *c)
{
	return ring_open(c, false, false);
}

static int open_registered(struct contender *c)
{
	return ring_open(c, true, false);
}

static int open_polled(struct contender *c)
{
	return ring_open(c, true, true);
}

static inline uint8_t opcode(const struct uring *s, bool write)
{
	if (s->registered)
		return write ? SL_URING_OP_WRITE_FIXED : SL_URING_OP_READ_FIXED;
	return write ? SL_URING_OP_WRITE : SL_URING_OP_READ;
}

static int ring_start(struct contender *c, unsigned slot, struct stream_op op)
{
	struct uring *s = c->state;
	struct sl_uring_sqe request = {
		.opcode = opcode(s, op.write),
		.flags = s->registered ? SL_URING_SQE_FIXED_FILE : 0,
		.fd = s->registered ? 0 : c->fd,
		.off = op.off,
		.addr = (uintptr_t)contender_block(c, slot),
		.len = c->work->block_bytes,
		.op_flags = c->mode == MODE_DONTCACHE ? SL_RWF_DONTCACHE : 0,
		.user_data = slot,
	};

	/* With SQPOLL a slot is free for us a moment before the kernel's thread has moved its head.
	 */
	while (!uring_queue_push(&s->q, &request)) {
		int err = uring_queue_sq_wait(&s->q);

		c->calls++;
		if (err)
			return err;
	}
	return 0;
}

/* uring_queue_submit() enters the kernel unless a poller is awake and nothing is awaited. */
static int enter(struct contender *c, struct uring *s, const struct uring_queue_wait *wait)
{
	bool sleeps = uring_queue_sq_flags(&s->q) & SL_URING_SQ_NEED_WAKEUP;
	int n;

	c->calls += wait || !s->polled || sleeps;
	n = uring_queue_submit(&s->q, wait);
	return n < 0 && n != -EINTR ? n : 0;
}

static int ring_turn(struct contender *c, struct pump *p)
{
	const struct uring_queue_wait some = { .nr = pump_await(c, p) };
	struct uring *s = c->state;
	uint32_t ready;
	int err = 0;

	if (s->polled)
		err = enter(c, s, NULL);
	if (!err && !(s->polled && uring_queue_ready(&s->q)))
		err = enter(c, s, &some);
	if (err)
		return err;
	ready = uring_queue_ready(&s->q);
	for (uint32_t i = 0; i < ready; i++) {
		const struct sl_uring_cqe *cqe = uring_queue_cqe(&s->q, i);

		pump_done(c, p, (unsigned)cqe->user_data, cqe->res);
	}
	uring_queue_seen(&s->q, ready);
	return 0;
}

static int ring_run(struct contender *c, uint64_t nr)
{
	return pump_run(c, nr, ring_start, ring_turn);
}

const struct mechanism mechanism_uring = {
	.name = "io_uring",
	.about = "io_uring, one ring, SINGLE_ISSUER and DEFER_TASKRUN where the kernel has them",
	.why = "one system call submits and collects many requests",
	.unless = "there is never more than one request at a time, or containers forbid it",
	.simplicity = 9,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT | MODE_DONTCACHE,
	.queued = true,
	.open = open_plain,
	.begin = ring_begin,
	.run = ring_run,
	.end = ring_end,
	.shut = ring_shut,
};

const struct mechanism mechanism_uring_registered = {
	.name = "io_uring-fixed",
	.about = "io_uring with registered buffers and a registered file",
	.why = "one system call serves many requests, and pages are pinned once, not each time",
	.unless = "buffers come and go, or the limit on locked memory is small",
	.simplicity = 11,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.queued = true,
	.open = open_registered,
	.begin = ring_begin,
	.run = ring_run,
	.end = ring_end,
	.shut = ring_shut,
};

const struct mechanism mechanism_uring_sqpoll = {
	.name = "io_uring-sqpoll",
	.about = "io_uring with SQPOLL: a kernel thread submits; registered buffers and file",
	.why = "it makes almost no system calls",
	.unless = "CPU time matters: its kernel thread burns a core while there is work",
	.simplicity = 12,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.queued = true,
	.open = open_polled,
	.begin = ring_begin,
	.run = ring_run,
	.end = ring_end,
	.shut = ring_shut,
};
