/*
 * The readiness loop: transfers on streams by trying, and by waiting where that says EAGAIN.
 *
 * It runs what waits for somebody else (receive, send, accept, connect, splice,
 * poll); files go to the engine's workers. A slot's way, each step within
 * flush() or wait(), never within start():
 *
 *	start() -> FRESH --attempt--> FINISHED --post--> the engine
 *	             |                    ^
 *	             +-- EAGAIN, or others wait on that side of the descriptor
 *	             v                    |
 *	          WAITING --hit, attempt--+-- cancel, or the poller refuses
 *
 * Invariants:
 *  R1. A slot is in one list, named by its mark (slots.h), until its last event
 *      is posted; then the loop forgets it, before it posts.
 *  R2. Slots on one side of one descriptor are served in FIFO order: a new one
 *      is not attempted while others wait there.
 *  R3. When flush() or wait() returns, the poller watches exactly what slots
 *      wait for (W2 in watch.h). An embedding loop may sleep on fd() then.
 *  R4. Nothing is allocated after open(): all queues run through the slots.
 *
 * Failure modes: a full event queue leaves slots FINISHED and wait() does not
 * sleep then. A file that cannot be waited for ends with -EPERM, and the engine
 * gives it to a worker.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backend/ready/loop.h"
#include "backend/ready/ready.h"
#include "base/layout.h"
#include "sys/clock.h"
#include "sys/eventfd.h"

/* Turns in which attempts alone gave enough events, before waiting slots are looked at again. */
#define TURNS_UNPOLLED_MAX 8

/* When to stop sleeping: at the deadline, or wait_ns after the first event of a batch. */
static int64_t sleep_until(const struct ready *r, int64_t deadline_ns, int64_t first_ns)
{
	int64_t batch_ns;

	if (!first_ns || !r->wait_ns ||
	    __builtin_add_overflow(first_ns, (int64_t)r->wait_ns, &batch_ns))
		return deadline_ns;
	return batch_ns < deadline_ns ? batch_ns : deadline_ns;
}

static int64_t timeout_until(int64_t until_ns)
{
	int64_t now_ns;

	if (until_ns == INT64_MAX)
		return -1;
	if (!until_ns)
		return 0;
	now_ns = sl_sys_clock_ns();
	return until_ns > now_ns ? until_ns - now_ns : 0;
}

/* ---- the backend ------------------------------------------------------------------------ */

static int ready_wait(void *state, unsigned nr, int64_t deadline_ns)
{
	struct ready *r = state;
	unsigned posted = ready_push(r);
	int64_t first_ns = posted ? sl_sys_clock_ns() : 0;
	int64_t timeout_ns;

	if (nr && posted >= nr && ++r->turns_unpolled < TURNS_UNPOLLED_MAX)
		return 0;
	r->turns_unpolled = 0;
	if (posted >= nr || r->finished.head)
		deadline_ns = 0;
	timeout_ns = timeout_until(sleep_until(r, deadline_ns, first_ns));
	do {
		int woken = ready_sleep(r, timeout_ns, &posted);

		if (woken < 0)
			return woken == -EINTR ? 0 : woken;
		if (woken || posted >= nr || r->finished.head)
			return 0;
		if (posted && !first_ns)
			first_ns = sl_sys_clock_ns();
		timeout_ns = timeout_until(sleep_until(r, deadline_ns, first_ns));
	} while (timeout_ns);
	return 0;
}

static int ready_flush(void *state)
{
	ready_push(state);
	return 0;
}

static int ready_start(void *state, struct sl_slot *slot)
{
	struct ready *r = state;
	int err;

	if (r->started == r->depth)
		return -EAGAIN;
	err = ready_check_fd(r, slot->fd);
	if (err)
		return err;
	*ready_mark(slot) = (struct ready_mark){ .place = READY_FRESH };
	ready_slots_add(&r->fresh, slot);
	r->started++;
	return 0;
}

static void ready_cancel(void *state, struct sl_slot *slot)
{
	struct ready *r = state;

	switch (ready_mark(slot)->place) {
	case READY_FRESH:
		ready_slots_remove(&r->fresh, slot);
		break;
	case READY_WAITING:
		watches_remove(&r->watches, slot);
		break;
	default:
		return;
	}
	ready_finish(r, slot, -ECANCELED, 0);
}

static void ready_wake(void *state)
{
	struct ready *r = state;

	sl_sys_eventfd_signal(r->wake_fd);
}

static int64_t ready_now(void *state)
{
	(void)state;
	return sl_sys_clock_ns();
}

static int ready_fd(void *state)
{
	struct ready *r = state;

	return r->poller->fd(r->poller_state);
}

static void ready_stats(void *state, struct sl_backend_stats *ret_stats)
{
	struct ready *r = state;

	*ret_stats = (struct sl_backend_stats){ .enters = r->calls + r->watches.calls };
}

static void ready_close(void *state, bool forked)
{
	struct ready *r = state;
	struct sl_allocator allocator = r->allocator;

	(void)forked; /* closing our copies of the descriptors leaves the parent's alone */
	r->poller->fini(r->poller_state);
	close(r->wake_fd);
	allocator.free(allocator.ctx, r, r->bytes);
}

/* ---- opening --------------------------------------------------------------------------- */

/* The parts of the one allocation, as offsets. */
struct ready_layout {
	uint32_t watch_nr;
	uint32_t bucket_nr;
	size_t watches;
	size_t buckets;
	size_t hits;
	size_t poller;
	size_t bytes;
};

/* depth <= 32768, so no product overflows. */
static struct ready_layout layout_of(const struct poller *poller, uint32_t depth)
{
	struct ready_layout layout = {
		.watch_nr = 2 * depth,
		.bucket_nr = sl_pow2_from(2 * depth),
	};

	sl_layout_part(&layout.bytes, sizeof(struct ready));
	layout.watches = sl_layout_part(&layout.bytes, layout.watch_nr * sizeof(struct watch));
	layout.buckets = sl_layout_part(&layout.bytes, layout.bucket_nr * sizeof(uint32_t));
	layout.hits =
		sl_layout_part(&layout.bytes, (layout.watch_nr + 1) * sizeof(struct poller_hit));
	layout.poller = sl_layout_part(&layout.bytes, poller->bytes(layout.watch_nr));
	return layout;
}

static struct ready *ready_create(const struct sl_backend_open *args, const char *name,
				  const struct poller *poller)
{
	struct ready_layout layout = layout_of(poller, args->depth);
	char *base = args->allocator->alloc(args->allocator->ctx, layout.bytes, SL_LAYOUT_ALIGN);
	struct ready *r = (struct ready *)(void *)base;

	if (!r)
		return NULL;
	memset(base, 0, layout.bytes);
	r->ring = args->ring;
	r->name = name;
	r->poller = poller;
	r->poller_state = base + layout.poller;
	r->depth = args->depth;
	r->wait_ns = args->wait_ns;
	r->hits = (struct poller_hit *)(void *)(base + layout.hits);
	r->hits_max = layout.watch_nr + 1;
	r->allocator = *args->allocator;
	r->bytes = layout.bytes;
	r->watches.poller = poller;
	r->watches.poller_state = r->poller_state;
	watches_init(&r->watches, (struct watch *)(void *)(base + layout.watches), layout.watch_nr,
		     (uint32_t *)(void *)(base + layout.buckets), layout.bucket_nr);
	return r;
}

/* The wake-up and the poller; a sentence in why[256] when they fail. */
static int ready_init(struct ready *r, char *why)
{
	int err;

	r->wake_fd = sl_sys_eventfd_open();
	if (r->wake_fd < 0) {
		snprintf(why, 256, "%s: no descriptor to wake it by: %s", r->name,
			 sl_err_text(r->wake_fd));
		return r->wake_fd;
	}
	if (r->poller->fd_limit && r->wake_fd >= r->poller->fd_limit) {
		snprintf(why, 256, "%s: its own descriptor would be %d, beyond its limit of %d",
			 r->name, r->wake_fd, r->poller->fd_limit);
		err = -EMFILE;
		goto err_close;
	}
	err = r->poller->init(r->poller_state, r->watches.nr, r->wake_fd);
	if (!err)
		return 0;
	snprintf(why, 256, "%s: %s", r->name, sl_err_text(err));
err_close:
	close(r->wake_fd);
	return err;
}

#define CODE(name) ((uint64_t)1 << SL_OP_##name)

static struct sl_backend_caps caps_of(const struct ready *r)
{
	return (struct sl_backend_caps){
		.native = CODE(POLL) | CODE(READ) | CODE(WRITE) | CODE(RECV) | CODE(SEND) |
			  CODE(RECVMSG) | CODE(SENDMSG) | CODE(ACCEPT) | CODE(CONNECT) |
			  CODE(SPLICE) | CODE(TEE) | CODE(SENDFILE),
		.caps = r->poller->fd(r->poller_state) >= 0 ? SL_CAP_EMBEDDABLE : 0,
		.memory_bytes = r->bytes,
	};
}

static int ready_open(const struct sl_backend_open *args, const char *name,
		      const struct poller *poller, void **ret_state,
		      struct sl_backend_caps *ret_caps, char *why)
{
	struct ready *r;
	int err;

	if (args->options && *args->options) {
		snprintf(why, 256, "%s: takes no options, but was given '%s'", name, args->options);
		return -EINVAL;
	}
	r = ready_create(args, name, poller);
	if (!r) {
		snprintf(why, 256, "%s: no memory", name);
		return -ENOMEM;
	}
	err = ready_init(r, why);
	if (err) {
		args->allocator->free(args->allocator->ctx, r, r->bytes);
		return err;
	}
	*ret_caps = caps_of(r);
	*ret_state = r;
	return 0;
}

static int epoll_open(const struct sl_backend_open *args, void **ret_state,
		      struct sl_backend_caps *ret_caps, char *why)
{
	return ready_open(args, "epoll", &sl_poller_epoll, ret_state, ret_caps, why);
}

static int poll_open(const struct sl_backend_open *args, void **ret_state,
		     struct sl_backend_caps *ret_caps, char *why)
{
	return ready_open(args, "poll", &sl_poller_poll, ret_state, ret_caps, why);
}

static int select_open(const struct sl_backend_open *args, void **ret_state,
		       struct sl_backend_caps *ret_caps, char *why)
{
	return ready_open(args, "select", &sl_poller_select, ret_state, ret_caps, why);
}

/* ---- what the kernel does not do for us ----------------------------------------------------- */

static int no_pool_add(void *state, void *base, uint32_t buf_bytes, uint32_t count)
{
	(void)state;
	(void)base;
	(void)buf_bytes;
	(void)count;
	return -EOPNOTSUPP;
}

static void no_pool_remove(void *state, int pool_id)
{
	(void)state;
	(void)pool_id;
}

static void no_pool_recycle(void *state, int pool_id, uint16_t buf_id)
{
	(void)state;
	(void)pool_id;
	(void)buf_id;
}

static int no_map(void *state, void *base, size_t bytes)
{
	(void)state;
	(void)base;
	(void)bytes;
	return -EOPNOTSUPP;
}

static void no_unmap(void *state, int idx)
{
	(void)state;
	(void)idx;
}

static int no_keep(void *state, int fd)
{
	(void)state;
	(void)fd;
	return -EOPNOTSUPP;
}

static void no_unkeep(void *state, int idx, int fd)
{
	(void)state;
	(void)idx;
	(void)fd;
}

#define READY_GROUPS                                                                     \
	(SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NAME | SL_GROUP_NET | \
	 SL_GROUP_PROCESS)

#define READY_BACKEND(poller)                                                                   \
	{                                                                                       \
		.name = #poller, .groups = READY_GROUPS, .open = poller##_open,                 \
		.close = ready_close, .start = ready_start, .cancel = ready_cancel,             \
		.flush = ready_flush, .wait = ready_wait, .wake = ready_wake, .now = ready_now, \
		.pool_add = no_pool_add, .pool_remove = no_pool_remove,                         \
		.pool_recycle = no_pool_recycle, .map = no_map, .unmap = no_unmap,              \
		.keep = no_keep, .unkeep = no_unkeep, .fd = ready_fd, .stats = ready_stats,     \
	}

const struct sl_backend sl_backend_epoll = READY_BACKEND(epoll);
const struct sl_backend sl_backend_poll = READY_BACKEND(poll);
const struct sl_backend sl_backend_select = READY_BACKEND(select);
