/* wal_peer.h: somebody else's durable commits: wal_sqlite.c, or wal_none.c without the library. */
#ifndef SLUICE_BENCH_WAL_PEER_H
#define SLUICE_BENCH_WAL_PEER_H

#include <stddef.h>

struct wal_peer;

extern const char wal_peer_name[];

/* Makes "peer" in dir; 0, or anything else when it cannot. */
int wal_peer_open(const char *dir, struct wal_peer **ret_peer);

/* nr commits of data, each durable before the next; 0, or anything else. */
int wal_peer_commit(struct wal_peer *peer, const void *data, size_t len, unsigned nr);

void wal_peer_close(struct wal_peer *peer);

#endif
