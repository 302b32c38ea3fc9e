/* posix_aio.c: aio_read(3): threads of the C library behind an asynchronous face. */
#include <aio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pump.h"

struct posix_aio {
	struct aiocb request[CONTENDER_DEPTH_MAX];
	const struct aiocb *pending[CONTENDER_DEPTH_MAX]; /* NULL: the slot is free */
};

static int aio_open(struct contender *c)
{
	c->state = calloc(1, sizeof(struct posix_aio));
	if (!c->state)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	c->copies = c->mode == MODE_DIRECT ? 0 : 1;
	c->calls_unknown = true;
	snprintf(c->settings, sizeof(c->settings),
		 "glibc serves the requests of one descriptor in one thread, one after the other");
	return 0;
}

static void aio_shut(struct contender *c)
{
	free(c->state);
	c->state = NULL;
}

static int aio_start(struct contender *c, unsigned slot, struct stream_op op)
{
	struct posix_aio *s = c->state;
	struct aiocb *r = &s->request[slot];

	*r = (struct aiocb){
		.aio_fildes = c->fd,
		.aio_buf = contender_block(c, slot),
		.aio_nbytes = c->work->block_bytes,
		.aio_offset = (off_t)op.off,
		.aio_sigevent.sigev_notify = SIGEV_NONE,
	};
	if ((op.write ? aio_write(r) : aio_read(r)) < 0)
		return -errno;
	s->pending[slot] = r;
	return 0;
}

static int aio_turn(struct contender *c, struct pump *p)
{
	struct posix_aio *s = c->state;

	if (aio_suspend(s->pending, (int)c->depth, NULL) < 0 && errno != EINTR)
		return -errno;
	for (unsigned slot = 0; slot < c->depth; slot++) {
		struct aiocb *r = &s->request[slot];
		int err = s->pending[slot] ? aio_error(r) : EINPROGRESS;
		ssize_t n;

		if (err == EINPROGRESS)
			continue;
		n = aio_return(r);
		s->pending[slot] = NULL;
		pump_done(c, p, slot, err ? -err : n);
	}
	return 0;
}

static int aio_run(struct contender *c, uint64_t nr)
{
	return pump_run(c, nr, aio_start, aio_turn);
}

const struct mechanism mechanism_posix_aio = {
	.name = "posix-aio",
	.about = "aio_read(3): threads of the C library",
	.why = "it is portable to every POSIX system",
	.unless = "speed matters: each request crosses to another thread and back",
	.simplicity = 7,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.queued = true,
	.open = aio_open,
	.run = aio_run,
	.shut = aio_shut,
};
