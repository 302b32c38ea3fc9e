/* append.c: durable appends by system calls: a sync after the write, or in it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sys/rw.h"

#include "appender.h"

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
	return appender_run(c, nr, by_write);
}

static int run_fsync(struct contender *c, uint64_t nr)
{
	return appender_run(c, nr, by_write_fsync);
}

static int run_fdatasync(struct contender *c, uint64_t nr)
{
	return appender_run(c, nr, by_write_fdatasync);
}

static int run_overwrite(struct contender *c, uint64_t nr)
{
	return appender_run(c, nr, by_overwrite);
}

static int run_rwf_dsync(struct contender *c, uint64_t nr)
{
	return appender_run(c, nr, by_rwf_dsync);
}

static int open_plain(struct contender *c)
{
	return appender_open(c, 0, false);
}

static int open_overwrite(struct contender *c)
{
	return appender_open(c, 0, true);
}

static int open_dsync(struct contender *c)
{
	return appender_open(c, O_DSYNC, false);
}

static int open_direct_dsync(struct contender *c)
{
	return appender_open(c, O_DIRECT | O_DSYNC, false);
}

#define APPEND_COMMON \
	.kind = WORKLOAD_APPEND, .begin = appender_begin, .end = appender_end, .shut = appender_shut

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
