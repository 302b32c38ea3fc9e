/*
 * crash_states.c - how many crash states a second are made and checked.
 *
 * A recorded program of a few small files: rounds of a write-ahead log, an update in
 * place and a replaced file, each with its syncs and acknowledgements. It is explored with a
 * checker that reads every file: as a function in process, and as a command by fork and exec. The
 * wall clock counts, of all processors together; the processor time of a state says what is
 * left of it on a busy machine.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/explore.h"

#define ROUNDS 60
#define RUNS   5

enum {
	LOG = 2,
	PAGES,
	CONFIG
};

static void put(struct crash_trace *trace, struct crash_op op, const void *data)
{
	op.begin = crash_trace_now(trace);
	op.pid = 1;
	if (crash_trace_append(trace, &op, data)) {
		fprintf(stderr, "crash_states: the trace cannot be written\n");
		exit(1);
	}
}

static void put_new(struct crash_trace *trace, uint64_t inode, const char *name)
{
	put(trace,
	    (struct crash_op){ .code = CRASH_CREATE,
			       .inode = inode,
			       .dir = CRASH_ROOT,
			       .name = name,
			       .mode = S_IFREG | 0644 },
	    NULL);
}

static void put_write(struct crash_trace *trace, uint64_t inode, uint64_t off, char letter,
		      uint32_t len)
{
	char bytes[4096];

	memset(bytes, letter, sizeof(bytes));
	bytes[15] = '\n'; /* the shell reads lines byte by byte */
	put(trace,
	    (struct crash_op){ .code = CRASH_WRITE,
			       .inode = inode,
			       .off = off,
			       .len = len,
			       .data_len = len,
			       .res = (int32_t)len },
	    bytes);
}

static void put_sync(struct crash_trace *trace, uint64_t inode)
{
	put(trace, (struct crash_op){ .code = CRASH_SYNC, .inode = inode }, NULL);
}

/* One transaction: the log, the page, and now and then a new configuration. */
static void put_round(struct crash_trace *trace, unsigned round)
{
	char ack[32];
	int len = snprintf(ack, sizeof(ack), "round %u", round);
	char letter = (char)('a' + round % 26);

	put_write(trace, LOG, round * 600, letter, 600);
	put_sync(trace, LOG);
	put_write(trace, PAGES, round % 8 * 4096, letter, 4096);
	put(trace, (struct crash_op){ .code = CRASH_ACK, .data_len = (uint32_t)len }, ack);
	if (round % 4)
		return;
	put_new(trace, 100 + round, "config.new");
	put_write(trace, 100 + round, 0, letter, 1000);
	put_sync(trace, 100 + round);
	put(trace,
	    (struct crash_op){ .code = CRASH_RENAME,
			       .inode = 100 + round,
			       .dir = CRASH_ROOT,
			       .name = "config.new",
			       .dir2 = CRASH_ROOT,
			       .name2 = "config" },
	    NULL);
	put_sync(trace, CRASH_ROOT);
}

static struct crash_trace *make_trace(void)
{
	struct crash_trace *trace;

	if (crash_trace_create(NULL, NULL, &trace)) {
		fprintf(stderr, "crash_states: no trace\n");
		exit(1);
	}
	put_new(trace, LOG, "log");
	put_new(trace, PAGES, "pages");
	put_new(trace, CONFIG, "config");
	put_sync(trace, CRASH_ROOT);
	for (unsigned round = 0; round < ROUNDS; round++)
		put_round(trace, round);
	return trace;
}

static double cpu_us(int who)
{
	struct rusage used;

	getrusage(who, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static double rate(const struct crash_trace *trace, const char *dir,
		   const struct crash_explore_opts *opts, uint64_t *ret_distinct)
{
	struct crash_result result;
	int err = crash_explore(trace, dir, opts, &result);
	double rate = (double)result.distinct / ((double)result.elapsed_ns / 1e9);

	if (err || result.failing_nr) {
		fprintf(stderr, "crash_states: %s\n",
			err ? result.error : "the checker is not content");
		exit(1);
	}
	*ret_distinct = result.distinct;
	crash_result_release(&result);
	return rate;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, const struct crash_trace *trace, const char *dir,
		    const struct crash_explore_opts *opts, double wanted)
{
	double rates[RUNS], us = -cpu_us(RUSAGE_SELF) - cpu_us(RUSAGE_CHILDREN);
	uint64_t distinct = 0;

	for (unsigned i = 0; i < RUNS; i++)
		rates[i] = rate(trace, dir, opts, &distinct);
	us += cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
	qsort(rates, RUNS, sizeof(rates[0]), compare);
	printf("%-28s %8.0f states/s (%.0f .. %.0f), want >= %.0f; ", name, rates[RUNS / 2],
	       rates[0], rates[RUNS - 1], wanted);
	printf("%llu states, %.0f us of processor each\n", (unsigned long long)distinct,
	       us / RUNS / (double)distinct);
}

int main(void)
{
	static const char *const profiles[] = { "posix", "ext4" };
	char dir[] = "/var/tmp/sluice-bench-XXXXXX", name[64];
	struct crash_trace *trace = make_trace();

	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct crash_explore_opts opts = {
			.profile = profiles[i],
			.check_so = CHECKER_SO ":check",
			.states_max = 20000,
		};

		snprintf(name, sizeof(name), "%s, in process", profiles[i]);
		measure(name, trace, dir, &opts, 5000);
		opts.check_so = NULL;
		opts.check = "if test -e config; then read -r line <config; fi; :";
		opts.states_max = 1000;
		snprintf(name, sizeof(name), "%s, by fork and exec", profiles[i]);
		measure(name, trace, dir, &opts, 500);
	}
	crash_trace_close(trace);
	rmdir(dir);
	return 0;
}
