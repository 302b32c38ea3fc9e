/*
 * The poller on epoll(7): a hit costs the same however many descriptors are idle.
 *
 * Every watch is one-shot. A watch that stayed would save a call per wait, but a
 * descriptor may be closed and its number opened again between two operations,
 * without a word to us; the kernel then forgets the watch, and we would sleep on
 * one that is not there. Armed for each wait, and with the kernel's own answer to
 * the question whether it knows the descriptor, that cannot happen. `known` only
 * guesses which of "add" and "change" is right, to get it in one call.
 */
#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "backend/ready/poller.h"
#include "sys/epoll.h"

enum {
	EPOLL_BATCH = 256,
	EPOLL_KNOWN = 1024, /* a power of two */
};

struct epoll_poller {
	int epfd;
	bool coarse; /* no epoll_pwait2 here */
	int known[EPOLL_KNOWN];
	struct epoll_event events[EPOLL_BATCH];
};

static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLPRI == EPOLLPRI &&
		      POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP,
	      "poll and epoll share their event bits");

static uint64_t pack(uint32_t idx, int fd)
{
	return idx | (uint64_t)(unsigned)fd << 32;
}

static size_t epoll_bytes(uint32_t watch_max)
{
	(void)watch_max;
	return sizeof(struct epoll_poller);
}

static int epoll_init(void *self, uint32_t watch_max, int wake_fd)
{
	struct epoll_poller *p = self;
	struct epoll_event wake = { .events = EPOLLIN, .data.u64 = pack(POLLER_WAKE, wake_fd) };
	int err;

	(void)watch_max;
	for (unsigned i = 0; i < EPOLL_KNOWN; i++)
		p->known[i] = -1;
	p->epfd = sl_sys_epoll_create();
	if (p->epfd < 0)
		return p->epfd;
	err = sl_sys_epoll_ctl(p->epfd, EPOLL_CTL_ADD, wake_fd, &wake);
	if (err)
		close(p->epfd);
	return err;
}

static void epoll_fini(void *self)
{
	struct epoll_poller *p = self;

	close(p->epfd);
}

static int epoll_arm(struct epoll_poller *p, int fd, struct epoll_event *event)
{
	int *known = &p->known[(unsigned)fd % EPOLL_KNOWN];
	int op = *known == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int err = sl_sys_epoll_ctl(p->epfd, op, fd, event);

	if (err == -ENOENT)
		err = sl_sys_epoll_ctl(p->epfd, EPOLL_CTL_ADD, fd, event);
	else if (err == -EEXIST)
		err = sl_sys_epoll_ctl(p->epfd, EPOLL_CTL_MOD, fd, event);
	if (!err)
		*known = fd;
	return err;
}

static int epoll_set(void *self, uint32_t idx, int fd, short was, short events)
{
	struct epoll_poller *p = self;
	struct epoll_event event = {
		.events = (uint32_t)(unsigned short)events | EPOLLONESHOT,
		.data.u64 = pack(idx, fd),
	};

	(void)was;
	if (events)
		return epoll_arm(p, fd, &event);
	/* It may be closed already: then the kernel has removed it. */
	sl_sys_epoll_ctl(p->epfd, EPOLL_CTL_DEL, fd, NULL);
	p->known[(unsigned)fd % EPOLL_KNOWN] = -1;
	return 0;
}

static int timeout_ms(int64_t timeout_ns)
{
	if (timeout_ns < 0)
		return -1;
	if (timeout_ns > (int64_t)INT32_MAX * 1000000)
		return INT32_MAX;
	/* Never early: a deadline that has not come would be waited for again and again. */
	return (int)((timeout_ns + 999999) / 1000000);
}

static int epoll_sleep(struct epoll_poller *p, int64_t timeout_ns, int nr_max)
{
	int n;

	if (!p->coarse) {
		n = sl_sys_epoll_pwait2(p->epfd, p->events, nr_max, timeout_ns);
		/* Filters older than the call refuse it with EPERM. */
		if (n != -ENOSYS && n != -EPERM)
			return n;
		p->coarse = true;
	}
	return sl_sys_epoll_wait(p->epfd, p->events, nr_max, timeout_ms(timeout_ns));
}

static int epoll_poller_wait(void *self, int64_t timeout_ns, struct poller_hit *ret_hits,
			     uint32_t hits_max)
{
	struct epoll_poller *p = self;
	int nr_max = hits_max < EPOLL_BATCH ? (int)hits_max : EPOLL_BATCH;
	int n = epoll_sleep(p, timeout_ns, nr_max);

	for (int i = 0; i < n; i++) {
		ret_hits[i].idx = (uint32_t)p->events[i].data.u64;
		ret_hits[i].fd = (int)(p->events[i].data.u64 >> 32);
		ret_hits[i].events = (short)p->events[i].events;
	}
	return n;
}

static int epoll_poller_fd(const void *self)
{
	const struct epoll_poller *p = self;

	return p->epfd;
}

const struct poller sl_poller_epoll = {
	.once = true,
	.refuses_files = true,
	.bytes = epoll_bytes,
	.init = epoll_init,
	.fini = epoll_fini,
	.set = epoll_set,
	.wait = epoll_poller_wait,
	.fd = epoll_poller_fd,
};
