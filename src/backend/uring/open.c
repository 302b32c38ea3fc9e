/* Opening and closing: the ring, its tables, and what of the wishes can be had here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/uring/uring.h"
#include "base/layout.h"
#include "sys/clock.h"

#define SQ_ENTRIES_MIN 8
#define SQ_ENTRIES_MAX 1024
#define CQ_ENTRIES_MAX 65536
#define CQ_PER_SLOT    4 /* U1 */

/* The memory of a ring that was closed is given back some milliseconds later. */
#define MEMORY_RETRIES	50
#define MEMORY_RETRY_NS 2000000

static size_t entries_bytes(const struct uring_queue_opts *opts)
{
	return opts->sq_entries * sizeof(struct sl_uring_sqe) +
	       opts->cq_entries * sizeof(struct sl_uring_cqe);
}

/* A ring within the limit that does not fit now may only have to wait for an older one's memory. */
static bool may_fit_later(const struct uring_queue_opts *opts)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	return entries_bytes(opts) <= limit.rlim_cur;
}

static int open_queue(struct uring *u, const struct uring_queue_opts *opts,
		      struct uring_queue_report *ret_report)
{
	unsigned retries = may_fit_later(opts) ? MEMORY_RETRIES : 0;
	int err;

	while ((err = uring_queue_open(&u->q, opts, ret_report)) == -ENOMEM && retries--)
		sl_sys_sleep_ns(MEMORY_RETRY_NS);
	return err;
}

static void size_queue(struct uring_queue_opts *opts, uint32_t depth)
{
	uint32_t sq = sl_pow2_from(depth);
	uint32_t cq = sl_pow2_from(depth) * CQ_PER_SLOT;

	if (sq < SQ_ENTRIES_MIN)
		sq = SQ_ENTRIES_MIN;
	if (cq < sq * CQ_PER_SLOT)
		cq = sq * CQ_PER_SLOT;
	opts->sq_entries = sq > SQ_ENTRIES_MAX ? SQ_ENTRIES_MAX : sq;
	opts->cq_entries = cq > CQ_ENTRIES_MAX ? CQ_ENTRIES_MAX : cq;
}

/* The parts of the one allocation, as offsets. */
struct layout {
	size_t messages;
	size_t cancel_data;
	size_t free_files;
	size_t bytes;
};

/* depth <= 32768 and keep_max counts descriptors, so no product overflows. */
static struct uring *create(const struct sl_backend_open *args)
{
	struct layout layout = { 0 };
	struct uring *u;
	char *base;

	sl_layout_part(&layout.bytes, sizeof(*u));
	layout.messages = sl_layout_part(&layout.bytes, args->depth * sizeof(struct msghdr));
	layout.cancel_data = sl_layout_part(&layout.bytes, args->depth * sizeof(uint64_t));
	layout.free_files = sl_layout_part(&layout.bytes, args->keep_max * sizeof(int32_t));
	base = args->allocator->alloc(args->allocator->ctx, layout.bytes, SL_LAYOUT_ALIGN);
	if (!base)
		return NULL;
	memset(base, 0, layout.bytes);
	u = (struct uring *)(void *)base;
	u->messages = (struct msghdr *)(void *)(base + layout.messages);
	u->cancel_data = (uint64_t *)(void *)(base + layout.cancel_data);
	u->free_files = (int32_t *)(void *)(base + layout.free_files);
	u->ring = args->ring;
	u->events = args->events;
	u->depth = args->depth;
	u->allocator = *args->allocator;
	u->bytes = layout.bytes;
	u->wake_fd = u->ready_fd = -1;
	return u;
}

static void choose_waits(struct uring *u, const struct sl_backend_open *args)
{
	uint64_t wait_us = (args->wait_ns + 999) / 1000;

	u->wake_nr = args->wait_batch > 1 ? args->wait_batch : 1;
	if (u->wake_nr > u->inflight_max)
		u->wake_nr = u->inflight_max;
	u->wait_ns = args->wait_ns;
	if (uring_queue_has(&u->q, SL_URING_FEAT_MIN_TIMEOUT))
		u->min_wait_us = wait_us > UINT32_MAX ? UINT32_MAX : (uint32_t)wait_us;
}

/* Features that cannot be asked for one by one are taken from a neighbour of the same
 * release: multishot accept and receive are older than SINGLE_ISSUER (6.0), the usage
 * report came before REG_REG_RING (6.3). */
static int choose(struct uring *u, const struct sl_backend_open *args)
{
	struct uring_ops ops;
	int err = uring_queue_ops(&u->q, &ops);

	if (err)
		return err;
	u->native = uring_native(&ops);
	u->multishot = u->q.flags & SL_URING_SETUP_SINGLE_ISSUER;
	u->zc = uring_ops_has(&ops, SL_URING_OP_SEND_ZC);
	u->zc_vector = uring_ops_has(&ops, SL_URING_OP_SENDMSG_ZC);
	u->zc_report = uring_queue_has(&u->q, SL_URING_FEAT_REG_REG_RING);
	u->write_quietly = uring_writes_quietly();
	u->buffers = !uring_queue_buffers_sparse(&u->q, URING_BUFFERS);
	uring_files_init(u, args->keep_max);
	/* The bound is the thread's; a kernel that has none is no reason to fail. */
	uring_queue_iowq_max_workers(&u->q, args->workers, args->workers, NULL);
	choose_waits(u, args);
	return uring_wake_init(u);
}

static struct sl_backend_caps caps_of(const struct uring *u,
				      const struct uring_queue_report *report)
{
	uint32_t caps = SL_CAP_BUFFER_RINGS;

	if (u->buffers)
		caps |= SL_CAP_REGISTERED_BUFFERS;
	if (u->files_nr)
		caps |= SL_CAP_REGISTERED_FILES;
	if (uring_queue_has(&u->q, SL_URING_FEAT_MIN_TIMEOUT))
		caps |= SL_CAP_BATCH_WAIT;
	if (u->multishot)
		caps |= SL_CAP_MULTISHOT;
	if (u->zc)
		caps |= SL_CAP_ZERO_COPY_SEND;
	/* Polled transfers signal nobody. */
	if (!u->iopoll)
		caps |= SL_CAP_EMBEDDABLE;
	return (struct sl_backend_caps){
		.native = u->native,
		.files = true,
		.multi = u->multishot,
		.caps = caps,
		.sq_entries = u->q.sq_entries,
		.cq_entries = u->q.cq_entries,
		.setup_flags = u->q.flags,
		.memory_bytes = u->bytes + report->ring_bytes,
	};
}

int uring_open(const struct sl_backend_open *args, void **ret_state,
	       struct sl_backend_caps *ret_caps, char *why)
{
	struct uring_queue_opts opts = { .flags_wanted = URING_QUEUE_WANT };
	struct uring_queue_report report;
	struct uring *u;
	int err = uring_options(args->options, &opts.flags);

	if (err) {
		snprintf(why, 256, "uring: unknown option '%s'; it knows sqpoll and iopoll",
			 args->options);
		return err;
	}
	u = create(args);
	if (!u) {
		snprintf(why, 256, "uring: no memory");
		return -ENOMEM;
	}
	size_queue(&opts, args->depth);
	u->iopoll = opts.flags & SL_URING_SETUP_IOPOLL;
	opts.flags &= ~SL_URING_SETUP_IOPOLL;
	u->elsewhere = u->iopoll ? UINT64_MAX : URING_MOVES;
	err = open_queue(u, &opts, &report);
	if (!err && u->iopoll)
		err = uring_polled_open(u, &opts);
	if (err)
		goto err_explain;
	u->inflight_max = u->q.cq_entries / CQ_PER_SLOT;
	if (u->inflight_max > args->depth)
		u->inflight_max = args->depth;
	err = choose(u, args);
	if (err)
		goto err_explain;
	*ret_caps = caps_of(u, &report);
	*ret_state = u;
	return 0;

err_explain:
	uring_explain(err, entries_bytes(&opts), why);
	uring_close(u, false);
	return err;
}

void uring_close(void *state, bool forked)
{
	struct uring *u = state;
	struct sl_allocator allocator = u->allocator;

	/* A forked child's copy of the queue knows by itself what is not the child's. */
	(void)forked;
	uring_queue_close(&u->polled);
	uring_queue_close(&u->q);
	uring_wake_fini(u);
	uring_embed_fini(u);
	uring_pools_fini(u);
	allocator.free(allocator.ctx, u, u->bytes);
}
