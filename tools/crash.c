/* sluice crash: runs a program, then shows what a power cut could leave of its files, and whether
 * that is fine. */
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/crash/calibrate.h"
#include "tools/crash/call.h"
#include "tools/crash/session.h"
#include "tools/json.h"

#define SECOND UINT64_C(1000000000)

static const char notes[] =
	"COMMAND runs once, on a copy of the data directory that it sees at the same path. Then\n"
	"the states that a power cut at any moment could leave are made, one directory each, and\n"
	"CMD looks at every one: it runs by sh -c in that directory (also $SLUICE_STATE), with\n"
	"what was acknowledged by then on standard input and in the file $SLUICE_ACKS, a line\n"
	"each, and says by exit 0 that the state is fine.\n\n"
	"An acknowledgement is a line that COMMAND prints, or writes to DIR/.sluice/ack, or gives\n"
	"to sl_crash_ack(). Without any, only consistency is tested.\n\n"
	"`sluice crash calibrate` compares the profiles with this kernel's file systems.\n\n"
	"Exit codes here: 0 no failing state, 1 at least one, 2 wrong usage or nothing tested,\n"
	"3 not permitted here, 4 an I/O error.";

static const char example[] =
	"sluice crash --check './check.sh' -- ./my-program\n"
	"sluice crash --profile ext4 --dir data --checker sqlite3:app.db -- ./load.sh\n"
	"sluice crash --mutate --budget 2m --html report.html --check ./check -- ./prog\n"
	"sluice crash --fault sync:1:EIO --check ./check -- ./prog\n";

static struct crash_setting setting = {
	.profile = "posix",
	.dir = ".",
	.acks = "stdout",
	.sector = 512,
};

static const struct cli_option table[] = {
	{ "check", CLI_STRING, &setting.check, "CMD",
	  "sh command that says whether a state is fine" },
	{ "check-so", CLI_STRING, &setting.check_so, "LIB:FUNC",
	  "a C function that does, much faster" },
	{ "checker", CLI_STRING, &setting.checker, "NAME[:PATH]",
	  "sqlite3, git, redis, lmdb or leveldb" },
	{ "profile", CLI_STRING, &setting.profile, "NAME", "posix (default), ext4, xfs or btrfs" },
	{ "dir", CLI_STRING, &setting.dir, "DIR", "the program's data (default: this directory)" },
	{ "budget", CLI_STRING, &setting.budget, "N|TIME",
	  "most states, or how long (default 10000)" },
	{ "mutate", CLI_FLAG, &setting.mutate, NULL,
	  "which syncs are needed: take away each in turn" },
	{ "recover", CLI_FLAG, &setting.recover, NULL, "crash the checker's recovery too" },
	{ "fault", CLI_LIST, &setting.faults_text, "SPEC",
	  "fail calls: read|write|sync:N:KIND[:GLOB]" },
	{ "json", CLI_FLAG, &setting.json, NULL, "print one JSON object and nothing else" },
	{ "html", CLI_STRING, &setting.html, "FILE", "write the report as a page, too" },
	{ "keep", CLI_STRING, &setting.keep, "DIR", "keep the recording and the failing states" },
	{ "trace", CLI_STRING, &setting.trace, "FILE", "keep the recording" },
	{ "from", CLI_STRING, &setting.from, "FILE", "test a recording that was kept" },
	{ "replay", CLI_STRING, &setting.replay, "ID", "make this state of --from again" },
	{ "into", CLI_STRING, &setting.into, "DIR", "where (default: ID, in this directory)" },
	{ "acks", CLI_STRING, &setting.acks, "stdout|path",
	  "path: printed lines are no acknowledgements" },
	{ "ignore", CLI_LIST, &setting.ignore, "GLOB", "files that are no data; again for more" },
	{ "classes", CLI_STRING, &setting.classes_text, "LIST", "kinds of states, for experts" },
	{ "sector", CLI_COUNT, &setting.sector, "BYTES", "what a disk writes whole: 512 or 4096",
	  512, 4096 },
	{ "recorder", CLI_STRING, &setting.recorder, "NAME",
	  "fuse, seccomp or ring (default: the best)" },
	{ "spread", CLI_FLAG, &setting.spread, NULL,
	  "let COMMAND use all processors while it is recorded" },
	{ "timeout", CLI_DURATION, &setting.timeout_ns, "TIME", "end COMMAND then (default 10m)", 1,
	  86400 * SECOND },
	{ "check-timeout", CLI_DURATION, &setting.check_timeout_ns, "TIME",
	  "a checker that takes longer fails (default 10s)", 1, 3600 * SECOND },
	{ "jobs", CLI_COUNT, &setting.jobs, "N", "checkers at once (default: one a processor)", 1,
	  64 },
	{ "limit", CLI_SIZE, &setting.limit_bytes, "SIZE", "of the copied directory (default 8G)",
	  4096, 0 },
	{ "memory", CLI_SIZE, &setting.memory_bytes, "SIZE",
	  "for contents, the rest is on disk (default 1G)", 1 << 20, 0 },
	{ NULL },
};

/* Before the command's own words, of which any may be called as ours. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

/* Who asked for one JSON object gets one, when there is no report, too. */
static int tell_error(int code)
{
	struct json_writer json;

	json_begin(&json, stdout);
	json_open_object(&json, NULL);
	json_string(&json, "error", cli_failure());
	json_int(&json, "exit", code);
	json_close_object(&json);
	json_end(&json);
	return code;
}

static int run(void)
{
	bool told = false;
	int code;

	session_catch_signals();
	code = setting_begin(&setting);
	if (!code)
		code = setting.replay ? session_replay(&setting) : session_run(&setting, &told);
	setting_end(&setting);
	return setting.json && code && !told && !*session_stop() ? tell_error(code) : code;
}

int crash_main(int argc, char **argv)
{
	const struct cli_command command = {
		.name = "crash",
		.summary = "what a power cut could leave of a program's files, and is it fine",
		.operands = "[--] COMMAND [ARG]...",
		.operands_max = argc,
		.operands_last = true,
		.options = table,
		.notes = notes,
		.example = example,
	};
	int code, first;

	if (argc > 1 && strcmp(argv[1], "calibrate") == 0)
		return calibrate_main(argc - 1, argv + 1);
	if (call_is_asked(argc, argv, &code))
		return code;
	first = cli_parse(&command, argc, argv, &code);
	if (first < 0)
		return code && asks_for_json(argc, argv) ? tell_error(code) : code;
	setting.argv = first < argc ? argv + first : NULL;
	return session_leave(run());
}
