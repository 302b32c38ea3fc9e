/* SPDX-License-Identifier: MIT */
/*
 * run.c - init and the command; see run.h.
 *
 * The recorder may have threads, so what runs between clone and exec is only what a signal
 * handler may call.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "crash/run.h"
#include "sys/supervise.h"

static const char *const step_names[RUN_STEPS] = {
	[RUN_STEP_NAMESPACE] = "make namespaces",
	[RUN_STEP_USER] = "be oneself in a user namespace",
	[RUN_STEP_MOUNT] = "show the copy at the directory's path",
	[RUN_STEP_OUT] = "redirect standard output",
	[RUN_STEP_CHDIR] = "change to the working directory",
	[RUN_STEP_FILTER] = "supervise system calls by seccomp(2)",
	[RUN_STEP_EXEC] = "run the command",
};

const char *run_step_name(uint32_t step)
{
	return step < RUN_STEPS ? step_names[step] : "?";
}

/* ---- the command ----------------------- */

static void install_filter(const struct run_opts *opts, int control)
{
	const struct init_message message = { .kind = RUN_LISTENER };
	int listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		init_fail(control, RUN_STEP_FILTER);
	listener = sl_sys_seccomp_listen_whole(opts->filter);
	if (listener < 0) {
		errno = -listener;
		init_fail(control, RUN_STEP_FILTER);
	}
	if (init_send(control, &message, listener) < 0)
		_exit(INIT_EXIT_NONE); /* the recorder is gone */
	close(listener);
}

static void run_command(const struct run_opts *opts, int control, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (opts->out) {
		int fd = open(opts->out, O_WRONLY | O_APPEND | O_CLOEXEC);

		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			init_fail(control, RUN_STEP_OUT);
	}
	if (opts->filter)
		install_filter(opts, control);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvpe(opts->argv[0], opts->argv, opts->envp);
	init_fail(control, RUN_STEP_EXEC);
}

/* ---- init ----------------------- */

static void show_copy(const struct run_opts *opts, int control)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(opts->data, opts->dir, NULL, MS_BIND, NULL) < 0)
		init_fail(control, RUN_STEP_MOUNT);
	/* Without it /proc shows the pids of outside; few programs mind. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		errno = 0;
}

struct init {
	const struct run_opts *opts;
	const struct run *run;
	int control;
	unsigned uid, gid;
	sigset_t mask;
};

static void run_init(const struct init *init)
{
	const struct init_message ready = { .kind = RUN_READY };
	pid_t command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	init_default_signals();
	close(init->run->control);
	if (init->run->user_namespace)
		init_map_user(init->control, RUN_STEP_USER, init->uid, init->gid);
	if (init->opts->hide)
		show_copy(init->opts, init->control);
	else
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (chdir(init->opts->cwd) < 0)
		init_fail(init->control, RUN_STEP_CHDIR);
	init_send(init->control, &ready, -1);
	init_await_go(init->control);
	command = init_fork(init->control, RUN_STEP_EXEC);
	if (!command)
		run_command(init->opts, init->control, &init->mask);
	sigprocmask(SIG_SETMASK, &init->mask, NULL);
	init_reap(init->control, command);
}

/* ---- the recorder's side ----------------------- */

int run_start(struct run *run, const struct run_opts *opts)
{
	struct init init = { .opts = opts, .run = run, .uid = geteuid(), .gid = getegid() };
	sigset_t all;
	int64_t pid;
	int pair[2], err;

	*run = (struct run){ .control = -1, .hidden = opts->hide };
	err = init_socket(pair);
	if (err)
		return err;
	run->control = pair[0];
	init.control = pair[1];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &init.mask);
	pid = init_clone(opts->hide, &run->user_namespace);
	if (!pid)
		run_init(&init);
	pthread_sigmask(SIG_SETMASK, &init.mask, NULL);
	close(pair[1]);
	if (pid < 0) {
		run_fini(run);
		return (int)pid;
	}
	run->pid = (pid_t)pid;
	return 0;
}

/* Everything below a process, children first: what is born meanwhile is found the next time. */
static void kill_below(pid_t pid, unsigned depth)
{
	char path[64], text[4096], *at = text;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	while (*at) {
		pid_t child = (pid_t)strtol(at, &at, 10);

		if (child <= 0)
			break;
		if (depth < 32)
			kill_below(child, depth + 1);
		kill(child, SIGKILL);
	}
}

/* Without a pid namespace init goes last: its children would be somebody else's then. */
bool run_kill(struct run *run)
{
	if (run->pid <= 0)
		return true;
	if (run->hidden)
		kill(run->pid, SIGKILL);
	else
		kill_below(run->pid, 0);
	/* One that waits for go has no children, and ends with the socket. */
	shutdown(run->control, SHUT_WR);
	return init_has_ended(&run->pid);
}

void run_fini(struct run *run)
{
	SL_ASSERT(run->pid <= 0);
	if (run->control >= 0)
		close(run->control);
	*run = (struct run){ .control = -1 };
}
