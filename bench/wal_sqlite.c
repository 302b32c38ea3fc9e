/* wal_sqlite.c: SQLite in WAL mode with synchronous=FULL: one row, one transaction, one sync. */
#include "wal_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sqlite3.h>

struct wal_peer {
	sqlite3 *db;
	sqlite3_stmt *insert;
};

const char wal_peer_name[] = "SQLite";

static int prepare(struct wal_peer *peer, const char *path)
{
	const char *setup = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			    "CREATE TABLE log(id INTEGER PRIMARY KEY, data BLOB);";

	if (sqlite3_open(path, &peer->db) || sqlite3_exec(peer->db, setup, NULL, NULL, NULL))
		return -1;
	return sqlite3_prepare_v2(peer->db, "INSERT INTO log(data) VALUES(?)", -1, &peer->insert,
				  NULL);
}

int wal_peer_open(const char *dir, struct wal_peer **ret_peer)
{
	struct wal_peer *peer = calloc(1, sizeof(*peer));
	char path[512];

	if (!peer)
		return -1;
	snprintf(path, sizeof(path), "%s/peer", dir);
	if (prepare(peer, path)) {
		wal_peer_close(peer);
		return -1;
	}
	*ret_peer = peer;
	return 0;
}

int wal_peer_commit(struct wal_peer *peer, const void *data, size_t len, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		sqlite3_bind_blob(peer->insert, 1, data, (int)len, SQLITE_STATIC);
		if (sqlite3_step(peer->insert) != SQLITE_DONE)
			return -1;
		sqlite3_reset(peer->insert);
	}
	return 0;
}

void wal_peer_close(struct wal_peer *peer)
{
	if (!peer)
		return;
	sqlite3_finalize(peer->insert);
	sqlite3_close(peer->db);
	free(peer);
}
