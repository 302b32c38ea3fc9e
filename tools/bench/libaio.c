/* libaio.c: io_submit(2): the kernel's older queue, asynchronous for direct requests only. */
#include <stdio.h>
#include <stdlib.h>

#include "sys/aio.h"

#include "pump.h"

struct libaio {
	aio_context_t context;
	struct iocb request[CONTENDER_DEPTH_MAX];
	struct iocb *queued[CONTENDER_DEPTH_MAX];
	unsigned nr_queued;
	struct io_event event[CONTENDER_DEPTH_MAX];
};

static void libaio_shut(struct contender *c)
{
	struct libaio *s = c->state;

	if (s && s->context)
		sl_sys_aio_destroy(s->context);
	free(s);
	c->state = NULL;
}

static int libaio_open(struct contender *c)
{
	struct libaio *s = c->state = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	err = sl_sys_aio_setup(c->depth, &s->context);
	if (err == -EAGAIN)
		return contender_lacks(c, "io_setup(2): the machine's limit on requests is used "
					  "up; raise fs.aio-max-nr");
	if (err)
		return contender_lacks_errno(c, "io_setup(2)", err);
	c->copies = c->mode == MODE_DIRECT ? 0 : 1;
	if (c->mode == MODE_BUFFERED)
		snprintf(c->settings, sizeof(c->settings), "%s",
			 "buffered requests are served one by one: "
			 "the kernel queues direct ones only");
	return 0;
}

static int libaio_start(struct contender *c, unsigned slot, struct stream_op op)
{
	struct libaio *s = c->state;

	s->request[slot] = (struct iocb){
		.aio_data = slot,
		.aio_lio_opcode = op.write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)c->fd,
		.aio_buf = (uintptr_t)contender_block(c, slot),
		.aio_nbytes = c->work->block_bytes,
		.aio_offset = (int64_t)op.off,
	};
	s->queued[s->nr_queued++] = &s->request[slot];
	return 0;
}

/* The queue has room for every slot, so io_submit() takes all or fails at the first. */
static int submit(struct contender *c, struct libaio *s)
{
	unsigned at = 0;

	while (at < s->nr_queued) {
		int n = sl_sys_aio_submit(s->context, (long)(s->nr_queued - at), s->queued + at);

		c->calls++;
		if (n < 0)
			return n;
		at += (unsigned)n;
	}
	s->nr_queued = 0;
	return 0;
}

static int libaio_turn(struct contender *c, struct pump *p)
{
	struct libaio *s = c->state;
	int n = submit(c, s);

	if (n < 0)
		return n;
	n = sl_sys_aio_getevents(s->context, (long)pump_await(c, p), (long)c->depth, s->event,
				 NULL);
	c->calls++;
	for (int i = 0; i < n; i++)
		pump_done(c, p, (unsigned)s->event[i].data, s->event[i].res);
	return n < 0 && n != -EINTR ? n : 0;
}

static int libaio_run(struct contender *c, uint64_t nr)
{
	return pump_run(c, nr, libaio_start, libaio_turn);
}

const struct mechanism mechanism_libaio = {
	.name = "libaio",
	.about = "io_submit(2) and io_getevents(2), the system calls under libaio",
	.why = "it keeps many direct requests in flight, also where io_uring is forbidden",
	.unless = "the file is buffered: then it reads synchronously whatever the depth",
	.simplicity = 8,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.queued = true,
	.open = libaio_open,
	.run = libaio_run,
	.shut = libaio_shut,
};
