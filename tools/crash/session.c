/* session.c: one crash test from the recording to the report; see session.h. */
#include "tools/crash/session.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/record.h"
#include "tools/crash/call.h"
#include "tools/crash/report.h"
#include "tools/term.h"

struct session {
	const struct crash_setting *setting;
	struct crash_trace *trace;
	struct crash_words *words;
	struct crash_record_report record;
	struct crash_fault faults[CLI_LIST_MAX]; /* with what they counted */
	struct crash_result result;
	struct term_progress progress;
};

/* -- signals ------------------------------------------------------------------------------- */

static volatile int signal_seen;

static void note_signal(int nr)
{
	signal_seen = nr;
}

void session_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = note_signal }, before;

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		/* Who ignores a signal (nohup) goes on ignoring it. */
		if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

const volatile int *session_stop(void)
{
	return &signal_seen;
}

int session_leave(int code)
{
	int nr = signal_seen;

	if (!nr)
		return code;
	fflush(stdout);
	signal(nr, SIG_DFL);
	raise(nr);
	return code;
}

/* -- the recording ------------------------------------------------------------------------- */

/* One recorder was asked for: why it cannot. */
static int say_this_recorder(const struct crash_setting *setting, const char *why)
{
	char what[64], cause[1024];

	snprintf(what, sizeof(what), "--recorder %s", setting->recorder);
	snprintf(cause, sizeof(cause), "%.*s", (int)strcspn(why, "\n"), why);
	return cli_fail(CLI_MACHINE, what, *cause ? cause : "cannot work here",
			"leave the option away for the best that can, and see LIMITS in "
			"sluice-crash(1)");
}

static int say_recorder(const struct crash_setting *setting,
			const struct crash_record_report *report)
{
	if (setting->recorder)
		return say_this_recorder(setting, report->why);
	cli_fail(CLI_MACHINE, "recording",
		 setting->faults_text.nr ?
			 "nothing that could record, and inject the faults, may work here" :
			 "nothing that could record may work here",
		 "see LIMITS in sluice-crash(1)");
	for (const char *at = report->why; *at; at += strcspn(at, "\n"), at += *at == '\n')
		fprintf(stderr, "  %.*s\n", (int)strcspn(at, "\n"), at);
	return CLI_MACHINE;
}

/* Not of the command, but of a file in its directory. */
static int say_unreadable(const struct crash_setting *setting, const char *path)
{
	char full[8192], remedy[8400];

	snprintf(full, sizeof(full), "%s/%s", setting->dir, path);
	snprintf(
		remedy, sizeof(remedy),
		"it is part of each state, so it must be read: run as who may, or leave it out, if "
		"it is no data of COMMAND, with --ignore '%s'",
		path);
	return cli_fail(CLI_MACHINE, full, strerror(EACCES), remedy);
}

static int say_record_error(const struct crash_setting *setting,
			    const struct crash_record_report *report, int err)
{
	switch (-err) {
	case ECANCELED:
		return CLI_IO;
	case EACCES:
		if (*report->unreadable)
			return say_unreadable(setting, report->unreadable);
		return cli_fail_errno(setting->argv[0], err, NULL);
	case EPERM:
		return say_recorder(setting, report);
	case ENOENT:
		return cli_fail(CLI_USAGE, setting->argv[0], strerror(ENOENT),
				"is the command in $PATH?");
	case EINVAL:
		return cli_fail(CLI_USAGE, "recording", strerror(EINVAL),
				"is $TMPDIR, where the copy is made, below the data directory?");
	default:
		return cli_fail_errno("recording", err, NULL);
	}
}

/* With --json standard output is the report's alone: what the program prints goes to standard
 * error. */
static int record_apart(const struct crash_setting *setting, const struct crash_record_opts *opts,
			struct session *s)
{
	int own = -1, err;

	fflush(stdout);
	if (setting->json) {
		own = dup(STDOUT_FILENO);
		if (own < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			return -errno;
	}
	err = crash_record(opts, s->trace, &s->record);
	if (own >= 0) {
		dup2(own, STDOUT_FILENO);
		close(own);
	}
	return err;
}

/* What a recorder appended in another process is seen by reading it all. */
static int reread(struct session *s)
{
	int fd = dup(crash_trace_fd(s->trace));

	crash_trace_close(s->trace);
	s->trace = NULL;
	return fd < 0 ? -errno : crash_trace_open_fd(fd, &s->trace);
}

static int record(struct session *s)
{
	const struct crash_setting *setting = s->setting;
	struct crash_trace_opts trace_opts = { .sector = (uint32_t)setting->sector };
	struct crash_record_opts opts = {
		.dir = setting->dir,
		.argv = setting->argv,
		.recorder = setting->recorder,
		.spread = setting->spread,
		.bytes_max = setting->limit_bytes,
		.timeout_ns = (int64_t)setting->timeout_ns,
		.faults = s->faults,
		.nr_faults = setting->faults_text.nr,
		.stdout_plain = strcmp(setting->acks, "path") == 0,
		.ignore = setting->ignore.value,
		.nr_ignore = setting->ignore.nr,
		.stop = session_stop(),
	};
	int err = crash_trace_create(setting->trace_path, &trace_opts, &s->trace);

	if (err == -EEXIST)
		return cli_fail(CLI_USAGE, setting->trace_path, "is there already",
				"use it with --from, or name another one");
	if (err)
		return cli_fail_errno(setting->trace_path ? setting->trace_path : "recording", err,
				      NULL);
	memcpy(s->faults, setting->faults, sizeof(s->faults));
	err = record_apart(setting, &opts, s);
	if (!err)
		err = reread(s);
	if (!err)
		return CLI_DONE;
	if (setting->trace_path)
		unlink(setting->trace_path);
	return say_record_error(setting, &s->record, err);
}

int session_read(const char *path, struct crash_trace **ret_trace)
{
	int err = crash_trace_open(path, ret_trace);

	switch (-err) {
	case 0:
		return CLI_DONE;
	case ENODATA:
		return cli_fail(CLI_USAGE, path, "the file is empty", "name a recording");
	case EILSEQ:
		return cli_fail(CLI_USAGE, path, "is no recording", "record one with --trace FILE");
	case EBADMSG:
		return cli_fail(CLI_IO, path, "the recording is damaged", "record it again");
	case EOPNOTSUPP:
		return cli_fail(CLI_USAGE, path, "the recording is of a later sluice",
				"use that one, or record it again");
	default:
		return cli_fail_errno(path, err, NULL);
	}
}

/* -- exploring ----------------------------------------------------------------------------- */

static void show_progress(const struct crash_progress *progress, void *ctx)
{
	struct session *s = ctx;
	char of[32] = "";

	if (progress->total && progress->total != UINT64_MAX)
		snprintf(of, sizeof(of), " of %" PRIu64, progress->total);
	term_progress(&s->progress,
		      "%s: %" PRIu64 "%s, %" PRIu64 " failing, %.0f s (Ctrl-C ends it)",
		      progress->phase, progress->done, of, progress->failed,
		      (double)progress->elapsed_ns / 1e9);
}

static int explore(struct session *s)
{
	const struct crash_setting *setting = s->setting;
	struct crash_explore_opts opts = {
		.profile = setting->profile,
		.classes = setting->classes,
		.check = setting->command ? setting->command : setting->check,
		.check_so = setting->check_so,
		.timeout_ns = setting->check_timeout_ns,
		.states_max = setting->states_max,
		.time_ns = setting->time_ns,
		.jobs = (uint32_t)setting->jobs,
		.bytes_max = setting->memory_bytes,
		.recover = setting->recover,
		.mutate = setting->mutate,
		.keep = setting->keep,
		.ignore = setting->ignore.value,
		.recorder = setting->check_so ? call_argv(setting->check_so) : NULL,
		.progress = show_progress,
		.ctx = s,
		.stop = session_stop(),
	};
	int err;

	fflush(stdout);
	term_progress_begin(&s->progress, false);
	err = crash_explore(s->trace, setting->dir, &opts, &s->result);
	term_progress_end(&s->progress);
	if (!err)
		return CLI_DONE;
	if (err == -EINVAL || err == -ENOENT || err == -EILSEQ)
		return cli_fail(CLI_USAGE, "exploring", s->result.error, NULL);
	if (*s->result.error)
		return cli_fail(err == -EPERM || err == -ENOMEM ? CLI_MACHINE : CLI_IO, "exploring",
				s->result.error, NULL);
	return cli_fail_errno("exploring", err, NULL);
}

static int tell(struct session *s, bool *ret_told)
{
	const struct crash_setting *setting = s->setting;
	struct crash_report report = {
		.setting = setting,
		.trace = s->trace,
		.words = s->words,
		.record = setting->from ? NULL : &s->record,
		.faults = s->faults,
		.result = &s->result,
	};
	int written = CLI_DONE, code;

	crash_report_begin(&report);
	code = crash_report_code(&report);
	*ret_told = true;
	if (setting->json)
		written = crash_report_json(&report);
	else
		crash_report_text(&report);
	if (setting->html && !written)
		written = crash_report_html(&report, setting->html);
	crash_report_end(&report);
	return written ? written : code;
}

int session_run(const struct crash_setting *setting, bool *ret_told)
{
	struct session s = { .setting = setting };
	int code = setting->from ? session_read(setting->from, &s.trace) : record(&s);

	if (!code && crash_words_create(s.trace, &s.words))
		code = cli_fail_errno("memory", ENOMEM, NULL);
	if (!code) {
		code = explore(&s);
		if (!code)
			code = tell(&s, ret_told);
		crash_result_release(&s.result);
	}
	crash_words_destroy(s.words);
	crash_trace_close(s.trace);
	return code;
}
