/* SPDX-License-Identifier: MIT */
/* session.c - the command's surroundings, its limits and its end; see session.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/session.h"
#include "sys/clock.h"

#define TIMEOUT_NS     (INT64_C(600) * 1000000000)
#define ENDING_TICK_MS 2

extern char **environ;

/* ---- paths ----------------------- */

/* Whether text is the directory or below it, by its absolute path. */
static bool begins_with_dir(const struct session *session, const char *text)
{
	size_t len = strlen(session->copy.dir);

	return !strncmp(text, session->copy.dir, len) && (text[len] == '/' || !text[len]);
}

/* text, or where what it names is shown; to be freed. */
static char *show(const struct session *session, const char *text)
{
	const char *rest = text + strlen(session->copy.dir);
	char *shown;

	if (!begins_with_dir(session, text))
		return strdup(text);
	return asprintf(&shown, "%s%s", session->shown, rest) < 0 ? NULL : shown;
}

static int find_cwd(struct session *session)
{
	char cwd[TREE_PATH_MAX];
	char *shown;

	if (!getcwd(cwd, sizeof(cwd)))
		return -errno;
	shown = show(session, cwd);
	if (!shown)
		return -ENOMEM;
	snprintf(session->cwd, sizeof(session->cwd), "%s", shown);
	free(shown);
	return 0;
}

/* ---- arguments and environment ----------------------- */

static void free_list(char ***list)
{
	for (char **at = *list; at && *at; at++)
		free(*at);
	free(*list);
	*list = NULL;
}

/* A copy with room for more at the end, each through change. */
static char **copy_list(const struct session *session, char *const *list, size_t more,
			char *(*change)(const struct session *session, const char *text))
{
	size_t nr = 0;
	char **copy;

	while (list[nr])
		nr++;
	copy = calloc(nr + more + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < nr; i++) {
		copy[i] = change(session, list[i]);
		if (!copy[i])
			free_list(&copy);
	}
	return copy;
}

/* "NAME=value". */
static char *show_variable(const struct session *session, const char *text)
{
	const char *value = strchr(text, '=');
	char *shown, *both;
	int n;

	if (!value)
		return strdup(text);
	shown = show(session, value + 1);
	if (!shown)
		return NULL;
	n = asprintf(&both, "%.*s=%s", (int)(value - text), text, shown);
	free(shown);
	return n < 0 ? NULL : both;
}

/* Takes value over. */
static int set_variable(char **envp, const char *name, char *value)
{
	size_t len = strlen(name);
	char *both;
	int n;

	if (!value)
		return -ENOMEM;
	n = asprintf(&both, "%s=%s", name, value);
	free(value);
	if (n < 0)
		return -ENOMEM;
	while (*envp && (strncmp(*envp, name, len) != 0 || (*envp)[len] != '='))
		envp++;
	free(*envp);
	*envp = both;
	return 0;
}

static int make_surroundings(struct session *session, const char *name, session_variable *value,
			     void *ctx)
{
	int err;

	session->shown = session->run.hidden ? session->copy.dir : session->copy.data;
	free_list(&session->argv);
	free_list(&session->envp);
	session->argv = copy_list(session, session->opts->argv, 0, show);
	session->envp = copy_list(session, environ, 3, show_variable);
	if (!session->argv || !session->envp)
		return -ENOMEM;
	err = find_cwd(session);
	if (!err)
		err = set_variable(session->envp, CRASH_ACK_VARIABLE, strdup(session->copy.ack));
	if (!err)
		err = set_variable(session->envp, SESSION_DIR_VARIABLE, strdup(session->shown));
	if (!err && name)
		err = set_variable(session->envp, name, value(session, ctx));
	return err;
}

/* ---- starting ----------------------- */

int session_prepare(struct session *session, const struct crash_record_opts *opts,
		    struct crash_trace *trace, struct crash_record_report *report)
{
	const struct sock_fprog *filter = session->filter;

	*session = (struct session){
		.opts = opts,
		.trace = trace,
		.report = report,
		.filter = filter,
		.run = { .control = -1 },
		.listener = -1,
	};
	return crash_copy_make(&session->copy, opts, report);
}

/* Waits for the first message: 0 at RUN_READY, -EPERM when this way is barred. */
static int await_ready(struct session *session)
{
	struct init_message message = { 0 };
	int fd, got = init_receive(session->run.control, &message, &fd);

	if (fd >= 0)
		close(fd);
	if (got == 1 && message.kind == RUN_READY)
		return 0;
	crash_record_why(session->report, "%s: cannot %s: %s",
			 session->opts->recorder ? session->opts->recorder : "seccomp",
			 run_step_name(message.step),
			 got == 1 ? strerror(-message.value) : "it ended");
	session_end(session, NULL, NULL);
	return message.step == RUN_STEP_CHDIR ? message.value : -EPERM;
}

static int start_once(struct session *session, bool hide, const char *name, session_variable *value,
		      void *ctx)
{
	struct run_opts opts = { .hide = hide, .filter = session->filter };
	int err;

	session->run.hidden = hide;
	err = make_surroundings(session, name, value, ctx);
	if (err)
		return err;
	opts.dir = session->copy.dir;
	opts.data = session->copy.data;
	opts.cwd = session->cwd;
	opts.argv = session->argv;
	opts.envp = session->envp;
	opts.out = session->opts->stdout_plain ? NULL : session->copy.out;
	err = run_start(&session->run, &opts);
	return err ? -EPERM : await_ready(session);
}

int session_start(struct session *session, const char *name, session_variable *value, void *ctx)
{
	int err = start_once(session, true, name, value, ctx);

	if (err == -EPERM) {
		err = start_once(session, false, name, value, ctx);
		if (!err)
			crash_record_note(session->report, NULL,
					  "no namespaces here: the command saw its directory as %s "
					  "(in $" SESSION_DIR_VARIABLE "), not as %s",
					  session->copy.data, session->copy.dir);
	}
	return err;
}

int session_go(struct session *session)
{
	int64_t timeout_ns = session->opts->timeout_ns;

	if (timeout_ns >= 0)
		session->deadline_ns = sl_sys_clock_ns() + (timeout_ns ? timeout_ns : TIMEOUT_NS);
	return init_go(session->run.control);
}

/* ---- running ----------------------- */

void session_print(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the caller's standard output is closed: nothing to do about it */
		text += n;
		len -= (size_t)n;
	}
}

/* What the command has said since. */
static void pass_output(struct session *session)
{
	char text[16384];
	ssize_t n;
	int fd;

	if (session->opts->stdout_plain || session->opts->stdout_quiet)
		return;
	fd = openat(session->copy.scratch.dir_fd, "out", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	while ((n = pread(fd, text, sizeof(text), (off_t)session->out_off)) > 0) {
		session_print(text, (size_t)n);
		session->out_off += (uint64_t)n;
	}
	close(fd);
}

static void finish(struct session *session, int err, uint32_t limit)
{
	session->over = true;
	session->report->limits |= limit;
	if (!session->err)
		session->err = err;
}

void session_tick(struct session *session)
{
	pass_output(session);
	if (session->over)
		return;
	if (session->opts->stop && *session->opts->stop)
		finish(session, -ECANCELED, 0);
	else if (crash_trace_error(session->trace) == -EFBIG)
		finish(session, 0, CRASH_LIMIT_TRACE);
	else if (crash_trace_error(session->trace))
		finish(session, crash_trace_error(session->trace), 0);
	else if (session->deadline_ns && sl_sys_clock_ns() >= session->deadline_ns)
		finish(session, 0, CRASH_LIMIT_TIME);
}

/* Of the command itself: that it cannot be run is no program's failure. */
static void take_failure(struct session *session, const struct init_message *message)
{
	bool refused = message->step == RUN_STEP_FILTER;

	if (refused)
		crash_record_why(session->report, "seccomp: cannot %s: %s",
				 run_step_name(message->step), strerror(-message->value));
	session->failed_exec = true;
	finish(session, refused ? -EPERM : message->value, 0);
}

void session_take_message(struct session *session)
{
	struct init_message message;
	int fd, got = init_receive(session->run.control, &message, &fd);

	if (got <= 0) {
		finish(session, got, 0); /* all have ended */
		return;
	}
	switch (message.kind) {
	case RUN_LISTENER:
		session->listener = fd;
		return;
	case INIT_ENDED:
		if (!session->failed_exec)
			session->report->status = message.value;
		break;
	default:
		take_failure(session, &message);
	}
	if (fd >= 0)
		close(fd);
}

void session_end(struct session *session, void (*serve)(void *ctx), void *ctx)
{
	while (!run_kill(&session->run)) {
		poll(NULL, 0, ENDING_TICK_MS);
		if (serve)
			serve(ctx);
	}
	run_fini(&session->run);
	if (session->listener >= 0)
		close(session->listener);
	session->listener = -1;
	if (session->copy.data[0])
		pass_output(session);
}

void session_fini(struct session *session)
{
	free_list(&session->argv);
	free_list(&session->envp);
	crash_copy_remove(&session->copy);
}
