/* record_support.h: recording this very program, what it did, and what a trace makes of it. */
#ifndef SLUICE_TESTS_CRASH_RECORD_SUPPORT_H
#define SLUICE_TESTS_CRASH_RECORD_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/record.h"

/**
 * record_main() - run one of the programs instead of the tests.
 * @argc: of main().
 * @argv: "--do NAME" runs it in the current directory.
 *
 * Return: its exit status, or -1 when there is no "--do".
 */
int record_main(int argc, char **argv);

/* A recording that a test holds: its data directory, a scratch directory, the trace. */
struct recording {
	char dir[4096];
	char scratch[4096];
	char self[4096];
	struct crash_record_opts opts;
	struct crash_trace_opts trace_opts;
	struct crash_trace *trace;
	struct crash_record_report report;
	int err;
	char *argv[4];
};

/* Fresh directories, the program's name, quiet output. */
void recording_begin(struct recording *recording, const char *program);
void recording_set_program(struct recording *recording, const char *program);
/* Records; skips the test if no recorder may work here. */
void recording_run(struct recording *recording);
/* The program ended well, and the recording too. */
void recording_assert_good(const struct recording *recording);
void recording_end(struct recording *recording);

/* The nth op (from 0) of a code, or NULL. */
const struct crash_op *recording_find(const struct recording *recording, uint32_t code,
				      unsigned nth);
unsigned recording_count(const struct recording *recording, uint32_t code);
/* The op's payload is this text. */
bool recording_says(const struct recording *recording, const struct crash_op *op, const char *text);
/* The acknowledgement of this line; fails the test if there is none. */
const struct crash_op *recording_ack(const struct recording *recording, const char *line);

/* The digest of a fresh directory in which the trace's ops were done, its base first. */
uint64_t recording_replay(const struct recording *recording);

/* All names, kinds, sizes and bytes below a directory in one number. */
uint64_t digest_dir(const char *dir);

#endif
