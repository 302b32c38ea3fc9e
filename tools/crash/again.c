/* again.c: one state of a recording made again, and checked with this terminal; see session.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash/explore.h"
#include "crash/offspring.h"
#include "tools/crash/call.h"
#include "tools/crash/session.h"

#define TICK_NS 20000000

/* In the child: does not return. */
static void run_checker(const struct crash_setting *setting, const char *dir, const char *acks)
{
	const char *check = setting->command ? setting->command : setting->check;

	if (!check)
		exit(call_here(setting->check_so, dir, acks));
	if (!freopen(acks, "r", stdin) || setenv("SLUICE_ACKS", acks, 1) < 0 ||
	    setenv("SLUICE_STATE", dir, 1) < 0 || chdir(dir) < 0)
		exit(cli_fail_errno(dir, errno, NULL));
	execl("/bin/sh", "sh", "-c", check, (char *)NULL);
	exit(cli_fail_errno("/bin/sh", errno, NULL));
}

/* A wait status, or -errno; -EINTR by a signal. Nothing that it started is left. */
static int wait_for(pid_t pid)
{
	const struct timespec tick = { .tv_nsec = TICK_NS };
	int status = 0;
	pid_t ended = 0;

	while (!*session_stop() && (ended = waitpid(pid, &status, WNOHANG)) == 0)
		nanosleep(&tick, NULL);
	if (ended < 0)
		status = -errno;
	else if (!ended)
		status = -EINTR;
	offspring_end();
	return status;
}

/* Checks a state as exploring does, once, but with this terminal. */
static int check_again(const struct crash_setting *setting, const char *dir, const char *acks)
{
	pid_t pid;
	int status;

	fflush(NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		run_checker(setting, dir, acks);
	status = pid < 0 ? -errno : wait_for(pid);
	if (status == -EINTR)
		return CLI_IO; /* of which the signal makes another end */
	if (status < 0)
		return cli_fail_errno(dir, status, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CLI_USAGE && setting->check_so)
		return CLI_USAGE; /* it could not be loaded */
	printf("the checker says: %s\n", status ? "it fails" : "it is fine");
	return status ? CLI_BAD : CLI_DONE;
}

int session_replay(const struct crash_setting *setting)
{
	const char *into = setting->into ? setting->into : setting->replay;
	char *dir = NULL, *acks = NULL;
	struct crash_trace *trace;
	int err, code = session_read(setting->from, &trace);

	if (code)
		return code;
	if (asprintf(&acks, "%s.acks", into) < 0)
		acks = NULL;
	err = acks ? crash_replay(trace, setting->dir, setting->replay, setting->keep, into, acks) :
		     -ENOMEM;
	crash_trace_close(trace);
	if (err == -EINVAL || err == -ERANGE)
		code = cli_fail(CLI_USAGE, setting->replay, "is no state of this recording",
				"copy the id from the report of the same recording");
	else if (err)
		code = cli_fail_errno(into, err, NULL);
	else
		printf("%s has the state, %s what was acknowledged before it\n", into, acks);
	dir = code ? NULL : realpath(into, NULL);
	if (dir && (setting->check || setting->command || setting->check_so)) {
		char *full = realpath(acks, NULL);

		code = full ? check_again(setting, dir, full) : cli_fail_errno(acks, errno, NULL);
		free(full);
	}
	free(dir);
	free(acks);
	return code;
}
