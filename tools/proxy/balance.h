/* balance.h: which of several upstreams gets a connection; pure functions. */
#ifndef SLUICE_TOOLS_PROXY_BALANCE_H
#define SLUICE_TOOLS_PROXY_BALANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum proxy_balance {
	PROXY_ROUND_ROBIN = 0,
	PROXY_LEAST_CONNECTIONS,
	PROXY_HASH,
};

struct proxy_choice {
	uint64_t id; /* the same for the same upstream, whichever others there are */
	uint32_t weight;
	uint32_t active; /* connections now */
	bool out;	 /* not to be chosen */
};

/**
 * proxy_choose() - choose one.
 * @turn: counts up with every connection: round-robin goes by it, and ties of the others do.
 * @key: of the client, for PROXY_HASH: rendezvous hashing, so that a client stays where it is
 *       unless its upstream goes out, and comes back with it; each has its weight's share of keys.
 *
 * Return: the index; -1 when all are out.
 */
int proxy_choose(enum proxy_balance how, const struct proxy_choice *choice, unsigned nr,
		 uint64_t turn, uint64_t key);

/* A hash of bytes, the same on every machine. */
uint64_t proxy_hash(const void *bytes, size_t len);

#endif
