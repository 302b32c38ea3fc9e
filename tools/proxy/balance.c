/* balance.c: which of several upstreams gets a connection; see balance.h. */
#include "tools/proxy/balance.h"

#include <math.h>

/* Bits well mixed (the finaliser of MurmurHash3). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* FNV-1a, mixed. */
uint64_t proxy_hash(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return mix(hash);
}

static int by_turn(const struct proxy_choice *choice, unsigned nr, uint64_t turn)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < nr; i++)
		total += choice[i].out ? 0 : choice[i].weight;
	if (!total)
		return -1;
	turn %= total;
	for (unsigned i = 0;; i++) {
		uint32_t share = choice[i].out ? 0 : choice[i].weight;

		if (turn < share)
			return (int)i;
		turn -= share;
	}
}

/* Connections for their weight; the search begins elsewhere each time, so that ties go round. */
static int by_load(const struct proxy_choice *choice, unsigned nr, uint64_t turn)
{
	int best = -1;

	for (unsigned i = 0; i < nr; i++) {
		const struct proxy_choice *one = &choice[(turn + i) % nr];

		if (!one->out && (best < 0 || (uint64_t)one->active * choice[best].weight <
						      (uint64_t)choice[best].active * one->weight))
			best = (int)((turn + i) % nr);
	}
	return best;
}

/* Weighted rendezvous: each draws from the exponential distribution of its weight. */
static int by_key(const struct proxy_choice *choice, unsigned nr, uint64_t key)
{
	double least = INFINITY;
	int best = -1;

	for (unsigned i = 0; i < nr; i++) {
		uint64_t bits = mix(key ^ mix(choice[i].id));
		double draw = -log(((double)(bits >> 11) + 0.5) * 0x1p-53) / choice[i].weight;

		if (!choice[i].out && draw < least) {
			least = draw;
			best = (int)i;
		}
	}
	return best;
}

int proxy_choose(enum proxy_balance how, const struct proxy_choice *choice, unsigned nr,
		 uint64_t turn, uint64_t key)
{
	if (how == PROXY_HASH)
		return by_key(choice, nr, key);
	if (how == PROXY_LEAST_CONNECTIONS)
		return by_load(choice, nr, turn);
	return by_turn(choice, nr, turn);
}
