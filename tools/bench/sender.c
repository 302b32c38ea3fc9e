/* sender.c: opens the file and the buffers of contenders that send it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sender.h"

void sender_shut(struct contender *c)
{
	struct sender *s = c->state;

	if (!s)
		return;
	if (s->map)
		munmap(s->map, (size_t)c->env->file->size);
	if (s->area)
		munmap(s->area, s->area_bytes);
	if (s->pipe[0] >= 0) {
		close(s->pipe[0]);
		close(s->pipe[1]);
	}
	sink_shut(c->sink);
	c->sink = NULL;
	free(s->executor);
	free(s);
	c->state = NULL;
}

static int connect_sink(struct contender *c, const struct sender_opts *opts)
{
	const struct sink_opts how = { .file = c->env->file,
				       .stream = c->env->stream,
				       .place = c->env->place,
				       .tls = opts->tls,
				       .nonblocking = opts->nonblocking };
	int err = sink_open(&how, &c->sink);

	if (err && opts->tls)
		return contender_lacks(c,
				       "this kernel has no TLS for sockets, or its module is not "
				       "loaded (%s); as root try `modprobe tls`",
				       strerror(-err));
	return err ? contender_lacks_errno(c, "connecting over loopback", err) : 0;
}

static int make_area(struct contender *c, struct sender *s)
{
	s->area_bytes = SENDER_BUFFERS * s->buffer_bytes;
	s->area = mmap(NULL, s->area_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (s->area == MAP_FAILED) {
		s->area = NULL;
		return contender_lacks_errno(c, "its buffers", -errno);
	}
	return 0;
}

int sender_open(struct contender *c, const struct sender_opts *opts)
{
	struct sender *s = c->state = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->pipe[0] = s->pipe[1] = -1;
	s->buffer_bytes = c->work->block_bytes;
	if (s->buffer_bytes > SENDER_CHUNK)
		s->buffer_bytes = SENDER_CHUNK;
	s->chunk_bytes = opts->buffered && !opts->whole ? s->buffer_bytes : c->work->block_bytes;
	c->copies = opts->copies;
	c->fd = datafile_reopen(c->env->file, O_RDONLY);
	if (c->fd < 0)
		return contender_lacks_errno(c, "open", c->fd);
	err = connect_sink(c, opts);
	return err || !opts->buffered ? err : make_area(c, s);
}

int sender_read(struct contender *c, unsigned char *buf, uint64_t off, size_t len)
{
	ssize_t n = pread(c->fd, buf, len, (off_t)off);

	c->calls++;
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -ENODATA;
	contender_check(c, buf, off);
	return 0;
}

void sender_account(struct contender *c)
{
	const struct sender *s = c->state;
	double share = s->sends ? (double)s->copied / (double)s->sends : 0;

	if (!s->sends) {
		contender_void(c, "the kernel never told what became of its zero-copy sends");
		return;
	}
	c->copies = 1 + share;
	c->evidence = COPIES_REPORTED;
	snprintf(c->settings, sizeof(c->settings),
		 "%.0f %% of the zero-copy sends were copied all the same%s", share * 100,
		 share > 0.5 ? " (loopback always copies; a network card may not)" : "");
}
