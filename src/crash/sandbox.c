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
#include <unistd.h>

#include "base/assert.h"
#include "crash/fuse_server.h"
#include "crash/sandbox.h"
#include "sys/fuse.h"
#include "sys/namespace.h"
#include "sys/seccomp.h"
#include "sys/statx.h"
#include "sys/thread.h"

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
	struct init_message message = { .kind = SANDBOX_LISTENER };
	int listener;

	setrlimit(RLIMIT_NOFILE, &opts->files);
	sl_sys_keep_to_cpu(opts->cpu);
	listener = listen_to_calls();
	message.value = listener < 0 ? listener : 0;
	init_send(control, &message, listener);
	if (listener >= 0)
		close(listener);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvpe(opts->argv[0], opts->argv, opts->envp);
	init_fail(control, SANDBOX_EXEC);
}

/* ---- init --------------------------------------------------------------------------- */

/* A second descriptor of the same file system, to ask whether there is a request without waiting
 * for one. It must be made here: the kernel wants both from one user namespace. */
static void clone_fuse(int control, int fd)
{
	const struct init_message message = { .kind = SANDBOX_FUSE_CLONE };
	int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int err = clone < 0 ? -errno : sl_sys_fuse_clone(clone, fd);

	if (err) {
		errno = -err;
		init_fail(control, SANDBOX_OPEN_FUSE);
	}
	if (init_send(control, &message, clone) < 0)
		_exit(INIT_EXIT_NONE); /* the recorder is gone */
	close(clone);
}

static void mount_over(const struct sandbox_opts *opts, int control)
{
	struct init_message message = { .kind = SANDBOX_FUSE };
	char text[160];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		init_fail(control, SANDBOX_OPEN_FUSE);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		init_fail(control, SANDBOX_PRIVATE);
	snprintf(text, sizeof(text),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,allow_other", fd,
		 opts->uid, opts->gid);
	if (mount("sluice", opts->dir, "fuse", MS_NOSUID | MS_NODEV, text) < 0)
		init_fail(control, SANDBOX_MOUNT);
	clone_fuse(control, fd);
	/* Not before: reading it is refused until it is mounted. */
	if (init_send(control, &message, fd) < 0)
		_exit(INIT_EXIT_NONE); /* the recorder is gone */
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
		init_fail(control, SANDBOX_STDOUT);
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

/* Its end is no signal to init, so that wait(2) passes over it: it is none of the program's. */
static void start_washer(const struct sandbox_opts *opts, int control, int wash)
{
	int64_t pid = sl_sys_fork_unwaited();

	if (pid < 0) {
		errno = (int)-pid;
		init_fail(control, SANDBOX_START);
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
	struct init_message message = { .kind = SANDBOX_MOUNTED };
	pid_t program;
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	init_default_signals();
	close(sandbox->control);
	close(sandbox->wash);
	close(opts->locked_fd);
	if (sandbox->user_namespace)
		init_map_user(control, SANDBOX_MAP_USER, opts->uid, opts->gid);
	mount_over(opts, control);
	message.mount = mount_id(opts->dir);
	probe(opts);
	redirect(opts, control);
	message.value = !mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (chdir(opts->cwd) < 0)
		init_fail(control, SANDBOX_CHDIR);
	init_send(control, &message, -1);
	init_await_go(control);
	program = init_fork(control, SANDBOX_EXEC);
	if (!program)
		run_program(opts, control, mask);
	/* It is the program's now, and ends when the program ends it. */
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDOUT_FILENO);
	close(null);
	start_washer(opts, control, wash);
	sigprocmask(SIG_SETMASK, mask, NULL);
	init_reap(control, program);
}

/* ---- the recorder's side ------------------------------------------------------------- */

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
	int err;

	*sandbox = (struct sandbox){ .control = -1, .wash = -1 };
	err = init_socket(control);
	if (err)
		return err;
	err = init_socket(wash);
	if (err) {
		close_pair(control);
		return err;
	}
	sandbox->control = control[0];
	sandbox->wash = wash[0];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	pid = init_clone(true, &sandbox->user_namespace);
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

bool sandbox_kill(struct sandbox *sandbox)
{
	if (sandbox->pid <= 0)
		return true;
	kill(sandbox->pid, SIGKILL);
	return init_has_ended(&sandbox->pid);
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
