/*
 * The seam between the readiness loop and what tells it which descriptors are ready.
 *
 * A poller knows descriptors by the index that the loop gives them, watches one
 * set of poll(2) events for each, and reports them. It knows neither slots nor
 * operations. Its memory is the loop's, its size asked before.
 */
#ifndef SL_BACKEND_READY_POLLER_H
#define SL_BACKEND_READY_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>

/* The index of the wake-up descriptor given to init(). */
#define POLLER_WAKE UINT32_MAX

/* A descriptor that is ready, and for what: poll(2) events as poll(2) gives them. */
struct poller_hit {
	uint32_t idx;
	int fd;
	short events;
};

/**
 * struct poller - the functions of one poller
 * @fd_limit: descriptors must be below it; 0: no limit
 * @once: a hit ends the watch of its descriptor; otherwise it stays
 * @refuses_files: set() answers -EPERM for files that are always ready
 * @bytes: how much memory it needs to watch @watch_max descriptors
 * @init: begin, watching @wake_fd for input; @self is zeroed memory of that size.
 *	0 or -errno (and then owns nothing)
 * @fini: end
 * @set: watch @fd under @idx (< watch_max) for @events; 0 events: no longer.
 *	@was: what was set for @idx and has not been ended by a hit; the same
 *	@fd as then. 0, or -errno: -EBADF, -EPERM, -ENOSPC, -ENOMEM, -EINVAL
 * @wait: sleep until a descriptor is ready, at most @timeout_ns (0: only look;
 *	< 0: no limit). How many hits were stored, at most one per descriptor;
 *	0 may come early; or -errno: -EINTR
 * @fd: a descriptor that polls readable when wait() has a hit; -EOPNOTSUPP
 */
struct poller {
	int fd_limit;
	bool once;
	bool refuses_files;
	size_t (*bytes)(uint32_t watch_max);
	int (*init)(void *self, uint32_t watch_max, int wake_fd);
	void (*fini)(void *self);
	int (*set)(void *self, uint32_t idx, int fd, short was, short events);
	int (*wait)(void *self, int64_t timeout_ns, struct poller_hit *ret_hits, uint32_t hits_max);
	int (*fd)(const void *self);
};

extern const struct poller sl_poller_epoll;
extern const struct poller sl_poller_poll;
extern const struct poller sl_poller_select;

#endif
