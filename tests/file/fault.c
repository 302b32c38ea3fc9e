/* fault.c: a ring whose operations are logged, and answered by the test; see fault.h. */
#include "tests/file/fault.h"

#include "harness.h"

#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "engine/engine.h"

#define PENDING_MAX 4096

struct state {
	struct sl_ring *ring;
	struct fault *fault;
	struct sl_slot *pending[PENDING_MAX];
	bool cancelled[PENDING_MAX];
	unsigned head, tail;
	sem_t wakes;
};

/* Whose ring is being opened: open() has no room for a context. */
static struct fault *current;

static int fault_open(const struct sl_backend_open *args, void **ret_state,
		      struct sl_backend_caps *ret_caps, char *why)
{
	struct state *state = calloc(1, sizeof(*state));

	(void)why;
	if (!state)
		return -ENOMEM;
	state->ring = args->ring;
	state->fault = current;
	sem_init(&state->wakes, 0, 0);
	*ret_caps = (struct sl_backend_caps){ .files = true, .dsync = true };
	for (unsigned code = SL_OP_READ; code <= SL_OP_SYNC_DIR; code++)
		ret_caps->native |= UINT64_C(1) << code;
	*ret_state = state;
	return 0;
}

static void fault_close(void *opaque, bool forked)
{
	struct state *state = opaque;

	(void)forked;
	sem_destroy(&state->wakes);
	free(state);
}

static int fault_start(void *opaque, struct sl_slot *slot)
{
	struct state *state = opaque;

	if (state->tail - state->head == PENDING_MAX)
		return -EAGAIN;
	state->cancelled[state->tail % PENDING_MAX] = false;
	state->pending[state->tail++ % PENDING_MAX] = slot;
	return 0;
}

static void fault_cancel(void *opaque, struct sl_slot *slot)
{
	struct state *state = opaque;

	for (unsigned i = state->head; i != state->tail; i++) {
		if (state->pending[i % PENDING_MAX] == slot)
			state->cancelled[i % PENDING_MAX] = true;
	}
}

static int fault_flush(void *opaque)
{
	(void)opaque;
	return 0;
}

static int64_t fault_now(void *opaque)
{
	struct timespec now;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t fault_perform(struct sl_slot *slot)
{
	return slot_perform(slot);
}

static int64_t answer(struct fault *fault, struct sl_slot *slot)
{
	unsigned nr = fault->nr++;
	int64_t res = FAULT_PASS;

	if (nr < sizeof(fault->log) / sizeof(fault->log[0]))
		fault->log[nr] = (struct fault_entry){ slot->code, slot->flags, slot->fd,
						       slot->buf,  slot->len,	slot->off };
	if (fault->judge)
		res = fault->judge(fault, slot, nr);
	return res == FAULT_PASS ? fault_perform(slot) : res;
}

static void sleep_until(struct state *state, int64_t deadline_ns)
{
	struct timespec at = { deadline_ns / 1000000000, deadline_ns % 1000000000 };

	if (deadline_ns == INT64_MAX)
		sem_wait(&state->wakes);
	else
		sem_clockwait(&state->wakes, CLOCK_MONOTONIC, &at);
}

/* The first one that may end now. */
static bool is_due(const struct state *state)
{
	return state->head != state->tail &&
	       (!state->fault->hold || state->cancelled[state->head % PENDING_MAX]);
}

static int fault_wait(void *opaque, unsigned nr, int64_t deadline_ns)
{
	struct state *state = opaque;
	struct sl_event event = { 0 };

	if (state->fault->broken)
		return -EIO;
	if (nr && !is_due(state))
		sleep_until(state, deadline_ns);
	while (is_due(state) && sl_event_room(state->ring)) {
		bool cancelled = state->cancelled[state->head % PENDING_MAX];
		struct sl_slot *slot = state->pending[state->head++ % PENDING_MAX];

		event.id = slot->id;
		event.res = cancelled ? -ECANCELED : answer(state->fault, slot);
		sl_event(state->ring, &event);
	}
	return 0;
}

static void fault_wake(void *opaque)
{
	struct state *state = opaque;

	sem_post(&state->wakes);
}

static int fault_fd(void *opaque)
{
	(void)opaque;
	return -EOPNOTSUPP;
}

static int fault_pool_add(void *opaque, void *base, uint32_t buf_bytes, uint32_t count)
{
	(void)opaque;
	(void)base;
	(void)buf_bytes;
	(void)count;
	return -EOPNOTSUPP;
}

static int fault_map(void *opaque, void *base, size_t bytes)
{
	(void)opaque;
	(void)base;
	(void)bytes;
	return -EOPNOTSUPP;
}

static void fault_unmap(void *opaque, int idx)
{
	(void)opaque;
	(void)idx;
}

static int fault_keep(void *opaque, int fd)
{
	(void)opaque;
	(void)fd;
	return -EOPNOTSUPP;
}

static void fault_stats(void *opaque, struct sl_backend_stats *ret_stats)
{
	(void)opaque;
	*ret_stats = (struct sl_backend_stats){ 0 };
}

static const struct sl_backend backend = {
	.name = "fault",
	.groups = SL_GROUP_CORE | SL_GROUP_BLOCK | SL_GROUP_FILE | SL_GROUP_NAME,
	.open = fault_open,
	.close = fault_close,
	.start = fault_start,
	.cancel = fault_cancel,
	.flush = fault_flush,
	.wait = fault_wait,
	.wake = fault_wake,
	.now = fault_now,
	.pool_add = fault_pool_add,
	.map = fault_map,
	.unmap = fault_unmap,
	.keep = fault_keep,
	.fd = fault_fd,
	.stats = fault_stats,
};

struct sl_ring *fault_ring(struct fault *fault)
{
	struct sl_ring_opts opts = { .flags = SL_RING_NO_INLINE, .park_max = 4096 };
	struct sl_ring_choice choice = { .backend = &backend, .options = "", .why = "a test" };
	struct sl_ring *ring = NULL;
	char why[256] = "";

	current = fault;
	assert_int_equal(sl_ring_open_on(&opts, &choice, &ring, why), 0);
	return ring;
}

unsigned fault_count(const struct fault *fault, unsigned code)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < fault->nr; i++)
		nr += fault->log[i].code == code;
	return nr;
}
