/* meter.h: what one block cost: wall clock, CPU of the whole process, and what else moved. */
#ifndef SLUICE_TOOLS_BENCH_METER_H
#define SLUICE_TOOLS_BENCH_METER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/**
 * struct meter_cell - one contender's block in one round, per operation where it says so.
 *
 * @cpu_ns: CPU time per operation of all threads of the process: worker threads of glibc and of
 *          io_uring and its submission thread are among them; NaN where the contender did not run.
 * @wall_ns: wall time per operation; NaN likewise.
 * @receiver_ns: CPU time of the excluded thread per operation; NaN where there is none.
 * @calls: system calls per operation.
 * @switches: voluntary and involuntary context switches per operation.
 * @cache_bytes: growth of the file's part of the page cache over the block.
 * @preempted: involuntary switches in the block.
 */
struct meter_cell {
	double cpu_ns;
	double wall_ns;
	double receiver_ns;
	double calls;
	double switches;
	int64_t cache_bytes;
	uint64_t preempted;
};

/**
 * struct meter - a measurement in progress.
 *
 * @excluded: clock of a thread whose CPU is not the contender's (the receiver of a socket); it is
 *            counted by itself.
 */
struct meter {
	clockid_t excluded;
	bool has_excluded;
	/* private: */
	uint64_t wall_ns, cpu_ns, excluded_ns, voluntary, involuntary;
};

/**
 * meter_start - read all clocks.
 * @m: @excluded and @has_excluded are set by the caller.
 */
void meter_start(struct meter *m);

/**
 * meter_stop - read all clocks again.
 * @m: then holds the differences.
 */
void meter_stop(struct meter *m);

/**
 * meter_device_bytes - what the process has read from block devices so far.
 *
 * Return: read_bytes of /proc/self/io, or -errno.
 */
int64_t meter_device_bytes(void);

#endif
