/* A connected pair of TCP sockets over loopback. */
#ifndef PROBE_SOCKETS_H
#define PROBE_SOCKETS_H

#include <netinet/in.h>
#include <stddef.h>

/* A listening socket on 127.0.0.1 and its address. Returns fd or -errno. */
int sockets_listen(struct sockaddr_in *ret_addr);

/* Both ends of one connection, blocking, with a receive timeout of 2 s. Returns 0 or -errno. */
int sockets_pair(int ret_fds[2]);

/* Take what was sent out of the other end, so that a zero-copy sender's pages are let go. */
void sockets_swallow(int fd, size_t len);

#endif
