/* SPDX-License-Identifier: MIT */
/*
 * copy.h - a whole copy of the directory, for recorders that are no file system themselves.
 *
 *	SCRATCH/data	the copy
 *	SCRATCH/ack	acknowledgements
 *	SCRATCH/out	the program's standard output
 */
#ifndef SLUICE_CRASH_COPY_H
#define SLUICE_CRASH_COPY_H

#include "crash/inodes.h"
#include "crash/record.h"
#include "crash/scratch.h"
#include "crash/tree.h"

struct crash_copy {
	struct scratch scratch;
	struct tree tree;     /* of the directory, numbered as in the trace */
	struct inodes inodes; /* of the copy */
	uint64_t dev;
	uint64_t bytes; /* of its files, at first */
	int data_fd;
	char dir[TREE_PATH_MAX];  /* the directory, absolute and without links */
	char data[TREE_PATH_MAX]; /* the copy */
	char ack[TREE_PATH_MAX];
	char out[TREE_PATH_MAX];
};

/* 0; -ENOSPC: larger than opts->bytes_max; as scratch_open(), crash_base_load(), or -errno of the
 * copying. crash_copy_remove() takes what failed too. */
int crash_copy_make(struct crash_copy *copy, const struct crash_record_opts *opts,
		    struct crash_record_report *report);
void crash_copy_remove(struct crash_copy *copy);

#endif
