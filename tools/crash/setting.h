/* setting.h: what a crash test was asked to do: the options as given, and what they come to. */
#ifndef SLUICE_TOOLS_CRASH_SETTING_H
#define SLUICE_TOOLS_CRASH_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/fault.h"
#include "tools/cli.h"

struct crash_setting {
	/* as given; a string that is NULL was not */
	const char *profile;
	const char *dir;
	const char *check; /* exactly one of the three, but for a replay */
	const char *check_so;
	const char *checker;
	const char *budget;
	const char *classes_text;
	const char *keep;
	const char *trace;
	const char *from;
	const char *replay;
	const char *into;
	const char *html;
	const char *recorder;
	const char *acks;
	struct cli_list faults_text;
	struct cli_list ignore;
	uint64_t timeout_ns;
	uint64_t check_timeout_ns;
	uint64_t jobs;
	uint64_t sector;
	uint64_t limit_bytes;
	uint64_t memory_bytes;
	bool json;
	bool recover;
	bool spread;
	bool mutate;
	char *const *argv; /* the command; NULL with from */

	/* what they come to */
	uint64_t states_max;
	uint64_t time_ns;
	unsigned classes;
	struct crash_fault faults[CLI_LIST_MAX];
	char *left_out[3]; /* patterns of what is ours, in ignore too */
	uint32_t nr_left_out;
	char *command;	  /* the built-in checker's, for sh -c */
	char *trace_path; /* where the recording is kept or was read from; NULL: nowhere */
};

/* Looks at the options: CLI_DONE, or an exit code after it was said what is wrong. End it in any
 * case. */
int setting_begin(struct crash_setting *setting);
void setting_end(struct crash_setting *setting);

#endif
