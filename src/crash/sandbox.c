/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c - init of the sandbox, and its end.
 *
 * The recorder may have threads, so what runs between clone and exec is only what a
 * signal handler may call; all memory was got before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "crash/fuse_server.h"
#include "crash/sandbox.h"
#include "sys/fuse.h"
#include "sys/namespace.h"
#include "sys/seccomp.h"
#include "sys/statx.h"
#include "sys/thread.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID)
#define EXIT_NONE  127

static const char *const step_names[SANDBOX_STEPS] = {
	[SANDBOX_START] = "make namespaces",
	[SANDBOX_MAP_USER] = "be oneself in a user namespace",
	[SANDBOX_OPEN_FUSE] = "open /dev/fuse",
	[SANDBOX_PRIVATE] = "keep mounts private",
	[SANDBOX_MOUNT] = "mount over the directory",
	[SANDBOX_STDOUT] = "redirect standard output",
	[SANDBOX_CHDIR] = "change to the working directory",
	[SANDBOX_EXEC] = "run the command",
};

const char *sandbox_step_name(uint32_t step)
{
	return step < SANDBOX_STEPS ? step_names[step] : "?";
}

/* ---- messages ----------------------------------------------------------------------- */

static int send_message(int control, const struct sandbox_message *message, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)message, sizeof(*message) };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} space = { 0 };
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

int sandbox_receive(const struct sandbox *sandbox, struct sandbox_message *ret_message, int *ret_fd)
{
	struct iovec iov = { ret_message, sizeof(*ret_message) };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} space = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &space,
			      .msg_controllen = sizeof(space.bytes) };
	ssize_t n;

	do
		n = recvmsg(sandbox->control, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*ret_fd = -1;
	if (n > 0 && CMSG_FIRSTHDR(&msg))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	return n == sizeof(*ret_message);
}

static void fail(int control, enum sandbox_step step)
{
	const struct sandbox_message message = { SANDBOX_FAILED, step, -errno, 0 };

	send_message(control, &message, -1);
	_exit(EXIT_NONE);
}

/* ---- the program -------------------------------------------------------------------- */

/* Where the low half of an argument lies, which is all of what is looked at. */
#define LOW_HALF    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4)
#define ARGUMENT(i) (offsetof(struct seccomp_data, args) + (i)*8 + LOW_HALF)

/* Calls that the kernel does not tell a FUSE server of: sync, syncfs, and shared mappings of
 * files. Each of the first two waits until it is in the trace. */
static int listen_to_calls(void)
{
	const uint32_t offset_arch = offsetof(struct seccomp_data, arch);
	const uint32_t offset_nr = offsetof(struct seccomp_data, nr);
	const uint32_t offset_flags = (uint32_t)ARGUMENT(3);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SL_SYS_AUDIT_ARCH, 0, 8),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sync, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_syncfs, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset_flags),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	return sl_sys_seccomp_listen(&filter);
}

static void run_program(const struct sandbox_opts *opts, int control, const sigset_t *mask)
{
	struct sandbox_message message = { .kind = SANDBOX_LISTENER };
	int listener;

	setrlimit(RLIMIT_NOFILE, &opts->files);
	sl_sys_keep_to_cpu(opts->cpu);
	listener = listen_to_calls();
	message.value = listener < 0 ? listener : 0;
	send_message(control, &message, listener);
	if (listener >= 0)
		close(listener);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvpe(opts->argv[0], opts->argv, opts->envp);
	fail(control, SANDBOX_EXEC);
}

/* ---- init --------------------------------------------------------------------------- */

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

static void map_user(int control, uid_t uid, gid_t gid)
{
	char text[64];

	/* Kernels before 3.19 have no setgroups, and need no write to it. */
	if (write_text("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		fail(control, SANDBOX_MAP_USER);
	snprintf(text, sizeof(text), "%u %u 1", uid, uid);
	if (write_text("/proc/self/uid_map", text) < 0)
		fail(control, SANDBOX_MAP_USER);
	snprintf(text, sizeof(text), "%u %u 1", gid, gid);
	if (write_text("/proc/self/gid_map", text) < 0)
		fail(control, SANDBOX_MAP_USER);
}

/* A second descriptor of the same file system, to ask whether there is a request without waiting
 * for one. It must be made here: the kernel wants both from one user namespace. */
static void clone_fuse(int control, int fd)
{
	const struct sandbox_message message = { .kind = SANDBOX_FUSE_CLONE };
	int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int err = clone < 0 ? -errno : sl_sys_fuse_clone(clone, fd);

	if (err) {
		errno = -err;
		fail(control, SANDBOX_OPEN_FUSE);
	}
	if (send_message(control, &message, clone) < 0)
		_exit(EXIT_NONE); /* the recorder is gone */
	close(clone);
}

static void mount_over(const struct sandbox_opts *opts, int control)
{
	struct sandbox_message message = { .kind = SANDBOX_FUSE };
	char text[160];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail(control, SANDBOX_OPEN_FUSE);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(control, SANDBOX_PRIVATE);
	snprintf(text, sizeof(text),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,allow_other", fd,
		 opts->uid, opts->gid);
	if (mount("sluice", opts->dir, "fuse", MS_NOSUID | MS_NODEV, text) < 0)
		fail(control, SANDBOX_MOUNT);
	clone_fuse(control, fd);
	/* Not before: reading it is refused until it is mounted. */
	if (send_message(control, &message, fd) < 0)
		_exit(EXIT_NONE); /* the recorder is gone */
	close(fd);
}

/* The id that /proc/PID/fdinfo names the mount by: from there, statx(2) would do as well. */
static uint32_t mount_id(const char *dir)
{
	char text[512], path[64];
	const char *at;
	int fd = open(dir, O_PATH | O_CLOEXEC), info;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "mnt_id:");
	if (info >= 0)
		close(info);
	close(fd);
	return at ? (uint32_t)strtoul(at + strlen("mnt_id:"), NULL, 10) : 0;
}

/* Whether the kernel follows a durable write with a sync of its own: the server sees. */
static void probe(const struct sandbox_opts *opts)
{
	char path[TREE_PATH_MAX + 32];
	struct iovec iov = { path, 1 };
	int fd;

	snprintf(path, sizeof(path), "%s/" CRASH_MAGIC_DIR "/" MAGIC_PROBE_NAME, opts->dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (pwritev2(fd, &iov, 1, 0, RWF_DSYNC) == 1)
		iov.iov_len = 0;
	close(fd);
}

static void redirect(const struct sandbox_opts *opts, int control)
{
	char path[TREE_PATH_MAX + 32];
	int fd;

	if (!opts->stdout_file)
		return;
	snprintf(path, sizeof(path), "%s/" CRASH_MAGIC_DIR "/" MAGIC_STDOUT_NAME, opts->dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		fail(control, SANDBOX_STDOUT);
	close(fd);
}

/* ---- the washer --------------------------------------------------------------------- */

static void wash_file(const struct sandbox_opts *opts, uint64_t number)
{
	char path[TREE_PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/" CRASH_MAGIC_DIR "/%c%llu", opts->dir, MAGIC_NUMBER_SIGN,
		 (unsigned long long)number);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return; /* it is gone, or cannot be opened by anybody */
	sync_file_range(fd, 0, 0,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	close(fd);
}

static void run_washer(const struct sandbox_opts *opts, int fd)
{
	uint64_t numbers[SANDBOX_WASH_MAX];
	ssize_t n;

	while ((n = recv(fd, numbers, sizeof(numbers), 0)) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(numbers[0]); i++)
			wash_file(opts, numbers[i]);
		if (send(fd, "", 1, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* ---- init, continued ---------------------------------------------------------------- */

static void default_signals(void)
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

static void reap(int control, int64_t program)
{
	struct sandbox_message message = { .kind = SANDBOX_ENDED };
	int status;
	pid_t pid;

	while ((pid = wait(&status)) > 0 || errno == EINTR) {
		if (pid != program)
			continue;
		message.value = status;
		send_message(control, &message, -1);
	}
	_exit(0);
}

/* Its end is no signal to init, so that wait(2) passes over it: it is none of the program's. */
static void start_washer(const struct sandbox_opts *opts, int control, int wash)
{
	int64_t pid = sl_sys_fork_unwaited();

	if (pid < 0) {
		errno = (int)-pid;
		fail(control, SANDBOX_START);
	}
	if (!pid) {
		close(control);
		run_washer(opts, wash);
	}
	close(wash);
}

static void run_init(const struct sandbox_opts *opts, const struct sandbox *sandbox, int control,
		     int wash, const sigset_t *mask)
{
	struct sandbox_message message = { .kind = SANDBOX_MOUNTED };
	int64_t program;
	char go;
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	default_signals();
	close(sandbox->control);
	close(sandbox->wash);
	close(opts->locked_fd);
	if (sandbox->user_namespace)
		map_user(control, opts->uid, opts->gid);
	mount_over(opts, control);
	message.mount = mount_id(opts->dir);
	probe(opts);
	redirect(opts, control);
	message.value = !mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (chdir(opts->cwd) < 0)
		fail(control, SANDBOX_CHDIR);
	send_message(control, &message, -1);
	if (read(control, &go, 1) != 1)
		_exit(EXIT_NONE); /* the recorder is gone */
	program = sl_sys_fork_into(0);
	if (program < 0) {
		errno = (int)-program;
		fail(control, SANDBOX_EXEC);
	}
	if (!program)
		run_program(opts, control, mask);
	/* It is the program's now, and ends when the program ends it. */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDOUT_FILENO);
	close(null);
	start_washer(opts, control, wash);
	sigprocmask(SIG_SETMASK, mask, NULL);
	reap(control, program);
}

/* ---- the recorder's side ------------------------------------------------------------- */

static int64_t clone_init(struct sandbox *sandbox)
{
	int64_t pid = -EPERM;

	if (!geteuid())
		pid = sl_sys_fork_into(NAMESPACES);
	if (pid != -EPERM)
		return pid;
	sandbox->user_namespace = true;
	return sl_sys_fork_into(NAMESPACES | CLONE_NEWUSER);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

int sandbox_start(struct sandbox *sandbox, const struct sandbox_opts *opts)
{
	int control[2], wash[2];
	sigset_t all, mask;
	int64_t pid;

	*sandbox = (struct sandbox){ .control = -1, .wash = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wash) < 0) {
		close_pair(control);
		return -errno;
	}
	sandbox->control = control[0];
	sandbox->wash = wash[0];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pid = clone_init(sandbox);
	if (!pid)
		run_init(opts, sandbox, control[1], wash[1], &mask);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	close(control[1]);
	close(wash[1]);
	if (pid < 0) {
		sandbox_fini(sandbox);
		return (int)pid;
	}
	sandbox->pid = (pid_t)pid;
	return 0;
}

int sandbox_go(const struct sandbox *sandbox)
{
	return send(sandbox->control, "", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

bool sandbox_kill(struct sandbox *sandbox)
{
	pid_t pid;

	if (sandbox->pid <= 0)
		return true;
	kill(sandbox->pid, SIGKILL);
	pid = waitpid(sandbox->pid, NULL, WNOHANG);
	if (!pid || (pid < 0 && errno == EINTR))
		return false;
	sandbox->pid = 0;
	return true;
}

void sandbox_fini(struct sandbox *sandbox)
{
	SL_ASSERT(sandbox->pid <= 0);
	if (sandbox->control >= 0)
		close(sandbox->control);
	if (sandbox->wash >= 0)
		close(sandbox->wash);
	*sandbox = (struct sandbox){ .control = -1, .wash = -1 };
}
