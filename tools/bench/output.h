/* output.h: where a run goes: to the terminal, into files, against an earlier run. */
#ifndef SLUICE_TOOLS_BENCH_OUTPUT_H
#define SLUICE_TOOLS_BENCH_OUTPUT_H

#include "jsonread.h"
#include "report.h"

/**
 * struct output - what the user has asked for.
 *
 * @json: one JSON object on stdout and nothing else.
 * @html_path, @save_path: files to write as well, or NULL.
 * @compare_path: an earlier run, or NULL; @before is that run once output_load() has read it.
 */
struct output {
	bool json;
	const char *html_path, *save_path, *compare_path;
	struct jsonread *before;
};

/**
 * output_load - read the earlier run, if there is one to compare with.
 * @o: @before is written.
 *
 * Return: CLI_DONE, or another exit code with the error said.
 */
int output_load(struct output *o);

/**
 * output_check - see whether the files can be written.
 * @o: borrowed.
 *
 * Half a minute of work must not end at a path that could never be written.
 *
 * Return: CLI_DONE, or another exit code with the error said.
 */
int output_check(const struct output *o);

/**
 * output_write - end a run: print what is left to print, write the files, compare.
 * @o: loaded and checked.
 * @r: complete; its workloads' tables are printed already unless @o->json.
 *
 * Return: the exit code: CLI_BAD when nothing could be decided or something became worse.
 */
int output_write(const struct output *o, const struct report *r);

/**
 * output_compare - compare two saved runs and run nothing.
 * @o: its @compare_path is the earlier one.
 * @after_path: the later one.
 *
 * Return: the exit code.
 */
int output_compare(struct output *o, const char *after_path);

#endif
