/* wal_sqlite.c: SQLite in WAL mode with synchronous=FULL: one row, one transaction, one sync. */
#include "wal_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP_DONE 101 /* SQLITE_DONE, https://www.sqlite.org/rescode.html */

/* What is used of the library; in the order of names[]. */
static struct {
	int (*open)(const char *path, void **ret_db);
	int (*exec)(void *db, const char *sql, void *each, void *ctx, char **ret_err);
	int (*prepare)(void *db, const char *sql, int len, void **ret_stmt, const char **ret_tail);
	int (*bind_blob)(void *stmt, int idx, const void *data, int len, void (*destroy)(void *));
	int (*step)(void *stmt);
	int (*reset)(void *stmt);
	int (*finalize)(void *stmt);
	int (*close)(void *db);
} sqlite;

static const char *const names[] = {
	"sqlite3_open", "sqlite3_exec",	 "sqlite3_prepare_v2", "sqlite3_bind_blob",
	"sqlite3_step", "sqlite3_reset", "sqlite3_finalize",   "sqlite3_close",
};

struct state {
	void *db;
	void *insert;
	char path[512];
};

static void sqlite_end(void *opaque)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	struct state *state = opaque;
	char path[520];

	if (!state)
		return;
	sqlite.finalize(state->insert);
	sqlite.close(state->db);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s%s", state->path, suffixes[i]);
		unlink(path);
	}
	free(state);
}

static int prepare(struct state *state)
{
	const char *setup = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			    "CREATE TABLE log(id INTEGER PRIMARY KEY, data BLOB);";

	if (sqlite.open(state->path, &state->db) || sqlite.exec(state->db, setup, NULL, NULL, NULL))
		return -1;
	return sqlite.prepare(state->db, "INSERT INTO log(data) VALUES(?)", -1, &state->insert,
			      NULL);
}

static int sqlite_begin(const char *dir, unsigned committers, void **ret_state)
{
	struct state *state;

	if (committers != 1 || wal_peer_load(wal_peer_sqlite.library, names, (void **)&sqlite, 8))
		return -1;
	state = calloc(1, sizeof(*state));
	if (!state)
		return -1;
	snprintf(state->path, sizeof(state->path), "%s/peer-sqlite", dir);
	if (prepare(state)) {
		sqlite_end(state);
		return -1;
	}
	*ret_state = state;
	return 0;
}

static int sqlite_commit(void *opaque, const void *data, size_t len, unsigned nr)
{
	struct state *state = opaque;

	for (unsigned i = 0; i < nr; i++) {
		sqlite.bind_blob(state->insert, 1, data, (int)len, NULL);
		if (sqlite.step(state->insert) != STEP_DONE)
			return -1;
		sqlite.reset(state->insert);
	}
	return 0;
}

const struct wal_peer wal_peer_sqlite = {
	.name = "SQLite",
	.library = "libsqlite3.so.0",
	.open = sqlite_begin,
	.commit = sqlite_commit,
	.close = sqlite_end,
};
