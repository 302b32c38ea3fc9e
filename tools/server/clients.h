/* clients.h: how many connections each address has, over all workers. */
#ifndef SLUICE_TOOLS_SERVER_CLIENTS_H
#define SLUICE_TOOLS_SERVER_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <sluice/sock.h>

struct server_client;

/* Locked: it is asked once for each connection. */
struct server_clients {
	pthread_mutex_t lock;
	struct server_client **slot;
	uint64_t most; /* of one address; 0: no limit */
};

int server_clients_init(struct server_clients *clients, uint64_t most);
void server_clients_fini(struct server_clients *clients);

/* Return: whether one more is allowed; then it counts. An IPv6 client is its /64. */
bool server_clients_enter(struct server_clients *clients, const struct sl_sock_addr *addr);
void server_clients_leave(struct server_clients *clients, const struct sl_sock_addr *addr);

#endif
