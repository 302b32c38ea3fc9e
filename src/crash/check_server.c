/* SPDX-License-Identifier: MIT */
/*
 * check_server.c - runs a checker again and again, and lets nothing of a run remain.
 *
 *	client --request--> server --spawn--> sh -c CMD		one for each state
 *	                           --fork---> worker --call--> function, for many states
 *
 * The worker is a subreaper too: it knows after each call whether the function left
 * processes, and then is ended like one that crashed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash/check.h"
#include "crash/offspring.h"
#include "crash/function.h"
#include "crash/materialise.h"

#define SOCKET_FD	   3
#define STATES_OF_A_WORKER 4096

extern char **environ;

struct server {
	const struct checker_opts *opts;
	int signal_fd; /* a child has ended */
	int output_fd; /* what the run writes is read here */
	check_function *function;

	/* the worker */
	pid_t worker;
	int worker_fd;
	unsigned calls;
};

/* What a worker says of a call. */
struct answer {
	int status;
	bool left; /* processes of the call still run */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- output ------------------------------------------------------------------------- */

/* The first bytes are kept, the rest is thrown away. False at the end of the file. */
static bool read_output(int fd, struct check_verdict *verdict)
{
	char buf[16384];

	for (;;) {
		ssize_t res = read(fd, buf, sizeof(buf));
		size_t room = CHECK_OUTPUT_MAX - verdict->output_len;

		if (res < 0)
			return errno == EAGAIN || errno == EINTR;
		if (res == 0)
			return false;
		if ((size_t)res < room)
			room = (size_t)res;
		memcpy(verdict->output + verdict->output_len, buf, room);
		verdict->output_len += (uint32_t)room;
	}
}

static void say(struct check_verdict *verdict, int err, const char *what, const char *why)
{
	verdict->kind = CHECK_BROKEN;
	verdict->status = err;
	verdict->output_len =
		(uint32_t)snprintf(verdict->output, CHECK_OUTPUT_MAX, "%s: %s", what, why);
	if (verdict->output_len > CHECK_OUTPUT_MAX)
		verdict->output_len = CHECK_OUTPUT_MAX;
}

static void clear_signals(const struct server *server)
{
	struct signalfd_siginfo info[8];

	while (read(server->signal_fd, info, sizeof(info)) > 0)
		;
}

/* The client has closed: nothing may remain of it. */
static void leave(const struct server *server) __attribute__((noreturn));
static void leave(const struct server *server)
{
	offspring_end();
	if (server->opts->top) {
		char parent[4096];
		char *slash;

		remove_tree(server->opts->top);
		snprintf(parent, sizeof(parent), "%s", server->opts->top);
		slash = strrchr(parent, '/');
		if (slash && slash != parent) {
			*slash = '\0';
			rmdir(parent); /* by the last one */
		}
	}
	_exit(0);
}

/*
 * Waits for a child's end, a packet of the worker, or the time that is left. What comes
 * out meanwhile is read. Which of fds is ready: 0 the child, 1 the packet; -1: time is up.
 */
static int wait_for(const struct server *server, struct check_verdict *verdict, int packet_fd)
{
	uint64_t end = now_ns() + server->opts->timeout_ns;
	struct pollfd fds[4] = {
		{ .fd = server->signal_fd, .events = POLLIN },
		{ .fd = packet_fd, .events = POLLIN },
		{ .fd = server->output_fd, .events = POLLIN },
		{ .fd = SOCKET_FD, .events = POLLRDHUP },
	};

	for (;;) {
		uint64_t now = now_ns();
		struct timespec left = { 0 };
		int nr;

		if (now < end) {
			left.tv_sec = (time_t)((end - now) / 1000000000u);
			left.tv_nsec = (long)((end - now) % 1000000000u);
		}
		nr = ppoll(fds, 4, &left, NULL);
		if (nr < 0 && errno != EINTR)
			return -1;
		if (nr > 0 && fds[3].revents)
			leave(server);
		if (nr > 0 && fds[2].revents && !read_output(server->output_fd, verdict))
			fds[2].fd = -1;
		if (nr > 0 && fds[1].revents)
			return 1;
		if (nr > 0 && fds[0].revents)
			return 0;
		if (nr == 0 && now >= end)
			return -1;
	}
}

/* ---- a command ---------------------------------------------------------------------- */

static int spawn_shell(const struct server *server, int output, pid_t *ret_pid)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
			       (char *)(uintptr_t)server->opts->check, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	err = posix_spawn_file_actions_addopen(&actions, 0, server->opts->acks, O_RDONLY, 0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, output, 1);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, output, 2);
	if (!err)
		err = posix_spawn_file_actions_addclose(&actions, SOCKET_FD);
	if (!err)
		err = posix_spawn_file_actions_addchdir_np(&actions, server->opts->dir);
	if (!err)
		err = posix_spawn(ret_pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -err;
}

/* The end of a child that is not reaped yet: its group is killed while its id is its own. */
static void judge_child(pid_t pid, struct check_verdict *verdict)
{
	siginfo_t info = { 0 };

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (info.si_code == CLD_EXITED) {
		verdict->kind = info.si_status ? CHECK_EXIT : CHECK_FINE;
		verdict->status = info.si_status;
	} else {
		verdict->kind = CHECK_SIGNAL;
		verdict->status = info.si_status;
	}
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid;
}

static void run_shell(struct server *server, struct check_verdict *verdict)
{
	int output[2], err;
	pid_t pid = -1;

	if (pipe2(output, O_CLOEXEC)) {
		say(verdict, -errno, "pipe", strerror(errno));
		return;
	}
	clear_signals(server);
	err = spawn_shell(server, output[1], &pid);
	close(output[1]);
	server->output_fd = output[0];
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	if (err) {
		say(verdict, err, "/bin/sh", strerror(-err));
	} else {
		bool ended = false;

		/* Strays that end wake us too. */
		while (!ended && wait_for(server, verdict, -1) == 0) {
			clear_signals(server);
			ended = has_ended(pid);
		}
		if (!ended)
			kill(pid, SIGKILL);
		judge_child(pid, verdict);
		if (!ended)
			verdict->kind = CHECK_TIMEOUT;
		offspring_end();
		read_output(output[0], verdict);
	}
	close(output[0]);
	server->output_fd = -1;
}

/* ---- a function --------------------------------------------------------------------- */

static void load_function(struct server *server, struct check_verdict *verdict)
{
	int err = check_function_load(server->opts->check_so, &server->function, verdict->output,
				      CHECK_OUTPUT_MAX);

	if (!err)
		return;
	verdict->kind = CHECK_BROKEN;
	verdict->status = err;
	verdict->output_len = (uint32_t)strlen(verdict->output);
}

/* A function that calls exit(3): what the client has registered for its end is not ours. */
static void end_at_once(int status, void *arg)
{
	(void)arg;
	fflush(NULL);
	_exit(status);
}

static void work(const struct server *server, int fd, int output) __attribute__((noreturn));
static void work(const struct server *server, int fd, int output)
{
	sigset_t none;
	char request;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	on_exit(end_at_once, NULL);
	setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	dup2(output, 1);
	dup2(output, 2);
	close(output);
	close(SOCKET_FD);
	while (recv(fd, &request, 1, 0) == 1) {
		struct answer answer = { 0 };

		if (chdir(server->opts->dir))
			_exit(126);
		answer.status = server->function(server->opts->dir, server->opts->acks);
		fflush(NULL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		answer.left = errno != ECHILD;
		if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* What is left of a worker that was reaped. */
static void forget_worker(struct server *server)
{
	offspring_end();
	close(server->worker_fd);
	close(server->output_fd);
	server->worker = 0;
	server->worker_fd = server->output_fd = -1;
}

static void end_worker(struct server *server)
{
	if (server->worker <= 0)
		return;
	kill(-server->worker, SIGKILL);
	kill(server->worker, SIGKILL);
	waitpid(server->worker, NULL, 0);
	forget_worker(server);
}

static int begin_worker(struct server *server)
{
	int pair[2], output[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	if (pipe2(output, O_CLOEXEC)) {
		close(pair[0]);
		close(pair[1]);
		return -errno;
	}
	server->worker = fork();
	if (server->worker == 0)
		work(server, pair[1], output[1]);
	close(pair[1]);
	close(output[1]);
	server->worker_fd = pair[0];
	server->output_fd = output[0];
	server->calls = 0;
	fcntl(output[0], F_SETFL, O_NONBLOCK);
	if (server->worker > 0)
		return 0;
	close(pair[0]);
	close(output[0]);
	server->worker_fd = server->output_fd = -1;
	return -errno;
}

static void judge_call(struct server *server, struct check_verdict *verdict, int what)
{
	struct answer answer;
	bool answered = what == 1 &&
			recv(server->worker_fd, &answer, sizeof(answer), 0) == sizeof(answer);

	read_output(server->output_fd, verdict);
	if (answered) {
		verdict->kind = answer.status ? CHECK_EXIT : CHECK_FINE;
		verdict->status = answer.status;
		if (answer.left || answer.status)
			end_worker(server);
		return;
	}
	if (what < 0) {
		verdict->kind = CHECK_TIMEOUT;
		end_worker(server);
		return;
	}
	judge_child(server->worker, verdict);
	/* A function that calls exit(0) has not answered. */
	if (verdict->kind == CHECK_FINE)
		verdict->kind = CHECK_EXIT;
	forget_worker(server);
}

static void call_function(struct server *server, struct check_verdict *verdict, bool fresh)
{
	char request = 1;
	int err = 0, what;

	if (server->worker > 0 && (fresh || server->calls >= STATES_OF_A_WORKER))
		end_worker(server);
	if (server->worker <= 0)
		err = begin_worker(server);
	if (err) {
		say(verdict, err, "fork", strerror(-err));
		return;
	}
	verdict->worn = server->calls > 0;
	server->calls++;
	if (send(server->worker_fd, &request, 1, MSG_NOSIGNAL) != 1) {
		judge_call(server, verdict, 0);
		return;
	}
	do {
		what = wait_for(server, verdict, server->worker_fd);
		clear_signals(server);
	} while (what == 0 && !has_ended(server->worker));
	judge_call(server, verdict, what);
}

/* ---- serving ------------------------------------------------------------------------ */

static void reply(const struct server *server, const struct check_verdict *verdict)
{
	size_t bytes = offsetof(struct check_verdict, output) + verdict->output_len;

	if (send(SOCKET_FD, verdict, bytes, MSG_NOSIGNAL) < 0)
		leave(server);
}

static void close_others(void)
{
	int max = (int)sysconf(_SC_OPEN_MAX);

	if (close_range(SOCKET_FD + 1, ~0u, 0) == 0)
		return;
	for (int fd = SOCKET_FD + 1; fd < max; fd++)
		close(fd);
}

/* Ctrl-C is the client's to answer. */
static void begin(struct server *server, int socket_fd)
{
	const struct rlimit no_core = { 0 };
	sigset_t child;
	int null;

	if (socket_fd != SOCKET_FD)
		dup2(socket_fd, SOCKET_FD);
	null = open("/dev/null", O_RDWR);
	if (null >= 0)
		dup2(null, 0);
	fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC);
	close_others();
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core); /* that a checker crashes is its answer */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL); /* handlers are the client's */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child, NULL);
	server->signal_fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
	server->output_fd = server->worker_fd = -1;
	setenv("SLUICE_STATE", server->opts->dir, 1);
	setenv("SLUICE_ACKS", server->opts->acks, 1);
}

void check_serve(const struct checker_opts *opts, int socket_fd)
{
	struct server server = { .opts = opts };
	struct check_verdict verdict = { .kind = CHECK_FINE };
	char request;

	begin(&server, socket_fd);
	if (server.signal_fd < 0)
		say(&verdict, -errno, "signalfd", strerror(errno));
	else if (opts->check_so)
		load_function(&server, &verdict);
	reply(&server, &verdict);
	while (recv(SOCKET_FD, &request, 1, 0) == 1) {
		verdict = (struct check_verdict){ .kind = CHECK_FINE };
		if (opts->check_so)
			call_function(&server, &verdict, request);
		else
			run_shell(&server, &verdict);
		reply(&server, &verdict);
	}
	end_worker(&server);
	leave(&server);
}
