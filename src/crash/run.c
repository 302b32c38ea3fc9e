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
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "crash/run.h"
#include "sys/namespace.h"
#include "sys/supervise.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID)
#define EXIT_NONE  127

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

/* ---- messages ----------------------- */

union control_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_message(int control, const struct run_message *message, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)message, sizeof(*message) };
	union control_space space = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = &space;
		msg.msg_controllen = sizeof(space.bytes);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	return sendmsg(control, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int run_receive(const struct run *run, struct run_message *ret_message, int *ret_fd)
{
	struct iovec iov = { ret_message, sizeof(*ret_message) };
	union control_space space = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &space,
		.msg_controllen = sizeof(space.bytes),
	};
	ssize_t n;

	do
		n = recvmsg(run->control, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*ret_fd = -1;
	if (n > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return n == sizeof(*ret_message);
}

static void fail(int control, enum run_step step)
{
	const struct run_message message = { RUN_FAILED, step, -errno };

	send_message(control, &message, -1);
	_exit(EXIT_NONE);
}

/* ---- the command ----------------------- */

static void install_filter(const struct run_opts *opts, int control)
{
	const struct run_message message = { .kind = RUN_LISTENER };
	int listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(control, RUN_STEP_FILTER);
	listener = sl_sys_seccomp_listen_whole(opts->filter);
	if (listener < 0) {
		errno = -listener;
		fail(control, RUN_STEP_FILTER);
	}
	if (send_message(control, &message, listener) < 0)
		_exit(EXIT_NONE); /* the recorder is gone */
	close(listener);
}

static void run_command(const struct run_opts *opts, int control, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (opts->out) {
		int fd = open(opts->out, O_WRONLY | O_APPEND | O_CLOEXEC);

		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			fail(control, RUN_STEP_OUT);
	}
	if (opts->filter)
		install_filter(opts, control);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvpe(opts->argv[0], opts->argv, opts->envp);
	fail(control, RUN_STEP_EXEC);
}

/* ---- init ----------------------- */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

static void map_user(int control, unsigned uid, unsigned gid)
{
	char text[64];

	if (write_text("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		fail(control, RUN_STEP_USER);
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	if (write_text("/proc/self/uid_map", text) < 0)
		fail(control, RUN_STEP_USER);
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	if (write_text("/proc/self/gid_map", text) < 0)
		fail(control, RUN_STEP_USER);
}

static void show_copy(const struct run_opts *opts, int control)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(opts->data, opts->dir, NULL, MS_BIND, NULL) < 0)
		fail(control, RUN_STEP_MOUNT);
	/* Without it /proc shows the pids of outside; few programs mind. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		errno = 0;
}

static void default_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
}

static void reap(int control, pid_t command)
{
	struct run_message message = { .kind = RUN_ENDED };
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		if (pid != command)
			continue;
		message.value = status;
		send_message(control, &message, -1);
	}
	_exit(0);
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
	const struct run_message ready = { .kind = RUN_READY };
	int64_t command;
	char go;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	default_signals();
	close(init->run->control);
	if (init->run->user_namespace)
		map_user(init->control, init->uid, init->gid);
	if (init->opts->hide)
		show_copy(init->opts, init->control);
	else
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (chdir(init->opts->cwd) < 0)
		fail(init->control, RUN_STEP_CHDIR);
	send_message(init->control, &ready, -1);
	if (read(init->control, &go, 1) != 1)
		_exit(EXIT_NONE); /* the recorder is gone */
	command = sl_sys_fork_into(0);
	if (command < 0) {
		errno = (int)-command;
		fail(init->control, RUN_STEP_EXEC);
	}
	if (!command)
		run_command(init->opts, init->control, &init->mask);
	sigprocmask(SIG_SETMASK, &init->mask, NULL);
	reap(init->control, (pid_t)command);
}

/* ---- the recorder's side ----------------------- */

static int64_t clone_init(struct run *run, const struct run_opts *opts)
{
	int64_t pid = -EPERM;

	if (!opts->hide)
		return sl_sys_fork_into(0);
	if (!geteuid())
		pid = sl_sys_fork_into(NAMESPACES);
	if (pid != -EPERM)
		return pid;
	run->user_namespace = true;
	return sl_sys_fork_into(NAMESPACES | CLONE_NEWUSER);
}

int run_start(struct run *run, const struct run_opts *opts)
{
	struct init init = { .opts = opts, .run = run, .uid = geteuid(), .gid = getegid() };
	sigset_t all;
	int64_t pid;
	int pair[2];

	*run = (struct run){ .control = -1, .hidden = opts->hide };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	run->control = pair[0];
	init.control = pair[1];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &init.mask);
	pid = clone_init(run, opts);
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

int run_go(const struct run *run)
{
	return send(run->control, "", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
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
	pid_t pid;

	if (run->pid <= 0)
		return true;
	if (run->hidden)
		kill(run->pid, SIGKILL);
	else
		kill_below(run->pid, 0);
	/* One that waits for go has no children, and ends with the socket. */
	shutdown(run->control, SHUT_WR);
	pid = waitpid(run->pid, NULL, WNOHANG);
	if (!pid || (pid < 0 && errno == EINTR))
		return false;
	run->pid = 0;
	return true;
}

void run_fini(struct run *run)
{
	SL_ASSERT(run->pid <= 0);
	if (run->control >= 0)
		close(run->control);
	*run = (struct run){ .control = -1 };
}
