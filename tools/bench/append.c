/*
 * append.c: small records appended to a file, each durable before the next begins.
 *
 * Every contender has a nameless file of its own, emptied before each block. After the block
 * nothing of it may be dirty or on its way to the device: whoever leaves that is void.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "backend/uring/queue.h"
#include "sys/rw.h"

#include "mechanisms.h"

#define OVERWRITE_BYTES (4u << 20)
#define MAGIC_TMPFS	0x01021994
#define MAGIC_RAMFS	0x858458f6

struct appender {
	struct datafile file;
	struct uring_queue q;
	bool keeps_content; /* overwrites instead of growing */
	uint64_t written;
};

static void append_shut(struct contender *c)
{
	struct appender *s = c->state;

	if (s)
		datafile_shut(&s->file);
	free(s);
	c->state = NULL;
}

static bool lives_in_memory(const struct datafile *file)
{
	struct statfs fs;

	return fstatfs(file->fd, &fs) == 0 &&
	       (fs.f_type == MAGIC_TMPFS || (unsigned long)fs.f_type == MAGIC_RAMFS);
}

static int append_open(struct contender *c, int flags, bool keeps_content)
{
	struct appender *s = c->state = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->q.fd = -1;
	s->keeps_content = keeps_content;
	err = datafile_make(&s->file, c->env->dir, keeps_content ? OVERWRITE_BYTES : 0, 1, NULL,
			    NULL);
	if (err) {
		s->file.fd = -1;
		return contender_lacks_errno(c, "its file", err);
	}
	if (lives_in_memory(&s->file)) {
		contender_void(c, "this file system lives in memory: nothing on it is durable");
		return -EOPNOTSUPP;
	}
	if ((flags & O_DIRECT) && s->file.dio_align && c->work->block_bytes % s->file.dio_align)
		return contender_lacks(c, "records must be a multiple of %u bytes for O_DIRECT",
				       s->file.dio_align);
	c->fd = datafile_reopen(&s->file, O_RDWR | flags);
	if (c->fd < 0)
		return contender_lacks_errno(c, "open", c->fd);
	c->copies = flags & O_DIRECT ? 0 : 1;
	return 0;
}

static int append_begin(struct contender *c)
{
	struct appender *s = c->state;

	s->written = 0;
	if (s->keeps_content)
		return 0;
	if (ftruncate(c->fd, 0) < 0 || lseek(c->fd, 0, SEEK_SET) < 0 || fsync(c->fd) < 0)
		return -errno;
	return 0;
}

static void append_end(struct contender *c)
{
	struct appender *s = c->state;
	int64_t unclean = datafile_unclean(&s->file);
	struct stat st;

	if (unclean > 0)
		contender_void(c, "%lld KiB were not on the device when it called them durable",
			       (long long)unclean / 1024);
	if (!s->keeps_content && fstat(c->fd, &st) == 0 && (uint64_t)st.st_size != s->written)
		contender_void(c, "the file holds %lld bytes instead of %llu",
			       (long long)st.st_size, (unsigned long long)s->written);
}

typedef int append_fn(struct contender *c, const void *buf, uint64_t off);

static inline __attribute__((always_inline)) int each(struct contender *c, uint64_t nr,
						      append_fn *append)
{
	struct appender *s = c->state;
	uint32_t len = c->work->block_bytes;

	for (uint64_t i = 0; i < nr; i++) {
		uint64_t off = s->keeps_content ? s->written % OVERWRITE_BYTES : s->written;
		int err;

		contender_start(c, 0);
		err = append(c, c->buf, off);
		contender_finish(c, 0);
		if (err)
			return err;
		s->written += len;
	}
	return 0;
}

/* A short write to a regular file is a full disk. */
static int checked(const struct contender *c, ssize_t n)
{
	if (n < 0)
		return -errno;
	return n == (ssize_t)c->work->block_bytes ? 0 : -ENOSPC;
}

static int by_write(struct contender *c, const void *buf, uint64_t off)
{
	(void)off;
	c->calls++;
	return checked(c, write(c->fd, buf, c->work->block_bytes));
}

static int by_write_fsync(struct contender *c, const void *buf, uint64_t off)
{
	int err = by_write(c, buf, off);

	c->calls++;
	return err ? err : fsync(c->fd) < 0 ? -errno : 0;
}

static int by_write_fdatasync(struct contender *c, const void *buf, uint64_t off)
{
	int err = by_write(c, buf, off);

	c->calls++;
	return err ? err : fdatasync(c->fd) < 0 ? -errno : 0;
}

static int by_overwrite(struct contender *c, const void *buf, uint64_t off)
{
	int err = checked(c, pwrite(c->fd, buf, c->work->block_bytes, (off_t)off));

	c->calls += 2;
	return err ? err : fdatasync(c->fd) < 0 ? -errno : 0;
}

static int by_rwf_dsync(struct contender *c, const void *buf, uint64_t off)
{
	ssize_t n = sl_sys_pwrite(c->fd, buf, c->work->block_bytes, (int64_t)off, SL_RWF_DSYNC);

	c->calls++;
	return n < 0 ? (int)n : n == (ssize_t)c->work->block_bytes ? 0 : -ENOSPC;
}

static int run_write(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_write);
}

static int run_fsync(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_write_fsync);
}

static int run_fdatasync(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_write_fdatasync);
}

static int run_overwrite(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_overwrite);
}

static int run_rwf_dsync(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_rwf_dsync);
}

static int open_plain(struct contender *c)
{
	return append_open(c, 0, false);
}

static int open_overwrite(struct contender *c)
{
	return append_open(c, 0, true);
}

static int open_dsync(struct contender *c)
{
	return append_open(c, O_DSYNC, false);
}

static int open_direct_dsync(struct contender *c)
{
	return append_open(c, O_DIRECT | O_DSYNC, false);
}

/* -- io_uring ------------------------------------------------------------------------------ */

static int uring_begin(struct contender *c)
{
	static const struct uring_queue_opts opts = { .sq_entries = 4,
						      .flags_wanted = URING_QUEUE_WANT };
	struct appender *s = c->state;
	int err = append_begin(c);

	return err ? err : uring_queue_open(&s->q, &opts, NULL);
}

static void uring_end(struct contender *c)
{
	struct appender *s = c->state;

	uring_queue_close(&s->q);
	append_end(c);
}

static int uring_open(struct contender *c)
{
	struct appender *s;
	int err = append_open(c, 0, false);

	if (err)
		return err;
	err = uring_begin(c);
	s = c->state;
	uring_queue_close(&s->q);
	return err ? contender_lacks_uring(c, err) : 0;
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
	struct appender *s = c->state;

	first.flags = SL_URING_SQE_IO_LINK;
	uring_queue_push(&s->q, &first);
	uring_queue_push(&s->q, &second);
	return await(c, &s->q, 2);
}

static int by_uring_dsync(struct contender *c, const void *buf, uint64_t off)
{
	struct sl_uring_sqe request = write_request(c, buf, off);
	struct appender *s = c->state;

	request.op_flags = SL_RWF_DSYNC;
	uring_queue_push(&s->q, &request);
	return await(c, &s->q, 1);
}

static int run_uring_linked(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_uring_linked);
}

static int run_uring_dsync(struct contender *c, uint64_t nr)
{
	return each(c, nr, by_uring_dsync);
}

/* -- the table ----------------------------------------------------------------------------- */

#define APPEND_COMMON \
	.kind = WORKLOAD_APPEND, .begin = append_begin, .end = append_end, .shut = append_shut

const struct mechanism mechanism_write_fsync = {
	.name = "write+fsync",
	.about = "write(2), then fsync(2)",
	.why = "it makes data and every attribute durable",
	.unless = "times and owner need not be durable: fdatasync does less",
	.simplicity = 2,
	.open = open_plain,
	.run = run_fsync,
	APPEND_COMMON,
};

const struct mechanism mechanism_write_fdatasync = {
	.name = "write+fdatasync",
	.about = "write(2), then fdatasync(2)",
	.why = "it makes the data and the size durable, and lets one sync cover many writes",
	.unless = "each record must be durable by itself: then one call can do both",
	.simplicity = 1,
	.open = open_plain,
	.run = run_fdatasync,
	APPEND_COMMON,
};

const struct mechanism mechanism_overwrite = {
	.name = "overwrite+fdatasync",
	.about = "pwrite(2) into a file filled beforehand, then fdatasync(2)",
	.why = "the size and the extents do not change, so no metadata has to reach the device",
	.unless = "the end of the log must be found by the file's size",
	.simplicity = 4,
	.open = open_overwrite,
	.run = run_overwrite,
	APPEND_COMMON,
};

const struct mechanism mechanism_dsync = {
	.name = "O_DSYNC",
	.about = "write(2) to a file opened with O_DSYNC",
	.why = "one call writes and makes durable",
	.unless = "several records can share one sync: then write and fdatasync",
	.simplicity = 3,
	.open = open_dsync,
	.run = run_write,
	APPEND_COMMON,
};

const struct mechanism mechanism_direct_dsync = {
	.name = "O_DIRECT+O_DSYNC",
	.about = "write(2) to a file opened with O_DIRECT and O_DSYNC",
	.why = "one call, no copy into the page cache",
	.unless = "records are not whole blocks",
	.simplicity = 6,
	.open = open_direct_dsync,
	.run = run_write,
	APPEND_COMMON,
};

const struct mechanism mechanism_rwf_dsync = {
	.name = "RWF_DSYNC",
	.about = "pwritev2(2) with RWF_DSYNC",
	.why = "one call, and each write chooses for itself whether it must be durable",
	.unless = "several records can share one sync: then write and fdatasync",
	.simplicity = 4,
	.open = open_plain,
	.run = run_rwf_dsync,
	APPEND_COMMON,
};

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
	.shut = append_shut,
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
	.shut = append_shut,
};
