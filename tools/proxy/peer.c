/* peer.c: the address of a client; see peer.h. */
#include "tools/proxy/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/proxy/balance.h"

void proxy_peer_set(union proxy_peer *peer, const struct sl_sock_addr *addr)
{
	size_t len = addr->len < sizeof(*peer) ? addr->len : sizeof(*peer);

	memset(peer, 0, sizeof(*peer));
	memcpy(peer, &addr->storage, addr->any.sa_family == AF_UNIX ? sizeof(sa_family_t) : len);
}

void proxy_peer_addr(const union proxy_peer *peer, struct sl_sock_addr *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	memcpy(&ret_addr->storage, peer, sizeof(*peer));
	ret_addr->len = peer->any.sa_family == AF_INET6 ? sizeof(peer->v6) :
			peer->any.sa_family == AF_INET	? sizeof(peer->v4) :
							  sizeof(sa_family_t);
}

static void map_v4(const struct in_addr *addr, uint8_t to[16])
{
	memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	memcpy(to + 12, addr, 4);
}

/* Return: false for what is no Internet address. */
static bool bytes_of(const struct sockaddr *addr, uint8_t to[16])
{
	if (addr->sa_family == AF_INET)
		map_v4(&((const struct sockaddr_in *)addr)->sin_addr, to);
	else if (addr->sa_family == AF_INET6)
		memcpy(to, &((const struct sockaddr_in6 *)addr)->sin6_addr, 16);
	else
		return false;
	return true;
}

uint64_t proxy_peer_key(const union proxy_peer *peer)
{
	uint8_t bytes[16] = { 0 };

	bytes_of(&peer->any, bytes);
	return proxy_hash(bytes, sizeof(bytes));
}

int proxy_range_parse(const char *text, struct proxy_range *ret_range)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits = 128, most = 128;
	struct proxy_range range = { 0 };
	struct in_addr v4;
	char addr[64], *end;

	if (strcmp(text, "unix") == 0) {
		*ret_range = (struct proxy_range){ .is_unix = true };
		return 0;
	}
	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, &v4) == 1) {
		map_v4(&v4, range.addr);
		bits = most = 32;
	} else if (inet_pton(AF_INET6, addr, range.addr) != 1) {
		return -EINVAL;
	}
	if (slash) {
		bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end || bits > most)
			return -EINVAL;
	}
	range.bits = (uint8_t)(bits + 128 - most);
	*ret_range = range;
	return 0;
}

bool proxy_range_has(const struct proxy_range *range, const struct sl_sock_addr *addr)
{
	unsigned whole = range->bits / 8, rest = range->bits % 8;
	uint8_t bytes[16];

	if (range->is_unix || !bytes_of(&addr->any, bytes))
		return range->is_unix && addr->any.sa_family == AF_UNIX;
	if (memcmp(bytes, range->addr, whole) != 0)
		return false;
	return !rest || !((bytes[whole] ^ range->addr[whole]) >> (8 - rest));
}
