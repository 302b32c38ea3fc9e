/* suite.h - what every test of the contract uses: the ring under test, descriptors, a trace. */
#ifndef SLUICE_TESTS_CONTRACT_SUITE_H
#define SLUICE_TESTS_CONTRACT_SUITE_H

#include "harness.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sluice/sim.h>
#include <sluice/sluice.h>

/* What a test needs beyond the groups it names. */
enum need {
	ON_KERNEL = 1 << 0,	  /* real descriptors, threads or signals */
	ON_MEMORY = 1 << 1,	  /* the deterministic backend: exact times and orders */
	ON_PLAIN_MEMORY = 1 << 2, /* ... without options of its own */
	NEEDS_RING_FD = 1 << 3,
	AS_SELECT = 1 << 4,  /* the select backend alone */
	ON_NOTHING = 1 << 5, /* opens its own rings: runs once, as "selection" */
};

/* A test: its name is a sentence; it runs in a process of its own. */
struct contract_test {
	const char *name;
	CMUnitTestFunction run;
	uint32_t groups;
	uint32_t needs;
};

struct contract_group {
	const struct contract_test *tests;
	size_t nr;
};

#define CORE	SL_GROUP_CORE
#define BLOCK	SL_GROUP_BLOCK
#define FILES	SL_GROUP_FILE
#define NAME	SL_GROUP_NAME
#define NET	SL_GROUP_NET
#define PROCESS SL_GROUP_PROCESS

#define T(name, groups, needs)             \
	{                                  \
#name, name, groups, needs \
	}
#define GROUP(tests)                                      \
	{                                                 \
		tests, sizeof(tests) / sizeof((tests)[0]) \
	}

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define MS	  INT64_C(1000000)
#define SECOND	  (1000 * MS)
#define HOUR	  (3600 * SECOND)

/* ---- the backend under test ------------------------------------------------------ */

const char *backend_name(void);
/* What to ask sl_ring_open() for. */
const char *backend_option(void);
void backend_choose(const char *name);
/* No kernel behind it: the double, or the simulator. */
bool on_memory(void);
bool on_sim(void);

/* Options for the memory backend (see memory_backend.h), before a ring opens. */
void memory_wants(const char *options);

/* Opens a ring on the backend under test and nothing else; fills in the backend. */
int ring_try(const struct sl_ring_opts *opts, struct sl_ring **ret_ring);
struct sl_ring *ring_open(unsigned depth);
struct sl_ring *ring_open_with(const struct sl_ring_opts *opts);

/* Turns until nothing is in flight; finished ops without callback are collected. */
void ring_settle(struct sl_ring *ring);
/* Turns until *nr reaches at_least. */
void ring_until(struct sl_ring *ring, const unsigned *nr, unsigned at_least);
struct sl_ring_stats ring_stats(const struct sl_ring *ring);

/* Submits and expects 0. */
void submit(struct sl_ring *ring, struct sl_op *op);
/* Submits, expects 0, runs, and expects res. */
void expect_res(struct sl_ring *ring, struct sl_op *op, int64_t res);

/* ---- the trace: what completed, in order ------------------------------------------ */

#define TRACE_MAX 4096

struct trace_entry {
	struct sl_op *op;
	int64_t res;
	uint64_t done_len;
	uint8_t more;
};

struct trace {
	unsigned nr;	/* completions */
	unsigned ended; /* those with more == 0 */
	struct trace_entry at[TRACE_MAX];
};

extern struct trace trace;

/* A callback that writes the trace. */
void note(struct sl_ring *ring, struct sl_op *op);
void trace_reset(void);
/* The place of the last completion of op, which must have exactly one end. */
unsigned trace_place(const struct sl_op *op);

/* ---- descriptors, of the kernel or of the memory backend ---------------------------- */

int world_file(void);				     /* an empty file, read and write */
int world_open(const char *name, int flags);	     /* in the directory of the test, or -errno */
int world_dir(void);				     /* that directory, to read */
void world_pair(int ret_fds[2]);		     /* two connected streams */
void world_close(int fd);			     /* close(2), behind the ring's back */
void world_put(int fd, const void *buf, size_t len); /* all of it, from outside */
size_t world_take(int fd, void *buf, size_t len);    /* what is there */
/* Fills the stream until it takes no more; returns the bytes. */
size_t world_clog(int fd);
int world_bad_fd(void); /* a number that is no descriptor */

/* ---- the rest ----------------------------------------------------------------------- */

/* Fresh directory on a real file system, gone after the run. */
const char *test_dir(void);
int test_file(const char *name, int flags); /* created there, 0600 */
unsigned open_descriptors(void);
/* Runs fn in a child and returns its wait status's exit code; -1 if killed. */
int in_child(int (*fn)(void *ctx), void *ctx);
/* Sleeps; for the order of things far apart only, never to measure. */
void pause_ms(unsigned ms);
/* A pattern that tells every position apart. */
void pattern(void *buf, size_t len, uint64_t seed);
uint64_t hash_bytes(uint64_t hash, const void *buf, size_t len);

/* What a test says of the SIGPIPEs it has seen; see signal.c. */
void sigpipe_watch(void);
void sigpipe_expect_none(void);

/* Lines the log callback was told. */
struct log_lines {
	unsigned nr;
	char text[32][512];
	int level[32];
};
sl_log_fn log_keep;
/* In whatever case. */
bool log_has(const struct log_lines *lines, const char *word);

/* ---- the groups ----------------------------------------------------------------------- */

extern const struct contract_group core_tests, opts_tests, turn_tests, refuse_tests, timer_tests,
	poll_tests, work_tests, deadline_tests, cancel_tests, chain_tests, park_tests, class_tests,
	stats_tests, block_tests, disk_tests, direct_tests, file_tests, name_tests, close_tests,
	lock_tests, net_tests, sendfile_tests, accept_tests, zerocopy_tests, pooled_tests,
	buf_tests, keep_tests, process_tests, signal_tests, thread_tests, post_tests,
	shutdown_tests, fork_tests, noalloc_tests, embed_tests, seam_tests, random_tests,
	random_name_tests, random_kernel_tests, selection_tests;

#endif
