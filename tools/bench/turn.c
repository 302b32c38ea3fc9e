/* turn.c: a contender's turn: it is opened, runs a block, proves what it claims, and is shut. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/rw.h"

#include "mechanisms.h"
#include "sink.h"
#include "turn.h"

#define BUFFER_BYTES_MAX    (64u << 20)
#define DEVICE_SHARE_MAX    0.01
#define CACHE_SHARE_MAX	    0.02
#define DONTCACHE_SHARE_MAX 0.5
#define PROOF_OPS_MIN	    16
#define PROOF_BYTES	    (1u << 20)
#define PROOF_SENDS_MAX	    64

/* -- opening ------------------------------------------------------------------------------- */

static int open_flags(const struct contender *c)
{
	int flags = c->work->write_percent ? O_RDWR : O_RDONLY;

	return c->mode == MODE_DIRECT ? flags | O_DIRECT : flags;
}

static int open_file(struct contender *c)
{
	const struct datafile *file = c->env->file;

	if (c->mode == MODE_DIRECT && file->dio_align == 0)
		return contender_lacks(c, "the file system says this file cannot be read directly "
					  "(statx: alignment 0)");
	if (c->mode == MODE_DIRECT && c->work->block_bytes % file->dio_align)
		return contender_lacks(c, "direct requests must be a multiple of %u bytes here",
				       file->dio_align);
	c->fd = datafile_reopen(file, open_flags(c));
	if (c->fd == -EINVAL && c->mode == MODE_DIRECT)
		return contender_lacks(c, "this file system refuses O_DIRECT");
	if (c->fd < 0)
		return contender_lacks_errno(c, "open", c->fd);
	if (c->mode == MODE_DONTCACHE &&
	    sl_sys_pread(c->fd, c->buf, c->work->block_bytes, 0, SL_RWF_DONTCACHE) == -EOPNOTSUPP)
		return contender_lacks(c, "this file system or kernel refuses RWF_DONTCACHE "
					  "(Linux 6.14 with ext4 or xfs)");
	return 0;
}

static int make_buffer(struct contender *c)
{
	size_t len = (size_t)c->depth * c->work->block_bytes;
	void *buf;

	if (len > BUFFER_BYTES_MAX)
		return contender_lacks(c,
				       "%u blocks in flight need %zu MiB of buffers; %u MiB are "
				       "allowed: choose a smaller --bs or --qd",
				       c->depth, len >> 20, BUFFER_BYTES_MAX >> 20);
	buf = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		   -1, 0);

	if (buf == MAP_FAILED)
		return contender_lacks_errno(c, "its buffers", -errno);
	c->buf = buf;
	/* MAP_POPULATE may give up silently: touch every page. */
	memset(buf, 0x5c, len);
	return 0;
}

void turn_shut(struct contender *c)
{
	if (c->mech->shut)
		c->mech->shut(c);
	if (c->fd >= 0)
		close(c->fd);
	if (c->buf)
		munmap(c->buf, (size_t)c->depth * c->work->block_bytes);
	c->fd = -1;
	c->buf = NULL;
}

void turn_open(struct contender *c)
{
	int err = c->work->kind == WORKLOAD_SEND ? 0 : make_buffer(c);

	c->copies = c->mode == MODE_DIRECT ? 0 : 1;
	if (!err && c->work->kind == WORKLOAD_BLOCKS)
		err = open_file(c);
	if (!err && c->mech->open)
		err = c->mech->open(c);
	/* A mechanism may have found itself void (beyond its reach) without an error. */
	if (err || c->status != CONTENDER_RAN) {
		if (err && c->status == CONTENDER_RAN)
			contender_lacks_errno(c, "setting up", err);
		turn_shut(c);
	}
}

/* -- one block ----------------------------------------------------------------------------- */

static int set_state(struct contender *c)
{
	struct datafile *file = c->env->file;

	if (c->work->kind == WORKLOAD_APPEND || c->work->kind == WORKLOAD_WATCH)
		return 0;
	if (c->work->cache == CACHE_WARM) {
		if (datafile_warm(file) == 0)
			return 0;
		contender_void(c, "the file does not stay in the page cache: too little memory");
		return -EBUSY;
	}
	if (c->sink)
		sink_let_go(c->sink);
	if (datafile_cool(file) == 0)
		return 0;
	if (c->mode == MODE_DIRECT)
		contender_void(c, "this file system keeps the file in memory: O_DIRECT opened it, "
				  "but cannot bypass the page cache");
	else
		contender_void(c,
			       "the file cannot be dropped from memory, so no read of it is cold");
	return -EBUSY;
}

static double moved_bytes(const struct contender *c, uint64_t nr)
{
	return (double)nr * c->work->block_bytes;
}

static void judge_warm(struct contender *c, int64_t device_bytes, uint64_t nr)
{
	if ((double)device_bytes > DEVICE_SHARE_MAX * moved_bytes(c, nr))
		contender_void(c, "it read %lld KiB from the device, although all is cached",
			       (long long)device_bytes / 1024);
}

/* The page cache must stay as empty as it was; the device's counter is the second witness. */
static void judge_direct(struct contender *c, int64_t grown, int64_t device_bytes, uint64_t nr)
{
	double moved = moved_bytes(c, nr);
	double reads = moved * (100 - c->work->write_percent) / 100;

	if ((double)grown > CACHE_SHARE_MAX * moved)
		contender_void(c,
			       "O_DIRECT filled the page cache: %lld KiB stayed there after %.0f "
			       "KiB of requests",
			       (long long)grown / 1024, moved / 1024);
	else if (nr >= PROOF_OPS_MIN && (double)device_bytes < 0.5 * reads)
		c->unproven = true;
}

/* Read-ahead beyond the block may stay; what was read must not. */
static void judge_dontcache(struct contender *c, uint64_t nr)
{
	uint64_t moved = nr * c->work->block_bytes;
	int64_t stayed;

	if (!c->work->sequential || moved > c->env->file->size)
		return;
	stayed = datafile_resident_range(c->env->file, stream_at(c->env->stream, 0).off, moved);
	if ((double)stayed > DONTCACHE_SHARE_MAX * (double)moved)
		contender_void(
			c, "RWF_DONTCACHE left %lld KiB of the %llu KiB it read in the page cache",
			(long long)stayed / 1024, (unsigned long long)moved / 1024);
}

static void judge_block(struct contender *c, const struct meter_cell *cell, int64_t device_bytes,
			uint64_t nr)
{
	if (c->wrong)
		contender_void(c, "%llu of %llu blocks did not hold what the file holds",
			       (unsigned long long)c->wrong, (unsigned long long)nr);
	if (c->work->kind != WORKLOAD_BLOCKS && c->work->kind != WORKLOAD_SEND)
		return;
	if (c->work->cache == CACHE_WARM)
		judge_warm(c, device_bytes, nr);
	else if (c->work->kind == WORKLOAD_SEND)
		return;
	else if (c->mode == MODE_DIRECT)
		judge_direct(c, cell->cache_bytes, device_bytes, nr);
	else if (c->mode == MODE_DONTCACHE)
		judge_dontcache(c, nr);
}

static void fill_cell(struct meter_cell *cell, const struct contender *c, const struct meter *m,
		      uint64_t nr)
{
	cell->wall_ns = (double)m->wall_ns / (double)nr;
	cell->cpu_ns = (double)m->cpu_ns / (double)nr;
	cell->receiver_ns = m->has_excluded ? (double)m->excluded_ns / (double)nr : NAN;
	cell->calls = (double)c->calls / (double)nr;
	cell->switches = (double)(m->voluntary + m->involuntary) / (double)nr;
	cell->preempted = m->involuntary;
}

static int64_t resident_now(const struct contender *c)
{
	return c->work->kind == WORKLOAD_BLOCKS ? datafile_resident(c->env->file) : 0;
}

static int measure(struct contender *c, uint64_t nr, struct meter_cell *cell)
{
	int64_t device = meter_device_bytes(), resident = resident_now(c);
	struct meter m = { .has_excluded = false };
	int err;

	if (c->work->kind == WORKLOAD_SEND)
		m.has_excluded = sink_cpu_clock(c->sink, &m.excluded);
	c->calls = c->wrong = 0;
	c->stride_left = c->stride;
	meter_start(&m);
	err = c->mech->run(c, nr);
	meter_stop(&m);
	if (err)
		return err;
	fill_cell(cell, c, &m, nr);
	cell->cache_bytes = resident_now(c) - resident;
	judge_block(c, cell, meter_device_bytes() - device, nr);
	return 0;
}

/* Begins, measures and ends a block that starts from the right state. */
static int run_begun(struct contender *c, uint64_t nr, struct meter_cell *cell)
{
	int err = c->mech->begin ? c->mech->begin(c) : 0;

	if (err)
		return err;
	err = measure(c, nr, cell);
	if (c->mech->end)
		c->mech->end(c);
	return err;
}

/* A failure settles the contender's status. */
bool turn_run(struct contender *c, uint64_t nr, struct meter_cell *cell)
{
	uint64_t begin_ns = clock_now_ns();
	int err = set_state(c);

	if (err)
		return false;
	err = run_begun(c, nr, cell);
	c->turn_ns = clock_now_ns() - begin_ns;
	if (err && c->status == CONTENDER_RAN)
		contender_lacks_errno(c, "it failed while running", err);
	return c->status == CONTENDER_RAN;
}

/* -- the first operations of those that send ----------------------------------------------- */

/* What travelled decides what the copies column says. */
static void judge_page(struct contender *c, enum proof_page page)
{
	if (page == PAGE_UNTRIED)
		return;
	if (page == PAGE_SHARED && c->copies >= 1) {
		contender_void(c, "the file's own pages travelled: it did not do what it says");
		return;
	}
	if (page == PAGE_SHARED) {
		c->evidence = COPIES_SEEN;
	} else if (c->copies < 1 && c->evidence == COPIES_REASONED) {
		c->copies = 1;
		c->evidence = COPIES_SEEN;
		snprintf(c->settings, sizeof(c->settings),
			 "this file system does not lend its pages: the kernel copied them");
	}
}

static int send_first(struct contender *c)
{
	uint64_t nr = PROOF_BYTES / c->work->block_bytes;
	int err = c->mech->begin ? c->mech->begin(c) : 0;

	if (err)
		return err;
	nr = nr < 1 ? 1 : nr > PROOF_SENDS_MAX ? PROOF_SENDS_MAX : nr;
	c->stride = c->stride_left = 1;
	err = c->mech->run(c, nr);
	if (c->mech->end)
		c->mech->end(c);
	return err;
}

void turn_prove(struct contender *c)
{
	enum proof_page page;
	uint64_t wrong;
	int err;

	if (!c->sink || set_state(c))
		return;
	err = send_first(c);
	wrong = sink_proved(c->sink, &page);
	if (err == -EBADMSG)
		contender_void(c, "the receiver could not decrypt what arrived");
	else if (err && c->status == CONTENDER_RAN)
		contender_lacks_errno(c, "it failed while running", err);
	else if (wrong || c->wrong)
		contender_void(c, "what arrived was not what the file holds");
	else if (!err)
		judge_page(c, page);
}
