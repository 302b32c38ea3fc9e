/* Setting up, entering and ending a raw ring; queue.h has the whole story. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/uring/queue.h"
#include "sys/clock.h"

#define NS_PER_SEC 1000000000ULL

#define SQ_ENTRIES_DEFAULT 64
#define SQ_ENTRIES_MAX	   32768
#define CQ_ENTRIES_MAX	   65536

/* Flags that change what lies in the rings or how they come to be: not handled here. */
#define SETUP_FOREIGN                                                                            \
	(SL_URING_SETUP_SQE128 | SL_URING_SETUP_CQE32 | SL_URING_SETUP_CQE_MIXED |               \
	 SL_URING_SETUP_SQE_MIXED | SL_URING_SETUP_NO_MMAP | SL_URING_SETUP_REGISTERED_FD_ONLY | \
	 SL_URING_SETUP_ATTACH_WQ | SL_URING_SETUP_R_DISABLED)

#define SETUP_TASKRUN \
	(SL_URING_SETUP_DEFER_TASKRUN | SL_URING_SETUP_COOP_TASKRUN | SL_URING_SETUP_TASKRUN_FLAG)

/* Older kernels lose completions or cannot wait with a timeout: as good as none. */
#define FEATURES_NEEDED (SL_URING_FEAT_NODROP | SL_URING_FEAT_EXT_ARG)

/* The flags to ask for, and those that were given up on the way. */
struct wishes {
	uint32_t required;
	uint32_t wanted;
	uint32_t dropped;
};

static void drop(struct wishes *wishes, uint32_t flags)
{
	wishes->dropped |= wishes->wanted & flags;
	wishes->wanted &= ~flags;
}

/* Bits are numbered in the order kernels learned them: the highest is the youngest. */
static void drop_youngest(struct wishes *wishes)
{
	uint32_t youngest = 1U << (31 - __builtin_clz(wishes->wanted));

	drop(wishes, youngest);
	if (youngest == SL_URING_SETUP_DEFER_TASKRUN &&
	    (wishes->wanted & SL_URING_SETUP_TASKRUN_FLAG))
		wishes->wanted |= SL_URING_SETUP_COOP_TASKRUN;
}

/* NULL or the zero of a member gives its default; -EINVAL for sizes and flags out of range. */
static int complete_opts(const struct uring_queue_opts *opts, struct uring_queue_opts *ret_full)
{
	struct uring_queue_opts full = { 0 };

	if (opts)
		full = *opts;
	if (!full.sq_entries)
		full.sq_entries = SQ_ENTRIES_DEFAULT;
	if (full.sq_entries > SQ_ENTRIES_MAX || full.cq_entries > CQ_ENTRIES_MAX)
		return -EINVAL;
	if (full.cq_entries && full.cq_entries < full.sq_entries)
		return -EINVAL;
	if ((full.flags | full.flags_wanted) & SETUP_FOREIGN)
		return -EINVAL;
	if (full.cq_entries)
		full.flags |= SL_URING_SETUP_CQSIZE;
	if (full.sq_cpu)
		full.flags |= SL_URING_SETUP_SQ_AFF;
	*ret_full = full;
	return 0;
}

static int setup(const struct uring_queue_opts *opts, struct sl_uring_params *ret_params,
		 uint32_t *ret_dropped)
{
	struct wishes wishes = { .required = opts->flags,
				 .wanted = opts->flags_wanted & ~opts->flags };
	int fd;

	if ((wishes.required | wishes.wanted) & SL_URING_SETUP_SQPOLL)
		drop(&wishes, SETUP_TASKRUN);
	for (;;) {
		struct sl_uring_params params = {
			.flags = wishes.required | wishes.wanted,
			.cq_entries = opts->cq_entries,
			.sq_thread_idle = opts->sq_idle_ms,
			.sq_thread_cpu = opts->sq_cpu ? opts->sq_cpu - 1 : 0,
		};

		fd = sl_sys_uring_setup(opts->sq_entries, &params);
		if (fd >= 0)
			*ret_params = params;
		if (fd != -EINVAL || !wishes.wanted)
			break;
		drop_youngest(&wishes);
	}
	*ret_dropped = wishes.dropped;
	return fd;
}

static void *map(int fd, size_t len, uint64_t off)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)off);
}

static void unmap_rings(struct uring_queue *q)
{
	if (q->sqes)
		munmap(q->sqes, q->sqes_bytes);
	if (q->cq_map && q->cq_map != q->sq_map)
		munmap(q->cq_map, q->cq_map_bytes);
	if (q->sq_map)
		munmap(q->sq_map, q->sq_map_bytes);
}

static void size_maps(struct uring_queue *q, const struct sl_uring_params *params)
{
	q->sq_map_bytes = params->cq_off.cqes;
	if (!(params->flags & SL_URING_SETUP_NO_SQARRAY))
		q->sq_map_bytes = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	q->cq_map_bytes = params->cq_off.cqes + params->cq_entries * sizeof(struct sl_uring_cqe);
	q->sqes_bytes = params->sq_entries * sizeof(struct sl_uring_sqe);
	if ((q->features & SL_URING_FEAT_SINGLE_MMAP) && q->sq_map_bytes < q->cq_map_bytes)
		q->sq_map_bytes = q->cq_map_bytes;
}

static int map_rings(struct uring_queue *q, const struct sl_uring_params *params)
{
	void *mem;

	size_maps(q, params);
	mem = map(q->fd, q->sq_map_bytes, SL_URING_OFF_SQ_RING);
	if (mem == MAP_FAILED)
		return -errno;
	q->sq_map = mem;
	q->cq_map = mem;
	if (!(q->features & SL_URING_FEAT_SINGLE_MMAP)) {
		mem = map(q->fd, q->cq_map_bytes, SL_URING_OFF_CQ_RING);
		if (mem == MAP_FAILED)
			return -errno;
		q->cq_map = mem;
	}
	mem = map(q->fd, q->sqes_bytes, SL_URING_OFF_SQES);
	if (mem == MAP_FAILED)
		return -errno;
	q->sqes = mem;
	return 0;
}

static uint32_t *word(void *base, uint32_t off)
{
	return (uint32_t *)((char *)base + off);
}

static void point_at_rings(struct uring_queue *q, const struct sl_uring_params *params)
{
	q->sq_khead = word(q->sq_map, params->sq_off.head);
	q->sq_ktail = word(q->sq_map, params->sq_off.tail);
	q->sq_kflags = word(q->sq_map, params->sq_off.flags);
	q->sq_kdropped = word(q->sq_map, params->sq_off.dropped);
	q->sq_entries = params->sq_entries;
	q->sq_mask = params->sq_entries - 1;
	q->cq_khead = word(q->cq_map, params->cq_off.head);
	q->cq_ktail = word(q->cq_map, params->cq_off.tail);
	q->cq_koverflow = word(q->cq_map, params->cq_off.overflow);
	q->cqes = (const struct sl_uring_cqe *)word(q->cq_map, params->cq_off.cqes);
	q->cq_entries = params->cq_entries;
	q->cq_mask = params->cq_entries - 1;
	/* The indirection older kernels insist on: slot i holds entry i, for good.
	 * The release of the first tail in publish() covers these stores too. */
	if (!(params->flags & SL_URING_SETUP_NO_SQARRAY))
		for (uint32_t i = 0; i < q->sq_entries; i++)
			word(q->sq_map, params->sq_off.array)[i] = i;
}

static int forbid_fork(struct uring_queue *q)
{
	if (madvise(q->sqes, q->sqes_bytes, MADV_DONTFORK) < 0 ||
	    madvise(q->sq_map, q->sq_map_bytes, MADV_DONTFORK) < 0)
		return -errno;
	if (q->cq_map != q->sq_map && madvise(q->cq_map, q->cq_map_bytes, MADV_DONTFORK) < 0)
		return -errno;
	return 0;
}

static int register_ring_fd(struct uring_queue *q)
{
	struct sl_uring_rsrc_update update = { .offset = UINT32_MAX, .data = (uint32_t)q->fd };
	int ret = sl_sys_uring_register(q->fd, SL_URING_REGISTER_RING_FDS, &update, 1);

	if (ret != 1)
		return ret < 0 ? ret : -EINVAL;
	q->enter_fd = (int)update.offset;
	q->enter_base = SL_URING_ENTER_REGISTERED_RING;
	return 0;
}

/* An empty enter tells which flags the kernel knows, and whether a filter lets us enter at all. */
static int try_enter(struct uring_queue *q)
{
	static const uint32_t young[] = { SL_URING_ENTER_ABS_TIMER, SL_URING_ENTER_NO_IOWAIT };
	const struct sl_uring_getevents_arg arg = { 0 };
	const uint32_t base = SL_URING_ENTER_GETEVENTS | SL_URING_ENTER_EXT_ARG;
	int ret = sl_sys_uring_enter(q->fd, 0, 0, base, &arg, sizeof(arg));

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < sizeof(young) / sizeof(young[0]); i++)
		if (sl_sys_uring_enter(q->fd, 0, 0, base | young[i], &arg, sizeof(arg)) >= 0)
			q->enter_flags |= young[i];
	return 0;
}

/* Returns how many entries became visible with this. */
static uint32_t publish(struct uring_queue *q)
{
	/* We alone write the tail, so a plain look at it is current. */
	uint32_t nr = q->sq_tail - __atomic_load_n(q->sq_ktail, __ATOMIC_RELAXED);

	/* Release pairs with the kernel's load-acquire of the tail (the SQPOLL thread's
	 * on another CPU): the entries are written before they are announced. */
	__atomic_store_n(q->sq_ktail, q->sq_tail, __ATOMIC_RELEASE);
	return nr;
}

static bool poller_sleeps(const struct uring_queue *q)
{
	/* The full barrier orders our tail store before this load. It pairs with the
	 * one the SQPOLL thread has between setting NEED_WAKEUP and its last look at
	 * the tail: either it sees our entries, or we see its flag. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(q->sq_kflags, __ATOMIC_RELAXED) & SL_URING_SQ_NEED_WAKEUP;
}

/* Whether completions may sit in the kernel that only an enter brings out. */
static bool must_collect(const struct uring_queue *q)
{
	if (q->flags & SL_URING_SETUP_IOPOLL)
		return true;
	if (!(q->flags & SL_URING_SETUP_TASKRUN_FLAG) && (q->flags & SL_URING_SETUP_DEFER_TASKRUN))
		return true;
	return uring_queue_sq_flags(q) & (SL_URING_SQ_CQ_OVERFLOW | SL_URING_SQ_TASKRUN);
}

static int enter(struct uring_queue *q, uint32_t submit_nr, uint32_t complete_min, uint32_t flags,
		 const struct sl_uring_getevents_arg *arg)
{
	q->enters++;
	return sl_sys_uring_enter(q->enter_fd, submit_nr, complete_min, flags, arg,
				  arg ? sizeof(*arg) : 0);
}

static struct sl_uring_timespec to_timespec(uint64_t ns)
{
	return (struct sl_uring_timespec){ .tv_sec = (int64_t)(ns / NS_PER_SEC),
					   .tv_nsec = (int64_t)(ns % NS_PER_SEC) };
}

static uint64_t until(uint64_t deadline_ns)
{
	uint64_t now_ns = (uint64_t)sl_sys_clock_ns();

	return deadline_ns > now_ns ? deadline_ns - now_ns : 0;
}

static int enter_waiting(struct uring_queue *q, uint32_t submit_nr, uint32_t flags,
			 const struct uring_queue_wait *wait)
{
	struct sl_uring_getevents_arg arg = { 0 };
	struct sl_uring_timespec ts;

	flags |= SL_URING_ENTER_GETEVENTS | SL_URING_ENTER_EXT_ARG;
	if (wait->idle)
		flags |= q->enter_flags & SL_URING_ENTER_NO_IOWAIT;
	if (uring_queue_has(q, SL_URING_FEAT_MIN_TIMEOUT))
		arg.min_wait_usec = wait->min_wait_us;
	if (wait->deadline_ns) {
		flags |= q->enter_flags & SL_URING_ENTER_ABS_TIMER;
		ts = to_timespec(flags & SL_URING_ENTER_ABS_TIMER ? wait->deadline_ns :
								    until(wait->deadline_ns));
		arg.ts = (uintptr_t)&ts;
	}
	return enter(q, submit_nr, wait->nr, flags, &arg);
}

static void fill_report(const struct uring_queue *q, struct uring_queue_report *report)
{
	report->flags = q->flags;
	report->features = q->features;
	report->enter_flags = q->enter_flags;
	report->sq_entries = q->sq_entries;
	report->cq_entries = q->cq_entries;
	report->ring_bytes = q->sq_map_bytes + q->sqes_bytes;
	if (q->cq_map != q->sq_map)
		report->ring_bytes += q->cq_map_bytes;
}

/* Everything after setup(2); on failure the caller unmaps and closes. */
static int build(struct uring_queue *q, const struct sl_uring_params *params)
{
	int err;

	if ((q->features & FEATURES_NEEDED) != FEATURES_NEEDED)
		return -ENOSYS;
	err = map_rings(q, params);
	if (err)
		return err;
	point_at_rings(q, params);
	return try_enter(q);
}

int uring_queue_open(struct uring_queue *q, const struct uring_queue_opts *opts,
		     struct uring_queue_report *ret_report)
{
	struct uring_queue_report report = { .ring_fd_error = -ECANCELED };
	struct uring_queue_opts full;
	struct sl_uring_params params = { 0 };
	int err = complete_opts(opts, &full);

	memset(q, 0, sizeof(*q));
	q->fd = -1;
	if (err)
		return err;
	err = setup(&full, &params, &report.flags_dropped);
	if (err < 0)
		return err;
	q->fd = err;
	q->enter_fd = q->fd;
	q->flags = params.flags;
	q->features = params.features;
	q->owner_pid = getpid();
	q->owner_tid = gettid();
	err = build(q, &params);
	if (err)
		goto err_undo;
	report.dontfork_error = forbid_fork(q);
	if (!full.ring_fd_unregistered)
		report.ring_fd_error = register_ring_fd(q);
	fill_report(q, &report);
	if (ret_report)
		*ret_report = report;
	return 0;

err_undo:
	unmap_rings(q);
	close(q->fd);
	memset(q, 0, sizeof(*q));
	q->fd = -1;
	return err;
}

void uring_queue_close(struct uring_queue *q)
{
	struct sl_uring_rsrc_update update;

	if (!q || !q->sq_map)
		return;
	/* The table of registered rings is the thread's: in another one the same
	 * index would be another ring. */
	if (q->enter_base && q->owner_tid == gettid()) {
		update = (struct sl_uring_rsrc_update){ .offset = (uint32_t)q->enter_fd };
		sl_sys_uring_register(q->fd, SL_URING_UNREGISTER_RING_FDS, &update, 1);
	}
	/* A child has no mapping there, or by now somebody else's. */
	if (q->owner_pid == getpid())
		unmap_rings(q);
	close(q->fd);
	memset(q, 0, sizeof(*q));
	q->fd = -1;
}

int uring_queue_submit(struct uring_queue *q, const struct uring_queue_wait *wait)
{
	const bool polled = q->flags & SL_URING_SETUP_SQPOLL;
	uint32_t flags = q->enter_base;
	uint32_t nr = publish(q);
	bool wake = polled && poller_sleeps(q);
	bool collect = must_collect(q);

	/* Without a poller all that is unconsumed counts, also what an earlier call left. */
	if (!polled)
		nr = uring_queue_unsubmitted(q);
	if (wake)
		flags |= SL_URING_ENTER_SQ_WAKEUP;
	if (wait && wait->nr && (collect || nr || uring_queue_ready(q) < wait->nr))
		return enter_waiting(q, nr, flags, wait);
	if (!collect && !(polled ? wake : nr > 0))
		return (int)nr;
	if (collect || (q->flags & SL_URING_SETUP_DEFER_TASKRUN))
		flags |= SL_URING_ENTER_GETEVENTS;
	return enter(q, nr, 0, flags, NULL);
}

int uring_queue_sq_wait(struct uring_queue *q)
{
	int ret;

	if (!(q->flags & SL_URING_SETUP_SQPOLL))
		return -EINVAL;
	ret = enter(q, 0, 0, q->enter_base | SL_URING_ENTER_SQ_WAIT, NULL);
	return ret < 0 ? ret : 0;
}
