/* SPDX-License-Identifier: MIT */
/*
 * submit.c - the door: what is refused, what is accepted, what parks.
 *
 * An accepted op counts against depth until its completion is delivered (or
 * collected by sl_ring_next()). Beyond depth, or beyond the cap of its class,
 * it parks if it may. Room that frees goes to parked ops first; among classes
 * to the one that has used the least of the ring for its shares (start-time
 * fair queueing over bytes: Goyal, Vin and Cheng, SIGCOMM '96). Virtual time is
 * when, in use, the op began that was let in last. It stands still while nobody
 * waits: there is enough for all, and nothing to share out.
 */
#include <limits.h>

#include "engine/engine.h"
#include "engine/stats.h"

#define IOV_NR_MAX  1024
#define OP_COST_MIN 4096
#define OP_COST_MAX ((uint64_t)1 << 30)

/* No class is further ahead than by the dearest op. */
#define CLASS_LEAD_MAX (OP_COST_MAX * CLASS_PRICE)

static int check_pooled(const struct sl_ring *ring, const struct sl_op *op)
{
	if (op->flags & SL_OP_VEC || !op->arg)
		return -EINVAL;
	if (op->code == SL_OP_READ && op->off != SL_OFF_CURRENT)
		return -EINVAL;
	return pool_check(ring, op->arg);
}

static int check_vector(const struct sl_op *op)
{
	const struct iovec *iov = op->buf;
	uint64_t total = 0;

	if (!op->len || op->len > IOV_NR_MAX)
		return -EINVAL;
	for (uint64_t i = 0; i < op->len; i++) {
		if (iov[i].iov_len > SSIZE_MAX - total)
			return -EINVAL;
		total += iov[i].iov_len;
	}
	return 0;
}

static bool is_message(const struct sl_op *op)
{
	return op->code >= SL_OP_RECV && op->code <= SL_OP_SENDMSG;
}

/* What is wrong with the request itself, whoever runs it. */
static int check_request(const struct sl_ring *ring, const struct sl_op *op)
{
	const struct sl_op_info *info = &sl_op_table[op->code];

	if (op->flags & ~info->flags || op->sched_class >= SL_RING_CLASSES)
		return -EINVAL;
	if (is_message(op) && (op->off & MSG_WAITALL || op->off > INT32_MAX))
		return -EINVAL;
	if (op->flags & SL_OP_MULTI) {
		if (!op->done || op->flags & SL_OP_LINKED)
			return -EINVAL;
		if (op->code == SL_OP_TIMER && !op->len)
			return -EINVAL;
		if (op->code == SL_OP_ACCEPT && (op->buf || op->arg))
			return -EINVAL;
	}
	if (op->flags & SL_OP_VEC)
		return check_vector(op);
	if (op->flags & SL_OP_POOLED)
		return check_pooled(ring, op);
	if (info->flags & SL_OP_VEC && op->len > SSIZE_MAX)
		return -EINVAL;
	if (op->code == SL_OP_WORK && !op->arg)
		return -EINVAL;
	if (op->code == SL_OP_POST && (!op->arg || !op->buf))
		return -EINVAL;
	return 0;
}

static SL_NOINLINE int check_closely(const struct sl_ring *ring, const struct sl_op *op)
{
	int err;

	if (op->state != OP_IDLE || op->code >= SL_OP_CODES)
		return -EINVAL;
	err = check_request(ring, op);
	if (!err && ring->caps.route[op->code] == SL_ROUTE_NONE)
		err = -EOPNOTSUPP;
	return err;
}

/* Most ops leave nothing to be looked at closely: in the first class, without a flag that
 * changes what they mean, and of a code without a rule of its own. */
static inline bool is_simple(const struct sl_ring *ring, const struct sl_op *op)
{
	return op->state == OP_IDLE && op->code < SL_OP_CODES && ring->simple_ops >> op->code & 1 &&
	       !(op->flags & ~SL_OP_PARK) && !op->sched_class && op->len <= SSIZE_MAX;
}

static inline int check_op(const struct sl_ring *ring, const struct sl_op *op)
{
	return SL_LIKELY(is_simple(ring, op)) ? 0 : check_closely(ring, op);
}

uint64_t ring_simple_ops(const struct sl_ring *ring)
{
	uint64_t ops = 0;

	for (unsigned code = 0; code < SL_OP_CODES; code++) {
		const struct sl_op op = { .code = (uint8_t)code };

		if (ring->caps.route[code] != SL_ROUTE_NONE && !is_message(&op) &&
		    code != SL_OP_WORK && code != SL_OP_POST)
			ops |= 1ull << code;
	}
	return ops;
}

/* E5: after each change of what it depends on. */
void ring_set_easy_depth(struct sl_ring *ring)
{
	bool easy = !ring->parked && !ring->draining && !ring->classes[0].inflight_max;

	ring->easy_depth = easy ? ring->opts.depth : 0;
}

static SL_NOINLINE int watch_deadline(struct sl_ring *ring, struct sl_op *op)
{
	if (op->code != SL_OP_TIMER)
		deadline_add(ring, op);
	return 0;
}

/* An idle op is in no chain and has no place in the heap. Returns 0. */
static inline int accept_op(struct sl_ring *ring, struct sl_op *op)
{
	op->res = -EINPROGRESS;
	op->done_len = 0;
	op->aux = 0;
	op->buf_id = 0;
	op->more = 0;
	op->state = OP_PENDING;
	op->ring = ring;
	op->submit_ns = ring->now_ns;
	if (!op->done)
		ring->collectable++;
	return SL_UNLIKELY(op->deadline_ns) ? watch_deadline(ring, op) : 0;
}

static unsigned chain_length(const struct sl_op *op)
{
	unsigned nr = 0;

	for (; op; op = op->chain)
		nr++;
	return nr;
}

static inline bool has_room(const struct sl_ring *ring, const struct sl_class *class, unsigned nr)
{
	uint32_t inflight = ring->class_inflight[class - ring->classes];

	if (ring->inflight + nr > ring->opts.depth)
		return false;
	return !class->inflight_max || !inflight || inflight + nr <= class->inflight_max;
}

static uint64_t op_cost(const struct sl_op *op)
{
	uint64_t bytes = OP_COST_MIN;

	if (sl_op_table[op->code].traits & (SL_OP_READS | SL_OP_WRITES) &&
	    !(op->flags & SL_OP_VEC) && op->len > bytes)
		bytes = op->len < OP_COST_MAX ? op->len : OP_COST_MAX;
	return bytes;
}

/* What a class has used beyond the virtual time: one that was idle has neither credit
 * nor debt. (The difference is right when both have wrapped around.) */
static uint64_t class_lead(const struct sl_ring *ring, const struct sl_class *class)
{
	uint64_t lead = class->used - ring->virtual_time;

	return lead > CLASS_LEAD_MAX ? 0 : lead;
}

static SL_NOINLINE void charge(struct sl_ring *ring, struct sl_class *class, const struct sl_op *op)
{
	ring->virtual_time += class_lead(ring, class);
	class->used = ring->virtual_time + op_cost(op) * class->price;
}

static inline void count_in(struct sl_ring *ring, struct sl_class *class, const struct sl_op *op)
{
	ring->inflight++;
	ring->class_inflight[op->sched_class]++;
	if (SL_UNLIKELY(ring->parked))
		charge(ring, class, op);
}

/* Counts op and its chain as in flight and queues its head to be started. */
static void enter(struct sl_ring *ring, struct sl_op *head)
{
	for (const struct sl_op *op = head; op; op = op->chain)
		count_in(ring, class_of(ring, op), op);
	ring_pend(ring, head);
}

static void park(struct sl_ring *ring, struct sl_op *head)
{
	struct sl_class *class = class_of(ring, head);

	for (struct sl_op *op = head; op; op = op->chain) {
		ring->parked++;
		class->stats.parked++;
	}
	head->state = OP_PARKED;
	op_list_add(&class->parked, head);
	ring_set_easy_depth(ring);
}

/* The class whose parked head may go now and has the best claim, or NULL. */
static struct sl_class *next_class(struct sl_ring *ring)
{
	struct sl_class *best = NULL;

	for (unsigned i = 0; i < SL_RING_CLASSES; i++) {
		struct sl_class *class = &ring->classes[i];
		const struct sl_op *head = class->parked.head;

		if (head && has_room(ring, class, chain_length(head)) &&
		    (!best || class_lead(ring, class) < class_lead(ring, best)))
			best = class;
	}
	return best;
}

void ring_admit(struct sl_ring *ring)
{
	struct sl_class *class;

	while (ring->parked && (class = next_class(ring))) {
		struct sl_op *head = op_list_pop(&class->parked);

		enter(ring, head);
		ring->parked -= chain_length(head);
	}
	ring_set_easy_depth(ring);
}

static int refuse(struct sl_ring *ring, const struct sl_op *op)
{
	op_stats(ring, op)->refused++;
	return -EAGAIN;
}

/* Whether so many ops, op the first of them, may park. */
static bool may_park(const struct sl_ring *ring, const struct sl_op *op, unsigned nr)
{
	return op->flags & SL_OP_PARK && ring->parked + nr <= ring->opts.park_max;
}

/* There is no room for it, or others have waited for longer. */
static SL_NOINLINE int submit_late(struct sl_ring *ring, struct sl_op *op)
{
	if (!may_park(ring, op, 1))
		return refuse(ring, op);
	accept_op(ring, op);
	park(ring, op);
	return 0;
}

static SL_NOINLINE int submit_closely(struct sl_ring *ring, struct sl_op *op)
{
	struct sl_class *class;
	int err = check_closely(ring, op);

	if (err || op->flags & SL_OP_LINKED)
		return err ? err : -EINVAL;
	if (ring->draining)
		return -ESHUTDOWN;
	class = class_of(ring, op);
	if (class->parked.head || !has_room(ring, class, 1))
		return submit_late(ring, op);
	count_in(ring, class, op);
	op_list_add(&ring->pending, op);
	return accept_op(ring, op);
}

int sl_ring_submit(struct sl_ring *ring, struct sl_op *op)
{
	int err = ring_check(ring);

	if (SL_UNLIKELY(err))
		return err;
	if (SL_UNLIKELY(!is_simple(ring, op) || ring->inflight >= ring->easy_depth))
		return submit_closely(ring, op);
	ring->inflight++;
	ring->class_inflight[0]++;
	op_list_add(&ring->pending, op);
	return accept_op(ring, op);
}

static void unmark(struct sl_op *const *ops, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		ops[i]->state = OP_IDLE;
}

static int check_array(const struct sl_ring *ring, struct sl_op *const *ops, unsigned nr)
{
	if (!nr || nr > ring->opts.depth || ops[nr - 1]->flags & SL_OP_LINKED)
		return -EINVAL;
	for (unsigned i = 0; i < nr; i++) {
		int err = check_op(ring, ops[i]);

		if (err) {
			unmark(ops, i);
			return err;
		}
		ops[i]->state = OP_WAITING; /* the same op again is not idle */
	}
	unmark(ops, nr);
	return 0;
}

/* Every class of the array must take its ops at once, or the array parks.
 * 0: enter, 1: park, -EAGAIN: neither. */
static int array_admission(struct sl_ring *ring, struct sl_op *const *ops, unsigned nr)
{
	unsigned of_class[SL_RING_CLASSES] = { 0 };

	for (unsigned i = 0; i < nr; i++)
		of_class[ops[i]->sched_class]++;
	for (unsigned i = 0; i < nr; i++) {
		const struct sl_class *class = class_of(ring, ops[i]);

		if (class->parked.head || !has_room(ring, class, of_class[ops[i]->sched_class]) ||
		    ring->inflight + nr > ring->opts.depth)
			return may_park(ring, ops[0], nr) ? 1 : refuse(ring, ops[0]);
	}
	return 0;
}

static void link_chain(struct sl_ring *ring, struct sl_op *const *ops, unsigned nr)
{
	for (unsigned i = 0; i + 1 < nr; i++) {
		if (!(ops[i]->flags & SL_OP_LINKED))
			continue;
		ops[i]->chain = ops[i + 1];
		ops[i + 1]->prev = ops[i];
		ops[i + 1]->state = OP_WAITING;
		ring->waiting++;
	}
}

int sl_ring_submitv(struct sl_ring *ring, struct sl_op *const *ops, unsigned nr)
{
	int err = ring_check(ring);

	if (SL_UNLIKELY(err))
		return err;
	err = check_array(ring, ops, nr);
	if (err)
		return err;
	if (ring->draining)
		return -ESHUTDOWN;
	err = array_admission(ring, ops, nr);
	if (err < 0)
		return err;
	for (unsigned i = 0; i < nr; i++)
		accept_op(ring, ops[i]);
	link_chain(ring, ops, nr);
	for (unsigned i = 0; i < nr; i++) {
		if (ops[i]->state == OP_WAITING)
			continue;
		if (err)
			park(ring, ops[i]);
		else
			enter(ring, ops[i]);
	}
	return 0;
}

int sl_ring_class(struct sl_ring *ring, unsigned sched_class, const struct sl_ring_class_opts *opts)
{
	static const struct sl_ring_class_opts defaults;
	int err = ring_check(ring);

	if (err)
		return err;
	if (!opts)
		opts = &defaults;
	if (sched_class >= SL_RING_CLASSES || opts->shares > 1000)
		return -EINVAL;
	ring->classes[sched_class].price = CLASS_PRICE / (opts->shares ? opts->shares : 100);
	ring->classes[sched_class].inflight_max = opts->inflight_max;
	ring_admit(ring); /* looks at easy_depth, too */
	return 0;
}

unsigned sl_ring_room(const struct sl_ring *ring)
{
	if (ring->classes[0].parked.head || ring->inflight >= ring->opts.depth)
		return 0;
	return ring->opts.depth - ring->inflight;
}

unsigned sl_ring_inflight(const struct sl_ring *ring)
{
	return ring->inflight + ring->parked;
}
