/* fio.h: fio as a contender: one run of it, and what it cost. */
#ifndef SLUICE_BENCH_FIO_H
#define SLUICE_BENCH_FIO_H

#include <stdbool.h>
#include <stdint.h>

#include "pairs.h"

/**
 * struct fio_job - how to call it.
 * @options: command line after the program's name; borrowed.
 */
struct fio_job {
	const char *options;
};

/**
 * fio_found - whether there is a fio to run.
 *
 * $BENCH_PEER is the program that finds and runs unpacked peers; without it, $PATH counts.
 *
 * Return: true when it answers.
 */
bool fio_found(void);

/**
 * fio_run - run a job, once; a contender's run().
 * @ctx: a struct fio_job.
 * @ret_cost: CPU time and wall time per request.
 *
 * CPU time is what fio says about its own thread, over the time of the job: loading,
 * parsing options and laying out memory are not held against it.
 *
 * Return: 0, or -1.
 */
int fio_run(void *ctx, struct pairs_cost *ret_cost);

#endif
