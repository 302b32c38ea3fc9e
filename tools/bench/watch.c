/* watch.c: one ready descriptor among many idle ones, by select, poll and epoll. */
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "watcher.h"

struct watcher {
	struct pollfd *poll;
	int epoll;
	fd_set set;
};

static int watch_open(struct contender *c)
{
	struct watcher *s = c->state = calloc(1, sizeof(*s));

	if (!s)
		return contender_lacks_errno(c, "its state", -ENOMEM);
	s->epoll = -1;
	return 0;
}

static void watch_shut(struct contender *c)
{
	struct watcher *s = c->state;

	if (!s)
		return;
	free(s->poll);
	free(s);
	c->state = NULL;
}

/* -- select -------------------------------------------------------------------------------- */

static int select_open(struct contender *c)
{
	const struct crowd *crowd = c->env->crowd;
	int err = watch_open(c);

	if (err)
		return err;
	if (crowd->fd_max >= FD_SETSIZE) {
		contender_void(c,
			       "beyond its reach: descriptor %d, and select(2) ends at FD_SETSIZE "
			       "(%d)",
			       crowd->fd_max, FD_SETSIZE);
		return -ERANGE;
	}
	FD_ZERO(&((struct watcher *)c->state)->set);
	for (unsigned i = 0; i < crowd->nr; i++)
		FD_SET(crowd->fd[i], &((struct watcher *)c->state)->set);
	return 0;
}

static int by_select(struct contender *c, unsigned idx)
{
	const struct crowd *crowd = c->env->crowd;
	struct watcher *s = c->state;
	fd_set ready = s->set;

	(void)idx;
	c->calls++;
	if (select(crowd->fd_max + 1, &ready, NULL, NULL, NULL) != 1)
		return -errno;
	for (unsigned i = 0; i < crowd->nr; i++) {
		if (FD_ISSET(crowd->fd[i], &ready))
			return watcher_drain(c, crowd->fd[i]);
	}
	return -ENODATA;
}

static int select_run(struct contender *c, uint64_t nr)
{
	return watcher_run(c, nr, by_select);
}

/* -- poll ---------------------------------------------------------------------------------- */

static int poll_open(struct contender *c)
{
	const struct crowd *crowd = c->env->crowd;
	int err = watch_open(c);
	struct watcher *s = c->state;

	if (err)
		return err;
	s->poll = calloc(crowd->nr, sizeof(*s->poll));
	if (!s->poll)
		return contender_lacks_errno(c, "its table", -ENOMEM);
	for (unsigned i = 0; i < crowd->nr; i++)
		s->poll[i] = (struct pollfd){ .fd = crowd->fd[i], .events = POLLIN };
	return 0;
}

static int by_poll(struct contender *c, unsigned idx)
{
	const struct crowd *crowd = c->env->crowd;
	struct watcher *s = c->state;

	(void)idx;
	c->calls++;
	if (poll(s->poll, crowd->nr, -1) != 1)
		return -errno;
	for (unsigned i = 0; i < crowd->nr; i++) {
		if (s->poll[i].revents)
			return watcher_drain(c, s->poll[i].fd);
	}
	return -ENODATA;
}

static int poll_run(struct contender *c, uint64_t nr)
{
	return watcher_run(c, nr, by_poll);
}

/* -- epoll --------------------------------------------------------------------------------- */

static void epoll_end(struct contender *c)
{
	struct watcher *s = c->state;

	if (s->epoll >= 0)
		close(s->epoll);
	s->epoll = -1;
}

static int epoll_begin_with(struct contender *c, uint32_t events)
{
	const struct crowd *crowd = c->env->crowd;
	struct watcher *s = c->state;

	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return -errno;
	for (unsigned i = 0; i < crowd->nr; i++) {
		struct epoll_event event = { .events = events, .data.fd = crowd->fd[i] };

		if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, crowd->fd[i], &event) < 0) {
			int err = -errno;

			epoll_end(c);
			return err;
		}
	}
	return 0;
}

static int epoll_begin(struct contender *c)
{
	return epoll_begin_with(c, EPOLLIN);
}

static int epoll_begin_edge(struct contender *c)
{
	return epoll_begin_with(c, EPOLLIN | EPOLLET);
}

static int by_epoll(struct contender *c, unsigned idx)
{
	struct watcher *s = c->state;
	struct epoll_event event[16];

	(void)idx;
	c->calls++;
	if (epoll_wait(s->epoll, event, 16, -1) != 1)
		return -errno;
	return watcher_drain(c, event[0].data.fd);
}

static int epoll_run(struct contender *c, uint64_t nr)
{
	return watcher_run(c, nr, by_epoll);
}

/* -- the table ----------------------------------------------------------------------------- */

const struct mechanism mechanism_select = {
	.name = "select",
	.about = "select(2)",
	.why = "it needs no state in the kernel and is portable everywhere",
	.unless = "a descriptor may be 1024 or above: it cannot be watched",
	.simplicity = 2,
	.kind = WORKLOAD_WATCH,
	.open = select_open,
	.run = select_run,
	.shut = watch_shut,
};

const struct mechanism mechanism_poll = {
	.name = "poll",
	.about = "poll(2)",
	.why = "it needs no state in the kernel",
	.unless = "there are more than a few descriptors: each call looks at all of them",
	.simplicity = 1,
	.kind = WORKLOAD_WATCH,
	.open = poll_open,
	.run = poll_run,
	.shut = watch_shut,
};

const struct mechanism mechanism_epoll = {
	.name = "epoll",
	.about = "epoll_wait(2), level-triggered",
	.why = "its cost does not grow with the number of idle descriptors",
	.unless = "there are only a handful of them: poll needs no registration",
	.simplicity = 3,
	.kind = WORKLOAD_WATCH,
	.open = watch_open,
	.begin = epoll_begin,
	.run = epoll_run,
	.end = epoll_end,
	.shut = watch_shut,
};

const struct mechanism mechanism_epoll_edge = {
	.name = "epoll EPOLLET",
	.about = "epoll_wait(2), edge-triggered",
	.why = "its cost does not grow with the number of idle descriptors, and a ready one is "
	       "reported once",
	.unless = "a reader may stop before it has drained the descriptor: it is not told again",
	.simplicity = 4,
	.kind = WORKLOAD_WATCH,
	.open = watch_open,
	.begin = epoll_begin_edge,
	.run = epoll_run,
	.end = epoll_end,
	.shut = watch_shut,
};
