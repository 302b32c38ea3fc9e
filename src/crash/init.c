/* SPDX-License-Identifier: MIT */
/* init.c - messages with descriptors, namespaces, a user's map, reaping; see init.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/init.h"
#include "sys/namespace.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID)

/* ---- messages ----------------------------------------------------------------------- */

union control_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int init_socket(int ret_pair[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_pair) < 0 ? -errno : 0;
}

int init_send(int control, const struct init_message *message, int fd)
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

int init_receive(int control, struct init_message *ret_message, int *ret_fd)
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
		n = recvmsg(control, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*ret_fd = -1;
	if (n > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return n == sizeof(*ret_message);
}

int init_go(int control)
{
	return send(control, "", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void init_await_go(int control)
{
	char go;

	if (read(control, &go, 1) != 1)
		_exit(INIT_EXIT_NONE);
}

void init_fail(int control, uint32_t step)
{
	const struct init_message message = { .kind = INIT_FAILED, .step = step, .value = -errno };

	init_send(control, &message, -1);
	_exit(INIT_EXIT_NONE);
}

/* ---- birth -------------------------------------------------------------------------- */

int64_t init_clone(bool namespaces, bool *ret_user_namespace)
{
	int64_t pid = -EPERM;

	*ret_user_namespace = false;
	if (!namespaces)
		return sl_sys_fork_into(0);
	if (!geteuid())
		pid = sl_sys_fork_into(NAMESPACES);
	if (pid != -EPERM)
		return pid;
	*ret_user_namespace = true;
	return sl_sys_fork_into(NAMESPACES | CLONE_NEWUSER);
}

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

void init_map_user(int control, uint32_t step, unsigned uid, unsigned gid)
{
	char text[64];

	/* Kernels before 3.19 have no setgroups, and need no write to it. */
	if (write_text("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		init_fail(control, step);
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	if (write_text("/proc/self/uid_map", text) < 0)
		init_fail(control, step);
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	if (write_text("/proc/self/gid_map", text) < 0)
		init_fail(control, step);
}

void init_default_signals(void)
{
	struct sigaction action;

	for (int i = 1; i < NSIG; i++) {
		if (sigaction(i, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
			continue;
		action = (struct sigaction){ .sa_handler = SIG_DFL };
		sigaction(i, &action, NULL);
	}
	/* Waiting for children needs them to wait for it. */
	action = (struct sigaction){ .sa_handler = SIG_DFL };
	sigaction(SIGCHLD, &action, NULL);
}

pid_t init_fork(int control, uint32_t step)
{
	int64_t pid = sl_sys_fork_into(0);

	if (pid < 0) {
		errno = (int)-pid;
		init_fail(control, step);
	}
	return (pid_t)pid;
}

/* ---- the end ------------------------------------------------------------------------ */

void init_reap(int control, pid_t command)
{
	struct init_message message = { .kind = INIT_ENDED };
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		if (pid != command)
			continue;
		message.value = status;
		init_send(control, &message, -1);
	}
	_exit(0);
}

bool init_has_ended(pid_t *pid)
{
	pid_t ended = waitpid(*pid, NULL, WNOHANG);

	if (!ended || (ended < 0 && errno == EINTR))
		return false;
	*pid = 0;
	return true;
}
