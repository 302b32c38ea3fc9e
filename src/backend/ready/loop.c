/* loop.c - the readiness loop at work: one slot, a descriptor that is ready, posting, sleeping. */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "backend/ready/loop.h"
#include "sys/eventfd.h"
#include "sys/fd.h"
#include "sys/poll.h"

/* ---- one slot ---------------------------------------------------------------------- */

void ready_finish(struct ready *r, struct sl_slot *slot, int64_t res, unsigned event_flags)
{
	struct ready_mark *mark = ready_mark(slot);

	mark->place = READY_FINISHED;
	mark->event_flags = (uint8_t)event_flags;
	mark->res = res;
	ready_slots_add(&r->finished, slot);
}

int ready_check_fd(struct ready *r, int fd)
{
	if (!r->poller->fd_limit || fd < r->poller->fd_limit)
		return 0;
	/* Not open counts first, as everywhere. */
	if (sl_sys_get_status(fd) == -EBADF)
		return -EBADF;
	sl_report(r->ring, SL_LOG_ERROR,
		  "%s cannot watch descriptor %d: its limit is %d (FD_SETSIZE); "
		  "use the backend epoll or poll, or fewer descriptors",
		  r->name, fd, r->poller->fd_limit);
	return -EINVAL;
}

/* poll(2) of one descriptor without waiting: its events, or -errno. */
static int64_t look(struct ready *r, int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	int n = sl_sys_poll(&poll_fd, 1, 0);

	r->calls++;
	if (n < 0)
		return n;
	return poll_fd.revents & POLLNVAL ? -EBADF : poll_fd.revents;
}

/* A receive into a pool: the buffer is taken for the attempt, and only then. */
static int64_t attempt_pooled(struct ready *r, struct sl_slot *slot, unsigned *ret_flags)
{
	int64_t res;

	if (!sl_slot_take_buffer(r->ring, slot)) {
		/* Starved is an answer only if there is something to receive. */
		res = look(r, sl_attempt_fd(slot), POLLIN);
		if (res < 0)
			return res;
		return res ? -ENOBUFS : -EAGAIN;
	}
	res = sl_attempt(slot);
	if (res <= 0)
		sl_slot_return_buffer(r->ring, slot);
	else
		*ret_flags = SL_EVENT_BUFFER;
	return res;
}

static int64_t attempt(struct ready *r, struct sl_slot *slot, unsigned *ret_flags)
{
	*ret_flags = 0;
	r->calls++;
	if (slot->flags & SL_OP_POOLED)
		return attempt_pooled(r, slot, ret_flags);
	return sl_attempt(slot);
}

/* Makes a slot wait for its descriptor, or ends it where there is nothing to wait for. */
static void await(struct ready *r, struct sl_slot *slot)
{
	bool polls = slot->code == SL_OP_POLL;
	int fd = polls ? slot->fd : sl_attempt_fd(slot);
	short events = polls ? (short)slot->len : sl_attempt_events(slot);
	int err = fd < 0 ? -EBADF : ready_check_fd(r, fd);

	if (!err && !events && !polls)
		err = -EAGAIN;
	if (err)
		ready_finish(r, slot, err, 0);
	else
		watches_add(&r->watches, slot, fd, events);
}

/* R2. A splice says what it waits for only after an attempt, and is not ordered. */
static bool must_queue(const struct ready *r, const struct sl_slot *slot)
{
	const struct watch *watch;
	short events;

	if (!r->watches.waiting || slot->code == SL_OP_SPLICE || slot->code == SL_OP_TEE)
		return false;
	watch = watches_find(&r->watches, slot->fd);
	if (!watch)
		return false;
	events = sl_attempt_events(slot);
	return events && watch->waiting[events & POLLOUT ? READY_OUT : READY_IN].head;
}

static void begin(struct ready *r, struct sl_slot *slot)
{
	unsigned flags;
	int64_t res;

	if (slot->code == SL_OP_POLL || must_queue(r, slot)) {
		await(r, slot);
		return;
	}
	res = attempt(r, slot, &flags);
	if (res == -EAGAIN)
		await(r, slot);
	else
		ready_finish(r, slot, res, flags);
}

/* ---- a descriptor that is ready ------------------------------------------------------ */

static bool waits_elsewhere(const struct watch *watch, const struct sl_slot *slot, int side)
{
	short events = sl_attempt_events(slot);

	return sl_attempt_fd(slot) != watch->fd || !events ||
	       (events & POLLOUT ? READY_OUT : READY_IN) != side;
}

/* poll and select call a file ready for ever, while a read of it would still have to wait. */
static bool never_polls(const struct ready *r, int fd)
{
	struct stat st;

	if (r->poller->refuses_files || fstat(fd, &st) < 0)
		return false;
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode);
}

/* The first slot of one side; false: the descriptor was not ready after all. */
static bool serve_first(struct ready *r, struct watch *watch, int side)
{
	struct sl_slot *slot = watch->waiting[side].head;
	unsigned flags;
	int64_t res = attempt(r, slot, &flags);
	bool moves = res == -EAGAIN && waits_elsewhere(watch, slot, side);

	if (res == -EAGAIN && !moves) {
		if (!never_polls(r, watch->fd))
			return false;
		res = -EPERM;
	}
	watches_remove(&r->watches, slot);
	if (moves)
		await(r, slot);
	else
		ready_finish(r, slot, res, flags);
	return true;
}

static void serve_polls(struct ready *r, struct watch *watch, short events)
{
	struct sl_slot *slot = watch->waiting[READY_POLL].head;

	while (slot) {
		struct sl_slot *next = ready_mark(slot)->next;
		short seen = (short)(events & ((short)slot->len | POLLERR | POLLHUP));

		if (seen || events & POLLNVAL) {
			watches_remove(&r->watches, slot);
			ready_finish(r, slot, events & POLLNVAL ? -EBADF : seen, 0);
		}
		slot = next;
	}
}

static void serve(struct ready *r, const struct poller_hit *hit)
{
	static const short always = POLLERR | POLLHUP | POLLNVAL;
	struct watch *watch = &r->watches.all[hit->idx];

	/* A file that lives on under another number may report under its old one. */
	if (watch->fd != hit->fd)
		return;
	watches_hit(&r->watches, watch);
	if (hit->events & (POLLIN | always))
		while (watch->waiting[READY_IN].head && serve_first(r, watch, READY_IN))
			;
	if (hit->events & (POLLOUT | always))
		while (watch->waiting[READY_OUT].head && serve_first(r, watch, READY_OUT))
			;
	serve_polls(r, watch, hit->events);
}

/* watch_refused_fn: what cannot be waited for. */
static void refused(void *ctx, struct sl_slot *slot, int err)
{
	ready_finish(ctx, slot, err, 0);
}

/* ---- posting --------------------------------------------------------------------------- */

/* Zero-copy was asked for: the copy is made, but the two events come as promised. */
static bool needs_two(struct sl_slot *slot)
{
	return slot->flags & SL_OP_ZC && slot->code != SL_OP_POLL && ready_mark(slot)->res >= 0;
}

static bool post_half(struct ready *r, struct sl_slot *slot)
{
	struct ready_mark *mark = ready_mark(slot);
	struct sl_event event = {
		.id = slot->id,
		.res = mark->res,
		.flags = SL_EVENT_MORE | SL_EVENT_SENT,
	};

	if (!mark->half_posted)
		mark->half_posted = sl_event(r->ring, &event);
	mark->event_flags = SL_EVENT_COPIED;
	return mark->half_posted;
}

/* Posts the results that are known: how many events. */
static unsigned post(struct ready *r)
{
	unsigned nr = 0;

	while (r->finished.head && sl_event_room(r->ring)) {
		struct sl_slot *slot = r->finished.head;
		struct ready_mark *mark = ready_mark(slot);
		struct sl_event event = { .id = slot->id, .res = mark->res };

		if (needs_two(slot)) {
			nr += !mark->half_posted;
			if (!post_half(r, slot) || !sl_event_room(r->ring))
				break;
		}
		event.flags = mark->event_flags;
		event.buf_id = slot->buf_id;
		ready_slots_remove(&r->finished, slot);
		mark->place = READY_NONE;
		r->started--;
		/* R1: from here on the slot is the engine's. There is room. */
		sl_event(r->ring, &event);
		nr++;
	}
	return nr;
}

unsigned ready_push(struct ready *r)
{
	struct sl_slot *slot;

	while ((slot = r->fresh.head) != NULL) {
		ready_slots_remove(&r->fresh, slot);
		begin(r, slot);
	}
	watches_sync(&r->watches, refused, r);
	return post(r);
}

/* ---- sleeping --------------------------------------------------------------------------- */

int ready_sleep(struct ready *r, int64_t timeout_ns, unsigned *posted)
{
	int n = r->poller->wait(r->poller_state, timeout_ns, r->hits, r->hits_max);
	int woken = 0;

	r->calls++;
	for (int i = 0; i < n; i++) {
		if (r->hits[i].idx == POLLER_WAKE)
			woken = sl_sys_eventfd_drain(r->wake_fd);
		else
			serve(r, &r->hits[i]);
	}
	if (n <= 0)
		return n;
	watches_sync(&r->watches, refused, r);
	*posted += post(r);
	return woken;
}
