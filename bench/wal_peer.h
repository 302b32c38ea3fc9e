/*
 * wal_peer.h: somebody else's durable commits.
 *
 * Their libraries are loaded when they are there (installed, or unpacked by
 * `make bench`): no header of theirs is needed to build.
 */
#ifndef SLUICE_BENCH_WAL_PEER_H
#define SLUICE_BENCH_WAL_PEER_H

#include <stddef.h>

/**
 * struct wal_peer - how to commit with somebody else's library.
 * @name: for the report.
 * @library: its soname, and so what is missing when open() fails.
 * @open: makes its files in dir (they are called "peer..."), with room for so
 *	many committers; 0, or anything else when it cannot.
 * @commit: each committer makes nr commits of data, each durable before its next.
 * @close: takes what open() gave, or NULL; removes the files.
 */
struct wal_peer {
	const char *name;
	const char *library;
	int (*open)(const char *dir, unsigned committers, void **ret_state);
	int (*commit)(void *state, const void *data, size_t len, unsigned nr);
	void (*close)(void *state);
};

extern const struct wal_peer wal_peer_sqlite, wal_peer_leveldb;

/* Loads a library and the nr symbols named, in their order, into fns; 0, or -1. The
 * library stays. */
int wal_peer_load(const char *library, const char *const *names, void **fns, unsigned nr);

#endif
