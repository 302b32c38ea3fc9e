/* workload.h: programs whose power is cut, and what must be left of their files. */
#ifndef SLUICE_TESTS_VM_WORKLOAD_H
#define SLUICE_TESTS_VM_WORKLOAD_H

struct workload {
	const char *name;

	/* Makes what the program finds; durable when the caller has synced. */
	void (*prepare)(const char *folder);

	/* Does its work and calls workload_acknowledge() each time it may rely on it. */
	void (*run)(const char *folder);

	/* NULL when the files hold what was acknowledged, else what is wrong. */
	const char *(*check)(const char *folder, unsigned acknowledged);
};

/* sl_file_replace() of one name, each content longer than the one before. */
extern const struct workload workload_replace;

/* Direct writes with SL_FILE_DSYNC: new blocks, then over old ones. */
extern const struct workload workload_dsync;

/* A log of records that share blocks: write, sync. */
extern const struct workload workload_append;

/* sl_wal: several committers that share writes, in segments that are used again. Acknowledges
 * first that the log exists, then how many records are durable. */
extern const struct workload workload_log;

/* Uploads to sluice serve: a file replaced and a new one made, each round. */
extern const struct workload workload_put;

/* As append, without the sync. */
extern const struct workload workload_careless;

/* Given by the test: nr things are done, counted from 1. */
void workload_acknowledge(unsigned nr);

#endif
