/* wal_none.c: nobody to compare the log with. */
#include "wal_peer.h"

const char wal_peer_name[] = "SQLite";

int wal_peer_open(const char *dir, struct wal_peer **ret_peer)
{
	(void)dir;
	(void)ret_peer;
	return -1;
}

int wal_peer_commit(struct wal_peer *peer, const void *data, size_t len, unsigned nr)
{
	(void)peer;
	(void)data;
	(void)len;
	(void)nr;
	return -1;
}

void wal_peer_close(struct wal_peer *peer)
{
	(void)peer;
}
