/* append_uring.c: durable appends through io_uring: a linked sync, or a write that is one. */
#include <errno.h>
#include <stdlib.h>

#include "backend/uring/queue.h"
#include "sys/rw.h"

#include "appender.h"

static struct uring_queue *queue_of(const struct contender *c)
{
	return ((struct appender *)c->state)->executor;
}

static int uring_begin(struct contender *c)
{
	static const struct uring_queue_opts opts = { .sq_entries = 4,
						      .flags_wanted = URING_QUEUE_WANT };
	int err = appender_begin(c);
	unsigned tries = 0;

	if (err)
		return err;
	do {
		err = uring_queue_open(queue_of(c), &opts, NULL);
	} while (contender_try_again(err, &tries));
	return err ? contender_lacks_uring(c, err) : 0;
}

static void uring_end(struct contender *c)
{
	uring_queue_close(queue_of(c));
	appender_end(c);
}

static void uring_shut(struct contender *c)
{
	if (c->state)
		free(queue_of(c));
	appender_shut(c);
}

static int uring_open(struct contender *c)
{
	int err = appender_open(c, 0, false);
	struct appender *s = c->state;

	if (err)
		return err;
	s->executor = calloc(1, sizeof(struct uring_queue));
	if (!s->executor)
		return contender_lacks_errno(c, "its ring", -ENOMEM);
	err = uring_begin(c);
	if (!err)
		uring_queue_close(queue_of(c));
	return err;
}

/* Submits what is queued and waits for @nr completions, which must all succeed. */
static int await(struct contender *c, struct uring_queue *q, uint32_t nr)
{
	const struct uring_queue_wait wait = { .nr = nr };
	int err = 0;

	for (uint32_t seen = 0; seen < nr;) {
		const struct sl_uring_cqe *cqe = uring_queue_peek(q);
		int n;

		if (cqe) {
			if (cqe->res != (int32_t)cqe->user_data && !err)
				err = cqe->res < 0 ? cqe->res : -ENOSPC;
			uring_queue_seen(q, 1);
			seen++;
			continue;
		}
		c->calls++;
		n = uring_queue_submit(q, &wait);
		if (n < 0 && n != -EINTR)
			return n;
	}
	return err;
}

/* The result each request must have is its user data. */
static struct sl_uring_sqe write_request(const struct contender *c, const void *buf, uint64_t off)
{
	return (struct sl_uring_sqe){
		.opcode = SL_URING_OP_WRITE,
		.fd = c->fd,
		.addr = (uintptr_t)buf,
		.len = c->work->block_bytes,
		.off = off,
		.user_data = c->work->block_bytes,
	};
}

static int by_uring_linked(struct contender *c, const void *buf, uint64_t off)
{
	struct sl_uring_sqe first = write_request(c, buf, off);
	struct sl_uring_sqe second = { .opcode = SL_URING_OP_FSYNC,
				       .fd = c->fd,
				       .op_flags = SL_URING_FSYNC_DATASYNC };
	struct uring_queue *q = queue_of(c);

	first.flags = SL_URING_SQE_IO_LINK;
	uring_queue_push(q, &first);
	uring_queue_push(q, &second);
	return await(c, q, 2);
}

static int by_uring_dsync(struct contender *c, const void *buf, uint64_t off)
{
	struct sl_uring_sqe request = write_request(c, buf, off);
	struct uring_queue *q = queue_of(c);

	request.op_flags = SL_RWF_DSYNC;
	uring_queue_push(q, &request);
	return await(c, q, 1);
}

static int run_uring_linked(struct contender *c, uint64_t nr)
{
	return appender_run(c, nr, by_uring_linked);
}

static int run_uring_dsync(struct contender *c, uint64_t nr)
{
	return appender_run(c, nr, by_uring_dsync);
}

const struct mechanism mechanism_uring_linked_fsync = {
	.name = "io_uring write+fsync",
	.about = "io_uring: a write and a linked fsync (data only), one system call",
	.why = "the thread is free while the device works",
	.unless = "nothing else is to be done meanwhile",
	.simplicity = 9,
	.kind = WORKLOAD_APPEND,
	.open = uring_open,
	.begin = uring_begin,
	.run = run_uring_linked,
	.end = uring_end,
	.shut = uring_shut,
};

const struct mechanism mechanism_uring_dsync = {
	.name = "io_uring RWF_DSYNC",
	.about = "io_uring: one write with RWF_DSYNC",
	.why = "the thread is free while the device works",
	.unless = "nothing else is to be done meanwhile",
	.simplicity = 8,
	.kind = WORKLOAD_APPEND,
	.open = uring_open,
	.begin = uring_begin,
	.run = run_uring_dsync,
	.end = uring_end,
	.shut = uring_shut,
};
