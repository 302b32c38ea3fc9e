/* wal_leveldb.c: LevelDB with sync on: one put, one record in its log, one sync; threads share
 * syncs. */
#include "wal_peer.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 64

/* What is used of the library's interface for C; in the order of names[]. */
static struct {
	void *(*options_create)(void);
	void (*set_create)(void *options, unsigned char yes);
	void *(*open)(const void *options, const char *path, char **ret_err);
	void *(*write_options_create)(void);
	void (*set_sync)(void *write_options, unsigned char yes);
	void (*put)(void *db, const void *write_options, const char *key, size_t key_len,
		    const char *value, size_t len, char **ret_err);
	void (*close)(void *db);
	void (*destroy)(const void *options, const char *path, char **ret_err);
} leveldb;

static const char *const names[] = {
	"leveldb_options_create",
	"leveldb_options_set_create_if_missing",
	"leveldb_open",
	"leveldb_writeoptions_create",
	"leveldb_writeoptions_set_sync",
	"leveldb_put",
	"leveldb_close",
	"leveldb_destroy_db",
};

struct state {
	void *options;
	void *write_options;
	void *db;
	unsigned committers;
	char path[512];
};

/* One committer's share of a block. */
struct share {
	struct state *state;
	const void *data;
	size_t len;
	unsigned nr;
	unsigned who;
	unsigned failed;
	pthread_t thread;
};

static void leveldb_end(void *opaque)
{
	struct state *state = opaque;
	char *err = NULL;

	if (!state)
		return;
	if (state->db)
		leveldb.close(state->db);
	leveldb.destroy(state->options, state->path, &err);
	rmdir(state->path);
	free(state);
}

static int leveldb_begin(const char *dir, unsigned committers, void **ret_state)
{
	struct state *state;
	char *err = NULL;

	if (committers > THREADS_MAX ||
	    wal_peer_load(wal_peer_leveldb.library, names, (void **)&leveldb, 8))
		return -1;
	state = calloc(1, sizeof(*state));
	if (!state)
		return -1;
	snprintf(state->path, sizeof(state->path), "%s/peer-leveldb-%u", dir, committers);
	state->committers = committers;
	state->options = leveldb.options_create();
	state->write_options = leveldb.write_options_create();
	leveldb.set_create(state->options, 1);
	leveldb.set_sync(state->write_options, 1);
	state->db = leveldb.open(state->options, state->path, &err);
	if (!state->db) {
		leveldb_end(state);
		return -1;
	}
	*ret_state = state;
	return 0;
}

static void *put_share(void *ctx)
{
	struct share *share = ctx;

	for (uint64_t i = 0; i < share->nr && !share->failed; i++) {
		uint64_t key = (uint64_t)share->who << 32 | i;
		char *err = NULL;

		leveldb.put(share->state->db, share->state->write_options, (const char *)&key,
			    sizeof(key), share->data, share->len, &err);
		share->failed = err != NULL;
	}
	return NULL;
}

static int leveldb_commit(void *opaque, const void *data, size_t len, unsigned nr)
{
	struct share shares[THREADS_MAX];
	struct state *state = opaque;
	unsigned failed = 0;
	unsigned started = 0;

	for (unsigned i = 0; i < state->committers; i++)
		shares[i] = (struct share){ state, data, len, nr, i, 0, 0 };
	if (state->committers == 1) {
		put_share(&shares[0]);
		return shares[0].failed ? -1 : 0;
	}
	while (started < state->committers &&
	       !pthread_create(&shares[started].thread, NULL, put_share, &shares[started]))
		started++;
	for (unsigned i = 0; i < started; i++) {
		pthread_join(shares[i].thread, NULL);
		failed |= shares[i].failed;
	}
	return failed || started < state->committers ? -1 : 0;
}

const struct wal_peer wal_peer_leveldb = {
	.name = "LevelDB",
	.library = "libleveldb.so.1d",
	.open = leveldb_begin,
	.commit = leveldb_commit,
	.close = leveldb_end,
};
