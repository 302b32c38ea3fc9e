/* Loopback TCP. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/probe/sockets.h"

int sockets_listen(struct sockaddr_in *ret_addr)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int err, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_addr = addr;
	return fd;
}

static void bound_waits(int fd)
{
	struct timeval limit = { .tv_sec = 2 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int sockets_pair(int ret_fds[2])
{
	struct sockaddr_in addr;
	int listener = sockets_listen(&addr);
	int client = -1, server = -1, err = 0;

	if (listener < 0)
		return listener;
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0 || connect(client, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err = -errno;
	if (!err)
		server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (!err && server < 0)
		err = -errno;
	close(listener);
	if (err) {
		if (client >= 0)
			close(client);
		return err;
	}
	bound_waits(client);
	bound_waits(server);
	ret_fds[0] = client;
	ret_fds[1] = server;
	return 0;
}

void sockets_swallow(int fd, size_t len)
{
	char buf[4096];

	while (len) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			return;
		len -= (size_t)n < len ? (size_t)n : len;
	}
}
