/* sender.c: opens the file and the buffers of contenders that send it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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
	free(s->executor);
	free(s);
	c->state = NULL;
}

int sender_open(struct contender *c, double copies)
{
	struct sender *s = c->state = calloc(1, sizeof(*s));

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->pipe[0] = s->pipe[1] = -1;
	c->copies = copies;
	c->fd = datafile_reopen(c->env->file, O_RDONLY);
	if (c->fd < 0)
		return contender_lacks_errno(c, "open", c->fd);
	s->area_bytes = (size_t)SENDER_BUFFERS * c->work->block_bytes;
	s->area = mmap(NULL, s->area_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (s->area == MAP_FAILED) {
		s->area = NULL;
		return contender_lacks_errno(c, "its buffers", -errno);
	}
	return 0;
}

int sender_read(struct contender *c, unsigned char *buf, uint64_t off)
{
	ssize_t n = pread(c->fd, buf, c->work->block_bytes, (off_t)off);

	c->calls++;
	if (n != (ssize_t)c->work->block_bytes)
		return n < 0 ? -errno : -ENODATA;
	contender_check(c, buf, off);
	return 0;
}

void sender_account(struct contender *c)
{
	const struct sender *s = c->state;
	double share = s->sends ? (double)s->copied / (double)s->sends : 0;

	c->copies = 1 + share;
	snprintf(c->settings, sizeof(c->settings),
		 "%.0f %% of the zero-copy sends were copied all the same%s", share * 100,
		 share > 0.5 ? " (loopback always copies; a network card may not)" : "");
}
