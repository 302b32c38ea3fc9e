/* SPDX-License-Identifier: MIT */
/*
 * worker.c - a bounded set of threads for calls that may block.
 *
 * Two FIFO lists of slots behind one mutex: to do, and done. Every thread
 * blocks all signals, so the program's handlers never run there. A slot in the
 * to-do list can be taken back; one that a thread works on cannot. The lists
 * hold slots, of which there are depth: neither can grow beyond it.
 */
#include <signal.h>

#include "engine/engine.h"

#define WORKER_STACK_BYTES (256 * 1024)

/* In slot->backend.u64[0], under the lock: a thread works on it. */
#define TAKEN 1

struct done_entry {
	struct sl_slot *slot;
	int64_t res;
};

struct sl_workers {
	struct sl_ring *ring;
	pthread_mutex_t lock;
	pthread_cond_t todo_cond;
	struct slot_list todo;
	struct done_entry *done; /* depth of them */
	uint32_t done_nr;	 /* read without the lock: 0 or not */
	bool stop;
	uint32_t threads;
	pthread_t thread[];
};

static void post_done(struct sl_workers *workers, struct sl_slot *slot, int64_t res)
{
	uint32_t nr = workers->done_nr;

	workers->done[nr] = (struct done_entry){ slot, res };
	/* Pairs with the load in workers_collect(), which then takes the lock. */
	__atomic_store_n(&workers->done_nr, nr + 1, __ATOMIC_SEQ_CST);
}

static void *worker_main(void *arg)
{
	struct sl_workers *workers = arg;
	struct sl_slot *slot;
	int64_t res;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		while (!workers->stop && !workers->todo.head)
			pthread_cond_wait(&workers->todo_cond, &workers->lock);
		if (workers->stop)
			break;
		slot = slot_list_pop(&workers->todo);
		slot->backend.u64[0] = TAKEN;
		pthread_mutex_unlock(&workers->lock);
		do
			res = slot_perform(slot);
		while (res == -EINTR && slot->code != SL_OP_WORK && slot->code != SL_OP_CLOSE);
		pthread_mutex_lock(&workers->lock);
		post_done(workers, slot, res);
		pthread_mutex_unlock(&workers->lock);
		ring_notify(workers->ring);
		pthread_mutex_lock(&workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static int start_thread(struct sl_workers *workers)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&workers->thread[workers->threads], &attr, worker_main, workers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (!err)
		workers->threads++;
	return -err;
}

static size_t workers_bytes(const struct sl_ring *ring)
{
	return sizeof(struct sl_workers) + ring->opts.workers * sizeof(pthread_t);
}

int workers_start(struct sl_ring *ring)
{
	struct sl_workers *workers = ring_alloc(ring, 1, workers_bytes(ring));
	int err = 0;

	if (!workers)
		return -ENOMEM;
	workers->done = ring_alloc(ring, ring->opts.depth, sizeof(*workers->done));
	if (!workers->done) {
		ring_free(ring, workers, 1, workers_bytes(ring));
		return -ENOMEM;
	}
	workers->ring = ring;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->todo_cond, NULL);
	ring->workers = workers;
	while (!err && workers->threads < ring->opts.workers)
		err = start_thread(workers);
	if (workers->threads) {
		if (err)
			sl_report(ring, SL_LOG_WARN,
				  "%u of %u worker threads could be started: %s; raise the limit "
				  "on processes (ulimit -u, pids.max)",
				  workers->threads, ring->opts.workers, sl_err_text(err));
		return 0;
	}
	workers_stop(ring, false);
	return err;
}

/* In a forked child there are no threads and the lock may be held for ever. */
void workers_stop(struct sl_ring *ring, bool forked)
{
	struct sl_workers *workers = ring->workers;

	if (!workers)
		return;
	if (!forked) {
		pthread_mutex_lock(&workers->lock);
		workers->stop = true;
		pthread_cond_broadcast(&workers->todo_cond);
		pthread_mutex_unlock(&workers->lock);
		for (uint32_t i = 0; i < workers->threads; i++)
			pthread_join(workers->thread[i], NULL);
		pthread_cond_destroy(&workers->todo_cond);
		pthread_mutex_destroy(&workers->lock);
	}
	ring_free(ring, workers->done, ring->opts.depth, sizeof(*workers->done));
	ring_free(ring, workers, 1, workers_bytes(ring));
	ring->workers = NULL;
}

uint32_t workers_nr(const struct sl_ring *ring)
{
	return ring->workers->threads;
}

void workers_queue(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_workers *workers = ring->workers;

	pthread_mutex_lock(&workers->lock);
	slot->engine_state = SLOT_WORK;
	slot->backend.u64[0] = 0;
	slot_list_add(&workers->todo, slot);
	pthread_cond_signal(&workers->todo_cond);
	pthread_mutex_unlock(&workers->lock);
}

bool workers_unqueue(struct sl_ring *ring, struct sl_slot *slot)
{
	struct sl_workers *workers = ring->workers;
	bool queued;

	pthread_mutex_lock(&workers->lock);
	queued = slot->backend.u64[0] != TAKEN;
	if (queued) {
		slot_list_remove(&workers->todo, slot);
		slot->engine_state = SLOT_HELD;
	}
	pthread_mutex_unlock(&workers->lock);
	return queued;
}

/* Turns what the workers finished into events, as many as the queue takes. */
void workers_collect(struct sl_ring *ring)
{
	struct sl_workers *workers = ring->workers;
	uint32_t nr = 0;

	if (SL_LIKELY(!__atomic_load_n(&workers->done_nr, __ATOMIC_SEQ_CST)))
		return;
	pthread_mutex_lock(&workers->lock);
	while (nr < workers->done_nr && sl_event_room(ring)) {
		struct done_entry *entry = &workers->done[nr++];

		entry->slot->engine_state = SLOT_HELD;
		sl_event(ring, &(struct sl_event){ .id = entry->slot->id, .res = entry->res });
	}
	for (uint32_t i = nr; i < workers->done_nr; i++)
		workers->done[i - nr] = workers->done[i];
	__atomic_store_n(&workers->done_nr, workers->done_nr - nr, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&workers->lock);
}
