/*
 * runner.c: the method.
 *
 *  1. Every contender is opened, then calibrated: its operations per block are raised until a
 *     block takes the target time (20-50 ms). Calibration warms it up as well.
 *  2. A round runs one block of every contender in a fresh random order, all with the same
 *     operations. The first round is thrown away.
 *  3. Before each block the file's pages are brought to the workload's state and proved to be in
 *     it; after it what the contender claims is checked. Who fails is void from then on.
 *  4. After a few rounds those that lose clearly in CPU and in wall clock are dropped.
 *  5. It ends when the time is used up, or when every interval is narrow.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/rw.h"

#include "mechanisms.h"
#include "random.h"
#include "runner.h"
#include "sink.h"

#define BLOCK_NS_MIN	    20000000u
#define BLOCK_NS_MAX	    50000000u
#define ROUNDS_HOPED	    12
#define ROUNDS_ENOUGH	    20
#define SPREAD_ENOUGH	    0.02
#define BUFFER_BYTES_MAX    (64u << 20)
#define CALIBRATED	    6
#define DROP_AFTER	    STATS_ROUNDS_MIN
#define LOSES_BY	    1.3
#define FAST_OP_NS	    3000
#define FAST_OP_STRIDE	    7
#define APPEND_BYTES_MAX    (16u << 20)
#define DEVICE_SHARE_MAX    0.01
#define CACHE_SHARE_MAX	    0.02
#define DONTCACHE_SHARE_MAX 0.5
#define PROOF_OPS_MIN	    16
#define KEPT_MIN	    4

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

static void shut_contender(struct contender *c)
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

static void open_contender(struct contender *c)
{
	int err = make_buffer(c);

	c->copies = c->mode == MODE_DIRECT ? 0 : 1;
	if (!err && c->work->kind == WORKLOAD_BLOCKS)
		err = open_file(c);
	if (!err && c->mech->open)
		err = c->mech->open(c);
	/* A mechanism may have found itself void (beyond its reach) without an error. */
	if (err || c->status != CONTENDER_RAN) {
		if (err && c->status == CONTENDER_RAN)
			contender_lacks_errno(c, "setting up", err);
		shut_contender(c);
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
	if (c->work->kind != WORKLOAD_BLOCKS)
		return;
	if (c->work->cache == CACHE_WARM)
		judge_warm(c, device_bytes, nr);
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
		m.has_excluded = sink_cpu_clock(c->env->sink, &m.excluded);
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

/* Runs a block; a failure settles the contender's status. Returns whether the cell is valid. */
static bool run_block(struct contender *c, uint64_t nr, struct meter_cell *cell)
{
	int err = set_state(c);

	if (err)
		return false;
	err = c->mech->begin ? c->mech->begin(c) : 0;
	if (!err) {
		err = measure(c, nr, cell);
		if (c->mech->end)
			c->mech->end(c);
	}
	if (err && c->status == CONTENDER_RAN)
		contender_lacks_errno(c, "it failed while running", err);
	return c->status == CONTENDER_RAN;
}

/* -- calibration --------------------------------------------------------------------------- */

static uint64_t ops_max(const struct contender *c)
{
	if (c->work->kind == WORKLOAD_APPEND)
		return APPEND_BYTES_MAX / c->work->block_bytes;
	if (c->work->kind == WORKLOAD_BLOCKS && c->work->cache == CACHE_COLD && c->work->sequential)
		return c->env->file->size / c->work->block_bytes;
	return UINT32_MAX;
}

static uint64_t whole_batches(const struct contender *c, uint64_t nr)
{
	uint64_t batches = (nr + c->depth - 1) / c->depth;

	nr = batches * c->depth;
	return nr > ops_max(c) ? ops_max(c) : nr;
}

static void calibrate(struct contender *c, uint64_t target_ns)
{
	uint64_t nr = whole_batches(c, 1);
	struct meter_cell cell;

	c->stride = 1;
	for (;;) {
		double total_ns, grow;

		if (!run_block(c, nr, &cell))
			return;
		total_ns = cell.wall_ns * (double)nr;
		grow = fmin((double)target_ns / fmax(total_ns, 1), 16);
		if (total_ns * CALIBRATED >= (double)target_ns || nr >= ops_max(c))
			break;
		nr = whole_batches(c, (uint64_t)((double)nr * grow) + 1);
	}
	/* One batch at least, or who is slower than a block would never play. */
	nr = (uint64_t)((double)target_ns / cell.wall_ns);
	c->block_ops = whole_batches(c, nr ? nr : 1);
	c->stride = cell.wall_ns < FAST_OP_NS ? FAST_OP_STRIDE : 1;
}

/* -- rounds -------------------------------------------------------------------------------- */

static bool plays(const struct contender *c)
{
	return c->status == CONTENDER_RAN && !c->dropped && c->block_ops;
}

static void shuffle(size_t *order, size_t nr, uint64_t *state)
{
	for (size_t i = 0; i < nr; i++)
		order[i] = i;
	for (size_t i = nr; i > 1; i--) {
		size_t j = random_below(state, i), t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
}

static void draw_round(struct field *f, uint64_t *state)
{
	if (f->work.kind == WORKLOAD_BLOCKS || f->work.kind == WORKLOAD_SEND)
		stream_draw(f->env.stream, &f->work, f->env.file->size, state);
	f->env.round_seed = random_next(state);
}

static void run_round(struct field *f, const struct runner_opts *opts, size_t round,
		      uint64_t *state)
{
	size_t order[256];

	shuffle(order, f->nr, state);
	draw_round(f, state);
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[order[i]];
		struct meter_cell cell;

		if (!plays(c))
			continue;
		if (opts->progress)
			opts->progress(opts->ctx, f, c);
		if (run_block(c, c->block_ops, &cell))
			c->cells[round] = cell;
	}
}

static bool clearly_loses(const struct score *s, double least_wall)
{
	return s->ratio.low > LOSES_BY && s->wall_ns.low > LOSES_BY * least_wall;
}

/* The first few in order stay whatever they cost: they are what the best one is compared with. */
static void drop_losers(struct field *f)
{
	double least_wall = INFINITY;
	size_t kept = 0;

	for (size_t i = 0; i < f->nr; i++) {
		if (f->scores[i].rank && f->scores[i].wall_ns.median < least_wall)
			least_wall = f->scores[i].wall_ns.median;
	}
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[f->order[i]];
		const struct score *s = &f->scores[f->order[i]];

		if (plays(c) && s->rank && ++kept > KEPT_MIN && clearly_loses(s, least_wall))
			c->dropped = true;
	}
}

static bool settled(const struct field *f)
{
	if (f->rounds < ROUNDS_ENOUGH)
		return false;
	for (size_t i = 0; i < f->nr; i++) {
		if (plays(&f->contenders[i]) && stats_spread(&f->scores[i].ratio) > SPREAD_ENOUGH)
			return false;
	}
	return true;
}

static void warm_up(struct field *f, const struct runner_opts *opts, uint64_t *state)
{
	run_round(f, opts, 0, state);
	for (size_t i = 0; i < f->nr; i++) {
		latency_reset(f->contenders[i].latency);
		f->contenders[i].cells[0].cpu_ns = f->contenders[i].cells[0].wall_ns = NAN;
	}
}

static void run_rounds(struct field *f, const struct runner_opts *opts, uint64_t *state,
		       uint64_t end_ns)
{
	warm_up(f, opts, state);
	while (f->rounds < FIELD_ROUNDS_MAX) {
		uint64_t begin_ns = clock_now_ns(), now_ns;

		run_round(f, opts, f->rounds++, state);
		now_ns = clock_now_ns();
		if (f->rounds >= STATS_ROUNDS_MIN && now_ns + (now_ns - begin_ns) / 2 > end_ns)
			break;
		if (f->rounds == DROP_AFTER || f->rounds % 5 == 0) {
			field_score(f, opts->seed);
			if (settled(f))
				break;
			if (!opts->keep_losers)
				drop_losers(f);
		}
	}
}

static uint64_t block_target(const struct field *f, uint64_t budget_ns)
{
	uint64_t ns = budget_ns / (f->nr ? f->nr : 1) / ROUNDS_HOPED;

	return ns < BLOCK_NS_MIN ? BLOCK_NS_MIN : ns > BLOCK_NS_MAX ? BLOCK_NS_MAX : ns;
}

int runner_run(struct field *f, const struct runner_opts *opts)
{
	uint64_t begin_ns = clock_now_ns(), state = opts->seed;

	f->env.stream = malloc(sizeof(*f->env.stream));
	if (!f->env.stream)
		return -ENOMEM;
	draw_round(f, &state);
	f->block_ns = block_target(f, opts->budget_ns);
	noise_begin(&f->noise);
	for (size_t i = 0; i < f->nr; i++) {
		struct contender *c = &f->contenders[i];

		if (opts->progress)
			opts->progress(opts->ctx, f, c);
		open_contender(c);
		if (c->status == CONTENDER_RAN)
			calibrate(c, f->block_ns);
	}
	run_rounds(f, opts, &state, begin_ns + opts->budget_ns);
	noise_end(&f->noise);
	for (size_t i = 0; i < f->nr; i++)
		shut_contender(&f->contenders[i]);
	free(f->env.stream);
	f->env.stream = NULL;
	return 0;
}
