/* compare.h: two saved runs against each other: what has become faster or slower. */
#ifndef SLUICE_TOOLS_BENCH_COMPARE_H
#define SLUICE_TOOLS_BENCH_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "jsonread.h"

/**
 * compare_load - read a saved run.
 * @path: a file written by --save or --json.
 * @ret_run: the run, to be freed with jsonread_free().
 *
 * Return: 0; -errno of opening or reading; -EILSEQ, -E2BIG: no JSON; -EBADMSG: JSON, but no run
 * of ours.
 */
int compare_load(const char *path, struct jsonread **ret_run);

/**
 * compare_is_run - whether a tree is a saved run.
 * @run: may be NULL.
 *
 * Return: true when its members are those of docs/json/bench.md, schema 1.
 */
bool compare_is_run(const struct jsonread *run);

/**
 * compare_print - print what has changed, for people.
 * @out: a terminal or a file.
 * @before: the earlier run.
 * @after: the later one.
 *
 * Return: true when a contender that was recommended before takes more CPU now, by the interval.
 */
bool compare_print(FILE *out, const struct jsonread *before, const struct jsonread *after);

/**
 * compare_json - write what has changed as one JSON object.
 * @out: receives nothing else.
 * @before: the earlier run.
 * @after: the later one.
 * @ret_worse: as compare_print() returns.
 *
 * Return: 0 or -EIO.
 */
int compare_json(FILE *out, const struct jsonread *before, const struct jsonread *after,
		 bool *ret_worse);

#endif
