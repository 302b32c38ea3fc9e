/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - sockets that came with the process, and what no op of the ring is for.
 *
 * The one file of net/ that calls the kernel: when something is made, never while
 * bytes move, and never on a ring that is a world of its own.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sluice/ring.h>

#include "net/address.h"
#include "net/kernel.h"
#include "sys/call.h"
#include "sys/fd.h"
#include "sys/sock.h"

/* sd_listen_fds(3) */
#define FIRST_FD 3
#define FDS_MAX	 65536

static bool has_kernel(struct sl_ring *ring)
{
	return !(sl_ring_caps(ring)->caps & SL_CAP_OWN_WORLD);
}

int net_kernel_permissions(struct sl_ring *ring, int fd, unsigned permissions)
{
	return has_kernel(ring) ? (int)sl_sys_answer(fchmod(fd, permissions)) : 0;
}

int net_kernel_pipe_bytes(struct sl_ring *ring, int fd, unsigned bytes)
{
	if (!has_kernel(ring))
		return -EOPNOTSUPP;
	fcntl(fd, F_SETPIPE_SZ, bytes); /* refused, it stays as it is */
	return (int)sl_sys_answer(fcntl(fd, F_GETPIPE_SZ));
}

/* A decimal number of the environment; 0 when the variable is not there. */
static int read_number(const char *name, long max, long *ret)
{
	const char *text = getenv(name);
	char *end;

	*ret = 0;
	if (!text || !*text)
		return 0;
	*ret = strtol(text, &end, 10);
	return *end || *ret < 0 || *ret > max ? -EINVAL : 0;
}

static int option(int fd, int name, int *ret_value)
{
	socklen_t len = sizeof(*ret_value);

	return sl_sys_getsockopt(fd, SOL_SOCKET, name, ret_value, &len);
}

static int adopt(struct sl_ring *ring, int fd, struct sl_sock_inherited *ret)
{
	int status, type, listening, err = option(fd, SO_TYPE, &type);

	if (!err)
		err = option(fd, SO_ACCEPTCONN, &listening);
	if (!err)
		err = sl_sock_addr_of(ring, fd, 0, &ret->addr);
	if (err)
		return err;
	status = sl_sys_get_status(fd);
	if (status >= 0)
		err = sl_sys_set_status(fd, status | O_NONBLOCK);
	if (!err)
		err = (int)sl_sys_answer(fcntl(fd, F_SETFD, FD_CLOEXEC));
	ret->fd = fd;
	ret->type = type;
	ret->listening = listening;
	return err;
}

/* The next of the names between colons; where the one after it begins. */
static const char *take_name(const char *names, char *name, size_t bytes)
{
	size_t len = strcspn(names, ":");
	size_t kept = len < bytes ? len : bytes - 1;

	memcpy(name, names, kept);
	name[kept] = 0;
	return names[len] ? names + len + 1 : names + len;
}

int sl_sock_inherit(struct sl_ring *ring, struct sl_sock_inherited *ret, unsigned nr)
{
	const char *names = getenv("LISTEN_FDNAMES");
	long pid, fds;
	int err;

	if (!has_kernel(ring))
		return -EOPNOTSUPP;
	if (read_number("LISTEN_PID", INT32_MAX, &pid) || read_number("LISTEN_FDS", FDS_MAX, &fds))
		return -EINVAL;
	if (!fds || pid != getpid())
		return 0;
	if ((unsigned long)fds > nr)
		return -ENOBUFS;
	if (!names)
		names = "";
	for (long i = 0; i < fds; i++) {
		memset(&ret[i], 0, sizeof(ret[i]));
		names = take_name(names, ret[i].name, sizeof(ret[i].name));
		err = adopt(ring, FIRST_FD + (int)i, &ret[i]);
		if (err)
			return err;
	}
	return (int)fds;
}
