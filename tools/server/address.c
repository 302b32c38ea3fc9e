/* address.c: the addresses of a connection; see address.h. */
#include "tools/server/address.h"

#include <netinet/in.h>
#include <string.h>

void server_address_unmap(struct sl_sock_addr *addr)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6;

	if (addr->any.sa_family != AF_INET6)
		return;
	memcpy(&v6, &addr->storage, sizeof(v6));
	if (!IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return;
	v4.sin_port = v6.sin6_port;
	memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, sizeof(v4.sin_addr));
	memset(addr, 0, sizeof(*addr));
	memcpy(&addr->storage, &v4, sizeof(v4));
	addr->len = sizeof(v4);
}

int server_address_of(struct sl_ring *ring, int fd, int peer, struct sl_sock_addr *ret_addr)
{
	int err = sl_sock_addr_of(ring, fd, peer, ret_addr);

	if (err == 0)
		server_address_unmap(ret_addr);
	return err;
}
