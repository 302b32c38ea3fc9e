/* clients.c: how many connections each address has; a hash with chains, empty entries freed. */
#include "tools/server/clients.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4096

struct server_client {
	struct server_client *next;
	uint64_t key[2];
	uint64_t nr;
};

int server_clients_init(struct server_clients *clients, uint64_t most)
{
	pthread_mutex_init(&clients->lock, NULL);
	clients->most = most;
	clients->slot = calloc(SLOTS, sizeof(struct server_client *));
	return clients->slot ? 0 : -ENOMEM;
}

void server_clients_fini(struct server_clients *clients)
{
	for (unsigned i = 0; clients->slot && i < SLOTS; i++) {
		struct server_client *client;

		while ((client = clients->slot[i])) {
			clients->slot[i] = client->next;
			free(client);
		}
	}
	free(clients->slot);
	clients->slot = NULL;
}

/* What makes an address the same client: all of IPv4, also when mapped; a /64 of IPv6. */
static void key_of(const struct sl_sock_addr *addr, uint64_t key[2])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&addr->any;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&addr->any;
	uint32_t mapped;

	key[0] = key[1] = 0;
	if (addr->any.sa_family == AF_INET) {
		key[1] = v4->sin_addr.s_addr;
	} else if (addr->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(&mapped, v6->sin6_addr.s6_addr + 12, sizeof(mapped));
		key[1] = mapped;
	} else if (addr->any.sa_family == AF_INET6) {
		memcpy(&key[0], v6->sin6_addr.s6_addr, sizeof(key[0]));
		key[1] = 1ull << 32; /* apart from IPv4 */
	}
}

static struct server_client **find(struct server_clients *clients, const uint64_t key[2])
{
	uint64_t hash = (key[0] ^ key[1] * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u;
	struct server_client **at = &clients->slot[hash >> 52];

	while (*at && ((*at)->key[0] != key[0] || (*at)->key[1] != key[1]))
		at = &(*at)->next;
	return at;
}

bool server_clients_enter(struct server_clients *clients, const struct sl_sock_addr *addr)
{
	struct server_client **at;
	bool enters = true;
	uint64_t key[2];

	key_of(addr, key);
	pthread_mutex_lock(&clients->lock);
	at = find(clients, key);
	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (*at && (*at)->nr >= clients->most) {
		enters = false;
	} else if (*at) {
		memcpy((*at)->key, key, sizeof(key));
		(*at)->nr++;
	}
	pthread_mutex_unlock(&clients->lock);
	return enters;
}

void server_clients_leave(struct server_clients *clients, const struct sl_sock_addr *addr)
{
	struct server_client **at, *gone;
	uint64_t key[2];

	key_of(addr, key);
	pthread_mutex_lock(&clients->lock);
	at = find(clients, key);
	gone = *at;
	if (gone && --gone->nr == 0) {
		*at = gone->next;
		free(gone);
	}
	pthread_mutex_unlock(&clients->lock);
}
