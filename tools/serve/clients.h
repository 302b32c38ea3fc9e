/* clients.h: how many connections each address has, over all workers. */
#ifndef SLUICE_TOOLS_SERVE_CLIENTS_H
#define SLUICE_TOOLS_SERVE_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <sluice/sock.h>

struct serve_server;
struct serve_client;

/* Locked: it is asked once for each connection. */
struct serve_clients {
	pthread_mutex_t lock;
	struct serve_client **slot;
	uint64_t most; /* of one address; 0: no limit */
};

int serve_clients_init(struct serve_clients *clients, uint64_t most);
void serve_clients_fini(struct serve_clients *clients);

/* Return: whether one more is allowed; then it counts. An IPv6 client is its /64. */
bool serve_clients_enter(struct serve_server *server, const struct sl_sock_addr *addr);
void serve_clients_leave(struct serve_server *server, const struct sl_sock_addr *addr);

#endif
