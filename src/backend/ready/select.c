/*
 * The poller on pselect(2), for descriptors below FD_SETSIZE.
 *
 * select answers three questions where poll answers a dozen, so its word is taken
 * as a hint only: what it reports is asked again of poll(2), which also finds the
 * descriptor that made it fail with EBADF. A watch without POLLIN that wants to
 * hear of a hang-up must sit in the read set, the only one that tells; if data
 * lies there instead, it is left out of that set for MUTE_NS at a time, or the
 * loop would spin.
 */
#include <errno.h>
#include <string.h>

#include "backend/ready/poller.h"
#include "sys/poll.h"
#include "sys/select.h"

#define MUTE_NS	   10000000
#define INPUT	   (POLLIN | POLLRDNORM | POLLRDBAND)
#define READ_SET   (INPUT | POLLRDHUP | POLLHUP)
#define WRITE_SET  (POLLOUT | POLLWRNORM | POLLWRBAND)
#define EXCEPT_SET POLLPRI

struct select_poller {
	struct sl_sys_fd_sets sets;
	int fd_end;
	int wake_fd;
	bool muted; /* some are left out of the read set */
	short events[FD_SETSIZE];
	uint32_t idx[FD_SETSIZE];
	struct pollfd doubts[FD_SETSIZE];
};

static size_t select_bytes(uint32_t watch_max)
{
	(void)watch_max;
	return sizeof(struct select_poller);
}

static void fd_set_put(fd_set *set, int fd, bool in)
{
	if (in)
		FD_SET(fd, set);
	else
		FD_CLR(fd, set);
}

static int select_set(void *self, uint32_t idx, int fd, short was, short events)
{
	struct select_poller *p = self;

	(void)was;
	if (fd < 0)
		return -EBADF;
	if (fd >= FD_SETSIZE)
		return -EINVAL;
	p->idx[fd] = idx;
	p->events[fd] = events;
	fd_set_put(&p->sets.read, fd, events & READ_SET);
	fd_set_put(&p->sets.write, fd, events & WRITE_SET);
	fd_set_put(&p->sets.except, fd, events & EXCEPT_SET);
	if (events && p->fd_end <= fd)
		p->fd_end = fd + 1;
	while (p->fd_end > 0 && !p->events[p->fd_end - 1])
		p->fd_end--;
	return 0;
}

static int select_init(void *self, uint32_t watch_max, int wake_fd)
{
	struct select_poller *p = self;

	(void)watch_max;
	p->wake_fd = wake_fd;
	return select_set(p, POLLER_WAKE, wake_fd, 0, POLLIN);
}

static void select_fini(void *self)
{
	(void)self;
}

static void unmute(struct select_poller *p)
{
	for (int fd = 0; fd < p->fd_end; fd++)
		fd_set_put(&p->sets.read, fd, p->events[fd] & READ_SET);
	p->muted = false;
}

static bool in_any(const struct sl_sys_fd_sets *sets, int fd)
{
	return FD_ISSET(fd, &sets->read) || FD_ISSET(fd, &sets->write) ||
	       FD_ISSET(fd, &sets->except);
}

/* Sleeps, then lists in doubts[] what select reports: 0 or how many. */
static int select_sleep(struct select_poller *p, int64_t timeout_ns)
{
	struct sl_sys_fd_sets sets = p->sets;
	int nr = 0;
	int n;

	if (p->muted && (timeout_ns < 0 || timeout_ns > MUTE_NS))
		timeout_ns = MUTE_NS;
	n = sl_sys_select(p->fd_end, &sets, timeout_ns);
	if (n < 0 && n != -EBADF)
		return n;
	if (p->muted)
		unmute(p);
	for (int fd = 0; n && fd < p->fd_end; fd++)
		if (p->events[fd] && (n == -EBADF || in_any(&sets, fd)))
			p->doubts[nr++] = (struct pollfd){ .fd = fd, .events = p->events[fd] };
	return nr;
}

static int select_wait(void *self, int64_t timeout_ns, struct poller_hit *ret_hits,
		       uint32_t hits_max)
{
	struct select_poller *p = self;
	int doubts = select_sleep(p, timeout_ns);
	uint32_t nr = 0;
	int n;

	if (doubts <= 0)
		return doubts;
	n = sl_sys_poll(p->doubts, (unsigned)doubts, 0);
	if (n < 0)
		return n;
	for (int i = 0; i < doubts && nr < hits_max; i++) {
		int fd = p->doubts[i].fd;

		if (p->doubts[i].revents) {
			ret_hits[nr].idx = p->idx[fd];
			ret_hits[nr].fd = fd;
			ret_hits[nr++].events = p->doubts[i].revents;
		} else if (!(p->events[fd] & INPUT)) {
			FD_CLR(fd, &p->sets.read);
			p->muted = true;
		}
	}
	return (int)nr;
}

static int select_fd(const void *self)
{
	(void)self;
	return -EOPNOTSUPP;
}

const struct poller sl_poller_select = {
	.fd_limit = FD_SETSIZE,
	.bytes = select_bytes,
	.init = select_init,
	.fini = select_fini,
	.set = select_set,
	.wait = select_wait,
	.fd = select_fd,
};
