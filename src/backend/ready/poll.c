/* The poller on ppoll(2): an array indexed like the loop's watches; scanned whole by each wait. */
#include <errno.h>

#include "backend/ready/poller.h"
#include "sys/poll.h"

struct poll_poller {
	uint32_t nr;	     /* entries in use, the wake-up included */
	struct pollfd fds[]; /* [0]: the wake-up; [idx + 1]: a watch; fd < 0: none */
};

static size_t poll_bytes(uint32_t watch_max)
{
	return sizeof(struct poll_poller) + ((size_t)watch_max + 1) * sizeof(struct pollfd);
}

static int poll_init(void *self, uint32_t watch_max, int wake_fd)
{
	struct poll_poller *p = self;

	for (uint32_t i = 0; i <= watch_max; i++)
		p->fds[i].fd = -1;
	p->fds[0] = (struct pollfd){ .fd = wake_fd, .events = POLLIN };
	p->nr = 1;
	return 0;
}

static void poll_fini(void *self)
{
	(void)self;
}

static int poll_set(void *self, uint32_t idx, int fd, short was, short events)
{
	struct poll_poller *p = self;

	(void)was;
	p->fds[idx + 1] = (struct pollfd){ .fd = events ? fd : -1, .events = events };
	if (p->nr < idx + 2)
		p->nr = idx + 2;
	while (p->fds[p->nr - 1].fd < 0)
		p->nr--;
	return 0;
}

static int poll_wait(void *self, int64_t timeout_ns, struct poller_hit *ret_hits, uint32_t hits_max)
{
	struct poll_poller *p = self;
	int left = sl_sys_poll(p->fds, p->nr, timeout_ns);
	uint32_t nr = 0;

	if (left < 0)
		return left;
	for (uint32_t i = 0; left > 0 && i < p->nr && nr < hits_max; i++) {
		if (!p->fds[i].revents)
			continue;
		ret_hits[nr].idx = i ? i - 1 : POLLER_WAKE;
		ret_hits[nr].fd = p->fds[i].fd;
		ret_hits[nr++].events = p->fds[i].revents;
		left--;
	}
	return (int)nr;
}

static int poll_fd(const void *self)
{
	(void)self;
	return -EOPNOTSUPP;
}

const struct poller sl_poller_poll = {
	.bytes = poll_bytes,
	.init = poll_init,
	.fini = poll_fini,
	.set = poll_set,
	.wait = poll_wait,
	.fd = poll_fd,
};
