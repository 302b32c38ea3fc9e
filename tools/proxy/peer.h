/* peer.h: the address of a client: kept small, hashed, and whom a PROXY header is taken from. */
#ifndef SLUICE_TOOLS_PROXY_PEER_H
#define SLUICE_TOOLS_PROXY_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/sock.h>

/* A client's address without room for those of unix sockets, which have none to speak of. */
union proxy_peer {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void proxy_peer_set(union proxy_peer *peer, const struct sl_sock_addr *addr);
void proxy_peer_addr(const union proxy_peer *peer, struct sl_sock_addr *ret_addr);

/* A hash of the address without its port: a client's connections have the same one. */
uint64_t proxy_peer_key(const union proxy_peer *peer);

/* Addresses that begin with the same bits; unix: the peers of unix sockets. */
struct proxy_range {
	uint8_t addr[16]; /* IPv4 is mapped */
	uint8_t bits;
	bool is_unix;
};

/* "192.0.2.0/24", "2001:db8::1", "unix". Return: 0; -EINVAL. */
int proxy_range_parse(const char *text, struct proxy_range *ret_range);
bool proxy_range_has(const struct proxy_range *range, const struct sl_sock_addr *addr);

#endif
