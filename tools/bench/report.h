/* report.h: what a run found, and the three ways of showing it: terminal, JSON, HTML. */
#ifndef SLUICE_TOOLS_BENCH_REPORT_H
#define SLUICE_TOOLS_BENCH_REPORT_H

#include <stdio.h>

#include "field.h"
#include "machine.h"
#include "noise.h"
#include "plan.h"

/**
 * struct report - a whole run.
 *
 * @path: what was tested, as the user named it.
 * @fields: one per workload, in the plan's order; @nr of them have run.
 * @command: the command line, for reproduction.
 */
struct report {
	const char *path;
	const char *command;
	struct bench_machine machine;
	struct noise noise;
	uint64_t file_bytes;
	bool file_is_ours;
	uint64_t seed;
	double seconds;
	struct field *fields;
	size_t nr;
};

/**
 * bench_report_table_head - print where the run takes place.
 * @out: a terminal or a file; styles are used on a terminal only.
 * @r: its machine and file are filled in.
 */
void bench_report_table_head(FILE *out, const struct report *r);

/**
 * bench_report_table_field - print one workload's table and advice.
 * @out: as above.
 * @f: scored.
 */
void bench_report_table_field(FILE *out, const struct field *f);

/**
 * bench_report_table_foot - print the summary: one line per workload.
 * @out: as above.
 * @r: complete.
 */
void bench_report_table_foot(FILE *out, const struct report *r);

/**
 * bench_report_json - write the run as one JSON object (docs/json/bench.md).
 * @out: receives nothing else.
 * @r: complete.
 *
 * Return: 0 or -EIO.
 */
int bench_report_json(FILE *out, const struct report *r);

/**
 * bench_report_html - write the run as one self-contained page.
 * @out: receives nothing else.
 * @r: complete.
 *
 * Return: 0 or -EIO.
 */
int bench_report_html(FILE *out, const struct report *r);

#endif
