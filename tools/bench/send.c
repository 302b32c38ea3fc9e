/* send.c: a cached file to a TCP socket by system calls: read, mmap, sendfile, splice. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sender.h"

/* What users without privileges may ask for. */
#define PIPE_BYTES_MAX (1 << 20)

static int send_all(struct contender *c, const unsigned char *p, size_t len, int flags)
{
	while (len) {
		ssize_t n = send(sink_fd(c->sink), p, len, flags | MSG_NOSIGNAL);

		c->calls++;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* -- read and write, mmap and write -------------------------------------------------------- */

static int open_read_write(struct contender *c)
{
	static const struct sender_opts opts = { .copies = 2, .buffered = true };

	return sender_open(c, &opts);
}

static int by_read_write(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	int err = sender_read(c, s->area, off, len);

	return err ? err : send_all(c, s->area, len, 0);
}

static int run_read_write(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_read_write);
}

static int begin_mmap(struct contender *c)
{
	struct sender *s = c->state;

	if (s->map)
		return 0;
	s->map = mmap(NULL, (size_t)c->env->file->size, PROT_READ, MAP_SHARED, c->fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return contender_lacks_errno(c, "mmap(2) of this file", -errno);
	}
	return 0;
}

/* Mapped pages cannot be dropped from the page cache. */
static void end_mmap(struct contender *c)
{
	struct sender *s = c->state;

	if (c->work->cache != CACHE_COLD || !s->map)
		return;
	munmap(s->map, (size_t)c->env->file->size);
	s->map = NULL;
}

static int open_mmap(struct contender *c)
{
	static const struct sender_opts opts = { .copies = 1 };

	return sender_open(c, &opts);
}

static int by_mmap_write(struct contender *c, struct sender *s, uint64_t off, size_t len)
{
	return send_all(c, s->map + off, len, 0);
}

static int run_mmap_write(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_mmap_write);
}

/* -- sendfile and splice ------------------------------------------------------------------- */

static int open_sendfile(struct contender *c)
{
	static const struct sender_opts opts = { .copies = 0 };

	return sender_open(c, &opts);
}

static int open_ktls(struct contender *c)
{
	static const struct sender_opts opts = { .copies = 1, .tls = true };

	return sender_open(c, &opts);
}

static int by_sendfile(struct contender *c, struct sender *s, uint64_t off, size_t left)
{
	off_t at = (off_t)off;

	(void)s;
	while (left) {
		ssize_t n = sendfile(sink_fd(c->sink), c->fd, &at, left);

		c->calls++;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		left -= (size_t)n;
	}
	return 0;
}

static int run_sendfile(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_sendfile);
}

static int open_splice(struct contender *c)
{
	static const struct sender_opts opts = { .copies = 0 };
	int err = sender_open(c, &opts);
	struct sender *s = c->state;

	if (err)
		return err;
	if (pipe2(s->pipe, O_CLOEXEC) < 0)
		return contender_lacks_errno(c, "pipe(2)", -errno);
	/* A pipe too small for the file only means more calls. */
	fcntl(s->pipe[1], F_SETPIPE_SZ,
	      c->work->block_bytes < PIPE_BYTES_MAX ? (int)c->work->block_bytes : PIPE_BYTES_MAX);
	return 0;
}

static int drain_pipe(struct contender *c, struct sender *s, size_t len, unsigned flags)
{
	while (len) {
		ssize_t n = splice(s->pipe[0], NULL, sink_fd(c->sink), NULL, len, flags);

		c->calls++;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		len -= (size_t)n;
	}
	return 0;
}

static int by_splice(struct contender *c, struct sender *s, uint64_t off, size_t left)
{
	loff_t at = (loff_t)off;

	while (left) {
		ssize_t n = splice(c->fd, &at, s->pipe[1], NULL, left, SPLICE_F_MOVE);
		int err;

		c->calls++;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		left -= (size_t)n;
		err = drain_pipe(c, s, (size_t)n, left ? SPLICE_F_MORE : 0);
		if (err)
			return err;
	}
	return 0;
}

static int run_splice(struct contender *c, uint64_t nr)
{
	return sender_run(c, nr, by_splice);
}

/* -- the table ----------------------------------------------------------------------------- */

const struct mechanism mechanism_read_write = {
	.name = "read+write",
	.about = "pread(2) into a buffer, send(2) from it",
	.why = "the bytes pass through your hands, and it works for every file and socket",
	.unless = "the bytes need not be looked at: sendfile saves a copy",
	.simplicity = 2,
	.kind = WORKLOAD_SEND,
	.open = open_read_write,
	.run = run_read_write,
	.shut = sender_shut,
};

const struct mechanism mechanism_mmap_write = {
	.name = "mmap+write",
	.about = "send(2) straight from a mapping of the file",
	.why = "it saves the copy into a buffer",
	.unless = "the file may shrink meanwhile (SIGBUS)",
	.simplicity = 4,
	.kind = WORKLOAD_SEND,
	.open = open_mmap,
	.begin = begin_mmap,
	.run = run_mmap_write,
	.end = end_mmap,
	.shut = sender_shut,
};

const struct mechanism mechanism_sendfile = {
	.name = "sendfile",
	.about = "sendfile(2)",
	.why = "the bytes never enter the program: pages of the cache go to the socket",
	.unless = "the file is not cached (it waits for the disk), or the bytes must be changed",
	.simplicity = 1,
	.kind = WORKLOAD_SEND,
	.open = open_sendfile,
	.run = run_sendfile,
	.shut = sender_shut,
};

const struct mechanism mechanism_splice = {
	.name = "splice",
	.about = "splice(2) through a pipe",
	.why = "the bytes never enter the program, and other sources than files work too",
	.unless = "the source is a file: sendfile does the same in one call",
	.simplicity = 3,
	.kind = WORKLOAD_SEND,
	.open = open_splice,
	.run = run_splice,
	.shut = sender_shut,
};

const struct mechanism mechanism_sendfile_ktls = {
	.name = "sendfile+kTLS",
	.about = "sendfile(2) to a socket whose TLS the kernel does (1.3, AES-128-GCM)",
	.why = "the bytes leave encrypted, and the cipher is their only copy",
	.unless = "whoever is on the way may read along: without encryption it costs less",
	.simplicity = 9,
	.kind = WORKLOAD_SEND,
	.open = open_ktls,
	.run = run_sendfile,
	.shut = sender_shut,
};
