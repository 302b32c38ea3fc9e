/* SPDX-License-Identifier: MIT */
/* address.h - what the parts of net/ share about addresses. */
#ifndef SLUICE_NET_ADDRESS_H
#define SLUICE_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/un.h>
#include <sluice/sock.h>

/* Longest name of a host (RFC 1035), and of a service. */
#define NET_HOST_BYTES 256
#define NET_PORT_BYTES 32

/* "HOST:PORT" in its two parts; the host without brackets. */
struct net_name {
	char host[NET_HOST_BYTES];
	char port[NET_PORT_BYTES];
	uint8_t bracketed;
};

/* 0, or -EINVAL: nothing that could be looked up. */
int net_name_split(const char *text, struct net_name *ret_name);

/* Any address of a family at a port, in host order. */
void net_addr_any(struct sl_sock_addr *ret_addr, int family, unsigned port);

static inline struct sockaddr_in *net_in(const struct sl_sock_addr *addr)
{
	return (struct sockaddr_in *)(uintptr_t)&addr->storage;
}

static inline struct sockaddr_in6 *net_in6(const struct sl_sock_addr *addr)
{
	return (struct sockaddr_in6 *)(uintptr_t)&addr->storage;
}

static inline struct sockaddr_un *net_un(const struct sl_sock_addr *addr)
{
	return (struct sockaddr_un *)(uintptr_t)&addr->storage;
}

/* Family of an address, AF_UNSPEC for none. */
static inline int net_family(const struct sl_sock_addr *addr)
{
	return addr->len < sizeof(sa_family_t) ? AF_UNSPEC : addr->any.sa_family;
}

static inline int net_is_inet(const struct sl_sock_addr *addr)
{
	return net_family(addr) == AF_INET || net_family(addr) == AF_INET6;
}

#endif
