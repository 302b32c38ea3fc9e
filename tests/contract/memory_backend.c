/*
 * memory_backend.c - the seam's double; see memory_backend.h.
 *
 * A started slot stands in a table until its event was taken. Each gets a due
 * time from the seed; wait() takes the earliest one that is due and ready,
 * performs it in the memory world and posts the event. Events that the engine's
 * queue has no room for are held here, and nothing else is performed until they
 * are taken, as with a kernel's queue (B2).
 */
#include "tests/contract/memory_backend.h"
#include "tests/contract/memory_world.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOLS_MAX	 16
#define POOL_BUFFERS_MAX 4096
#define DELAY_MAX_NS	 1000
#define FOREVER		 INT64_MAX

struct entry {
	struct sl_slot *slot;
	int64_t due_ns;
	uint64_t order;
	bool cancelled;
};

struct pool {
	char *base;
	uint32_t buf_bytes;
	uint32_t nr_free;
	uint16_t free[POOL_BUFFERS_MAX];
	bool used;
};

struct memory {
	struct sl_ring *ring;
	struct sl_allocator allocator;
	pthread_t owner;
	sem_t wakes;
	int64_t now_ns;
	uint64_t wait_ns;
	uint64_t random;
	uint64_t order;
	bool prompt, cut_short, busy, armed, rings;
	bool refused; /* a start, since the last wait */
	unsigned turn;
	unsigned depth;
	unsigned nr;
	unsigned nr_held;
	struct sl_event held[2]; /* what the engine had no room for */
	struct entry *entries;
	uint64_t *ended; /* by slot idx: the id that was last given back */
	struct pool pools[POOLS_MAX];
};

static struct memory_counts counts;
static int broken_with;

void memory_break(int err)
{
	broken_with = -err;
}

struct memory_counts memory_counts(void)
{
	return counts;
}

static void broken(const char *rule)
{
	fprintf(stderr, "memory backend: the engine broke the seam: %s\n", rule);
	abort();
}

static void check_owner(const struct memory *memory)
{
	if (!pthread_equal(memory->owner, pthread_self()))
		broken("called on a thread that does not own the ring");
}

static uint64_t next_random(struct memory *memory)
{
	uint64_t z = (memory->random += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void read_options(struct memory *memory, const char *options)
{
	const char *seed = strstr(options, "seed=");

	memory->random = seed ? strtoull(seed + 5, NULL, 0) : 1;
	memory->prompt = strstr(options, "prompt");
	memory->cut_short = strstr(options, "short");
	memory->busy = strstr(options, "busy");
	memory->armed = strstr(options, "armed");
	memory->rings = strstr(options, "rings");
}

#define BIT(code) (UINT64_C(1) << (code))

static const uint64_t native =
	BIT(SL_OP_NOP) | BIT(SL_OP_POLL) | BIT(SL_OP_WORK) | BIT(SL_OP_READ) | BIT(SL_OP_WRITE) |
	BIT(SL_OP_FSYNC) | BIT(SL_OP_FDATASYNC) | BIT(SL_OP_ALLOCATE) | BIT(SL_OP_TRUNCATE) |
	BIT(SL_OP_SOCKET) | BIT(SL_OP_BIND) | BIT(SL_OP_LISTEN) | BIT(SL_OP_ACCEPT) |
	BIT(SL_OP_CONNECT) | BIT(SL_OP_RECV) | BIT(SL_OP_SEND) | BIT(SL_OP_RECVMSG) |
	BIT(SL_OP_SENDMSG) | BIT(SL_OP_SHUTDOWN) | BIT(SL_OP_GETSOCKOPT) | BIT(SL_OP_SETSOCKOPT) |
	BIT(SL_OP_SENDFILE);

static int memory_open(const struct sl_backend_open *args, void **ret_state,
		       struct sl_backend_caps *ret_caps, char *why)
{
	struct sl_allocator allocator = *args->allocator;
	struct memory *memory = allocator.alloc(allocator.ctx, sizeof(*memory), 64);
	size_t bytes = args->depth * (sizeof(struct entry) + sizeof(uint64_t));

	if (!memory)
		goto err;
	memset(memory, 0, sizeof(*memory));
	memory->allocator = allocator;
	memory->entries = allocator.alloc(allocator.ctx, bytes, 64);
	if (!memory->entries)
		goto err_free;
	memory->ended = (uint64_t *)(void *)&memory->entries[args->depth];
	memset(memory->ended, 0xff, args->depth * sizeof(uint64_t));
	memory->ring = args->ring;
	memory->depth = args->depth;
	memory->wait_ns = args->wait_ns;
	memory->owner = pthread_self();
	memory->now_ns = MEMORY_CLOCK_START;
	sem_init(&memory->wakes, 0, 0);
	read_options(memory, args->options ? args->options : "");
	*ret_caps = (struct sl_backend_caps){
		.native = native,
		.files = true,
		.multi = memory->armed,
		.caps = SL_CAP_OWN_WORLD,
		.memory_bytes = sizeof(*memory) + bytes,
	};
	*ret_state = memory;
	return 0;

err_free:
	allocator.free(allocator.ctx, memory, sizeof(*memory));
err:
	snprintf(why, 256, "no memory for the memory backend");
	return -ENOMEM;
}

static void memory_close_ring(void *state, bool forked)
{
	struct memory *memory = state;

	if (!forked && memory->nr + memory->nr_held && !broken_with)
		broken("closed with slots in flight");
	sem_destroy(&memory->wakes);
	memory->allocator.free(memory->allocator.ctx, memory->entries,
			       memory->depth * (sizeof(struct entry) + sizeof(uint64_t)));
	memory->allocator.free(memory->allocator.ctx, memory, sizeof(*memory));
}

static struct entry *entry_of(struct memory *memory, const struct sl_slot *slot)
{
	for (unsigned i = 0; i < memory->nr; i++)
		if (memory->entries[i].slot == slot)
			return &memory->entries[i];
	return NULL;
}

static int64_t due(struct memory *memory)
{
	if (memory->prompt)
		return memory->now_ns;
	return memory->now_ns + (int64_t)(next_random(memory) % DELAY_MAX_NS);
}

static int memory_start(void *state, struct sl_slot *slot)
{
	struct memory *memory = state;

	check_owner(memory);
	if (entry_of(memory, slot))
		broken("started a slot that has not ended");
	if (slot->code < 64 && !(native & BIT(slot->code)))
		broken("started an operation that is not native");
	if (memory->nr == memory->depth)
		broken("started more slots than depth");
	if (memory->busy && memory->nr > 0 && ++memory->turn % 3 == 0) {
		memory->refused = true;
		counts.refused++;
		return -EAGAIN;
	}
	memory->entries[memory->nr++] = (struct entry){ slot, due(memory), memory->order++, false };
	counts.starts++;
	counts.started_now++;
	if (counts.started_now > counts.started_max)
		counts.started_max = counts.started_now;
	return 0;
}

static void memory_cancel(void *state, struct sl_slot *slot)
{
	struct memory *memory = state;
	struct entry *entry = entry_of(memory, slot);

	check_owner(memory);
	counts.cancels++;
	/* its last event may be posted and not yet dispatched: nothing follows then */
	if (!entry && memory->ended[slot->id & UINT32_MAX] != slot->id)
		broken("cancelled a slot that is not started");
	if (entry)
		entry->cancelled = true;
}

static int memory_flush(void *state)
{
	check_owner(state);
	return 0;
}

/* The next entry to end: the earliest that is ready, or cancelled. */
static struct entry *next_entry(struct memory *memory)
{
	struct entry *best = NULL;

	for (unsigned i = 0; i < memory->nr; i++) {
		struct entry *entry = &memory->entries[i];

		if (!entry->cancelled && !memory_ready(entry->slot))
			continue;
		if (!best || entry->due_ns < best->due_ns ||
		    (entry->due_ns == best->due_ns && entry->order < best->order))
			best = entry;
	}
	return best;
}

static void forget(struct memory *memory, struct entry *entry)
{
	memory->ended[entry->slot->id & UINT32_MAX] = entry->slot->id;
	*entry = memory->entries[--memory->nr];
	counts.started_now--;
}

static bool take_buffer(struct memory *memory, struct sl_slot *slot)
{
	struct pool *pool;

	if (!memory->rings)
		return sl_slot_take_buffer(memory->ring, slot);
	if (slot->pool_id < 0 || slot->pool_id >= POOLS_MAX || !memory->pools[slot->pool_id].used)
		broken("a pooled slot without a pool");
	pool = &memory->pools[slot->pool_id];
	if (pool->nr_free == 0)
		return false;
	slot->buf_id = pool->free[--pool->nr_free];
	slot->buf = pool->base + (size_t)slot->buf_id * pool->buf_bytes;
	slot->len = pool->buf_bytes;
	return true;
}

static void return_buffer(struct memory *memory, struct sl_slot *slot)
{
	struct pool *pool;

	if (!memory->rings) {
		sl_slot_return_buffer(memory->ring, slot);
		return;
	}
	pool = &memory->pools[slot->pool_id];
	pool->free[pool->nr_free++] = slot->buf_id;
}

static uint64_t limit_of(struct memory *memory, const struct sl_slot *slot)
{
	bool moves = slot->code == SL_OP_READ || slot->code == SL_OP_WRITE ||
		     slot->code == SL_OP_RECV || slot->code == SL_OP_SEND;
	uint64_t asked = moves ? memory_asked(slot) : 0;
	uint64_t limit;

	if (!memory->cut_short || asked < 2)
		return MEMORY_ALL;
	limit = 1 + next_random(memory) % asked;
	return limit < memory_sector(slot) ? memory_sector(slot) : limit;
}

static void carry_out(struct memory *memory, struct sl_slot *slot, struct sl_event *event)
{
	bool pooled = slot->flags & SL_OP_POOLED && slot->code != SL_OP_POLL;

	if (pooled && !take_buffer(memory, slot)) {
		event->res = -ENOBUFS;
		return;
	}
	event->res = memory_perform(slot, limit_of(memory, slot));
	if (pooled && event->res > 0) {
		event->flags |= SL_EVENT_BUFFER;
		event->buf_id = slot->buf_id;
	} else if (pooled) {
		return_buffer(memory, slot);
	}
}

static bool stays_armed(const struct memory *memory, const struct sl_slot *slot,
			const struct sl_event *event)
{
	if (!memory->armed || !(slot->flags & SL_OP_MULTI) || event->res < 0)
		return false;
	return slot->code == SL_OP_ACCEPT || slot->code == SL_OP_POLL || event->res > 0;
}

static void post(struct memory *memory, const struct sl_event *event)
{
	if (memory->nr_held == 0 && sl_event(memory->ring, event))
		return;
	memory->held[memory->nr_held++] = *event;
}

static bool post_held(struct memory *memory)
{
	while (memory->nr_held > 0) {
		if (!sl_event(memory->ring, &memory->held[0]))
			return false;
		memory->held[0] = memory->held[1];
		memory->nr_held--;
	}
	return true;
}

/* Ends an entry, or lets it stay armed. */
static void end_entry(struct memory *memory, struct entry *entry)
{
	struct sl_slot *slot = entry->slot;
	struct sl_event event = { .id = slot->id };
	bool zero_copy = slot->flags & SL_OP_ZC && !entry->cancelled;

	if (entry->cancelled && (!memory_ready(slot) || next_random(memory) % 2))
		event.res = -ECANCELED;
	else
		carry_out(memory, slot, &event);
	if (!entry->cancelled && stays_armed(memory, slot, &event)) {
		event.flags |= SL_EVENT_MORE;
		/* prompt: at once and again, until the engine has no room */
		entry->due_ns = memory->now_ns + !memory->prompt;
		entry->order = memory->order++;
		post(memory, &event);
		return;
	}
	forget(memory, entry);
	if (zero_copy && event.res >= 0) {
		event.flags |= SL_EVENT_MORE | SL_EVENT_SENT;
		post(memory, &event);
		event.flags = SL_EVENT_COPIED;
	}
	post(memory, &event);
}

/* Posts what is due; the number of events posted. */
static unsigned reap(struct memory *memory)
{
	unsigned nr = memory->nr_held;

	if (!post_held(memory))
		return nr - memory->nr_held;
	for (;;) {
		struct entry *entry = next_entry(memory);

		if (!entry || (entry->due_ns > memory->now_ns && !entry->cancelled))
			return nr;
		end_entry(memory, entry);
		if (memory->nr_held) {
			counts.queue_full++;
			return nr;
		}
		nr++;
	}
}

static bool woken(struct memory *memory)
{
	bool any = false;

	while (sem_trywait(&memory->wakes) == 0)
		any = true;
	return any;
}

/* Moves the clock to what comes first; false: the wait is over. */
static bool advance(struct memory *memory, int64_t deadline_ns)
{
	struct entry *entry = next_entry(memory);

	if (entry && entry->due_ns <= deadline_ns) {
		if (entry->due_ns > memory->now_ns)
			memory->now_ns = entry->due_ns;
		return true;
	}
	if (deadline_ns != FOREVER) {
		if (deadline_ns > memory->now_ns)
			memory->now_ns = deadline_ns;
		return false;
	}
	while (sem_wait(&memory->wakes) < 0 && errno == EINTR)
		continue;
	return false;
}

static int memory_wait(void *state, unsigned nr, int64_t deadline_ns)
{
	struct memory *memory = state;
	unsigned posted;

	check_owner(memory);
	counts.waits++;
	if (broken_with)
		return broken_with;
	posted = reap(memory);
	if (woken(memory) || memory->refused)
		nr = 0;
	memory->refused = false;
	while (posted < nr && !memory->nr_held) {
		int64_t limit_ns = deadline_ns;

		if (posted && (int64_t)memory->wait_ns < limit_ns - memory->now_ns)
			limit_ns = memory->now_ns + (int64_t)memory->wait_ns;
		if (!advance(memory, limit_ns))
			break;
		posted += reap(memory);
	}
	return 0;
}

static void memory_wake(void *state)
{
	struct memory *memory = state;

	sem_post(&memory->wakes);
}

static int64_t memory_now(void *state)
{
	return ((const struct memory *)state)->now_ns;
}

static int memory_pool_add(void *state, void *base, uint32_t buf_bytes, uint32_t nr)
{
	struct memory *memory = state;

	check_owner(memory);
	if (!memory->rings || nr > POOL_BUFFERS_MAX)
		return -EOPNOTSUPP;
	for (int i = 0; i < POOLS_MAX; i++) {
		struct pool *pool = &memory->pools[i];

		if (pool->used)
			continue;
		pool->used = true;
		pool->base = base;
		pool->buf_bytes = buf_bytes;
		pool->nr_free = nr;
		for (uint32_t b = 0; b < nr; b++)
			pool->free[b] = (uint16_t)(nr - 1 - b);
		return i;
	}
	return -EAGAIN;
}

static void memory_pool_remove(void *state, int pool_id)
{
	struct memory *memory = state;

	if (pool_id < 0 || pool_id >= POOLS_MAX || !memory->pools[pool_id].used)
		broken("removed a pool that is not there");
	memory->pools[pool_id].used = false;
}

static void memory_pool_recycle(void *state, int pool_id, uint16_t buf_id)
{
	struct memory *memory = state;
	struct pool *pool;

	if (pool_id < 0 || pool_id >= POOLS_MAX || !memory->pools[pool_id].used)
		broken("recycled into a pool that is not there");
	pool = &memory->pools[pool_id];
	for (uint32_t i = 0; i < pool->nr_free; i++)
		if (pool->free[i] == buf_id)
			broken("recycled a buffer twice");
	pool->free[pool->nr_free++] = buf_id;
}

static int memory_map(void *state, void *base, size_t bytes)
{
	(void)state;
	(void)base;
	(void)bytes;
	return -EOPNOTSUPP;
}

static void memory_unmap(void *state, int idx)
{
	(void)state;
	(void)idx;
	broken("unmapped what was never mapped");
}

static int memory_keep(void *state, int fd)
{
	struct sl_desc desc;

	check_owner(state);
	return memory_describe(fd, &desc) ? -EBADF : -EOPNOTSUPP;
}

static void memory_unkeep(void *state, int idx, int fd)
{
	(void)state;
	(void)idx;
	(void)fd;
}

static int memory_describe_handle(void *state, int fd, struct sl_desc *ret_desc)
{
	check_owner(state);
	return memory_describe(fd, ret_desc);
}

static int memory_fd(void *state)
{
	(void)state;
	return -EOPNOTSUPP;
}

static void memory_stats(void *state, struct sl_backend_stats *ret_stats)
{
	(void)state;
	*ret_stats = (struct sl_backend_stats){ .enters = counts.waits };
}

const struct sl_backend memory_backend = {
	.name = "memory",
	.groups = SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NET,
	.owns_world = true,
	.open = memory_open,
	.close = memory_close_ring,
	.start = memory_start,
	.cancel = memory_cancel,
	.flush = memory_flush,
	.wait = memory_wait,
	.wake = memory_wake,
	.now = memory_now,
	.pool_add = memory_pool_add,
	.pool_remove = memory_pool_remove,
	.pool_recycle = memory_pool_recycle,
	.map = memory_map,
	.unmap = memory_unmap,
	.keep = memory_keep,
	.unkeep = memory_unkeep,
	.describe = memory_describe_handle,
	.fd = memory_fd,
	.stats = memory_stats,
};
