/* SPDX-License-Identifier: MIT */
/* listen.c - a socket that listens: made, bound, and told how. */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sluice/ring.h>

#include "base/bits.h"
#include "net/address.h"
#include "net/kernel.h"

#define SECOND	  INT64_C(1000000000)
#define BACKLOG	  4096
#define DEFER_SEC 10
#define FLAGS_KNOWN \
	(SL_SOCK_REUSEPORT | SL_SOCK_V6ONLY | SL_SOCK_DATAGRAM | SL_SOCK_DEFER | SL_SOCK_NAGLE)

static int resolve(const struct sl_sock_listen_opts *opts, const struct sl_sock_addr *addr,
		   struct sl_sock_listen_opts *ret)
{
	*ret = (struct sl_sock_listen_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if (!ret->backlog)
		ret->backlog = BACKLOG;
	if (ret->flags & ~(uint32_t)FLAGS_KNOWN || ret->backlog > INT32_MAX ||
	    ret->permissions & ~07777u)
		return -EINVAL;
	if (ret->flags & SL_SOCK_V6ONLY && net_family(addr) != AF_INET6)
		return -EINVAL;
	return 0;
}

static int set(struct sl_ring *ring, int fd, int level, int name, int value)
{
	struct sl_op op = { 0 };

	return (int)sl_ring_do(ring, sl_op_setsockopt(&op, fd, level, name, &value, sizeof(value)));
}

static int prepare(struct sl_ring *ring, int fd, int family, const struct sl_sock_listen_opts *opts)
{
	bool tcp = family != AF_UNIX && !(opts->flags & SL_SOCK_DATAGRAM);
	int err = 0;

	if (family != AF_UNIX)
		err = set(ring, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!err && opts->flags & SL_SOCK_REUSEPORT)
		err = set(ring, fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && family == AF_INET6)
		err = set(ring, fd, IPPROTO_IPV6, IPV6_V6ONLY, (opts->flags & SL_SOCK_V6ONLY) != 0);
	/* What is accepted inherits it. */
	if (!err && tcp && !(opts->flags & SL_SOCK_NAGLE))
		err = set(ring, fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!err && tcp && opts->flags & SL_SOCK_DEFER)
		err = set(ring, fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_SEC);
	if (!err && family == AF_UNIX && opts->permissions)
		err = net_kernel_permissions(ring, fd, opts->permissions);
	return err;
}

static int new_socket(struct sl_ring *ring, int family, const struct sl_sock_listen_opts *opts)
{
	int type = opts->flags & SL_SOCK_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
	struct sl_op op = { 0 };

	return (int)sl_ring_do(ring,
			       sl_op_socket(&op, family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

static void discard(struct sl_ring *ring, int fd)
{
	struct sl_op op = { 0 };

	sl_ring_do(ring, sl_op_close(&op, fd));
}

/* Whether the file of a unix socket is one that nobody listens on any more. */
static bool is_stale(struct sl_ring *ring, const struct sl_sock_addr *addr,
		     const struct sl_sock_listen_opts *opts)
{
	int fd = new_socket(ring, AF_UNIX, opts);
	struct sl_op op = { 0 };
	int64_t res;

	if (fd < 0)
		return false;
	sl_op_connect(&op, fd, &addr->any, addr->len)->deadline_ns = sl_ring_clock(ring) + SECOND;
	res = sl_ring_do(ring, &op);
	discard(ring, fd);
	return res == -ECONNREFUSED;
}

static int bind_to(struct sl_ring *ring, int fd, const struct sl_sock_addr *addr,
		   const struct sl_sock_listen_opts *opts)
{
	struct sl_op op = { 0 };
	int err = (int)sl_ring_do(ring, sl_op_bind(&op, fd, &addr->any, addr->len));

	if (err != -EADDRINUSE || net_family(addr) != AF_UNIX || !net_un(addr)->sun_path[0] ||
	    !is_stale(ring, addr, opts))
		return err;
	sl_ring_do(ring, sl_op_unlink(&op, AT_FDCWD, net_un(addr)->sun_path, 0));
	return (int)sl_ring_do(ring, sl_op_bind(&op, fd, &addr->any, addr->len));
}

static int listen_on(struct sl_ring *ring, const struct sl_sock_addr *addr,
		     const struct sl_sock_listen_opts *opts)
{
	int fd = new_socket(ring, net_family(addr), opts);
	struct sl_op op = { 0 };
	int err;

	if (fd < 0)
		return fd;
	err = prepare(ring, fd, net_family(addr), opts);
	if (!err)
		err = bind_to(ring, fd, addr, opts);
	if (!err && !(opts->flags & SL_SOCK_DATAGRAM))
		err = (int)sl_ring_do(ring, sl_op_listen(&op, fd, (int)opts->backlog));
	if (err) {
		discard(ring, fd);
		return err;
	}
	return fd;
}

static bool is_any(const struct sl_sock_addr *addr)
{
	return net_family(addr) == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&net_in6(addr)->sin6_addr);
}

int sl_sock_listen(struct sl_ring *ring, const struct sl_sock_addr *addr,
		   const struct sl_sock_listen_opts *opts)
{
	struct sl_sock_listen_opts resolved;
	struct sl_sock_addr v4;
	int fd = resolve(opts, addr, &resolved);

	if (fd < 0)
		return fd;
	fd = listen_on(ring, addr, &resolved);
	if ((fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) && is_any(addr) &&
	    !(resolved.flags & SL_SOCK_V6ONLY)) {
		net_addr_any(&v4, AF_INET, ntohs(net_in6(addr)->sin6_port));
		fd = listen_on(ring, &v4, &resolved);
	}
	return fd;
}
