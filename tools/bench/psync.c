/* psync.c: one call, one block: read after lseek, pread, preadv and their writing twins. */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sys/rw.h"

#include "mechanisms.h"

typedef ssize_t transfer_fn(struct contender *c, struct stream_op op, void *buf);

static ssize_t by_lseek(struct contender *c, struct stream_op op, void *buf)
{
	ssize_t n;

	c->calls++;
	if (lseek(c->fd, (off_t)op.off, SEEK_SET) < 0)
		return -errno;
	n = op.write ? write(c->fd, buf, c->work->block_bytes) :
		       read(c->fd, buf, c->work->block_bytes);
	return n < 0 ? -errno : n;
}

static ssize_t by_position(struct contender *c, struct stream_op op, void *buf)
{
	ssize_t n = op.write ? write(c->fd, buf, c->work->block_bytes) :
			       read(c->fd, buf, c->work->block_bytes);

	(void)op;
	return n < 0 ? -errno : n;
}

static ssize_t by_pread(struct contender *c, struct stream_op op, void *buf)
{
	ssize_t n = op.write ? pwrite(c->fd, buf, c->work->block_bytes, (off_t)op.off) :
			       pread(c->fd, buf, c->work->block_bytes, (off_t)op.off);

	return n < 0 ? -errno : n;
}

static ssize_t by_preadv(struct contender *c, struct stream_op op, void *buf)
{
	struct iovec iov = { buf, c->work->block_bytes };
	ssize_t n = op.write ? pwritev(c->fd, &iov, 1, (off_t)op.off) :
			       preadv(c->fd, &iov, 1, (off_t)op.off);

	return n < 0 ? -errno : n;
}

static ssize_t by_dontcache(struct contender *c, struct stream_op op, void *buf)
{
	uint32_t len = c->work->block_bytes;

	return op.write ? sl_sys_pwrite(c->fd, buf, len, (int64_t)op.off, SL_RWF_DONTCACHE) :
			  sl_sys_pread(c->fd, buf, len, (int64_t)op.off, SL_RWF_DONTCACHE);
}

/* Inlined into each run_ below, so that the transfer is a direct call. */
static inline __attribute__((always_inline)) int each(struct contender *c, uint64_t nr,
						      transfer_fn *transfer)
{
	unsigned char *buf = contender_block(c, 0);

	for (uint64_t i = 0; i < nr; i++) {
		struct stream_op op = stream_at(c->env->stream, i);
		ssize_t n;

		if (op.write)
			stream_stamp(c, buf, op.off);
		contender_start(c, 0);
		n = transfer(c, op, buf);
		contender_finish(c, 0);
		c->calls++;
		if (n != (ssize_t)c->work->block_bytes)
			return n < 0 ? (int)n : -ENODATA;
		contender_check(c, buf, op.off);
	}
	return stream_settle(c);
}

static int run_lseek(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_lseek);
}

static int run_pread(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_pread);
}

static int run_preadv(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_preadv);
}

static int run_dontcache(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_dontcache);
}

/* A scan by read(2) seeks only where the stream wraps round the end of the file. */
static int run_read(struct contender *c, uint64_t nr)
{
	unsigned char *buf = contender_block(c, 0);
	uint64_t at = UINT64_MAX;

	for (uint64_t i = 0; i < nr; i++) {
		struct stream_op op = stream_at(c->env->stream, i);
		ssize_t n;

		contender_start(c, 0);
		n = op.off == at ? by_position(c, op, buf) : by_lseek(c, op, buf);
		contender_finish(c, 0);
		c->calls++;
		if (n != (ssize_t)c->work->block_bytes)
			return n < 0 ? (int)n : -ENODATA;
		contender_check(c, buf, op.off);
		at = op.off + (uint64_t)n;
	}
	return 0;
}

static int run_read_any(struct contender *c, uint64_t nr)
{
	return c->work->sequential ? run_read(c, nr) : run_lseek(c, nr);
}

const struct mechanism mechanism_read = {
	.name = "read",
	.about = "read(2) and write(2) after lseek(2)",
	.why = "it is the plainest call there is",
	.unless = "several threads share the descriptor: its position is shared, use pread",
	.simplicity = 2,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.run = run_read_any,
};

const struct mechanism mechanism_pread = {
	.name = "pread",
	.about = "pread(2) and pwrite(2), one call per block",
	.why = "one call does the whole operation, with no ring, no thread and no state to keep",
	.unless = "the data is not cached: one request at a time leaves the device idle",
	.simplicity = 1,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.run = run_pread,
};

const struct mechanism mechanism_preadv = {
	.name = "preadv",
	.about = "preadv(2) and pwritev(2), one buffer per call",
	.why = "it costs what pread costs, and gathers several buffers when you need it",
	.unless = "there is only one buffer: pread is plainer",
	.simplicity = 3,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_BUFFERED | MODE_DIRECT,
	.run = run_preadv,
};

const struct mechanism mechanism_dontcache = {
	.name = "preadv2",
	.about = "preadv2(2) with RWF_DONTCACHE: buffered, but the pages do not stay",
	.why = "it reads ahead like a buffered read and leaves the page cache to others",
	.unless = "the same data is read again soon",
	.simplicity = 4,
	.kind = WORKLOAD_BLOCKS,
	.modes = MODE_DONTCACHE,
	.run = run_dontcache,
};
