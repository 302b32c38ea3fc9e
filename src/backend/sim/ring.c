/* SPDX-License-Identifier: MIT */
/*
 * ring.c - a ring on a machine of the world: the seam to the engine, and the waiting.
 *
 * While a ring waits it drives the world: event by event, until one of them
 * ended an op of its own. What ends for other rings meanwhile stands in their
 * done queues until they run. A ring that only looks (a poll) lets a little
 * time pass, or a loop of polls would never end.
 */
#include <stdio.h>
#include <string.h>

#include "backend/sim/world.h"

#define POLL_NS 200

static void init_tasks(struct sim_ring *ring)
{
	TAILQ_INIT(&ring->idle);
	TAILQ_INIT(&ring->done);
	for (uint32_t i = 0; i < ring->depth; i++) {
		ring->tasks[i].event.kind = SIM_TASK;
		ring->tasks[i].ring = ring;
		TAILQ_INSERT_TAIL(&ring->idle, &ring->tasks[i], link);
	}
}

#define BIT(code) (UINT64_C(1) << (code))

static uint64_t native_ops(void)
{
	uint64_t ops = BIT(SL_OP_POLL) | BIT(SL_OP_WORK);

	for (unsigned code = SL_OP_READ; code <= SL_OP_SETSOCKOPT; code++)
		ops |= BIT(code);
	return ops | BIT(SL_OP_SENDFILE);
}

static int sim_open(const struct sl_backend_open *args, void **ret_state,
		    struct sl_backend_caps *ret_caps, char *why)
{
	/* sl_sim_ring_open() passes the door's name: the rest is before it. */
	const struct sim_door *door =
		(const void *)(args->options - offsetof(struct sim_door, name));
	const struct sl_allocator *allocator = args->allocator;
	size_t bytes = args->depth * sizeof(struct sim_task);
	struct sim_ring *ring = allocator->alloc(allocator->ctx, sizeof(*ring), 64);

	if (!ring)
		goto err;
	memset(ring, 0, sizeof(*ring));
	ring->allocator = *allocator;
	ring->sim = door->machine->sim;
	ring->tasks = allocator->alloc(allocator->ctx, bytes, 64);
	if (!ring->tasks || !sim_volume(door->machine) ||
	    sim_events_reserve(&ring->sim->events, ring->sim->events.kept + args->depth))
		goto err_free;
	memset(ring->tasks, 0, bytes);
	ring->machine = door->machine;
	ring->ring = args->ring;
	ring->depth = args->depth;
	ring->wait_ns = args->wait_ns;
	ring->sim->events.kept += args->depth;
	sem_init(&ring->wakes, 0, 0);
	init_tasks(ring);
	LIST_INSERT_HEAD(&ring->machine->rings, ring, of_machine);
	*ret_caps = (struct sl_backend_caps){
		.native = native_ops(),
		.files = true,
		.memory_bytes = sizeof(*ring) + bytes,
	};
	*ret_state = ring;
	return 0;

err_free:
	if (ring->tasks)
		allocator->free(allocator->ctx, ring->tasks, bytes);
	allocator->free(allocator->ctx, ring, sizeof(*ring));
err:
	snprintf(why, 256, "no memory for a simulated ring");
	return -ENOMEM;
}

static bool is_of_ring(struct sim_event *event, void *ctx)
{
	return event->kind == SIM_TASK && ((struct sim_task *)event)->ring == ctx;
}

/* A broken ring is closed with ops in flight: the world forgets them. */
static void forget_tasks(struct sim_ring *ring)
{
	sim_events_purge(&ring->sim->events, is_of_ring, ring);
	for (uint32_t i = 0; i < ring->depth; i++) {
		struct sim_task *task = &ring->tasks[i];

		if (task->queue)
			TAILQ_REMOVE(task->queue, task, link);
	}
}

static void sim_close(void *state, bool forked)
{
	struct sim_ring *ring = state;
	struct sl_allocator allocator = ring->allocator;

	if (!forked && ring->inflight)
		forget_tasks(ring);
	LIST_REMOVE(ring, of_machine);
	ring->sim->events.kept -= ring->depth;
	sem_destroy(&ring->wakes);
	allocator.free(allocator.ctx, ring->tasks, ring->depth * sizeof(struct sim_task));
	allocator.free(allocator.ctx, ring, sizeof(*ring));
}

static int sim_start(void *state, struct sl_slot *slot)
{
	struct sim_ring *ring = state;
	struct sl_sim *sim = ring->sim;
	struct sim_task *task = TAILQ_FIRST(&ring->idle);

	SL_ASSERT(task);
	if (ring->dead)
		return -EIO;
	TAILQ_REMOVE(&ring->idle, task, link);
	ring->inflight++;
	slot->backend.ptr[0] = task;
	task->slot = slot;
	task->slot_id = slot->id;
	task->nr = ++sim->next_op;
	task->seq = ring->machine->volume->seq;
	task->queue = NULL;
	task->aux = 0;
	task->event_flags = 0;
	task->asked = task->cancelled = task->sent = false;
	return sim_events_add(&sim->events, sim->now_ns + sim_task_latency(task), &task->event);
}

/* One that waits for somebody ends now. One that is under way ends in its time,
 * and the seed says whether it took effect before. One whose event the engine has,
 * and has not looked at, has ended: its task may be another slot's by now. */
static void sim_cancel(void *state, struct sl_slot *slot)
{
	struct sim_ring *ring = state;
	struct sim_task *task = slot->backend.ptr[0];

	if (task->queue == &ring->done || task->slot_id != slot->id)
		return;
	task->asked = true;
	if (!task->queue && model_random(&ring->sim->random) % 2)
		return;
	task->cancelled = true;
	if (!task->queue)
		return;
	TAILQ_REMOVE(task->queue, task, link);
	task->queue = NULL;
	sim_events_add(&ring->sim->events, ring->sim->now_ns, &task->event);
}

static void retire(struct sim_ring *ring, struct sim_task *task)
{
	TAILQ_REMOVE(&ring->done, task, link);
	task->queue = NULL;
	TAILQ_INSERT_HEAD(&ring->idle, task, link);
	ring->inflight--;
}

/* Zero-copy: sent now, reusable with the second event. */
static bool has_second_event(const struct sim_task *task)
{
	return task->slot->flags & SL_OP_ZC && task->slot->code != SL_OP_POLL && task->res >= 0 &&
	       !task->sent;
}

/* Posts what has ended, as far as there is room; how many. */
static unsigned post(struct sim_ring *ring)
{
	struct sim_task *task;
	unsigned nr = 0;

	while ((task = TAILQ_FIRST(&ring->done)) && sl_event_room(ring->ring)) {
		struct sl_event event = {
			.id = task->slot_id,
			.res = task->res,
			.flags = task->event_flags,
			.buf_id = task->slot->buf_id,
		};

		if (has_second_event(task)) {
			task->sent = true;
			task->event_flags = SL_EVENT_COPIED;
			event.flags |= SL_EVENT_MORE | SL_EVENT_SENT;
		} else {
			retire(ring, task);
		}
		sl_event(ring->ring, &event);
		nr++;
	}
	return nr;
}

static bool woken(struct sim_ring *ring)
{
	bool any = false;

	while (sem_trywait(&ring->wakes) == 0)
		any = true;
	return any;
}

/* Nothing in this world can happen any more. */
static int stuck(struct sim_ring *ring)
{
	if (!(ring->sim->opts.flags & SL_SIM_THREADS))
		return -EDEADLK;
	while (sem_wait(&ring->wakes) < 0 && errno == EINTR)
		continue;
	return 0;
}

static void pass_time(struct sl_sim *sim, int64_t until_ns)
{
	if (until_ns > sim->now_ns)
		sim->now_ns = until_ns;
}

/* Until nr events are posted or the deadline has come. */
static int drive(struct sim_ring *ring, unsigned nr, int64_t deadline_ns)
{
	struct sl_sim *sim = ring->sim;
	int64_t limit_ns = deadline_ns;
	unsigned posted = post(ring);

	if (posted && (int64_t)ring->wait_ns < limit_ns - sim->now_ns)
		limit_ns = sim->now_ns + (int64_t)ring->wait_ns;
	while (posted < nr && sl_event_room(ring->ring)) {
		unsigned before = posted;

		if (!sim_advance(sim, limit_ns)) {
			if (limit_ns == SIM_FOREVER)
				return stuck(ring);
			pass_time(sim, limit_ns);
			break;
		}
		posted += post(ring);
		if (!before && posted && (int64_t)ring->wait_ns < limit_ns - sim->now_ns)
			limit_ns = sim->now_ns + (int64_t)ring->wait_ns;
	}
	return 0;
}

static int sim_wait(void *state, unsigned nr, int64_t deadline_ns)
{
	struct sim_ring *ring = state;
	struct sl_sim *sim = ring->sim;
	int64_t until_ns = sim->now_ns + POLL_NS;

	ring->waits++;
	if (nr && !woken(ring))
		return drive(ring, nr, deadline_ns);
	while (sim_advance(sim, until_ns))
		continue;
	pass_time(sim, until_ns);
	post(ring);
	return 0;
}

static int sim_flush(void *state)
{
	(void)state;
	return 0;
}

static void sim_wake_ring(void *state)
{
	struct sim_ring *ring = state;

	sem_post(&ring->wakes);
}

static int64_t sim_now(void *state)
{
	return ((const struct sim_ring *)state)->sim->now_ns;
}

static int sim_pool_add(void *state, void *base, uint32_t buf_bytes, uint32_t count)
{
	(void)state;
	(void)base;
	(void)buf_bytes;
	(void)count;
	return -EOPNOTSUPP;
}

static void sim_pool_remove(void *state, int pool_id)
{
	(void)state;
	(void)pool_id;
}

static void sim_pool_recycle(void *state, int pool_id, uint16_t buf_id)
{
	(void)state;
	(void)pool_id;
	(void)buf_id;
}

static int sim_map(void *state, void *base, size_t bytes)
{
	(void)state;
	(void)base;
	(void)bytes;
	return -EOPNOTSUPP;
}

static void sim_unmap(void *state, int idx)
{
	(void)state;
	(void)idx;
}

static int sim_keep(void *state, int fd)
{
	(void)state;
	(void)fd;
	return -EOPNOTSUPP;
}

static void sim_unkeep(void *state, int idx, int fd)
{
	(void)state;
	(void)idx;
	(void)fd;
}

static int sim_describe(void *state, int fd, struct sl_desc *ret_desc)
{
	const struct sim_ring *ring = state;
	const struct sim_handle *handle = sim_handle_find(ring->machine, fd);

	return handle && !ring->dead ? sim_handle_describe(handle, ret_desc) : -EBADF;
}

static int sim_sockname(void *state, int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
	const struct sim_ring *ring = state;
	const struct sim_handle *handle = sim_handle_find(ring->machine, fd);

	if (!handle || ring->dead)
		return -EBADF;
	return handle->socket ? sim_socket_name(handle->socket, peer, addr, len) : -ENOTSOCK;
}

static int sim_fd(void *state)
{
	(void)state;
	return -EOPNOTSUPP;
}

static void sim_stats(void *state, struct sl_backend_stats *ret_stats)
{
	*ret_stats = (struct sl_backend_stats){ .enters = ((struct sim_ring *)state)->waits };
}

const struct sl_backend sl_backend_sim = {
	.name = "sim",
	.groups = SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NAME | SL_GROUP_NET,
	.owns_world = true,
	.open = sim_open,
	.close = sim_close,
	.start = sim_start,
	.cancel = sim_cancel,
	.flush = sim_flush,
	.wait = sim_wait,
	.wake = sim_wake_ring,
	.now = sim_now,
	.pool_add = sim_pool_add,
	.pool_remove = sim_pool_remove,
	.pool_recycle = sim_pool_recycle,
	.map = sim_map,
	.unmap = sim_unmap,
	.keep = sim_keep,
	.unkeep = sim_unkeep,
	.describe = sim_describe,
	.sockname = sim_sockname,
	.fd = sim_fd,
	.stats = sim_stats,
};

int sl_sim_ring_open(struct sl_sim *sim, unsigned machine, const struct sl_ring_opts *opts,
		     struct sl_ring **ret_ring)
{
	const struct sim_door door = { .machine = sim_machine(sim, machine) };
	const struct sl_ring_choice choice = { &sl_backend_sim, door.name, "a simulated world" };
	struct sl_ring_opts resolved;
	char why[256];
	int err;

	if (!door.machine)
		return -EINVAL;
	if (door.machine->off)
		return -EHOSTDOWN;
	err = sl_ring_opts_resolve(opts, &resolved);
	if (err)
		return err;
	if (!opts || !opts->workers)
		resolved.workers = 1; /* none of them will have anything to do */
	return sl_ring_open_on(&resolved, &choice, ret_ring, why);
}

/* One turn of every ring that has something to do now; completions, or -errno. */
static int64_t turn_all(struct sl_sim *sim)
{
	int64_t total = 0;

	for (unsigned i = 0; i < SL_SIM_MACHINES; i++) {
		struct sim_ring *ring;

		LIST_FOREACH(ring, &sim->machines[i].rings, of_machine)
		{
			int nr = sl_ring_run(ring->ring, SL_RING_POLL);

			if (nr < 0)
				return nr;
			total += nr;
		}
	}
	return total;
}

/* When the first ring must run because of a deadline of its own. */
static int64_t next_deadline_ns(const struct sl_sim *sim)
{
	int64_t next_ns = SIM_FOREVER;

	for (unsigned i = 0; i < SL_SIM_MACHINES; i++) {
		const struct sim_ring *ring;

		LIST_FOREACH(ring, &sim->machines[i].rings, of_machine)
		{
			int64_t at_ns = sl_ring_wakeup_ns(ring->ring);

			if (at_ns < next_ns)
				next_ns = at_ns;
		}
	}
	return next_ns;
}

int64_t sl_sim_run(struct sl_sim *sim, int64_t deadline_ns)
{
	int64_t limit_ns = deadline_ns ? deadline_ns : SIM_FOREVER;
	int64_t total = 0;

	while (sim->now_ns < limit_ns) {
		int64_t nr = turn_all(sim);
		int64_t next_ns = next_deadline_ns(sim);

		if (nr < 0)
			return nr;
		total += nr;
		if (nr || next_ns <= sim->now_ns)
			continue;
		if (next_ns > limit_ns)
			next_ns = limit_ns;
		if (sim_advance(sim, next_ns))
			continue;
		if (next_ns == SIM_FOREVER)
			break;
		pass_time(sim, next_ns);
	}
	return total;
}
