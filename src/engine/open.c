/* SPDX-License-Identifier: MIT */
/* open.c - opening a ring on a given backend: options, arrays, capabilities. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/engine.h"
#include "engine/ring_end.h"
#include "sys/thread.h"

#define DEPTH_DEFAULT	128
#define DEPTH_MAX	32768
#define PARK_MAX	((uint32_t)1 << 24)
#define KEEP_DEFAULT	1024
#define KEEP_MAX	((uint32_t)1 << 20)
#define WORKERS_DEFAULT 2
#define WORKERS_MAX	64
#define KNOWN_FLAGS                                                                  \
	((uint32_t)(SL_RING_CLOCK_PER_OP | SL_RING_NO_INLINE | SL_RING_NO_FALLBACK | \
		    SL_RING_SIGPIPE_IGNORED))

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

int sl_ring_opts_resolve(const struct sl_ring_opts *opts, struct sl_ring_opts *ret_opts)
{
	struct sl_ring_opts all = { 0 };

	if (opts) {
		if (!sl_opts_known(opts, opts->size, sizeof(all)))
			return -EINVAL;
		all = *opts;
	}
	all.size = sizeof(all);
	all.depth = or_default(all.depth, DEPTH_DEFAULT);
	all.park_max = or_default(all.park_max, all.depth * 4);
	all.keep_max = or_default(all.keep_max, KEEP_DEFAULT);
	all.workers = or_default(all.workers, WORKERS_DEFAULT);
	all.wait_batch = or_default(all.wait_batch, 1);
	if (!all.allocator)
		all.allocator = ring_default_allocator();
	if (all.flags & ~KNOWN_FLAGS || all.depth > DEPTH_MAX || all.park_max > PARK_MAX ||
	    all.keep_max > KEEP_MAX || all.workers > WORKERS_MAX || all.wait_batch > all.depth ||
	    !all.allocator->alloc || !all.allocator->free)
		return -EINVAL;
	*ret_opts = all;
	return 0;
}

/* One page that a forked child finds wiped: how ring_check() knows it. */
static int map_owner(struct sl_ring *ring)
{
	uint64_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -ENOMEM;
	if (madvise(page, 4096, MADV_WIPEONFORK)) {
		munmap(page, 4096);
		return -ENOSYS;
	}
	*page = ring_thread_id();
	ring->owner = page;
	ring->memory_bytes += 4096;
	return 0;
}

static void init_slots(struct sl_ring *ring)
{
	for (uint32_t i = ring->opts.depth; i-- > 0;) {
		ring->slots[i].id = i;
		ring->slots[i].next = ring->free_slots;
		ring->free_slots = &ring->slots[i];
	}
}

static int alloc_arrays(struct sl_ring *ring)
{
	const struct sl_ring_opts *opts = &ring->opts;
	uint32_t events = ring_event_entries(opts);

	ring->fd_mask = ring_fd_buckets(opts) - 1;
	ring->events.mask = events - 1;
	ring->slots = ring_alloc(ring, opts->depth, sizeof(*ring->slots));
	ring->fd_buckets = ring_alloc(ring, ring->fd_mask + 1, sizeof(*ring->fd_buckets));
	ring->events.entries = ring_alloc(ring, events, sizeof(*ring->events.entries));
	ring->heap = ring_alloc(ring, opts->depth + opts->park_max, sizeof(struct sl_op *));
	if (!ring->slots || !ring->fd_buckets || !ring->events.entries || !ring->heap)
		return -ENOMEM;
	init_slots(ring);
	return keep_init(ring);
}

static int open_backend(struct sl_ring *ring, const struct sl_ring_choice *choice, char *why)
{
	const struct sl_backend_open args = {
		.ring = ring,
		.events = &ring->events,
		.options = choice->options ? choice->options : "",
		.inner = choice->inner,
		.inner_options = choice->inner_options ? choice->inner_options : "",
		.depth = ring->opts.depth,
		.workers = ring->opts.workers,
		.keep_max = ring->opts.keep_max,
		.wait_batch = ring->opts.wait_batch,
		.wait_ns = ring->opts.wait_ns,
		.allocator = ring->opts.allocator,
	};
	int err = choice->backend->open(&args, &ring->state, &ring->backend_caps, why);

	if (!err)
		ring->backend = choice->backend;
	return err;
}

static uint8_t route_of(const struct sl_ring *ring, unsigned code)
{
	const struct sl_op_info *info = &sl_op_table[code];

	if (!(ring->backend->groups & info->group))
		return SL_ROUTE_NONE;
	/* Streams may still be native where files are not. */
	if (info->traits & SL_OP_AT_OFF && !ring->backend_caps.files && !ring->backend->owns_world)
		return info->route;
	if (ring->backend_caps.native >> code & 1)
		return SL_ROUTE_NATIVE;
	if (ring->backend->owns_world &&
	    (info->route != SL_ROUTE_ENGINE || code == SL_OP_CLOSE || code == SL_OP_LOCK))
		return SL_ROUTE_NONE;
	return info->route;
}

/* The backend takes them whatever the slot says, and nobody tries before it. */
static uint64_t plain_ops(const struct sl_ring *ring)
{
	uint64_t ops = ring->backend_caps.native;

	if (ring->backend->began)
		return 0;
	if (!ring->backend_caps.files)
		ops &= ~(1ull << SL_OP_READ | 1ull << SL_OP_WRITE);
	if (!ring->backend->owns_world && !(ring->opts.flags & SL_RING_NO_INLINE))
		ops &= ~(1ull << SL_OP_READ | 1ull << SL_OP_OPEN | 1ull << SL_OP_STAT);
	return ops & ~(1ull << SL_OP_TIMER | 1ull << SL_OP_POST | 1ull << SL_OP_CLOSE |
		       1ull << SL_OP_LOCK);
}

/* Whether a read may pass by backend and workers. */
static bool inline_reads(const struct sl_ring *ring)
{
	return !ring->backend->owns_world && !ring->backend->began &&
	       !(ring->opts.flags & SL_RING_NO_INLINE);
}

static uint64_t fd_ops(void)
{
	uint64_t ops = 0;

	for (unsigned code = 0; code < SL_OP_CODES; code++) {
		if (sl_op_table[code].traits & SL_OP_ON_FD)
			ops |= 1ull << code;
	}
	return ops;
}

static void fill_caps(struct sl_ring *ring, const struct sl_ring_choice *choice)
{
	struct sl_caps *caps = &ring->caps;

	caps->backend = ring->backend->name;
	snprintf(caps->why, sizeof(caps->why), "%s", choice->why ? choice->why : "");
	caps->groups = ring->backend->groups;
	caps->caps = ring->backend_caps.caps;
	if (ring->backend->owns_world)
		caps->caps |= SL_CAP_OWN_WORLD;
	caps->depth = ring->opts.depth;
	caps->sq_entries = ring->backend_caps.sq_entries;
	caps->cq_entries = ring->backend_caps.cq_entries;
	caps->setup_flags = ring->backend_caps.setup_flags;
	caps->workers = workers_nr(ring);
	for (unsigned code = 0; code < SL_OP_CODES; code++)
		caps->route[code] = route_of(ring, code);
}

static int build(struct sl_ring *ring, const struct sl_ring_choice *choice, char *why)
{
	int err = map_owner(ring);

	if (!err)
		err = alloc_arrays(ring);
	if (!err)
		err = open_backend(ring, choice, why);
	if (!err)
		err = workers_start(ring);
	if (err)
		return err;
	for (unsigned i = 0; i < SL_RING_CLASSES; i++)
		ring->classes[i].price = CLASS_PRICE / 100;
	ring->owner_tid = sl_sys_gettid();
	ring->now_ns = ring->backend->now(ring->state);
	ring->plain_ops = plain_ops(ring);
	ring->inline_reads = inline_reads(ring);
	fill_caps(ring, choice);
	ring->simple_ops = ring_simple_ops(ring);
	ring->bare_ops = ring->plain_ops & ~fd_ops();
	if (ring->opts.flags & SL_RING_CLOCK_PER_OP)
		ring->latency_bucket = SL_RING_LATENCY_BUCKETS - 1;
	ring_set_easy_depth(ring);
	ring->caps.memory_bytes = ring->memory_bytes + ring->backend_caps.memory_bytes;
	return 0;
}

int sl_ring_open_on(const struct sl_ring_opts *opts, const struct sl_ring_choice *choice,
		    struct sl_ring **ret_ring, char *why)
{
	struct sl_ring_opts all;
	struct sl_ring *ring;
	int err = sl_ring_opts_resolve(opts, &all);

	why[0] = '\0';
	if (err)
		return err;
	ring = all.allocator->alloc(all.allocator->ctx, sizeof(*ring), 64);
	if (!ring)
		return -ENOMEM;
	memset(ring, 0, sizeof(*ring));
	ring->opts = all;
	ring->allocator = *all.allocator;
	ring->opts.allocator = &ring->allocator;
	ring->memory_bytes = sizeof(*ring);
	err = build(ring, choice, why);
	if (err) {
		ring_free_all(ring, false);
		return err;
	}
	*ret_ring = ring;
	return 0;
}
