/* SPDX-License-Identifier: MIT */
/* check.c - the client of a checker's server. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/check.h"

struct checker {
	int fd;
	pid_t pid;
	bool running;
};

static int receive(struct checker *checker, struct check_verdict *ret_verdict)
{
	ssize_t res;

	do
		res = recv(checker->fd, ret_verdict, sizeof(*ret_verdict), 0);
	while (res < 0 && errno == EINTR);
	if (res < 0)
		return -errno;
	if ((size_t)res < offsetof(struct check_verdict, output))
		return -EIO; /* the server has ended */
	ret_verdict->output[ret_verdict->output_len] = '\0';
	return 0;
}

/* The server says first whether it has what it needs. */
static int greet(struct checker *checker, char *ret_why, size_t why_bytes)
{
	struct check_verdict verdict;
	int err = receive(checker, &verdict);

	if (err || verdict.kind == CHECK_FINE)
		return err;
	snprintf(ret_why, why_bytes, "%s", verdict.output);
	return verdict.status;
}

int checker_create(const struct checker_opts *opts, struct checker **ret_checker, char *ret_why,
		   size_t why_bytes)
{
	struct checker *checker = calloc(1, sizeof(*checker));
	int pair[2], err;

	if (!checker)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		free(checker);
		return -errno;
	}
	fflush(NULL); /* what is buffered must not be written twice */
	checker->fd = pair[0];
	checker->pid = fork();
	if (checker->pid == 0)
		check_serve(opts, pair[1]);
	err = checker->pid < 0 ? -errno : 0;
	close(pair[1]);
	if (!err)
		err = greet(checker, ret_why, why_bytes);
	if (err) {
		checker_destroy(checker);
		return err;
	}
	*ret_checker = checker;
	return 0;
}

void checker_destroy(struct checker *checker)
{
	if (!checker)
		return;
	close(checker->fd);
	while (checker->pid > 0 && waitpid(checker->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(checker);
}

int checker_start(struct checker *checker, bool fresh)
{
	char request = fresh;
	ssize_t res;

	do
		res = send(checker->fd, &request, 1, MSG_NOSIGNAL);
	while (res < 0 && errno == EINTR);
	if (res != 1)
		return res < 0 ? -errno : -EIO;
	checker->running = true;
	return 0;
}

bool checker_is_running(const struct checker *checker)
{
	return checker->running;
}

int checker_fd(const struct checker *checker)
{
	return checker->fd;
}

int checker_answer(struct checker *checker, struct check_verdict *ret_verdict)
{
	int err = receive(checker, ret_verdict);

	checker->running = false;
	return err;
}

const char *check_words(const struct check_verdict *verdict, uint64_t timeout_ns, char *buf,
			size_t bytes)
{
	const char *name;

	switch (verdict->kind) {
	case CHECK_FINE:
		snprintf(buf, bytes, "fine");
		break;
	case CHECK_EXIT:
		snprintf(buf, bytes, "exit %d", verdict->status);
		break;
	case CHECK_SIGNAL:
		name = sigabbrev_np(verdict->status);
		if (name)
			snprintf(buf, bytes, "killed by SIG%s", name);
		else
			snprintf(buf, bytes, "killed by signal %d", verdict->status);
		break;
	case CHECK_TIMEOUT:
		snprintf(buf, bytes, "no answer within %g s", (double)timeout_ns / 1e9);
		break;
	default:
		snprintf(buf, bytes, "could not be run");
	}
	return buf;
}
